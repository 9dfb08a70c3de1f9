// POST /v1/embeddings: parse and tokenise on a worker, wait on none, write the vectors on a worker.
#include "service/embeddings.hpp"

#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <optional>

#include "api/embedding_objects.hpp"
#include "api/services.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace net = boost::asio;
namespace {

/// A bell that outlives its listener: the engine may be done when the client has left, and the IO
/// thread with it.
class Doorbell {
public:
    explicit Doorbell(http::Bell bell) : state_(std::make_shared<State>(std::move(bell))) {}
    Doorbell(Doorbell&&) = default;
    ~Doorbell() {
        if (!state_) return;
        const std::lock_guard lock(state_->mutex);
        state_->bell.reset();
    }
    std::function<void()> button() const {
        return [state = state_] {
            const std::lock_guard lock(state->mutex);
            if (state->bell) state->bell->ring();
        };
    }

private:
    struct State {
        explicit State(http::Bell given) : bell(std::move(given)) {}
        std::mutex mutex;
        std::optional<http::Bell> bell;
    };
    std::shared_ptr<State> state_;
};

/// A request whose vectors are being made.
struct Started {
    std::string model;
    bool base64 = false;
    std::future<engine::EmbeddingResult> vectors;
};

Started start(Services& services, const http::Call& call, std::function<void()> ready) {
    const EmbeddingsCall parsed = parse_embeddings(call);
    const std::string& asked = parsed.request.model;
    return {asked.empty() ? services.embeddings.default_model() : asked, parsed.base64,
            services.embeddings.start(parsed.request, std::move(ready))};
}

// A client that leaves ends the wait; the engine sees it by itself (Call::left).
net::awaitable<void> embeddings(Services& services, http::Call& call, http::Responder& responder) {
    const http::Bell ready = responder.make_bell();
    const Doorbell doorbell(ready);
    Started started =
        co_await responder.offload([&] { return start(services, call, doorbell.button()); });
    co_await ready.wait();
    http::Reply reply = co_await responder.offload([&] {
        http::Reply out;
        out.body = embeddings_body(started.vectors.get(), started.model, started.base64);
        return out;
    });
    co_await responder.send(std::move(reply));
}

}  // namespace

void add_embeddings(http::Router& router, Services& services) {
    router.add_streaming("POST", "/v1/embeddings", http::Access::kKey,
                         [&services](http::Call& call, http::Responder& responder) {
                             return embeddings(services, call, responder);
                         });
}

}  // namespace jikji::api
