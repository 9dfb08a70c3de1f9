#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <random>
#include <thread>

#include "engine/engine.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

constexpr int kContext = 256;

struct Pair {
    Pair() {
        folder = std::filesystem::temp_directory_path() /
                 ("jikji-speculation-" + std::to_string(std::random_device{}()));
        std::filesystem::create_directories(folder);
        tests::write_tiny_llama(folder / "tiny.gguf", kContext);
        for (Engine* engine : {&with, &without}) {
            engine->add_model({.name = "tiny", .path = folder / "tiny.gguf"});
        }
    }
    ~Pair() { std::filesystem::remove_all(folder); }

    static EngineOptions options(bool speculation) {
        return {.context = kContext,
                .parallel = 4,
                .cells = 3 * kContext,
                .threads = 1,
                .speculation = speculation};
    }

    std::filesystem::path folder;
    Engine with{options(true)};
    Engine without{options(false)};
};

/// Text that its own words foretell, and a model that may go on with it or not.
GenerationRequest request(Engine& engine, const std::string& salt, int max_tokens) {
    GenerationRequest made;
    made.model = "tiny";
    std::string text = salt;
    for (int i = 0; i < 4; ++i) text += " over and over again";
    made.prompt = engine.tokenize("tiny", text, false);
    made.sampling.temperature = 0;
    made.max_tokens = max_tokens;
    made.ignore_eos = true;
    return made;
}

struct Told {
    std::string text;
    std::vector<float> logprobs;
    Finish finish = Finish::kCancelled;
    int made = 0;
};

Told read(Stream stream) {
    Told out;
    while (auto piece = stream.next()) {
        out.text += piece->text;
        for (const auto& one : piece->logprobs) out.logprobs.push_back(one.logprob);
    }
    out.finish = stream.finish();
    out.made = stream.usage().completion_tokens;
    return out;
}

void check_equal(const Told& a, const Told& b) {
    CHECK(a.text == b.text);
    CHECK(a.made == b.made);
    CHECK(a.finish == b.finish);
    REQUIRE(a.logprobs.size() == b.logprobs.size());
    for (std::size_t i = 0; i < a.logprobs.size(); ++i) {
        CHECK(a.logprobs[i] == doctest::Approx(b.logprobs[i]).epsilon(1e-3));
    }
}

}  // namespace

TEST_SUITE_BEGIN("speculation");

TEST_CASE("the greedy text is the same with guesses and without, and guesses hold") {
    Pair pair;
    for (const char* salt : {"one", "two", "three", "four"}) {
        auto asked = request(pair.with, salt, 160);
        asked.top_logprobs = 0;
        check_equal(read(pair.with.submit(asked)), read(pair.without.submit(asked)));
    }
    read(pair.with.submit(request(pair.with, "publish the figures", 2)));
    CHECK(pair.with.stats().held > 0);
    CHECK(pair.with.stats().drafted >= pair.with.stats().held);
    CHECK(pair.without.stats().drafted == 0);
}

TEST_CASE("a seed draws the same text with guesses and without") {
    Pair pair;
    for (std::uint32_t seed = 1; seed <= 6; ++seed) {
        auto asked = request(pair.with, "seeded", 120);
        asked.sampling.temperature = 0.7F;
        asked.sampling.seed = seed;
        check_equal(read(pair.with.submit(asked)), read(pair.without.submit(asked)));
    }
}

TEST_CASE("a stop string and max_tokens end a text inside of a guess where they end it without") {
    Pair pair;
    const std::string whole = read(pair.without.submit(request(pair.without, "stop", 120))).text;
    for (std::size_t at = 10; at + 4 < whole.size(); at += 9) {
        auto asked = request(pair.with, "stop", 120);
        asked.stop = {whole.substr(at, 4)};
        check_equal(read(pair.with.submit(asked)), read(pair.without.submit(asked)));
    }
    for (int tokens = 1; tokens < 60; tokens += 7) {
        auto asked = request(pair.with, "stop", tokens);
        check_equal(read(pair.with.submit(asked)), read(pair.without.submit(asked)));
    }
}

TEST_CASE("guesses of one leave the text of its neighbours alone") {
    Pair pair;
    std::vector<Told> alone;
    for (int i = 0; i < 4; ++i) {
        alone.push_back(read(pair.without.submit(request(pair.without, std::to_string(i), 100))));
    }
    std::vector<Stream> streams;
    for (int i = 0; i < 4; ++i) {
        streams.push_back(pair.with.submit(request(pair.with, std::to_string(i), 100)));
    }
    for (int i = 0; i < 4; ++i) {
        check_equal(read(std::move(streams[static_cast<std::size_t>(i)])),
                    alone[static_cast<std::size_t>(i)]);
    }
}

TEST_SUITE_END();
