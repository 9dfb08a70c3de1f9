// Goal: a file that was attached is taken in once and whole, survives restarts, fails alone, and
// is gone when it is removed. The embedding model is a bag of terms: close enough to tell texts
// apart, and it needs no download.
#include "service/collections.hpp"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <thread>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "storage/chunks_table.hpp"
#include "storage/collection_files_table.hpp"
#include "storage/database.hpp"
#include "support/temp_folder.hpp"
#include "text/terms.hpp"

namespace jikji::service {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::size_t kDim = 64;

std::vector<float> vector_of(const std::string& text) {
    std::vector<float> out(kDim, 0.01F);
    for (const std::string& term : text::terms_of(text)) {
        out[static_cast<unsigned char>(sha256_hex(term)[0]) % 16 +
            static_cast<unsigned char>(sha256_hex(term)[1]) % 4 * 16] += 1;
    }
    float sum = 0;
    for (const float x : out) sum += x * x;
    for (float& x : out) x /= std::sqrt(sum);
    return out;
}

/// A model that can be held up, and that can fail.
struct FakeModel {
    Encoder encoder() {
        Encoder out;
        out.model = name;
        out.count_tokens = [](std::string_view text) {
            return static_cast<int>(text::terms_of(text).size());
        };
        out.embed = [this](const std::vector<std::string>& texts, engine::Side side,
                           const Caller& caller) {
            ++calls;
            (side == engine::Side::kPassage ? passages_for : questions_for) = caller.tenant;
            if (side == engine::Side::kPassage) before_passages();
            std::vector<std::vector<float>> rows;
            for (const std::string& text : texts) rows.push_back(vector_of(text));
            return rows;
        };
        return out;
    }
    void before_passages() {
        if (error) throw *error;
        if (busy_times > 0) {
            --busy_times;
            throw Error(ErrorCode::kOverloaded, "busy");
        }
        std::unique_lock lock(mutex);
        changed.wait(lock, [this] { return open; });
    }
    void set_open(bool value) {
        {
            const std::lock_guard lock(mutex);
            open = value;
        }
        changed.notify_all();
    }

    std::string name = "fake";
    std::string passages_for, questions_for;  // the last tenant
    std::atomic<int> calls{0};
    std::atomic<int> busy_times{0};
    std::optional<Error> error;
    std::mutex mutex;
    std::condition_variable changed;
    bool open = true;
};

struct House {
    explicit House(const fs::path& folder, FakeModel& model)
        : database(folder / "jikji.db"),
          files(database, folder / "files"),
          collections(std::in_place, database, files, model.encoder()) {}

    std::string upload(const std::string& name, const std::string& text) {
        const fs::path path = files.new_upload_path();
        write_file_durably(path, text);
        return files.add(path, name, "assistants").id;
    }
    CollectionFile attach(const std::string& collection, const std::string& file,
                          const Chunking& chunking = {}) {
        return collections->attach(collection, file, {}, chunking);
    }
    /// Waits until the file's status is final.
    CollectionFile wait(const std::string& collection, const std::string& file) {
        for (int i = 0; i < 3000; ++i) {
            CollectionFile now = collections->file(collection, file);
            if (now.status != "in_progress") return now;
            std::this_thread::sleep_for(10ms);
        }
        FAIL("the worker did not get to the file");
        return {};
    }
    std::vector<std::string> find(const std::string& collection, const std::string& question) {
        std::vector<std::string> out;
        for (const auto& passage :
             collections->search({.collection_id = collection, .queries = {question}})) {
            out.push_back(passage.filename);
        }
        return out;
    }

    storage::Database database;
    Files files;
    std::optional<Collections> collections;  // so that a test can end it before the others
};

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return {ErrorCode::kInternal, ""};
}

storage::CollectionFileRow queued(const std::string& collection, const std::string& file) {
    storage::CollectionFileRow row;
    row.collection_id = collection;
    row.file_id = file;
    return row;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("collections");

TEST_CASE("vectors are made for whoever asks, and documents for a tenant of our own") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    const std::string id = house.collections->create("c", {}).id;
    const std::string file = house.upload("a.txt", "apples are red");
    house.attach(id, file);
    house.wait(id, file);
    house.collections->search(
        {.collection_id = id, .queries = {"apples"}, .caller = {.tenant = "key_one"}});
    CHECK(model.questions_for == "key_one");
    CHECK(model.passages_for == "documents");
}

