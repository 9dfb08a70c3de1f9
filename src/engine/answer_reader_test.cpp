#include "engine/answer_reader.hpp"

#include <doctest/doctest.h>

#include "base/file.hpp"
#include "engine/chat_rendering.hpp"
#include "llama/log.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

/// The parser of a model that thinks first, between <think> and </think>.
std::shared_ptr<const AnswerParser> thinking() {
    const tests::TempFolder folder;
    llama::capture_log();
    const std::string file = std::string(JIKJI_TEMPLATES) + "/Qwen-Qwen3-0.6B.jinja";
    const std::string own = read_file(file, 1 << 20);
    tests::write_tiny_llama(folder / "m.gguf", 128, {.chat_template = own.c_str()});
    const llama::Model model(folder / "m.gguf", llama::ModelOptions{.gpu_layers = 0});
    ChatInput input;
    input.messages = {{"user", "2 + 2?", {}, {}, {}, {}}};
    auto parser = render_chat(model, input).parser;
    REQUIRE(parser);
    return parser;
}

std::vector<Piece> pieces_of(const std::vector<std::string>& texts) {
    std::vector<Piece> out;
    for (const std::string& text : texts) out.push_back({text, {}, 1});
    return out;
}

const std::vector<std::string> kThought = {"<think>",  "\n",   "Two",  " and", " two", ".\n",
                                           "</think>", "\n\n", "Four", " is",  " it."};

}  // namespace

TEST_SUITE_BEGIN("answer_reader");

TEST_CASE("tokens of reasoning are counted up to its end, streamed or whole") {
    for (const bool streamed : {true, false}) {
        CAPTURE(streamed);
        AnswerReader reader(thinking());
        for (const Piece& piece : pieces_of(kThought)) {
            if (streamed) {
                reader.add(piece);
            } else {
                reader.hold(piece);
            }
        }
        reader.finish();
        CHECK(reader.answer().content.find("Four is it.") != std::string::npos);
        CHECK(reader.answer().reasoning_content.find("Two and two.") != std::string::npos);
        CHECK(reader.reasoning_tokens() == 6);  // <think> to ".\n"
    }
}

TEST_CASE("an answer that was cut while it thought is all reasoning") {
    AnswerReader reader(thinking());
    for (const Piece& piece : pieces_of({"<think>", "\n", "Two", " and"})) reader.add(piece);
    reader.finish();
    CHECK(reader.answer().content.empty());
    CHECK(reader.reasoning_tokens() == 4);
}

TEST_CASE("without reasoning there are none, with a parser or not") {
    for (const auto& parser : {std::shared_ptr<const AnswerParser>(), thinking()}) {
        AnswerReader reader(parser);
        std::string streamed;
        for (const Piece& piece : pieces_of({"Fo", "ur", "."})) {
            streamed += reader.add(piece).content;
        }
        streamed += reader.finish().content;
        CHECK(streamed == "Four.");
        CHECK(reader.reasoning_tokens() == 0);
    }
}

TEST_SUITE_END();
