#include "service/embeddings.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "engine/checks.hpp"

namespace jikji::service {

namespace {

[[noreturn]] void throw_no_model() {
    throw Error(ErrorCode::kModelNotFound,
                "no embedding model is installed; get one with: jikji models pull "
                "multilingual-e5-small",
                "model",
                "임베딩 모델이 없습니다. 먼저 받으세요: jikji models pull multilingual-e5-small");
}

}  // namespace

Embeddings::Embeddings(engine::Engine& engine, std::string default_model)
    : engine_(engine), default_model_(std::move(default_model)) {}

engine::EmbeddingRequest Embeddings::in_tokens(const EmbeddingsRequest& request) {
    engine::EmbeddingRequest made;
    made.model = request.model.empty() ? default_model_ : request.model;
    if (made.model.empty()) throw_no_model();
    const int own = engine_.require(made.model, request.caller.patience).dimensions;
    if (request.dimensions) {
        if (own != 0 && *request.dimensions != own) {
            throw Error(
                ErrorCode::kInvalidArgument,
                fmt::format("dimensions is {}; {} makes vectors of {} and cannot shorten them",
                            *request.dimensions, made.model, own),
                "dimensions",
                fmt::format("dimensions가 {}입니다. {}의 벡터는 {}차원이며 줄일 수 없습니다.",
                            *request.dimensions, made.model, own));
        }
    }
    made.inputs = request.tokens;
    for (const std::string& text : request.texts) {
        engine::throw_if_over(request.caller.patience);
        made.inputs.push_back(
            engine_.tokenize_for_embedding(made.model, text, request.side, request.cut));
    }
    made.tenant = request.caller.tenant;
    made.patience = request.caller.patience;
    return made;
}

engine::EmbeddingResult Embeddings::embed(const EmbeddingsRequest& request) {
    return engine_.embed(in_tokens(request));
}

std::future<engine::EmbeddingResult> Embeddings::start(const EmbeddingsRequest& request,
                                                       std::function<void()> ready) {
    return engine_.start_embedding(in_tokens(request), std::move(ready));
}

int Embeddings::dimensions() { return engine_.require(default_model_).dimensions; }

int Embeddings::count_tokens(const std::string& text) {
    // What stands round every text (CLS and SEP, or BOS and EOS) is not the text's own.
    constexpr int kAround = 2;
    if (default_model_.empty()) throw_no_model();
    const auto tokens = engine_.tokenize(default_model_, text, /*special=*/false);
    return std::max(0, static_cast<int>(tokens.size()) - kAround);
}

}  // namespace jikji::service
