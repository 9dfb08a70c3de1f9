#include "engine/embedder.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_encoder.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

struct Fixture {
    explicit Fixture(bool own = true, std::size_t cache = 1 << 20) {
        tests::write_tiny_encoder(path);
        auto model = std::make_shared<const llama::Model>(
            path, llama::ModelOptions{.gpu_layers = 0, .vocab_only = own});
        embedder.emplace(std::move(model), own ? std::make_unique<encoder::Encoder>(path) : nullptr,
                         EmbedderOptions{.threads = 2, .cache_bytes = cache});
    }

    std::future<EmbeddingResult> add(const std::vector<std::vector<Token>>& texts,
                                     const std::string& tenant = "local", Patience patience = {}) {
        EmbeddingRequest request;
        request.inputs = texts;
        request.tenant = tenant;
        request.patience = std::move(patience);
        std::promise<EmbeddingResult> promise;
        auto out = promise.get_future();
        embedder->add(std::move(request), {std::move(promise)});
        return out;
    }

    EmbeddingResult result_of(std::future<EmbeddingResult>&& future) {
        for (int i = 0; i < 10'000 && !embedder->idle(); ++i) embedder->step();
        REQUIRE(ready(future));
        return future.get();
    }

    static bool ready(const std::future<EmbeddingResult>& future) {
        return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
    }

    tests::TempFolder folder;
    std::filesystem::path path = folder.path() / "encoder.gguf";
    std::optional<Embedder> embedder;
};

ErrorCode code_of(std::future<EmbeddingResult>& future) {
    try {
        future.get();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("nothing was thrown");
    return ErrorCode::kInternal;
}

const std::vector<int> kLengths = {1, 2, 3, 7, 8, 12, 13, 31, 32, 33, 64, 95, 96};

}  // namespace

TEST_SUITE_BEGIN("embedder");

TEST_CASE("our own pass gives what libllama gives") {
    const auto texts = tests::tiny_texts(kLengths);
    Fixture own;
    Fixture other(/*own=*/false);
    const auto a = own.result_of(own.add(texts));
    const auto b = other.result_of(other.add(texts));
    for (std::size_t i = 0; i < texts.size(); ++i) {
        CAPTURE(texts[i].size());
        CHECK(tests::cosine(a.rows[i], b.rows[i]) > 0.9995);
    }
    CHECK(a.tokens == b.tokens);
}

TEST_CASE("a vocabulary alone says what the whole model says") {
    Fixture f;
    const llama::Model whole(f.path, {.gpu_layers = 0});
    const llama::Model words(f.path, {.gpu_layers = 0, .vocab_only = true});
    CHECK(words.dimensions() == whole.dimensions());
    CHECK(words.context_trained() == whole.context_trained());
    CHECK(words.vocabulary() == whole.vocabulary());
    CHECK(words.encoder_only());
    CHECK(words.wordpiece());
    CHECK(words.tokenize("w7 w9", true, false) == whole.tokenize("w7 w9", true, false));
}

TEST_CASE("a text that stands twice is computed once, and counts twice") {
    Fixture f;
    auto texts = tests::tiny_texts({5, 9});
    texts.push_back(texts[0]);
    const auto result = f.result_of(f.add(texts));
    CHECK(result.rows[0] == result.rows[2]);
    CHECK(result.rows[0] != result.rows[1]);
    CHECK(result.tokens == 19);
    CHECK(f.embedder->computed() == 2);
    CHECK(f.embedder->cached() == 1);
}

TEST_CASE("what was computed is kept for the same tenant only") {
    Fixture f;
    const auto texts = tests::tiny_texts({6});
    const auto first = f.result_of(f.add(texts, "a"));
    auto again = f.add(texts, "a");
    CHECK(Fixture::ready(again));  // without a pass
    CHECK(again.get().rows == first.rows);
    auto other = f.add(texts, "b");
    CHECK_FALSE(Fixture::ready(other));
    CHECK(f.result_of(std::move(other)).tokens == 6);
    CHECK(f.embedder->computed() == 2);
}

TEST_CASE("without room for vectors everything is computed") {
    Fixture f(/*own=*/true, /*cache=*/0);
    const auto texts = tests::tiny_texts({6});
    f.result_of(f.add(texts));
    f.result_of(f.add(texts));
    CHECK(f.embedder->computed() == 2);
}

TEST_CASE("a question does not wait for the whole document that came before it") {
    for (const bool own : {true, false}) {
        Fixture f(own);
        auto document = f.add(tests::tiny_texts(std::vector<int>(200, 90)), "a");
        auto question = f.add({{2, 30, 31, 3}}, "b");
        auto second = f.add({{2, 32, 3}}, "a");
        f.embedder->step();
        CHECK(Fixture::ready(question));
        CHECK(Fixture::ready(second));
        CHECK_FALSE(Fixture::ready(document));
        CHECK(f.result_of(std::move(document)).rows.size() == 200);
    }
}

TEST_CASE("a client that has left frees the queue, and others keep their texts") {
    Fixture f;
    const auto left = std::make_shared<std::atomic<bool>>(false);
    const auto texts = tests::tiny_texts({8, 12, 20});
    auto gone = f.add(texts, "local", {{}, left});
    auto stays = f.add({texts[1]});
    left->store(true);
    CHECK(f.result_of(std::move(stays)).rows.size() == 1);
    CHECK(code_of(gone) == ErrorCode::kCancelled);
    CHECK(f.embedder->computed() == 1);
    CHECK(f.embedder->idle());
}

TEST_CASE("a deadline ends its own request, and nobody else's") {
    Fixture f;
    const auto texts = tests::tiny_texts({8, 12});
    auto late = f.add(texts, "local", {std::chrono::steady_clock::now(), nullptr});
    auto patient =
        f.add(texts, "local", {std::chrono::steady_clock::now() + std::chrono::hours(1), nullptr});
    CHECK(f.result_of(std::move(patient)).rows.size() == 2);
    CHECK(code_of(late) == ErrorCode::kTimeout);
}

TEST_CASE("what the end of the program cuts off ends as stopping") {
    std::optional<Fixture> f(std::in_place);
    auto future = f->add(tests::tiny_texts({8}));
    f.reset();
    CHECK(code_of(future) == ErrorCode::kStopping);
}

TEST_SUITE_END();
