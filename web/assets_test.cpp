// What a browser is given: everything that the page names, packed, and each with its own mark.
#include "web/assets.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::web {

TEST_SUITE_BEGIN("assets");

TEST_CASE("the page and all that it names are there, in order") {
    std::vector<std::string> paths;
    for (const Asset& asset : assets()) paths.emplace_back(asset.path);
    CHECK(std::is_sorted(paths.begin(), paths.end()));
    for (const char* wanted : {"/", "/console.css", "/console.js", "/icon.svg", "/licenses.txt"}) {
        CAPTURE(std::string(wanted));
        CHECK(std::count(paths.begin(), paths.end(), wanted) == 1);
    }
}

TEST_CASE("every body is gzip without a time in it, so that two builds are equal") {
    for (const Asset& asset : assets()) {
        CAPTURE(std::string(asset.path));
        REQUIRE(asset.gzip.size() > 18);
        CHECK(asset.gzip.substr(0, 3) == "\x1f\x8b\x08");
        CHECK(asset.gzip.substr(4, 4) == std::string_view("\0\0\0\0", 4));
    }
}

TEST_CASE("etags are quoted and differ") {
    std::set<std::string_view> seen;
    for (const Asset& asset : assets()) {
        CAPTURE(std::string(asset.path));
        CHECK(asset.etag.size() == 18);
        CHECK((asset.etag.front() == '"' && asset.etag.back() == '"'));
        CHECK(seen.insert(asset.etag).second);
    }
}

TEST_SUITE_END();

}  // namespace jikji::web
