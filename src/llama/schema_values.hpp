#pragma once
// Small questions about schemas and the values in them. Private to schema_grammar.cpp.
#include <json.h>

#include <set>
#include <string>

namespace jikji::llama {

using Json = common_json;

std::set<std::string> constants(const Json& node);
bool apart(const std::set<std::string>& a, const std::set<std::string>& b);
bool differ(const Json& a, const Json& b);
bool requires_it(const Json& node, const std::string& name);
bool fits(const Json& value, const std::string& type);
// The value as text in the form of all others: ": " and ", ".
std::string spaced(const Json& value);
bool concerns(const std::string& key, const std::string& type);
/// "a": 1 as a GBNF literal of that very text.
std::string literal(const std::string& text);

}  // namespace jikji::llama
