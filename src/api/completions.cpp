// POST /v1/completions: prompts × n texts, whole or streamed.
#include "api/choices.hpp"
#include "api/completion_objects.hpp"
#include "api/completion_request.hpp"
#include "api/services.hpp"
#include "api/stream_guard.hpp"
#include "base/ids.hpp"
#include "http/router.hpp"
#include "service/settings.hpp"

namespace jikji::api {
namespace {

using http::Call;
using http::Responder;
using http::Sse;

constexpr int kOpenAiMaxTokens = 16;  // of this route alone; chat has no such default

/// What is ready once the work has begun.
struct Started {
    std::vector<service::Generation> generations;
    std::vector<std::string> echoes;  // the prompts, if they are to be shown
};

std::vector<std::string> prompts_as_text(Services& services, const CompletionCall& call) {
    const auto& request = call.request;
    std::vector<std::string> out = request.prompts;
    const std::string& model =
        request.model.empty() ? services.chat.default_model() : request.model;
    for (const auto& tokens : request.tokens)
        out.push_back(services.engine.detokenize(model, tokens));
    return out;
}

Started start(Services& services, CompletionCall& call) {
    std::optional<std::int64_t>& max_tokens = call.request.options.max_tokens;
    const bool silent = !max_tokens && !services.settings.generation().openai_routes;
    if (silent) max_tokens = kOpenAiMaxTokens;
    Started out;
    out.generations = services.chat.start(call.request);
    if (call.echo) out.echoes = prompts_as_text(services, call);
    return out;
}

CompletionObjects objects_of(const Choices& choices, const CompletionCall& call) {
    const service::Generation& first = choices.at(0);
    return {{make_id("cmpl-"), now_seconds(), first.model(), first.fingerprint()},
            call.request.top_logprobs >= 0,
            call.include_usage};
}

std::string echo_of(const std::vector<std::string>& echoes, std::size_t index, int per_prompt) {
    const std::size_t prompt = index / static_cast<std::size_t>(per_prompt);
    return prompt < echoes.size() ? readable(echoes[prompt]) : std::string();
}

net::awaitable<void> send_whole(Choices& choices, const std::vector<std::string>& echoes,
                                const CompletionCall& call, Responder& responder) {
    std::vector<CompletionChoice> whole(choices.size());
    for (std::size_t i = 0; i < whole.size(); ++i)
        whole[i].text = echo_of(echoes, i, call.request.choices);
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        CompletionChoice& choice = whole[arrival->index];
        if (arrival->piece) {
            choice.text += arrival->piece->text;
            choice.logprobs.add(arrival->piece->logprobs);
        } else {
            choice.finish = choices.at(arrival->index).finish();
        }
    }
    const auto per_prompt = static_cast<std::size_t>(call.request.choices);
    http::Reply reply =
        json_reply(objects_of(choices, call).whole(std::move(whole), choices.usage(per_prompt)));
    reply.headers.push_back(cache_header(choices.cache()));
    co_await responder.send(std::move(reply));
}

net::awaitable<void> send_chunks(Choices& choices, const std::vector<std::string>& echoes,
                                 const CompletionCall& call, Sse& sse) {
    const CompletionObjects objects = objects_of(choices, call);
    std::vector<LegacyLogprobs> logprobs(choices.size());
    for (std::size_t i = 0; i < choices.size() && call.echo; ++i) {
        const std::string echo = echo_of(echoes, i, call.request.choices);
        co_await sse.send(objects.text(i, echo, logprobs[i]));
    }
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        const std::size_t index = arrival->index;
        std::string event;
        if (arrival->piece) {
            logprobs[index].add(arrival->piece->logprobs);
            event = objects.text(index, arrival->piece->text, logprobs[index]);
        } else {
            event = objects.ending(index, choices.at(index).finish());
        }
        co_await sse.send(event);
    }
    if (!call.include_usage) co_return;
    const auto per_prompt = static_cast<std::size_t>(call.request.choices);
    co_await sse.send(objects.usage(choices.usage(per_prompt)));
}

net::awaitable<void> completions(Services& services, Call& call, Responder& responder) {
    CompletionCall completion;
    Started started = co_await responder.offload([&] {
        completion = parse_completion(call);
        return start(services, completion);
    });
    Choices choices(std::move(started.generations));
    if (completion.stream) {
        Sse sse = co_await open_stream(choices, responder);
        co_await guarded(send_chunks(choices, started.echoes, completion, sse), call, sse);
    } else {
        co_await send_whole(choices, started.echoes, completion, responder);
    }
}

}  // namespace

void add_completions(http::Router& router, Services& services) {
    router.add_streaming("POST", "/v1/completions", http::Access::kKey,
                         [&services](Call& call, Responder& responder) {
                             return completions(services, call, responder);
                         });
}

}  // namespace jikji::api
