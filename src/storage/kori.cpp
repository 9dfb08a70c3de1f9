#include "storage/kori.hpp"

#include <sqlite3.h>

#include <algorithm>
#include <exception>
#include <new>
#include <string_view>

#include "base/error.hpp"
#include "storage/connection.hpp"
#include "text/terms.hpp"

namespace jikji::storage {
namespace {

using Emit = int (*)(void*, int, const char*, int, int, int);

// The tokenizer has no state; FTS5 wants a pointer that is not null.
int create(void*, const char**, int, Fts5Tokenizer** out) noexcept {
    static char nothing = 0;
    *out = reinterpret_cast<Fts5Tokenizer*>(&nothing);
    return SQLITE_OK;
}

void destroy(Fts5Tokenizer*) noexcept {}

int cut_query(std::string_view query, void* context, Emit emit) {
    std::size_t at = 0;
    while (at < query.size()) {
        const std::size_t end = std::min(query.find(' ', at), query.size());
        if (end > at) {
            const int result = emit(context, 0, query.data() + at, static_cast<int>(end - at),
                                    static_cast<int>(at), static_cast<int>(end));
            if (result != SQLITE_OK) return result;
        }
        at = end + 1;
    }
    return SQLITE_OK;
}

int cut_document(std::string_view document, void* context, Emit emit) {
    int result = SQLITE_OK;
    text::for_each_term(document, [&](std::string_view term, std::size_t begin, std::size_t end) {
        result = emit(context, 0, term.data(), static_cast<int>(term.size()),
                      static_cast<int>(begin), static_cast<int>(end));
        return result == SQLITE_OK;
    });
    return result;
}

int tokenize(Fts5Tokenizer*, void* context, int flags, const char* bytes, int size,
             Emit emit) noexcept {
    try {
        const std::string_view text(bytes, bytes == nullptr ? 0 : static_cast<std::size_t>(size));
        if ((flags & FTS5_TOKENIZE_QUERY) != 0) return cut_query(text, context, emit);
        return cut_document(text, context, emit);
    } catch (const std::bad_alloc&) {
        return SQLITE_NOMEM;
    } catch (const std::exception&) {
        return SQLITE_ERROR;
    }
}

struct Finalize {
    sqlite3_stmt* statement = nullptr;
    ~Finalize() { sqlite3_finalize(statement); }
};

fts5_api* fts5_of(sqlite3* connection) {
    fts5_api* api = nullptr;
    Finalize owned;
    if (sqlite3_prepare_v2(connection, "SELECT fts5(?1)", -1, &owned.statement, nullptr) ==
        SQLITE_OK) {
        sqlite3_bind_pointer(owned.statement, 1, &api, "fts5_api_ptr", nullptr);
        sqlite3_step(owned.statement);
    }
    return api;
}

}  // namespace

void register_kori(sqlite3* connection) {
    fts5_api* api = fts5_of(connection);
    if (api == nullptr) throw Error(ErrorCode::kInternal, "this SQLite was built without FTS5");
    fts5_tokenizer functions{create, destroy, tokenize};
    const int result = api->xCreateTokenizer(api, "kori", nullptr, &functions, nullptr);
    if (result != SQLITE_OK) throw_sqlite(connection, result);
}

}  // namespace jikji::storage
