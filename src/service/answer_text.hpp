#pragma once
// The words of an answer from documents: what the model is given, and what is made of what it
// says. Pure; private to service.
#include <cstddef>
#include <string>
#include <vector>

#include "service/answer.hpp"

namespace jikji::service {

/// Bytes of passages in one prompt. A small model's vocabulary takes a token for nearly every byte
/// of Hangul, and must keep, of its 4096 tokens, 512 for the answer and some for the question.
inline constexpr std::size_t kPassagesBytesMax = 3000;

/// Cuts long passages so that all fit in `bytes_max`; the part that stays holds the passage's
/// quote. Requires: citations[i] belongs to passages[i].
void fit_passages(std::vector<knowledge::Passage>& passages,
                  const std::vector<knowledge::Citation>& citations, std::size_t bytes_max);

/// What Answers::finish gives.
AnswerEnd finish_answer(const AnswerStart& start, const std::string& generated);

}  // namespace jikji::service
