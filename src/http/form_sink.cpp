#include "http/form_sink.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "http/utf8.hpp"

namespace jikji::http {

void FormSink::begin(const PartHead& head) {
    if (!is_utf8(head.name) || !is_utf8(head.filename.value_or("")))
        throw Error(ErrorCode::kInvalidArgument,
                    "a name in the form is not UTF-8; send it as UTF-8", "body",
                    "양식의 이름이 UTF-8이 아닙니다. UTF-8로 보내세요.");
    if (!head.filename) {
        field_ = head.name;
        value_.clear();
        return;
    }
    UploadedFile file;
    file.field = head.name;
    file.filename = *head.filename;
    file.content_type = head.content_type;
    file.path = route_.new_path();
    file_ = Fd(::open(file.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!file_) {
        const int error = errno;
        const std::filesystem::path path = std::move(file.path);
        file.path.clear();  // not ours to remove
        throw_errno(error, "create", path);
    }
    form_.files.push_back(std::move(file));
}

void FormSink::data(std::string_view bytes) {
    if (!file_) {
        field_bytes_ += bytes.size();
        if (field_bytes_ > kFieldBytes)
            throw Error(ErrorCode::kTooLarge,
                        fmt::format("the form's fields have more than {} bytes", kFieldBytes),
                        field_, fmt::format("양식의 항목이 {}바이트를 넘습니다.", kFieldBytes));
        value_ += bytes;
        return;
    }
    UploadedFile& file = form_.files.back();
    file.bytes += bytes.size();
    while (!bytes.empty()) {
        const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw_errno(errno, "write", file.path);
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
}

void FormSink::end() {
    if (file_) {
        file_ = Fd();
        return;
    }
    if (!is_utf8(value_))
        throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is not UTF-8 text", field_),
                    field_, fmt::format("{} 값이 UTF-8 글이 아닙니다.", field_));
    form_.fields.add(std::move(field_), std::move(value_));
}

}  // namespace jikji::http
