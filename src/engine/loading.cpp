#include "engine/loading.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <system_error>

#include "base/log.hpp"
#include "base/progress.hpp"
#include "engine/checks.hpp"
#include "models/machine_memory.hpp"

namespace jikji::engine {
namespace {

constexpr std::uint64_t kReserve = 256u << 20;  // documents, answers, the program

std::exception_ptr out_of_memory(const std::string& name) {
    return std::make_exception_ptr(Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the memory gave out while the model '{}' was being loaded; take a smaller "
                    "quantisation or a smaller --context",
                    name),
        "model",
        fmt::format("모델 '{}'을(를) 불러오다 메모리가 모자랐습니다. 더 작은 양자화나 더 작은 "
                    "--context를 쓰세요.",
                    name)));
}

[[noreturn]] void throw_no_thread(const std::string& name, const std::system_error& cause) {
    Error error(
        ErrorCode::kOverloaded,
        fmt::format("the model '{}' could not be loaded, because the system gave no thread "
                    "for it ({}); try again, or raise the limit of processes",
                    name, cause.what()),
        "model",
        fmt::format("시스템이 스레드를 주지 않아({}) 모델 '{}'을(를) 불러오지 못했습니다. 다시 "
                    "시도하거나 프로세스 한도를 올리세요.",
                    cause.what(), name));
    throw error.retry_after(std::chrono::seconds(5));
}

std::exception_ptr in_words(const std::string& name) {  // in a handler
    try {
        throw;
    } catch (const std::bad_alloc&) {
        return out_of_memory(name);
    } catch (...) {
        return std::current_exception();
    }
}

}  // namespace

Loading::Loading(Registry& registry, const EngineOptions& options, PrefixCache& cache,
                 std::function<void()> wake)
    : registry_(registry), options_(options), cache_(cache), wake_(std::move(wake)) {}

Loading::~Loading() { fail_all(stopping_error()); }

void Loading::want(const std::string& name, Promise promise, Patience patience) {
    Ask ask{std::move(promise), std::move(patience)};
    auto found = std::find_if(wanted_.begin(), wanted_.end(),
                              [&](const Wanted& one) { return one.name == name; });
    if (running_ && running_->wanted.name == name) {
        running_->wanted.asks.push_back(std::move(ask));
        return;
    }
    if (found == wanted_.end()) {
        wanted_.push_back({name, {}, {}, Clock::now() + options_.load_patience});
        found = std::prev(wanted_.end());
    }
    found->asks.push_back(std::move(ask));
}

void Loading::advance() {
    if (running_ &&
        running_->prepared.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
        finish();
    }
    end_unwanted();
    for (auto one = wanted_.begin(); one != wanted_.end() && !running_;) {
        bool done = true;
        try {
            done = begin(*one);
        } catch (...) {
            fail(*one, in_words(one->name));
        }
        one = done ? wanted_.erase(one) : std::next(one);
    }
}

void Loading::end_unwanted() {
    const auto end = [](Wanted& wanted) {
        std::erase_if(wanted.asks, [](Ask& ask) {
            const std::exception_ptr why = over(ask.patience);
            if (why) ask.promise.set_exception(why);
            return why != nullptr;
        });
        return wanted.asks.empty();
    };
    if (running_) end(running_->wanted);
    std::erase_if(wanted_, end);
}

MemoryLimit Loading::limit() const {
    MemoryLimit out;
    out.fixed = options_.models_memory_bytes;
    out.available = out.fixed > 0 ? 0 : models::memory_available();
    out.held = registry_.bytes_held();
    out.reserve = kReserve + options_.cache_memory_bytes;
    return out;
}

/// False: it has to wait for others.
bool Loading::begin(Wanted& wanted) {
    if (const LoadedPtr loaded = registry_.use(wanted.name)) {
        give(wanted, loaded);
        return true;
    }
    const ModelFile file = registry_.file(wanted.name);
    if (!file.refused.empty()) {
        throw Error(ErrorCode::kConflict, file.refused, "model", file.refused_korean);
    }
    const ModelFile base = registry_.base_of(file);
    if (!wanted.need) wanted.need = memory_wanted(file, base, options_);
    const LaneNeed& need = *wanted.need;
    const WeightsPtr shared = registry_.weights(need.file);
    const Occupant newcomer{.name = wanted.name,
                            .bytes = need.own,
                            .weights = need.file,
                            .weights_bytes = shared ? shared->memory.total() : need.weights};
    const std::uint64_t most = limit().bytes();
    const std::vector<Occupant> loaded = registry_.occupants();
    const RoomPlan plan = make_room(newcomer, most, loaded);
    if (plan.outcome == RoomPlan::Outcome::kBusy && Clock::now() < wanted.patience) return false;
    if (plan.outcome != RoomPlan::Outcome::kFits) {
        throw no_room_error(newcomer, most, loaded, plan.outcome);
    }
    for (const std::string& name : plan.unload) {
        log_info(fmt::format("{} leaves memory for {}", name, wanted.name));
        registry_.unload(name);
    }
    std::vector<Occupant> all = registry_.occupants();
    all.push_back(newcomer);
    const std::uint64_t taken = bytes_of(all);
    if (taken > most) return false;  // somebody took one of them just now
    read(wanted, {file, base, shared, most - taken});
    return true;
}

// Who wants it is handed over last: if no thread can be started, its promises are still there to
// say so.
void Loading::read(Wanted& wanted, Job job) {
    auto running = std::make_unique<Running>();
    std::promise<Prepared> promise;
    running->prepared = promise.get_future();
    auto work = [this, job = std::move(job), promise = std::move(promise)]() mutable {
        try {
            promise.set_value(
                prepare(job.file, job.base, std::move(job.shared), options_, job.panel_bytes_most));
        } catch (...) {
            promise.set_exception(std::current_exception());
        }
        wake_();
    };
    try {
        running->thread = std::jthread(std::move(work));
    } catch (const std::system_error& cause) {
        throw_no_thread(wanted.name, cause);
    }
    running->wanted = std::move(wanted);
    running_ = std::move(running);
}

void Loading::finish() {
    const std::unique_ptr<Running> done = std::move(running_);
    Wanted& wanted = done->wanted;
    try {
        const LoadedPtr loaded = make_lane(done->prepared.get(), options_, cache_);
        registry_.put(wanted.name, loaded);
        log_info(fmt::format("{} is loaded: {}, and {} of weights", wanted.name,
                             bytes_for_people(loaded->memory.total()),
                             bytes_for_people(loaded->weights->memory.total())));
        give(wanted, loaded);
    } catch (...) {
        fail(wanted, in_words(wanted.name));
    }
}

void Loading::give(Wanted& wanted, const LoadedPtr& loaded) {
    for (Ask& ask : wanted.asks) ask.promise.set_value(loaded);
    wanted.asks.clear();
}

void Loading::fail(Wanted& wanted, const std::exception_ptr& cause) {
    for (Ask& ask : wanted.asks) ask.promise.set_exception(cause);
    wanted.asks.clear();
}

void Loading::fail_all(const std::exception_ptr& cause) {
    if (running_) fail(running_->wanted, cause);
    for (Wanted& wanted : wanted_) fail(wanted, cause);
    wanted_.clear();
}

}  // namespace jikji::engine
