#include "storage/collection_files_table.hpp"

#include "base/error.hpp"
#include "storage/list_query.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

constexpr std::string_view kSelect = R"sql(
    SELECT c.id, f.id, f.filename, cf.created_at, cf.status, cf.attempts, cf.error_code,
           cf.error_message, cf.error_korean, cf.chunk_tokens, cf.chunk_overlap, cf.usage_bytes,
           cf.chunks
    FROM collection_files cf
    JOIN collections c ON c.seq = cf.collection
    JOIN files f ON f.seq = cf.file )sql";

CollectionFileRow row_of(const Statement& statement) {
    return {.collection_id = statement.text_at(0),
            .file_id = statement.text_at(1),
            .filename = statement.text_at(2),
            .created_at = statement.int64_at(3),
            .status = statement.text_at(4),
            .attempts = statement.int_at(5),
            .error_code = statement.text_at(6),
            .error_message = statement.text_at(7),
            .error_korean = statement.text_at(8),
            .chunk_tokens = statement.int_at(9),
            .chunk_overlap = statement.int_at(10),
            .usage_bytes = statement.int64_at(11),
            .chunks = statement.int_at(12),
            .attributes = {}};
}

void bind_value(Statement& insert, const AttributeValue& value) {
    if (const auto* text = std::get_if<std::string>(&value)) {
        insert.bind(3, "string").bind(4, *text);
    } else if (const auto* number = std::get_if<double>(&value)) {
        insert.bind(3, "number").bind(4, *number);
    } else {
        insert.bind(3, "boolean").bind(4, std::get<bool>(value));
    }
}

AttributeValue value_of(const Statement& select) {
    const std::string_view kind = select.text_view_at(1);
    if (kind == "string") return select.text_at(2);
    if (kind == "number") return select.double_at(2);
    return select.int64_at(2) != 0;
}

}  // namespace

std::int64_t CollectionFilesTable::seq_of(const CollectionFileKey& key) const {
    Statement select(connection_, R"sql(
        SELECT cf.seq FROM collection_files cf
        JOIN collections c ON c.seq = cf.collection
        JOIN files f ON f.seq = cf.file
        WHERE c.id = ?1 AND f.id = ?2)sql");
    return select.bind(1, key.collection_id).bind(2, key.file_id).step() ? select.int64_at(0) : 0;
}

void CollectionFilesTable::insert(const CollectionFileRow& row) {
    Statement insert(connection_, R"sql(
        INSERT INTO collection_files (collection, file, created_at, status, chunk_tokens,
                                      chunk_overlap)
        SELECT c.seq, f.seq, ?3, ?4, ?5, ?6 FROM collections c, files f
        WHERE c.id = ?1 AND f.id = ?2)sql");
    insert.bind(1, row.collection_id).bind(2, row.file_id).bind(3, row.created_at);
    insert.bind(4, row.status).bind(5, row.chunk_tokens).bind(6, row.chunk_overlap).run();
    JIKJI_CHECK(connection_.changes() == 1);
    set_attributes({row.collection_id, row.file_id}, row.attributes);
}

void CollectionFilesTable::set_attributes(const CollectionFileKey& key,
                                          const std::map<std::string, AttributeValue>& attributes) {
    const std::int64_t seq = seq_of(key);
    Statement(connection_, "DELETE FROM collection_file_attributes WHERE collection_file = ?1")
        .bind(1, seq)
        .run();
    Statement insert(connection_, R"sql(
        INSERT INTO collection_file_attributes (collection_file, key, kind, value)
        VALUES (?1, ?2, ?3, ?4))sql");
    for (const auto& [name, value] : attributes) {
        insert.bind(1, seq).bind(2, name);
        bind_value(insert, value);
        insert.run();
    }
}

void CollectionFilesTable::read_attributes(CollectionFileRow& row) const {
    Statement select(connection_, R"sql(
        SELECT key, kind, value FROM collection_file_attributes WHERE collection_file = ?1)sql");
    select.bind(1, seq_of({row.collection_id, row.file_id}));
    while (select.step()) row.attributes[select.text_at(0)] = value_of(select);
}

