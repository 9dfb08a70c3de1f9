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

/// One choice as it is read.
struct Reading {
    engine::AnswerReader reader;
    std::vector<engine::TokenLogprob> logprobs;  // of what was read and not sent yet

    void take(engine::Piece& piece) {
        logprobs.insert(logprobs.end(), std::make_move_iterator(piece.logprobs.begin()),
                        std::make_move_iterator(piece.logprobs.end()));
    }
};

std::vector<Reading> readings_of(const Choices& choices) {
    std::vector<Reading> out;
    for (std::size_t i = 0; i < choices.size(); ++i)
        out.push_back({engine::AnswerReader(choices.at(i).parser()), {}});
    return out;
}

/// Of all choices; nothing if one does not know.
std::optional<int> reasoning_tokens(const std::vector<Reading>& readings) {
    int sum = 0;
    for (const Reading& reading : readings) {
        const std::optional<int> one = reading.reader.reasoning_tokens();
        if (!one) return std::nullopt;
        sum += *one;
    }
    return sum;
}

net::awaitable<void> send_whole(Choices& choices, bool logprobs, Responder& responder) {
    const ChatHead head = head_of(choices);
    std::vector<Reading> readings = readings_of(choices);
    std::vector<ChatChoice> whole(choices.size());
    while (true) {
        std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        const std::size_t index = arrival->index;
        Reading& reading = readings[index];
        if (arrival->piece) {
            reading.reader.hold(*arrival->piece);
            reading.take(*arrival->piece);
            continue;
        }
        reading.reader.finish();
        whole[index] = {reading.reader.answer(), std::move(reading.logprobs),
                        choices.at(index).finish()};
    }
    const engine::Usage usage = choices.usage(choices.size());
    http::Reply reply = json_reply(
        chat_completion_json(head, whole, logprobs, {usage, reasoning_tokens(readings)}));
    reply.headers.push_back(cache_header(choices.cache()));
    co_await responder.send(std::move(reply));
}

net::awaitable<void> send_delta(const ChatChunks& chunks, std::size_t index,
                                const engine::AnswerDelta& delta, Reading& reading, Sse& sse) {
    co_await sse.send(chunks.piece(index, delta, reading.logprobs));
    reading.logprobs.clear();
}

net::awaitable<void> send_chunks(Choices& choices, const ChatChunks& chunks, bool include_usage,
                                 Sse& sse) {
    std::vector<Reading> readings = readings_of(choices);
    for (std::size_t i = 0; i < choices.size(); ++i) co_await sse.send(chunks.opening(i));
    while (true) {
        std::optional<Choices::Arrival> arrival = co_await choices.next();
        if (!arrival) break;
        const std::size_t index = arrival->index;
        Reading& reading = readings[index];
        if (arrival->piece) {
            reading.take(*arrival->piece);
            const engine::AnswerDelta delta = reading.reader.add(*arrival->piece);
            if (!delta.empty() || !choices.at(index).parser())
                co_await send_delta(chunks, index, delta, reading, sse);
            continue;
        }
        const engine::AnswerDelta held = reading.reader.finish();
        if (!held.empty()) co_await send_delta(chunks, index, held, reading, sse);
        const auto finish = finish_name(choices.at(index).finish(), reading.reader.answer());
        co_await sse.send(chunks.ending(index, finish, reading.logprobs));
    }
    if (include_usage)
        co_await sse.send(
            chunks.usage({choices.usage(choices.size()), reasoning_tokens(readings)}));
}

net::awaitable<void> chat_completions(Services& services, Call& call, Responder& responder) {
    ChatCall chat;
    // Parsed there, too: the IO thread serves all streams, and a body may have 16 MB.
    auto started = co_await responder.offload([&] {
        chat = parse_chat(call);
        return services.chat.start(chat.request);
    });
    Choices choices(std::move(started));
    if (chat.stream) {
        const bool logprobs = chat.request.top_logprobs >= 0;
        const ChatChunks chunks(head_of(choices), logprobs, chat.include_usage,
                                !chat.request.input.tools.empty());
        Sse sse = co_await open_stream(choices, responder);
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
