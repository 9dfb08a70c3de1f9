#pragma once
// What crosses the engine's border: plain data, no pointers into the other side, no callbacks.
#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace jikji::engine {

using Token = std::int32_t;  // row of the model's vocabulary

/// How the next token is chosen. The defaults are OpenAI's: nothing is cut, nothing is penalised.
struct Sampling {
    float temperature = 1.0F;           // 0..2; 0 = always the likeliest token
    float top_p = 1.0F;                 // 0..1, nucleus (arXiv:1904.09751); 1 = off
    int top_k = 0;                      // 0 = off
    float min_p = 0.0F;                 // 0..1 (arXiv:2407.01082); 0 = off
    float repeat_penalty = 1.0F;        // > 0 (arXiv:1909.05858); 1 = off
    float presence_penalty = 0.0F;      // -2..2
    float frequency_penalty = 0.0F;     // -2..2
    int penalty_window = 64;            // tokens that the three penalties look back on
    std::optional<std::uint32_t> seed;  // nothing = a fresh one
    std::vector<std::pair<Token, float>> logit_bias;  // -100 bans, +100 forces
};

/// A function that the model called.
struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments;  // JSON text
};

struct Message {
    std::string role;  // system, user, assistant, tool
    std::string content;
    std::string reasoning_content;     // of an assistant, where its format has it
    std::vector<ToolCall> tool_calls;  // of an assistant
    std::string tool_call_id;          // of a tool's answer
    std::string name;                  // of a tool's answer: the function; may be empty
};

/// A function that the model may call.
struct Tool {
    std::string name;
    std::string description;
    std::string parameters;  // JSON schema, as JSON text; empty = no arguments
    /// What of the schema cannot be kept to the letter is refused; else it is only a hint.
    bool strict = false;
};

enum class ToolChoice { kAuto, kNone, kRequired, kNamed };

/// A chat as the model's template wants it, and what the answer has to look like. At most one of
/// json_object, json_schema and grammar; none of them beside tools that may be called.
struct ChatInput {
    std::vector<Message> messages;
    std::vector<Tool> tools;
    ToolChoice tool_choice = ToolChoice::kAuto;
    std::string tool_name;                   // of kNamed, which calls once
    std::vector<std::string> allowed_tools;  // those that may be called; empty = all of them
    bool parallel_tool_calls = true;         // false: one call at most
    bool json_object = false;                // any JSON object
    std::string json_schema;                 // JSON text; what it asks is kept to the letter
    std::string grammar;                     // GBNF, its root rule is `root`
    bool reasoning = true;                   // models that can think first may do so
};

/// What the answer's text has to be: only tokens that the grammar lets pass are chosen.
struct Constraint {
    std::string grammar;  // GBNF, its root rule is `root`; empty = any text
    /// A lazy grammar sleeps until the answer's text holds one of these; what follows obeys it,
    /// the trigger's own text included. For tools that the model may call or not.
    bool lazy = false;
    std::vector<std::string> trigger_words;
    std::vector<std::string> trigger_patterns;  // regular expressions over the whole text so far
    std::vector<Token> trigger_tokens;
    std::string wake_after;          // the grammar is for what comes behind this text and blanks
    std::vector<Token> kept_tokens;  // control tokens whose text belongs into the answer
    std::string written;  // what the prompt says of the answer already; the grammar begins with it
};

/// Who goes first. A batch request only takes what interactive ones leave, and gives it back as
/// soon as one comes.
enum class Lane { kInteractive, kBatch };

/// How long a request is worth working for: not after its deadline, nor once its client has left.
struct Patience {
    std::optional<std::chrono::steady_clock::time_point> deadline;
    std::shared_ptr<const std::atomic<bool>> left;  // true once nobody waits; may be null
};

/// One prompt, one continuation.
struct GenerationRequest {
    std::string model;          // a name of Engine::models()
    std::vector<Token> prompt;  // at least one token; see Engine::tokenize and Engine::render
    std::string prompt_field = "messages";  // where it came from: what is wrong with it names it
    /// Who asks: the machine is shared fairly between tenants, and what one computed is never
    /// used for another. Requests of our own (evaluation, warm-up) say "local", too.
    std::string tenant = "local";
    Lane lane = Lane::kInteractive;
    Constraint constraint;
    /// Off the machine within a step after that moment; its stream then fails with
    /// Error(kTimeout).
    std::optional<std::chrono::steady_clock::time_point> deadline;
    Sampling sampling;
    int max_tokens = -1;            // -1 = up to the end of the context
    std::vector<std::string> stop;  // ends the text before it; never shown
    int top_logprobs = -1;          // -1 = none; 0..20 alternatives per token
    bool ignore_eos = false;        // for benchmarks: the model's end is not heeded
};

struct TokenLogprob {
    std::string bytes;  // of the token; may be a part of a UTF-8 character
    Token token = 0;
    float logprob = 0;                       // natural log, before temperature and penalties
    std::vector<TokenLogprob> alternatives;  // best first
};

/// A part of the answer. Text is valid UTF-8; a character that is not whole yet is held back.
struct Piece {
    std::string text;
    std::vector<TokenLogprob> logprobs;  // of the tokens whose bytes end in this piece
    int tokens = 0;                      // those tokens, and before them such as have no text
};

enum class Finish { kStop, kLength, kCancelled };

struct Usage {
    int prompt_tokens = 0;
    int cached_tokens = 0;  // of the prompt, not computed again
    int completion_tokens = 0;
};

struct EmbeddingRequest {
    std::string model;
    std::vector<std::vector<Token>> inputs;  // each with its special tokens, 1..context tokens
    std::string tenant = "local";            // as GenerationRequest's
    Patience patience;                       // once it is over, the request leaves the queue
};

struct EmbeddingResult {
    std::vector<std::vector<float>> rows;  // each of length 1
    int tokens = 0;
};

/// Which end of a search a text stands on; some models want a prefix that says so.
enum class Side { kNone, kQuery, kPassage };

struct ModelStatus {
    std::string name;
    std::string base;        // of an adapter: the model whose weights it uses; else empty
    bool embedding = false;  // makes vectors, not text
    bool loaded = false;
    bool pinned = false;      // never unloaded to make room for another
    std::uint64_t bytes = 0;  // of memory; 0 until loaded. What is shared counts once: at the base
    int context = 0;          // tokens one sequence may have; 0 until loaded
    int dimensions = 0;       // of its vectors; 0 for a chat model or until loaded
    int vocabulary = 0;       // tokens; 0 until loaded
    std::string fingerprint;  // build and file; empty until loaded
};

/// What is kept of what was computed, for texts that begin alike.
struct PrefixCacheStats {
    std::size_t blocks = 0;
    std::uint64_t memory_bytes = 0;
    std::uint64_t disk_bytes = 0;
};

struct EngineStats {
    int waiting = 0;                    // requests in the queue
    int running = 0;                    // sequences in the batch
    double step_ms = 0;                 // last decode step
    std::uint64_t embedded = 0;         // texts that became vectors in the loaded models
    std::uint64_t embedded_cached = 0;  // texts whose vectors were there, or asked for twice
    int swapped_out = 0;                // of those that wait: they ran, and gave way
    std::int64_t swaps = 0;             // so far
    int step_tokens = 0;                // of the last step
    std::int64_t drafted = 0;           // tokens computed before they were chosen, so far
    std::int64_t held = 0;              // of these, chosen
    double queue_wait_seconds = 0;      // of those that started lately
    double busy_seconds = 0;            // what is here will probably take so long
};

}  // namespace jikji::engine