TEST_CASE("a file is taken in, found, and still found after a restart") {
    const tests::TempFolder folder;
    FakeModel model;
    std::string id, policy;
    {
        House house(folder.path(), model);
        id = house.collections->create("문서", {{"팀", "보안"}}).id;
        policy = house.upload("정책.md",
                              "# 보안\n\n회사의 보안정책을 지킨다.\n\n# 휴가\n\n"
                              "휴가규정은 따로 있다.");
        const std::string weather = house.upload("날씨.txt", "오늘은 비가 온다.");
        CHECK(house.attach(id, policy).status == "in_progress");
        house.attach(id, weather);
        const CollectionFile done = house.wait(id, policy);
        CHECK(done.status == "completed");
        CHECK(done.chunks == 2);
        CHECK(done.usage_bytes > 0);
        CHECK(done.progress == 1);
        CHECK(done.chunk_tokens == 800);
        CHECK(house.wait(id, weather).status == "completed");
        const auto found = house.collections->search({.collection_id = id, .queries = {"정책"}});
        REQUIRE_FALSE(found.empty());
        CHECK(found[0].file_id == policy);
        CHECK(found[0].place.heading == "보안");
    }
    House house(folder.path(), model);
    const Collection collection = house.collections->get(id);
    CHECK(collection.files.completed == 2);
    CHECK(collection.files.total == 2);
    CHECK(collection.metadata.at("팀") == "보안");
    CHECK(house.find(id, "정책").front() == "정책.md");
    CHECK(house.find(id, "비").front() == "날씨.txt");
    CHECK(house.collections->get_or_create("문서").id == id);
    CHECK(house.collections->get_or_create("다른").id != id);
}

TEST_CASE("a file that cannot be read fails alone, with the reason in both languages") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    const std::string id = house.collections->create("c", {}).id;
    const std::string program = house.upload("a.exe", "MZ");
    const std::string binary = house.upload(
        "a.txt", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0\x08\2", 26));
    const std::string good = house.upload("b.txt", "좋은 글");
    for (const std::string& file : {program, binary, good}) house.attach(id, file);
    CHECK(house.wait(id, good).status == "completed");
    const CollectionFile a = house.wait(id, program), b = house.wait(id, binary);
    CHECK(a.status == "failed");
    CHECK(a.error_code == "unsupported_file");
    CHECK(b.error_code == "invalid_file");
    CHECK_FALSE(b.error_message.empty());
    CHECK(b.error_korean != b.error_message);
    CHECK(house.collections->get(id).files.failed == 2);
    const auto failed = house.collections->files(id, {}, "failed");
    CHECK(failed.items.size() == 2);
    CHECK(error_of([&] { house.collections->files(id, {}, "lost"); }).field() == "filter");
}

TEST_CASE("a busy engine is waited for; another failure is told and can be tried again") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    const std::string id = house.collections->create("c", {}).id;
    const std::string file = house.upload("a.txt", "글");
    model.busy_times = 2;
    house.attach(id, file);
    CHECK(house.wait(id, file).status == "completed");

    const std::string other = house.upload("b.txt", "다른 글");
    model.error.emplace(ErrorCode::kModelNotFound, "there is no model 'fake'");
    house.attach(id, other);
    CHECK(house.wait(id, other).error_code == "server_error");
    CHECK(house.wait(id, other).error_message == "there is no model 'fake'");
    model.error.reset();
    house.attach(id, other);
    CHECK(house.wait(id, other).status == "completed");
    CHECK(house.wait(id, other).error_message.empty());
}

TEST_CASE("a stop in the middle leaves nothing half visible, and the next start goes on") {
    const tests::TempFolder folder;
    FakeModel model;
    std::string id, file;
    {
        House house(folder.path(), model);
        id = house.collections->create("c", {}).id;
        file = house.upload("a.txt", "보안정책을 지킨다");
        model.set_open(false);
        const int before = model.calls;
        house.attach(id, file);
        while (model.calls == before) std::this_thread::sleep_for(1ms);
        CHECK(house.find(id, "정책").empty());
        std::thread opener([&] {
            std::this_thread::sleep_for(50ms);
            model.set_open(true);
        });
        house.collections.reset();
        opener.join();
    }
    House house(folder.path(), model);
    CHECK(house.wait(id, file).status == "completed");
    CHECK(house.find(id, "정책") == Names{"a.txt"});
}

