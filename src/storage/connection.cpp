#include "storage/connection.hpp"

#include <sqlite3.h>

#include <cerrno>

#include "base/error.hpp"
#include "storage/kori.hpp"

namespace jikji::storage {
namespace {

constexpr int kBusyMilliseconds = 5000;

// Both roles: what keeps the file whole. mmap_size 0: a bad disk gives an error, not a SIGBUS.
constexpr std::string_view kCommonSettings =
    "PRAGMA foreign_keys=ON;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA mmap_size=0;"
    "PRAGMA wal_autocheckpoint=0;"
    "PRAGMA cell_size_check=ON;"
    "PRAGMA secure_delete=ON;"
    "PRAGMA temp_store=MEMORY;";

bool no_space(sqlite3* connection, int result) {
    const int error = connection == nullptr ? 0 : sqlite3_system_errno(connection);
    return result == SQLITE_FULL ||
           (result == SQLITE_IOERR && (error == ENOSPC || error == EDQUOT));
}

}  // namespace

void throw_sqlite(sqlite3* connection, int result) {
    const int primary = result & 0xff;
    const std::string what =
        std::string("sqlite: ") +
        (connection == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(connection));
    if (no_space(connection, primary)) {
        throw Error(ErrorCode::kDiskFull, "the disk is full: free some space and try again", {},
                    "디스크가 가득 찼습니다. 공간을 비우고 다시 시도하세요.");
    }
    switch (primary) {
        case SQLITE_CONSTRAINT: throw Error(ErrorCode::kConflict, what);
        case SQLITE_BUSY:
        case SQLITE_LOCKED: throw Error(ErrorCode::kOverloaded, what);
        case SQLITE_NOTADB:
        case SQLITE_CORRUPT:
            throw Error(ErrorCode::kInternal,
                        what + "; the database file is damaged: put a copy of it back", {},
                        "데이터베이스 파일이 손상되었습니다. 백업본으로 되돌리세요.");
        default: throw Error(ErrorCode::kInternal, what);
    }
}

void Connection::Close::operator()(sqlite3* connection) const noexcept {
    sqlite3_close_v2(connection);
}

Connection::Connection(const std::filesystem::path& file, Role role) : role_(role) {
    // NOMUTEX: one thread at a time is our contract already.
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                      (role == Role::kWriter ? SQLITE_OPEN_CREATE : 0);
    sqlite3* raw = nullptr;
    const int result = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
    handle_.reset(raw);  // owned before anything can throw
    if (result != SQLITE_OK) throw_sqlite(raw, result);
    sqlite3_extended_result_codes(raw, 1);
    set_up();
}

void Connection::set_up() {
    sqlite3* raw = handle_.get();
    sqlite3_busy_timeout(raw, kBusyMilliseconds);
    const auto turn = [&](int setting, int on) {
        const int result = sqlite3_db_config(raw, setting, on, nullptr);
        if (result != SQLITE_OK) throw_sqlite(raw, result);
    };
    turn(SQLITE_DBCONFIG_DEFENSIVE, 1);
    turn(SQLITE_DBCONFIG_DQS_DML, 0);
    turn(SQLITE_DBCONFIG_DQS_DDL, 0);
    register_kori(raw);
    if (role_ == Role::kWriter) {
        run(kCommonSettings);
        run("PRAGMA journal_size_limit=67108864;");  // of what a log that has grown leaves on disk
        return;
    }
    // The last connection to close checkpoints, query_only or not.
    turn(SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1);
    run(kCommonSettings);
    run("PRAGMA query_only=1;");
}

void Connection::run(std::string_view sql) {
    const std::string text(sql);  // sqlite3_exec wants its NUL
    const int result = sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, nullptr);
    if (result != SQLITE_OK) throw_sqlite(handle_.get(), result);
}

std::int64_t Connection::last_row_id() const { return sqlite3_last_insert_rowid(handle_.get()); }

std::int64_t Connection::changes() const { return sqlite3_changes64(handle_.get()); }

bool Connection::in_transaction() const { return sqlite3_get_autocommit(handle_.get()) == 0; }

}  // namespace jikji::storage
