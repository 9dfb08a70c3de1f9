#include "llama/tool_arguments.hpp"

#include <doctest/doctest.h>

namespace jikji::llama {

TEST_SUITE_BEGIN("tool_arguments");

TEST_CASE("the arguments' grammar takes the place of the library's, under names of its own") {
    const std::string calls =
        "root ::= tool-f-x\n"
        "tool-f-x ::= \"f_x \" tool-f-x-schema\n"
        "tool-f-x-schema ::= \"{\" string \"}\"\n"
        "string ::= [a-z]+\n";
    const std::string arguments =
        "root ::= \"{\\\"a\\\": root\" string{2,3} [\\]a-z\\\"] \"}\"\n"
        "string ::= \"b\"\n";
    CHECK(with_arguments(calls, "f_x", arguments) ==
          "root ::= tool-f-x\n"
          "tool-f-x ::= \"f_x \" tool-f-x-schema\n"
          "tool-f-x-schema ::= tool-f-x-schema-root\n"
          "string ::= [a-z]+\n"
          "tool-f-x-schema-root ::= \"{\\\"a\\\": root\" tool-f-x-schema-string{2,3} "
          "[\\]a-z\\\"] \"}\"\n"
          "tool-f-x-schema-string ::= \"b\"\n");
}

TEST_CASE("a grammar without a place for it stays as it is") {
    const std::string calls = "root ::= \"<x>\" tool-f-arg\ntool-f-arg ::= \"a\"\n";
    CHECK(with_arguments(calls, "f", "root ::= \"{}\"\n") == calls);
    CHECK(with_arguments("", "f", "root ::= \"{}\"\n").empty());
}

TEST_SUITE_END();

}  // namespace jikji::llama
