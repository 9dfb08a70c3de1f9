#include "llama/schema_grammar.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <regex>

#include "base/error.hpp"
#include "llama/grammar.hpp"
#include "llama/integer_grammar.hpp"
#include "llama/pattern_grammar.hpp"
#include "llama/tool_schema.hpp"
#include "support/tiny_chat_model.hpp"

using namespace jikji;
using namespace jikji::llama;

namespace {

bool takes(const Model& model, const std::string& gbnf, std::string_view text) {
    const auto grammar = model.grammar(gbnf);
    return grammar->complete(grammar->next(grammar->start(), text));
}

struct Refusal {
    ErrorCode code = ErrorCode::kInternal;
    std::string message;
};

Refusal refusal(const Model& model, const std::string& schema) {
    try {
        model.grammar(schema_grammar(schema, "schema"));
        return {};
    } catch (const Error& error) {
        return {error.code(), error.what()};
    }
}

}  // namespace

TEST_SUITE_BEGIN("schema_grammar");

TEST_CASE("schemas, texts that they take, and texts that they do not") {
    const tests::TinyModel model;
    struct Case {
        const char* schema;
        std::vector<const char*> good;
        std::vector<const char*> bad;
    };
    const std::vector<Case> cases = {
        {R"({"type":"object","properties":{"name":{"type":"string","maxLength":3},"age)"
         R"(":{"type":"integer"}},"required":["name","age"],"additionalProperties":fal)"
         R"(se})",
         {R"({"name": "Bob", "age": 7})", R"({"name": "", "age": -12})",
          R"({"name": "한국어", "age": 0})"},
         {R"({"name": "Bobb", "age": 7})", R"({"age": 7, "name": "Bob"})", R"({"name": "Bob"})",
          R"({"name": "Bob", "age": 07})", R"({"name": "Bob", "age": 7, "x": 1})"}},
        {R"({"type":"object","properties":{"a":{"type":"null"},"b":{"type":"boolean"},)"
         R"("c":{"const":1}},"required":["b"]})",
         {R"({"b": true})", R"({"a": null, "b": false})", R"({"a": null, "b": true, "c": 1})",
          R"({"b": true, "c": 1})"},
         {"{}", R"({"a": null})", R"({"b": true, "a": null})", R"({"b": true, "c": 2})",
          R"({, "b": true})"}},
        {R"({"properties":{"a":{},"b":{}}})",
         {"{}", R"({"a": [1, {"x": "y"}]})", R"({"b": 2})", R"({"a": 1, "b": 2})"},
         {R"({"b": 1, "a": 2})", R"({"c": 1})"}},
        {R"({"type":"object","properties":{"ab":{"type":"integer"}},"additionalPropert)"
         R"(ies":{"type":"string"}})",
         {"{}", R"({"ab": 1, "a": "x"})", R"({"abc": "x"})", R"({"ac": "x", "b": "y"})",
          R"({"": "x"})"},
         {R"({"ab": "x"})", R"({"ab": 1, "ab": "x"})", R"({"\u0061b": "x"})", R"({"a"b": "x"})"}},
        {R"({"type":"object"})", {"{}", R"({"a": {"b": []}})"}, {"[]", "1"}},
        {R"({"type":"array","items":{"enum":["red","green"]},"minItems":1,"maxItems":2})",
         {R"(["red"])", R"(["red", "green"])"},
         {"[]", R"(["blue"])", R"(["red", "red", "red"])", R"(["red",])"}},
        {R"({"type":"array","items":{"type":"integer"}})",
         {"[]", "[1, 2, 3]"},
         {"[1,2]", "[true]"}},
        {R"({"prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})",
         {R"([1, "a"])"},
         {"[1]", R"([1, "a", 2])"}},
        {R"({"enum":["a\"b",1,null,{"k":[1,2]}]})",
         {R"("a\"b")", "1", "null", R"({"k": [1, 2]})"},
         {"\"a\"", "2"}},
        {R"({"type":["string","null"],"minLength":2})", {"null", "\"ab\""}, {"\"a\"", "1"}},
        {R"({"anyOf":[{"type":"integer"},{"type":"string"}],"title":"x","default":1})",
         {"1", "\"a\""},
         {"null", "1.5"}},
        {R"({"oneOf":[{"type":"object","properties":{"k":{"const":"a"},"v":{"type":"in)"
         R"(teger"}},"required":["k","v"]},{"type":"object","properties":{"k":{"const")"
         R"(:"b"}},"required":["k"]}]})",
         {R"({"k": "a", "v": 1})", R"({"k": "b"})"},
         {R"({"k": "a"})", R"({"k": "b", "v": 1})"}},
        {R"({"allOf":[{"$ref":"#/$defs/x~1y"}],"$defs":{"x/y":{"type":"boolean"}}})",
         {"true"},
         {"1"}},
        {R"({"$defs":{"node":{"type":"object","properties":{"v":{"type":"integer"},"ne)"
         R"(xt":{"anyOf":[{"$ref":"#/$defs/node"},{"type":"null"}]}},"required":["v",")"
         R"(next"]}},"$ref":"#/$defs/node"})",
         {R"({"v": 1, "next": {"v": 2, "next": null}})"},
         {R"({"v": 1, "next": {"v": 2}})"}},
        {R"({"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#"})"
         R"(}},"required":["kids"]})",
         {R"({"kids": []})", R"({"kids": [{"kids": []}, {"kids": [{"kids": []}]}]})"},
         {R"({"kids": [1]})"}},
        {R"({"type":"string","pattern":"^[A-Z]{2}-\\d+$"})",
         {R"("AB-12")"},
         {R"("ab-12")", R"("AB-")", R"("xAB-1")"}},
        {R"({"type":"string","pattern":"b+"})", {R"("abbc")", R"("b")"}, {R"("ac")", "\"\""}},
        {R"({"type":"string","pattern":"^[^a]*$"})",
         {R"("bcd")"},
         {"\"b\nc\"", R"("a")", R"("b"c")"}},
        {R"({"type":"string","pattern":"^\"\\n?\\\\$"})",
         {R"("\"\n\\")", R"("\"\\")"},
         {R"(""\")"}},
        {R"({"type":"string","format":"date"})",
         {R"("2024-02-29")"},
         {R"("2024-13-01")", R"("24-1-1")"}},
        {R"({"type":"string","format":"uuid"})",
         {R"("123e4567-e89b-12d3-a456-426614174000")"},
         {R"("123")"}},
        {R"({"type":"string"})",
         {R"("é\n\u00e9\"\\")", "\"\""},
         {"\"a\nb\"", R"("\x")", R"("\ud800")", "\"\x01\""}},
        {R"({"type":"number"})", {"1", "-2.5", "1e9", "0.25E-3"}, {"01", ".5", "1.", "+1"}},
        {R"({"type":"number","minimum":0})", {"1.5", "0"}, {"-1"}},
        {R"({"type":"integer","minimum":-3,"exclusiveMaximum":12})",
         {"-3", "0", "9", "11"},
         {"-4", "12", "1.0", "-0"}},
        {R"({})", {"1", "\"a\"", "[]", "null"}, {"nul", ""}},
    };
    for (const Case& each : cases) {
        const std::string gbnf = schema_grammar(each.schema, "schema");
        for (const char* text : each.good)
            CHECK_MESSAGE(takes(*model, gbnf, text), each.schema << " <- " << text);
        for (const char* text : each.bad)
            CHECK_MESSAGE(!takes(*model, gbnf, text), each.schema << " <- " << text);
    }
    CHECK(takes(*model, json_object_grammar(), R"({"a": [true, 1.5]})"));
    CHECK(!takes(*model, json_object_grammar(), "[1]"));
}

