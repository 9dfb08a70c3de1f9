// Records to samples: which tokens, and which of them are learnt.
#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <optional>

#include "base/error.hpp"
#include "text/normalise.hpp"
#include "training/dataset_record.hpp"

namespace jikji::training {
namespace {

constexpr std::string_view kPreamble =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.";
constexpr std::string_view kPreambleWithInput =
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.";
constexpr std::string_view kResponse = "### Response:";

void append(Sample& sample, const std::vector<Token>& tokens, bool learnt) {
    sample.tokens.insert(sample.tokens.end(), tokens.begin(), tokens.end());
    sample.learnt.resize(sample.tokens.size(), learnt ? 1 : 0);
}

void append(Sample& sample, Token token, bool learnt) {
    if (token >= 0) append(sample, std::vector<Token>{token}, learnt);
}

bool starts_with(const std::vector<Token>& tokens, const std::vector<Token>& prefix) {
    return tokens.size() >= prefix.size() &&
           std::equal(prefix.begin(), prefix.end(), tokens.begin());
}

class Maker {
public:
    Maker(const Tokeniser& tokeniser, TemplateChoice choice)
        : tokeniser_(tokeniser), choice_(choice) {}

    std::vector<Sample> of(const Record& record) const {
        std::vector<Sample> out;
        if (record.turns.empty()) {
            out.push_back(text(record.text));
        } else if (chosen_template(choice_, tokeniser_) == TemplateChoice::kAlpaca) {
            out.push_back(alpaca(record));
        } else if (auto whole = templated(record.turns)) {
            out.push_back(std::move(*whole));
        } else {
            for (std::size_t i = 0; i < record.turns.size(); ++i) {
                if (record.turns[i].learnt) out.push_back(one_answer(record.turns, i));
            }
        }
        for (Sample& sample : out) finish(sample, record.line);
        return out;
    }

private:
    static void finish(Sample& sample, int line) {
        if (!sample.learnt.empty()) sample.learnt.front() = 0;
        sample.line = line;
    }

    bool ends(Token token) const {
        return tokeniser_.ends ? tokeniser_.ends(token) : token == tokeniser_.end;
    }

    Sample text(const std::string& text) const {
        Sample sample;
        append(sample, tokeniser_.begin, true);
        append(sample, tokeniser_.tokens(text, false), true);
        append(sample, tokeniser_.end, true);
        return sample;
    }

    // Prompt and answer are tokenised apart: whoever asks sends the prompt alone, and the model
    // has to go on from its tokens.
    void append_alpaca(Sample& sample, const std::string& prompt, const ChatTurn& answer) const {
        append(sample, tokeniser_.tokens(prompt, false), false);
        append(sample, tokeniser_.tokens(answer.content, false), answer.learnt);
        append(sample, tokeniser_.end, answer.learnt);
    }

    Sample alpaca(const Record& record) const {
        Sample sample;
        append(sample, tokeniser_.begin, false);
        if (!record.instruction.empty()) {
            append_alpaca(sample, alpaca_prompt(record.instruction, record.input),
                          record.turns.back());
            return sample;
        }
        std::string prompt(kPreamble);
        for (const ChatTurn& turn : record.turns) {
            if (turn.role == "system") {
                prompt = prompt == kPreamble ? turn.content : prompt + "\n\n" + turn.content;
            } else if (turn.role == "user") {
                prompt += "\n\n### Instruction:\n" + turn.content;
            } else {
                append_alpaca(sample, prompt + "\n\n" + std::string(kResponse), turn);
                prompt.clear();
            }
        }
        return sample;
    }

    std::vector<Token> shown(const std::vector<ChatTurn>& turns, std::size_t count,
                             bool answer_begins) const {
        const auto last = turns.begin() + static_cast<std::ptrdiff_t>(count);
        return tokeniser_.chat({turns.begin(), last}, answer_begins);
    }

    /// The first token at or after `from` that ends an answer.
    std::optional<std::size_t> end_after(const std::vector<Token>& tokens, std::size_t from) const {
        for (std::size_t i = from; i < tokens.size(); ++i) {
            if (ends(tokens[i])) return i;
        }
        return std::nullopt;
    }

    /// The whole chat in one sample. Nothing if what the template shows before an answer is not
    /// what it shows when the answer is there: a model asked later would not see these tokens.
    std::optional<Sample> templated(const std::vector<ChatTurn>& turns) const {
        Sample sample;
        append(sample, shown(turns, turns.size(), false), false);
        std::size_t last = 0;
        for (std::size_t i = 0; i < turns.size(); ++i) {
            if (!turns[i].learnt) continue;
            const std::vector<Token> before = shown(turns, i, true);
            if (!starts_with(sample.tokens, before)) return std::nullopt;
            const auto end = end_after(sample.tokens, before.size());
            if (!end || *end == before.size()) return std::nullopt;
            std::fill(sample.learnt.begin() + static_cast<std::ptrdiff_t>(before.size()),
                      sample.learnt.begin() + static_cast<std::ptrdiff_t>(*end + 1), 1);
            last = *end + 1;
        }
        sample.tokens.resize(last);  // nobody learns what follows
        sample.learnt.resize(last);
        return sample;
    }

