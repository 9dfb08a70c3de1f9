#include "http/json.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"

namespace jikji::http {
namespace {

struct TextCase {
    std::string name;
    std::string text;
    std::string want;  // part of the message; empty: it is taken
};

std::string nested(int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
}

const TextCase kTexts[] = {
    {"object", R"({"a": [1, -2.5e3, "한글 \ud83d\ude00", null, true]})", ""},
    {"same name in two objects", R"({"a": {"x": 1}, "b": {"x": 1, "a": 2}})", ""},
    {"blanks around", " \r\n {} \t", ""},
    {"64 levels", nested(64), ""},
    {"empty", "", "it is empty"},
    {"blank", "  \n", "it is empty"},
    {"65 levels", nested(65), "more than 64 levels"},
    {"a million brackets", std::string(1000000, '['), "more than 64 levels"},
    {"same name twice", R"({"a": 1, "b": 2, "a": 3})", "same name twice"},
    {"same name twice, escaped", R"({"a": 1, "\u0061": 3})", "same name twice"},
    {"same name twice, deep", R"([{"x": {"a": 1, "a": 1}}])", "same name twice"},
    {"infinite", R"({"a": 1e999})", "too large"},
    {"minus infinite", "[-1e400]", "too large"},
    {"NaN", R"({"a": NaN})", "not valid JSON"},
    {"Infinity", "[Infinity]", "not valid JSON"},
    {"trailing comma", "[1,]", "not valid JSON"},
    {"comment", "[1] // x", "not valid JSON"},
    {"tail", "{} {}", "not valid JSON"},
    {"cut", R"({"a": "b)", "not valid JSON"},
    {"single quotes", "{'a': 1}", "not valid JSON"},
    {"leading zero", "[01]", "not valid JSON"},
    {"bad UTF-8", "[\"\xff\"]", "not valid JSON"},
    {"overlong UTF-8", "[\"\xc0\xaf\"]", "not valid JSON"},
    {"lone surrogate", R"(["\ud800"])", "not valid JSON"},
    {"byte order mark", "\xef\xbb\xbf{}", "not valid JSON"},
    {"control byte", "[\"\n\"]", "not valid JSON"},
};

struct PlaceCase {
    std::string name;
    std::string text;
    std::string field;  // of the error
};

const PlaceCase kPlaces[] = {
    {"NaN", R"({"model": "m", "temperature": NaN})", "temperature"},
    {"minus infinite", R"({"temperature": -Infinity, "n": 1})", "temperature"},
    {"too large a number", R"({"a": [1], "temperature": 1e999})", "temperature"},
    {"deep", R"({"messages": [{"role": "user"}, {"content": 'x'}]})", "messages[1].content"},
    {"bad UTF-8", "{\"stop\": [\"a\", \"\xff\"]}", "stop[1]"},
    {"same name twice", R"({"tools": [{"type": 1, "type": 2}]})", "tools[0]"},
    {"cut within a value", R"({"user": "b)", "user"},
    {"cut behind a value", R"({"user": "b")", ""},
    {"no value at all", "NaN", ""},
    {"a second one", "{} {}", ""},
    {"a long name", "{\"" + std::string(100, 'x') + "\": NaN}", std::string(64, 'x')},
};

struct MemberCase {
    std::string name;
    std::string text;
    void (*read)(Fields&);
    std::string want;  // the message
};

const MemberCase kMembers[] = {
    {"missing", "{}", [](Fields& f) { f.required_string("model"); },
     "at.model is missing; give it a value"},
    {"null is missing", R"({"model": null})", [](Fields& f) { f.required_string("model"); },
     "at.model is missing; give it a value"},
    {"number for a string", R"({"model": 7})", [](Fields& f) { f.required_string("model"); },
     "at.model is 7; give a string"},
    {"out of range", R"({"t": 3.5})",
     [](Fields& f) {
         f.optional_number("t", {0, 2});
     },
     "at.t is 3.5; give a number from 0 to 2"},
    {"string for a number", R"({"t": "1"})",
     [](Fields& f) {
         f.optional_number("t", {0, 2});
     },
     "at.t is \"1\"; give a number from 0 to 2"},
    {"fraction for an integer", R"({"n": 1.5})",
     [](Fields& f) {
         f.optional_integer("n", {1, 16});
     },
     "at.n is 1.5; give an integer from 1 to 16"},
    {"integer beyond 64 bits", R"({"n": 18446744073709551615})",
     [](Fields& f) { f.optional_integer("n"); }, "at.n is 18446744073709551615; give an integer"},
    {"below", R"({"n": -1})", [](Fields& f) { f.required_integer("n", {.min = 0}); },
     "at.n is -1; give an integer of at least 0"},
    {"bool", R"({"b": 1})", [](Fields& f) { f.optional_bool("b"); },
     "at.b is 1; give true or false"},
    {"list", R"({"l": {}})", [](Fields& f) { f.required_array("l"); },
     "at.l is an object; give a list"},
    {"long list", R"({"l": [1,2,3]})", [](Fields& f) { f.optional_array("l", 2); },
     "at.l has 3 items; give at most 2"},
    {"list of strings", R"({"l": ["a", 2]})", [](Fields& f) { f.optional_strings("l"); },
     "at.l[1] is 2; give a string"},
    {"object", R"({"o": [1]})", [](Fields& f) { f.optional_object("o"); },
     "at.o is a list of 1; give an object"},
    {"inside an object", R"({"o": {"x": true}})",
     [](Fields& f) { f.required_object("o").required_string("x"); },
     "at.o.x is true; give a string"},
    {"choice", R"({"c": "blue"})",
     [](Fields& f) {
         f.optional_choice("c", {"red", "green"});
     },
     "at.c is \"blue\"; give one of red, green"},
    {"unknown", R"({"temprature": 1})",
     [](Fields& f) {
         f.optional_number("temperature");
         f.refuse_unknown();
     },
     "at.temprature is not supported; leave it out; did you mean at.temperature?"},
    {"quite unknown", R"({"x": 1})",
     [](Fields& f) {
         f.optional_number("temperature");
         f.refuse_unknown({"y"});
     },
     "at.x is not supported; leave it out"},
};

}  // namespace

TEST_SUITE_BEGIN("json");

TEST_CASE("what is no JSON is named by the field that holds it") {
    for (const PlaceCase& c : kPlaces) {
        CAPTURE(c.name);
        try {
            parse_json(c.text);
            FAIL("it was taken");
        } catch (const Error& error) {
            CHECK(error.field() == c.field);
        }
    }
}

TEST_CASE("JSON texts are taken or refused with the reason") {
    for (const TextCase& c : kTexts) {
        CAPTURE(c.name);
        std::string message;
        try {
            parse_json(c.text);
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kInvalidArgument);
            message = error.what();
        }
        CHECK(message.empty() == c.want.empty());
        CHECK(message.find(c.want) != std::string::npos);
    }
}

