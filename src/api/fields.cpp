#include "api/fields.hpp"

#include <fmt/format.h>

#include <charconv>

#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::api {
namespace {

namespace json = boost::json;
using http::Fields;

constexpr std::int64_t kTokenMax = std::numeric_limits<engine::Token>::max();
constexpr std::size_t kKeyBytes = 64;     // of metadata and attributes, as OpenAI has it
constexpr std::size_t kValueBytes = 512;  // the same

engine::Token token_of_key(std::string_view key, const std::string& path) {
    engine::Token token = -1;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), token);
    if (error == std::errc() && end == key.data() + key.size() && token >= 0) return token;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is no token; give token ids of the model as keys", path), path,
                fmt::format("{}은(는) 토큰이 아닙니다. 모델의 토큰 번호를 키로 주세요.", path));
}

std::vector<std::pair<engine::Token, double>> read_logit_bias(Fields& fields) {
    std::vector<std::pair<engine::Token, double>> out;
    const auto bias = fields.optional_object("logit_bias");
    if (!bias) return out;
    for (const auto& member : bias->object()) {
        const std::string path = bias->path_of(std::string_view(member.key()).substr(0, kKeyBytes));
        out.emplace_back(token_of_key(member.key(), path),
                         http::number_at(member.value(), path, {-100, 100}));
    }
    return out;
}

std::optional<std::vector<std::string>> read_stop(Fields& fields) {
    const json::value* stop = fields.find("stop");
    if (!stop) return std::nullopt;
    if (stop->is_string()) return std::vector{std::string(stop->get_string())};
    if (!stop->is_array())
        http::wrong_value(fields.path_of("stop"), *stop, "a string or a list of strings",
                          "문자열이나 문자열 목록");
    return fields.optional_strings("stop", limits::kStopStrings);
}

std::vector<engine::Token> read_tokens(const json::array& list, const std::string& path) {
    std::vector<engine::Token> out;
    out.reserve(list.size());
    for (std::size_t i = 0; i < list.size(); ++i) {
        out.push_back(static_cast<engine::Token>(
            http::integer_at(list[i], http::path_at(path, i), {0, kTokenMax})));
    }
    return out;
}

[[noreturn]] void empty_list(const std::string& path) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is empty; give at least one item", path), path,
                fmt::format("{}이(가) 비어 있습니다. 하나 이상 보내세요.", path));
}

TextOrTokens read_list(const json::array& list, const std::string& path) {
    TextOrTokens out;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const std::string at = http::path_at(path, i);
        if (list.front().is_string()) {
            out.texts.push_back(http::string_at(list[i], at));
        } else if (list[i].is_array()) {
            out.tokens.push_back(read_tokens(list[i].get_array(), at));
            if (out.tokens.back().empty()) empty_list(at);
        } else {
            http::wrong_value(at, list[i], "a string or a list of token ids",
                              "문자열이나 토큰 번호 목록");
        }
    }
    return out;
}

std::string prompt_variable(const json::value& value, const std::string& path) {
    if (!value.is_object()) return http::string_at(value, path);
    Fields part = Fields::of(value, path);
    const std::string type = part.required_string("type");
    if (type != "input_text")
        throw_unsupported(part.path_of("type"), {"only input_text can be filled in",
                                                 "input_text만 채워 넣을 수 있습니다"});
    std::string text = part.required_string("text");
    part.refuse_unknown();
    return text;
}

void check_pairs(const json::object& object, const std::string& path) {
    if (object.size() > limits::kMetadataPairs) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} has {} pairs; give at most {}", path, object.size(),
                                limits::kMetadataPairs),
                    path,
                    fmt::format("{}의 항목이 {}개입니다. {}개까지만 보내세요.", path, object.size(),
                                limits::kMetadataPairs));
    }
    for (const auto& member : object) check_bytes(path, member.key(), kKeyBytes);
}

bool has_word(std::string_view header, std::string_view word) {
    return header.find(word) != std::string_view::npos;
}

