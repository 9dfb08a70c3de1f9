// A model whose first layer sees only the latest tokens: what of it may be shared and taken back.
#include <doctest/doctest.h>

#include <algorithm>

#include "engine/generator.hpp"
#include "llama/log.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

constexpr int kContext = 1024, kWindow = 64;

std::shared_ptr<const llama::Model> windowed() {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder.path() / "tiny.gguf", kContext, {.window = kWindow});
    return std::make_shared<const llama::Model>(folder.path() / "tiny.gguf",
                                                llama::ModelOptions{.gpu_layers = 0});
}

/// Positions first..end-1 of a text in one pass; the logits of the last.
std::vector<float> compute(llama::Context& context, int sequence, int first, int end) {
    std::vector<llama::BatchToken> batch;
    for (int i = first; i < end; ++i) {
        batch.push_back({i * 7 % 251, i, sequence, i + 1 == end});
    }
    REQUIRE(context.decode(batch) == llama::Decoded::kDone);
    const auto row = context.logits(end - 1 - first);
    return {row.begin(), row.end()};
}

/// The same, one by one: passes of many tokens round otherwise.
std::vector<float> compute_rows(llama::Context& context, int sequence, int first, int end) {
    std::vector<float> out;
    for (int at = first; at < end; ++at) out = compute(context, sequence, at, at + 1);
    return out;
}

float difference(const std::vector<float>& a, const std::vector<float>& b) {
    float out = 0;
    for (std::size_t i = 0; i < a.size(); ++i) out = std::max(out, std::abs(a[i] - b[i]));
    return out;
}

// Of logits up to 30: cells lie elsewhere, so sums are taken in another order.
constexpr float kRounding = 5e-3F;

const llama::ContextOptions kOptions{
    .cells = 512, .sequences = 3, .batch = 512, .microbatch = 512, .threads = 1};

/// The texts and usages of `requests` that come one step apart.
struct Said {
    std::string text;
    int cached = 0;
};
std::vector<Said> say(const std::shared_ptr<const llama::Model>& model, bool speculation,
                      const std::vector<GenerationRequest>& requests, int apart, int* held) {
    PrefixCache cache({.memory_bytes_max = 0});
    Generator generator(model,
                        {.context = kContext,
                         .cells = 2 * kContext,
                         .parallel = 4,
                         .threads = 1,
                         .speculation = speculation},
                        cache);
    std::vector<Stream> streams;
    for (const GenerationRequest& request : requests) {
        auto writer = std::make_shared<StreamWriter>();
        streams.emplace_back(writer);
        generator.add(request, std::move(writer));
        for (int i = 0; i < apart; ++i) generator.step();
    }
    while (!generator.idle()) generator.step();
    if (held != nullptr) *held = static_cast<int>(generator.counters().held);
    std::vector<Said> out;
    for (Stream& stream : streams) {
        Said said;
        while (auto piece = stream.next()) said.text += piece->text;
        said.cached = stream.usage().cached_tokens;
        out.push_back(std::move(said));
    }
    return out;
}

GenerationRequest request(const llama::Model& model, const std::string& prompt, int length) {
    GenerationRequest made;
    made.prompt = model.tokenize(prompt, true, false);
    made.sampling.temperature = 0;
    made.max_tokens = length;
    made.ignore_eos = true;
    return made;
}

}  // namespace

TEST_SUITE_BEGIN("sliding_window");

TEST_CASE("guesses that do not hold are taken back behind a window, to the same logits") {
    const auto model = windowed();
    CHECK(!model->cuttable());
    CHECK(model->steps_back());
    llama::Context plain(model, kOptions);
    llama::Context guessing(model, kOptions);
    for (llama::Context* context : {&plain, &guessing}) compute(*context, 0, 0, 200);
    for (int at = 200; at < 420; ++at) {
        compute(guessing, 0, at, at + 16);
        guessing.forget_from(0, at);
        const auto want = compute(plain, 0, at, at + 1);
        REQUIRE(difference(compute(guessing, 0, at, at + 1), want) < kRounding);
    }
}

TEST_CASE("a beginning is shared to the same logits, and only while all of it is there") {
    const auto model = windowed();
    llama::Context plain(model, kOptions);
    compute(plain, 0, 0, 80);
    const auto want = compute_rows(plain, 0, 80, 120);
    llama::Context context(model, kOptions);
    compute(context, 1, 0, 100);
    compute(context, 0, 0, 80);
    compute(context, 0, 80, 300);
    compute(context, 2, 0, 100);
    CHECK(context.holds_all(0));
    context.forget(1);
    context.share(0, 1, 80);
    CHECK(difference(compute_rows(context, 1, 80, 120), want) < kRounding);
    // Two gaps that are too small: what lies between them is behind the window, and is taken.
    context.forget(1);
    context.forget(2);
    compute(context, 1, 0, 150);
    CHECK(!context.holds_all(0));
    context.share(0, 2, 80);
    CHECK(difference(compute_rows(context, 2, 80, 120), want) > 10 * kRounding);
}

TEST_CASE("guesses, forced tokens and shared beginnings leave the text as it is") {
    const auto model = windowed();
    std::string again;
    for (int i = 0; i < 12; ++i) again += " over and over again";
    std::vector<GenerationRequest> requests;
    for (const char* end : {"one", "two", "three"}) {
        requests.push_back(request(*model, again + end, 120));
    }
    GenerationRequest forced = request(*model, again, 80);
    forced.constraint.grammar = "root ::= [0-9] \"" + std::string(60, 'x') + "\"";
    requests.push_back(forced);
    std::vector<std::string> alone;
    for (const GenerationRequest& one : requests) {
        alone.push_back(say(model, false, {one}, 0, nullptr)[0].text);
    }
    int held = 0;
    const auto together = say(model, true, requests, 3, &held);
    CHECK(held > 40);
    for (std::size_t i = 0; i < requests.size(); ++i) {
        CHECK(together[i].text == alone[i]);
        CHECK((together[i].cached >= 200) == (i > 0));
    }
}

TEST_SUITE_END();
