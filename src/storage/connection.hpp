#pragma once
// One connection to the database file, with the settings that its role needs. Private to storage,
// and what the tables are made on inside Database::read and Database::write.
//
// Threads  one at a time.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;

namespace jikji::storage {

class Connection {
public:
    /// A writer makes the file and may checkpoint; a reader can do neither (SQLite's WAL-reset bug:
    /// two connections that write or checkpoint at the same time can damage the file).
    enum class Role { kWriter, kReader };

    /// Opens the file and registers the tokenizer `kori`. Throws Error(kInternal) if it cannot.
    Connection(const std::filesystem::path& file, Role role);

    /// Runs statements that have no parameters and whose rows nobody wants.
    void run(std::string_view sql);

    std::int64_t last_row_id() const;  // of the last INSERT
    std::int64_t changes() const;      // rows that the last INSERT, UPDATE or DELETE touched
    bool in_transaction() const;
    Role role() const { return role_; }

    /// For Statement, migrations and tests; nobody else.
    sqlite3* handle() const { return handle_.get(); }

private:
    struct Close {
        void operator()(sqlite3* connection) const noexcept;
    };
    void set_up();

    std::unique_ptr<sqlite3, Close> handle_;
    Role role_;
};

/// Throws what SQLite's result means: kDiskFull for a full disk, kConflict for a broken constraint
/// (a name that is taken, a row that is referred to), kOverloaded if the file is locked, else
/// kInternal.
[[noreturn]] void throw_sqlite(sqlite3* connection, int result);

}  // namespace jikji::storage
