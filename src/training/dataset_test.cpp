#include "training/dataset.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <optional>
#include <string>

#include "base/error.hpp"
#include "support/temp_folder.hpp"

namespace jikji::training {
namespace {

using std::string;

Records read(const string& bytes, const string& name = "data.jsonl") {
    const tests::TempFolder folder;
    std::ofstream(folder / "file", std::ios::binary) << bytes;
    return read_records(folder / "file", name);
}

/// The error, as people read it in English and Korean.
struct Refusal {
    string english, korean;
};
Refusal refusal(const string& bytes, const string& name = "data.jsonl") {
    try {
        read(bytes, name);
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == "training_file");
        return {error.what(), error.korean()};
    }
    FAIL("read without an error");
    return {};
}

bool has(const string& text, const string& part) { return text.find(part) != string::npos; }

const string kAlpaca = R"({"instruction": "Add", "input": "1 2", "output": "3"})";
const string kChat =
    R"({"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yes"}]})";

TEST_SUITE_BEGIN("dataset");

TEST_CASE("row 14: alpaca lines, Korean kept as it is") {
    const Records records =
        read(kAlpaca + "\n" + R"({"instruction":"수도는?","output":"서울입니다. ㅎㅎ\n👍"})");
    CHECK(records.report.format == DataFormat::kAlpaca);
    REQUIRE(records.items.size() == 2);
    CHECK(records.report.records == 2);
    const Record& first = records.items[0];
    CHECK(first.instruction == "Add");
    CHECK(first.input == "1 2");
    CHECK(first.output == "3");
    REQUIRE(first.turns.size() == 2);
    CHECK(first.turns[0].content == "Add\n\n1 2");
    CHECK(!first.turns[0].learnt);
    CHECK(first.turns[1].learnt);
    CHECK(records.items[1].line == 2);
    CHECK(records.items[1].turns[0].content == "수도는?");
    CHECK(records.items[1].turns[1].content == "서울입니다. ㅎㅎ\n👍");
}

TEST_CASE("seed tasks: each instance is a record of that line") {
    const Records records =
        read(R"({"id": "a", "instruction": "Double", "instances": [{"input": "1", "output": "2"},)"
             R"( {"input": "", "output": "zero"}], "is_classification": false})");
    REQUIRE(records.items.size() == 2);
    CHECK(records.items[0].turns[0].content == "Double\n\n1");
    CHECK(records.items[1].turns[0].content == "Double");
    CHECK(records.items[1].output == "zero");
    CHECK(records.items[1].line == 1);
}

TEST_CASE("chat lines: roles, weights, parts; developer is system") {
    const Records records = read(R"({"messages": [{"role": "developer", "content": "short"}, )"
                                 R"({"role": "user", "content": [{"type": "text", "text": "a"}, )"
                                 R"({"type": "text", "text": "b"}]}, )"
                                 R"({"role": "assistant", "content": "c", "weight": 0}, )"
                                 R"({"role": "user", "content": "d"}, )"
                                 R"({"role": "assistant", "content": "e", "weight": 1}, )"
                                 R"({"role": "user", "content": "bye"}]})");
    CHECK(records.report.format == DataFormat::kChat);
    REQUIRE(records.items.size() == 1);
    const auto& turns = records.items[0].turns;
    REQUIRE(turns.size() == 5);
    CHECK(turns[0].role == "system");
    CHECK(turns[1].content == "ab");
    CHECK(!turns[2].learnt);
    CHECK(turns[4].learnt);
    REQUIRE(records.report.notes.size() == 1);
    CHECK(records.report.notes[0] == "line 1: turns after the last answer are not used");
}

TEST_CASE("text lines and plain files") {
    const Records lines = read("{\"text\": \"하나\"}\n\n{\"text\": \"two\"}\n");
    CHECK(lines.report.format == DataFormat::kText);
    REQUIRE(lines.items.size() == 2);
    CHECK(lines.items[1].line == 3);
    CHECK(lines.items[0].text == "하나");

    const Records plain = read("# 제목\r\nfirst\r\n \r\n\r\nsecond", "notes.md");
    CHECK(plain.report.format == DataFormat::kPlain);
    REQUIRE(plain.items.size() == 2);
    CHECK(plain.items[0].text == "# 제목\nfirst");
    CHECK(plain.items[1].text == "second");
    CHECK(plain.items[1].line == 5);
}

TEST_CASE("row 14: a byte order mark, CRLF and blank lines are accepted") {
    const Records records = read("\xEF\xBB\xBF" + kAlpaca + "\r\n\r\n" +
                                 R"({"instruction":"x","output":"y\r\nz"})" + "\r\n");
    REQUIRE(records.items.size() == 2);
    CHECK(records.items[1].line == 3);
    CHECK(records.items[1].output == "y\r\nz");
}

TEST_CASE("row 14: duplicates and empty answers are counted and named, not learnt") {
    const Records records =
        read(kAlpaca + "\n" + kAlpaca + "\n" + R"({"instruction": "a", "output": " \n"})" + "\n" +
             R"({"instruction": "", "output": "b"})");
    CHECK(records.report.records == 1);
    CHECK(records.report.duplicates == 1);
    CHECK(records.report.empty == 2);
    CHECK(records.report.notes == std::vector<string>{"line 2: the same as line 1",
                                                      "line 3: the answer is empty",
                                                      "line 4: the question is empty"});
    CHECK(records.report.notes_korean.at(1) == "3번째 줄: 답이 비어 있습니다");
}

TEST_CASE("notes end at ten, counts do not") {
    string bytes = kAlpaca;
    for (int i = 0; i < 30; ++i) bytes += "\n" + kAlpaca;
    const Records records = read(bytes);
    CHECK(records.report.duplicates == 30);
    CHECK(records.report.notes.size() == 10);
}

TEST_CASE("row 14: broken JSON at line 7 is named with its column") {
    string bytes;
    for (int i = 1; i < 7; ++i) {
        bytes += R"({"instruction": "질문 )" + std::to_string(i) +
                 R"(", "output": "b"})"
                 "\n";
    }
    const Refusal broken = refusal(bytes + R"({"instruction": "한글", "output": b})");
    CHECK(has(broken.english, "data.jsonl line 7: the JSON is broken at column 33"));
    CHECK(has(broken.korean, "data.jsonl 7번째 줄: JSON이 33번째 글자에서"));
    CHECK(has(refusal(kAlpaca + " x").english, "line 1: the JSON is broken at column"));
    CHECK(has(refusal("{\"instruction\":\n\"a\"}").english, "line 1: the JSON is broken"));
}

