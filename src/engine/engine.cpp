#include "engine/engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "base/error.hpp"
#include "base/log.hpp"
#include "engine/chat_rendering.hpp"
#include "engine/checks.hpp"
#include "engine/loading.hpp"
#include "engine/registry.hpp"
#include "llama/devices.hpp"
#include "llama/log.hpp"
#include "text/normalise.hpp"

namespace jikji::engine {

namespace {

PrefixCacheOptions cache_options(const EngineOptions& options) {
    PrefixCacheOptions out;
    out.memory_bytes_max = options.cache_memory_bytes;
    out.disk_bytes_max = options.cache_disk_bytes;
    out.disk.folder = options.cache_folder;
    return out;
}

}  // namespace

class Engine::Impl {
public:
    explicit Impl(EngineOptions options)
        : options_(std::move(options)),
          room_(static_cast<int>(options_.queue), static_cast<int>(options_.queue_of_one_tenant)),
          embedding_room_(static_cast<int>(options_.queue),
                          static_cast<int>(options_.queue_of_one_tenant)),
          prefixes_(cache_options(options_)) {
        llama::capture_log();
        thread_ = std::thread([this] { run(); });
    }

    ~Impl() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        changed_.notify_all();
        thread_.join();
    }

    Registry& registry() { return registry_; }
    const Registry& registry() const { return registry_; }

    void remove_model(const std::string& name) {
        registry_.remove(name);
        post([] {});  // a step in which it is freed
    }

    LoadedPtr require(const std::string& name, const Patience& patience = {}) {
        if (LoadedPtr loaded = registry_.use(name)) return loaded;
        auto promise = std::make_shared<Loading::Promise>();  // a task has to be copyable
        auto future = promise->get_future();
        post([this, name, promise, patience] {
            loading_.want(name, std::move(*promise), patience);
        });
        return from_compute_thread(future);
    }

    PrefixCacheStats prefix_cache() const { return prefixes_.stats(); }

    void forget(const std::string& tenant) {
        auto done = std::make_shared<std::promise<void>>();
        auto future = done->get_future();
        post([this, tenant, done] {
            try {
                prefixes_.forget(tenant);
                for (const LoadedPtr& loaded : registry_.resident()) {
                    if (loaded->embedder) loaded->embedder->forget(tenant);
                }
                done->set_value();
            } catch (...) {
                done->set_exception(std::current_exception());
            }
        });
        from_compute_thread(future);
    }

    ModelStatus status(const std::string& name, const Patience& patience) {
        throw_if_over(patience);
        const LoadedPtr loaded = require(name, patience);
        return registry_.status(name);
    }

    Stream submit(GenerationRequest request) {
        if (deadline_ != kNever) std::rethrow_exception(stopping_error());
        const LoadedPtr loaded = require(request.model, {request.deadline, nullptr});
        check(request, *loaded);
        struct Handed {  // a task has to be copyable
            GenerationRequest request;
            WaitingRoom::Place place;
        };
        auto handed = std::make_shared<Handed>();
        handed->place = room_.take(request.tenant);
        handed->request = std::move(request);
        auto writer = std::make_shared<StreamWriter>();
        Stream stream(writer);
        post([loaded, handed, writer] {
            try {
                loaded->generator->add(std::move(handed->request), writer,
                                       std::move(handed->place));
            } catch (...) {
                writer->fail(std::current_exception());
            }
        });
        return stream;
    }

    std::future<EmbeddingResult> start_embedding(EmbeddingRequest request,
                                                 std::function<void()> ready) {
        const LoadedPtr loaded = require(request.model, request.patience);
        check(request, *loaded);
        auto delivery = std::make_shared<EmbeddingDelivery>();  // a task has to be copyable
        delivery->ready = std::move(ready);
        delivery->place = embedding_room_.take(request.tenant);
        auto future = delivery->promise.get_future();
        post([loaded, delivery, request = std::move(request)]() mutable {
            loaded->embedder->add(std::move(request), std::move(*delivery));
        });
        return future;
    }

    EmbeddingResult embed(EmbeddingRequest request) {
        auto future = start_embedding(std::move(request), {});
        return from_compute_thread(future);
    }

    void drain_until(std::chrono::steady_clock::time_point deadline) {
        deadline_ = deadline.time_since_epoch().count();
    }

    EngineStats stats() const {
        const std::lock_guard lock(stats_mutex_);
        EngineStats out = stats_;
        out.waiting += room_.waiting();
        return out;
    }

private:
    template <class T>
    T from_compute_thread(std::future<T>& future) {
        try {
            return future.get();
        } catch (const std::future_error&) {  // nobody kept the promise
            const std::lock_guard lock(mutex_);
            if (stopping_) std::rethrow_exception(stopping_error());
            throw Error(ErrorCode::kInternal, "the compute thread let a request fall: see the log");
        }
    }

