#include "prompts/template.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/limits.hpp"

namespace jikji::prompts {
namespace {

std::size_t characters(const std::string& text) {
    return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
}

// Letters of any language may name a variable: {이름}.
bool in_identifier(char c, bool first) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
                        static_cast<unsigned char>(c) >= 0x80;
    return letter || (!first && c >= '0' && c <= '9');
}

/// The length of an identifier at `at`; 0 if none is there.
std::size_t identifier_length(const std::string& text, std::size_t at) {
    std::size_t end = at;
    while (end < text.size() && in_identifier(text[end], end == at)) ++end;
    return end - at;
}

/// Calls on_text(piece) and on_variable(name) for what the text is made of, in order.
template <typename OnText, typename OnVariable>
void walk(const std::string& text, OnText on_text, OnVariable on_variable) {
    std::size_t begin = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '{') continue;
        const std::size_t length = identifier_length(text, at + 1);
        const std::size_t close = at + 1 + length;
        if (length == 0 || close >= text.size() || text[close] != '}') continue;
        on_text(text.substr(begin, at - begin));
        on_variable(text.substr(at + 1, length));
        at = close;
        begin = close + 1;
    }
    on_text(text.substr(begin));
}

}  // namespace

void validate(const Template& t) {
    const std::size_t length = characters(t.name);
    if (length >= 1 && length <= limits::kTemplateNameChars) return;
    const auto most = limits::kTemplateNameChars;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("name has {} characters; give 1 to {}", length, most), "name",
                fmt::format("name이 {}자입니다. 1자에서 {}자까지 줄 수 있습니다.", length, most));
}

std::string format_prompt(const Template& t, const std::string& message) {
    std::string out = t.system_prompt + "\n\n";
    for (const Example& example : t.examples) {
        out += fmt::format("User: {}\nAssistant: {}\n\n", example.user, example.assistant);
    }
    return out + fmt::format("User: {}\nAssistant:", message);
}

std::string fill(const std::string& text, const std::map<std::string, std::string>& variables) {
    std::string out;
    walk(
        text, [&out](const std::string& piece) { out += piece; },
        [&](const std::string& name) {
            const auto found = variables.find(name);
            if (found == variables.end()) {
                throw Error(
                    ErrorCode::kInvalidArgument,
                    fmt::format("the template needs the variable '{}'; give it a value in "
                                "prompt.variables",
                                name),
                    "prompt.variables",
                    fmt::format(
                        "템플릿에 변수 '{}'이(가) 필요합니다. prompt.variables에 값을 주세요.",
                        name));
            }
            out += found->second;
        });
    return out;
}

std::set<std::string> variables_of(const std::string& text) {
    std::set<std::string> out;
    walk(
        text, [](const std::string&) {}, [&out](const std::string& name) { out.insert(name); });
    return out;
}

std::vector<Template> ready_made_roles() {
    const auto role = [](const char* name, const char* system, const char* user) {
        Template t;
        t.name = name;
        t.system_prompt = system;
        t.user_template = user;
        return t;
    };
    return {
        role("default", "당신은 도움이 되는 AI 어시스턴트입니다.",
             "{system}\n\nUser: {user}\nAssistant:"),
        role("coding", "당신은 전문 프로그래머입니다. 코드를 명확하고 효율적으로 작성합니다.",
             "{system}\n\n요구사항: {user}\n\n코드:"),
        role("teacher", "당신은 친절한 선생님입니다. 복잡한 개념을 쉽게 설명합니다.",
             "{system}\n\n학생 질문: {user}\n\n선생님 답변:"),
        role("creative", "당신은 창의적인 작가입니다.", "{system}\n\n주제: {user}\n\n창작물:"),
    };
}

}  // namespace jikji::prompts
