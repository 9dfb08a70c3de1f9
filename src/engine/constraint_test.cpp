// Random weights know no JSON: what comes out is the grammar's doing alone.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>
#include <regex>

#include "base/error.hpp"
#include "engine/engine.hpp"
#include "engine/generator.hpp"
#include "engine/sequence.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

struct Fixture {
    Fixture() : engine({.context = 512, .parallel = 4, .cells = 2048, .threads = 2}) {
        folder = std::filesystem::temp_directory_path() /
                 ("jikji-constraint-" + std::to_string(std::random_device{}()));
        std::filesystem::create_directories(folder);
        tests::write_tiny_llama(folder / "tiny.gguf", 512);
        engine.add_model({.name = "tiny", .path = folder / "tiny.gguf"});
    }
    ~Fixture() { std::filesystem::remove_all(folder); }

    GenerationRequest request(const std::string& grammar, int max_tokens, float temperature = 0) {
        GenerationRequest made;
        made.model = "tiny";
        made.prompt = engine.tokenize("tiny", "hello", false);
        made.constraint.grammar = grammar;
        made.sampling.temperature = temperature;
        made.sampling.seed = 7;
        made.max_tokens = max_tokens;
        return made;
    }

    std::filesystem::path folder;
    Engine engine;
};

std::string read(Stream& stream) {
    std::string out;
    while (auto piece = stream.next()) out += piece->text;
    return out;
}

const char* const kPerson =
    R"(root ::= "{\"name\": \"" [a-z]{1,12} "\", \"age\": " [1-9] [0-9]? "}")";

}  // namespace

TEST_SUITE_BEGIN("constraint");

TEST_CASE("every text obeys its grammar, greedy or not, alone and side by side") {
    Fixture f;
    const std::regex shape(R"(\{"name": "[a-z]{1,12}", "age": [1-9][0-9]?\})");
    std::vector<Stream> streams;
    for (int i = 0; i < 12; ++i) {
        GenerationRequest request = f.request(kPerson, 100, i % 3 == 0 ? 0.0F : 1.0F);
        request.sampling.seed = static_cast<std::uint32_t>(i);
        if (i % 3 == 2) request.sampling.repeat_penalty = 1.2F;
        request.top_logprobs = i % 2 == 0 ? 2 : -1;
        streams.push_back(f.engine.submit(std::move(request)));
    }
    for (Stream& stream : streams) {
        const std::string text = read(stream);
        CHECK_MESSAGE(std::regex_match(text, shape), text);
        CHECK(stream.finish() == Finish::kStop);
    }
}

TEST_CASE("a text that is cut by max_tokens says so; one that is whole ends at once") {
    Fixture f;
    Stream cut = f.engine.submit(f.request(kPerson, 5));
    CHECK(read(cut) == "{\"nam");
    CHECK(cut.finish() == Finish::kLength);
    Stream whole = f.engine.submit(f.request("root ::= \"yes\"", 50));
    CHECK(read(whole) == "yes");
    CHECK(whole.finish() == Finish::kStop);
    CHECK(whole.usage().completion_tokens == 3);  // not even an end token was waited for
}

TEST_CASE("a grammar without a way on ends the answer cleanly") {
    Fixture f;
    Stream stuck = f.engine.submit(f.request("root ::= \"ab\" []", 50));
    CHECK(read(stuck) == "ab");
    CHECK(stuck.finish() == Finish::kStop);
}

