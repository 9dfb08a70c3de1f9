// POST /v1/chat/completions: parse -> service -> choices -> one object, or a stream of chunks.
#include "api/chat_objects.hpp"
#include "api/chat_request.hpp"
#include "api/choices.hpp"
#include "api/services.hpp"
#include "api/stream_guard.hpp"
#include "base/ids.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

using http::Call;
using http::Responder;
using http::Sse;

ChatHead head_of(const Choices& choices) {
    const service::Generation& first = choices.at(0);
    return {make_id("chatcmpl-"), now_seconds(), first.model(), first.fingerprint()};
}

net::awaitable<void> send_whole(Choices& choices, bool logprobs, Responder& responder) {
    const ChatHead head = head_of(choices);
    std::vector<ChatChoice> whole(choices.size());
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        ChatChoice& choice = whole[arrival->index];
        if (arrival->piece) {
            choice.text += arrival->piece->text;
            choice.logprobs.insert(choice.logprobs.end(), arrival->piece->logprobs.begin(),
                                   arrival->piece->logprobs.end());
        } else {
            choice.finish = choices.at(arrival->index).finish();
        }
    }
    const engine::Usage usage = choices.usage(choices.size());
    http::Reply reply = json_reply(chat_completion_json(head, whole, logprobs, usage));
    set_cache_header(reply, choices.cache());
    co_await responder.send(std::move(reply));
}

net::awaitable<void> send_chunks(Choices& choices, const ChatChunks& chunks, bool include_usage,
                                 Sse& sse) {
    for (std::size_t i = 0; i < choices.size(); ++i) co_await sse.send(chunks.opening(i));
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        const std::size_t index = arrival->index;
        const std::string event = arrival->piece ? chunks.piece(index, *arrival->piece)
                                                 : chunks.ending(index, choices.at(index).finish());
        co_await sse.send(event);
    }
    if (include_usage) co_await sse.send(chunks.usage(choices.usage(choices.size())));
}

net::awaitable<void> chat_completions(Services& services, Call& call, Responder& responder) {
    const ChatCall chat = parse_chat(call);
    auto started = co_await responder.offload([&] { return services.chat.start(chat.request); });
    Choices choices(std::move(started));
    if (chat.stream) {
        const bool logprobs = chat.request.top_logprobs >= 0;
        const ChatChunks chunks(head_of(choices), logprobs, chat.include_usage);
        Sse sse = co_await responder.open_sse();
        co_await guarded(send_chunks(choices, chunks, chat.include_usage, sse), call, sse);
    } else {
        co_await send_whole(choices, chat.request.top_logprobs >= 0, responder);
    }
}

}  // namespace

void add_chat(http::Router& router, Services& services) {
    router.add_streaming("POST", "/v1/chat/completions", http::Access::kKey,
                         [&services](Call& call, Responder& responder) {
                             return chat_completions(services, call, responder);
                         });
}

}  // namespace jikji::api
