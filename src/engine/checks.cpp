#include "engine/checks.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace jikji::engine {
namespace {

void check_tokens(const std::vector<Token>& tokens, const llama::Model& model, const char* field) {
    for (const Token token : tokens) {
        if (token >= 0 && token < model.vocabulary()) continue;
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("{} holds token {}; this model has tokens 0 to {}", field, token,
                                model.vocabulary() - 1),
                    field,
                    fmt::format("{}에 토큰 {}이(가) 있습니다. 이 모델의 토큰은 0에서 {}까지입니다.",
                                field, token, model.vocabulary() - 1));
    }
}

}  // namespace

std::exception_ptr timeout_error() {
    return std::make_exception_ptr(
        Error(ErrorCode::kTimeout,
              "the time that the request gave itself is over; give more, or fewer max_tokens", {},
              "요청에 정한 시간이 지났습니다. 시간을 늘리거나 max_tokens를 줄이세요."));
}

std::exception_ptr over(const Patience& patience) {
    if (patience.left && patience.left->load()) {
        return std::make_exception_ptr(Error(ErrorCode::kCancelled, "the client has left"));
    }
    const auto& deadline = patience.deadline;
    if (deadline && std::chrono::steady_clock::now() >= *deadline) return timeout_error();
    return nullptr;
}

void throw_if_over(const Patience& patience) {
    if (const std::exception_ptr why = over(patience)) std::rethrow_exception(why);
}

std::exception_ptr stopping_error() {
    return std::make_exception_ptr(
        Error(ErrorCode::kStopping, "the server is stopping; send the request again in a while", {},
              "서버가 멈추는 중입니다. 잠시 뒤에 다시 보내세요."));
}

void throw_no_such_model(const std::string& name, const std::vector<std::string>& known) {
    if (name.empty() || known.empty()) {
        throw Error(
            ErrorCode::kModelNotFound,
            "no chat model is loaded; get one with: jikji models pull smollm2-135m-instruct",
            "model",
            "모델이 로드되지 않았습니다. 먼저 받으세요: jikji models pull smollm2-135m-instruct");
    }
    const std::string list = fmt::format("{}", fmt::join(known, ", "));
    throw Error(ErrorCode::kModelNotFound,
                fmt::format("the model '{}' does not exist here; there are: {}", name, list),
                "model", fmt::format("모델 '{}'이(가) 없습니다. 있는 모델: {}", name, list));
}

void throw_no_base(const std::string& adapter, const std::string& base) {
    throw Error(ErrorCode::kModelNotFound,
                fmt::format("the adapter '{}' needs its base '{}', which is not here; add that "
                            "model, or remove the adapter",
                            adapter, base),
                "model",
                fmt::format("어댑터 '{}'의 기반 모델 '{}'이(가) 없습니다. 그 모델을 추가하거나 "
                            "어댑터를 지우세요.",
                            adapter, base));
}

void throw_base_is_adapter(const std::string& adapter, const std::string& base) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the base of '{}' is '{}', which is an adapter itself; give the model "
                    "that this one adapts",
                    adapter, base),
        "model",
        fmt::format("'{}'의 기반 '{}'도 어댑터입니다. 그것의 기반 모델을 주세요.", adapter, base));
}

void throw_too_long(int context, int length, const char* field) {
    throw Error(
        ErrorCode::kContextLength,
        fmt::format("This model's maximum context length is {} tokens. However, your "
                    "{} resulted in {} tokens. Please shorten the {}.",
                    context, field, length, field),
        field,
        fmt::format("이 모델의 최대 컨텍스트 길이는 {}토큰인데 {}이(가) {}토큰입니다. 줄여 주세요.",
                    context, field, length));
}

void check(const GenerationRequest& request, const LoadedModel& loaded) {
    if (!loaded.generator) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("{} makes vectors, not text; choose a chat model", request.model), "model",
            fmt::format("{}은(는) 임베딩 모델이라 글을 만들지 못합니다. 대화 모델을 고르세요.",
                        request.model));
    }
    const int length = static_cast<int>(request.prompt.size());
    const char* field = request.prompt_field.c_str();
    if (length >= loaded.context) throw_too_long(loaded.context, length, field);
    check_tokens(request.prompt, *loaded.model, field);
    for (const auto& [token, bias] : request.sampling.logit_bias) {
        check_tokens({token}, *loaded.model, "logit_bias");
    }
    if (!request.constraint.grammar.empty()) loaded.model->grammar(request.constraint.grammar);
    check_tokens(request.constraint.trigger_tokens, *loaded.model, "grammar");
    check_tokens(request.constraint.kept_tokens, *loaded.model, "grammar");
    if (length == 0) {
        throw Error(ErrorCode::kInvalidArgument, "the prompt is empty; give some text", field,
                    "프롬프트가 비어 있습니다. 글을 넣어 주세요.");
    }
}

void check(const EmbeddingRequest& request, const LoadedModel& loaded) {
    if (!loaded.embedder) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("{} makes text, not vectors; choose an embedding model", request.model),
            "model",
            fmt::format("{}은(는) 임베딩 모델이 아닙니다. 임베딩 모델을 고르세요.", request.model));
    }
    for (const auto& input : request.inputs) {
        const int length = static_cast<int>(input.size());
        if (length > loaded.context) throw_too_long(loaded.context, length, "input");
        if (length == 0) {
            throw Error(ErrorCode::kInvalidArgument, "input holds an empty text", "input",
                        "input에 빈 글이 있습니다.");
        }
        check_tokens(input, *loaded.model, "input");
    }
}

}  // namespace jikji::engine