TEST_CASE("what the grammar forces is computed in few steps, and is the same text") {
    Fixture f;
    const auto model =
        std::make_shared<const llama::Model>(f.folder / "tiny.gguf", llama::ModelOptions{});
    const auto steps_for = [&](const std::string& grammar, std::string* text) {
        PrefixCache cache({});
        Generator generator(model, {.context = 512, .cells = 1024, .parallel = 2, .threads = 1},
                            cache);
        GenerationRequest request = f.request(grammar, 200);
        request.top_logprobs = 1;
        auto writer = std::make_shared<StreamWriter>();
        Stream stream(writer);
        generator.add(std::move(request), writer);
        int steps = 0;
        for (; !generator.idle(); ++steps) generator.step();
        *text = read(stream);
        CHECK(stream.usage().completion_tokens == static_cast<int>(text->size()));
        return steps;
    };
    std::string text;
    CHECK(steps_for("root ::= \"" + std::string(40, 'x') + "\"", &text) <= 4);
    CHECK(text == std::string(40, 'x'));
    // A choice between forced stretches: what follows a refused guess is computed anew.
    std::string mixed;
    CHECK(steps_for("root ::= (\"abcdefgh\" [0-9] \"ijklmnop\"){4}", &mixed) < 30);
    const std::regex shape("(abcdefgh[0-9]ijklmnop){4}");
    CHECK(std::regex_match(mixed, shape));
    const std::string digits = [&] {
        std::string out;
        for (const char c : mixed) {
            if (c >= '0' && c <= '9') out += c;
        }
        return out;
    }();
    // The digits are those that a model which reads the text token by token would choose.
    for (std::size_t i = 0; i < digits.size(); ++i) {
        GenerationRequest one = f.request("root ::= [0-9]", 1);
        const std::string before = mixed.substr(0, i * 17 + 8);
        const auto tokens = f.engine.tokenize("tiny", before, false);
        one.prompt.insert(one.prompt.end(), tokens.begin(), tokens.end());
        Stream stream = f.engine.submit(std::move(one));
        CHECK(read(stream) == digits.substr(i, 1));
    }
}

TEST_CASE(
    "what the grammar forces needs no sampling beside a queue, a prompt, or without guesses") {
    Fixture f;
    const auto model =
        std::make_shared<const llama::Model>(f.folder / "tiny.gguf", llama::ModelOptions{});
    PrefixCache cache({});
    Generator generator(model,
                        {.context = 512,
                         .cells = 1024,
                         .parallel = 2,
                         .threads = 1,
                         .gap_seconds = 1e-9,
                         .speculation = false},
                        cache);
    std::vector<Stream> streams;
    const auto submit = [&](GenerationRequest request) {
        auto writer = std::make_shared<StreamWriter>();
        streams.emplace_back(writer);
        generator.add(std::move(request), std::move(writer));
    };
    submit(f.request("root ::= \"" + std::string(60, 'x') + "\"", 200));
    GenerationRequest slow = f.request("", 5);
    slow.prompt.assign(400, 'p');  // 32 in each step: it lasts longer than the first
    submit(std::move(slow));
    submit(f.request("", 5));  // waits
    int steps = 0;
    bool ended = false;
    while (!ended && steps < 100) {
        generator.step();
        ++steps;
        if (steps < 4) CHECK(generator.waiting() == 1);
        while (!ended) {
            const auto ready = std::make_shared<bool>(false);
            streams[0].when_ready([ready] { *ready = true; });
            if (!*ready) break;
            ended = !streams[0].next().has_value();
        }
    }
    CHECK(steps <= 8);
    CHECK(streams[0].usage().completion_tokens == 60);
    for (int i = 0; i < 1000 && !generator.idle(); ++i) generator.step();
    CHECK(generator.counters().held >= 50);
}

TEST_CASE("logprobs are the model's own, whatever the grammar bars") {
    Fixture f;
    GenerationRequest request = f.request("root ::= \"yes\"", 3);
    request.top_logprobs = 2;
    Stream barred = f.engine.submit(request);
    request.constraint = {};
    request.max_tokens = 1;
    request.ignore_eos = true;
    Stream open = f.engine.submit(request);
    const auto first = [](Stream& stream) { return stream.next()->logprobs.at(0); };
    const TokenLogprob a = first(barred);
    const TokenLogprob b = first(open);
    CHECK(a.bytes == "y");
    REQUIRE(a.alternatives.size() == 2);
    CHECK(a.alternatives[0].token == b.token);
    CHECK(a.alternatives[0].logprob == doctest::Approx(b.logprob).epsilon(1e-4));
}

TEST_CASE("a grammar that cannot be used is refused before anything is computed") {
    Fixture f;
    try {
        f.engine.submit(f.request("root ::= root \"a\" | \"b\"", 5));
        FAIL("nothing was thrown");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == "grammar");
    }
}

TEST_SUITE_END();
