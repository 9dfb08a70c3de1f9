#pragma once
// Training data as people have it: JSON lines in one of four shapes, checked before anything
// starts. Equal records count once. UTF-8; a byte order mark and CRLF are accepted.
//   chat    {"messages": [{"role", "content"}, …]}: every assistant turn is learnt (OpenAI's
//           "weight": 0 leaves one out); "developer" means system, parts of text are joined
//   alpaca  {"instruction", "input", "output"}, Korean kept as it is; seed tasks as well:
//           {"instruction", "instances": [{"input", "output"}, …]}
//   text    {"text": …}: all of it is learnt
//   plain   a file that is not JSON lines (.txt, .md): paragraphs (blank lines part them), all
//           learnt
// Threads: any.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "training/samples.hpp"

namespace jikji::training {

enum class DataFormat { kChat, kAlpaca, kText, kPlain };
/// How a chat or an instruction becomes one text.
enum class TemplateChoice {
    kAuto,    // the model's own, if it has one; else Alpaca's
    kModel,   // the model's chat template
    kAlpaca,  // Stanford Alpaca's two prompts, with and without input
};

struct ChatTurn {
    std::string role;
    std::string content;
    bool learnt = false;
};

struct Record {
    int line = 0;
    std::vector<ChatTurn> turns;             // of chat and alpaca; the last one is an answer
    std::string instruction, input, output;  // of alpaca
    std::string text;                        // of text and plain
};

/// What was found, for people to see before the start.
struct DataReport {
    DataFormat format = DataFormat::kChat;
    int records = 0;                 // that are used
    int duplicates = 0;              // left out
    int empty = 0;                   // nothing to learn: left out
    int too_long = 0;                // left out: over the limit of tokens (counted when tokenised)
    std::vector<std::string> notes;  // "line 12: the answer is empty", the first ten
    std::vector<std::string> notes_korean;  // the same
};

struct Records {
    std::string name;  // of the file, as people know it
    std::vector<Record> items;
    DataReport report;
};

/// Throws Error(kInvalidArgument, "training_file") that names file, line and field: JSON that is
/// broken, a line over 4 MiB, a field that is missing or of another type, shapes that are mixed, an
/// unknown role, a file with nothing to learn. `name`: as people know the file.
Records read_records(const std::filesystem::path& file, std::string_view name);
/// The same of a file's bytes.
Records parse_records(std::string_view bytes, std::string_view name);

/// What turns text into tokens; from a llama::Model, or a test's own.
struct Tokeniser {
    /// Markup in `text` becomes control tokens only if `special`.
    std::function<std::vector<Token>(std::string_view text, bool special)> tokens;
    /// The model's chat template over turns; `answer_begins`: up to where the next answer starts.
    std::function<std::vector<Token>(const std::vector<ChatTurn>& turns, bool answer_begins)> chat;
    /// Does this token end an answer? Empty: only `end` does.
    std::function<bool(Token token)> ends;
    bool has_template = false;
    Token begin = -1;  // put before a text; -1 = none
    Token end = -1;    // ends an answer; always learnt; -1 = none
};

/// kModel or kAlpaca: what kAuto means. Throws Error(kInvalidArgument, "template") for kModel if
/// the model has none.
TemplateChoice chosen_template(TemplateChoice choice, const Tokeniser& tokeniser);

/// The prompt of Stanford Alpaca's models, up to where the answer begins.
std::string alpaca_prompt(std::string_view instruction, std::string_view input);

/// In the order of `records`. Learnt are exactly the answers, each with the token that ends it; of
/// a text, all but its first token. A record is one sample, or one for each answer where the
/// template shows earlier answers in another way than the last (a reasoning model's). Samples over
/// `tokens_most` are left out and counted in `report`. Throws Error(kInvalidArgument,
/// "training_file") that names the file if none is left, or if the template refuses a record, with
/// its line too.
std::vector<Sample> to_samples(const Records& records, const Tokeniser& tokeniser,
                               TemplateChoice choice, int tokens_most, DataReport& report);

struct Split {
    std::vector<Sample> train;
    std::vector<Sample> held_out;
};
/// `share` (0 to 0.5) of the samples, drawn by `seed`, at least one if share is above 0 and there
/// are 10 or more, never all; equal samples and those of one line never lie on both sides. The same
/// seed draws the same on every machine; both sides keep the order.
Split split(std::vector<Sample> samples, double share, std::uint64_t seed);
/// Leaves out of held_out what stands in train too: how many. A loss on what was learnt says
/// nothing about what was not seen.
std::size_t leave_out_learnt(Split& split);

}  // namespace jikji::training
