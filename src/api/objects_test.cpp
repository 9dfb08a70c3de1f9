// What the routes say: required keys, order of chunks, numbers and bytes.
#include "api/objects.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "api/answer_objects.hpp"
#include "api/chat_objects.hpp"
#include "api/completion_objects.hpp"
#include "api/embedding_objects.hpp"
#include "api/prompt_objects.hpp"
#include "api/settings_objects.hpp"
#include "api/vector_store_objects.hpp"

namespace jikji::api {
namespace {

const ChatHead kHead{"chatcmpl-1", 7, "m", "fp"};
const engine::Usage kUsage{.prompt_tokens = 5, .cached_tokens = 2, .completion_tokens = 3};

engine::TokenLogprob token(std::string bytes, float logprob) {
    engine::TokenLogprob out;
    out.bytes = std::move(bytes);
    out.logprob = logprob;
    return out;
}

json::value parsed(const std::string& text) { return json::parse(text); }

}  // namespace

TEST_SUITE_BEGIN("objects");

TEST_CASE("a chat completion has every required key") {
    ChatChoice choice;
    choice.answer.content = "안녕";
    choice.finish = engine::Finish::kLength;
    const json::value got = chat_completion_json(kHead, {choice}, false, kUsage);
    CHECK(got == json::parse(R"({"id":"chatcmpl-1","object":"chat.completion","created":7,
        "model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"안녕",
        "refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":{"prompt_tokens":5,
        "completion_tokens":3,"total_tokens":8,"prompt_tokens_details":{"cached_tokens":2},
        "completion_tokens_details":{"reasoning_tokens":0}},"system_fingerprint":"fp"})"));
}

TEST_CASE("reasoning tokens are said as they were counted, and left out where nobody knows") {
    const auto details = [](std::optional<int> reasoning) {
        const json::value got = chat_completion_json(kHead, {}, false, {kUsage, reasoning});
        return got.at("usage").at("completion_tokens_details");
    };
    CHECK(details(2) == json::parse(R"({"reasoning_tokens":2})"));
    CHECK(details(std::nullopt) == json::object());
}

TEST_CASE("chunks of a chat: role, text, end, usage") {
    const ChatChunks chunks(kHead, false, true);
    const char* head = R"({"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,
        "model":"m","system_fingerprint":"fp",)";
    const auto want = [&](const std::string& rest) { return json::parse(head + rest + "}"); };
    CHECK(parsed(chunks.opening(1)) == want(R"("choices":[{"index":1,"delta":{"role":"assistant",
        "content":""},"logprobs":null,"finish_reason":null}],"usage":null)"));
    CHECK(parsed(chunks.piece(1, {"a\n", {}, {}}, {})) == want(R"("choices":[{"index":1,"delta":
        {"content":"a\n"},"logprobs":null,"finish_reason":null}],"usage":null)"));
    CHECK(parsed(chunks.ending(1, "stop", {})) == want(R"("choices":[{"index":1,
        "delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null)"));
    const json::value last = parsed(chunks.usage(kUsage));
    CHECK(last.at("choices") == json::array());
    CHECK(last.at("usage").at("total_tokens") == 8);
    const ChatChunks silent(kHead, false, false);
    CHECK_FALSE(parsed(silent.opening(0)).as_object().contains("usage"));
}

TEST_CASE("calls take the place of the content, and end with their own reason") {
    ChatChoice choice;
    choice.answer = {"", "hm", {{"call_1", "f", R"({"a":1})"}, {"call_2", "g", "{}"}}};
    const json::value got = chat_completion_json(kHead, {choice}, false, kUsage);
    CHECK(got.at("choices").at(0) == json::parse(R"({"index":0,"message":{"role":"assistant",
        "content":null,"refusal":null,"reasoning_content":"hm","tool_calls":[
        {"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},
        {"id":"call_2","type":"function","function":{"name":"g","arguments":"{}"}}]},
        "logprobs":null,"finish_reason":"tool_calls"})"));
    choice.answer.content = "Let me see.";
    CHECK(chat_completion_json(kHead, {choice}, false, kUsage)
              .at("choices")
              .at(0)
              .at("message")
              .at("content") == "Let me see.");
}

