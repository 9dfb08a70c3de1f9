#include "training/trainer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "base/ids.hpp"
#include "training/checkpoint.hpp"
#include "training/diverged.hpp"
#include "training/epoch_order.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kEstimateTokens = 128;
constexpr double kEstimateSeconds = 0.25;  // a pass that takes longer is not done twice

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

template <typename T>
std::string_view bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string sum_of(const Split& data) {
    Sha256 sum;
    for (const auto* part : {&data.train, &data.held_out}) {
        sum.update(fmt::format("{}\n", part->size()));
        for (const Sample& sample : *part) {
            sum.update(fmt::format("{}\n", sample.tokens.size()));
            sum.update(bytes_of(sample.tokens));
            sum.update(bytes_of(sample.learnt));
        }
    }
    return sum.finish_hex();
}

std::string targets_of(const LoraOptions& lora) {
    std::string out;
    for (const Module module : lora.targets) {
        if (!out.empty()) out += ',';
        out += name_of(module);
    }
    return out;
}

/// Everything that the values depend on, but for the last bits: oneDNN may cut a sum in another way
/// for another number of threads, and a run may go on with one.
std::string identity_of(const Split& data, const TrainOptions& options, const PassOptions& pass) {
    const OptimiserOptions& o = options.optimiser;
    std::string out = fmt::format("base={}\ndata={}\n", options.base_id, sum_of(data));
    out += fmt::format("rank={}\nalpha={}\ndropout={}\ntargets={}\n", options.lora.rank,
                       options.lora.alpha, options.lora.dropout, targets_of(options.lora));
    out += fmt::format("epochs={}\nbatch_size={}\nshuffle={}\nseed={}\npack_tokens={}\n",
                       options.epochs, options.batch_size, options.shuffle, options.seed,
                       options.pack_tokens);
    out += fmt::format("learning_rate={}\nbeta1={}\nbeta2={}\nepsilon={}\nweight_decay={}\n",
                       o.learning_rate, o.beta1, o.beta2, o.epsilon, o.weight_decay);
    out += fmt::format("clip_norm={}\nwarmup_steps={}\nprecision={}\n", o.clip_norm, o.warmup_steps,
                       pass.precision == gemm::Precision::kF32 ? "f32" : "bf16");
    if (!options.initial_values.empty()) {
        out += fmt::format("initial_values={}\n", sha256_hex(bytes_of(options.initial_values)));
    }
    return out;
}

std::vector<Pack> packs_of(const std::vector<Sample>& samples,
                           const std::vector<std::uint64_t>& numbers, int tokens_most) {
    std::vector<const Sample*> chosen;
    for (const std::uint64_t number : numbers) chosen.push_back(&samples[number]);
    return pack(chosen, numbers, tokens_most);
}

}  // namespace

struct Trainer::State {
    State(const BaseModel& base, Split split, TrainOptions given, const PassOptions& how,
          fs::path where)
        : data(std::move(split)),
          options(std::move(given)),
          folder(std::move(where)),
          lora(base.shape(), options.lora),
          nothing(base.shape(), options.lora),
          adam(options.optimiser, lora.values().size()),
          gradients(lora.values().size()),
          shape(base.shape()),
          pass(base, how) {
        JIKJI_CHECK(!data.train.empty());
        head.identity = identity_of(data, options, how);
        std::vector<std::uint64_t> all(data.held_out.size());
        std::iota(all.begin(), all.end(), std::uint64_t{0});
        held_out = packs_of(data.held_out, all, options.pack_tokens);
        begin();
    }

    std::int64_t steps_of_epoch() const {
        const auto samples = static_cast<std::int64_t>(data.train.size());
        return (samples + options.batch_size - 1) / options.batch_size;
    }
    std::int64_t total() const { return steps_of_epoch() * options.epochs; }

    void begin();
    void take(const Checkpoint& checkpoint);
    std::vector<std::uint64_t> batch_of(std::int64_t step) const;
    bool evaluation_is_due() const;
    bool checkpoint_is_due() const;
    std::optional<HeldOutLoss> loss_of(const Lora& values, const std::atomic<bool>& stop);
    bool evaluate(const TrainListener& listener, const std::atomic<bool>& stop);
    void save(const TrainListener& listener);
    void step(const TrainListener& listener, const std::atomic<bool>& stop);
    std::optional<Loss> gradient_of(const std::vector<std::uint64_t>& batch,
                                    const std::atomic<bool>& stop);
    [[noreturn]] void diverge(std::int64_t step, const NotFinite& what) const {
        diverged(step, options.optimiser.learning_rate, what);
    }

    Split data;
    TrainOptions options;
    fs::path folder;
    Lora lora;
    const Lora nothing;  // the base alone
    AdamW adam;
    std::vector<float> gradients;
    const Shape& shape;
    Pass pass;
    std::vector<Pack> held_out;
    CheckpointHead head;
    std::int64_t saved = -1;  // step of the newest checkpoint
    Clock::time_point saved_at = Clock::now();
};

