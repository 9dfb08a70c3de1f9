// POST /v1/answers: a question about documents -> a cited answer, whole or streamed.
#include <fmt/format.h>

#include "api/answer_objects.hpp"
#include "api/choices.hpp"
#include "api/services.hpp"
#include "api/stream_guard.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

using http::Call;
using http::Responder;
using http::Sse;

constexpr int kStoresPage = 100;

std::string store_named(Services& services, const std::string& name) {
    service::Page page;
    page.limit = kStoresPage;
    while (true) {
        const auto listed = services.collections.list(page);
        for (const service::Collection& store : listed.items) {
            if (store.name == name) return store.id;
        }
        if (!listed.has_more || listed.items.empty()) break;
        page.after = listed.items.back().id;
    }
    throw Error(ErrorCode::kNotFound,
                fmt::format("there is no vector store named '{}'; make it first, or leave "
                            "vector_store out to ask 'documents'",
                            name),
                "vector_store",
                fmt::format("'{}'이라는 벡터 저장소가 없습니다. 먼저 만들거나, vector_store를 빼고 "
                            "'documents'에 물어보세요.",
                            name));
}

service::AnswerStart start(Services& services, AnswerCall& call) {
    std::string& store = call.request.collection_id;
    if (store.empty() && call.store_named) store = store_named(services, call.store_name);
    if (store.empty()) store = services.collections.get_or_create(call.store_name).id;
    return services.answers.start(call.request);
}

/// The model's words, if it speaks at all: nothing was found otherwise.
Choices words_of(service::AnswerStart& start) {
    std::vector<service::Generation> generations;
    if (start.generation) generations.push_back(std::move(*start.generation));
    return Choices(std::move(generations));
}

AnswerHead head_of(Services& services, const AnswerCall& call, const Choices& words) {
    std::string model = call.request.model;
    if (words.size() > 0) model = words.at(0).model();
    if (model.empty()) model = services.chat.default_model();
    return {make_id("answer_"), now_seconds(), std::move(model)};
}

std::string delta_event(std::string_view text) {
    return json_text(json::object{{"type", "answer.delta"}, {"text", text}});
}

/// One answer under way.
struct Answering {
    AnswerHead head;
    service::AnswerStart start;
    Choices words;
};

net::awaitable<json::object> finish(Services& services, Answering& answer, Responder& responder,
                                    std::string generated) {
    const service::AnswerEnd end = co_await responder.offload(
        [&] { return services.answers.finish(answer.start, generated); });
    co_return answer_json(answer.head, answer.start, end, answer.words.usage(1));
}

net::awaitable<void> send_whole(Services& services, Answering& answer, Responder& responder) {
    std::string generated;
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await answer.words.next();
        if (!arrival) break;
        if (arrival->piece) generated += arrival->piece->text;
    }
    const json::object whole = co_await finish(services, answer, responder, std::move(generated));
    http::Reply reply = json_reply(whole);
    if (answer.words.size() > 0) reply.headers.push_back(cache_header(answer.words.cache()));
    co_await responder.send(std::move(reply));
}

net::awaitable<void> send_events(Services& services, Answering& answer, Responder& responder,
                                 Sse& sse) {
    const json::object opening = {{"type", "answer.start"},
                                  {"found", answer.start.found},
                                  {"citations", citations_json(answer.start.citations)}};
    co_await sse.send(json_text(opening));
    std::string generated;
    while (true) {
        const std::optional<Choices::Arrival> arrival = co_await answer.words.next();
        if (!arrival) break;
        if (!arrival->piece || arrival->piece->text.empty()) continue;
        generated += arrival->piece->text;
        co_await sse.send(delta_event(arrival->piece->text));
    }
    const json::object whole = co_await finish(services, answer, responder, std::move(generated));
    // Without a model's words, what completes the answer is its only text: a reader of deltas
    // alone must see it as well.
    if (!answer.start.found) co_await sse.send(delta_event(whole.at("text").as_string()));
    json::object last = {{"type", "answer.completed"}};
    last.insert(whole.begin(), whole.end());
    co_await sse.send(json_text(last));
}

net::awaitable<void> answers(Services& services, Call& call, Responder& responder) {
    AnswerCall parsed;
    service::AnswerStart started = co_await responder.offload([&] {
        parsed = parse_answer(call);
        return start(services, parsed);
    });
    Choices words = words_of(started);
    AnswerHead head = head_of(services, parsed, words);
    Answering answer{std::move(head), std::move(started), std::move(words)};
    if (!parsed.stream) {
        co_await send_whole(services, answer, responder);
        co_return;
    }
    Sse sse = co_await open_stream(answer.words, responder);
    co_await guarded(send_events(services, answer, responder, sse), call, sse);
}

}  // namespace

void add_answers(http::Router& router, Services& services) {
    router.add_streaming("POST", "/v1/answers", http::Access::kKey,
                         [&services](Call& call, Responder& responder) {
                             return answers(services, call, responder);
                         });
}

}  // namespace jikji::api
