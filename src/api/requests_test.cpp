// Bodies and queries of every route but chat.
#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "api/answer_objects.hpp"
#include "api/completion_request.hpp"
#include "api/embedding_objects.hpp"
#include "api/fields.hpp"
#include "api/prompt_objects.hpp"
#include "api/settings_objects.hpp"
#include "api/vector_store_objects.hpp"
#include "base/error.hpp"

namespace jikji::api {
namespace {

http::Call call_of(std::string body) {
    http::Call call;
    call.body = std::move(body);
    return call;
}

using Parse = std::function<void(const http::Call&)>;
const Parse kCompletion = [](const http::Call& call) { parse_completion(call); };
const Parse kEmbeddings = [](const http::Call& call) { parse_embeddings(call); };
const Parse kStore = [](const http::Call& call) { parse_new_store(call); };
const Parse kAttach = [](const http::Call& call) { parse_attachment(call); };
const Parse kSearch = [](const http::Call& call) { parse_search(call); };
const Parse kAnswer = [](const http::Call& call) { parse_answer(call); };
const Parse kPrompt = [](const http::Call& call) { parse_prompt(call); };
const Parse kSettings = [](const http::Call& call) { parse_settings_change(call); };

struct BadCase {
    const Parse& parse;
    std::string body;
    std::string field;
    ErrorCode code = ErrorCode::kInvalidArgument;
};

constexpr ErrorCode kUnsupported = ErrorCode::kUnsupported;
const std::string kManyTexts = [] {
    std::string list = "\"x\"";
    for (int i = 0; i < 2048; ++i) list += ",\"x\"";
    return R"({"model":"m","input":[)" + list + "]}";
}();

const BadCase kBad[] = {
    {kCompletion, R"({"model":7,"prompt":"a"})", "model"},
    {kCompletion, R"({"model":"m"})", "prompt"},
    {kCompletion, R"({"model":"m","prompt":7})", "prompt"},
    {kCompletion, R"({"model":"m","prompt":[]})", "prompt"},
    {kCompletion, R"({"model":"m","prompt":[[]]})", "prompt[0]"},
    {kCompletion, R"({"model":"m","prompt":["a",7]})", "prompt[1]"},
    {kCompletion, R"({"model":"m","prompt":[1,"a"]})", "prompt[1]"},
    {kCompletion, R"({"model":"m","prompt":[1,-2]})", "prompt[1]"},
    {kCompletion, R"({"model":"m","prompt":[[1],[2147483648]]})", "prompt[1][0]"},
    {kCompletion, R"({"model":"m","prompt":[{}]})", "prompt[0]"},
    {kCompletion, R"({"model":"m","prompt":"a","best_of":2})", "best_of", kUnsupported},
    {kCompletion, R"({"model":"m","prompt":"a","suffix":"b"})", "suffix", kUnsupported},
    {kCompletion, R"({"model":"m","prompt":"a","logprobs":6})", "logprobs"},
    {kCompletion, R"({"model":"m","prompt":"a","logprobs":true})", "logprobs"},
    {kCompletion, R"({"model":"m","prompt":"a","echo":true,"logprobs":1})", "echo", kUnsupported},
    {kCompletion, R"({"model":"m","prompt":"a","messages":[]})", "messages", kUnsupported},
    {kEmbeddings, R"({"model":[],"input":"a"})", "model"},
    {kEmbeddings, R"({"model":"m"})", "input"},
    {kEmbeddings, R"({"model":"m","input":""})", "input"},
    {kEmbeddings, R"({"model":"m","input":[]})", "input"},
    {kEmbeddings, R"({"model":"m","input":["a",""]})", "input[1]"},
    {kEmbeddings, R"({"model":"m","input":[1.5]})", "input[0]"},
    {kEmbeddings, R"({"model":"m","input":[true]})", "input[0]"},
    {kEmbeddings, R"({"model":"m","input":[[1],"a"]})", "input[1]"},
    {kEmbeddings, R"({"model":"m","input":"a","encoding_format":"hex"})", "encoding_format"},
    {kEmbeddings, R"({"model":"m","input":"a","dimensions":0})", "dimensions"},
    {kEmbeddings, R"({"model":"m","input":"a","input_type":"document"})", "input_type"},
    {kEmbeddings, R"({"model":"m","input":"a","inputs":"b"})", "inputs", kUnsupported},
    {kEmbeddings, kManyTexts, "input"},
    {kStore, R"({"name":7})", "name"},
    {kStore, R"({"file_ids":"file-1"})", "file_ids"},
    {kStore, R"({"metadata":{"a":true}})", "metadata.a"},
    {kStore, R"({"expires_after":{"anchor":"last_active_at","days":1}})", "expires_after",
     kUnsupported},
    {kStore, R"({"chunking_strategy":{"type":"odd"}})", "chunking_strategy.type"},
    {kAttach, R"({})", "file_id"},
    {kAttach, R"({"file_id":"f","attributes":{"a":[]}})", "attributes.a"},
    {kAttach, R"({"file_id":"f","chunking_strategy":{"type":"static"}})",
     "chunking_strategy.static"},
    {kAttach,
     R"({"file_id":"f","chunking_strategy":{"type":"static","static":{"max_chunk_size_tokens":99,
         "chunk_overlap_tokens":0}}})",
     "chunking_strategy.static.max_chunk_size_tokens"},
    {kAttach,
     R"({"file_id":"f","chunking_strategy":{"type":"static","static":{"max_chunk_size_tokens":100,
         "chunk_overlap_tokens":51}}})",
     "chunking_strategy.static.chunk_overlap_tokens"},
    {kSearch, R"({})", "query"},
    {kSearch, R"({"query":""})", "query"},
    {kSearch, R"({"query":[]})", "query"},
    {kSearch, R"({"query":[7]})", "query[0]"},
    {kSearch, R"({"query":"a","max_num_results":51})", "max_num_results"},
    {kSearch, R"({"query":"a","rewrite_query":true})", "rewrite_query", kUnsupported},
    {kSearch, R"({"query":"a","filters":{"type":"eq"}})", "filters", kUnsupported},
    {kSearch, R"({"query":"a","ranking_options":{"score_threshold":2}})",
     "ranking_options.score_threshold"},
    {kSearch, R"({"query":"a","ranking_options":{"ranker":"mine"}})", "ranking_options.ranker"},
    {kAnswer, R"({})", "question"},
    {kAnswer, R"({"question":"a","vector_store":"x","vector_store_id":"vs_1"})", "vector_store"},
    {kAnswer, R"({"question":"a","passages":0})", "passages"},
    {kAnswer, R"({"question":"a","top":1})", "top", kUnsupported},
    {kPrompt, R"({})", "name"},
    {kPrompt, R"({"name":"a","examples":[{"user":"b"}]})", "examples[0].assistant"},
    {kPrompt, R"({"name":"a","examples":["b"]})", "examples[0]"},
    {kPrompt, R"({"name":"a","is_active":"yes"})", "is_active"},
    {kPrompt, R"({"name":"a","id":"prompt_1"})", "id", kUnsupported},
    {kSettings, R"({"top_k":1.5})", "top_k"},
    {kSettings, R"({"temperature":"hot"})", "temperature"},
    {kSettings, R"({"stop":"a"})", "stop"},
    {kSettings, R"({"min_p":0.1})", "min_p", kUnsupported},
};