void Trainer::State::begin() {
    remove_unfinished(folder);
    if (const auto checkpoint = newest_checkpoint(folder)) return take(*checkpoint);
    if (options.initial_values.empty()) return lora.initialise(options.seed);
    if (options.initial_values.size() != lora.values().size()) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("initial_values has {} numbers; the adapter has {}",
                                options.initial_values.size(), lora.values().size()),
                    "initial_values",
                    fmt::format("initial_values의 수가 {}개입니다. 어댑터는 {}개입니다.",
                                options.initial_values.size(), lora.values().size()));
    }
    std::copy(options.initial_values.begin(), options.initial_values.end(), lora.values().begin());
}

void Trainer::State::take(const Checkpoint& checkpoint) {
    const std::string other = difference(checkpoint.head.identity, head.identity);
    if (!other.empty()) {
        throw Error(ErrorCode::kConflict,
                    fmt::format("the checkpoint in {} is of another run ({}); give what it had, or "
                                "start a new job",
                                folder.string(), other),
                    "checkpoint",
                    fmt::format("{}의 체크포인트는 다른 작업의 것입니다({}). 같은 값으로 다시 "
                                "시도하거나 새 작업을 시작하세요.",
                                folder.string(), other));
    }
    JIKJI_CHECK(checkpoint.values.size() == lora.values().size());
    JIKJI_CHECK(checkpoint.first.size() == lora.values().size());
    JIKJI_CHECK(checkpoint.second.size() == lora.values().size());
    std::copy(checkpoint.values.begin(), checkpoint.values.end(), lora.values().begin());
    std::copy(checkpoint.first.begin(), checkpoint.first.end(), adam.first().begin());
    std::copy(checkpoint.second.begin(), checkpoint.second.end(), adam.second().begin());
    head = checkpoint.head;
    adam.resume(head.step);
    saved = head.step;
}

/// Of step 0, 1, ….
std::vector<std::uint64_t> Trainer::State::batch_of(std::int64_t step) const {
    const std::int64_t epoch = step / steps_of_epoch();
    const auto order = epoch_order(data.train.size(), options.seed,
                                   static_cast<std::uint64_t>(epoch), options.shuffle);
    const auto first = static_cast<std::size_t>((step % steps_of_epoch()) * options.batch_size);
    const std::size_t end =
        std::min(order.size(), first + static_cast<std::size_t>(options.batch_size));
    return {order.begin() + static_cast<std::ptrdiff_t>(first),
            order.begin() + static_cast<std::ptrdiff_t>(end)};
}

bool Trainer::State::evaluation_is_due() const {
    if (held_out.empty() || head.step == 0) return false;
    if (!head.base) return true;
    const std::int64_t every =
        options.evaluate_steps > 0 ? options.evaluate_steps : steps_of_epoch();
    const bool now = head.step % every == 0 || head.step == total();
    return now && (!head.held_out || head.held_out->step != head.step);
}

bool Trainer::State::checkpoint_is_due() const {
    if (head.step == saved || head.step == 0) return false;
    if (head.step == total() || head.step % steps_of_epoch() == 0) return true;
    if (options.checkpoint_steps > 0 && head.step % options.checkpoint_steps == 0) return true;
    return seconds_since(saved_at) >= options.checkpoint_seconds;
}

/// Nothing if it was stopped.
std::optional<HeldOutLoss> Trainer::State::loss_of(const Lora& values,
                                                   const std::atomic<bool>& stop) {
    Loss sum;
    for (const Pack& part : held_out) {
        if (stop) return std::nullopt;
        const Loss loss = pass.evaluate(part, values);
        sum.sum += loss.sum;
        sum.tokens += loss.tokens;
        sum.right += loss.right;
    }
    const double tokens = std::max(1, sum.tokens);
    if (!std::isfinite(sum.sum)) diverge(head.step, {"held-out loss", "검증 손실", sum.sum});
    return HeldOutLoss{head.step, sum.sum / tokens, sum.right / tokens};
}

/// False if it was stopped: then it is due again.
bool Trainer::State::evaluate(const TrainListener& listener, const std::atomic<bool>& stop) {
    const auto tell = [&](std::int64_t step, const HeldOutLoss& loss) {
        if (listener.held_out) {
            listener.held_out({step, loss.loss, head.base->loss, loss.right});
        }
    };
    if (!head.base) {
        head.base = loss_of(nothing, stop);
        if (!head.base) return false;
        head.base->step = 0;
        tell(0, *head.base);
        if (!evaluation_is_due()) return true;
    }
    const auto now = loss_of(lora, stop);
    if (!now) return false;
    head.held_out = now;
    tell(head.step, *now);
    return true;
}

void Trainer::State::save(const TrainListener& listener) {
    saved_at = Clock::now();  // also of one that fails: the next try is as far away
    try {
        const fs::path file =
            write_checkpoint(folder, head, lora.values(), adam.first(), adam.second());
        saved = head.step;
        if (listener.checkpoint) listener.checkpoint(head.step, file);
    } catch (const Error& cause) {  // hours of work are not thrown away for a full disk
        if (listener.not_saved) listener.not_saved(cause);
    }
}

