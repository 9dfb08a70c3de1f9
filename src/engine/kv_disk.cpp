#include "engine/kv_disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

namespace jikji::engine {
namespace fs = std::filesystem;
namespace {

constexpr const char* kSuffix = ".kv";
constexpr auto kFlush = std::chrono::seconds(2);  // at the end

void write_all(int fd, std::string_view bytes, const fs::path& path) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno(errno, "writing", path);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

void write_private(const fs::path& path, std::string_view header, std::string_view state) {
    const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) throw_errno(errno, "creating", path);
    write_all(fd.get(), header, path);
    write_all(fd.get(), state, path);
}

/// Up to `count` bytes; fewer at the end of the file or on an error.
std::string read_bytes(int fd, std::size_t count) {
    std::string out(count, '\0');
    std::size_t at = 0;
    while (at < count) {
        const ssize_t n = ::read(fd, out.data() + at, count - at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        at += static_cast<std::size_t>(n);
    }
    out.resize(at);
    return out;
}

std::optional<KvHeader> read_header(int fd) {
    std::string bytes = read_bytes(fd, kKvFixedBytes);
    const auto size = kv_header_size(bytes);
    if (!size) return {};
    bytes += read_bytes(fd, *size - bytes.size());
    return read_kv_header(bytes);
}

std::uint64_t bytes_left(int fd) {
    struct stat info {};
    const auto here = ::lseek(fd, 0, SEEK_CUR);
    if (here < 0 || ::fstat(fd, &info) != 0 || info.st_size < here) return 0;
    return static_cast<std::uint64_t>(info.st_size - here);
}

/// The thread has nobody above it: what goes wrong with one thing is a line in the log.
void guarded(const std::function<void()>& work) noexcept {
    try {
        work();
    } catch (const std::exception& cause) {
        log_warn(std::string("the prefix cache on the disk: ") + cause.what());
    }
}

/// As far as the disk can be read.
void for_each_file(const fs::path& folder,
                   const std::function<void(const fs::directory_entry&)>& each) {
    std::error_code failed;
    fs::directory_iterator at(folder, failed);
    for (; !failed && at != fs::directory_iterator(); at.increment(failed)) each(*at);
    if (failed) log_warn(fmt::format("{} cannot be read: {}", folder.string(), failed.message()));
}

/// The header of a file that is all there, as far as its size says, and when it was used last.
struct OldFile {
    KvHeader header;
    std::int64_t used_ns = 0;
};

std::optional<OldFile> look_at(const fs::path& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    struct stat info {};
    if (!fd || ::fstat(fd.get(), &info) != 0) return {};
    auto header = read_header(fd.get());
    if (!header || path.filename() != header->id + kSuffix) return {};
    if (bytes_left(fd.get()) != header->state_bytes) return {};
    return OldFile{std::move(*header),
                   std::int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec};
}

}  // namespace

KvDisk::KvDisk(KvDiskOptions options) : options_(std::move(options)) {
    if (!options_.write) options_.write = write_private;
    thread_ = std::thread([this] { run(); });
}

KvDisk::~KvDisk() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    work_.notify_all();
    thread_.join();
}

bool KvDisk::store(KvHeader header, State state) {
    const std::lock_guard lock(mutex_);
    if (pending_bytes_ + state->size() > options_.pending_bytes_max) return false;
    if (Clock::now() < no_writing_until_) return false;
    pending_bytes_ += state->size();
    pending_.push_back({std::move(header), std::move(state), Clock::now() + options_.delay});
    work_.notify_all();
    return true;
}

void KvDisk::load(const std::string& id) {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({Job::Kind::kLoad, id});
    work_.notify_all();
}

void KvDisk::remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    drop_pending(id);
    jobs_.push_back({Job::Kind::kRemove, id});
    work_.notify_all();
}

void KvDisk::drop_pending(const std::string& id) {
    std::erase_if(pending_, [&](const Pending& pending) {
        if (pending.header.id != id) return false;
        pending_bytes_ -= pending.state->size();
        return true;
    });
}

std::vector<KvDisk::Event> KvDisk::events() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
}

void KvDisk::wait(std::chrono::milliseconds longest) {
    std::unique_lock lock(mutex_);
    news_.wait_for(lock, longest, [&] { return !events_.empty(); });
}

void KvDisk::settle() {
    std::unique_lock lock(mutex_);
    settling_ = true;
    work_.notify_all();
    news_.wait(lock, [&] { return jobs_.empty() && pending_.empty() && !busy_; });
    settling_ = false;
}

void KvDisk::tell(Event event) {
    events_.push_back(std::move(event));
    news_.notify_all();
}

fs::path KvDisk::path_of(const std::string& id) const { return options_.folder / (id + kSuffix); }

bool KvDisk::write_is_due() const {
    return !pending_.empty() && (settling_ || pending_.front().due <= Clock::now());
}

void KvDisk::run() {
    scan();
    std::unique_lock lock(mutex_);
    while (!stopping_) {
        guarded([&] { turn(lock); });
        if (!lock.owns_lock()) lock.lock();
    }
    guarded([&] { finish(lock); });
}

