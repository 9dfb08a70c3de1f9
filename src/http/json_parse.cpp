// Boost.JSON's tree builder takes a name twice and 1e999 (measured): this one does not.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>
#include <cmath>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "http/json.hpp"

namespace jikji::http {
namespace {

using ErrorRef = boost::system::error_code;

/// Feeds a value_stack, and remembers the hash of each name of the objects that are open.
class Builder {
public:
    static constexpr std::size_t max_object_size = SIZE_MAX;
    static constexpr std::size_t max_array_size = SIZE_MAX;
    static constexpr std::size_t max_key_size = SIZE_MAX;
    static constexpr std::size_t max_string_size = SIZE_MAX;

    bool on_document_begin(ErrorRef&) {
        stack_.reset();
        return true;
    }
    bool on_document_end(ErrorRef&) { return true; }
    bool on_object_begin(ErrorRef&) {
        starts_.push_back(hashes_.size());
        open_.push_back({.array = false});
        return true;
    }
    bool on_object_end(std::size_t count, ErrorRef& error) {
        stack_.push_object(count);
        const auto first = hashes_.begin() + static_cast<std::ptrdiff_t>(starts_.back());
        std::sort(first, hashes_.end());
        const bool twice = std::adjacent_find(first, hashes_.end()) != hashes_.end();
        hashes_.erase(first, hashes_.end());
        starts_.pop_back();
        open_.pop_back();
        if (!twice) return value_ends();
        return refuse(error, "an object has the same name twice",
                      "한 객체에 같은 이름이 두 번 있습니다");
    }
    bool on_array_begin(ErrorRef&) {
        open_.push_back({.array = true});
        return true;
    }
    bool on_array_end(std::size_t count, ErrorRef&) {
        stack_.push_array(count);
        open_.pop_back();
        return value_ends();
    }
    bool on_key_part(json::string_view part, std::size_t, ErrorRef&) {
        key_.append(part.data(), part.size());
        stack_.push_chars(part);
        return true;
    }
    bool on_key(json::string_view part, std::size_t, ErrorRef&) {
        key_.append(part.data(), part.size());
        hashes_.push_back(std::hash<std::string_view>()(key_));
        open_.back().name = beginning(key_, kNameBytes);
        key_.clear();
        stack_.push_key(part);
        return true;
    }
    bool on_string_part(json::string_view part, std::size_t, ErrorRef&) {
        stack_.push_chars(part);
        return true;
    }
    bool on_string(json::string_view part, std::size_t, ErrorRef&) {
        stack_.push_string(part);
        return value_ends();
    }
    bool on_number_part(json::string_view, ErrorRef&) { return true; }
    bool on_int64(std::int64_t number, json::string_view, ErrorRef&) {
        stack_.push_int64(number);
        return value_ends();
    }
    bool on_uint64(std::uint64_t number, json::string_view, ErrorRef&) {
        stack_.push_uint64(number);
        return value_ends();
    }
    bool on_double(double number, json::string_view, ErrorRef& error) {
        stack_.push_double(number);
        if (std::isfinite(number)) return value_ends();
        return refuse(error, "a number is too large for a double",
                      "수가 너무 커서 나타낼 수 없습니다");
    }
    bool on_bool(bool value, ErrorRef&) {
        stack_.push_bool(value);
        return value_ends();
    }
    bool on_null(ErrorRef&) {
        stack_.push_null();
        return value_ends();
    }
    bool on_comment_part(json::string_view, ErrorRef&) { return true; }
    bool on_comment(json::string_view, ErrorRef&) { return true; }

    json::value release() { return stack_.release(); }

    /// Which value is being read: "messages[0].content"; empty between values and at the top.
    std::string path() const {
        std::string out;
        for (std::size_t i = 0; i < std::min(open_.size(), kShownLevels); ++i) {
            const Open& each = open_[i];
            if (each.array) {
                out = path_at(out, each.index);
            } else if (!each.name.empty()) {
                out += (out.empty() ? "" : ".") + each.name;
            }
        }
        return out;
    }
    const char* reason = nullptr;  // ours, if it was not the syntax
    const char* reason_korean = nullptr;

private:
    static constexpr std::size_t kNameBytes = 64, kShownLevels = 8;
    struct Open {  // an object or array
        bool array;
        std::size_t index = 0;  // of the element that comes or is being read
        std::string name = {};  // of the member that is being read
    };

    bool value_ends() {
        if (open_.empty()) return true;
        ++open_.back().index;
        open_.back().name.clear();
        return true;
    }
    bool refuse(ErrorRef& error, const char* english, const char* korean) {
        reason = english;
        reason_korean = korean;
        error = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
        return false;
    }

    json::value_stack stack_;
    std::vector<std::size_t> hashes_;
    std::vector<std::size_t> starts_;
    std::vector<Open> open_;
    std::string key_;
};

struct Place {
    std::size_t byte = 0;
    std::string path = {};
};

[[noreturn]] void malformed(const Place& at, std::string_view why, std::string_view why_korean) {
    const std::string in = at.path.empty() ? "" : ", in " + at.path;
    const std::string in_korean = at.path.empty() ? "" : ", " + at.path;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the body is not valid JSON near byte {}{}: {}", at.byte, in, why),
                at.path,
                fmt::format("본문이 올바른 JSON이 아닙니다 ({}번째 바이트 근처{}): {}", at.byte,
                            in_korean, why_korean));
}

}  // namespace

json::value parse_json(std::string_view text) {
    if (text.find_first_not_of(" \t\r\n") == std::string_view::npos)
        malformed({}, "it is empty; give a JSON object", "비어 있습니다. JSON 객체를 보내세요");
    json::parse_options options;
    options.max_depth = limits::kJsonDepth;
    json::basic_parser<Builder> parser(options);
    boost::system::error_code error;
    const std::size_t used = parser.write_some(false, text.data(), text.size(), error);
    if (!error && used < text.size()) error = json::error::extra_data;
    const Builder& builder = parser.handler();
    if (!error) return parser.handler().release();
    const Place at{used, builder.path()};
    if (builder.reason) malformed(at, builder.reason, builder.reason_korean);
    if (error == json::error::too_deep)
        malformed(at, fmt::format("more than {} levels deep", limits::kJsonDepth),
                  fmt::format("{}단계보다 깊습니다", limits::kJsonDepth));
    malformed(at, error.message(), error.message());
}

json::object parse_object(std::string_view text) {
    json::value value = parse_json(text);
    if (!value.is_object())
        malformed({}, "it is not an object; give { … }", "객체가 아닙니다. { … } 형태로 보내세요");
    return std::move(value.as_object());
}

}  // namespace jikji::http
