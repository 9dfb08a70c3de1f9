// Goal: Korean is found whatever particle hangs on it, a user's text can never become query
// syntax, and rows, vectors and full-text index never part.
#include "storage/chunks_table.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "base/error.hpp"
#include "storage/collection_files_table.hpp"
#include "storage/collections_table.hpp"
#include "storage/database.hpp"
#include "storage/files_table.hpp"
#include "storage/migrate.hpp"
#include "storage/statement.hpp"
#include "support/temp_folder.hpp"
#include "text/terms.hpp"

namespace jikji::storage {
namespace {

using Ids = std::vector<std::int64_t>;

struct Store {
    Store() : database(folder / "jikji.db") {
        database.write([](Connection& c) {
            for (const char* id : {"vs_a", "vs_b"}) {
                CollectionsTable(c).insert({.id = id, .name = id, .metadata = {}});
            }
            for (const char* id : {"file-1", "file-2"}) {
                FilesTable(c).insert({.id = id,
                                      .filename = std::string(id) + ".txt",
                                      .purpose = "assistants",
                                      .sha256 = "00"});
            }
            CollectionFilesTable(c).insert({.collection_id = "vs_a", .file_id = "file-1"});
            CollectionFilesTable(c).insert({.collection_id = "vs_a", .file_id = "file-2"});
            CollectionFilesTable(c).insert({.collection_id = "vs_b", .file_id = "file-1"});
        });
    }

    std::int64_t add(const std::string& collection, const std::string& file, std::int64_t ordinal,
                     const std::string& text, const std::string& heading = {}) {
        const std::vector<float> vector = {static_cast<float>(ordinal), 0.5F, -1.0F};
        std::int64_t id = 0;
        database.write([&](Connection& c) {
            id = ChunksTable(c).insert(
                collection, {.file_id = file, .ordinal = ordinal, .text = text, .heading = heading},
                vector);
        });
        return id;
    }

    Ids find(const std::string& collection, const KeywordQuery& query) {
        Ids ids;
        database.read([&](Connection& c) {
            for (const auto& hit : ChunksTable(c).keyword_search(collection, query, 10)) {
                CHECK(hit.rank < 0);
                ids.push_back(hit.id);
            }
        });
        return ids;
    }

    Ids find_words(const std::string& words) {
        return find("vs_a", {.terms = text::terms_of(words), .prefixes = {}, .phrases = {}});
    }

    void check_index() {  // FTS5 compares its index with the rows
        database.write([](Connection& c) {
            c.run("INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('integrity-check', 1);");
        });
    }

