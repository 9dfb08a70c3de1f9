#include "api/json_text.hpp"

#include <boost/json.hpp>
#include <charconv>
#include <cmath>

namespace jikji::api {
namespace {

namespace json = boost::json;

void append_number(std::string& out, double number) {
    if (!std::isfinite(number)) {
        out += "null";
        return;
    }
    char digits[32];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// Recursion is as deep as our own objects are: a handful of levels.
void append(std::string& out, const json::value& value) {
    if (value.is_double()) {
        append_number(out, value.get_double());
    } else if (value.is_array()) {
        out += '[';
        for (const json::value& item : value.get_array()) {
            if (out.back() != '[') out += ',';
            append(out, item);
        }
        out += ']';
    } else if (value.is_object()) {
        out += '{';
        for (const auto& member : value.get_object()) {
            if (out.back() != '{') out += ',';
            out += json::serialize(member.key());
            out += ':';
            append(out, member.value());
        }
        out += '}';
    } else {
        out += json::serialize(value);
    }
}

}  // namespace

std::string json_text(const json::value& value) {
    std::string out;
    append(out, value);
    return out;
}

http::Reply json_reply(const json::value& value) {
    http::Reply reply;
    reply.body = json_text(value);
    return reply;
}

}  // namespace jikji::api