    void post(std::function<void()> task) {
        {
            const std::lock_guard lock(mutex_);
            tasks_.push_back(std::move(task));
        }
        changed_.notify_one();
    }

    // From here on: the compute thread.

    void run() {
        while (wait_for_work()) {
            run_tasks();
            guarded("a turn of all models", [this] { turn(); });
        }
        run_tasks();  // what was handed over just now must end as well, not wait for ever
        loading_.fail_all(stopping_error());
        registry_.clear();  // the lanes end their requests as cancelled, here, in their own thread
    }

    void turn() {
        loading_.advance();
        end_if_draining();
        registry_.note_use();
        const int lanes = busy_generators();
        for (const LoadedPtr& loaded : registry_.resident()) {
            step(*loaded, {.lanes = lanes, .answers = others_answer(*loaded)});
        }
        publish();
        restless_ = !registry_.sweep() || loading_.waits();
    }

    /// The thread has nobody above it: what goes wrong with one thing must not end the others.
    template <class Work>
    static void guarded(const char* what, const Work& work) noexcept {
        try {
            work();
        } catch (const std::exception& cause) {
            log_error("", std::string(what) + " failed: " + cause.what());
        }
    }

    bool busy() const {
        const auto& all = registry_.resident();
        return std::any_of(all.begin(), all.end(),
                           [](const LoadedPtr& loaded) { return !loaded->idle(); });
    }

    bool wait_for_work() {
        constexpr auto kSoon = std::chrono::milliseconds(5);
        std::unique_lock lock(mutex_);
        if (busy()) return !stopping_;
        const auto called = [&] { return stopping_ || !tasks_.empty(); };
        if (restless_) {
            changed_.wait_for(lock, kSoon, called);
        } else {
            changed_.wait(lock, called);
        }
        return !stopping_;
    }

    void run_tasks() {
        std::deque<std::function<void()>> tasks;
        {
            const std::lock_guard lock(mutex_);
            tasks.swap(tasks_);
        }
        for (auto& task : tasks) guarded("what was handed over", task);
    }

    int busy_generators() const {
        const auto& all = registry_.resident();
        return static_cast<int>(std::count_if(all.begin(), all.end(), [](const LoadedPtr& loaded) {
            return loaded->generator && !loaded->generator->idle();
        }));
    }

    bool others_answer(const LoadedModel& one) const {
        const auto& all = registry_.resident();
        return std::any_of(all.begin(), all.end(), [&](const LoadedPtr& other) {
            return other.get() != &one && other->generator && other->generator->answering();
        });
    }

    void step(LoadedModel& loaded, const Beside& beside) {
        if (loaded.generator && !loaded.generator->idle()) {
            const auto start = std::chrono::steady_clock::now();
            try {
                loaded.generator->step(beside);
            } catch (const std::exception& cause) {
                log_error("", fmt::format("a step failed: {}", cause.what()));
                const auto why = std::current_exception();
                guarded("ending its sequences", [&] { loaded.generator->fail_running(why); });
            }
            step_ms_ =
                std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                    .count();
        }
        if (loaded.embedder) loaded.embedder->step();
    }

    void end_if_draining() {
        if (std::chrono::steady_clock::now().time_since_epoch().count() < deadline_) return;
        loading_.fail_all(stopping_error());
        for (const LoadedPtr& loaded : registry_.resident()) {
            if (loaded->generator) loaded->generator->fail_all(stopping_error());
            if (loaded->embedder) loaded->embedder->fail_all(stopping_error());
        }
    }

    void publish() {
        EngineStats now;
        for (const LoadedPtr& loaded : registry_.resident()) {
            if (loaded->embedder) {
                now.embedded += loaded->embedder->computed();
                now.embedded_cached += loaded->embedder->cached();
            }
            if (!loaded->generator) continue;
            const Generator::Counters& counters = loaded->generator->counters();
            now.swapped_out += loaded->generator->swapped_out();
            now.running += loaded->generator->running();
            now.swaps += counters.swapped;
            now.step_tokens += counters.step_tokens;
            now.drafted += counters.drafted;
            now.held += counters.held;
            now.queue_wait_seconds = std::max(now.queue_wait_seconds, counters.wait_seconds);
            now.busy_seconds += loaded->generator->seconds_left();
        }
        now.waiting = now.swapped_out;
        now.step_ms = step_ms_;
        room_.predict(std::chrono::milliseconds(static_cast<std::int64_t>(now.busy_seconds * 1e3)));
        const std::lock_guard lock(stats_mutex_);
        stats_ = now;
    }

