#pragma once
// The versions of the database, oldest first. A version that has been released is never changed:
// what changes is a new version.
#include <span>
#include <string_view>

namespace jikji::storage {

struct Migration {
    int version;  // PRAGMA user_version after it
    std::string_view sql;
};

std::span<const Migration> migrations();

}  // namespace jikji::storage
