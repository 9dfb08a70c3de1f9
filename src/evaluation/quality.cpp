#include "evaluation/quality.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "evaluation/relevance.hpp"
#include "text/normalise.hpp"

namespace jikji::evaluation {
namespace {

void check_length(std::string_view text, const char* field) {
    if (text.size() <= kCompareBytes) return;
    throw Error(ErrorCode::kTooLarge,
                fmt::format("{} has {} bytes; texts of at most {} bytes can be compared", field,
                            text.size(), kCompareBytes),
                field,
                fmt::format("{}이(가) {}바이트입니다. {}바이트까지 비교할 수 있습니다.", field,
                            text.size(), kCompareBytes));
}

}  // namespace

Quality quality_of(std::string_view response, std::optional<std::string_view> expected) {
    Quality out;
    out.length = text::count_characters(response);
    out.has_code = response.find("```") != std::string_view::npos;
    for (const std::string_view word : {"감사", "죄송", "안녕"}) {
        if (response.find(word) != std::string_view::npos) out.politeness = true;
    }
    if (expected) {
        check_length(response, "response");
        check_length(*expected, "expected");
        out.relevance = relevance(response, *expected);
    }
    return out;
}

}  // namespace jikji::evaluation
