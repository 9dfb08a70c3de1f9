// Goal: vectors and keywords each find what the other misses, copies do not crowd the results, and
// what is held in memory follows the database.
#include "knowledge/retriever.hpp"

#include <doctest/doctest.h>

#include <cmath>

#include "base/error.hpp"
#include "storage/chunks_table.hpp"
#include "storage/collection_files_table.hpp"
#include "storage/collections_table.hpp"
#include "storage/database.hpp"
#include "storage/files_table.hpp"
#include "support/temp_folder.hpp"

namespace jikji::knowledge {
namespace {

/// A direction in the plane, so that tests can say how near two texts are.
std::vector<float> at_angle(double degrees) {
    const double radians = degrees * 3.14159265358979 / 180;
    return {static_cast<float>(std::cos(radians)), static_cast<float>(std::sin(radians))};
}

class Store {
public:
    Store() : database(folder / "jikji.db"), retriever(database) {
        database.write([](storage::Connection& c) {
            storage::CollectionsTable(c).insert({.id = "vs_a", .name = "a", .metadata = {}});
            storage::FilesTable(c).insert(
                {.id = "file-1", .filename = "규정.md", .purpose = "assistants", .sha256 = "00"});
            storage::CollectionFilesTable(c).insert({.collection_id = "vs_a", .file_id = "file-1"});
        });
    }

    ChunkId add(const std::string& text, double degrees, bool tell = false) {
        const auto vector = at_angle(degrees);
        ChunkId id = 0;
        database.write([&](storage::Connection& c) {
            id = storage::ChunksTable(c).insert("vs_a",
                                                {.file_id = "file-1",
                                                 .ordinal = ordinal_++,
                                                 .text = text,
                                                 .page = 3,
                                                 .heading = "규정",
                                                 .begin = 5,
                                                 .end = 9},
                                                vector);
        });
        if (tell) retriever.added("vs_a", std::vector<ChunkId>{id}, vector);
        return id;
    }

    std::vector<Passage> ask(const std::string& text, double degrees, int k = 10) {
        const std::vector<Question> questions = {{text, at_angle(degrees)}};
        return retriever.search("vs_a", questions, k);
    }

    tests::TempFolder folder;
    storage::Database database;
    Retriever retriever;

private:
    std::int64_t ordinal_ = 0;
};

}  // namespace

TEST_SUITE_BEGIN("retriever");

TEST_CASE("keywords and vectors both count") {
    Store store;
    const ChunkId near = store.add("남은 날을 돈으로 바꾸지 않는다", 10);
    const ChunkId named = store.add("연차휴가는 17일이다", 60);
    const ChunkId both = store.add("휴가는 팀장에게 신청한다", 15);
    store.add("점심은 열두 시에 먹는다", 90);
    const auto found = store.ask("휴가는 언제 신청하나요?", 12);
    REQUIRE(found.size() == 4);
    CHECK(found[0].chunk == both);
    CHECK(found[0].similarity == doctest::Approx(std::cos(3 * 3.14159265 / 180)));
    CHECK(found[0].keywords > 0.5);
    CHECK(found[0].score > found[1].score);
    for (const Passage& passage : found) {
        CHECK(passage.score > 0);
        CHECK(passage.score <= 1);
        if (passage.chunk == near) CHECK(passage.keywords == 0);
        if (passage.chunk == named) CHECK(passage.keywords > 0);
    }
}

TEST_CASE("a passage says where it stands") {
    Store store;
    store.add("연차휴가는 17일이다", 0);
    const auto found = store.ask("연차휴가", 0, 1);
    REQUIRE(found.size() == 1);
    CHECK(found[0].filename == "규정.md");
    CHECK(found[0].file_id == "file-1");
    CHECK(found[0].place.page == 3);
    CHECK(found[0].place.heading == "규정");
    CHECK(found[0].place.begin == 5);
    CHECK(found[0].score == 1);  // first of both rankings
    CHECK(found[0].keywords == 1);
}

TEST_CASE("copies do not fill the results") {
    Store store;
    for (int i = 0; i < 5; ++i) store.add("연차휴가는 1년에 17일을 쓴다", i);
    const ChunkId other = store.add("연차휴가는 사흘 전에 신청한다", 20);
    const auto found = store.ask("연차휴가는 며칠인가요?", 0, 3);
    REQUIRE(found.size() == 2);
    CHECK(found[1].chunk == other);
}

TEST_CASE("questions are data, not query syntax") {
    Store store;
    store.add("따옴표 \" 와 NEAR 와 AND", 0);
    for (const char* question : {"\"", "a\" OR \"b", "NEAR(휴가, 2)", "*", "text:휴가", ""}) {
        CAPTURE(std::string(question));
        CHECK(store.ask(question, 0).size() == 1);
    }
}

TEST_CASE("more than one question: each brings its own") {
    Store store;
    const ChunkId leave = store.add("연차휴가는 17일이다", 0);
    const ChunkId lunch = store.add("점심값은 4천 원이다", 90);
    const std::vector<Question> questions = {{"연차휴가", at_angle(0)}, {"점심값", at_angle(90)}};
    const auto found = store.retriever.search("vs_a", questions, 2);
    REQUIRE(found.size() == 2);
    CHECK(found[0].chunk + found[1].chunk == leave + lunch);
    CHECK(found[0].chunk != found[1].chunk);
    for (const Passage& passage : found) CHECK(passage.similarity == doctest::Approx(1));
}

TEST_CASE("what is held follows the database") {
    Store store;
    CHECK(store.ask("휴가", 0).empty());
    const ChunkId first = store.add("휴가 하나", 0, true);
    CHECK(store.ask("휴가", 0).size() == 1);
    store.add("휴가 둘째 문단", 5, true);
    CHECK(store.ask("휴가", 0).size() == 2);

    store.database.write(
        [](storage::Connection& c) { storage::ChunksTable(c).remove("vs_a", "file-1"); });
    store.retriever.removed("vs_a", std::vector<ChunkId>{first});
    CHECK(store.ask("휴가", 0).empty());  // the other is gone too, though it was not said

    store.add("휴가 셋", 0);
    store.retriever.forget("vs_a");
    CHECK(store.ask("휴가", 0).size() == 1);
    CHECK(
        store.retriever.search("vs_none", std::vector<Question>{{"휴가", at_angle(0)}}, 3).empty());
}

TEST_CASE("telling twice of a chunk is harmless") {
    Store store;
    const ChunkId id = store.add("휴가", 0);
    CHECK(store.ask("휴가", 0).size() == 1);  // reads it
    store.retriever.added("vs_a", std::vector<ChunkId>{id}, at_angle(0));
    CHECK(store.ask("휴가", 0).size() == 1);
}

TEST_CASE("k has limits") {
    Store store;
    CHECK_THROWS_AS(store.ask("휴가", 0, 0), Error);
    CHECK_THROWS_AS(store.ask("휴가", 0, 51), Error);
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