TEST_CASE("a call that was cut is not one to be run") {
    using engine::Finish;
    const engine::Answer whole{"", "", {{"call_1", "f", R"({"a":1})"}}};
    const engine::Answer cut{"", "", {{"call_1", "f", "{}"}, {"call_2", "f", R"({"a":)"}}};
    CHECK(finish_name(Finish::kStop, whole) == "tool_calls");
    CHECK(finish_name(Finish::kLength, whole) == "length");
    CHECK(finish_name(Finish::kLength, cut) == "length");
    CHECK(finish_name(Finish::kStop, cut) == "stop");
    CHECK(finish_name(Finish::kStop) == "stop");
}

TEST_CASE("chunks of calls: id, type and name once, arguments in pieces, an index each") {
    const ChatChunks chunks(kHead, false, false, /*may_call=*/true);
    const auto delta = [](const std::string& event) {
        return parsed(event).at("choices").at(0).at("delta");
    };
    CHECK(delta(chunks.opening(0)) == json::parse(R"({"role":"assistant","content":null})"));
    CHECK(delta(chunks.piece(0, {"", "hm", {}}, {})) ==
          json::parse(R"({"reasoning_content":"hm"})"));
    CHECK(delta(chunks.piece(0, {"", "", {{0, "call_1", "f", ""}}}, {})) ==
          json::parse(R"({"tool_calls":[{"index":0,"id":"call_1","type":"function",
              "function":{"name":"f","arguments":""}}]})"));
    CHECK(delta(chunks.piece(0, {"", "", {{0, "", "", "{}"}, {1, "call_2", "g", "{"}}}, {})) ==
          json::parse(R"({"tool_calls":[{"index":0,"function":{"arguments":"{}"}},{"index":1,
              "id":"call_2","type":"function","function":{"name":"g","arguments":"{"}}]})"));
}

TEST_CASE("logprobs that came while the text was held back are not lost") {
    const ChatChunks chunks(kHead, true, false);
    const std::vector held = {token("a", -0.5F), token("b", -1)};
    const auto choice = [](const std::string& event) { return parsed(event).at("choices").at(0); };
    CHECK(choice(chunks.piece(0, {"ab", {}, {}}, held))
              .at("logprobs")
              .at("content")
              .as_array()
              .size() == 2);
    CHECK(choice(chunks.ending(0, "stop", held)).at("logprobs").at("content").as_array().size() ==
          2);
    CHECK(choice(chunks.ending(0, "stop", {})).at("logprobs").is_null());
}

TEST_CASE("chat logprobs carry exact bytes beside readable text") {
    engine::TokenLogprob half = token("\xec\x95", -0.5F);
    half.alternatives = {token("a", -0.1F)};
    const json::value got = chat_logprobs_json(std::vector{half});
    CHECK(got == json::parse(R"({"content":[{"token":"\ufffd\ufffd","logprob":-0.5,
        "bytes":[236,149],"top_logprobs":[{"token":"a","logprob":-0.1,"bytes":[97]}]}],
        "refusal":null})"));
}

TEST_CASE("the older logprobs are four parallel lists, and offsets count characters") {
    LegacyLogprobs logprobs;
    engine::TokenLogprob first = token("한", -0.25F);
    first.alternatives = {token("a", -2)};
    logprobs.add(std::vector{first, token("\xea\xb8", -1)});
    CHECK(json::value(logprobs.take()) == json::parse(R"({"tokens":["한","bytes:\\xea\\xb8"],
        "token_logprobs":[-0.25,-1.0],"top_logprobs":[{"a":-2.0,"한":-0.25},
        {"bytes:\\xea\\xb8":-1.0}],"text_offset":[0,1]})"));
    logprobs.add(std::vector{token("\x80", -1), token("b", -1)});
    const json::object rest = logprobs.take();
    CHECK(rest.at("text_offset") == json::parse("[2,2]"));
    CHECK(rest.at("tokens").as_array().size() == 2);
}

