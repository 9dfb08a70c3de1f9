#include "storage/statement.hpp"

#include <sqlite3.h>

namespace jikji::storage {

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

Statement::Statement(Connection& connection, std::string_view sql)
    : connection_(connection.handle()) {
    sqlite3_stmt* raw = nullptr;
    const int result =
        sqlite3_prepare_v2(connection_, sql.data(), static_cast<int>(sql.size()), &raw, nullptr);
    handle_.reset(raw);  // owned before anything can throw
    require(result);
}

void Statement::require(int result) const {
    if (result != SQLITE_OK) throw_sqlite(connection_, result);
}

Statement& Statement::bind(int parameter, std::int64_t value) {
    require(sqlite3_bind_int64(handle_.get(), parameter, value));
    return *this;
}

Statement& Statement::bind(int parameter, double value) {
    require(sqlite3_bind_double(handle_.get(), parameter, value));
    return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
    // A null pointer would bind NULL, not an empty text.
    const char* data = text.data() == nullptr ? "" : text.data();
    require(sqlite3_bind_text64(handle_.get(), parameter, data, text.size(), SQLITE_TRANSIENT,
                                SQLITE_UTF8));
    return *this;
}

Statement& Statement::bind_blob(int parameter, std::span<const std::byte> bytes) {
    const void* data = bytes.data() == nullptr ? "" : static_cast<const void*>(bytes.data());
    require(sqlite3_bind_blob64(handle_.get(), parameter, data, bytes.size(), SQLITE_TRANSIENT));
    return *this;
}

Statement& Statement::bind_null(int parameter) {
    require(sqlite3_bind_null(handle_.get(), parameter));
    return *this;
}

bool Statement::step() {
    const int result = sqlite3_step(handle_.get());
    if (result == SQLITE_ROW) return true;
    if (result == SQLITE_DONE) return false;
    throw_sqlite(connection_, result);
}

void Statement::run() {
    while (step()) {
    }
    reset();
}

// The result repeats the error of the last step(), which has been thrown already.
void Statement::reset() { sqlite3_reset(handle_.get()); }

std::int64_t Statement::int64_at(int column) const {
    return sqlite3_column_int64(handle_.get(), column);
}

double Statement::double_at(int column) const {
    return sqlite3_column_double(handle_.get(), column);
}

std::string_view Statement::text_view_at(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
    if (text == nullptr) return {};
    return {text, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::span<const std::byte> Statement::blob_at(int column) const {
    const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(handle_.get(), column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

bool Statement::null_at(int column) const {
    return sqlite3_column_type(handle_.get(), column) == SQLITE_NULL;
}

}  // namespace jikji::storage
