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

constexpr std::string_view kVersion2 = R"sql(
-- Files are named, not referred to: a job goes on, and is shown, when its files are deleted.
CREATE TABLE fine_tuning_jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    status TEXT NOT NULL CHECK (status IN (
        'validating_files', 'queued', 'running', 'succeeded', 'failed', 'cancelled')),
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    crashes INTEGER NOT NULL DEFAULT 0,  -- since the last checkpoint
    model TEXT NOT NULL,                 -- the base
    base_sha256 TEXT NOT NULL DEFAULT '',
    base_bytes INTEGER NOT NULL DEFAULT 0,
    base_changed_ns INTEGER NOT NULL DEFAULT 0,  -- by the file system's clock
    training_file TEXT NOT NULL,
    training_name TEXT NOT NULL,
    validation_file TEXT NOT NULL DEFAULT '',
    validation_name TEXT NOT NULL DEFAULT '',
    suffix TEXT NOT NULL DEFAULT '',
    seed INTEGER NOT NULL,
    epochs INTEGER NOT NULL,
    batch_size INTEGER NOT NULL,
    learning_rate REAL NOT NULL,
    warmup_steps INTEGER NOT NULL,  -- -1: not chosen yet
    rank INTEGER NOT NULL,
    alpha REAL NOT NULL,
    dropout REAL NOT NULL,
    targets TEXT NOT NULL,  -- q_proj,v_proj
    held_out REAL NOT NULL,
    template TEXT NOT NULL,
    max_length INTEGER NOT NULL,  -- tokens; 0 = as the base allows
    steps_total INTEGER NOT NULL DEFAULT 0,
    steps_done INTEGER NOT NULL DEFAULT 0,
    samples INTEGER NOT NULL DEFAULT 0,
    held_out_samples INTEGER NOT NULL DEFAULT 0,
    trained_tokens INTEGER NOT NULL DEFAULT 0,
    estimated_finish INTEGER NOT NULL DEFAULT 0,
    train_loss REAL,
    held_out_loss REAL,
    base_loss REAL,
    worse_than_base INTEGER NOT NULL DEFAULT 0 CHECK (worse_than_base IN (0, 1)),
    finished_at INTEGER NOT NULL DEFAULT 0,
    fine_tuned_model TEXT NOT NULL DEFAULT '',
    model_removed INTEGER NOT NULL DEFAULT 0 CHECK (model_removed IN (0, 1)),
    result_files TEXT NOT NULL DEFAULT '',  -- ids, one a line
    error_code TEXT NOT NULL DEFAULT '',
    error_message TEXT NOT NULL DEFAULT '',
    error_korean TEXT NOT NULL DEFAULT '',
    error_param TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX fine_tuning_jobs_to_do ON fine_tuning_jobs (seq)
    WHERE status IN ('queued', 'running');
CREATE INDEX fine_tuning_jobs_by_model ON fine_tuning_jobs (fine_tuned_model);

CREATE TABLE fine_tuning_metadata (
    job INTEGER NOT NULL REFERENCES fine_tuning_jobs (seq) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (job, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE fine_tuning_events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES fine_tuning_jobs (seq) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('info', 'warn', 'error')),
    message TEXT NOT NULL,
    korean TEXT NOT NULL,
    metrics TEXT NOT NULL DEFAULT ''  -- name=value, one a line; empty for a message
) STRICT;
CREATE INDEX fine_tuning_events_by_job ON fine_tuning_events (job, seq);

CREATE TABLE fine_tuning_checkpoints (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    job INTEGER NOT NULL REFERENCES fine_tuning_jobs (seq) ON DELETE CASCADE,
    id TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    step INTEGER NOT NULL,
    metrics TEXT NOT NULL DEFAULT '',
    UNIQUE (job, step)
) STRICT;
)sql";

// Beside what was asked for: a request that is repeated has to find its job again.
constexpr std::string_view kVersion3 = R"sql(
ALTER TABLE fine_tuning_jobs ADD COLUMN template_used TEXT NOT NULL DEFAULT '';
ALTER TABLE fine_tuning_jobs ADD COLUMN length_used INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr Migration kMigrations[] = {{1, kVersion1}, {2, kVersion2}, {3, kVersion3}};

}  // namespace

std::span<const Migration> migrations() { return kMigrations; }

}  // namespace jikji::storage