void KvDisk::turn(std::unique_lock<std::mutex>& lock) {
    busy_ = true;
    if (!jobs_.empty()) {  // somebody may be waiting for these
        const Job job = std::move(jobs_.front());
        jobs_.pop_front();
        return do_job(job, lock);
    }
    if (write_is_due()) return write_oldest(lock);
    busy_ = false;
    news_.notify_all();
    if (pending_.empty()) return work_.wait(lock);
    const auto due = pending_.front().due;  // it may go while this waits
    work_.wait_until(lock, due);
}

void KvDisk::finish(std::unique_lock<std::mutex>& lock) {
    const auto end = Clock::now() + kFlush;
    for (const Job& job : jobs_) {
        if (job.kind != Job::Kind::kLoad) do_job(job, lock);
    }
    while (!pending_.empty() && Clock::now() < end) write_oldest(lock);
}

void KvDisk::do_job(const Job& job, std::unique_lock<std::mutex>& lock) {
    State state;
    if (job.kind == Job::Kind::kLoad) {
        for (const Pending& pending : pending_) {
            if (pending.header.id == job.id) state = pending.state;
        }
    }
    lock.unlock();
    guarded([&] {
        std::error_code ignored;
        if (job.kind == Job::Kind::kRemove) fs::remove(path_of(job.id), ignored);
        if (job.kind == Job::Kind::kLoad && !state) state = read_file(job.id);
    });
    lock.lock();
    if (job.kind != Job::Kind::kLoad) return;
    using Kind = Event::Kind;
    tell({state ? Kind::kLoaded : Kind::kLost, job.id, {}, state});
}

KvDisk::State KvDisk::read_file(const std::string& id) const {
    const fs::path path = path_of(id);
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return nullptr;
    const auto header = read_header(fd.get());
    if (header && header->id == id && header->state_bytes == bytes_left(fd.get())) {
        auto state = std::make_shared<const std::string>(read_bytes(fd.get(), header->state_bytes));
        if (state_is_whole(*header, *state)) {
            ::futimens(fd.get(), nullptr);  // used now
            return state;
        }
    }
    log_warn(fmt::format("{} is damaged; it is taken out, and its tokens are computed again",
                         path.string()));
    std::error_code ignored;
    fs::remove(path, ignored);
    return nullptr;
}

void KvDisk::write_oldest(std::unique_lock<std::mutex>& lock) {
    const Pending pending = pending_.front();  // load() still finds it while it is being written
    lock.unlock();
    const bool written = write_file(pending);
    lock.lock();
    const auto same = [&](const Pending& other) { return other.state == pending.state; };
    const auto found = std::find_if(pending_.begin(), pending_.end(), same);
    const bool wanted = found != pending_.end();
    if (wanted) {
        pending_bytes_ -= found->state->size();
        pending_.erase(found);
    }
    if (!written) {
        no_writing_until_ = Clock::now() + options_.pause_after_failure;
        if (wanted) tell({Event::Kind::kLost, pending.header.id, {}, nullptr});
        for (const Pending& other : pending_) {
            tell({Event::Kind::kLost, other.header.id, {}, nullptr});
        }
        pending_.clear();
        pending_bytes_ = 0;
    }
}

bool KvDisk::write_file(const Pending& pending) {
    const fs::path path = path_of(pending.header.id);
    const fs::path temporary = path.string() + ".part";
    try {
        if (fs::space(options_.folder).available <
            options_.free_bytes_min + pending.state->size()) {
            throw_errno(ENOSPC, "writing", path);
        }
        options_.write(temporary, write_kv_header(pending.header, *pending.state), *pending.state);
        fs::rename(temporary, path);
        return true;
    } catch (const std::exception& cause) {
        std::error_code ignored;
        fs::remove(temporary, ignored);
        log_warn(fmt::format("the prefix cache stays in memory for now: {}", cause.what()));
        return false;
    }
}

void KvDisk::scan() {
    std::vector<Event> found;
    guarded([&] { found = old_files(); });
    const std::lock_guard lock(mutex_);
    for (Event& event : found) events_.push_back(std::move(event));
    tell({Event::Kind::kScanned, {}, {}, nullptr});
}

std::vector<KvDisk::Event> KvDisk::old_files() const {
    std::vector<OldFile> files;
    std::error_code ignored;
    fs::create_directories(options_.folder, ignored);
    fs::permissions(options_.folder, fs::perms::owner_all, ignored);
    for_each_file(options_.folder, [&](const auto& entry) {
        auto file = look_at(entry.path());
        if (file) {
            files.push_back(std::move(*file));
        } else if (!entry.is_directory(ignored)) {
            fs::remove(entry.path(), ignored);
        }
    });
    const auto by_use = [](const OldFile& a, const OldFile& b) { return a.used_ns < b.used_ns; };
    std::sort(files.begin(), files.end(), by_use);
    std::vector<Event> found;
    for (OldFile& file : files) {
        const double rank = static_cast<double>(found.size() + 1);
        found.push_back({Event::Kind::kFound,
                         {},
                         std::move(file.header),
                         nullptr,
                         rank / static_cast<double>(files.size())});
    }
    const auto by_start = [](const Event& a, const Event& b) {
        return a.header.start < b.header.start;
    };
    std::stable_sort(found.begin(), found.end(), by_start);
    return found;
}

}  // namespace jikji::engine
