// Goal: what was acknowledged is there after a restart, a crash or a full disk; the settings that
// keep the file whole are on for every connection; a file that is not ours is left alone.
#include "storage/database.hpp"

#include <doctest/doctest.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "storage/connection.hpp"
#include "storage/migrate.hpp"
#include "storage/statement.hpp"
#include "support/temp_folder.hpp"

namespace jikji::storage {
namespace {

namespace fs = std::filesystem;
using tests::TempFolder;

ErrorCode code_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("nothing was thrown");
    return ErrorCode::kInternal;
}

std::int64_t number(Connection& connection, std::string_view sql) {
    Statement statement(connection, sql);
    REQUIRE(statement.step());
    return statement.int64_at(0);
}

void add_setting(Connection& connection, const std::string& key, const std::string& value) {
    Statement(connection, "INSERT INTO settings (key, value) VALUES (?1, ?2)")
        .bind(1, key)
        .bind(2, value)
        .run();
}

std::int64_t count_settings(const Database& database, const std::string& prefix) {
    std::int64_t count = 0;
    database.read([&](Connection& connection) {
        Statement select(connection, "SELECT count(*) FROM settings WHERE key LIKE ?1 || '%'");
        select.bind(1, prefix).step();
        count = select.int64_at(0);
    });
    return count;
}

constexpr Migration kFirst[] = {{1, "CREATE TABLE one (a TEXT);"}};
constexpr Migration kSecond[] = {{1, "CREATE TABLE one (a TEXT);"},
                                 {2, "ALTER TABLE one ADD COLUMN b TEXT DEFAULT 'new';"}};
constexpr Migration kBroken[] = {{1, "CREATE TABLE one (a TEXT);"},
                                 {2, "CREATE TABLE two (a TEXT); CREATE TABLE one (a TEXT);"}};

}  // namespace

TEST_SUITE_BEGIN("database");

TEST_CASE("a new file gets the newest schema, a second start finds everything") {
    const TempFolder folder;
    const fs::path file = folder / "jikji.db";
    {
        Database database(file);
        database.write([](Connection& c) { add_setting(c, "t.language", "한국어"); });
    }
    CHECK_FALSE(fs::exists(file.string() + "-wal"));  // the writer closed last and checkpointed
    const Database database(file);
    database.read([](Connection& c) {
        CHECK(schema_version(c) == migrations().back().version);
        Statement select(c, "SELECT value FROM settings WHERE key = 't.language'");
        REQUIRE(select.step());
        CHECK(select.text_at(0) == "한국어");
    });
    CHECK_FALSE(fs::exists(copy_before(file, migrations().back().version)));
}

TEST_CASE("every connection has the settings that keep the file whole") {
    struct Setting {
        const char* pragma;
        std::int64_t writer;
        std::int64_t reader;
    };
    const Setting settings[] = {
        {"PRAGMA wal_autocheckpoint", 0, 0}, {"PRAGMA query_only", 0, 1},
        {"PRAGMA mmap_size", 0, 0},          {"PRAGMA synchronous", 2, 2},
        {"PRAGMA foreign_keys", 1, 1},       {"PRAGMA secure_delete", 1, 1},
    };
    const TempFolder folder;
    Database database(folder / "jikji.db");
    for (const Setting& setting : settings) {
        CAPTURE(std::string(setting.pragma));
        database.write([&](Connection& c) { CHECK(number(c, setting.pragma) == setting.writer); });
        database.read([&](Connection& c) { CHECK(number(c, setting.pragma) == setting.reader); });
    }
    const auto keeps_off = [](Connection& c) {
        int on = -1;
        sqlite3_db_config(c.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &on);
        return on;
    };
    database.write([&](Connection& c) {
        CHECK(keeps_off(c) == 0);
        Statement mode(c, "PRAGMA journal_mode");
        REQUIRE(mode.step());
        CHECK(mode.text_at(0) == "wal");
    });
    database.read([&](Connection& c) { CHECK(keeps_off(c) == 1); });
}

