// The scheduler step by step, on the tiny model and without threads: what is counted is steps and
// tokens, never time.
#include "engine/generator.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <random>

#include "base/error.hpp"
#include "llama/log.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

constexpr int kContext = 2048;

std::shared_ptr<const llama::Model> tiny_model() {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder.path() / "tiny.gguf", kContext);
    return std::make_shared<const llama::Model>(folder.path() / "tiny.gguf",
                                                llama::ModelOptions{.gpu_layers = 0});
}

/// A generator whose steps the test takes.
struct Bench {
    explicit Bench(GeneratorOptions options, std::uint64_t kept_bytes = 64u << 20)
        : model(tiny_model()), cache(PrefixCacheOptions{.memory_bytes_max = kept_bytes}) {
        llama::capture_log();
        options.context = kContext;
        options.threads = 1;
        generator = std::make_unique<Generator>(model, options, cache);
    }

    GenerationRequest request(const std::string& prompt, int max_tokens,
                              const std::string& tenant = "local") const {
        GenerationRequest made;
        made.prompt = model->tokenize(prompt, true, false);
        made.tenant = tenant;
        made.sampling.temperature = 0;
        made.max_tokens = max_tokens;
        made.ignore_eos = true;
        return made;
    }
    Stream submit(GenerationRequest request) {
        auto writer = std::make_shared<StreamWriter>();
        Stream stream(writer);
        generator->add(std::move(request), std::move(writer));
        return stream;
    }
    /// Steps until `stream` has something to say, or has ended; how many that took.
    int steps_until_ready(Stream& stream) {
        bool ready = false;
        stream.when_ready([&ready] { ready = true; });
        int steps = 0;
        for (; !ready && steps < 100'000; ++steps) generator->step();
        REQUIRE(ready);
        return steps;
    }
    void run_all() {
        for (int i = 0; !generator->idle() && i < 1'000'000; ++i) generator->step();
        REQUIRE(generator->idle());
    }

    std::shared_ptr<const llama::Model> model;
    PrefixCache cache;
    std::unique_ptr<Generator> generator;
};

/// Only of a stream that has ended: nobody else would take the steps.
std::string text_of(Stream& stream, float* lead = nullptr) {
    std::string out;
    while (auto piece = stream.next()) {
        out += piece->text;
        for (const TokenLogprob& one : piece->logprobs) {
            if (lead == nullptr) continue;
            *lead = std::min(*lead, one.alternatives[0].logprob - one.alternatives[1].logprob);
        }
    }
    return out;
}

const std::string kPrompt = "a prompt of forty tokens, all of them: ";

struct Case {
    std::string prompt;
    std::string text;
};

// Passes of different sizes round differently in the last bits: prompts where two tokens all but
// tie are left out, and all others must not change by one byte. Prompts of more than 32 tokens,
// because shorter ones are computed by other kernels where they come alone.
std::vector<Case> cases_without_ties(Bench& bench, std::size_t count, int length,
                                     float no_tie = 0.001F) {
    std::vector<Case> out;
    for (int i = 0; out.size() < count && i < 500; ++i) {
        GenerationRequest request = bench.request(kPrompt + std::to_string(1000 + i), length);
        request.top_logprobs = 2;
        Stream stream = bench.submit(std::move(request));
        bench.run_all();
        float lead = 1e9F;
        const std::string text = text_of(stream, &lead);
        if (lead > no_tie) out.push_back({kPrompt + std::to_string(1000 + i), text});
    }
    REQUIRE(out.size() == count);
    return out;
}

ErrorCode failure_of(Stream& stream) {
    try {
        text_of(stream);
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::kInternal;
}

}  // namespace

TEST_SUITE_BEGIN("generator");

TEST_CASE("where cells run out somebody is swapped, comes back, and nobody's text changes") {
    Bench bench({.cells = kContext, .parallel = 6}, 0);
    const std::vector<Case> cases = cases_without_ties(bench, 6, 450);
    std::vector<Stream> streams;
    for (const Case& one : cases) {
        GenerationRequest request = bench.request(one.prompt, 450);
        request.max_tokens = -1;  // 2,028 in truth: nobody knows that the reader leaves after 450
        streams.push_back(bench.submit(std::move(request)));
    }
    std::vector<std::string> texts(streams.size());
    std::vector<int> tokens(streams.size());
    for (int step = 0; step < 20'000 && !bench.generator->idle(); ++step) {
        bench.generator->step();
        for (std::size_t i = 0; i < streams.size(); ++i) {
            while (texts[i].size() < cases[i].text.size()) {
                const auto ready = std::make_shared<bool>(false);  // a wake may come steps later
                streams[i].when_ready([ready] { *ready = true; });
                if (!*ready) break;
                texts[i] += streams[i].next()->text;
            }
            if (texts[i].size() >= cases[i].text.size()) streams[i] = Stream(nullptr);
        }
    }
    CHECK(bench.generator->idle());
    CHECK(bench.generator->counters().swapped > 0);
    for (std::size_t i = 0; i < cases.size(); ++i) {
        CHECK(texts[i].substr(0, cases[i].text.size()) == cases[i].text);
    }
}

TEST_CASE("a tenant that has nothing running gets a place at once; who gave it goes on as it was") {
    Bench bench({.cells = 2 * kContext, .parallel = 2});
    const std::vector<Case> cases = cases_without_ties(bench, 2, 60);
    Stream one = bench.submit(bench.request(cases[0].prompt, 60, "a"));
    Stream two = bench.submit(bench.request(cases[1].prompt, 60, "a"));
    bench.generator->step();
    bench.generator->step();
    Stream other = bench.submit(bench.request("somebody else", 1, "b"));
    CHECK(bench.steps_until_ready(other) == 1);
    CHECK(bench.generator->counters().swapped == 1);
    CHECK(bench.generator->swapped_out() == 1);
    bench.run_all();
    CHECK(text_of(one) == cases[0].text);
    CHECK(text_of(two) == cases[1].text);
    CHECK(bench.generator->counters().swapped == 1);
}

TEST_CASE("without memory for those that step back they are computed again, to the same text") {
    // What was made row by row comes back in one pass, which rounds otherwise:
    // prefix_reuse_test.cpp.
    constexpr float kNoTie = 0.16F;
    for (const bool keeps : {true, false}) {
        Bench bench({.cells = 2 * kContext, .parallel = 1, .swap_bytes = keeps ? 1u << 30 : 0}, 0);
        const std::vector<Case> cases = cases_without_ties(bench, 1, 20, kNoTie);
        GenerationRequest batch = bench.request(cases[0].prompt, 20);
        batch.lane = Lane::kBatch;
        Stream slow = bench.submit(std::move(batch));
        for (int i = 0; i < 5; ++i) bench.generator->step();
        Stream quick = bench.submit(bench.request("quick", 1));
        CHECK(bench.steps_until_ready(quick) == 1);
        CHECK(bench.generator->counters().swapped == 1);
        bench.generator->step();  // the other one is back
        const int tokens = bench.generator->counters().step_tokens;
        CHECK(keeps == (tokens < static_cast<int>(cases[0].prompt.size())));
        bench.run_all();
        CHECK(text_of(slow) == cases[0].text);
        CHECK(slow.usage().completion_tokens == 20);
        CHECK(slow.usage().cached_tokens == 0);
    }
}

TEST_CASE("batch requests give their place to interactive ones, and end as they would alone") {
    Bench bench({.cells = 2 * kContext, .parallel = 1});
    const std::vector<Case> cases = cases_without_ties(bench, 1, 60);
    GenerationRequest batch = bench.request(cases[0].prompt, 60);
    batch.lane = Lane::kBatch;
    Stream slow = bench.submit(std::move(batch));
    bench.generator->step();
    for (int i = 0; i < 3; ++i) {
        Stream quick = bench.submit(bench.request("quick " + std::to_string(i), 1));
        CHECK(bench.steps_until_ready(quick) == 1);
        bench.generator->step();  // the batch request goes on
        CHECK(bench.generator->running() == 1);
    }
    bench.run_all();
    CHECK(text_of(slow) == cases[0].text);
    CHECK(bench.generator->counters().swapped == 3);
}

TEST_CASE("beside fifty times its load a tenant waits at most about twice as many steps") {
    const auto steps_of_light = [](int heavy) {
        Bench bench({.cells = 2 * kContext, .parallel = 4}, 0);
        std::vector<Stream> streams;
        const auto fill = [&] {  // the heavy one always has this many here
            while (bench.generator->running() + bench.generator->waiting() < heavy) {
                const std::string prompt = "heavy " + std::to_string(streams.size());
                streams.push_back(bench.submit(bench.request(prompt, 40, "heavy")));
            }
        };
        std::vector<int> steps;
        for (int i = 0; i < 20; ++i) {
            fill();
            for (int k = 0; k < 3; ++k) bench.generator->step();
            Stream light = bench.submit(bench.request("light " + std::to_string(i), 10, "light"));
            int count = 0;
            for (bool ended = false; !ended; ++count) {
                fill();
                bench.generator->step();
                while (!ended) {
                    const auto ready = std::make_shared<bool>(false);
                    light.when_ready([ready] { *ready = true; });
                    if (!*ready) break;
                    ended = !light.next().has_value();
                }
            }
            steps.push_back(count);
        }
        std::sort(steps.begin(), steps.end());
        return steps[18];  // p95
    };
    CHECK(steps_of_light(50) <= 2 * steps_of_light(0));
}

TEST_CASE("while answers are made a prompt comes in small parts, a short one before a long one") {
    Bench bench({.cells = 2 * kContext, .parallel = 4, .gap_seconds = 1e-9});
    Stream answer = bench.submit(bench.request("hello", 200));
    bench.steps_until_ready(answer);
    Stream slow = bench.submit(bench.request(std::string(1600, 'l'), 1));
    bench.generator->step();
    CHECK(bench.generator->counters().step_tokens == 1 + 32);
    Stream quick = bench.submit(bench.request(std::string(96, 's'), 1));
    CHECK(bench.steps_until_ready(quick) <= 4);
    const int steps = bench.steps_until_ready(slow);
    CHECK(steps >= 45);
    CHECK(steps <= 50);
    bench.run_all();
}

TEST_CASE("a prompt comes in small parts also where it is another lane that answers") {
    Bench base({.cells = 2 * kContext, .parallel = 4, .gap_seconds = 1e-9});
    Bench adapter({.cells = 2 * kContext, .parallel = 4, .gap_seconds = 1e-9});
    Stream answer = base.submit(base.request("hello", 200));
    CHECK(!base.generator->answering());  // its prompt is still to be read
    base.steps_until_ready(answer);
    CHECK(base.generator->answering());
    Stream slow = adapter.submit(adapter.request(std::string(1600, 'l'), 1));
    adapter.generator->step({.lanes = 2, .answers = base.generator->answering()});
    CHECK(adapter.generator->counters().step_tokens == 32);
    base.run_all();
    CHECK(!base.generator->answering());
    adapter.generator->step({.lanes = 1, .answers = base.generator->answering()});
    CHECK(adapter.generator->counters().step_tokens == kStepTokens);
    adapter.run_all();
}

TEST_CASE("alone a prompt is computed in full passes") {
    Bench bench({.cells = 2 * kContext, .parallel = 4, .gap_seconds = 1e-9});
    Stream stream = bench.submit(bench.request(std::string(1600, 'l'), 1));
    CHECK(bench.steps_until_ready(stream) == 4);  // of 512
}

TEST_CASE("those that share a beginning share its cells, also when the first has gone") {
    Bench bench({.cells = kContext, .parallel = 12}, 0);
    const std::string begins(600, 'b');
    std::vector<Stream> streams;
    streams.push_back(bench.submit(bench.request(begins + "0", 3)));
    for (int i = 1; i < 12; ++i) {
        streams.push_back(bench.submit(bench.request(begins + std::to_string(10 + i), 60)));
    }
    int most = 0;
    while (!bench.generator->idle()) {
        bench.generator->step();
        most = std::max(most, bench.generator->running());
    }
    CHECK(most >= 11);  // 12 x 660 cells are not there
    CHECK(bench.generator->counters().swapped == 0);
    for (Stream& stream : streams) {
        text_of(stream);
        CHECK(stream.finish() == Finish::kLength);
    }
}

TEST_CASE("nobody waits for a beginning that a less urgent one computes") {
    Bench bench({.cells = 2 * kContext, .parallel = 4, .gap_seconds = 1e-9});
    std::string begins(1600, 'a');
    const auto running_beside = [&](Lane first, Lane second) {
        begins[0] = static_cast<char>(begins[0] + 1);  // new to the cache
        GenerationRequest one = bench.request(begins, 1);
        one.lane = first;
        Stream before = bench.submit(std::move(one));
        bench.generator->step();
        GenerationRequest two = bench.request(begins + "2", 1);
        two.lane = second;
        Stream after = bench.submit(std::move(two));
        bench.generator->step();
        const int running = bench.generator->running();
        bench.run_all();
        text_of(after);
        CHECK(after.usage().cached_tokens >= 512);  // what was there when it began
        return running;
    };
    CHECK(running_beside(Lane::kBatch, Lane::kInteractive) == 2);
    CHECK(running_beside(Lane::kBatch, Lane::kBatch) == 1);
    CHECK(running_beside(Lane::kInteractive, Lane::kInteractive) == 1);
    CHECK(running_beside(Lane::kInteractive, Lane::kBatch) == 1);
}

TEST_CASE("a deadline ends a request, running or waiting, and nobody else") {
    Bench bench({.cells = 2 * kContext, .parallel = 1});
    const std::vector<Case> cases = cases_without_ties(bench, 1, 30);
    Stream steady = bench.submit(bench.request(cases[0].prompt, 30));
    GenerationRequest waits = bench.request("never", 5);
    waits.deadline = std::chrono::steady_clock::now();
    Stream late = bench.submit(std::move(waits));
    bench.generator->step();
    CHECK(bench.generator->waiting() == 0);
    CHECK(failure_of(late) == ErrorCode::kTimeout);
    bench.run_all();
    CHECK(text_of(steady) == cases[0].text);
    GenerationRequest runs = bench.request("endless", 1000);
    runs.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(20);
    Stream cut = bench.submit(std::move(runs));
    bench.run_all();
    CHECK(failure_of(cut) == ErrorCode::kTimeout);
}

TEST_CASE("a thousand random cancels leave their neighbours' texts as they were") {
    Bench bench({.cells = 3 * kContext, .parallel = 5});
    const std::vector<Case> cases = cases_without_ties(bench, 1, 400);
    GenerationRequest seeded = bench.request("neighbour", 60);
    seeded.sampling.temperature = 0.7F;
    seeded.sampling.seed = 11;
    Stream alone = bench.submit(seeded);
    bench.run_all();
    const std::string drawn = text_of(alone);
    Stream greedy = bench.submit(bench.request(cases[0].prompt, 400));
    bench.generator->step();
    Stream again = bench.submit(seeded);
    bench.generator->step();
    std::mt19937 random(3);
    std::vector<Stream> others;
    for (int i = 0; i < 1000; ++i) {
        const std::string prompt(1 + random() % 40, static_cast<char>('a' + i % 26));
        others.push_back(bench.submit(bench.request(prompt, 50, i % 3 == 0 ? "x" : "y")));
        if (random() % 3 == 0) bench.generator->step();
        if (others.size() > 4) {
            others.erase(others.begin() + static_cast<long>(random() % others.size()));
        }
    }
    others.clear();
    bench.run_all();
    CHECK(text_of(again) == drawn);
    CHECK(text_of(greedy) == cases[0].text);
}

TEST_CASE("a grammar that grows beyond all bounds ends its own answer, and no other") {
    Bench bench({.cells = 2 * kContext, .parallel = 2});
    const std::vector<Case> cases = cases_without_ties(bench, 1, 120);
    Stream neighbour = bench.submit(bench.request(cases[0].prompt, 120, "innocent"));
    GenerationRequest hostile = bench.request("digits: ", 200, "hostile");
    // Harmless until it leaves one text, which is looked ahead before the next token is chosen.
    hostile.constraint.grammar = "root ::= [0-9]{50} \"a \"";
    for (int i = 0; i < 9000; ++i) hostile.constraint.grammar += " [a-z]?";
    Stream ends = bench.submit(std::move(hostile));
    while (!bench.generator->idle()) REQUIRE_NOTHROW(bench.generator->step());
    CHECK(failure_of(ends) == ErrorCode::kInvalidArgument);
    CHECK(text_of(neighbour) == cases[0].text);
    CHECK(neighbour.finish() == Finish::kLength);
}

TEST_CASE("a step that nobody wants any more is broken off, and can be done again") {
    const auto model = tiny_model();
    const llama::ContextOptions options{
        .cells = 256, .sequences = 2, .batch = 256, .microbatch = 64, .threads = 1};
    llama::Context context(model, options);
    std::vector<llama::BatchToken> batch;
    for (int i = 0; i < 200; ++i) batch.push_back({65 + i % 50, i, 0, i == 199});
    REQUIRE(context.decode(batch) == llama::Decoded::kDone);
    const auto row = context.logits(199);
    const std::vector<float> want(row.begin(), row.end());
    context.forget(0);
    for (const int asks : {1, 20, 60, 100}) {
        int asked = 0;
        const llama::Decoded result = context.decode(batch, [&] { return ++asked >= asks; });
        CHECK(result == llama::Decoded::kAborted);
        CHECK(asked >= asks);
        CHECK(asked <= asks + 2);
        context.forget_from(0, 0);
    }
    REQUIRE(context.decode(batch, [] { return false; }) == llama::Decoded::kDone);
    const auto again = context.logits(199);
    CHECK(std::vector<float>(again.begin(), again.end()) == want);
}

TEST_SUITE_END();
