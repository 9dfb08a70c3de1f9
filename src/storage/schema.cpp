#include "storage/schema.hpp"

namespace jikji::storage {
namespace {

// `seq` gives lists their order and is what other tables refer to; `id` is what clients see.
constexpr std::string_view kVersion1 = R"sql(
CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value REAL NOT NULL
) STRICT;

CREATE TABLE prompts (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    system_prompt TEXT NOT NULL DEFAULT '',
    user_template TEXT NOT NULL DEFAULT '',
    assistant_template TEXT NOT NULL DEFAULT '',
    is_active INTEGER NOT NULL DEFAULT 0 CHECK (is_active IN (0, 1)),
    created_at INTEGER NOT NULL,
    examples TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    sha256 TEXT NOT NULL
) STRICT;
CREATE INDEX files_by_sha256 ON files (sha256);

CREATE TABLE collections (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    last_active_at INTEGER NOT NULL,
    embedding_model TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX collections_by_name ON collections (name);

CREATE TABLE collection_metadata (
    collection INTEGER NOT NULL REFERENCES collections (seq) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (collection, key)
) STRICT, WITHOUT ROWID;

-- A file in a collection: the work to be done and how it went.
CREATE TABLE collection_files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections (seq) ON DELETE CASCADE,
    file INTEGER NOT NULL REFERENCES files (seq) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('in_progress', 'completed', 'failed', 'cancelled')),
    attempts INTEGER NOT NULL DEFAULT 0,  -- counted before the try: a crash counts
    error_code TEXT NOT NULL DEFAULT '',
    error_message TEXT NOT NULL DEFAULT '',
    error_korean TEXT NOT NULL DEFAULT '',
    chunk_tokens INTEGER NOT NULL,  -- 0: as the embedding model likes
    chunk_overlap INTEGER NOT NULL,
    usage_bytes INTEGER NOT NULL DEFAULT 0,
    chunks INTEGER NOT NULL DEFAULT 0,
    UNIQUE (collection, file)
) STRICT;
CREATE INDEX collection_files_by_file ON collection_files (file);
CREATE INDEX collection_files_to_do ON collection_files (seq) WHERE status = 'in_progress';

CREATE TABLE collection_file_attributes (
    collection_file INTEGER NOT NULL REFERENCES collection_files (seq) ON DELETE CASCADE,
    key TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('string', 'number', 'boolean')),
    value ANY NOT NULL,
    PRIMARY KEY (collection_file, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL REFERENCES collections (seq) ON DELETE CASCADE,
    collection_file INTEGER NOT NULL REFERENCES collection_files (seq) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    heading TEXT NOT NULL,
    text TEXT NOT NULL,
    page INTEGER NOT NULL,
    begin_byte INTEGER NOT NULL,
    end_byte INTEGER NOT NULL,
    tokens INTEGER NOT NULL,
    vector BLOB NOT NULL,  -- float32, little endian
    UNIQUE (collection_file, ordinal)
) STRICT;
CREATE INDEX chunks_by_collection ON chunks (collection);

CREATE VIRTUAL TABLE chunks_fts USING fts5 (
    heading, text, content='chunks', content_rowid='id', tokenize='kori', prefix='1');
CREATE TRIGGER chunks_after_insert AFTER INSERT ON chunks BEGIN
    INSERT INTO chunks_fts (rowid, heading, text) VALUES (new.id, new.heading, new.text);
END;
CREATE TRIGGER chunks_after_delete AFTER DELETE ON chunks BEGIN
    INSERT INTO chunks_fts (chunks_fts, rowid, heading, text)
    VALUES ('delete', old.id, old.heading, old.text);
END;
CREATE TRIGGER chunks_no_update BEFORE UPDATE OF id, heading, text ON chunks BEGIN
    SELECT RAISE(ABORT, 'the text of a chunk never changes');
END;
)sql";

constexpr Migration kMigrations[] = {{1, kVersion1}};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

}  // namespace jikji::storage