TEST_CASE("a reader cannot write and does not checkpoint when it closes") {
    const TempFolder folder;
    const fs::path file = folder / "jikji.db";
    Database database(file);
    CHECK(code_of([&] { database.read([](Connection& c) { add_setting(c, "t.k", "v"); }); }) ==
          ErrorCode::kInternal);
    database.write([](Connection& c) { add_setting(c, "t.k", "v"); });
    const auto before = fs::last_write_time(file);
    { const Connection reader(file, Connection::Role::kReader); }
    CHECK(fs::last_write_time(file) == before);
    CHECK(fs::exists(file.string() + "-wal"));
}

TEST_CASE("a write that throws leaves nothing, and the next one works") {
    const TempFolder folder;
    Database database(folder / "jikji.db");
    CHECK_THROWS_AS(database.write([](Connection& c) {
        add_setting(c, "t.half", "v");
        throw std::runtime_error("stop");
    }),
                    std::runtime_error);
    CHECK(count_settings(database, "t.") == 0);
    database.write([](Connection& c) { add_setting(c, "t.whole", "v"); });
    CHECK(count_settings(database, "t.") == 1);
}

TEST_CASE("errors have the code that callers switch on") {
    const TempFolder folder;
    Database database(folder / "jikji.db");
    CHECK(code_of([&] {
              database.write([](Connection& c) {
                  add_setting(c, "t.k", "v");
                  add_setting(c, "t.k", "v");
              });
          }) == ErrorCode::kConflict);
    CHECK(code_of([&] {
              database.write([&](Connection&) { database.write([](Connection&) {}); });
          }) == ErrorCode::kInternal);
    CHECK(code_of([&] { database.read([](Connection& c) { c.run("SELECT nothing"); }); }) ==
          ErrorCode::kInternal);
}

TEST_CASE("a read sees one state, whatever is committed beside it") {
    const TempFolder folder;
    Database database(folder / "jikji.db");
    database.read([&](Connection& c) {
        const auto count = [&] { return number(c, "SELECT count(*) FROM settings"); };
        const std::int64_t before = count();
        std::thread([&] {
            database.write([](Connection& w) { add_setting(w, "t.k", "v"); });
        }).join();
        CHECK(count() == before);
    });
    CHECK(count_settings(database, "t.") == 1);
}

