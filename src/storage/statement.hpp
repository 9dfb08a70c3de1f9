#pragma once
// One prepared statement. Private to storage: other rooms call tables, not SQL. Threads: those of
// its connection.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "storage/connection.hpp"

struct sqlite3_stmt;

namespace jikji::storage {

/// Move-only. Must not outlive the connection it was made on.
class Statement {
public:
    Statement(Connection& connection, std::string_view sql);  // throws Error if it does not compile

    // Parameters count from 1; text and blobs are copied. Returns itself, to chain.
    Statement& bind(int parameter, std::int64_t value);
    Statement& bind(int parameter, int value) { return bind(parameter, std::int64_t{value}); }
    Statement& bind(int parameter, bool value) { return bind(parameter, std::int64_t{value}); }
    Statement& bind(int parameter, double value);
    Statement& bind(int parameter, std::string_view text);
    Statement& bind(int parameter, const char* text) {
        return bind(parameter, std::string_view(text));
    }
    Statement& bind(int parameter, const std::string& text) {
        return bind(parameter, std::string_view(text));
    }
    Statement& bind_blob(int parameter, std::span<const std::byte> bytes);
    Statement& bind_null(int parameter);

    /// True: a row is ready; false: done. Throws as throw_sqlite().
    bool step();
    /// For a statement without rows: steps to its end and makes it ready to run again.
    void run();
    void reset();  // ready to run again, with its parameters as they are

    // Columns count from 0. Views hold until the next step(), run() or reset().
    std::int64_t int64_at(int column) const;
    int int_at(int column) const { return static_cast<int>(int64_at(column)); }
    double double_at(int column) const;
    std::string_view text_view_at(int column) const;
    std::string text_at(int column) const { return std::string(text_view_at(column)); }
    std::span<const std::byte> blob_at(int column) const;
    bool null_at(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    void require(int result) const;

    std::unique_ptr<sqlite3_stmt, Finalize> handle_;
    sqlite3* connection_;
};

}  // namespace jikji::storage