int read_limit(const http::Call& call, int limit_default, int limit_max) {
    const auto text = call.query.find("limit");
    if (!text) return limit_default;
    int limit = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), limit);
    const bool whole = error == std::errc() && end == text->data() + text->size();
    if (whole && limit >= 1 && limit <= limit_max) return limit;
    http::wrong_value("limit", json::value(*text), fmt::format("a number from 1 to {}", limit_max),
                      fmt::format("1에서 {} 사이의 수", limit_max));
}

}  // namespace

void throw_unsupported(std::string_view path, const Reason& reason) {
    throw Error(ErrorCode::kUnsupported,
                fmt::format("{} is not supported: {}", path, reason.english), std::string(path),
                fmt::format("{} 항목은 지원하지 않습니다: {}.", path, reason.korean));
}

void refuse(Fields& fields, std::string_view name, const Reason& reason) {
    const json::value* value = fields.find(name);
    if (!value || (value->is_array() && value->get_array().empty())) return;
    throw_unsupported(fields.path_of(name), reason);
}

void check_bytes(std::string_view path, std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max) return;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} has {} bytes; give at most {}", path, text.size(), bytes_max),
                std::string(path),
                fmt::format("{}이(가) {}바이트입니다. {}바이트까지만 보내세요.", path, text.size(),
                            bytes_max));
}

service::SamplingOptions read_sampling(Fields& fields) {
    service::SamplingOptions out;
    out.temperature = fields.optional_number("temperature");
    out.top_p = fields.optional_number("top_p");
    out.top_k = fields.optional_integer("top_k");
    out.min_p = fields.optional_number("min_p");
    out.repeat_penalty = fields.optional_number("repeat_penalty");
    out.presence_penalty = fields.optional_number("presence_penalty");
    out.frequency_penalty = fields.optional_number("frequency_penalty");
    out.max_tokens = fields.optional_integer("max_tokens");
    out.seed = fields.optional_integer("seed");
    out.stop = read_stop(fields);
    out.logit_bias = read_logit_bias(fields);
    out.ignore_eos = fields.optional_bool("ignore_eos").value_or(false);
    return out;
}

int read_choices(Fields& fields) {
    return static_cast<int>(fields.optional_integer("n", {1, limits::kChoices}).value_or(1));
}

StreamFields read_stream(Fields& fields) {
    StreamFields out;
    out.stream = fields.optional_bool("stream").value_or(false);
    auto options = fields.optional_object("stream_options");
    if (!options) return out;
    if (!out.stream) {
        throw Error(ErrorCode::kInvalidArgument,
                    "stream_options needs stream: true; set it, or leave stream_options out",
                    "stream_options",
                    "stream_options는 stream이 true일 때만 쓸 수 있습니다. stream을 true로 하거나 "
                    "stream_options를 빼세요.");
    }
    out.include_usage = options->optional_bool("include_usage").value_or(false);
    options->refuse_unknown({"include_obfuscation"});
    return out;
}

bool read_use_cache(Fields& fields, const http::Call& call) {
    const std::string control = call.header("cache-control");
    const bool wanted = fields.optional_bool("use_cache").value_or(true);
    return wanted && !has_word(control, "no-cache") && !has_word(control, "no-store");
}

service::Caller read_caller(const http::Call& call) {
    service::Caller out;
    out.tenant = call.principal;
    out.patience.left = call.left;
    const std::string text = call.header("x-jikji-timeout-ms");
    if (text.empty()) return out;
    int wait = 0;
    const auto end = text.data() + text.size();
    const auto read = std::from_chars(text.data(), end, wait);
    if (read.ec != std::errc() || read.ptr != end || wait < 1 || wait > limits::kTimeoutMs) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("the header x-jikji-timeout-ms is {}; give a number from 1 to {}",
                                http::beginning(text, 40), limits::kTimeoutMs),
                    "x-jikji-timeout-ms",
                    fmt::format("x-jikji-timeout-ms 헤더가 {}입니다. 1에서 {} 사이의 수를 주세요.",
                                http::beginning(text, 40), limits::kTimeoutMs));
    }
    out.patience.deadline = call.start + std::chrono::milliseconds(wait);
    return out;
}

service::Caller read_caller(Fields& fields, const http::Call& call) {
    service::Caller out = read_caller(call);
    const std::string tier = fields.optional_string("service_tier").value_or("auto");
    if (tier == "flex") out.lane = engine::Lane::kBatch;
    return out;
}

