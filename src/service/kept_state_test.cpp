// Settings, figures and prompts over a restart: on a real database in a temporary folder.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "metrics/prometheus.hpp"
#include "metrics/registry.hpp"
#include "service/prompt_library.hpp"
#include "service/settings.hpp"
#include "service/stats.hpp"
#include "storage/connection.hpp"
#include "storage/database.hpp"
#include "storage/settings_table.hpp"

namespace jikji::service {
namespace {

struct Folder {
    std::filesystem::path path = std::filesystem::temp_directory_path() / make_id("jikji-test-");
    Folder() { std::filesystem::create_directories(path); }
    ~Folder() { std::filesystem::remove_all(path); }
    std::filesystem::path database() const { return path / "jikji.db"; }
};

std::string shown(const std::vector<engine::Message>& messages) {
    std::string out;
    for (const auto& message : messages) out += message.role + "|" + message.content + "#";
    return out;
}

void refuses(const std::function<void()>& work, ErrorCode code, const std::string& field,
             const std::string& part) {
    try {
        work();
        FAIL_CHECK("passed: " << field);
    } catch (const Error& error) {
        CHECK(error.code() == code);
        CHECK(error.field() == field);
        CAPTURE(error.what());
        CHECK(std::string(error.what()).find(part) != std::string::npos);
    }
}

}  // namespace

TEST_SUITE_BEGIN("kept_state");

TEST_CASE("settings: the defaults of S2, changes that stay, ranges") {
    const Folder folder;
    {
        storage::Database database(folder.database());
        Settings settings(database);
        CHECK(settings.generation().max_tokens == 512);
        CHECK(settings.generation().stop == std::vector<std::string>{"</s>", "\n\n"});
        GenerationSettingsChange change;
        change.temperature = 0.3F;
        change.stop = std::vector<std::string>{"끝"};
        change.openai_routes = true;
        CHECK(settings.change(change).temperature == 0.3F);
        change = {};
        change.top_p = 0.0F;
        change.max_tokens = 7;
        refuses([&] { settings.change(change); }, ErrorCode::kInvalidArgument, "top_p", "above 0");
        CHECK(settings.generation().max_tokens == 512);  // all or nothing
    }
    storage::Database database(folder.database());
    const GenerationSettings kept = Settings(database).generation();
    CHECK(kept.temperature == 0.3F);
    CHECK(kept.stop == std::vector<std::string>{"끝"});
    CHECK(kept.openai_routes);
    CHECK(kept.top_k == 40);
    database.write([](storage::Connection& connection) {
        storage::SettingsTable(connection).put("generation.temperature", "99");
    });
    CHECK(Settings(database).generation().temperature == 0.7F);
}

TEST_CASE("stats: figures without division by zero, kept over a restart") {
    const Folder folder;
    {
        storage::Database database(folder.database());
        metrics::Registry registry;
        Stats stats(database, registry);
        CHECK(stats.totals().average_seconds() == 0);
        CHECK(stats.totals().tokens_per_second() == 0);
        GenerationOutcome outcome;
        outcome.prompt_tokens = 10;
        outcome.completion_tokens = 30;
        outcome.seconds = 2;
        outcome.first_token_seconds = 0.5;
        stats.count(outcome);
        outcome.cache_hit = true;
        outcome.seconds = 1;
        stats.count(outcome);
        GenerationOutcome failed;
        failed.end = GenerationOutcome::End::kFailed;
        stats.count(failed);
    }
    storage::Database database(folder.database());
    metrics::Registry registry;
    Stats stats(database, registry);
    const StatsTotals totals = stats.totals();
    CHECK(totals.requests == 3);
    CHECK(totals.failed == 1);
    CHECK(totals.cache_hits == 1);
    CHECK(totals.completion_tokens == 30);  // a hit makes none
    CHECK(totals.average_seconds() == 1);
    CHECK(totals.tokens_per_second() == 10);
    const std::string text = metrics::prometheus_text(registry);
    for (const char* line : {"jikji_requests_total{outcome=\"done\"} 2\n",
                             "jikji_requests_total{outcome=\"failed\"} 1\n",
                             "jikji_tokens_total{kind=\"completion\"} 30\n",
                             "jikji_tokens_total{kind=\"prompt\"} 10\n",
                             "jikji_cache_hits_total 1\n", "jikji_request_seconds_count 0\n"}) {
        CAPTURE(line);
        CHECK(text.find(line) != std::string::npos);
    }
}

TEST_CASE("the four roles are there at the first start, and what a person does to them stays") {
    const Folder folder;
    {
        storage::Database database(folder.database());
        PromptLibrary library(database);
        const auto all = library.list();
        REQUIRE(all.size() == 4);
        CHECK(all[0].name == "coding");
        CHECK_FALSE(library.active());
        library.remove("creative");
        library.update("teacher", {.system_prompt = "새 선생님", .is_active = true});
    }
    storage::Database database(folder.database());
    const PromptLibrary library(database);
    CHECK(library.list().size() == 3);
    CHECK(library.active()->name == "teacher");
    CHECK(library.get("teacher").system_prompt == "새 선생님");
    CHECK(library.get(library.get("teacher").id).name == "teacher");
}

TEST_CASE("prompts: names are free once, known nearly, and 100 characters at most") {
    const Folder folder;
    storage::Database database(folder.database());
    PromptLibrary library(database);
    refuses([&] { library.get("teahcer"); }, ErrorCode::kNotFound, "prompt.id",
            "did you mean 'teacher'");
    refuses([&] { library.remove("nothing-like-it"); }, ErrorCode::kNotFound, "prompt.id", "list");
    refuses([&] { library.create({.name = "teacher"}); }, ErrorCode::kConflict, "name", "exists");
    refuses([&] { library.update("coding", {.name = "teacher"}); }, ErrorCode::kConflict, "name",
            "exists");
    refuses([&] { library.create({}); }, ErrorCode::kInvalidArgument, "name", "0 characters");
    const auto made = library.create({.name = "mine", .is_active = true});
    CHECK(made.id.starts_with("prompt_"));
    CHECK(made.created_at > 1'700'000'000);
    library.update("coding", {.is_active = true});
    CHECK(library.active()->name == "coding");
}

// Each role for a chat model: the system prompt exactly once, the user's words in its frame.
TEST_CASE("messages of the four roles") {
    const Folder folder;
    storage::Database database(folder.database());
    const PromptLibrary library(database);
    const std::pair<const char*, const char*> cases[] = {
        {"default", "system|당신은 도움이 되는 AI 어시스턴트입니다.#user|{system} {x}?#"},
        {"coding",
         "system|당신은 전문 프로그래머입니다. 코드를 명확하고 효율적으로 작성합니다.#"
         "user|요구사항: {system} {x}?\n\n코드:#"},
        {"teacher",
         "system|당신은 친절한 선생님입니다. 복잡한 개념을 쉽게 설명합니다.#"
         "user|학생 질문: {system} {x}?\n\n선생님 답변:#"},
        {"creative", "system|당신은 창의적인 작가입니다.#user|주제: {system} {x}?\n\n창작물:#"},
    };
    for (const auto& [role, want] : cases) {
        CHECK(shown(library.messages({role, {}}, {{"user", "{system} {x}?"}})) == want);
        CHECK(shown(library.messages({role, {{"user", "{system} {x}?"}}}, {})) == want);
    }
}

TEST_CASE("messages: examples, history, system text, variables") {
    const Folder folder;
    storage::Database database(folder.database());
    PromptLibrary library(database);
    prompts::Template t{.name = "t", .system_prompt = "S", .user_template = "{tone}: {user}"};
    t.examples = {{"q", "a"}};
    library.create(t);
    const PromptReference calm{"t", {{"tone", "calm"}}};
    CHECK(shown(library.messages(calm, {{"user", "1"},
                                        {"assistant", "2"},
                                        {"system", "T"},
                                        {"user", "3"},
                                        {"assistant", "4"}})) ==
          "system|S\n\nT#user|q#assistant|a#user|1#assistant|2#user|calm: 3#assistant|4#");
    const std::vector<engine::Message> hi = {{"user", "hi"}};
    refuses(
        [&] {
            library.messages({"t", {}}, hi);
        },
        ErrorCode::kInvalidArgument, "prompt.variables", "'tone'");
    refuses(
        [&] {
            library.messages({"t", {{"tone", "x"}, {"tnoe", "y"}}}, hi);
        },
        ErrorCode::kInvalidArgument, "prompt.variables", "did you mean 'tone'");
    refuses(
        [&] {
            library.messages({"t", {{"tone", "x"}, {"user", "y"}}}, hi);
        },
        ErrorCode::kInvalidArgument, "prompt.variables", "twice");
    refuses([&] { library.messages(calm, {}); }, ErrorCode::kInvalidArgument, "prompt.variables",
            "'user'");
}

TEST_CASE("messages: calls of tools and what came of them stay whole") {
    const Folder folder;
    storage::Database database(folder.database());
    PromptLibrary library(database);
    library.create({.name = "t", .system_prompt = "S", .user_template = "Q: {user}"});
    engine::Message call{"assistant", ""};
    call.tool_calls = {{"call_1", "f", "{}"}};
    engine::Message result{"tool", "sunny"};
    result.tool_call_id = "call_1";
    const auto out = library.messages({"t", {}}, {{"user", "hi"}, call, result});
    CHECK(shown(out) == "system|S#user|Q: hi#assistant|#tool|sunny#");
    REQUIRE(out[2].tool_calls.size() == 1);
    CHECK(out[2].tool_calls[0].name == "f");
    CHECK(out[3].tool_call_id == "call_1");
}

TEST_CASE("messages: {system} inside the turn, no {user}, no template at all") {
    const Folder folder;
    storage::Database database(folder.database());
    PromptLibrary library(database);
    const std::vector<engine::Message> hi = {{"user", "hi"}};
    library.create({.name = "inside", .system_prompt = "S", .user_template = "[{system}] {user}"});
    CHECK(shown(library.messages({"inside", {}}, hi)) == "user|[S] hi#");
    library.create({.name = "fixed", .system_prompt = "", .user_template = "Translate."});
    CHECK(shown(library.messages({"fixed", {}}, hi)) == "user|Translate.\n\nhi#");
    CHECK(shown(library.messages({"fixed", {}}, {})) == "user|Translate.#");
    library.create({.name = "bare", .system_prompt = "S"});
    CHECK(shown(library.messages({"bare", {}}, hi)) == "system|S#user|hi#");
}

TEST_SUITE_END();

}  // namespace jikji::service
