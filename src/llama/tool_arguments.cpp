#include "llama/tool_arguments.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace jikji::llama {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_of_name(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '-'; }

/// Behind the "…" or […] that begins at `at`.
std::size_t end_of_quoted(std::string_view text, std::size_t at) {
    const char close = text[at] == '"' ? '"' : ']';
    for (std::size_t i = at + 1; i < text.size(); ++i) {
        if (text[i] == '\\') {
            ++i;
        } else if (text[i] == close) {
            return i + 1;
        }
    }
    return text.size();
}

/// Every rule's name led by `prefix`, so that two grammars can stand in one.
std::string renamed(std::string_view grammar, const std::string& prefix) {
    std::string out;
    for (std::size_t i = 0; i < grammar.size();) {
        std::size_t end = i + 1;
        if (grammar[i] == '"' || grammar[i] == '[') {
            end = end_of_quoted(grammar, i);
        } else if (is_letter(grammar[i])) {
            while (end < grammar.size() && is_of_name(grammar[end])) ++end;
            out += prefix;
        }
        out += grammar.substr(i, end - i);
        i = end;
    }
    return out;
}

/// The common library's name of the rule.
std::string rule_of(const std::string& tool) {
    std::string name = fmt::format("tool-{}-schema", tool);
    std::replace_if(
        name.begin(), name.end(), [](char c) { return !is_of_name(c); }, '-');
    return name;
}

}  // namespace

std::string with_arguments(std::string calls, const std::string& tool,
                           const std::string& arguments) {
    const std::string rule = rule_of(tool);
    const std::string head = fmt::format("\n{} ::= ", rule);
    calls.insert(calls.begin(), '\n');  // so that the first rule has one before it, too
    const auto at = calls.find(head);
    if (at != std::string::npos) {
        const std::string prefix = rule + "-";
        const auto body = at + head.size();
        calls.replace(body, calls.find('\n', body) - body, prefix + "root");
        if (calls.back() != '\n') calls += '\n';
        calls += renamed(arguments, prefix);
    }
    return calls.substr(1);
}

}  // namespace jikji::llama