TEST_CASE("writers and readers from many threads") {
    const TempFolder folder;
    Database database(folder / "jikji.db");
    std::atomic<int> halves{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 20; ++i) {
                const std::string key = "t." + std::to_string(t) + "." + std::to_string(i);
                database.write([&](Connection& c) {
                    add_setting(c, key + "a", "v");
                    add_setting(c, key + "b", "v");
                });
                if (count_settings(database, "t.") % 2 != 0) ++halves;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(halves == 0);
    CHECK(count_settings(database, "t.") == 160);
}

TEST_CASE("the log is taken into the file before it grows without end") {
    const TempFolder folder;
    const fs::path file = folder / "jikji.db";
    Database database(file);
    const std::string value(100'000, 'x');
    for (int i = 0; i < 200; ++i) {
        database.write([&](Connection& c) { add_setting(c, "t." + std::to_string(i), value); });
    }
    CHECK(fs::file_size(file.string() + "-wal") < 8'000'000);
    CHECK(fs::file_size(file) > 12'000'000);
}

TEST_CASE("kill -9 while writing: what was acknowledged is there, nothing is half there") {
    const TempFolder folder;
    const fs::path file = folder / "jikji.db";
    { const Database database(file); }
    std::int64_t acknowledged = 0;
    for (int round = 0; round < 8; ++round) {
        int pipe_ends[2];
        REQUIRE(::pipe(pipe_ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            Database database(file);
            for (std::int64_t i = acknowledged;; ++i) {
                database.write([&](Connection& c) {
                    add_setting(c, "t." + std::to_string(i) + "a", "v");
                    add_setting(c, "t." + std::to_string(i) + "b", "v");
                });
                if (::write(pipe_ends[1], &i, sizeof(i)) != sizeof(i)) ::_exit(1);
            }
        }
        ::close(pipe_ends[1]);
        std::int64_t last = 0;
        for (int reads = 0; reads < 5 + round * 3; ++reads) {
            REQUIRE(::read(pipe_ends[0], &last, sizeof(last)) == sizeof(last));
        }
        ::kill(child, SIGKILL);
        while (::read(pipe_ends[0], &last, sizeof(last)) == sizeof(last)) {
        }
        ::close(pipe_ends[0]);
        ::waitpid(child, nullptr, 0);
        const Database database(file);
        const std::int64_t rows = count_settings(database, "t.");
        CHECK(rows % 2 == 0);
        CHECK(rows / 2 >= last + 1);  // one more may have been committed and not yet told
        acknowledged = rows / 2;
        database.read([](Connection& c) {
            Statement check(c, "PRAGMA integrity_check");
            REQUIRE(check.step());
            CHECK(check.text_at(0) == "ok");
        });
    }
}

TEST_CASE("a full disk: an error that says so, nothing lost, and it goes on when there is room") {
    const TempFolder folder;
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=4m") != 0) {
        MESSAGE("SKIPPED, may not mount a tmpfs: full disk");
        return;
    }
    {
        Database database(folder / "jikji.db");
        write_file_durably(folder / "other", std::string(2'500'000, 'x'));
        const std::string value(20'000, 'x');
        std::int64_t written = 0;
        const auto fill = [&] {
            for (; written < 1000; ++written) {
                database.write(
                    [&](Connection& c) { add_setting(c, "t." + std::to_string(written), value); });
            }
        };
        CHECK(code_of(fill) == ErrorCode::kDiskFull);
        CHECK(written > 5);
        CHECK(count_settings(database, "t.") == written);
        CHECK(code_of(fill) == ErrorCode::kDiskFull);
        fs::remove(folder / "other");
        database.write([](Connection& c) { c.run("DELETE FROM settings WHERE key LIKE 't.%';"); });
        database.write([&](Connection& c) { add_setting(c, "t.again", value); });
        CHECK(count_settings(database, "t.") == 1);
    }
    ::umount(folder.path().c_str());
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("migrate");

TEST_CASE("an older file is brought up, with a verified copy of what it was") {
    const TempFolder folder;
    const fs::path file = folder / "jikji.db";
    Connection writer(file, Connection::Role::kWriter);
    migrate(writer, file, kFirst);
    writer.run("INSERT INTO one (a) VALUES ('old');");
    migrate(writer, file, kSecond);
    CHECK(schema_version(writer) == 2);
    Statement select(writer, "SELECT a, b FROM one");
    REQUIRE(select.step());
    CHECK(select.text_at(0) == "old");
    CHECK(select.text_at(1) == "new");

    Connection copy(copy_before(file, 2), Connection::Role::kWriter);
    CHECK(schema_version(copy) == 1);
    CHECK(number(copy, "SELECT count(*) FROM one WHERE a = 'old'") == 1);
}

TEST_CASE("a migration that fails changes nothing") {
    const TempFolder folder;
    const fs::path file = folder / "jikji.db";
    Connection writer(file, Connection::Role::kWriter);
    migrate(writer, file, kFirst);
    CHECK_THROWS_AS(migrate(writer, file, kBroken), Error);
    CHECK(schema_version(writer) == 1);
    CHECK(number(writer, "SELECT count(*) FROM sqlite_schema WHERE name = 'two'") == 0);
    migrate(writer, file, kSecond);
    CHECK(schema_version(writer) == 2);
}

TEST_CASE("a file of a newer Jikji, of another program or of no program is refused and kept") {
    const TempFolder folder;
    const fs::path newer = folder / "newer.db", foreign = folder / "foreign.db",
                   text = folder / "text.db";
    { const Database database(newer); }
    const auto plain = [](const fs::path& path, const char* sql) {
        sqlite3* raw = nullptr;
        REQUIRE(sqlite3_open(path.c_str(), &raw) == SQLITE_OK);
        REQUIRE(sqlite3_exec(raw, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
        sqlite3_close(raw);
    };
    plain(newer, "PRAGMA user_version=999");
    plain(foreign, "CREATE TABLE theirs (a)");
    write_file_durably(text, std::string(5000, 'x'));

    struct Case {
        fs::path file;
        ErrorCode want;
    };
    for (const Case& c : {Case{newer, ErrorCode::kConflict}, Case{foreign, ErrorCode::kConflict},
                          Case{text, ErrorCode::kInternal}}) {
        CAPTURE(c.file.string());
        const std::string before = read_file(c.file, 10'000'000);
        CHECK(code_of([&] { const Database database(c.file); }) == c.want);
        CHECK(read_file(c.file, 10'000'000) == before);
    }
}

TEST_SUITE_END();

}  // namespace jikji::storage