http::Call query_of(std::string name, std::string value) {
    http::Call call;
    call.query.add(std::move(name), std::move(value));
    return call;
}

}  // namespace

TEST_SUITE_BEGIN("requests");

TEST_CASE("a wrong body is refused with the field's name") {
    for (const BadCase& c : kBad) {
        CAPTURE(c.body.substr(0, 200));
        try {
            c.parse(call_of(c.body));
            FAIL_CHECK("it was accepted");
        } catch (const Error& error) {
            CHECK(error.field() == c.field);
            CHECK(error.code() == c.code);
            CHECK(error.korean() != error.what());
        }
    }
}

TEST_CASE("prompts times choices stay within the queue") {
    std::string list = "\"x\"";
    for (int i = 0; i < 16; ++i) list += ",\"x\"";
    const std::string body = R"({"model":"m","prompt":[)" + list + R"(],"n":)";
    CHECK_NOTHROW(parse_completion(call_of(body + "15}")));
    CHECK_THROWS_AS(parse_completion(call_of(body + "16}")), Error);
}

TEST_CASE("text or tokens, one or many") {
    const auto one = parse_completion(call_of(R"({"model":"m","prompt":"a"})")).request;
    CHECK(one.prompts == std::vector<std::string>{"a"});
    const auto many = parse_completion(call_of(R"({"model":"m","prompt":["a",""]})")).request;
    CHECK(many.prompts == std::vector<std::string>{"a", ""});
    const auto tokens = parse_completion(call_of(R"({"model":"m","prompt":[1,2]})")).request;
    CHECK(tokens.tokens == std::vector<std::vector<engine::Token>>{{1, 2}});
    const auto lists = parse_completion(call_of(R"({"model":"m","prompt":[[1],[2,3]]})")).request;
    CHECK(lists.tokens == std::vector<std::vector<engine::Token>>{{1}, {2, 3}});
    CHECK(lists.prompts.empty());
}

