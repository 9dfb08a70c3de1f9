#include <doctest/doctest.h>

#include <fstream>

#include "cli/command_line.hpp"
#include "cli/ingest_plan.hpp"
#include "cli/say.hpp"
#include "cli/stream_text.hpp"
#include "cli/unknown_word.hpp"
#include "cli/wire.hpp"
#include "support/temp_folder.hpp"

namespace jikji::cli {

TEST_SUITE_BEGIN("cli");

TEST_CASE("a stream is stripped at both ends, whatever its pieces") {
    const std::string whole = " \n안녕\n\n하세요 x \n";
    for (std::size_t size = 1; size <= whole.size(); ++size) {
        StripStream strip;
        std::string out;
        for (std::size_t at = 0; at < whole.size(); at += size) {
            out += strip.add(whole.substr(at, size));
        }
        CHECK(out == "안녕\n\n하세요 x");
    }
}

TEST_CASE("nothing that comes from outside can paint a terminal") {
    CHECK(for_terminal("a\x1b[31mb\tc\n") == "a\uFFFD[31mb\tc\n");
    CHECK(for_terminal("x\xC2\x9By") == "x\uFFFDy");  // CSI in one character
    CHECK(for_terminal("한글 © é") == "한글 © é");
}

TEST_CASE("paths and objects on the wire") {
    CHECK(percent_encoded("a b/선") == "a%20b%2F%EC%84%A0");
    CHECK(percent_encoded("A-z_0.~") == "A-z_0.~");
    CHECK(pretty(json::parse(R"({"a":[1,"x"],"b":{},"c":0.7})")) ==
          "{\n  \"a\": [\n    1,\n    \"x\"\n  ],\n  \"b\": {},\n  \"c\": 0.7\n}\n");
    GenerationFlags flags;
    flags.prompt = "teacher";
    flags.variables = {"tone=a=b"};
    flags.use_cache = false;
    json::object body;
    put_generation(body, {{"top_k", 40}, {"openai_routes", true}}, flags);
    CHECK(json::serialize(body) ==
          R"({"model":"","prompt":{"id":"teacher","variables":{"tone":"a=b"}},)"
          R"("use_cache":false,"top_k":40})");
    flags.variables = {"tone"};
    CHECK_THROWS_AS(put_flags(body, flags), Error);
}

TEST_CASE("ingest takes what can be read, once, and says what it cannot take") {
    const tests::TempFolder folder;
    std::filesystem::create_directories(folder / "deep/.hidden");
    std::filesystem::create_directories(folder / "empty");
    for (const char* name :
         {"b.md", "a.TXT", "deep/c.pdf", "deep/d.exe", "deep/.hidden/e.md", ".f.md"}) {
        std::ofstream(folder / name) << "x";
    }
    const IngestPlan plan = plan_ingest({folder.path(), folder / "b.md", folder / "deep/d.exe",
                                         folder / "none.md", folder / "empty"},
                                        Language::kEnglish);
    std::vector<std::string> names;
    for (const auto& file : plan.files) names.push_back(file.filename().string());
    // d.exe was named: the server says why it does not take it.
    CHECK((names == std::vector<std::string>{"a.TXT", "b.md", "c.pdf", "d.exe"}));
    REQUIRE(plan.problems.size() == 2);
    CHECK(plan.problems[0].text == "no such file or folder");
    CHECK(plan.problems[1].text.find("no file that can be read") != std::string::npos);
}

TEST_CASE("a word that means nothing, in both languages") {
    const std::vector<std::string> options = {"--data", "--model"};
    CHECK(unknown_word_text(Language::kEnglish, "--modle=x", options) ==
          "there is no option '--modle'; did you mean '--model'?");
    CHECK(unknown_word_text(Language::kKorean, "--modle", options) ==
          "없는 옵션입니다: '--modle'. '--model'을(를) 찾으셨나요?");
    CHECK(unknown_word_text(Language::kEnglish, "elephant", {"chat"}) ==
          "there is no command 'elephant'");
    CHECK(unknown_word_text(Language::kEnglish, "b", {}).starts_with("'b' is too much"));
}

TEST_CASE("a command line that is not understood is a usage error") {
    const std::vector<std::vector<const char*>> lines = {
        {"jikji"},
        {"jikji", "sevre"},
        {"jikji", "ask"},
        {"jikji", "ask", "--colection", "x", "question"},
        {"jikji", "ask", "two", "words"},
        {"jikji", "serve", "--port", "70000"},
        {"jikji", "serve", "--port", "x"},
        {"jikji", "prompts"},
        {"jikji", "prompts", "shwo"},
        {"jikji", "help", "chta"},
    };
    for (const auto& line : lines) {
        CAPTURE(line.back());
        CHECK(run(static_cast<int>(line.size()), line.data()) == kUsage);
    }
    const char* version[] = {"jikji", "version"};
    CHECK(run(2, version) == kDone);
}

TEST_SUITE_END();

}  // namespace jikji::cli
