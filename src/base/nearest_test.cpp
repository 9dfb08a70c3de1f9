#include "base/nearest.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace jikji {

TEST_SUITE_BEGIN("nearest");

TEST_CASE("edit distance") {
    CHECK(edit_distance("", "") == 0);
    CHECK(edit_distance("abc", "") == 3);
    CHECK(edit_distance("kitten", "sitting") == 3);
    CHECK(edit_distance("teahcer", "teacher") == 1);
}

TEST_CASE("nearest gives what was meant, or nothing") {
    const std::vector<std::string> known = {"chat", "serve", "settings", "stats"};
    CHECK(nearest("sevre", known) == "serve");
    CHECK(nearest("setings", known) == "settings");
    CHECK(nearest("cht", known) == "chat");
    CHECK(nearest("elephant", known).empty());
    CHECK(nearest("", known).empty());
    CHECK(nearest(std::string(100'000, 'x'), known).empty());
}

TEST_SUITE_END();

}  // namespace jikji
