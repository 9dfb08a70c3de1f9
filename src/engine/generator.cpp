#include "engine/generator.hpp"

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "base/log.hpp"
#include "engine/checks.hpp"
#include "engine/sequence.hpp"

namespace jikji::engine {
namespace {

constexpr double kAnswerMemory = 0.05;  // what one answer says about the length of the next

}  // namespace

Generator::Generator(std::shared_ptr<const llama::Model> model, const GeneratorOptions& options,
                     PrefixCache& cache)
    : model_(std::move(model)),
      options_(options),
      context_(model_, context_options(options)),
      costs_(static_cast<double>(model_->weight_bytes()),
             static_cast<double>(model_->parameters())),
      prefixes_(context_, cache, *model_, options.layout) {
    for (int id = 0; id < options_.parallel; ++id) free_ids_.insert(id);
}

llama::ContextOptions Generator::context_options(const GeneratorOptions& options) {
    // A kept block needs cells of its own for a moment.
    return {.cells = options.cells + PrefixTree::kBlockTokens,
            .sequences = options.parallel,
            .batch = std::max(kStepTokens, options.parallel),
            .microbatch = kStepTokens,
            .outputs = options.parallel + kDraftRowsMost,
            .threads = options.threads,
            .adapter = options.adapter};
}

Generator::~Generator() {
    for (auto& sequence : running_) end(*sequence, Finish::kCancelled);
    for (auto& [ticket, sequence] : waiting_) end(*sequence, Finish::kCancelled);
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
    for (auto& [ticket, sequence] : waiting_) {
        sequence->writer->fail(cause);
        queue_.erase(ticket);
        release(*sequence);
    }
    waiting_.clear();
}

void Generator::add(GenerationRequest request, std::shared_ptr<StreamWriter> writer,
                    WaitingRoom::Place place) {
    const int room = options_.context - static_cast<int>(request.prompt.size());
    const bool length_given = request.max_tokens >= 0;
    if (!length_given || request.max_tokens > room) request.max_tokens = room;
    auto sequence = std::make_unique<Sequence>(std::move(request), std::move(writer), *model_);
    sequence->place = std::move(place);
    sequence->length_given = length_given;
    sequence->ticket = next_ticket_++;
    shares_.enter(sequence->request.tenant);
    enqueue(std::move(sequence), /*again=*/false);
}

bool Generator::answering() const {
    return std::any_of(running_.begin(), running_.end(),
                       [](const SequencePtr& s) { return s->prompt_done() && !s->ended; });
}

void Generator::step(const Beside& beside) {
    prefixes_.poll();
    drop_cancelled();
    admit();
    make_room();
    plan(beside);
    if (rows_.empty() && prompts_.empty()) return waiting_.empty() ? void() : prefixes_.wait();
    compute(rows_);
    std::erase_if(prompts_, [](const Sequence* s) { return s->id < 0; });  // swapped out just now
    compute(prompts_);
    release_ended();
}

bool Generator::ended_from_outside(Sequence& sequence) {
    if (sequence.ended) return true;
    const auto& deadline = sequence.request.deadline;
    if (!sequence.writer->wanted()) {
        end(sequence, Finish::kCancelled);
    } else if (deadline && std::chrono::steady_clock::now() >= *deadline) {
        sequence.writer->fail(timeout_error());
        sequence.ended = true;
    }
    return sequence.ended;
}

void Generator::drop_cancelled() {
    for (auto& sequence : running_) ended_from_outside(*sequence);
    release_ended();
    std::erase_if(waiting_, [&](const auto& entry) {
        if (!ended_from_outside(*entry.second)) return false;
        queue_.erase(entry.first);
        release(*entry.second);
        return true;
    });
}

// The last token of a sequence that is there has logits, and those of its draft.
void Generator::read_outputs(const std::vector<Sequence*>& part) {
    int end = 0;  // of its tokens in the batch
    for (Sequence* sequence : part) {
        end += sequence->planned;
        const int index = end - 1 - static_cast<int>(sequence->draft.size());
        if (!batch_[static_cast<std::size_t>(index)].output) continue;
        try {
            advance(*sequence, index);
        } catch (...) {
            sequence->writer->fail(std::current_exception());
            sequence->ended = true;
        }
    }
}

void Generator::choose(Sequence& sequence, int output) {
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

// What the sequence holds beside cells and an id.
void Generator::release(Sequence& sequence) {
    saved_bytes_ -= sequence.saved.size();
    sequence.saved.clear();
    shares_.promise(sequence.request.tenant, -sequence.promised);
    shares_.leave(sequence.request.tenant);
}

// What cannot be kept is computed again: no reason to leave a sequence in its place.
void Generator::keep(const Sequence& sequence) noexcept {
    try {
        prefixes_.keep(sequence);
    } catch (const std::exception& cause) {
        log_warn(std::string("what a request computed is not kept: ") + cause.what());
    }
}

void Generator::release_ended() {
    for (auto& sequence : running_) {
        if (!sequence->ended) continue;
        keep(*sequence);
        leave_cells(*sequence);
        release(*sequence);
        if (sequence->writer->wanted()) {
            answer_typical_ += kAnswerMemory * (sequence->made - answer_typical_);
        }
    }
    std::erase_if(running_, [](const SequencePtr& sequence) { return sequence->ended; });
}

}  // namespace jikji::engine
