#include "storage/collections_table.hpp"

#include "storage/list_query.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

constexpr std::string_view kSelect = R"sql(
    SELECT c.id, c.name, c.created_at, c.last_active_at, c.embedding_model,
        (SELECT coalesce(sum(usage_bytes), 0) FROM collection_files WHERE collection = c.seq),
        (SELECT count(*) FROM collection_files WHERE collection = c.seq AND status = 'in_progress'),
        (SELECT count(*) FROM collection_files WHERE collection = c.seq AND status = 'completed'),
        (SELECT count(*) FROM collection_files WHERE collection = c.seq AND status = 'failed'),
        (SELECT count(*) FROM collection_files WHERE collection = c.seq AND status = 'cancelled')
    FROM collections c )sql";

CollectionRow row_of(const Statement& statement) {
    return {.id = statement.text_at(0),
            .name = statement.text_at(1),
            .created_at = statement.int64_at(2),
            .last_active_at = statement.int64_at(3),
            .embedding_model = statement.text_at(4),
            .metadata = {},
            .usage_bytes = statement.int64_at(5),
            .in_progress = statement.int_at(6),
            .completed = statement.int_at(7),
            .failed = statement.int_at(8),
            .cancelled = statement.int_at(9)};
}

}  // namespace

void CollectionsTable::insert(const CollectionRow& row) {
    Statement(connection_, R"sql(
        INSERT INTO collections (id, name, created_at, last_active_at, embedding_model)
        VALUES (?1, ?2, ?3, ?4, ?5))sql")
        .bind(1, row.id)
        .bind(2, row.name)
        .bind(3, row.created_at)
        .bind(4, row.last_active_at)
        .bind(5, row.embedding_model)
        .run();
    const std::int64_t seq = connection_.last_row_id();
    Statement insert(
        connection_,
        "INSERT INTO collection_metadata (collection, key, value) VALUES (?1, ?2, ?3)");
    for (const auto& [key, value] : row.metadata) {
        insert.bind(1, seq).bind(2, key).bind(3, value).run();
    }
}

void CollectionsTable::read_metadata(CollectionRow& row) const {
    Statement select(connection_, R"sql(
        SELECT key, value FROM collection_metadata
        WHERE collection = (SELECT seq FROM collections WHERE id = ?1))sql");
    select.bind(1, row.id);
    while (select.step()) row.metadata[select.text_at(0)] = select.text_at(1);
}

std::optional<CollectionRow> CollectionsTable::get(const std::string& id) const {
    Statement select(connection_, std::string(kSelect) + "WHERE c.id = ?1");
    if (!select.bind(1, id).step()) return std::nullopt;
    CollectionRow row = row_of(select);
    read_metadata(row);
    return row;
}

std::optional<CollectionRow> CollectionsTable::find_by_name(const std::string& name) const {
    Statement select(connection_,
                     "SELECT id FROM collections WHERE name = ?1 ORDER BY seq LIMIT 1");
    if (!select.bind(1, name).step()) return std::nullopt;
    return get(select.text_at(0));
}

PageOf<CollectionRow> CollectionsTable::list(const PageRequest& page) const {
    Statement position(connection_, "SELECT seq FROM collections WHERE id = ?1");
    const std::int64_t after = position_after(position.bind(1, page.after), page);
    Statement select(connection_, std::string(kSelect) + "WHERE true" + page_clause("c.seq", page));
    auto out = read_page<CollectionRow>(bind_page(select, page, after), page, row_of);
    for (CollectionRow& row : out.rows) read_metadata(row);
    return out;
}

bool CollectionsTable::remove(const std::string& id) {
    Statement(connection_, "DELETE FROM collections WHERE id = ?1").bind(1, id).run();
    return connection_.changes() > 0;
}

void CollectionsTable::touch(const std::string& id, std::int64_t now) {
    Statement(connection_, "UPDATE collections SET last_active_at = ?2 WHERE id = ?1")
        .bind(1, id)
        .bind(2, now)
        .run();
}

void CollectionsTable::set_embedding_model(const std::string& id, const std::string& model) {
    Statement(connection_, "UPDATE collections SET embedding_model = ?2 WHERE id = ?1")
        .bind(1, id)
        .bind(2, model)
        .run();
}

}  // namespace jikji::storage