    /// What a model would be asked, then the answer and what ends it in this template.
    Sample one_answer(const std::vector<ChatTurn>& turns, std::size_t answer) const {
        const std::vector<Token> whole = shown(turns, answer + 1, false);
        const auto last =
            std::find_if(whole.rbegin(), whole.rend(), [&](Token t) { return ends(t); });
        Sample sample;
        append(sample, shown(turns, answer, true), false);
        append(sample, tokeniser_.tokens(turns[answer].content, false), true);
        append(sample, last == whole.rend() ? tokeniser_.end : *last, true);
        return sample;
    }

    const Tokeniser& tokeniser_;
    TemplateChoice choice_;
};

struct Made {
    std::vector<Sample> samples;
    std::exception_ptr failure;
};

/// A template takes half a millisecond a record: by all threads.
std::vector<Made> made_of(const std::vector<Record>& records, const Maker& maker) {
    std::vector<Made> made(records.size());
#pragma omp parallel for schedule(dynamic, 16)
    for (std::size_t i = 0; i < records.size(); ++i) {
        try {
            made[i].samples = maker.of(records[i]);
        } catch (...) {
            made[i].failure = std::current_exception();
        }
    }
    return made;
}

/// The template's refusal with the file and the line of the record that it refused.
[[noreturn]] void refuse_record(std::string_view file, const Record& record,
                                const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const Error& cause) {
        if (cause.field() == "template") throw;
        refuse({file, record.line}, cause.what(), cause.korean());
    }
}

void note_too_long(DataReport& report, const Sample& sample, int tokens_most) {
    ++report.too_long;
    note(report, sample.line,
         fmt::format("{} tokens, more than {}", sample.tokens.size(), tokens_most),
         fmt::format("{}토큰으로, {}토큰보다 깁니다", sample.tokens.size(), tokens_most));
}

[[noreturn]] void none_left(std::string_view file, const DataReport& report, int tokens_most) {
    const bool named = !report.notes.empty();
    refuse({file, 0},
           fmt::format("nothing is left to learn: {} samples are longer than {} tokens{}; shorten "
                       "them, or raise max_length",
                       report.too_long, tokens_most,
                       named ? fmt::format(" ({})", report.notes.back()) : ""),
           fmt::format("배울 것이 남지 않았습니다. {}개가 {}토큰보다 깁니다{}. 글을 줄이거나 "
                       "max_length를 늘리세요.",
                       report.too_long, tokens_most,
                       named ? fmt::format("({})", report.notes_korean.back()) : ""));
}

}  // namespace

TemplateChoice chosen_template(TemplateChoice choice, const Tokeniser& tokeniser) {
    if (choice == TemplateChoice::kAuto) {
        return tokeniser.has_template ? TemplateChoice::kModel : TemplateChoice::kAlpaca;
    }
    if (choice == TemplateChoice::kModel && !tokeniser.has_template) {
        throw Error(ErrorCode::kInvalidArgument,
                    "template is model, but the model has no chat template; choose alpaca",
                    "template",
                    "template이 model인데 모델에 대화 템플릿이 없습니다. alpaca를 고르세요.");
    }
    return choice;
}

std::string alpaca_prompt(std::string_view instruction, std::string_view input) {
    const bool with_input = !text::strip(input).empty();
    return fmt::format("{}\n\n### Instruction:\n{}\n\n{}{}",
                       with_input ? kPreambleWithInput : kPreamble, instruction,
                       with_input ? fmt::format("### Input:\n{}\n\n", input) : "", kResponse);
}

std::vector<Sample> to_samples(const Records& records, const Tokeniser& tokeniser,
                               TemplateChoice choice, int tokens_most, DataReport& report) {
    const std::vector<Made> made = made_of(records.items, Maker(tokeniser, choice));
    std::vector<Sample> out;
    for (std::size_t i = 0; i < made.size(); ++i) {
        if (made[i].failure) refuse_record(records.name, records.items[i], made[i].failure);
        for (const Sample& sample : made[i].samples) {
            if (static_cast<int>(sample.tokens.size()) > tokens_most) {
                note_too_long(report, sample, tokens_most);
            } else if (sample.learnt_count() == 0) {
                ++report.empty;
                note(report, sample.line, "no token to learn", "배울 토큰이 없습니다");
            } else {
                out.push_back(sample);
            }
        }
    }
    if (out.empty()) none_left(records.name, report, tokens_most);
    return out;
}

}  // namespace jikji::training
