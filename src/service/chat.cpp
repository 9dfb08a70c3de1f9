#include "service/chat.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "service/response_cache.hpp"
#include "service/settings.hpp"
#include "service/stats.hpp"

namespace jikji::service {
namespace {

// libllama takes 2^32 - 1 for "draw one".
constexpr std::uint32_t kSeeds = 0xffffffff;

void check_choices(int choices) {
    if (choices >= 1 && choices <= limits::kChoices) return;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("n is {}; give a number from 1 to {}", choices, limits::kChoices), "n",
        fmt::format("n이 {}입니다. 1에서 {} 사이의 수를 주세요.", choices, limits::kChoices));
}

}  // namespace

Chat::Chat(engine::Engine& engine, PromptLibrary& prompts, Settings& settings, ResponseCache& cache,
           Stats& stats, std::string default_model)
    : engine_(engine),
      prompts_(prompts),
      settings_(settings),
      cache_(cache),
      stats_(stats),
      default_model_(std::move(default_model)) {}

template <typename Request>
engine::GenerationRequest Chat::begin(const Request& request) const {
    check_choices(request.choices);
    engine::GenerationRequest made;
    made.model = request.model.empty() ? default_model_ : request.model;
    apply_options(request.options, request.defaults, settings_.generation(), made);
    made.top_logprobs = request.top_logprobs;
    made.tenant = request.caller.tenant;
    made.lane = request.caller.lane;
    made.deadline = request.caller.patience.deadline;
    engine_.require(made.model, request.caller.patience);  // loads it; what follows finds it there
    return made;
}

std::vector<Generation> Chat::start(const ChatRequest& request) {
    engine::GenerationRequest made = begin(request);
    made.prompt_field = request.prompt_field;
    engine::ChatInput input = request.input;
    if (request.prompt) input.messages = prompts_.messages(*request.prompt, input.messages);
    engine::Rendered rendered = engine_.render_chat(made.model, input);
    made.prompt = std::move(rendered.prompt);
    made.constraint = std::move(rendered.constraint);
    made.stop.insert(made.stop.end(), rendered.stop.begin(), rendered.stop.end());
    return launch(std::move(made), request.choices, request.use_cache, rendered.parser);
}

std::vector<Generation> Chat::start(const CompletionRequest& request) {
    engine::GenerationRequest made = begin(request);
    made.constraint.grammar = request.grammar;
    made.prompt_field = "prompt";
    std::vector<std::vector<engine::Token>> prompts = request.tokens;
    for (const std::string& text : request.prompts) {
        prompts.push_back(engine_.tokenize(made.model, text, /*special=*/false));
    }
    std::vector<Generation> out;
    for (auto& prompt : prompts) {
        made.prompt = std::move(prompt);
        for (Generation& one : launch(made, request.choices, request.use_cache)) {
            out.push_back(std::move(one));
        }
    }
    return out;
}

std::vector<Generation> Chat::launch(engine::GenerationRequest request, int choices, bool use_cache,
                                     const Parser& parser) {
    const std::string fingerprint = engine_.require(request.model).fingerprint;
    const std::optional<std::uint32_t> seed = request.sampling.seed;
    std::vector<Generation> out;
    for (int choice = 0; choice < choices; ++choice) {
        // Each choice draws its own numbers, or n equal answers would come of one seed.
        if (seed) request.sampling.seed = (*seed + static_cast<std::uint32_t>(choice)) % kSeeds;
        Generation::Origin origin;
        origin.model = request.model;
        origin.fingerprint = fingerprint;
        origin.parser = parser;
        origin.count_in = &stats_;
        origin.remember_in = &cache_;
        if (use_cache) origin.cache_key = ResponseCache::key_of(request, fingerprint, choice);
        const auto submit = [&] { return engine_.submit(request); };
        if (origin.cache_key.empty()) {
            out.emplace_back(submit(), std::move(origin));
            continue;
        }
        ResponseCache::Found found = cache_.find_or_start(
            origin.cache_key, {request.lane, request.deadline.has_value()}, submit);
        origin.cache = found.hit ? CacheUse::kHit : CacheUse::kMiss;
        out.emplace_back(std::move(found.answer), std::move(origin));
    }
    return out;
}

}  // namespace jikji::service
