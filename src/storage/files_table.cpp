#include "storage/files_table.hpp"

#include "storage/list_query.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {
namespace {

constexpr std::string_view kSelect =
    "SELECT f.id, f.filename, f.purpose, f.bytes, f.created_at, f.sha256 FROM files f ";

FileRow row_of(const Statement& statement) {
    return {.id = statement.text_at(0),
            .filename = statement.text_at(1),
            .purpose = statement.text_at(2),
            .bytes = statement.int64_at(3),
            .created_at = statement.int64_at(4),
            .sha256 = statement.text_at(5)};
}

}  // namespace

void FilesTable::insert(const FileRow& row) {
    Statement(connection_, R"sql(
        INSERT INTO files (id, filename, purpose, bytes, created_at, sha256)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6))sql")
        .bind(1, row.id)
        .bind(2, row.filename)
        .bind(3, row.purpose)
        .bind(4, row.bytes)
        .bind(5, row.created_at)
        .bind(6, row.sha256)
        .run();
}

std::optional<FileRow> FilesTable::get(const std::string& id) const {
    Statement select(connection_, std::string(kSelect) + "WHERE f.id = ?1");
    if (!select.bind(1, id).step()) return std::nullopt;
    return row_of(select);
}

std::optional<FileRow> FilesTable::find(const std::string& sha256,
                                        const std::string& filename) const {
    Statement select(connection_, std::string(kSelect) +
                                      "WHERE f.sha256 = ?1 AND f.filename = ?2 "
                                      "ORDER BY f.seq DESC LIMIT 1");
    if (!select.bind(1, sha256).bind(2, filename).step()) return std::nullopt;
    return row_of(select);
}

PageOf<FileRow> FilesTable::list(const PageRequest& page, const std::string& purpose) const {
    Statement position(connection_, "SELECT seq FROM files WHERE id = ?1");
    const std::int64_t after = position_after(position.bind(1, page.after), page);
    Statement select(connection_, std::string(kSelect) + "WHERE (?3 = '' OR f.purpose = ?3)" +
                                      page_clause("f.seq", page));
    select.bind(3, purpose);
    return read_page<FileRow>(bind_page(select, page, after), page, row_of);
}

bool FilesTable::remove(const std::string& id) {
    Statement(connection_, "DELETE FROM files WHERE id = ?1").bind(1, id).run();
    return connection_.changes() > 0;
}

std::int64_t FilesTable::count_with(const std::string& sha256) const {
    Statement select(connection_, "SELECT count(*) FROM files WHERE sha256 = ?1");
    select.bind(1, sha256).step();
    return select.int64_at(0);
}

}  // namespace jikji::storage
