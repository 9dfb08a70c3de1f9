#include "engine/text_filter.hpp"

#include <doctest/doctest.h>

using namespace jikji::engine;

namespace {

struct FilterCase {
    std::string name;
    std::vector<std::string> stop;
    std::vector<std::string> tokens;
    std::vector<std::string> want;  // text after each token, then after flush
    bool stopped;
};

const FilterCase kCases[] = {
    {"plain text passes at once", {}, {"Hel", "lo"}, {"Hel", "lo", ""}, false},
    {"a character in two tokens waits", {}, {"\xed\x95", "\x9c!"}, {"", "한!", ""}, false},
    {"an emoji in four tokens", {}, {"\xf0", "\x9f", "\x98", "\x80"}, {"", "", "", "😀", ""}, false},
    {"half a character at the end", {}, {"a\xed\x95"}, {"a", ""}, false},
    {"a byte that starts nothing", {}, {"a\xffz"}, {"a\xef\xbf\xbdz", ""}, false},
    {"stop inside one token", {"END"}, {"abENDcd"}, {"ab", ""}, true},
    {"stop over three tokens", {"</s>"}, {"hi<", "/s", ">x"}, {"hi", "", "", ""}, true},
    {"a start that was none", {"</s>"}, {"hi<", "/b>"}, {"hi", "</b>", ""}, false},
    {"held back to the end", {"\n\n"}, {"a\n"}, {"a", "\n"}, false},
    {"the earliest of two", {"cd", "b"}, {"abcd"}, {"a", ""}, true},
    {"stop that repeats its start", {"aab"}, {"aa", "ab"}, {"", "a", ""}, true},
    {"Korean stop string", {"끝"}, {"시작\xeb\x81", "\x9d 뒤"}, {"시작", "", ""}, true},
};

}  // namespace

TEST_SUITE_BEGIN("text_filter");

TEST_CASE("text is shown as soon as it is safe, and not before") {
    for (const FilterCase& c : kCases) {
        CAPTURE(c.name);
        TextFilter filter(c.stop);
        std::vector<std::string> got;
        for (const std::string& token : c.tokens) got.push_back(filter.add(token, nullptr).text);
        got.push_back(filter.flush().text);
        CHECK(got == c.want);
        CHECK(filter.stopped() == c.stopped);
    }
}

TEST_CASE("logprobs travel with the last byte of their token, and not past a stop") {
    TextFilter filter({"STOP"});
    const TokenLogprob half{.bytes = "\xed\x95", .token = 1};
    const TokenLogprob rest{.bytes = "\x9c", .token = 2};
    const TokenLogprob stop{.bytes = "STOP", .token = 3};
    CHECK(filter.add(half.bytes, &half).logprobs.empty());
    const Piece both = filter.add(rest.bytes, &rest);
    REQUIRE(both.logprobs.size() == 2);
    CHECK(both.logprobs[1].token == 2);
    CHECK(filter.add(stop.bytes, &stop).logprobs.empty());
    CHECK(filter.stopped());
}

TEST_CASE("every token that is shown counts once, in the piece that shows its end") {
    TextFilter filter({"STOP"});
    const auto tokens = [&](const char* bytes) { return filter.add(bytes, nullptr).tokens; };
    CHECK(tokens("\xed\x95") == 0);  // half a character
    CHECK(tokens("\x9c") == 2);
    CHECK(tokens("") == 0);  // a control token, which has no text
    CHECK(tokens("ab") == 2);
    CHECK(tokens("cST") == 0);  // its end may be a stop string's beginning
    CHECK(tokens("ep") == 2);
    CHECK(tokens("STOP") == 0);
    CHECK(filter.flush().tokens == 0);
}

TEST_SUITE_END();
