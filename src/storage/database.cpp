#include "storage/database.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <atomic>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/log.hpp"
#include "storage/connection.hpp"
#include "storage/migrate.hpp"
#include "storage/transaction.hpp"

namespace jikji::storage {
namespace {

constexpr int kCheckpointPages = 1000;   // of the write-ahead log: 4 MB
constexpr std::size_t kIdleReaders = 4;  // connections kept open

}  // namespace

class Database::Impl {
public:
    explicit Impl(const std::filesystem::path& file)
        : file_(file), writer_(std::make_unique<Connection>(file, Connection::Role::kWriter)) {
        migrate(*writer_, file_, migrations());
        refresh_full_text(*writer_);
        sqlite3_wal_hook(writer_->handle(), note_pages, &wal_pages_);
    }

    ~Impl() {
        readers_.clear();
        checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
        writer_.reset();  // last: the one that may checkpoint
    }

    void write(const std::function<void(Connection&)>& work) {
        JIKJI_CHECK(writing_ != std::this_thread::get_id());  // would wait for itself
        const std::lock_guard lock(write_mutex_);
        const Mark mark(writing_);
        Transaction transaction(*writer_, Transaction::Kind::kWrite);
        work(*writer_);
        transaction.commit();
        if (wal_pages_ >= kCheckpointPages) checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    }

    void read(const std::function<void(Connection&)>& work) {
        const Lease lease(*this);
        Transaction transaction(*lease.reader, Transaction::Kind::kRead);
        work(*lease.reader);
        transaction.commit();
    }

private:
    struct Mark {
        explicit Mark(std::atomic<std::thread::id>& writing) : writing_(writing) {
            writing_ = std::this_thread::get_id();
        }
        ~Mark() { writing_ = std::thread::id(); }
        std::atomic<std::thread::id>& writing_;
    };

    // A reader for one read(); there are as many as threads that read at the same time.
    struct Lease {
        explicit Lease(Impl& impl) : owner(impl), reader(impl.take_reader()) {}
        ~Lease() { owner.give_back(std::move(reader)); }
        Impl& owner;
        std::unique_ptr<Connection> reader;
    };

    std::unique_ptr<Connection> take_reader() {
        {
            const std::lock_guard lock(readers_mutex_);
            if (!readers_.empty()) {
                auto reader = std::move(readers_.back());
                readers_.pop_back();
                return reader;
            }
        }
        return std::make_unique<Connection>(file_, Connection::Role::kReader);
    }

    void give_back(std::unique_ptr<Connection> reader) noexcept {
        if (reader->in_transaction()) return;  // its rollback failed: do not use it again
        const std::lock_guard lock(readers_mutex_);
        if (readers_.size() < kIdleReaders) readers_.push_back(std::move(reader));
    }

    static int note_pages(void* pages, sqlite3*, const char*, int count) noexcept {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
    }

    // By hand and not by wal_autocheckpoint, which keeps a failed sync to itself. The commits are
    // safe in the log whatever happens here.
    void checkpoint(int mode) noexcept {
        wal_pages_ = 0;
        const int result =
            sqlite3_wal_checkpoint_v2(writer_->handle(), nullptr, mode, nullptr, nullptr);
        if (result == SQLITE_OK || result == SQLITE_BUSY) return;
        log_error({}, fmt::format("database checkpoint: {}", sqlite3_errmsg(writer_->handle())));
    }

    std::filesystem::path file_;
    std::mutex write_mutex_;
    std::atomic<std::thread::id> writing_{};
    std::unique_ptr<Connection> writer_;
    int wal_pages_ = 0;  // written by the hook, in the writing thread
    std::mutex readers_mutex_;
    std::vector<std::unique_ptr<Connection>> readers_;
};

Database::Database(const std::filesystem::path& file) : impl_(std::make_unique<Impl>(file)) {}

Database::~Database() = default;

void Database::write(const std::function<void(Connection&)>& work) { impl_->write(work); }

void Database::read(const std::function<void(Connection&)>& work) const { impl_->read(work); }

}  // namespace jikji::storage
