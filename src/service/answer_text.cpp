#include "service/answer_text.hpp"

#include <algorithm>

#include "knowledge/grounding.hpp"
#include "text/normalise.hpp"

namespace jikji::service {
namespace {

// A second passage is quoted only if it has nearly as much of the question as the best one.
constexpr double kSecondQuoteShare = 0.8;
constexpr std::size_t kQuotesMax = 2;

constexpr std::string_view kNotFoundEnglish = "I don't know: the answer is not in the documents.";
constexpr std::string_view kNotFoundKorean = "제공된 문서에서 답을 찾지 못했습니다. 모릅니다.";

std::string quotes_of(const AnswerStart& start) {
    double most = 0;
    for (const auto& passage : start.passages) most = std::max(most, passage.keywords);
    std::string text;
    std::size_t taken = 0;
    for (std::size_t i = 0; i < start.citations.size() && taken < kQuotesMax; ++i) {
        const std::string& quote = start.citations[i].quote;
        if (start.passages[i].keywords < kSecondQuoteShare * most) continue;
        if (text.find(quote) != std::string::npos) continue;
        if (!text.empty()) text += '\n';
        text += quote;
        ++taken;
    }
    return text;
}

void cut(knowledge::Passage& passage, const knowledge::Citation& citation, std::size_t bytes) {
    const auto quote_begin = static_cast<std::size_t>(citation.place.begin - passage.place.begin);
    const std::size_t quote_end = quote_begin + citation.quote.size();
    const std::size_t begin = quote_end <= bytes ? 0 : quote_begin;
    std::string_view kept = std::string_view(passage.text).substr(begin);
    kept = kept.substr(0, text::cut_before(kept, bytes));
    passage.place.begin += static_cast<std::int64_t>(begin);
    passage.place.end = passage.place.begin + static_cast<std::int64_t>(kept.size());
    passage.text = std::string(kept);
}

}  // namespace

void fit_passages(std::vector<knowledge::Passage>& passages,
                  const std::vector<knowledge::Citation>& citations, std::size_t bytes_max) {
    // The short ones first: what they leave over goes to the longer ones.
    std::vector<std::size_t> order(passages.size());
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
        return passages[a].text.size() < passages[b].text.size();
    });
    std::size_t left = bytes_max;
    for (std::size_t done = 0; done < order.size(); ++done) {
        knowledge::Passage& passage = passages[order[done]];
        const std::size_t room = left / (order.size() - done);
        if (passage.text.size() > room) cut(passage, citations[order[done]], room);
        left -= passage.text.size();
    }
}

AnswerEnd finish_answer(const AnswerStart& start, const std::string& generated) {
    AnswerEnd end;
    if (!start.found) {
        end.text = std::string(say(start.language, kNotFoundEnglish, kNotFoundKorean));
        return end;
    }
    end.citations = start.citations;
    end.text = std::string(text::strip(generated));
    end.groundedness = knowledge::groundedness(start.question, end.text, start.passages);
    end.grounded = end.groundedness >= knowledge::kGroundedShare;
    if (end.grounded) return end;
    end.text = quotes_of(start);
    end.quoted = true;
    end.grounded = true;  // the document's own words
    end.groundedness = 1;
    return end;
}

}  // namespace jikji::service
