#pragma once
// Brings a database to the newest version. Called by Database before it opens readers.
#include <filesystem>
#include <span>

#include "storage/connection.hpp"
#include "storage/schema.hpp"

namespace jikji::storage {

int schema_version(Connection& connection);

/// Runs what is missing, each version in one transaction. Before an existing database is changed,
/// a verified copy is left beside it (copy_before()). Throws Error(kConflict) if the file was
/// written by a newer Jikji or by another program, and leaves it as it is.
void migrate(Connection& writer, const std::filesystem::path& file,
             std::span<const Migration> migrations);

/// Where the copy from before a migration lies: jikji.db.before-v2.
std::filesystem::path copy_before(const std::filesystem::path& file, int version);

/// Builds the full-text index again if another version of the tokenizer has built it.
void refresh_full_text(Connection& writer);

}  // namespace jikji::storage
