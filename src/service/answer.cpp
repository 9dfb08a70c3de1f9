#include "service/answer.hpp"

#include "base/error.hpp"
#include "base/limits.hpp"
#include "service/answer_text.hpp"
#include "text/language.hpp"
#include "text/normalise.hpp"

namespace jikji::service {
namespace {

void check(const AnswerRequest& request) {
    if (text::strip(request.question).empty()) {
        throw Error(ErrorCode::kInvalidArgument, "question is empty; ask something", "question",
                    "질문이 비어 있습니다. 질문을 적어 주세요.");
    }
    if (request.question.size() > limits::kQuestionBytes) {
        throw Error(ErrorCode::kInvalidArgument,
                    "question has " + std::to_string(request.question.size()) +
                        " bytes; give at most " + std::to_string(limits::kQuestionBytes),
                    "question", "질문이 너무 깁니다. 짧게 줄여 주세요.");
    }
    if (request.passages < 1 || request.passages > limits::kSearchResults) {
        throw Error(ErrorCode::kInvalidArgument,
                    "passages is " + std::to_string(request.passages) +
                        "; give a number from 1 to " + std::to_string(limits::kSearchResults),
                    "passages",
                    "passages가 " + std::to_string(request.passages) + "입니다. 1에서 " +
                        std::to_string(limits::kSearchResults) + " 사이의 수를 주세요.");
    }
}

}  // namespace

Answers::Answers(Collections& collections, Chat& chat, const std::string& embedding_model)
    : collections_(collections),
      chat_(chat),
      border_(knowledge::relevance_border(embedding_model)) {}

AnswerStart Answers::start(const AnswerRequest& request) {
    check(request);
    AnswerStart start;
    start.question = request.question;
    start.language = text::language_of(request.question);
    start.passages = collections_.search({.collection_id = request.collection_id,
                                          .queries = {request.question},
                                          .results_max = request.passages,
                                          .caller = request.caller});
    std::erase_if(start.passages, [&](const knowledge::Passage& passage) {
        return !knowledge::is_relevant(request.question, passage, border_);
    });
    start.found = !start.passages.empty();
    if (!start.found) return start;
    start.citations = knowledge::cite(request.question, start.passages);
    fit_passages(start.passages, start.citations, kPassagesBytesMax);

    ChatRequest chat;
    chat.model = request.model;
    chat.prompt_field = "question";
    chat.input.messages = {{"user", prompt_text(request.question, start.passages)}};
    chat.prompt = request.prompt;
    chat.options = request.options;
    chat.defaults = Defaults::kJikji;
    chat.use_cache = request.use_cache;
    chat.caller = request.caller;
    auto generations = chat_.start(chat);
    JIKJI_CHECK(generations.size() == 1);
    start.generation.emplace(std::move(generations.front()));
    return start;
}

AnswerEnd Answers::finish(const AnswerStart& start, const std::string& generated) const {
    return finish_answer(start, generated);
}

std::string Answers::prompt_text(const std::string& question,
                                 const std::vector<knowledge::Passage>& passages) {
    std::string text = "다음 참고 문서를 바탕으로 질문에 답해주세요.\n\n";
    for (std::size_t i = 0; i < passages.size(); ++i) {
        text += "참고 문서 " + std::to_string(i + 1) + ": " + passages[i].text + "\n\n";
    }
    text += "질문: " + question + "\n\n답변:";
    return text;
}

}  // namespace jikji::service