TEST_CASE("row 14: a line of 10 MB is refused with the limit") {
    const string line = R"({"text": ")" + string(10'000'000, 'a') + R"("})";
    const Refusal long_line = refusal("{\"text\": \"a\"}\n" + line);
    CHECK(long_line.english ==
          "data.jsonl line 2: it has 10000012 bytes; at most 4 MiB can be read");
    CHECK(has(long_line.korean, "4 MiB까지"));
    CHECK(has(refusal(string(5'000'000, 'a'), "a.txt").english, "at most 4 MiB"));
}

struct BadLine {
    const char* line;
    const char* english;
    const char* korean;
};

// Each stands in line 2, behind a good one of its shape.
const BadLine kBadAlpaca[] = {
    {R"({"instruction": "a"})", "line 2: output is missing; give a text", "output 항목이 없습니다"},
    {R"({"instruction": 5, "output": "b"})", "instruction is a number; give a text", "instruction"},
    {R"({"instruction": "a", "output": null})", "output is null; give a text", "output"},
    {R"({"instruction": "a", "input": [], "output": "b"})", "input is a list", "input"},
    {R"({"instruction": "a", "instances": []})", "instances has to be", "instances"},
    {R"({"instruction": "a", "instances": [{"input": ""}]})", "instances[0].output is missing",
     "instances[0].output"},
    {R"({"instruction": "a", "instances": ["b"]})", "instances[0] is a text; give an object",
     "instances[0]"},
    {R"(["a"])", "line 2: it is a list; give one object a line", "객체가 아닙니다"},
    {R"({"prompt": "a", "completion": "b"})", "no shape of training data has these fields",
     "알 수 없는 형태"},
};

TEST_CASE("alpaca: file, line and field are named") {
    for (const BadLine& bad : kBadAlpaca) {
        CAPTURE(string(bad.line));
        const Refusal found = refusal(kAlpaca + "\n" + bad.line);
        CHECK_MESSAGE(has(found.english, "data.jsonl line 2: "), found.english);
        CHECK_MESSAGE(has(found.english, bad.english), found.english);
        CHECK_MESSAGE(has(found.korean, bad.korean), found.korean);
    }
}

