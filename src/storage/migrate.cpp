#include "storage/migrate.hpp"

#include <fmt/format.h>
#include <sqlite3.h>

#include <string>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "storage/statement.hpp"
#include "storage/transaction.hpp"
#include "text/terms.hpp"

namespace jikji::storage {
namespace fs = std::filesystem;
namespace {

constexpr std::int64_t kApplicationId = 0x4a494b4a;  // "JIKJ", in the header of our files
constexpr std::string_view kTermsKey = "storage.terms_version";

std::int64_t number(Connection& connection, std::string_view sql) {
    Statement statement(connection, sql);
    return statement.step() ? statement.int64_at(0) : 0;
}

[[noreturn]] void refuse_newer(const fs::path& file, int have, int want) {
    throw Error(ErrorCode::kConflict,
                fmt::format("{} was written by a newer Jikji (schema {}; this one knows up to {}): "
                            "run the newer program",
                            file.string(), have, want),
                "data",
                fmt::format("{} 파일은 더 새로운 Jikji가 만든 것입니다(스키마 {}, 이 프로그램은 "
                            "{}까지). 새 버전으로 실행하세요.",
                            file.string(), have, want));
}

void refuse_foreign(Connection& writer, const fs::path& file) {
    const bool ours = number(writer, "PRAGMA application_id") == kApplicationId;
    if (ours || number(writer, "SELECT count(*) FROM sqlite_schema") == 0) return;
    throw Error(ErrorCode::kConflict,
                fmt::format("{} is the database of another program: give another data folder",
                            file.string()),
                "data",
                fmt::format("{} 파일은 다른 프로그램의 데이터베이스입니다. 다른 데이터 폴더를 "
                            "지정하세요.",
                            file.string()));
}

// Only now: a file that is refused has to stay as it is.
void use_write_ahead_log(Connection& writer, const fs::path& file) {
    Statement statement(writer, "PRAGMA journal_mode=WAL");
    if (statement.step() && statement.text_view_at(0) == "wal") return;
    throw Error(
        ErrorCode::kInternal,
        fmt::format("{} lies on a file system without shared memory (a network share?): "
                    "give a data folder on a local disk",
                    file.string()),
        {},
        fmt::format("{} 파일이 공유 메모리를 지원하지 않는 파일 시스템(네트워크 드라이브?)에 "
                    "있습니다. 로컬 디스크의 데이터 폴더를 지정하세요.",
                    file.string()));
}

void copy_pages(Connection& from, sqlite3* to) {
    sqlite3_backup* backup = sqlite3_backup_init(to, "main", from.handle(), "main");
    if (backup == nullptr) throw_sqlite(to, sqlite3_errcode(to));
    sqlite3_backup_step(backup, -1);
    const int result = sqlite3_backup_finish(backup);
    if (result != SQLITE_OK) throw_sqlite(to, result);
}

void verify(Connection& copy, const fs::path& file) {
    Statement check(copy, "PRAGMA integrity_check(1)");
    const std::string said = check.step() ? check.text_at(0) : "nothing";
    if (said == "ok") return;
    throw Error(ErrorCode::kInternal,
                fmt::format("{} is damaged ({}); nothing was changed", file.string(), said), {},
                fmt::format("{} 파일이 손상되어 아무것도 바꾸지 않았습니다.", file.string()));
}

// Written under another name first, so that a copy that exists is whole.
void keep_copy(Connection& writer, const fs::path& file, int version) {
    const fs::path target = copy_before(file, version);
    const fs::path temporary = target.string() + ".part";
    fs::remove(temporary);
    {
        Connection copy(temporary, Connection::Role::kWriter);
        copy_pages(writer, copy.handle());
        verify(copy, file);
        copy.run("PRAGMA journal_mode=DELETE;");  // one file, nothing beside it
    }
    sync_path(temporary);
    fs::rename(temporary, target);
    sync_path(target);
    log_info(fmt::format("kept a copy of the database: {}", target.string()));
}

void apply(Connection& writer, const Migration& migration) {
    Transaction transaction(writer, Transaction::Kind::kWrite);
    writer.run(migration.sql);
    writer.run(fmt::format("PRAGMA application_id={};", kApplicationId));
    writer.run(fmt::format("PRAGMA user_version={};", migration.version));
    transaction.commit();
}

}  // namespace

int schema_version(Connection& connection) {
    return static_cast<int>(number(connection, "PRAGMA user_version"));
}

fs::path copy_before(const fs::path& file, int version) {
    return fmt::format("{}.before-v{}", file.string(), version);
}

void migrate(Connection& writer, const fs::path& file, std::span<const Migration> migrations) {
    const int have = schema_version(writer);
    const int want = migrations.empty() ? 0 : migrations.back().version;
    if (have > want) refuse_newer(file, have, want);
    refuse_foreign(writer, file);
    use_write_ahead_log(writer, file);
    if (have == want) return;
    if (have > 0) keep_copy(writer, file, want);
    for (const Migration& migration : migrations) {
        if (migration.version > have) apply(writer, migration);
    }
}

void refresh_full_text(Connection& writer) {
    Statement read(writer, "SELECT value FROM settings WHERE key = ?1");
    const std::string now = std::to_string(text::kTermsVersion);
    if (read.bind(1, kTermsKey).step() && read.text_view_at(0) == now) return;
    read.reset();
    Transaction transaction(writer, Transaction::Kind::kWrite);
    writer.run("INSERT INTO chunks_fts (chunks_fts) VALUES ('rebuild');");
    Statement(writer, "INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)")
        .bind(1, kTermsKey)
        .bind(2, now)
        .run();
    transaction.commit();
}

}  // namespace jikji::storage
