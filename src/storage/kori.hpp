#pragma once
// The FTS5 tokenizer `kori`: text::for_each_term for documents. What a MATCH holds is terms already
// and is only parted at spaces, so that no term is cut or stemmed twice. Threads: those of the
// connection.

struct sqlite3;

namespace jikji::storage {

/// Has to be called on every connection. Throws Error(kInternal) where SQLite has no FTS5.
void register_kori(sqlite3* connection);

}  // namespace jikji::storage