    tests::TempFolder folder;
    Database database;
};

}  // namespace

TEST_SUITE_BEGIN("chunks_table");

TEST_CASE("Korean words are found under their particles, Latin ones under their endings") {
    struct Case {
        const char* text;
        const char* question;
    };
    const Case cases[] = {
        {"회사의 보안정책을 지킨다", "정책"},
        {"정책에서는 다음을 정한다", "정책"},
        {"휴가규정과 급여", "휴가"},
        {"서버에서는 로그를 남긴다", "서버"},
        {"학습데이터를 모은다", "데이터"},
        {"indexing and training", "train index"},
        {"ＡＰＩ 안내", "api"},
        {"a ﬁle", "file"},
    };
    Store store;
    std::int64_t ordinal = 0;
    for (const Case& c : cases) {
        CAPTURE(std::string(c.text));
        const std::int64_t id = store.add("vs_a", "file-1", ordinal++, c.text);
        const Ids found = store.find_words(c.question);
        CHECK(std::count(found.begin(), found.end(), id) == 1);
    }
    CHECK(store.find_words("우주선").empty());
    store.check_index();
}

TEST_CASE("the better document comes first; headings count; prefixes and phrases work") {
    Store store;
    const auto weather = store.add("vs_a", "file-1", 0, "날씨가 맑다");
    const auto policy = store.add("vs_a", "file-1", 1, "정책, 정책, 정책", "보안");
    const auto other = store.add("vs_a", "file-1", 2, "정책 하나와 아주 긴 다른 이야기 여러 가지");
    const auto book = store.add("vs_a", "file-1", 3, "책은 좋다");
    CHECK(store.find_words("정책") == Ids{policy, other});
    CHECK(store.find_words("보안") == Ids{policy});
    CHECK(store.find("vs_a", {.terms = {}, .prefixes = {"책"}, .phrases = {}}) == Ids{book});
    const KeywordQuery phrase{.terms = {}, .prefixes = {}, .phrases = {text::terms_of("맑다")}};
    CHECK(store.find("vs_a", phrase) == Ids{weather});
    CHECK(store.find("vs_a", {.terms = {}, .prefixes = {}, .phrases = {{"정책", "날씨"}}}).empty());
}

TEST_CASE("nothing in a term is query syntax") {
    Store store;
    store.add("vs_a", "file-1", 0, "plain text");
    for (const std::string term : {"\"", "\" OR text", "*", "NEAR(", "text:plain", "^", "-", "{",
                                   "", "a\0b", "AND", "heading : x", "'; DROP TABLE chunks; --"}) {
        CAPTURE(term);
        CHECK(
            store.find("vs_a", {.terms = {term}, .prefixes = {term}, .phrases = {{term}}}).empty());
    }
    std::vector<std::string> many(5000, "word");
    CHECK(store.find("vs_a", {.terms = many, .prefixes = {}, .phrases = {}}).empty());
}

TEST_CASE("collections do not see each other") {
    Store store;
    const auto a = store.add("vs_a", "file-1", 0, "서버 설정");
    const auto b = store.add("vs_b", "file-1", 0, "서버 설정");
    const KeywordQuery query{.terms = {"서버"}, .prefixes = {}, .phrases = {}};
    CHECK(store.find("vs_a", query) == Ids{a});
    CHECK(store.find("vs_b", query) == Ids{b});
    store.database.read([](Connection& c) {
        const ChunksTable chunks(c);
        CHECK(chunks.document_frequency("vs_a", "서버") == 1);
        CHECK(chunks.document_frequency("vs_a", "없음") == 0);
        CHECK(chunks.count("vs_a") == 1);
        CHECK(chunks.count("vs_none") == 0);
    });
}

TEST_CASE("rows and vectors come back as they went in") {
    Store store;
    const auto second = store.add("vs_a", "file-2", 7, "둘째", "제목 > 절");
    const auto first = store.add("vs_a", "file-1", 3, "첫째");
    store.database.read([&](Connection& c) {
        const ChunksTable chunks(c);
        const Ids wanted = {first, 999'999, second};
        const auto rows = chunks.get(wanted);
        REQUIRE(rows.size() == 2);
        CHECK(rows[0].text == "첫째");
        CHECK(rows[1].filename == "file-2.txt");
        CHECK(rows[1].heading == "제목 > 절");
        CHECK(rows[1].ordinal == 7);
        Ids ids;
        std::vector<float> all;
        chunks.each_vector("vs_a", [&](std::int64_t id, std::span<const float> vector) {
            ids.push_back(id);
            all.insert(all.end(), vector.begin(), vector.end());
        });
        CHECK(ids == Ids{second, first});
        CHECK(all == std::vector<float>{7, 0.5F, -1, 3, 0.5F, -1});
    });
}

TEST_CASE("what is removed is gone from rows and index, by whichever way") {
    Store store;
    const KeywordQuery query{.terms = {"서버"}, .prefixes = {}, .phrases = {}};
    const auto fill = [&] { return store.add("vs_a", "file-1", 0, "서버 설정"); };
    const auto other = store.add("vs_a", "file-2", 0, "서버 목록");
    const CollectionFileKey key{"vs_a", "file-1"};

    auto id = fill();
    store.database.write([&](Connection& c) {
        CHECK(ChunksTable(c).ids_of("vs_a", "file-1") == Ids{id});
        ChunksTable(c).remove("vs_a", "file-1");
    });
    CHECK(store.find("vs_a", query) == Ids{other});

    const auto again = fill();
    CHECK(again > id);  // never used twice
    store.database.write([&](Connection& c) { CHECK(CollectionFilesTable(c).remove(key)); });
    CHECK(store.find("vs_a", query) == Ids{other});

    store.database.write([&](Connection& c) { CHECK(FilesTable(c).remove("file-2")); });
    CHECK(store.find("vs_a", query).empty());
    store.database.write([&](Connection& c) {
        CHECK(CollectionsTable(c).remove("vs_a"));
        CHECK_FALSE(CollectionsTable(c).remove("vs_a"));
    });
    store.check_index();
}

TEST_CASE("an index that another tokenizer has built is built again") {
    Store store;
    const auto id = store.add("vs_a", "file-1", 0, "서버 설정");
    store.database.write([](Connection& c) {
        c.run(
            "INSERT INTO chunks_fts (chunks_fts) VALUES ('delete-all');"
            "UPDATE settings SET value = '0' WHERE key = 'storage.terms_version';");
    });
    CHECK(store.find_words("서버").empty());
    CHECK_THROWS_AS(store.check_index(), Error);  // so the check can see a wrong index
    {
        Connection writer(store.folder / "jikji.db", Connection::Role::kWriter);
        refresh_full_text(writer);
    }
    CHECK(store.find_words("서버") == Ids{id});
    store.check_index();
}

TEST_CASE("attributes and metadata keep their types") {
    Store store;
    const std::map<std::string, AttributeValue> attributes = {
        {"author", std::string("김")}, {"year", 2026.5}, {"draft", true}};
    const CollectionFileKey key{"vs_a", "file-1"};
    store.database.write([&](Connection& c) {
        CollectionFilesTable(c).set_attributes(key, attributes);
        CollectionsTable(c).insert({.id = "vs_m", .name = "m", .metadata = {{"팀", "보안"}}});
    });
    store.database.read([&](Connection& c) {
        const auto row = CollectionFilesTable(c).get(key);
        REQUIRE(row);
        CHECK(row->attributes == attributes);
        CHECK(CollectionsTable(c).get("vs_m")->metadata.at("팀") == "보안");
        CHECK_FALSE(CollectionFilesTable(c).get({"vs_m", "file-1"}));
    });
}

TEST_SUITE_END();

}  // namespace jikji::storage