const BadLine kBadChat[] = {
    {R"({"messages": 3})", "messages is a number; give a list", "messages"},
    {R"({"messages": []})", "messages has 0 turns; give 1 to", "messages가 0개"},
    {R"({"messages": ["x"]})", "messages[0] is a text; give an object", "messages[0]"},
    {R"({"messages": [{"role": "asistant", "content": "a"}]})",
     "messages[0].role is 'asistant', did you mean assistant?", "assistant를 뜻하셨나요?"},
    {R"({"messages": [{"content": "a"}]})", "messages[0].role is missing", "messages[0].role"},
    {R"({"messages": [{"role": "assistant"}]})", "messages[0].content is missing",
     "messages[0].content"},
    {R"({"messages": [{"role": "assistant", "content": {"a": 1}}]})",
     "messages[0].content is an object", "messages[0].content"},
    {R"({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]})",
     "messages[0].content[0].type is 'image_url'; only parts of type text", "image_url"},
    {R"({"messages": [{"role": "user", "content": "a"}]})", "no turn of the assistant",
     "assistant 차례가 없어서"},
    {R"({"messages": [{"role": "assistant", "content": "a", "weight": 0.5}]})",
     "messages[0].weight is 5E-1; give 0 or 1", "weight 값이"},
    {R"({"messages": [{"role": "assistant", "content": "a", "weight": "1"}]})",
     "messages[0].weight is a text; give 0 or 1", "weight"},
    {R"({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "x"}]}]})",
     "messages[0].tool_calls is there, but tool calls cannot be learnt", "도구 호출"},
    {R"({"messages": [{"role": "tool", "content": "a"}]})", "messages[0].role 'tool'", "도구 호출"},
};

TEST_CASE("chat: file, line and field are named") {
    for (const BadLine& bad : kBadChat) {
        CAPTURE(string(bad.line));
        const Refusal found = refusal(kChat + "\n" + bad.line);
        CHECK_MESSAGE(has(found.english, "data.jsonl line 2: "), found.english);
        CHECK_MESSAGE(has(found.english, bad.english), found.english);
        CHECK_MESSAGE(has(found.korean, bad.korean), found.korean);
    }
}

TEST_CASE("tools beside messages are not used, and this is said") {
    const Records records = read(R"({"tools": [{"type": "function"}], )" + kChat.substr(1) + "\n");
    REQUIRE(records.report.notes.size() == 1);
    CHECK(records.report.notes[0] == "line 1: tools is not used; only messages are");
}

TEST_CASE("mixed shapes are refused with both lines") {
    CHECK(refusal("\n" + kChat + "\n" + kAlpaca).english ==
          "data.jsonl line 3: it is alpaca, but line 2 is chat; give one file one shape");
}

TEST_CASE("files with nothing to learn") {
    CHECK(has(refusal("").english, "data.jsonl: it is empty"));
    CHECK(has(refusal("\xEF\xBB\xBF\r\n \n").english, "data.jsonl: it is empty"));
    CHECK(has(refusal(" \n\n", "a.txt").english, "a.txt: it is empty"));
    const Refusal blank = refusal(R"({"instruction": "a", "output": ""})");
    CHECK(has(blank.english, "nothing to learn in it: 1 empty; line 1: the answer is empty"));
    CHECK(has(blank.korean, "1번째 줄: 답이 비어 있습니다"));
}

TEST_CASE("bytes that are not UTF-8 are refused with their line, and the charset if it is known") {
    // "안녕하세요 반갑습니다" in CP949.
    const string korean =
        "\xBE\xC8\xB3\xE7\xC7\xCF\xBC\xBC\xBF\xE4 \xB9\xDD\xB0\xA9\xBD\xC0\xB4\xCF\xB4\xD9";
    const Refusal found = refusal("{\"text\": \"a\"}\n{\"text\": \"" + korean + "\"}\n");
    CHECK(has(found.english, "data.jsonl line 2: it is not UTF-8"));
    CHECK(has(found.english, "save the file as UTF-8"));
    CHECK(has(found.korean, "UTF-8로 저장"));
    CHECK(has(refusal(string("\xFF\xFE{\0\"\0", 6)).english, "line 1: it is not UTF-8"));
}

TEST_CASE("one list of JSON, and tables, are refused with what to do") {
    CHECK(has(refusal("[\n" + kAlpaca + "]", "alpaca.json").english, "jq -c '.[]' alpaca.json"));
    CHECK(has(refusal("a,b\n1,2\n", "a.csv").english, "tables cannot be read"));
}

TEST_CASE("the shape does not depend on a name that says nothing") {
    CHECK(read(kAlpaca, "upload").report.format == DataFormat::kAlpaca);
    CHECK(read("just words", "upload").report.format == DataFormat::kPlain);
    CHECK(read("[a link](b)", "a.md").report.format == DataFormat::kPlain);
    CHECK(has(refusal("just words", "a.jsonl").english, "the JSON is broken at column 1"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::training
