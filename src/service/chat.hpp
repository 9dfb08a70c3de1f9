#pragma once
// Chat and completion: template, prompt, defaults, cache, engine. Threads: any but the IO thread
// (start() tokenises and may wait for a model to load).
#include <optional>
#include <string>
#include <vector>

#include "engine/engine.hpp"
#include "service/caller.hpp"
#include "service/generation.hpp"
#include "service/prompt_library.hpp"
#include "service/sampling_options.hpp"

namespace jikji::service {

class ResponseCache;
class Stats;
class Settings;

struct ChatRequest {
    std::string model;                      // empty = the default chat model
    engine::ChatInput input;                // messages, tools, and what the answer has to look like
    std::string prompt_field = "messages";  // what errors about the prompt's length name
    std::optional<PromptReference> prompt;
    SamplingOptions options;
    Defaults defaults = Defaults::kOpenAi;
    int choices = 1;        // n
    int top_logprobs = -1;  // -1 = none
    bool use_cache = true;
    Caller caller;
};

struct CompletionRequest {
    std::string model;
    std::vector<std::string> prompts;                // texts, or
    std::vector<std::vector<engine::Token>> tokens;  // tokens
    std::string grammar;                             // GBNF; empty = any text
    SamplingOptions options;
    Defaults defaults = Defaults::kOpenAi;
    int choices = 1;  // per prompt
    int top_logprobs = -1;
    bool use_cache = true;
    Caller caller;
};

class Chat {
public:
    Chat(engine::Engine& engine, PromptLibrary& prompts, Settings& settings, ResponseCache& cache,
         Stats& stats, std::string default_model);

    /// One Generation per choice. Errors of the request are thrown here, before any text.
    std::vector<Generation> start(const ChatRequest& request);

    /// prompts × choices Generations, prompt by prompt.
    std::vector<Generation> start(const CompletionRequest& request);

    const std::string& default_model() const { return default_model_; }

private:
    template <typename Request>
    engine::GenerationRequest begin(const Request& request) const;
    using Parser = std::shared_ptr<const engine::AnswerParser>;
    std::vector<Generation> launch(engine::GenerationRequest request, int choices, bool use_cache,
                                   const Parser& parser = nullptr);

    engine::Engine& engine_;
    PromptLibrary& prompts_;
    Settings& settings_;
    ResponseCache& cache_;
    Stats& stats_;
    std::string default_model_;
};

}  // namespace jikji::service
