#include "engine/cost_model.hpp"

#include <algorithm>
#include <cmath>

namespace jikji::engine {
namespace {

constexpr double kReadBytes = 10e9;      // per second
constexpr double kFlops = 150e9;         // per second
constexpr double kKeptOfDecode = 0.95;   // a memory of about 20 steps
constexpr double kKeptOfPrompts = 0.85;  // of about 7
constexpr double kContextUnit = 1000;    // keeps the columns of like size
constexpr double kGuessWeight = 0.02;    // of each coefficient's guess; a step weighs 1
constexpr double kScaleLeast = 0.05, kScaleMost = 1.0;

std::size_t of_prompt(std::size_t coefficient) {
    return coefficient >= 2 && coefficient <= 4 ? 1 : 0;
}

double at_least_a_microsecond(double seconds) { return std::max(seconds, 1e-6); }

/// Solves the first `n` equations in place (Gauss, partial pivots); tiny pivots give 0.
template <typename Matrix, typename Vector>
Vector solved(Matrix a, Vector b, std::size_t n) {
    for (std::size_t k = 0; k < n; ++k) {
        std::size_t pivot = k;
        for (std::size_t i = k + 1; i < n; ++i) {
            if (std::abs(a[i][k]) > std::abs(a[pivot][k])) pivot = i;
        }
        std::swap(a[k], a[pivot]);
        std::swap(b[k], b[pivot]);
        if (std::abs(a[k][k]) < 1e-300) continue;
        for (std::size_t i = k + 1; i < n; ++i) {
            const double factor = a[i][k] / a[k][k];
            for (std::size_t j = k; j < n; ++j) a[i][j] -= factor * a[k][j];
            b[i] -= factor * b[k];
        }
    }
    Vector x{};
    for (std::size_t k = n; k-- > 0;) {
        double rest = b[k];
        for (std::size_t j = k + 1; j < n; ++j) rest -= a[k][j] * x[j];
        x[k] = std::abs(a[k][k]) < 1e-300 ? 0 : rest / a[k][k];
    }
    return x;
}

}  // namespace

void add_rows(StepWork& work, int computed, int rows) {
    work.rows += rows;
    work.row_context += static_cast<double>(rows) * computed;
}

void add_prompt(StepWork& work, int computed, int tokens) {
    const double n = tokens;
    work.prompt += tokens;
    work.prompt_context += n * computed + n * (n + 1) / 2;
}

CostModel::CostModel(double weight_bytes, double parameters) {
    const double pass = std::max(weight_bytes / kReadBytes, 1e-6);
    const double token = std::max(2 * parameters / kFlops, 1e-6);
    guess_ = {pass, pass / 10, pass / 2, token, token / 2, token / 4};
    theta_ = guess_;
}

CostModel::Vector CostModel::features(const StepWork& work) {
    return {1.0,
            static_cast<double>(work.rows),
            work.prompt > 0 ? 1.0 : 0.0,
            static_cast<double>(work.prompt),
            work.prompt_context / kContextUnit,
            work.row_context / kContextUnit};
}

void CostModel::add(Sums& sums, const Vector& x, double seconds, double weight) {
    for (std::size_t i = 0; i < kSize; ++i) {
        for (std::size_t j = 0; j < kSize; ++j) sums.matrix[i][j] += weight * x[i] * x[j];
        sums.right[i] += weight * x[i] * seconds;
    }
}

double CostModel::weight_of(double predicted, double seconds) {
    const double error = std::abs(seconds - predicted) / std::min(seconds, predicted);
    const double weight = error <= 2 * scale_ ? 1.0 : 2 * scale_ / error;
    scale_ += 0.2 * (std::min(error, 5 * scale_) - scale_);
    scale_ = std::clamp(scale_, kScaleLeast, kScaleMost);
    return weight / (seconds * predicted);
}

// What steps cannot tell apart stays in the proportions of the guess, but at this machine's speed.
void CostModel::follow_speed(const Vector& x, double seconds) {
    double parts[2] = {0, 0};  // of the guess: rows, prompts
    for (std::size_t i = 0; i < kSize; ++i) parts[of_prompt(i)] += guess_[i] * x[i];
    const bool prompt = parts[1] > 0;
    if (!seen_[0]) speed_[0] = std::clamp(seconds / (parts[0] + parts[1]), 1e-3, 1e3);
    const double rest = prompt ? seconds - speed_[0] * parts[0] : seconds;
    const double ratio = std::clamp(rest / parts[prompt], 1e-3, 1e3);
    speed_[prompt] = seen_[prompt] ? speed_[prompt] * std::pow(ratio / speed_[prompt], 0.2) : ratio;
    seen_[prompt] = true;
}

void CostModel::observe(const StepWork& work, double time) {
    if (!(time > 0) || work.rows + work.prompt <= 0) return;
    time = at_least_a_microsecond(time);
    Sums& sums = work.prompt > 0 ? prompt_ : decode_;
    const double kept = work.prompt > 0 ? kKeptOfPrompts : kKeptOfDecode;
    for (Vector& row : sums.matrix) {
        for (double& value : row) value *= kept;
    }
    for (double& value : sums.right) value *= kept;
    const Vector x = features(work);
    add(sums, x, time, weight_of(at_least_a_microsecond(seconds(work)), time));
    follow_speed(x, time);
    solve();
}

// A coefficient below 0 says that the steps so far do not tell it apart from the others: it is set
// to 0 and the rest is solved again.
void CostModel::solve() {
    std::array<bool, kSize> used;
    used.fill(true);
    while (true) {
        std::array<std::size_t, kSize> columns{};
        std::size_t n = 0;
        for (std::size_t i = 0; i < kSize; ++i) {
            if (used[i]) columns[n++] = i;
        }
        Sums all;
        for (std::size_t i = 0; i < n; ++i) {
            const std::size_t row = columns[i];
            for (std::size_t j = 0; j < n; ++j) {
                const std::size_t column = columns[j];
                all.matrix[i][j] = decode_.matrix[row][column] + prompt_.matrix[row][column];
            }
            all.matrix[i][i] += kGuessWeight / (guess_[row] * guess_[row]);
            all.right[i] = decode_.right[row] + prompt_.right[row] +
                           kGuessWeight * speed_[of_prompt(row)] / guess_[row];
        }
        const Vector found = solved(all.matrix, all.right, n);
        const auto least = std::min_element(found.begin(), found.begin() + static_cast<long>(n));
        if (n > 0 && *least < 0) {
            used[columns[static_cast<std::size_t>(least - found.begin())]] = false;
            continue;
        }
        theta_ = {};
        for (std::size_t i = 0; i < n; ++i) theta_[columns[i]] = found[i];
        return;
    }
}

double CostModel::seconds(const StepWork& work) const {
    const Vector x = features(work);
    double out = 0;
    for (std::size_t i = 0; i < kSize; ++i) out += theta_[i] * x[i];
    return out;
}

int CostModel::prompt_tokens_within(const StepWork& work, double limit, int computed,
                                    int most) const {
    const auto fits = [&](int tokens) {
        StepWork more = work;
        add_prompt(more, computed, tokens);
        return seconds(more) <= limit;
    };
    int low = 0;
    int high = std::max(most, 0);
    while (low < high) {
        const int middle = (low + high + 1) / 2;
        if (fits(middle)) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

double CostModel::request_seconds(int prompt, int answer, int rows) const {
    rows = std::max(rows, 1);
    const double context = prompt + answer / 2.0;
    double out = answer * seconds({rows, 0, 0, rows * context}) / rows;
    if (prompt > 0) {
        StepWork whole;
        add_prompt(whole, 0, prompt);
        out += seconds(whole) - seconds({});
    }
    return out;
}

}  // namespace jikji::engine