std::optional<service::PromptReference> read_prompt(Fields& fields) {
    auto prompt = fields.optional_object("prompt");
    if (!prompt) return std::nullopt;
    service::PromptReference out;
    out.id = prompt->required_string("id");
    refuse(*prompt, "version", {"templates have no versions yet", "아직 버전이 없습니다"});
    if (const auto variables = prompt->optional_object("variables")) {
        for (const auto& member : variables->object()) {
            const std::string path = variables->path_of(member.key());
            out.variables[std::string(member.key())] = prompt_variable(member.value(), path);
        }
    }
    prompt->refuse_unknown();
    return out;
}

TextOrTokens read_text_or_tokens(Fields& fields, std::string_view name, std::size_t items_max) {
    const json::value& value = fields.required(name);
    const std::string path = fields.path_of(name);
    if (value.is_string()) return {{std::string(value.get_string())}, {}};
    if (!value.is_array())
        http::wrong_value(path, value, "a string, a list of strings or token ids",
                          "문자열, 문자열 목록 또는 토큰 번호 목록");
    const json::array& list = value.get_array();
    if (list.empty()) empty_list(path);
    if (list.front().is_number()) return {{}, {read_tokens(list, path)}};
    return read_list(fields.required_array(name, items_max), path);
}

std::map<std::string, std::string> read_metadata(Fields& fields) {
    std::map<std::string, std::string> out;
    const auto metadata = fields.optional_object("metadata");
    if (!metadata) return out;
    check_pairs(metadata->object(), metadata->path());
    for (const auto& member : metadata->object()) {
        const std::string path = metadata->path_of(member.key());
        std::string text = http::string_at(member.value(), path);
        check_bytes(path, text, kValueBytes);
        out.emplace(member.key(), std::move(text));
    }
    return out;
}

std::map<std::string, service::Attribute> read_attributes(Fields& fields) {
    std::map<std::string, service::Attribute> out;
    const auto attributes = fields.optional_object("attributes");
    if (!attributes) return out;
    check_pairs(attributes->object(), attributes->path());
    for (const auto& member : attributes->object()) {
        const json::value& value = member.value();
        const std::string path = attributes->path_of(member.key());
        service::Attribute attribute;
        if (value.is_bool()) {
            attribute = value.get_bool();
        } else if (value.is_number()) {
            attribute = http::number_at(value, path);
        } else if (value.is_string()) {
            check_bytes(path, value.get_string(), kValueBytes);
            attribute = std::string(value.get_string());
        } else {
            http::wrong_value(path, value, "a string, a number, true or false",
                              "문자열, 수, true 또는 false");
        }
        out.emplace(member.key(), std::move(attribute));
    }
    return out;
}

service::Chunking read_chunking(Fields& fields) {
    auto strategy = fields.optional_object("chunking_strategy");
    if (!strategy) return {};
    const std::string type = strategy->required_string("type");
    if (type != "auto" && type != "static")
        http::wrong_value(strategy->path_of("type"), strategy->required("type"), "auto or static",
                          "auto 또는 static");
    service::Chunking out;
    if (type == "static") {
        Fields sizes = strategy->required_object("static");
        out.tokens_max =
            static_cast<int>(sizes.required_integer("max_chunk_size_tokens", {100, 4096}));
        out.overlap = static_cast<int>(
            sizes.required_integer("chunk_overlap_tokens", {0, out.tokens_max / 2}));
        sizes.refuse_unknown();
    }
    strategy->refuse_unknown();
    return out;
}

service::Page read_page(const http::Call& call, int limit_default, int limit_max) {
    service::Page page;
    page.limit = read_limit(call, limit_default, limit_max);
    page.after = call.query.find("after").value_or("");
    const std::string order = call.query.find("order").value_or("desc");
    if (order != "asc" && order != "desc")
        http::wrong_value("order", json::value(order), "asc or desc", "asc 또는 desc");
    page.ascending = order == "asc";
    if (call.query.find("before"))
        throw_unsupported("before", {"page with after", "after로 넘기세요"});
    return page;
}

}  // namespace jikji::api
