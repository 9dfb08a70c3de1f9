#include "engine/generator.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "base/log.hpp"
#include "engine/sequence.hpp"

namespace jikji::engine {
namespace {

// Prompt tokens of one step: one pass through the weights. More would only make those wait that
// are already being answered.
constexpr int kPromptTokensPerStep = 512;

}  // namespace

Generator::Generator(std::shared_ptr<const llama::Model> model, const GeneratorOptions& options)
    : model_(std::move(model)),
      options_(options),
      context_(model_, {.cells = options.cells,
                        .sequences = options.parallel,
                        .batch = std::max(kPromptTokensPerStep, options.parallel),
                        .microbatch = kPromptTokensPerStep,
                        .threads = options.threads}),
      prefixes_(context_, options.kept_bytes) {
    for (int id = options_.parallel - 1; id >= 0; --id) free_ids_.push_back(id);
}

Generator::~Generator() {
    for (auto& sequence : running_) end(*sequence, Finish::kCancelled);
    for (auto& sequence : waiting_) end(*sequence, Finish::kCancelled);
}

void Generator::fail_running(const std::exception_ptr& cause) {
    for (auto& sequence : running_) {
        if (!sequence->ended) sequence->writer->fail(cause);
        sequence->ended = true;
    }
    release_ended();
}

void Generator::fail_all(const std::exception_ptr& cause) {
    fail_running(cause);
    for (auto& sequence : waiting_) sequence->writer->fail(cause);
    waiting_.clear();
}

void Generator::add(GenerationRequest request, std::shared_ptr<StreamWriter> writer) {
    const int room = options_.context - static_cast<int>(request.prompt.size());
    if (request.max_tokens < 0 || request.max_tokens > room) request.max_tokens = room;
    waiting_.push_back(std::make_unique<Sequence>(std::move(request), std::move(writer), *model_));
}

void Generator::step() {
    drop_cancelled();
    admit();
    make_room();
    plan();
    if (batch_.empty()) return;
    compute();
    read_outputs();
    release_ended();
}

void Generator::drop_cancelled() {
    for (auto& sequence : running_) {
        if (!sequence->writer->wanted()) end(*sequence, Finish::kCancelled);
    }
    release_ended();
    std::erase_if(waiting_, [&](const SequencePtr& sequence) {
        if (sequence->writer->wanted()) return false;
        end(*sequence, Finish::kCancelled);
        return true;
    });
}

void Generator::plan() {
    batch_.clear();
    outputs_.clear();
    const auto put = [&](Sequence& s, int count) {
        for (int i = 0; i < count; ++i) {
            const int at = s.computed + i;
            const bool last = at + 1 == static_cast<int>(s.tokens.size());
            if (last) outputs_.emplace_back(&s, static_cast<int>(batch_.size()));
            batch_.push_back({s.tokens[static_cast<std::size_t>(at)], at, s.id, last});
        }
        s.planned = count;
    };
    for (auto& s : running_) {
        s->planned = 0;
        if (s->prompt_done()) put(*s, 1);
    }
    int budget = kPromptTokensPerStep - static_cast<int>(batch_.size());
    for (auto& s : running_) {
        if (s->planned > 0) continue;
        const int count = std::min(budget, static_cast<int>(s->tokens.size()) - s->computed);
        if (count <= 0) continue;
        put(*s, count);
        budget -= count;
    }
}

void Generator::compute() {
    if (context_.decode(batch_) == llama::Decoded::kDone) {
        for (auto& s : running_) s->computed += s->planned;
        return;
    }
    // Our count of cells says that this cannot happen; if it does, the youngest makes room.
    log_warn("the KV cells were full before we expected it");
    outputs_.clear();
    if (running_.size() > 1) return step_back(running_.size() - 1);
    throw Error(ErrorCode::kInternal, "one sequence alone does not fit into the KV cells");
}

void Generator::read_outputs() {
    for (auto& [sequence, index] : outputs_) {
        try {
            advance(*sequence, index);
        } catch (...) {
            sequence->writer->fail(std::current_exception());
            sequence->ended = true;
        }
    }
}

void Generator::advance(Sequence& sequence, int output) {
    if (sequence.left() <= 0) return end(sequence, Finish::kLength);  // max_tokens 0: only a prompt
    const std::span<const float> logits = context_.logits(output);
    const std::optional<Token> choice = sequence.sampler.sample(logits);
    if (!choice) return end(sequence, Finish::kStop);  // no token goes on within the grammar
    const Token token = *choice;
    sequence.sampler.accept(token);
    ++sequence.made;
    const bool heeds_end = !sequence.request.ignore_eos || sequence.constrained();
    if (heeds_end && model_->ends_generation(token)) return end(sequence, Finish::kStop);
    sequence.tokens.push_back(token);
    emit(sequence, token, logits);
    if (sequence.filter.stopped() || sequence.sampler.finished()) {
        return end(sequence, Finish::kStop);
    }
    if (sequence.left() <= 0) end(sequence, Finish::kLength);
}

void Generator::emit(Sequence& sequence, Token token, std::span<const float> logits) {
    const auto& kept = sequence.request.constraint.kept_tokens;
    const bool shown = std::find(kept.begin(), kept.end(), token) != kept.end();
    const std::string bytes = model_->piece(token, /*special=*/shown);
    Piece piece;
    if (sequence.request.top_logprobs < 0) {
        piece = sequence.filter.add(bytes, nullptr);
    } else {
        const auto found = llama::logprobs(logits, token, sequence.request.top_logprobs);
        TokenLogprob logprob{bytes, token, found[0].logprob, {}};
        for (std::size_t i = 1; i < found.size(); ++i) {
            const auto& other = found[i];
            logprob.alternatives.push_back(
                {model_->piece(other.token, true), other.token, other.logprob, {}});
        }
        piece = sequence.filter.add(bytes, &logprob);
    }
    if (!piece.text.empty() || !piece.logprobs.empty()) sequence.writer->push(std::move(piece));
}

void Generator::end(Sequence& sequence, Finish reason) {
    if (sequence.ended) return;
    sequence.ended = true;
    if (reason != Finish::kCancelled) {
        Piece rest = sequence.filter.flush();
        if (!rest.text.empty() || !rest.logprobs.empty()) sequence.writer->push(std::move(rest));
    }
    Usage usage;
    usage.prompt_tokens = static_cast<int>(sequence.request.prompt.size());
    usage.cached_tokens = sequence.reused;
    usage.completion_tokens = sequence.made;
    sequence.writer->finish(reason, usage);
}

void Generator::release_ended() {
    std::erase_if(running_, [&](const SequencePtr& sequence) {
        if (!sequence->ended) return false;
        prefixes_.keep(*sequence);
        context_.forget(sequence->id);
        free_ids_.push_back(sequence->id);
        return true;
    });
}

}  // namespace jikji::engine
