#include "storage/chunks_table.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

static_assert(std::endian::native == std::endian::little, "vectors are stored as they lie");

constexpr std::size_t kQueryEntries = 512;

// FTS5's query is a C string whose strings are parted at spaces by our tokenizer.
bool usable(const std::string& term) {
    return !term.empty() && term.find_first_of(std::string_view(" \0", 2)) == std::string::npos;
}

std::string in_quotes(std::string_view term) {
    std::string out = "\"";
    for (const char c : term) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string phrase_in_quotes(const std::vector<std::string>& terms) {
    if (terms.empty() || !std::all_of(terms.begin(), terms.end(), usable)) return {};
    std::string joined;
    for (const std::string& term : terms) joined += (joined.empty() ? "" : " ") + term;
    return in_quotes(joined);
}

std::string match_of(const KeywordQuery& query) {
    std::string out;
    std::size_t entries = 0;
    const auto add = [&](const std::string& entry) {
        if (entry.empty() || entries == kQueryEntries) return;
        ++entries;
        out += out.empty() ? entry : " OR " + entry;
    };
    for (const auto& phrase : query.phrases) add(phrase_in_quotes(phrase));
    for (const auto& term : query.terms) add(usable(term) ? in_quotes(term) : "");
    for (const auto& prefix : query.prefixes) add(usable(prefix) ? in_quotes(prefix) + "*" : "");
    return out;
}

// CROSS JOIN makes SQLite start from the full-text index. Left alone it walked the collection and
// asked the index about each chunk (measured: 90 ms a term for 10,000 chunks, now 0.1).
constexpr std::string_view kMatching = R"sql(
    FROM chunks_fts CROSS JOIN chunks ON chunks.id = chunks_fts.rowid
    WHERE chunks_fts MATCH ?1
      AND chunks.collection = (SELECT seq FROM collections WHERE id = ?2) )sql";

std::span<const float> floats_of(std::span<const std::byte> blob, std::vector<float>& aligned) {
    aligned.resize(blob.size() / sizeof(float));
    std::memcpy(aligned.data(), blob.data(), aligned.size() * sizeof(float));
    return aligned;
}

}  // namespace

std::int64_t ChunksTable::insert(const std::string& collection_id, const ChunkRow& row,
                                 std::span<const float> vector) {
    Statement insert(connection_, R"sql(
        INSERT INTO chunks (collection, collection_file, ordinal, heading, text, page, begin_byte,
                            end_byte, tokens, vector)
        SELECT cf.collection, cf.seq, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10
        FROM collection_files cf
        JOIN collections c ON c.seq = cf.collection
        JOIN files f ON f.seq = cf.file
        WHERE c.id = ?1 AND f.id = ?2)sql");
    insert.bind(1, collection_id).bind(2, row.file_id).bind(3, row.ordinal);
    insert.bind(4, row.heading).bind(5, row.text).bind(6, row.page).bind(7, row.begin);
    insert.bind(8, row.end).bind(9, row.tokens).bind_blob(10, std::as_bytes(vector));
    insert.run();
    JIKJI_CHECK(connection_.changes() == 1);
    return connection_.last_row_id();
}

std::vector<std::int64_t> ChunksTable::ids_of(const std::string& collection_id,
                                              const std::string& file_id) const {
    Statement select(connection_, R"sql(
        SELECT ch.id FROM chunks ch
        JOIN collection_files cf ON cf.seq = ch.collection_file
        JOIN collections c ON c.seq = cf.collection
        JOIN files f ON f.seq = cf.file
        WHERE c.id = ?1 AND f.id = ?2 ORDER BY ch.ordinal)sql");
    select.bind(1, collection_id).bind(2, file_id);
    std::vector<std::int64_t> ids;
    while (select.step()) ids.push_back(select.int64_at(0));
    return ids;
}

void ChunksTable::remove(const std::string& collection_id, const std::string& file_id) {
    Statement(connection_, R"sql(
        DELETE FROM chunks WHERE collection_file IN (
            SELECT cf.seq FROM collection_files cf
            JOIN collections c ON c.seq = cf.collection
            JOIN files f ON f.seq = cf.file
            WHERE c.id = ?1 AND f.id = ?2))sql")
        .bind(1, collection_id)
        .bind(2, file_id)
        .run();
}

std::int64_t ChunksTable::count(const std::string& collection_id) const {
    Statement select(connection_, R"sql(
        SELECT count(*) FROM chunks
        WHERE collection = (SELECT seq FROM collections WHERE id = ?1))sql");
    select.bind(1, collection_id).step();
    return select.int64_at(0);
}

void ChunksTable::each_vector(
    const std::string& collection_id,
    const std::function<void(std::int64_t, std::span<const float>)>& take) const {
    Statement select(connection_, R"sql(
        SELECT id, vector FROM chunks
        WHERE collection = (SELECT seq FROM collections WHERE id = ?1) ORDER BY id)sql");
    select.bind(1, collection_id);
    std::vector<float> aligned;
    while (select.step()) take(select.int64_at(0), floats_of(select.blob_at(1), aligned));
}

std::vector<ChunkRow> ChunksTable::get(std::span<const std::int64_t> ids) const {
    Statement select(connection_, R"sql(
        SELECT ch.id, f.id, f.filename, ch.ordinal, ch.text, ch.page, ch.heading, ch.begin_byte,
               ch.end_byte, ch.tokens
        FROM chunks ch
        JOIN collection_files cf ON cf.seq = ch.collection_file
        JOIN files f ON f.seq = cf.file
        WHERE ch.id = ?1)sql");
    std::vector<ChunkRow> rows;
    for (const std::int64_t id : ids) {
        select.reset();
        if (!select.bind(1, id).step()) continue;
        rows.push_back({.id = select.int64_at(0),
                        .file_id = select.text_at(1),
                        .filename = select.text_at(2),
                        .ordinal = select.int64_at(3),
                        .text = select.text_at(4),
                        .page = select.int_at(5),
                        .heading = select.text_at(6),
                        .begin = select.int64_at(7),
                        .end = select.int64_at(8),
                        .tokens = select.int_at(9)});
    }
    return rows;
}

std::vector<KeywordHit> ChunksTable::keyword_search(const std::string& collection_id,
                                                    const KeywordQuery& query, int limit) const {
    const std::string match = match_of(query);
    if (match.empty()) return {};
    Statement select(connection_, "SELECT chunks.id, bm25(chunks_fts) AS score" +
                                      std::string(kMatching) +
                                      "ORDER BY score, chunks.id LIMIT ?3");
    select.bind(1, match).bind(2, collection_id).bind(3, limit);
    std::vector<KeywordHit> hits;
    while (select.step()) hits.push_back({select.int64_at(0), select.double_at(1)});
    return hits;
}

std::int64_t ChunksTable::document_frequency(const std::string& collection_id,
                                             const std::string& term) const {
    if (!usable(term)) return 0;
    Statement select(connection_, "SELECT count(*)" + std::string(kMatching));
    select.bind(1, in_quotes(term)).bind(2, collection_id).step();
    return select.int64_at(0);
}

}  // namespace jikji::storage
