#pragma once
// The database file: one writer connection that does every write and every checkpoint (SQLite's
// WAL-reset bug, docs/decisions), readers that can do neither. Opening migrates.
//
// Threads  any. write() calls run one after the other; read() calls run beside them and see the
//          last commit.
#include <filesystem>
#include <functional>
#include <memory>

namespace jikji::storage {

class Connection;  // storage/connection.hpp; what the tables take

class Database {
public:
    /// Opens or makes the file. Throws Error(kConflict) if a newer Jikji has written it, and
    /// Error(kInternal) if it is damaged.
    explicit Database(const std::filesystem::path& file);
    ~Database();

    /// One transaction: commits (synced) when `work` returns, rolls back when it throws.
    /// Error(kDiskFull) if the disk is full; nothing of the transaction stays then.
    void write(const std::function<void(Connection&)>& work);

    /// One consistent view.
    void read(const std::function<void(Connection&)>& work) const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jikji::storage
