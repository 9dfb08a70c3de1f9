#pragma once
// Answers from documents (S8), with citations. Threads: any but the IO thread.
#include <optional>
#include <string>
#include <vector>

#include "base/language.hpp"
#include "knowledge/citations.hpp"
#include "knowledge/grounding.hpp"
#include "service/chat.hpp"
#include "service/collections.hpp"

namespace jikji::service {

struct AnswerRequest {
    std::string question;
    std::string collection_id;
    std::string model;
    int passages = 3;  // S8
    std::optional<PromptReference> prompt;
    SamplingOptions options;
    bool use_cache = true;
    Caller caller;
};

/// What is known before the model speaks.
struct AnswerStart {
    std::string question;
    bool found = false;                          // something relevant is in the documents
    Language language = Language::kEnglish;      // of the question
    std::vector<knowledge::Passage> passages;    // those that the model reads, best first
    std::vector<knowledge::Citation> citations;  // file, page or heading, quoted span
    std::optional<Generation> generation;        // nothing if !found
};

struct AnswerEnd {
    std::string text;         // what to show; replaces what was streamed if `quoted`
    bool grounded = false;    // the text's content words stand in the passages
    double groundedness = 0;  // 0..1, the share that does
    bool quoted = false;      // the model's words were not grounded: the best spans instead
    std::vector<knowledge::Citation> citations;
};

class Answers {
public:
    /// `embedding_model`: the one that Collections searches with; its similarities have their own
    /// scale.
    Answers(Collections& collections, Chat& chat,
            const std::string& embedding_model = "multilingual-e5-small");

    AnswerStart start(const AnswerRequest& request);
    /// `generated`: the whole text that start().generation gave; empty if !found, which makes the
    /// text 모른다 / "not in the documents".
    AnswerEnd finish(const AnswerStart& start, const std::string& generated) const;

    /// S8's prompt, byte for byte.
    static std::string prompt_text(const std::string& question,
                                   const std::vector<knowledge::Passage>& passages);

private:
    Collections& collections_;
    Chat& chat_;
    knowledge::RelevanceBorder border_;
};

}  // namespace jikji::service