TEST_CASE("what cannot be kept to the letter is refused with its path and keyword") {
    const tests::TinyModel model;
    const std::vector<std::array<const char*, 3>> cases = {
        {R"({"type":"object","properties":{"a":{"not":{}}}})", "/properties/a", "'not'"},
        {R"({"type":"array","items":{"type":"integer","multipleOf":2}})", "/items", "'multipleOf'"},
        {R"({"type":"array","uniqueItems":true})", "schema", "'uniqueItems'"},
        {R"({"type":"object","patternProperties":{}})", "schema", "'patternProperties'"},
        {R"({"type":"object","minProperties":1})", "schema", "'minProperties'"},
        {R"({"type":"object","dependentRequired":{}})", "schema", "'dependentRequired'"},
        {R"({"if":{},"then":{}})", "schema", "'if'"},
        {R"({"type":"array","contains":{}})", "schema", "'contains'"},
        {R"({"type":"string","format":"email"})", "schema", "email"},
        {R"({"type":"number","maximum":3})", "schema", "'maximum'"},
        {R"({"type":"string","minimum":3})", "schema", "'minimum'"},
        {R"({"allOf":[{"type":"object"},{"type":"object"}]})", "schema", "'allOf'"},
        {R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", "schema", "'oneOf'"},
        {R"({"anyOf":[{"type":"null"}],"properties":{}})", "schema", "'properties'"},
        {R"({"$ref":"#/$defs/a","minLength":1,"$defs":{"a":{}}})", "schema", "'minLength'"},
        {R"({"$ref":"other.json"})", "schema", "other.json"},
        {R"({"type":"object","properties":{},"required":["a"]})", "schema", "'a'"},
        {R"({"type":"string","pattern":"^(?=a)b$"})", "schema", "(?:"},
        {R"({"type":"string","pattern":"\\bword"})", "schema", "\\b"},
        {R"({"type":"string","pattern":"^a|b$"})", "schema", "anchor"},
        {R"({"type":"string","nullable":true})", "schema", "'nullable'"},
    };
    for (const auto& [schema, path, word] : cases) {
        const Refusal found = refusal(*model, schema);
        INFO(schema << " -> " << found.message);
        CHECK(found.code == ErrorCode::kUnsupported);
        CHECK(found.message.find(path) != std::string::npos);
        CHECK(found.message.find(word) != std::string::npos);
    }
}

TEST_CASE("values of any kind nest 32 levels deep, and then hold what nests no more") {
    const tests::TinyModel model;
    const auto nested = [](int levels, const std::string& open, const std::string& close) {
        std::string out;
        for (int i = 0; i < levels; ++i) out += open;
        out += "1";
        for (int i = 0; i < levels; ++i) out += close;
        return out;
    };
    const std::string any = json_object_grammar();
    CHECK(takes(*model, any, nested(32, R"({"a": )", "}")));
    CHECK(!takes(*model, any, nested(33, R"({"a": )", "}")));
    CHECK(takes(*model, any, R"({"a": )" + nested(31, "[", "]") + "}"));
    CHECK(!takes(*model, any, R"({"a": )" + nested(32, "[", "]") + "}"));
    const std::string list = schema_grammar(R"({"type":"array","items":{}})", "schema");
    CHECK(takes(*model, list, "[" + nested(32, "[", "]") + "]"));
    CHECK(!takes(*model, list, "[" + nested(33, "[", "]") + "]"));
}

TEST_CASE("what is no schema, and bombs, are refused at once") {
    const tests::TinyModel model;
    std::string deep, wide = R"({"type":"object","properties":{)", fan = R"({"$defs":{)", values;
    for (int i = 0; i < 5000; ++i) deep += R"({"type":"array","items":)";
    for (int i = 0; i < 6000; ++i) {
        wide += fmt::format("{}\"p{}\":{{}}", i > 0 ? "," : "", i);
        values += fmt::format("{}{}", i > 0 ? "," : "", i);
    }
    for (int i = 0; i < 40; ++i) {
        fan += fmt::format(
            R"("d{}":{{"type":"array","prefixItems":[{{"$ref":"#/$defs/d{}"}},{{"$ref":"#)"
            R"(/$defs/d{}"}}]}},)",
            i, i + 1, i + 1);
    }
    fan += R"("d40":{"type":"null"}},"$ref":"#/$defs/d0"})";
    const std::vector<std::pair<std::string, ErrorCode>> cases = {
        {deep, ErrorCode::kInvalidArgument},
        {wide + "}}", ErrorCode::kInvalidArgument},
        {R"({"enum":[)" + values + "]}", ErrorCode::kInvalidArgument},
        {std::string(300'000, ' '), ErrorCode::kInvalidArgument},
        {R"({"type":"string","maxLength":100000})", ErrorCode::kInvalidArgument},
        {R"({"type":"array","minItems":1000000000})", ErrorCode::kInvalidArgument},
        {R"({"type":"string","pattern":"^(a{900}){900}b{9000}$"})", ErrorCode::kUnsupported},
        {R"({"type":"string","pattern":")" + std::string(3000, '(') + "\"}",
         ErrorCode::kInvalidArgument},
        {R"({"type":"array","items":{"type":"array","items":{"type":"string","minLengt)"
         R"(h":2000},"minItems":2000},"minItems":2000})",
         ErrorCode::kInternal},  // harmless: rules refer to rules
        {fan, ErrorCode::kInternal},
        {R"({"$ref":"#"})", ErrorCode::kInvalidArgument},
        {R"({"anyOf":[{"$ref":"#"},{"type":"null"}]})", ErrorCode::kInternal},  // just null
        {R"({"$ref":"#/$defs/none"})", ErrorCode::kInvalidArgument},
        {"[]", ErrorCode::kInvalidArgument},
        {"{", ErrorCode::kInvalidArgument},
        {R"({"type":"text"})", ErrorCode::kInvalidArgument},
        {R"({"type":"string","enum":[1]})", ErrorCode::kInvalidArgument},
        {R"({"type":"string","minLength":-1})", ErrorCode::kInvalidArgument},
        {R"({"type":"integer","minimum":3,"maximum":2})", ErrorCode::kInvalidArgument},
    };
    for (const auto& [schema, code] : cases) {
        const auto start = std::chrono::steady_clock::now();
        const Refusal found = refusal(*model, schema);
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        INFO(schema.substr(0, 80) << " -> " << found.message);
        WARN(took.count() < 1.0);
        CHECK(found.code == code);
    }
}

TEST_CASE("ranges of integers, each number of them tried") {
    const tests::TinyModel model;
    for (const auto& [low, high] : std::vector<std::pair<int, int>>{
             {0, 0}, {0, 9}, {5, 17}, {-5, 5}, {99, 1002}, {-1002, -37}, {-1, 0}, {10, 10}}) {
        const std::string gbnf = "root ::= " + integer_grammar(low, high);
        for (int i = -1100; i <= 1100; ++i) {
            CHECK_MESSAGE(takes(*model, gbnf, std::to_string(i)) == (i >= low && i <= high),
                          low << ".." << high << " " << i);
        }
    }
    const std::string from = "root ::= " + integer_grammar(250, std::nullopt);
    CHECK(takes(*model, from, "250"));
    CHECK(takes(*model, from, "123456789012"));
    CHECK(!takes(*model, from, "249"));
    CHECK(!takes(*model, from, "-300"));
}

TEST_CASE("patterns: std::regex is the oracle") {
    const tests::TinyModel model;
    const std::vector<const char*> texts = {"",    "a",   "ab",  "abc", "aab", "b1",   "12", "a-b",
                                            "a.b", "x y", "_z9", "AAA", "a+b", "aaaa", "한", "cab"};
    for (const char* pattern :
         {"^a", "b$", "^a*b?$", "^(ab|a.)$", "a{2,}", "^\\w+$", "^\\d{1,2}$", "^[^a-c]*$", "\\.",
          "^(?:a|b1)+$", "[a-c]b", "^\\S+$", "^a\\+b$", "^.{3}$", "\\s", "^[\\w-]+$", "a??b"}) {
        const std::string gbnf = "root ::= " + pattern_grammar(pattern, 100);
        for (const char* text : texts) {
            if (std::string(text) == "한") continue;  // std::regex counts its bytes
            CHECK_MESSAGE(takes(*model, gbnf, text) == std::regex_search(text, std::regex(pattern)),
                          pattern << " on '" << text << "'");
        }
    }
    CHECK(takes(*model, "root ::= " + pattern_grammar("^[가-힣]+$", 100), "한"));
}

TEST_CASE("schemas of tools: what cannot be held is left out, bombs are refused") {
    const std::string kept = tool_schema(
        R"j({"type":"object","properties":{"a":{"type":"string","pattern":"^(?=x)","fo)j"
        R"j(rmat":"uri"},"b":{"$ref":"#/$defs/b"}},"required":["a","zzz"],"additionalP)j"
        R"j(roperties":true,"$defs":{"b":{"type":"integer","multipleOf":3}}})j",
        "tools[0]");
    CHECK(kept == R"({"type":"object","properties":{"a":{"type":"string"},"b":{"type":"integer")"
                  R"(}},"required":["a"]})");
    CHECK(tool_schema("", "f") == R"({"type":"object","properties":{}})");
    CHECK(tool_schema("{}", "f") == R"({"type":"object","properties":{}})");
    tool_schema(R"({"$defs":{"n":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"}}}},")"
                R"($ref":"#/$defs/n"})",
                "f");
    std::string bomb = R"({"$defs":{"d0":{})";
    for (int i = 1; i < 40; ++i) {
        bomb +=
            fmt::format(R"(,"d{}":{{"anyOf":[{{"$ref":"#/$defs/d{}"}},{{"$ref":"#/$defs/d{}"}}]}})",
                        i, i - 1, i - 1);
    }
    bomb += R"(},"anyOf":[{"$ref":"#/$defs/d39"},{"$ref":"#/$defs/d39"}]})";
    std::string outcome = "held";
    try {
        tool_schema(bomb, "f");
    } catch (const Error& error) {
        outcome = error.what();
    }
    CHECK(outcome.size() < 200);
    CHECK_THROWS_AS(tool_schema("[]", "f"), Error);
    CHECK_THROWS_AS(tool_schema(std::string(200'000, ' '), "f"), Error);
}

TEST_SUITE_END();
