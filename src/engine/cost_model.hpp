#pragma once
// How long a step takes, learnt while steps are computed: which machine, which weights and which
// other programs there are shows in nothing else.
//
// Model    t = a + b·rows + c·[a prompt takes part] + d·prompt + e·Σ(context of prompt tokens)
//            + f·Σ(context of rows); every coefficient >= 0.
// Fit      least squares of the relative error, old steps forgotten exponentially. Steps with and
//          without prompt tokens are forgotten apart: a thousand steps that only decode do not wipe
//          out what a prompt token costs. What lies far off counts less (Huber's weights), so one
//          step beside a compiler teaches little; if it goes on, the scale of what is far follows.
// Threads  one at a time.
#include <array>
#include <cstddef>

namespace jikji::engine {

/// What one step has to do.
struct StepWork {
    int rows = 0;               // sequences that get their next token
    int prompt = 0;             // tokens of prompts
    double prompt_context = 0;  // sum, over these tokens, of the tokens before each
    double row_context = 0;     // the same of the rows
};

/// More rows of a sequence that has `computed` tokens.
void add_rows(StepWork& work, int computed, int rows);
/// `tokens` more tokens of a prompt of which `computed` are there.
void add_prompt(StepWork& work, int computed, int tokens);

class CostModel {
public:
    /// Before the first step: from the model's size, on a machine that reads 10 GB/s and computes
    /// 150 GFLOP/s.
    explicit CostModel(double weight_bytes = 1e8, double parameters = 1e8);

    /// A step that took so long. Seconds <= 0 are not counted.
    void observe(const StepWork& work, double seconds);

    double seconds(const StepWork& work) const;

    /// How many tokens of a prompt, of which `computed` are there, may join `work` so that the step
    /// takes at most `limit` seconds; 0..most.
    int prompt_tokens_within(const StepWork& work, double limit, int computed, int most) const;

    /// Time of the machine that a request takes beside others in steps of `rows` rows: its prompt,
    /// and its share of the steps that make its answer.
    double request_seconds(int prompt, int answer, int rows) const;

private:
    static constexpr std::size_t kSize = 6;
    using Vector = std::array<double, kSize>;
    struct Sums {  // of a weighted least-squares problem
        std::array<Vector, kSize> matrix{};
        Vector right{};
    };
    static Vector features(const StepWork& work);
    static void add(Sums& sums, const Vector& x, double seconds, double weight);
    double weight_of(double predicted, double seconds);
    void follow_speed(const Vector& x, double seconds);
    void solve();

    Sums decode_;  // steps without a prompt
    Sums prompt_;
    Vector guess_{};
    Vector theta_{};            // a to f
    double speed_[2] = {1, 1};  // this machine's times over the guess's: rows, prompts
    bool seen_[2] = {false, false};
    double scale_ = 0.3;  // of relative errors: what is usual
};

}  // namespace jikji::engine