TEST_CASE("text completions, whole and in chunks") {
    CompletionObjects objects({"cmpl-1", 7, "m", "fp"}, false, false);
    CompletionChoice choice;
    choice.text = "a";
    const json::value whole = objects.whole({choice, choice}, kUsage);
    CHECK(whole.at("object") == "text_completion");
    CHECK(whole.at("choices").at(1) ==
          json::parse(R"({"text":"a","index":1,"logprobs":null,"finish_reason":"stop"})"));
    LegacyLogprobs none;
    CHECK(parsed(objects.text(2, "b", none)).at("choices").at(0) ==
          json::parse(R"({"text":"b","index":2,"logprobs":null,"finish_reason":null})"));
    CHECK(parsed(objects.ending(2, engine::Finish::kLength)).at("choices").at(0) ==
          json::parse(R"({"text":"","index":2,"logprobs":null,"finish_reason":"length"})"));
    CHECK(parsed(objects.usage(kUsage)).at("choices") == json::array());
}

TEST_CASE("embeddings in both formats") {
    const engine::EmbeddingResult result{.rows = {{0.1F, -1}, {2, 0.5F}}, .tokens = 4};
    CHECK(embeddings_body(result, "m\"", false) ==
          R"({"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.1,-1]},)"
          R"({"object":"embedding","index":1,"embedding":[2,0.5]}],"model":"m\"",)"
          R"("usage":{"prompt_tokens":4,"total_tokens":4}})");
    // 1.0F is 00 00 80 3f, -2.0F is 00 00 00 c0.
    CHECK(base64_of(std::vector{1.0F}) == "AACAPw==");
    CHECK(base64_of(std::vector{1.0F, -2.0F}) == "AACAPwAAAMA=");
    CHECK(base64_of(std::vector{1.0F, -2.0F, 1.0F}) == "AACAPwAAAMAAAIA/");
    const json::value body = parsed(embeddings_body(result, "m", true));
    CHECK(body.at("data").at(1).at("embedding") == "AAAAQAAAAD8=");
}

TEST_CASE("a vector store and its file") {
    service::Collection store{.id = "vs_1", .name = "n", .created_at = 7, .usage_bytes = 9};
    store.last_active_at = 8;
    store.metadata = {{"a", "b"}};
    store.files = {.in_progress = 1, .completed = 2, .total = 3};
    CHECK(json::value(vector_store_json(store)) == json::parse(R"({"id":"vs_1",
        "object":"vector_store","created_at":7,"name":"n","usage_bytes":9,"file_counts":
        {"in_progress":1,"completed":2,"failed":0,"cancelled":0,"total":3},"status":"in_progress",
        "expires_at":null,"last_active_at":8,"metadata":{"a":"b"}})"));
    service::CollectionFile file{.file_id = "file-1", .collection_id = "vs_1", .filename = "a.pdf"};
    file.status = "failed";
    file.error_code = "unsupported_file";
    file.error_message = "no text";
    file.error_korean = "글이 없습니다";
    file.attributes = {{"a", 1.5}, {"b", true}, {"c", std::string("x")}};
    const json::value got = vector_store_file_json(file, Language::kEnglish);
    const json::value korean = vector_store_file_json(file, Language::kKorean);
    CHECK(korean.at_pointer("/last_error/message") == "글이 없습니다");
    CHECK(got.at("id") == "file-1");
    CHECK(got.at("object") == "vector_store.file");
    CHECK(got.at("last_error") ==
          json::parse(R"({"code":"unsupported_file","message":"no text"})"));
    CHECK(got.at("chunking_strategy") == json::parse(R"({"type":"static","static":
        {"max_chunk_size_tokens":800,"chunk_overlap_tokens":400}})"));
    CHECK(got.at("attributes") == json::parse(R"({"a":1.5,"b":true,"c":"x"})"));
    CHECK(got.at("filename") == "a.pdf");
}

