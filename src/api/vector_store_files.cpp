// /v1/vector_stores/{id}/files: attach, list, show, detach.
#include "api/fields.hpp"
#include "api/services.hpp"
#include "api/vector_store_objects.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

using http::Access;
using http::Call;
using http::Reply;

constexpr int kPage = 20, kPageMax = 100;
constexpr const char* kPollAfterMs = "300";  // else the SDKs wait for 1 s (Python) or 5 s (Node)

Reply attach(Services& services, const Call& call) {
    const Attachment wanted = parse_attachment(call);
    const auto file = services.collections.attach(call.parameter("id"), wanted.file_id,
                                                  wanted.attributes, wanted.chunking);
    return json_reply(vector_store_file_json(file, call.language));
}

std::string read_filter(const Call& call) {
    const std::string filter = call.query.find("filter").value_or("");
    for (const char* known : {"", "in_progress", "completed", "failed", "cancelled"}) {
        if (filter == known) return filter;
    }
    http::wrong_value("filter", json::value(filter), "in_progress, completed, failed or cancelled",
                      "in_progress, completed, failed, cancelled 중 하나");
}

Reply list_files(Services& services, const Call& call) {
    const service::Page page = read_page(call, kPage, kPageMax);
    const auto listed = services.collections.files(call.parameter("id"), page, read_filter(call));
    json::array data;
    for (const auto& file : listed.items)
        data.push_back(vector_store_file_json(file, call.language));
    return json_reply(list_json(std::move(data), listed.has_more));
}

Reply get_file(Services& services, const Call& call) {
    const auto file = services.collections.file(call.parameter("id"), call.parameter("file_id"));
    Reply reply = json_reply(vector_store_file_json(file, call.language));
    reply.headers.emplace_back("openai-poll-after-ms", kPollAfterMs);
    return reply;
}

Reply detach(Services& services, const Call& call) {
    const std::string file = call.parameter("file_id");
    services.collections.detach(call.parameter("id"), file);
    return json_reply(deleted_json(file, "vector_store.file.deleted"));
}

}  // namespace

void add_vector_store_files(http::Router& router, Services& services) {
    const std::string all = "/v1/vector_stores/{id}/files";
    const std::string one = all + "/{file_id}";
    router.add_blocking("POST", all, Access::kKey,
                        [&services](Call& call) { return attach(services, call); });
    router.add_blocking("GET", all, Access::kKey,
                        [&services](Call& call) { return list_files(services, call); });
    router.add_blocking("GET", one, Access::kKey,
                        [&services](Call& call) { return get_file(services, call); });
    router.add_blocking("DELETE", one, Access::kKey,
                        [&services](Call& call) { return detach(services, call); });
}

}  // namespace jikji::api
