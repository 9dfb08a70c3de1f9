#include "engine/weights.hpp"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <limits>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "engine/engine.hpp"
#include "llama/interleaved_weights.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

namespace jikji::engine {
namespace {

namespace fs = std::filesystem;

models::ModelFacts facts(const std::string& type, std::uint64_t bytes_per_100) {
    models::ModelFacts out;
    out.architecture = "llama";
    out.quantisation = type;
    out.parameters = 1'000'000;
    out.weight_bytes = bytes_per_100 * 10'000;
    return out;
}

/// No file may grow beyond `bytes` while it lives: a disk that is full.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
        getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit now{bytes, before_.rlim_max};
        setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FullDisk() {
        setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, handler_);
    }

private:
    void (*handler_)(int);
    rlimit before_{};
};

std::string fingerprint_with(const fs::path& file, const fs::path& weights_cache) {
    Engine engine({.context = 64, .parallel = 1, .threads = 1, .weights_cache = weights_cache});
    engine.add_model({.name = "tiny", .path = file});
    return engine.require("tiny").fingerprint;
}

std::size_t files_in(const fs::path& folder) {
    if (!fs::exists(folder)) return 0;
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

}  // namespace

TEST_SUITE_BEGIN("weights");

TEST_CASE("the gate lets pass what predicts as well, and nothing else") {
    const models::MeasuredLayout published{.layout = "as-published", .perplexity = 20};
    struct {
        double perplexity;
        bool passes;
    } const cases[] = {
        {20, true},     {19.5, true},          {20.09, true},
        {20.11, false}, {28, false},           {0, false},  // 0: not measured
        {-1, false},    {std::nan(""), false}, {std::numeric_limits<double>::infinity(), false}};
    for (const auto& c : cases) {
        CAPTURE(c.perplexity);
        CHECK(good_enough(published, {.layout = "q4_0", .perplexity = c.perplexity}) == c.passes);
    }
    // A published model that is broken itself gives no measure.
    CHECK_FALSE(good_enough({.perplexity = std::nan("")}, {.perplexity = 20}));
    CHECK(turn_seconds({.decode = 64, .prefill = 512}) == 3.0);
}

TEST_CASE("only forms that can win are tried, and the reason is said if none can") {
    CHECK(candidates_for(facts("F16", 200), {}).layouts ==
          std::vector<llama::Layout>{llama::Layout::kQ8_0});
    CHECK(candidates_for(facts("F32", 400), {}).layouts.size() == 2);
    if (llama::interleaves("Q4_1")) {
        const Candidates none = candidates_for(facts("Q4_1", 62), {});
        CHECK(none.layouts.empty());
        CHECK(none.reason.starts_with("Q4_1 is multiplied at the rate"));
        CHECK(candidates_for(facts("Q4_1", 62), {.everything = true}).layouts.size() == 3);
    }
    const Candidates large = candidates_for(facts("F16", 200), {.bytes_most = 1'000'000});
    CHECK(large.layouts.empty());
    CHECK(large.reason == "not measured: 2.0 MB is more than 1.0 MB, and would take minutes");
    models::ModelFacts encoder = facts("F16", 200);
    encoder.embedding = true;
    CHECK(candidates_for(encoder, {}).layouts.empty());
}

TEST_CASE("measuring leaves a decision, at most the chosen copy, and nothing half done") {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder / "tiny.gguf");
    const models::WeightsCache cache(folder / "cache");
    const auto choice = choose_weights(cache, folder / "tiny.gguf",
                                       {.threads = 1, .even_if_busy = true, .everything = true});
    REQUIRE(choice.measured.size() == 4);
    for (const auto& m : choice.measured) {
        CAPTURE(m.layout);
        CHECK(m.decode > 0);
        CHECK(m.prefill > 0);
        CHECK(m.perplexity > 1);
        CHECK(m.bytes > 0);
    }
    const bool published = choice.layout == models::kAsPublished;
    CHECK(files_in(cache.folder()) == (published ? 1 : 2));
    CHECK(cache.find(folder / "tiny.gguf")->layout == choice.layout);
    const fs::path used = cache.file_for(folder / "tiny.gguf");
    CHECK((used == folder / "tiny.gguf") == published);
}

TEST_CASE("a full disk leaves the published weights in use and no piece of a copy") {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder / "tiny.gguf");
    const models::WeightsCache cache(folder / "cache");
    fs::create_directories(cache.folder());
    {
        const FullDisk full(16'384);
        CHECK_THROWS_AS(choose_weights(cache, folder / "tiny.gguf", {.threads = 1}), Error);
    }
    CHECK(files_in(cache.folder()) == 0);
    CHECK(cache.file_for(folder / "tiny.gguf") == folder / "tiny.gguf");
}

TEST_CASE("the engine loads the chosen copy, or the published file if it is told to") {
    const tests::TempFolder folder;
    const fs::path published = folder / "tiny.gguf";
    tests::write_tiny_llama(published);
    const models::WeightsCache cache(folder / "cache");
    fs::create_directories(cache.folder());
    const fs::path copy = cache.copy_of(published, "q8_0");
    llama::requantise(published, copy, llama::Layout::kQ8_0, 1);
    models::WeightsChoice choice;
    choice.layout = "q8_0";
    choice.copy_bytes = fs::file_size(copy);
    choice.copy_sha256 = sha256_hex(MappedFile(copy).bytes());
    cache.save(published, choice);

    const std::string as_published = fingerprint_with(published, {});
    const std::string optimised = fingerprint_with(published, cache.folder());
    CHECK(optimised != as_published);  // so caches and seeds never mix the two

    write_file_durably(copy, "no weights at all");
    CHECK(fingerprint_with(published, cache.folder()) == as_published);
}

TEST_CASE("text is scored, and too little of it is refused") {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder / "tiny.gguf");
    const TextScore score = score_text(folder / "tiny.gguf", {}, 1);
    CHECK(score.tokens > 1000);
    CHECK(score.perplexity > 50);  // random weights know nothing of 259 tokens
    try {
        score_text(folder / "tiny.gguf", "ten bytes.", 1);
        FAIL("ten tokens are less than a window");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == "text");
    }
}

TEST_SUITE_END();

}  // namespace jikji::engine