TEST_CASE("lists name their first and last item") {
    json::array data;
    CHECK(
        json::value(list_json(data, false)) ==
        json::parse(R"({"object":"list","data":[],"has_more":false,"first_id":"","last_id":""})"));
    data.push_back(json::object{{"id", "a"}});
    data.push_back(json::object{{"id", "b"}});
    const json::object two = list_json(data, true);
    CHECK(two.at("first_id") == "a");
    CHECK(two.at("last_id") == "b");
    CHECK(two.at("has_more") == true);
}

TEST_CASE("an answer says where each citation stands") {
    service::AnswerStart start;
    start.question = "q";
    start.found = true;
    service::AnswerEnd end;
    end.text = "t";
    end.grounded = true;
    end.groundedness = 1;
    knowledge::Citation citation{.index = 1, .file_id = "file-1", .filename = "a.pdf"};
    citation.place = {.page = 3, .heading = "", .begin = 10, .end = 20};
    citation.quote = "인용";
    citation.score = 0.5;
    end.citations = {citation};
    const json::value got = answer_json({"answer_1", 7, "m"}, start, end, kUsage);
    CHECK(got.at("object") == "answer");
    CHECK(got.at("passages") == json::array());
    CHECK(got.at("citations") == json::parse(R"([{"index":1,"file_id":"file-1","filename":"a.pdf",
        "page":3,"heading":null,"quote":"인용","begin":10,"end":20,"score":0.5}])"));
}

TEST_CASE("numbers are written as people write them") {
    const json::value value = json::parse(R"({"a":[0.7,1.0,-2.5,1e300],"b":{},"c":[],"d":[[],{}],
        "e\"":"x\n한","f":[true,null,18446744073709551615,-3]})");
    const std::string text = json_text(value);
    CHECK(text == R"({"a":[0.7,1,-2.5,1e+300],"b":{},"c":[],"d":[[],{}],"e\"":"x\n한",)"
                  R"("f":[true,null,18446744073709551615,-3]})");
    CHECK(json_text(json::array{std::nan("")}) == "[null]");
}

TEST_CASE("floats keep their short form") {
    CHECK(shortest(0.7F) == 0.7);
    CHECK(settings_json({}).at("repeat_penalty") == 1.1);
    CHECK(settings_json({}).at("stop") == json::parse(R"(["</s>","\n\n"])"));
}

TEST_CASE("prompts come back as they were given") {
    http::Call call;
    call.body = R"({"name":"n","system_prompt":"s","user_template":"{user}","is_active":true,
        "examples":[{"user":"u","assistant":"a"}]})";
    CHECK(json::value(prompt_json(parse_prompt(call))) == json::parse(R"({"id":"",
        "object":"prompt","created_at":0,"name":"n","system_prompt":"s","user_template":"{user}",
        "assistant_template":"","is_active":true,"examples":[{"user":"u","assistant":"a"}]})"));
}

TEST_CASE("bytes that are no characters are shown as such") {
    CHECK(readable("a한\xf0\x9f\x98\x80") == "a한\xf0\x9f\x98\x80");
    CHECK(readable("\xed\xa0\x80") == "\ufffd\ufffd\ufffd");  // a surrogate
    CHECK(readable("\xc0\x80") == "\ufffd\ufffd");            // overlong
    CHECK(readable("\xe3\x81") == "\ufffd\ufffd");            // cut
    CHECK(code_points("a한\x80") == 2);
}

TEST_SUITE_END();

}  // namespace jikji::api