TEST_CASE("JSON members in their order, as they were") {
    const std::string text = R"({"z":1,"a":[1.5,"x"],"m":{"k":null}})";
    CHECK(json::serialize(parse_json(text)) == R"({"z":1,"a":[1.5E0,"x"],"m":{"k":null}})");
}

TEST_CASE("fields name what is wrong, where, and what is wanted") {
    for (const MemberCase& c : kMembers) {
        CAPTURE(c.name);
        const json::object object = parse_object(c.text);
        Fields fields(object, "at");
        try {
            c.read(fields);
            FAIL("it was taken");
        } catch (const Error& error) {
            CHECK(std::string(error.what()) == c.want);
            CHECK(error.field().starts_with("at."));
            CHECK(error.korean() != error.what());
        }
    }
}

TEST_CASE("fields give what is there") {
    const json::object object = parse_object(
        R"({"s": "x", "i": 3.0, "n": 2, "b": false, "l": ["a"], "o": {"k": 1}, "gone": null})");
    Fields fields(object);
    CHECK(fields.required_string("s") == "x");
    CHECK(fields.optional_integer("i") == 3);
    CHECK(fields.optional_number("n", {0, 2}) == 2.0);
    CHECK(fields.optional_bool("b") == false);
    CHECK(fields.optional_strings("l").value().front() == "a");
    CHECK(fields.optional_object("o")->required_integer("k") == 1);
    CHECK(!fields.optional_string("gone"));
    CHECK(!fields.has("gone"));
    CHECK(!fields.optional_string("absent"));
    fields.refuse_unknown();
}

TEST_SUITE_END();

}  // namespace jikji::http
