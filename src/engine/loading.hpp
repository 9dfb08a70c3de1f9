#pragma once
// Brings models into memory: makes room among those that are there, reads weights in a thread of
// its own, and makes the lane. One after the other, while the compute thread goes on with its
// steps: a load must not stop the streams of other models.
// Threads: the compute thread, but for the constructor.
#include <chrono>
#include <functional>
#include <future>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "engine/registry.hpp"

namespace jikji::engine {

class Loading {
public:
    using Promise = std::promise<LoadedPtr>;
    /// All that is given must outlive it. `wake`: called from another thread when advance() has
    /// something to do.
    Loading(Registry& registry, const EngineOptions& options, PrefixCache& cache,
            std::function<void()> wake);
    /// Waits for a load that runs. What is still wanted ends with Error(kStopping).
    ~Loading();
    Loading(const Loading&) = delete;
    Loading& operator=(const Loading&) = delete;

    /// The promise gets the model, or Error(kModelNotFound), or why it cannot be loaded: kRejected,
    /// kInvalidArgument if it does not fit, kOverloaded if others computed for too long that would
    /// have had to leave; or, once its patience is over, kTimeout or kCancelled. Each request tries
    /// again. What nobody wants any more is not begun; what runs is finished.
    void want(const std::string& name, Promise promise, Patience patience = {});
    /// Between two steps.
    void advance();
    /// Somebody waits, for models that compute to end or with a patience that may: advance() has to
    /// be called again soon.
    bool waits() const { return !wanted_.empty() || (running_ && !running_->wanted.asks.empty()); }
    /// Ends what is wanted; a load that runs goes on for whoever comes next.
    void fail_all(const std::exception_ptr& cause);

private:
    using Clock = std::chrono::steady_clock;
    struct Ask {
        Promise promise;
        Patience patience;
    };
    struct Wanted {
        std::string name;
        std::vector<Ask> asks;
        std::optional<LaneNeed> need;  // once it was looked at
        Clock::time_point patience;    // until then others may go on computing
    };
    struct Running {
        Wanted wanted;
        std::future<Prepared> prepared;
        std::jthread thread;  // joins
    };

    void end_unwanted();
    bool begin(Wanted& wanted);
    struct Job {
        ModelFile file, base;
        WeightsPtr shared;  // null: they have to be read
        std::uint64_t panel_bytes_most = 0;
    };
    void read(Wanted& wanted, Job job);
    void finish();
    static void give(Wanted& wanted, const LoadedPtr& loaded);
    static void fail(Wanted& wanted, const std::exception_ptr& cause);
    MemoryLimit limit() const;

    Registry& registry_;
    const EngineOptions& options_;
    PrefixCache& cache_;
    std::function<void()> wake_;
    std::list<Wanted> wanted_;
    std::unique_ptr<Running> running_;
};

}  // namespace jikji::engine
