#pragma once
// The arguments of a call held to their schema by a grammar of our own (schema_grammar.hpp), put
// where the common library's grammar of calls has its own, looser one. Threads: any; pure.
#include <string>

namespace jikji::llama {

/// `calls`: GBNF of the common library for calls of a tool of that name, among others. `arguments`:
/// GBNF whose root is the arguments' JSON object. Formats that do not write arguments as one object
/// have no place for it: their grammar comes back as it is.
std::string with_arguments(std::string calls, const std::string& tool,
                           const std::string& arguments);

}  // namespace jikji::llama