TEST_CASE("embeddings: format, side and size") {
    const auto plain = parse_embeddings(call_of(R"({"model":"m","input":"a"})"));
    CHECK_FALSE(plain.base64);
    CHECK(plain.request.side == engine::Side::kNone);
    const auto asked = parse_embeddings(call_of(
        R"({"model":"m","input":["a"],"encoding_format":"base64","input_type":"query",
            "dimensions":384,"user":"u"})"));
    CHECK(asked.base64);
    CHECK(asked.request.side == engine::Side::kQuery);
    CHECK(asked.request.dimensions == 384);
}

TEST_CASE("stores, attachments and searches") {
    const NewStore store = parse_new_store(call_of(
        R"({"name":"문서","metadata":{"a":"b"},"file_ids":["file-1"],
            "chunking_strategy":{"type":"auto"}})"));
    CHECK(store.name == "문서");
    CHECK(store.metadata.at("a") == "b");
    CHECK(store.file_ids == std::vector<std::string>{"file-1"});
    const Attachment file = parse_attachment(call_of(
        R"({"file_id":"f","attributes":{"a":"x","b":2,"c":true},"chunking_strategy":{"type":
            "static","static":{"max_chunk_size_tokens":200,"chunk_overlap_tokens":100}}})"));
    CHECK(std::get<std::string>(file.attributes.at("a")) == "x");
    CHECK(std::get<double>(file.attributes.at("b")) == 2);
    CHECK(std::get<bool>(file.attributes.at("c")));
    CHECK(file.chunking.tokens_max == 200);
    CHECK(file.chunking.overlap == 100);
    const auto search = parse_search(call_of(
        R"({"query":["a","b"],"max_num_results":5,"ranking_options":{"score_threshold":0.5,
            "ranker":"auto"},"rewrite_query":false})"));
    CHECK(search.queries.size() == 2);
    CHECK(search.results_max == 5);
    CHECK(search.score_min == 0.5);
}

TEST_CASE("an answer asks the collection of S7 unless told otherwise") {
    const AnswerCall plain = parse_answer(call_of(R"({"question":"a"})"));
    CHECK(plain.store_name == "documents");
    CHECK_FALSE(plain.store_named);
    CHECK(plain.request.passages == 3);
    const AnswerCall named = parse_answer(call_of(R"({"question":"a","vector_store":"b"})"));
    CHECK(named.store_name == "b");
    CHECK(named.store_named);
}

TEST_CASE("pages") {
    const service::Page plain = read_page(http::Call{}, 20, 100);
    CHECK(plain.limit == 20);
    CHECK_FALSE(plain.ascending);
    CHECK(read_page(query_of("order", "asc"), 20, 100).ascending);
    CHECK(read_page(query_of("after", "file-1"), 20, 100).after == "file-1");
    const std::pair<const char*, const char*> bad[] = {
        {"limit", "0"}, {"limit", "101"}, {"limit", "5x"},
        {"limit", ""},  {"order", "up"},  {"before", "file-1"},
    };
    for (const auto& [name, value] : bad) {
        CAPTURE(std::string(name) + "=" + value);
        try {
            read_page(query_of(name, value), 20, 100);
            FAIL_CHECK("it was accepted");
        } catch (const Error& error) {
            CHECK(error.field() == name);
        }
    }
}

TEST_SUITE_END();

}  // namespace jikji::api
