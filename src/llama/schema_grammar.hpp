#pragma once
// A JSON schema as a grammar that lets pass exactly what the schema lets pass, or less, but never
// more: a keyword that cannot be kept to the letter is refused by name.
//
// Form     one line, ": " after a key and ", " between members, keys in the order of the schema.
// One
//          way to write a text leaves most of it forced, and forced tokens cost nothing.
// Less     objects without additionalProperties have no further members; numbers have at most 16
//          digits; strings of a pattern hold no escapes.
// Source   json-schema.org draft 2020-12, and what OpenAI's strict mode takes of it.
// Threads  any.
#include <string>
#include <vector>

namespace jikji::llama {

struct SchemaLimits {
    std::size_t bytes = 256u << 10;  // of the schema
    int depth = 40;                  // of schemas in schemas
    int nodes = 5000;                // schemas in all
    int values = 5000;               // of all enums
    int repeats = 2000;              // minItems, maxItems, minLength, maxLength
    std::size_t pattern = 1000;      // bytes of one pattern
};

/// JSON text to GBNF. `field` goes before the path in messages and is the Error's field. Throws
/// Error(kUnsupported) that names path and keyword, Error(kInvalidArgument) for what is no schema
/// or beyond the limits.
std::string schema_grammar(const std::string& schema, const std::string& field,
                           const SchemaLimits& limits = {});

/// Any JSON object, in the same form.
std::string json_object_grammar();

}  // namespace jikji::llama