TEST_CASE("kill -9 while taking in: every acknowledged file is whole in the end") {
    const tests::TempFolder folder;
    FakeModel model;
    std::string id;
    {
        House house(folder.path(), model);
        id = house.collections->create("c", {}).id;
    }
    std::vector<std::string> acknowledged;
    for (int round = 0; round < 5; ++round) {
        int ends[2];
        REQUIRE(::pipe(ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            House house(folder.path(), model);
            for (int i = 0;; ++i) {
                const std::string name = std::to_string(round) + "-" + std::to_string(i) + ".md";
                const std::string file = house.upload(name, "# 하나\n\n첫째 글\n\n# 둘\n\n둘째 글");
                house.attach(id, file);
                if (::write(ends[1], file.data(), file.size()) < 0) ::_exit(1);
            }
        }
        ::close(ends[1]);
        std::string file(make_id("file-").size(), ' ');
        for (int acks = 0; acks < 4 + 2 * round; ++acks) {
            const auto size = static_cast<ssize_t>(file.size());
            REQUIRE(::read(ends[0], file.data(), file.size()) == size);
            acknowledged.push_back(file);
        }
        ::kill(child, SIGKILL);
        ::close(ends[0]);
        ::waitpid(child, nullptr, 0);
        House house(folder.path(), model);
        for (const std::string& each : acknowledged) {
            const CollectionFile done = house.wait(id, each);
            CHECK(done.status == "completed");
            CHECK(done.chunks == 2);
        }
        const Collection now = house.collections->get(id);
        CHECK(now.files.failed == 0);
        CHECK(now.files.total >= static_cast<int>(acknowledged.size()));
        house.database.write([&](storage::Connection& c) {
            const auto all = storage::ChunksTable(c).count(id);
            CHECK(all % 2 == 0);
            c.run("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1);");
        });
    }
}

TEST_CASE("a file that ended the program three times is left out, and the rest go on") {
    const tests::TempFolder folder;
    FakeModel model;
    std::string id, poison, good;
    {
        House house(folder.path(), model);
        id = house.collections->create("c", {}).id;
        poison = house.upload("a.txt", "독");
        good = house.upload("b.txt", "좋은 글");
        house.collections.reset();
        house.database.write([&](storage::Connection& c) {  // as three crashes would leave it
            storage::CollectionFilesTable files(c);
            files.insert(queued(id, poison));
            files.set_attempts({id, poison}, 3);
            files.insert(queued(id, good));
        });
    }
    House house(folder.path(), model);
    CHECK(house.wait(id, good).status == "completed");
    CHECK(house.wait(id, poison).status == "failed");
    CHECK(house.wait(id, poison).error_code == "server_error");
    house.attach(id, poison);  // asked for again: it gets its tries again
    CHECK(house.wait(id, poison).status == "completed");
}

TEST_CASE("what is detached, removed or deleted is not found any more") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    const std::string id = house.collections->create("c", {}).id;
    Names files;
    for (const char* name : {"1.txt", "2.txt", "3.txt"}) {
        files.push_back(house.upload(name, std::string("보안정책 문서 번호 ") + name));
        house.attach(id, files.back());
        REQUIRE(house.wait(id, files.back()).status == "completed");
    }
    CHECK_FALSE(house.find(id, "정책").empty());
    house.collections->detach(id, files[0]);
    house.files.remove(files[1]);
    CHECK(house.find(id, "정책") == Names{"3.txt"});
    CHECK(house.collections->get(id).files.total == 1);
    CHECK(house.files.get(files[0]).filename == "1.txt");  // detached, not deleted
    CHECK(error_of([&] { house.collections->detach(id, files[0]); }).code() ==
          ErrorCode::kNotFound);
    house.collections->remove(id);
    CHECK(error_of([&] { house.find(id, "정책"); }).code() == ErrorCode::kNotFound);
    CHECK(house.files.get(files[2]).filename == "3.txt");
}

TEST_CASE("a file that is removed while it is worked on leaves nothing") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    const std::string id = house.collections->create("c", {}).id;
    const std::string file = house.upload("a.txt", "보안정책");
    const std::string next = house.upload("b.txt", "다음 글");
    model.set_open(false);
    house.attach(id, file);
    while (model.calls == 0) std::this_thread::sleep_for(1ms);
    house.files.remove(file);
    house.attach(id, next);
    model.set_open(true);
    CHECK(house.wait(id, next).status == "completed");
    CHECK(house.find(id, "정책") == Names{"b.txt"});
    CHECK(house.collections->get(id).files.total == 1);
}

