// /v1/files: upload, list, show, delete, content.
#include "service/files.hpp"

#include "api/fields.hpp"
#include "api/objects.hpp"
#include "api/services.hpp"
#include "base/error.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

using http::Access;
using http::Call;
using http::Reply;

constexpr int kFilesPage = 10'000;  // both default and maximum, as OpenAI has it

json::object file_json(const service::FileObject& file) {
    return {{"id", file.id},
            {"object", "file"},
            {"bytes", file.bytes},
            {"created_at", file.created_at},
            {"filename", file.filename},
            {"purpose", file.purpose},
            {"status", "processed"}};  // deprecated, and still required by the SDKs' pollers
}

[[noreturn]] void missing_part(const std::string& name) {
    throw Error(ErrorCode::kInvalidArgument,
                name + " is missing; send it as a part of the multipart/form-data body", name,
                name + "이(가) 없습니다. multipart/form-data 본문의 한 부분으로 보내세요.");
}

Reply upload(Services& services, Call& call) {
    JIKJI_CHECK(call.form.has_value());
    const http::Form& form = *call.form;
    for (const auto& [name, value] : form.fields.items()) {
        if (name == "purpose") continue;
        throw_unsupported(name, {"only file and purpose are read here; leave it out",
                                 "file과 purpose만 받습니다. 빼고 보내세요"});
    }
    const auto purpose = form.fields.find("purpose");
    const http::UploadedFile* file = form.file("file");
    if (!purpose) missing_part("purpose");
    if (!file) missing_part("file");
    return json_reply(file_json(services.files.add(file->path, file->filename, *purpose)));
}

Reply list_files(Services& services, const Call& call) {
    const service::Page page = read_page(call, kFilesPage, kFilesPage);
    const auto listed = services.files.list(page, call.query.find("purpose").value_or(""));
    json::array data;
    for (const auto& file : listed.items) data.push_back(file_json(file));
    return json_reply(list_json(std::move(data), listed.has_more));
}

Reply delete_file(Services& services, const std::string& id) {
    services.files.remove(id);
    return json_reply(deleted_json(id, "file"));
}

Reply content(Services& services, const std::string& id) {
    const service::FileObject file = services.files.get(id);
    return http::file_reply(services.files.path_of(id), "application/octet-stream", file.filename);
}

}  // namespace

void add_files(http::Router& router, Services& services) {
    http::UploadRoute route;
    route.new_path = [&services] { return services.files.new_upload_path(); };
    route.handler = [&services](Call& call) { return upload(services, call); };
    router.add_upload("POST", "/v1/files", Access::kKey, std::move(route));
    router.add_blocking("GET", "/v1/files", Access::kKey,
                        [&services](Call& call) { return list_files(services, call); });
    router.add_blocking("GET", "/v1/files/{id}", Access::kKey, [&services](Call& call) {
        return json_reply(file_json(services.files.get(call.parameter("id"))));
    });
    router.add_blocking("DELETE", "/v1/files/{id}", Access::kKey, [&services](Call& call) {
        return delete_file(services, call.parameter("id"));
    });
    router.add_blocking("GET", "/v1/files/{id}/content", Access::kKey, [&services](Call& call) {
        return content(services, call.parameter("id"));
    });
}

}  // namespace jikji::api
