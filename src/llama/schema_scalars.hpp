#pragma once
// Strings and numbers of a schema, and the rules that values of any kind need. Private to
// schema_grammar.cpp.
#include <set>

#include "llama/schema_document.hpp"

namespace jikji::llama {

class SchemaScalars : protected SchemaDocument {
public:
    using SchemaDocument::SchemaDocument;

protected:
    // Which rules of kCommon are needed, with those that they need.
    std::string common(const std::string& name);
    std::string write_common();
    std::string string(const Json& node, const std::string& path);
    std::string pattern(const Json& value, const std::string& path);
    std::string integer(const Json& node, const std::string& path);
    std::string number(const Json& node, const std::string& path);

private:
    std::set<std::string> used_;  // names of common rules
};

}  // namespace jikji::llama