    EngineOptions options_;
    WaitingRoom room_;  // outlives the sequences that have places in it
    WaitingRoom embedding_room_;
    PrefixCache prefixes_;  // compute thread
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::function<void()>> tasks_;
    bool stopping_ = false;
    static constexpr auto kNever = std::chrono::steady_clock::duration::max().count();
    std::atomic<std::chrono::steady_clock::rep> deadline_{kNever};  // of draining
    Registry registry_;
    Loading loading_{registry_, options_, prefixes_, [this] { post([] {}); }};  // compute thread
    bool restless_ = false;  // compute thread: has to look again soon
    double step_ms_ = 0;     // compute thread
    mutable std::mutex stats_mutex_;
    EngineStats stats_;
    std::thread thread_;
};

std::vector<Device> devices() {
    std::vector<Device> out;
    for (auto& one : llama::devices()) {
        out.push_back({std::move(one.name), std::move(one.description), one.free, one.total});
    }
    return out;
}

std::string in_words(const GpuShare& share) {
    if (share.on_gpu == 0) return "CPU";
    std::string names;
    for (const Device& device : devices()) names += (names.empty() ? "" : ", ") + device.name;
    return fmt::format("{}: {} of {} layers", names, share.on_gpu, share.layers);
}

Engine::Engine(EngineOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Engine::~Engine() = default;

void Engine::add_model(ModelFile file) { impl_->registry().add(std::move(file)); }
void Engine::remove_model(const std::string& name) { impl_->remove_model(name); }
void Engine::keep(const std::string& name, Keep how) { impl_->registry().keep(name, how); }
void Engine::load(const std::string& name) { impl_->require(name); }
std::vector<ModelStatus> Engine::models() const { return impl_->registry().statuses(); }
ModelStatus Engine::require(const std::string& name, const Patience& patience) {
    return impl_->status(name, patience);
}
Stream Engine::submit(GenerationRequest request) { return impl_->submit(std::move(request)); }
EmbeddingResult Engine::embed(EmbeddingRequest request) { return impl_->embed(std::move(request)); }
std::future<EmbeddingResult> Engine::start_embedding(EmbeddingRequest request,
                                                     std::function<void()> ready) {
    return impl_->start_embedding(std::move(request), std::move(ready));
}
EngineStats Engine::stats() const { return impl_->stats(); }
PrefixCacheStats Engine::prefix_cache() const { return impl_->prefix_cache(); }
void Engine::forget(const std::string& tenant) { impl_->forget(tenant); }

void Engine::drain_until(std::chrono::steady_clock::time_point deadline) {
    impl_->drain_until(deadline);
}

std::vector<Token> Engine::tokenize(const std::string& model, std::string_view text, bool special) {
    return impl_->require(model)->model->tokenize(text, /*whole=*/true, special);
}

std::string Engine::detokenize(const std::string& model, const std::vector<Token>& tokens) {
    return impl_->require(model)->model->detokenize(tokens);
}

std::vector<Token> Engine::tokenize_for_embedding(const std::string& model, std::string_view text,
                                                  Side side, bool cut) {
    const LoadedPtr loaded = impl_->require(model);
    std::string whole = impl_->registry().prefix(model, side) + std::string(text);
    // BERT's own normaliser decomposes; libllama's leaves Hangul syllables whole, which its
    // vocabulary hardly has (Korean on all-MiniLM falls to a cosine of 0.5). E5 wants NFKC.
    whole = loaded->model->wordpiece() ? text::nfd(whole) : text::nfkc(whole);
    std::vector<Token> tokens = loaded->model->tokenize(whole, /*whole=*/true, /*special=*/false);
    const auto room = static_cast<std::size_t>(loaded->context);
    if (tokens.size() <= room) return tokens;
    if (!cut) throw_too_long(loaded->context, static_cast<int>(tokens.size()), "input");
    tokens[room - 1] = tokens.back();  // the closing special token stays
    tokens.resize(room);
    return tokens;
}

std::vector<Token> Engine::render(const std::string& model, const std::vector<Message>& messages) {
    std::vector<llama::Turn> turns;
    for (const Message& message : messages) turns.push_back({message.role, message.content});
    return impl_->require(model)->model->render(turns);
}

Rendered Engine::render_chat(const std::string& model, const ChatInput& input) {
    return engine::render_chat(*impl_->require(model)->model, input);
}

}  // namespace jikji::engine
