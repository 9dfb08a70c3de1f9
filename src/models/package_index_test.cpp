#include "models/package_index.hpp"

#include <doctest/doctest.h>

namespace jikji::models {
namespace {

struct PageCase {
    const char* name;
    const char* page;
    const char* want;
};

const PageCase kCases[] = {
    {"by hash, whatever the file is called",
     R"(<a href="https://files.test/x/other.whl#sha256=abc">other.whl</a>)",
     "https://files.test/x/other.whl"},
    {"by name, without a hash", R"(<a href="a-1.0.whl">a</a>)",
     "https://index.test/simple/a/a-1.0.whl"},
    {"hash before name",
     R"(<a href="/old/a-1.0.whl#md5=1">a</a><a href='/new/b.whl#sha256=abc'>b</a>)",
     "https://index.test/new/b.whl"},
    {"up the folders", R"(<a href="../../packages/a-1.0.whl#sha256=abc">a</a>)",
     "https://index.test/packages/a-1.0.whl"},
    {"up beyond the root", R"(<a href="../../../../../a-1.0.whl">a</a>)",
     "https://index.test/a-1.0.whl"},
    {"same scheme", R"(<a href="//files.test/a-1.0.whl">a</a>)", "https://files.test/a-1.0.whl"},
    {"escaped ampersand", R"(<a href="https://f.test/g?a=1&amp;b=2#sha256=abc">a</a>)",
     "https://f.test/g?a=1&b=2"},
    {"not there", R"(<a href="a-0.9.whl#sha256=def">a</a>)", ""},
    {"empty page", "", ""},
    {"cut off", R"(<a href="a-1.0.whl)", ""},
    {"no quotes", "<a href=a-1.0.whl>", ""},
};

TEST_SUITE_BEGIN("package_index");

TEST_CASE("the file of a package is found on its page") {
    const Download wanted{.package = "a", .url = {}, .file = "a-1.0.whl", .sha256 = "abc"};
    for (const PageCase& c : kCases) {
        CAPTURE(c.name);
        CHECK(find_on_page(c.page, "https://index.test/simple/a/", wanted) == c.want);
    }
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
