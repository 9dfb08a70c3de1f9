// Final norm, head and cross entropy of the positions that predict a learnt token. Some positions
// at a time meet some thousand tokens of the vocabulary at a time: what is kept of logits are
// e^(logit - greatest so far) in the precision of factors, which becomes their gradient in place.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "training/pass_work.hpp"

namespace jikji::training {
namespace {

constexpr int kPositions = 256;       // at a time, if the head is kept
constexpr int kPositionsAnew = 1024;  // if it has to be read again for each of them
constexpr int kTokens = 4096;         // of the vocabulary at a time

/// What softmax has seen of one position's logits.
struct Seen {
    int row = -1;     // of the pack; -1: padding
    int target = -1;  // the learnt token
    float top = -INFINITY;
    double sum = 0;  // of e^(logit - top)
    float target_logit = 0;
    float best = -INFINITY;
    int best_token = -1;
    std::vector<float> tops;  // as they were after each part of the vocabulary

    double log_sum() const { return static_cast<double>(top) + std::log(sum); }
};

std::vector<Seen> positions_of(const Pack& pack) {
    std::vector<Seen> all;
    for (int i = 1; i < pack.size(); ++i) {
        const auto at = static_cast<std::size_t>(i);
        const bool begins = std::binary_search(pack.starts.begin(), pack.starts.end(), i);
        if (pack.learnt[at] != 0 && !begins) all.push_back({i - 1, pack.tokens[at]});
    }
    return all;
}

class Head {
public:
    Head(Work& work, std::span<Seen> seen, float weight, bool back)
        : work_(work),
          seen_(seen),
          rows_(static_cast<int>(seen.size())),
          weight_(weight),
          back_(back),
          logits_(work.head_logits.floats(area(rows_, kTokens))),
          h_(work.head_factors.view(work.precision, rows_, work.shape.width)),
          powers_(back ? work.head_powers.view(work.precision, rows_, work.shape.vocabulary)
                       : Factors{}) {}

    void forward(const float* x) {
        const Shape& s = work_.shape;
        const float* gain = work_.base.output_norm().data();
        for_rows([&](int r) {
            std::vector<float> h(static_cast<std::size_t>(s.width), 0.0F);
            const int row = seen_[static_cast<std::size_t>(r)].row;
            if (row >= 0) {
                work_.kernels.normalise(x + area(row, s.width), gain, s.width, s.norm_epsilon,
                                        h.data());
            }
            h_.put(r, 0, h.data(), s.width);
        });
        for_parts([&](int first, int count, const Factors& weights) {
            gemm::product(h_.factor(rows_), weights.factor(count, true), logits_, count, false,
                          work_.threads);
            for_rows([&](int r) {
                take(seen_[static_cast<std::size_t>(r)], logits_ + area(r, count), first, count);
                if (back_) part(first, count).put(r, 0, logits_ + area(r, count), count);
            });
        });
    }

    /// Adds to rows of dx.
    void backward(const float* x, float* dx) {
        const Shape& s = work_.shape;
        float* dh = work_.head_d.floats(area(rows_, s.width));
        for_parts([&](int first, int count, const Factors& weights) {
            const Factors d = part(first, count);
            for_rows([&](int r) { to_gradient(r, first, count, d); });
            gemm::product(d.factor(rows_), weights.factor(count), dh, s.width, first > 0,
                          work_.threads);
        });
        const float* gain = work_.base.output_norm().data();
        for_rows([&](int r) {
            const int row = seen_[static_cast<std::size_t>(r)].row;
            if (row < 0) return;
            const std::size_t at = area(row, s.width);
            work_.kernels.normalise_back(x + at, gain, dh + area(r, s.width), s.width,
                                         s.norm_epsilon, dx + at);
        });
    }

private:
    template <class Body>
    void for_rows(const Body& body) {
        for_shares(work_.threads, rows_, 1, [&](int first, int last) {
            for (int r = first; r < last; ++r) body(r);
        });
    }

    template <class Body>
    void for_parts(const Body& body) {
        for (int first = 0; first < work_.shape.vocabulary; first += kTokens) {
            const int count = std::min(kTokens, work_.shape.vocabulary - first);
            body(first, count, work_.weights.head_rows(first, count));
        }
    }

    /// The powers of one part of the vocabulary, one matrix without gaps.
    Factors part(int first, int count) const {
        Factors all = powers_;
        all.columns = 1;
        return {all.at(first * rows_), powers_.precision, count};
    }

    /// Logits become e^(logit - top).
    void take(Seen& seen, float* logits, int first, int count) const {
        int best = 0;
        const float most = work_.kernels.greatest(logits, count, &best);
        if (most > seen.best) {
            seen.best = most;
            seen.best_token = first + best;
        }
        const bool here = seen.target >= first && seen.target < first + count;
        if (here) seen.target_logit = logits[seen.target - first];
        const float top = std::max(seen.top, most);
        seen.sum *= std::exp(static_cast<double>(seen.top) - static_cast<double>(top));
        seen.sum += static_cast<double>(work_.kernels.exps(logits, count, top, logits));
        seen.top = top;
        seen.tops.push_back(top);
    }

    /// weight · (softmax - 1 at the target), in place.
    void to_gradient(int r, int first, int count, const Factors& d) const {
        const Seen& seen = seen_[static_cast<std::size_t>(r)];
        const auto number = static_cast<std::size_t>(first / kTokens);
        const auto factor = static_cast<float>(
            seen.row < 0 ? 0.0
                         : static_cast<double>(weight_) *
                               std::exp(static_cast<double>(seen.tops[number]) - seen.log_sum()));
        std::vector<float> floats(static_cast<std::size_t>(count));
        if (d.precision == gemm::Precision::kF32) {
            std::memcpy(floats.data(), d.at(r), floats.size() * sizeof(float));
        } else {
            work_.kernels.widen(static_cast<const gemm::Bf16*>(d.at(r)), count, floats.data());
        }
        work_.kernels.scale(floats.data(), count, factor);
        const bool here = seen.target >= first && seen.target < first + count;
        if (here) floats[static_cast<std::size_t>(seen.target - first)] -= weight_;
        d.put(r, 0, floats.data(), count);
    }

    Work& work_;
    std::span<Seen> seen_;
    int rows_;
    float weight_;
    bool back_;
    float* logits_;
    Factors h_;
    Factors powers_;
};

}  // namespace

Loss head_loss(Work& work, const Batch& batch, const float* x, float weight, float* dx) {
    if (dx != nullptr) std::memset(dx, 0, area(batch.rows, work.shape.width) * sizeof(float));
    std::vector<Seen> all = positions_of(*batch.pack);
    Loss loss{0, static_cast<int>(all.size()), 0};
    all.resize(static_cast<std::size_t>(padded(static_cast<int>(all.size()))));
    const int most = work.weights.head_is_kept() ? kPositions : kPositionsAnew;
    for (std::size_t first = 0; first < all.size(); first += static_cast<std::size_t>(most)) {
        const std::span<Seen> some = std::span(all).subspan(
            first, std::min(all.size() - first, static_cast<std::size_t>(most)));
        Head head(work, some, weight, dx != nullptr);
        head.forward(x);
        for (const Seen& seen : some) {
            if (seen.row < 0) continue;
            loss.sum += seen.log_sum() - static_cast<double>(seen.target_logit);
            loss.right += seen.best_token == seen.target ? 1 : 0;
        }
        if (dx != nullptr) head.backward(x, dx);
    }
    return loss;
}

}  // namespace jikji::training