TEST_CASE("attached again: the same sizes keep the work, others do it again") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    const std::string id = house.collections->create("c", {}).id;
    std::string text;
    for (int i = 0; i < 400; ++i) text += "문장 번호 " + std::to_string(i) + " 입니다. ";
    const std::string file = house.upload("a.txt", text);
    house.attach(id, file);
    const int chunks = house.wait(id, file).chunks;
    const int calls = model.calls;
    const std::map<std::string, Attribute> attributes = {{"year", 2026.0}, {"ok", true}};
    const auto again = house.collections->attach(id, file, attributes, {});
    CHECK(again.status == "completed");
    CHECK(again.attributes == attributes);
    CHECK(model.calls == calls);

    house.attach(id, file, {.tokens_max = 100, .overlap = 20});
    const CollectionFile smaller = house.wait(id, file);
    CHECK(smaller.chunks > chunks);
    CHECK(smaller.chunk_tokens == 100);
    CHECK(smaller.chunk_overlap == 20);
    CHECK(house.collections->get(id).files.total == 1);
}

TEST_CASE("vectors of two models are never compared") {
    const tests::TempFolder folder;
    FakeModel first, second;
    second.name = "other";
    std::string id, empty, file;
    {
        House house(folder.path(), first);
        id = house.collections->create("c", {}).id;
        empty = house.collections->create("d", {}).id;
        file = house.upload("a.txt", "글");
        house.attach(id, file);
        house.wait(id, file);
    }
    House house(folder.path(), second);
    CHECK(error_of([&] { house.find(id, "글"); }).code() == ErrorCode::kConflict);
    CHECK(error_of([&] { house.attach(id, file); }).code() == ErrorCode::kConflict);
    house.attach(empty, file);  // nothing in it yet: it takes the new model
    CHECK(house.wait(empty, file).status == "completed");
    CHECK(house.find(empty, "글") == Names{"a.txt"});
}

TEST_CASE("wrong requests name their field") {
    const tests::TempFolder folder;
    FakeModel model;
    House house(folder.path(), model);
    auto& collections = *house.collections;
    const std::string id = collections.create("c", {}).id;
    const std::string file = house.upload("a.txt", "글");
    std::map<std::string, std::string> many;
    std::map<std::string, Attribute> attributes;
    for (int i = 0; i < 17; ++i) {
        many[std::to_string(i)] = std::string("v");
        attributes[std::to_string(i)] = true;
    }
    struct Case {
        const char* field;
        std::function<void()> work;
    };
    const Case cases[] = {
        {"metadata", [&] { collections.create("c", many); }},
        {"metadata",
         [&] {
             collections.create("c", {{std::string(65, 'k'), "v"}});
         }},
        {"metadata",
         [&] {
             collections.create("c", {{"k", std::string(513, 'v')}});
         }},
        {"name", [&] { collections.create("\xff", {}); }},
        {"attributes", [&] { collections.attach(id, file, attributes, {}); }},
        {"chunking_strategy.static.max_chunk_size_tokens",
         [&] {
             house.attach(id, file, {99, 0});
         }},
        {"chunking_strategy.static.chunk_overlap_tokens",
         [&] {
             house.attach(id, file, {100, 51});
         }},
        {"vector_store_id", [&] { house.attach("vs_none", file); }},
        {"file_id", [&] { house.attach(id, "file-none"); }},
        {"file_id", [&] { collections.file(id, file); }},
        {"query", [&] { house.find(id, " \n"); }},
        {"query", [&] { collections.search({.collection_id = id, .queries = {}}); }},
        {"max_num_results",
         [&] { collections.search({.collection_id = id, .queries = {"q"}, .results_max = 51}); }},
        {"ranking_options.score_threshold",
         [&] {
             collections.search(
                 {.collection_id = id, .queries = {"q"}, .results_max = 5, .score_min = 1.5});
         }},
        {"limit", [&] { collections.list({.after = {}, .limit = 101, .ascending = false}); }},
        {"after", [&] { collections.files(id, {.after = "file-none", .limit = 1}); }},
    };
    for (const Case& c : cases) {
        CAPTURE(std::string(c.field));
        CHECK(error_of(c.work).field() == c.field);
    }
    CHECK(house.find(id, "아직 아무것도 없다").empty());
}

TEST_SUITE_END();

}  // namespace jikji::service
