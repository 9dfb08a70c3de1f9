#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "storage/connection.hpp"
#include "storage/counters_table.hpp"
#include "storage/database.hpp"
#include "storage/prompts_table.hpp"
#include "storage/settings_table.hpp"

namespace jikji::storage {
namespace {

struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / make_id("jikji-test-");
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_SUITE_BEGIN("small_tables");

TEST_CASE("prompts keep every field, over a reopening") {
    const Folder folder;
    PromptRow row{"prompt_1", "선생", "s\n\n", "{system} {user}", "a", true, 1700000000, {}};
    row.examples = {{"\"인용\"\n", "{\"json\": [1]}"}, {"", "😀\x01"}};
    {
        Database database(folder.path / "t.db");
        database.write([&](Connection& c) { PromptsTable(c).insert(row); });
        row.name = "teacher";
        row.examples.pop_back();
        database.write([&](Connection& c) { PromptsTable(c).update(row); });
    }
    const Database database(folder.path / "t.db");
    database.read([&](Connection& c) {
        for (const char* key : {"prompt_1", "teacher"}) {
            const auto found = PromptsTable(c).find(key);
            REQUIRE(found);
            CHECK(found->system_prompt == "s\n\n");
            CHECK(found->user_template == "{system} {user}");
            CHECK(found->assistant_template == "a");
            CHECK(found->created_at == 1700000000);
            CHECK((found->examples == row.examples));
        }
        CHECK_FALSE(PromptsTable(c).find("선생"));
        CHECK(PromptsTable(c).active()->id == "prompt_1");
    });
}

TEST_CASE("prompts: taken names, one active, removal") {
    const Folder folder;
    Database database(folder.path / "t.db");
    const auto insert = [&](const char* id, const char* name) {
        database.write([&](Connection& c) {
            PromptsTable(c).insert({id, name, "", "", "", true, 0, {}});
            PromptsTable(c).only_active(id);
        });
    };
    insert("1", "b");
    insert("2", "a");
    try {
        insert("3", "a");
        FAIL("two prompts have one name");
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kConflict);
    }
    database.read([](Connection& c) {
        const auto rows = PromptsTable(c).list();
        REQUIRE(rows.size() == 2);
        CHECK(rows[0].name == "a");
        CHECK(rows[0].is_active);
        CHECK_FALSE(rows[1].is_active);
    });
    database.write([](Connection& c) { PromptsTable(c).remove("2"); });
    database.read([](Connection& c) {
        CHECK(PromptsTable(c).list().size() == 1);
        CHECK_FALSE(PromptsTable(c).active());
    });
}

TEST_CASE("settings and counters") {
    const Folder folder;
    Database database(folder.path / "t.db");
    database.write([](Connection& c) {
        SettingsTable settings(c);
        for (const char* key : {"g.a", "g.b", "g_b", "h"}) settings.put(key, key);
        settings.put("g.a", "new");
        CountersTable(c).put("x", 1);
        CountersTable(c).put("x", 2.5);
    });
    database.read([](Connection& c) {
        CHECK(SettingsTable(c).get("g.a") == "new");
        CHECK_FALSE(SettingsTable(c).get("none"));
        CHECK(SettingsTable(c).with_prefix("g.").size() == 2);
        CHECK((CountersTable(c).all() == std::map<std::string, double>{{"x", 2.5}}));
    });
    database.write([](Connection& c) { SettingsTable(c).erase_prefix("g."); });
    database.read([](Connection& c) {
        CHECK(SettingsTable(c).with_prefix("g.").empty());
        CHECK(SettingsTable(c).get("g_b") == "g_b");
    });
}

TEST_SUITE_END();

}  // namespace jikji::storage
