#pragma once
// A regular expression of a JSON schema as GBNF over the characters inside a JSON string.
#include <string>

namespace jikji::llama {

/// ECMAScript without lookaround, back-references and \b. Not anchored means found anywhere. What
/// JSON would have to escape is only let pass where the pattern asks for that very character.
/// Throws std::invalid_argument that says what cannot be done.
std::string pattern_grammar(const std::string& pattern, int most_repeats);

/// Every plain character of a JSON string, as a GBNF set.
extern const char* const kPlainCharacter;

}  // namespace jikji::llama