std::optional<CollectionFileRow> CollectionFilesTable::get(const CollectionFileKey& key) const {
    Statement select(connection_, std::string(kSelect) + "WHERE c.id = ?1 AND f.id = ?2");
    if (!select.bind(1, key.collection_id).bind(2, key.file_id).step()) return std::nullopt;
    CollectionFileRow row = row_of(select);
    read_attributes(row);
    return row;
}

PageOf<CollectionFileRow> CollectionFilesTable::list(const std::string& collection_id,
                                                     const PageRequest& page,
                                                     const std::string& status) const {
    Statement position(connection_, R"sql(
        SELECT cf.seq FROM collection_files cf
        JOIN collections c ON c.seq = cf.collection
        JOIN files f ON f.seq = cf.file
        WHERE f.id = ?1 AND c.id = ?2)sql");
    const std::int64_t after =
        position_after(position.bind(1, page.after).bind(2, collection_id), page);
    Statement select(connection_, std::string(kSelect) +
                                      "WHERE c.id = ?3 AND (?4 = '' OR cf.status = ?4)" +
                                      page_clause("cf.seq", page));
    select.bind(3, collection_id).bind(4, status);
    auto out = read_page<CollectionFileRow>(bind_page(select, page, after), page, row_of);
    for (CollectionFileRow& row : out.rows) read_attributes(row);
    return out;
}

bool CollectionFilesTable::remove(const CollectionFileKey& key) {
    Statement(connection_, "DELETE FROM collection_files WHERE seq = ?1")
        .bind(1, seq_of(key))
        .run();
    return connection_.changes() > 0;
}

std::vector<std::string> CollectionFilesTable::collections_of(const std::string& file_id) const {
    Statement select(connection_, R"sql(
        SELECT c.id FROM collection_files cf
        JOIN collections c ON c.seq = cf.collection
        WHERE cf.file = (SELECT seq FROM files WHERE id = ?1) ORDER BY c.seq)sql");
    select.bind(1, file_id);
    std::vector<std::string> ids;
    while (select.step()) ids.push_back(select.text_at(0));
    return ids;
}

std::optional<CollectionFileRow> CollectionFilesTable::next_to_do() const {
    Statement select(connection_, std::string(kSelect) +
                                      "WHERE cf.status = 'in_progress' ORDER BY cf.seq LIMIT 1");
    if (!select.step()) return std::nullopt;
    return row_of(select);
}

void CollectionFilesTable::set_attempts(const CollectionFileKey& key, int attempts) {
    Statement(connection_, "UPDATE collection_files SET attempts = ?2 WHERE seq = ?1")
        .bind(1, seq_of(key))
        .bind(2, attempts)
        .run();
}

void CollectionFilesTable::complete(const CollectionFileKey& key, int chunks,
                                    std::int64_t usage_bytes) {
    Statement(connection_, R"sql(
        UPDATE collection_files SET status = 'completed', chunks = ?2, usage_bytes = ?3
        WHERE seq = ?1)sql")
        .bind(1, seq_of(key))
        .bind(2, chunks)
        .bind(3, usage_bytes)
        .run();
}

void CollectionFilesTable::fail(const CollectionFileKey& key, const FileFailure& failure) {
    Statement(connection_, R"sql(
        UPDATE collection_files
        SET status = 'failed', error_code = ?2, error_message = ?3, error_korean = ?4
        WHERE seq = ?1)sql")
        .bind(1, seq_of(key))
        .bind(2, failure.code)
        .bind(3, failure.message)
        .bind(4, failure.korean)
        .run();
}

void CollectionFilesTable::queue_again(const CollectionFileKey& key, int chunk_tokens,
                                       int chunk_overlap) {
    const std::int64_t seq = seq_of(key);
    Statement(connection_, "DELETE FROM chunks WHERE collection_file = ?1").bind(1, seq).run();
    Statement(connection_, R"sql(
        UPDATE collection_files
        SET status = 'in_progress', attempts = 0, error_code = '', error_message = '',
            error_korean = '', chunks = 0, usage_bytes = 0, chunk_tokens = ?2, chunk_overlap = ?3
        WHERE seq = ?1)sql")
        .bind(1, seq)
        .bind(2, chunk_tokens)
        .bind(3, chunk_overlap)
        .run();
}

}  // namespace jikji::storage
