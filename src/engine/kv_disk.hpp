#pragma once
// The disk under the prefix tree: one file a block in one folder, written and read by a thread of
// its own, so that the compute thread never waits for a disk.
//
// Files    mode 0600, `<id>.kv`: they hold what people wrote. Written under another name and then
//          renamed; not synced, because a file that a power loss damaged is recognised by its
//          digests and taken out. The folder is ours: what else lies in it is taken out as well.
// Failure  a full or broken disk is one line in the log and an answer "not there"; for a while
//          nothing is written then.
// Threads  the methods: one thread (the engine's compute thread). One process per folder (the data
//          folder's lock sees to that).
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "engine/kv_file.hpp"

namespace jikji::engine {

struct KvDiskOptions {
    std::filesystem::path folder;
    /// From store() to the writing: what is replaced or dropped meanwhile is never written.
    std::chrono::milliseconds delay{1000};
    std::chrono::milliseconds pause_after_failure{60'000};
    std::uint64_t pending_bytes_max = 128u << 20;  // handed over, not yet written
    std::uint64_t free_bytes_min = 256u << 20;     // left to others on the disk
    /// How a file is written; tests put a failing disk here. Throws what went wrong.
    std::function<void(const std::filesystem::path&, std::string_view, std::string_view)> write;
};

class KvDisk {
public:
    using State = std::shared_ptr<const std::string>;

    explicit KvDisk(KvDiskOptions options);  // begins to look at the folder
    ~KvDisk();                               // writes what is pending, for two seconds at most

    /// From here on load() gives it back, written or not. False: too much is pending already.
    bool store(KvHeader header, State state);
    void load(const std::string& id);
    void remove(const std::string& id);

    /// What happened since the last call.
    struct Event {
        enum class Kind { kFound, kLoaded, kLost, kScanned } kind;
        std::string id;        // kLoaded, kLost
        KvHeader header;       // kFound: a file from before; parents come before what follows them
        State state;           // kLoaded
        double freshness = 1;  // kFound: 0..1, in the order of last use
    };
    std::vector<Event> events();

    /// Waits until events() would give something, at most so long.
    void wait(std::chrono::milliseconds longest);

    /// Waits until all that was asked is done, the delayed writing too. For tests.
    void settle();

private:
    using Clock = std::chrono::steady_clock;
    struct Pending {
        KvHeader header;
        State state;
        Clock::time_point due;
    };
    struct Job {
        enum class Kind { kLoad, kRemove } kind;
        std::string id;
    };

    void run();
    void turn(std::unique_lock<std::mutex>& lock);
    void finish(std::unique_lock<std::mutex>& lock);
    void scan();
    std::vector<Event> old_files() const;
    void do_job(const Job& job, std::unique_lock<std::mutex>& lock);
    void write_oldest(std::unique_lock<std::mutex>& lock);
    bool write_file(const Pending& pending);
    State read_file(const std::string& id) const;
    std::filesystem::path path_of(const std::string& id) const;
    void tell(Event event);  // requires: mutex_ is held
    bool write_is_due() const;
    void drop_pending(const std::string& id);

    KvDiskOptions options_;
    std::mutex mutex_;
    std::condition_variable work_;
    std::condition_variable news_;
    std::list<Pending> pending_;  // oldest first
    std::uint64_t pending_bytes_ = 0;
    std::list<Job> jobs_;
    std::vector<Event> events_;
    Clock::time_point no_writing_until_{};
    bool settling_ = false;
    bool busy_ = true;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace jikji::engine
