#include "api/embedding_objects.hpp"

#include <fmt/format.h>

#include <bit>
#include <boost/json.hpp>
#include <charconv>
#include <cstring>

#include "api/fields.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

static_assert(std::endian::native == std::endian::little, "base64_of copies floats as they lie");

void check_not_empty(const TextOrTokens& input) {
    for (std::size_t i = 0; i < input.texts.size(); ++i) {
        if (!input.texts[i].empty()) continue;
        const std::string path = input.texts.size() == 1 ? "input" : http::path_at("input", i);
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} is an empty text; give at least one character", path), path,
                    fmt::format("{}이(가) 빈 글입니다. 한 글자 이상 보내세요.", path));
    }
}

engine::Side read_side(http::Fields& fields) {
    const auto type = fields.optional_choice("input_type", {"query", "passage"});
    if (!type) return engine::Side::kNone;
    return *type == "query" ? engine::Side::kQuery : engine::Side::kPassage;
}

void append_floats(std::string& out, std::span<const float> values) {
    out += '[';
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i > 0) out += ',';
        char digits[32];
        const auto end = std::to_chars(digits, digits + sizeof digits, values[i]).ptr;
        out.append(digits, end);
    }
    out += ']';
}

}  // namespace

EmbeddingsCall parse_embeddings(const http::Call& call) {
    const http::json::object body = http::parse_object(call.body);
    http::Fields fields(body);
    EmbeddingsCall out;
    out.request.model = fields.optional_string("model").value_or("");
    TextOrTokens input = read_text_or_tokens(fields, "input", limits::kEmbeddingInputs);
    check_not_empty(input);
    out.request.texts = std::move(input.texts);
    out.request.tokens = std::move(input.tokens);
    out.base64 = fields.optional_choice("encoding_format", {"float", "base64"}) == "base64";
    if (const auto dimensions = fields.optional_integer("dimensions", {1, 1 << 20}))
        out.request.dimensions = static_cast<int>(*dimensions);
    out.request.side = read_side(fields);
    fields.refuse_unknown({"user"});
    out.request.caller = read_caller(call);
    return out;
}

std::string embeddings_body(const engine::EmbeddingResult& result, const std::string& model,
                            bool base64) {
    std::string out = R"({"object":"list","data":[)";
    for (std::size_t i = 0; i < result.rows.size(); ++i) {
        out += fmt::format(R"({}{{"object":"embedding","index":{},"embedding":)", i ? "," : "", i);
        if (base64) {
            out += '"' + base64_of(result.rows[i]) + '"';
        } else {
            append_floats(out, result.rows[i]);
        }
        out += '}';
    }
    out += fmt::format(R"(],"model":{},"usage":{{"prompt_tokens":{},"total_tokens":{}}}}})",
                       boost::json::serialize(boost::json::string(model)), result.tokens,
                       result.tokens);
    return out;
}

std::string base64_of(std::span<const float> values) {
    static constexpr char kLetters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const auto bytes = std::as_bytes(values);
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t three = 0;
        for (std::size_t k = 0; k < 3; ++k)
            three = three << 8 | (k < left ? std::to_integer<std::uint32_t>(bytes[i + k]) : 0);
        for (std::size_t k = 0; k < 4; ++k)
            out += k <= left ? kLetters[three >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

}  // namespace jikji::api
