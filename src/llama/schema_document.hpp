#pragma once
// A JSON schema while it becomes a grammar: its text, what $ref names in it, and how it is refused.
// Private to schema_grammar.cpp: the common library's JSON.
#include <json.h>

#include <optional>
#include <string>

#include "base/error.hpp"
#include "llama/schema_grammar.hpp"

namespace jikji::llama {

class SchemaDocument {
public:
    using Json = common_json;
    SchemaDocument(const std::string& field, const SchemaLimits& limits)
        : field_(field), limits_(limits) {}

protected:
    // `path`: a JSON pointer into the schema; empty is its root.
    [[noreturn]] void fail(ErrorCode code, const std::string& path, const std::string& why,
                           const std::string& korean) const;
    [[noreturn]] void wrong(const std::string& path, const std::string& why) const;
    [[noreturn]] void unsupported(const std::string& path, const std::string& keyword,
                                  const std::string& why) const;
    [[noreturn]] void too_large(const std::string& path, const std::string& what,
                                std::size_t limit) const;
    Json parsed(const std::string& text);
    std::size_t most_depth() const;
    // Everything beside `keyword` must be without meaning.
    void only(const Json& node, const std::string& path, const std::string& keyword,
              const std::string& also = {}) const;
    static std::string unescaped(const std::string& token);
    // RFC 6901.
    const Json& target_of(const std::string& ref, const std::string& path) const;
    const Json& resolved(const Json& node, const std::string& path) const;
    int count(const Json& node, const char* key, const std::string& path, int otherwise) const;
    std::optional<double> bound(const Json& node, const char* key, const std::string& path) const;

    const std::string& field_;
    const SchemaLimits& limits_;
    Json root_;
};

}  // namespace jikji::llama
