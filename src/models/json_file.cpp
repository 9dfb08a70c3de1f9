#include "models/json_file.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/file.hpp"

namespace jikji::models {
namespace json = boost::json;
namespace {

constexpr std::uint64_t kBytesMax = 64ull << 20;

[[noreturn]] void fail(const std::filesystem::path& path, const std::string& english,
                       const std::string& korean) {
    throw Error(ErrorCode::kRejected, fmt::format("{} {}", path.string(), english), "file",
                fmt::format("{} {}", path.string(), korean));
}

}  // namespace

json::object read_json_file(const std::filesystem::path& path) {
    if (!std::filesystem::is_regular_file(path)) {
        fail(path, "is missing; give the whole folder of the model",
             "파일이 없습니다. 모델 폴더 전체가 필요합니다.");
    }
    const std::string bytes = read_file(path, kBytesMax);
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 32;
    json::value value = json::parse(bytes, error, {}, options);
    if (error || !value.is_object()) {
        fail(path, "is not a JSON object; get it again", "파일이 JSON이 아닙니다. 다시 받으세요.");
    }
    return std::move(value.as_object());
}

std::string text_of(const json::object& object, std::string_view field,
                    std::string_view otherwise) {
    const json::value* value = object.if_contains(field);
    const json::string* text = value != nullptr ? value->if_string() : nullptr;
    return std::string(text != nullptr ? std::string_view(*text) : otherwise);
}

std::uint64_t number_of(const json::object& object, std::string_view field,
                        std::uint64_t otherwise) {
    const json::value* value = object.if_contains(field);
    if (value == nullptr || !value->is_number()) return otherwise;
    boost::system::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    return error ? otherwise : number;
}

double real_of(const json::object& object, std::string_view field, double otherwise) {
    const json::value* value = object.if_contains(field);
    if (value == nullptr || !value->is_number()) return otherwise;
    return value->to_number<double>();
}

bool flag_of(const json::object& object, std::string_view field, bool otherwise) {
    const json::value* value = object.if_contains(field);
    const bool* flag = value != nullptr ? value->if_bool() : nullptr;
    return flag != nullptr ? *flag : otherwise;
}

}  // namespace jikji::models