/// Nothing if it was stopped between two packs.
std::optional<Loss> Trainer::State::gradient_of(const std::vector<std::uint64_t>& batch,
                                                const std::atomic<bool>& stop) {
    int learnt = 0;
    for (const std::uint64_t number : batch) learnt += data.train[number].learnt_count();
    const float weight = 1.0F / static_cast<float>(std::max(1, learnt));
    std::fill(gradients.begin(), gradients.end(), 0.0F);
    Loss sum;
    for (const Pack& part : packs_of(data.train, batch, options.pack_tokens)) {
        if (stop) return std::nullopt;
        const Loss loss = pass.train(
            part, lora, {options.seed, static_cast<std::uint64_t>(head.step)}, weight, gradients);
        sum.sum += loss.sum;
        sum.tokens += loss.tokens;
        sum.right += loss.right;
        if (!std::isfinite(loss.sum)) diverge(head.step + 1, {"loss", "손실", loss.sum});
    }
    return sum;
}

/// Changes nothing if it was stopped.
void Trainer::State::step(const TrainListener& listener, const std::atomic<bool>& stop) {
    const Clock::time_point start = Clock::now();
    const std::vector<std::uint64_t> batch = batch_of(head.step);
    const std::optional<Loss> loss = gradient_of(batch, stop);
    if (!loss) return;
    StepReport report;
    report.total = total();
    report.rate = learning_rate_at(options.optimiser, head.step, total());
    try {
        report.gradient_norm = adam.step(lora.values(), gradients, report.rate);
    } catch (const Error&) {
        diverge(head.step + 1, {"gradient's norm", "기울기 크기", std::nan("")});
    }
    for (const std::uint64_t number : batch) {
        report.tokens += static_cast<std::int64_t>(data.train[number].tokens.size());
    }
    head.step += 1;
    head.tokens += report.tokens;
    head.loss = loss->sum / std::max(1, loss->tokens);
    head.right = static_cast<double>(loss->right) / std::max(1, loss->tokens);
    report.step = head.step;
    report.epoch = static_cast<double>(head.step) / static_cast<double>(steps_of_epoch());
    report.loss = head.loss;
    report.right = head.right;
    report.tokens_done = head.tokens;
    report.seconds = seconds_since(start);
    if (listener.step) listener.step(report);
}

Trainer::Trainer(const BaseModel& base, Split data, TrainOptions options, PassOptions pass,
                 fs::path folder)
    : state_(std::make_unique<State>(base, std::move(data), std::move(options), pass,
                                     std::move(folder))) {}
Trainer::~Trainer() = default;

std::int64_t Trainer::steps_total() const { return state_->total(); }
std::int64_t Trainer::steps_done() const { return state_->head.step; }
std::int64_t Trainer::tokens_done() const { return state_->head.tokens; }
std::int64_t Trainer::steps_saved() const { return std::max<std::int64_t>(0, state_->saved); }
double Trainer::last_loss() const { return state_->head.loss; }
const Lora& Trainer::lora() const { return state_->lora; }

std::optional<HeldOutReport> Trainer::held_out() const {
    const CheckpointHead& head = state_->head;
    if (!head.base || !head.held_out) return std::nullopt;
    return HeldOutReport{head.held_out->step, head.held_out->loss, head.base->loss,
                         head.held_out->right};
}

double Trainer::estimate_seconds_of_token() {
    State& state = *state_;
    Sample part = state.data.train[state.batch_of(state.head.step).front()];
    part.tokens.resize(std::min(part.tokens.size(), kEstimateTokens));
    part.learnt.resize(part.tokens.size());
    const auto packs = pack({&part}, {0}, state.options.pack_tokens);
    double seconds = 0;
    for (int run = 0; run < 2; ++run) {  // the first one also sets up products
        const Clock::time_point start = Clock::now();
        state.pass.evaluate(packs.front(), state.lora);
        seconds = seconds_since(start);
        if (seconds > kEstimateSeconds) break;
    }
    const int length = packs.front().size();
    const LoraOptions& lora = state.options.lora;
    const double forward = Pass::forward_flops(state.shape, lora, length);
    const double backward = Pass::backward_flops(state.shape, lora, length);
    return seconds / length * (1 + backward / forward);
}

TrainEnd Trainer::run(const TrainListener& listener, const std::atomic<bool>& stop) {
    State& state = *state_;
    state.saved_at = Clock::now();
    while (true) {
        const bool evaluated = !state.evaluation_is_due() || state.evaluate(listener, stop);
        if (state.checkpoint_is_due()) state.save(listener);
        if (evaluated && state.head.step == state.total()) return TrainEnd::kDone;
        if (stop) {
            if (state.head.step > 0 && state.head.step != state.saved) state.save(listener);
            return TrainEnd::kStopped;
        }
        state.step(listener, stop);
    }
}

}  // namespace jikji::training
