// The engine with what it keeps: cold, warm, in memory, on disk, after a restart, for two tenants.
#include "engine/prefix_reuse.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>

#include "engine/engine.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;
namespace fs = std::filesystem;

namespace {

constexpr int kContext = 512;
constexpr int kLength = 20;

// Between a token computed alone and in a pass of many: the products of a long pass round their
// inputs to bf16 (8 bits of mantissa, 2^-9), on logits of this model that reach 10, in each of its
// products: 0.025 was seen. What is kept comes back bit by bit: suite kept_ranges.
constexpr float kLogprobTolerance = 0.08F;

// Where two tokens lie nearer than that, either may come first.
constexpr float kNoTie = 2 * kLogprobTolerance;

struct Folder {
    Folder()
        : path(fs::temp_directory_path() / ("jikji-pr-" + std::to_string(std::random_device{}()))) {
        fs::create_directories(path);
        tests::write_tiny_llama(path / "tiny.gguf", kContext);
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

struct Options {
    std::uint64_t memory = 64u << 20;
    std::uint64_t disk = 0;
    int parallel = 4;
    int cells = 4 * kContext;
};

std::unique_ptr<Engine> engine_in(const Folder& folder, const Options& o) {
    auto out = std::make_unique<Engine>(EngineOptions{.context = kContext,
                                                      .parallel = o.parallel,
                                                      .cells = o.cells,
                                                      .threads = 2,
                                                      .cache_memory_bytes = o.memory,
                                                      .cache_disk_bytes = o.disk,
                                                      .cache_folder = folder.path / "kv"});
    out->add_model({.name = "tiny", .path = folder.path / "tiny.gguf"});
    return out;
}

GenerationRequest request(Engine& engine, const std::string& prompt, std::string tenant = "local") {
    GenerationRequest made;
    made.model = "tiny";
    made.prompt = engine.tokenize("tiny", prompt, false);
    made.tenant = std::move(tenant);
    made.sampling.temperature = 0;
    made.max_tokens = kLength;
    made.ignore_eos = true;
    made.top_logprobs = 2;
    return made;
}

struct Said {
    std::string text;
    std::vector<float> logprobs;
    float lead = 1e9F;  // the smallest, of a token before its runner-up
    int cached = 0;
};

Said read(Stream stream) {
    Said out;
    while (auto piece = stream.next()) {
        out.text += piece->text;
        for (const TokenLogprob& one : piece->logprobs) {
            out.logprobs.push_back(one.logprob);
            out.lead =
                std::min(out.lead, one.alternatives[0].logprob - one.alternatives[1].logprob);
        }
    }
    out.cached = stream.usage().cached_tokens;
    return out;
}

Said ask(Engine& engine, const std::string& prompt, const std::string& tenant = "local") {
    return read(engine.submit(request(engine, prompt, tenant)));
}

std::string prompt_of(int number, std::size_t length) {
    std::string out;
    for (int i = number; out.size() < length; i = i * 31 % 9973 + 7) out += std::to_string(i) + " ";
    out.resize(length);
    return out;
}

/// Prompts without near ties, with their answers from an engine that keeps nothing.
std::vector<std::pair<std::string, Said>> cold_cases(const Folder& folder, std::size_t count) {
    auto engine = engine_in(folder, {.memory = 0});
    std::vector<std::pair<std::string, Said>> out;
    for (int i = 1; i < 300 && out.size() < count; ++i) {
        const std::string prompt = prompt_of(i, 200 + static_cast<std::size_t>(i));
        Said cold = ask(*engine, prompt);
        CHECK(cold.cached == 0);
        if (cold.lead > kNoTie) out.emplace_back(prompt, std::move(cold));
    }
    REQUIRE(out.size() == count);
    return out;
}

void check_same(const Said& got, const Said& want) {
    CHECK(got.text == want.text);
    REQUIRE(got.logprobs.size() == want.logprobs.size());
    for (std::size_t i = 0; i < got.logprobs.size(); ++i) {
        CHECK(std::abs(got.logprobs[i] - want.logprobs[i]) < kLogprobTolerance);
    }
}

}  // namespace

TEST_SUITE_BEGIN("prefix_reuse");

TEST_CASE("the text is the same cold, warm, read from the disk, and after a restart") {
    Folder folder;
    const auto cases = cold_cases(folder, 4);
    const Options with_disk{.memory = 400'000, .disk = 64u << 20};  // 256 bytes a token and layer
    {
        auto engine = engine_in(folder, with_disk);
        for (const auto& [prompt, cold] : cases) {
            check_same(ask(*engine, prompt), cold);
            const Said warm = ask(*engine, prompt);
            check_same(warm, cold);
            CHECK(warm.cached == static_cast<int>(prompt.size()) - 1);
        }
        for (int i = 400; i < 408; ++i) ask(*engine, prompt_of(i, 300));  // pushes the others out
        CHECK(engine->prefix_cache().memory_bytes <= with_disk.memory);
        for (const auto& [prompt, cold] : cases) {
            const Said again = ask(*engine, prompt);
            check_same(again, cold);
            CHECK(again.cached == static_cast<int>(prompt.size()) - 1);
        }
    }
    auto restarted = engine_in(folder, with_disk);
    for (const auto& [prompt, cold] : cases) {
        const Said again = ask(*restarted, prompt);
        check_same(again, cold);
        CHECK(again.cached == static_cast<int>(prompt.size()) - 1);
    }
    restarted->forget("local");
    CHECK(ask(*restarted, cases[0].first).cached == 0);
    CHECK(engine_in(folder, {})->prefix_cache().blocks == 0);
}

// Answers of unknown length: fewer cells are kept free than each of them takes in the end.
TEST_CASE(
    "where cells run out, those that step back go on with the same text and count the truth") {
    constexpr int kPrompt = 100, kSequences = 3, kReserved = 256;  // of each, in admission.cpp
    Folder folder;
    const auto endless = [](Engine& engine, const std::string& prompt) {
        GenerationRequest made = request(engine, prompt);
        made.max_tokens = -1;
        return made;
    };
    std::vector<std::pair<std::string, Said>> cases;
    auto calm = engine_in(folder, {.memory = 0});
    for (int i = 1; i < 300 && cases.size() < kSequences; ++i) {
        const std::string prompt = prompt_of(i, kPrompt);
        Said said = read(calm->submit(endless(*calm, prompt)));
        // Whoever comes back has the very cells that it left: only rows' rounding counts.
        if (said.lead > 0.001F) cases.emplace_back(prompt, std::move(said));
    }
    REQUIRE(cases.size() == kSequences);
    auto engine = engine_in(
        folder, {.parallel = kSequences, .cells = kSequences * (kPrompt + 1 + kReserved)});
    // They meet, unless this thread rests so long between two of them that one has ended: again.
    for (int round = 0; round < 20 && engine->stats().swaps == 0; ++round) {
        engine->forget("local");
        std::vector<Stream> streams;
        for (const auto& [prompt, said] : cases) {
            streams.push_back(engine->submit(endless(*engine, prompt)));
        }
        for (std::size_t i = 0; i < cases.size(); ++i) {
            const Said got = read(std::move(streams[i]));
            check_same(got, cases[i].second);
            CHECK(got.logprobs.size() == kContext - kPrompt);
            CHECK(got.cached == 0);  // what it computed itself and took back is not cached
        }
    }
    CHECK(engine->stats().swaps > 0);
}

TEST_CASE("if the one that computes a shared beginning is cancelled, another takes over") {
    Folder folder;
    const auto cases = cold_cases(folder, 3);
    const std::string& prompt = cases[0].first;
    auto engine = engine_in(folder, {});
    for (int i = 0; i < 30; ++i) {
        engine->forget("local");
        std::vector<Stream> streams;
        for (int k = 0; k < 4; ++k) streams.push_back(engine->submit(request(*engine, prompt)));
        streams.erase(streams.begin());  // gone: waiting, computing, or done
        for (Stream& stream : streams) check_same(read(std::move(stream)), cases[0].second);
    }
}

TEST_CASE("two tenants never share, running or kept, in memory or on disk") {
    Folder folder;
    const Options with_disk{.disk = 64u << 20};
    {
        auto engine = engine_in(folder, with_disk);
        std::vector<Stream> at_once;
        for (const char* tenant : {"a", "b", "c"}) {
            at_once.push_back(engine->submit(request(*engine, prompt_of(1, 300), tenant)));
        }
        for (Stream& stream : at_once) CHECK(read(std::move(stream)).cached == 0);
        std::mt19937 random(1);
        std::vector<std::string> seen;  // tenant and canary
        for (int i = 0; i < 1000; ++i) {
            const std::string tenant(1, static_cast<char>('a' + random() % 2));
            const int canary = 100 + static_cast<int>(random() % 100);
            const std::string key = tenant + std::to_string(canary);
            const bool known = std::find(seen.begin(), seen.end(), key) != seen.end();
            CHECK(ask(*engine, prompt_of(canary, 150), tenant).cached == (known ? 149 : 0));
            seen.push_back(key);
        }
    }
    auto restarted = engine_in(folder, with_disk);
    CHECK(ask(*restarted, prompt_of(1, 300), "d").cached == 0);
    CHECK(ask(*restarted, prompt_of(1, 300), "a").cached == 299);
}

TEST_SUITE_END();
