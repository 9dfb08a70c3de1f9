#pragma once
// The forward pass of a llama with LoRA beside it as its definition says, in double, one token
// after the other: what the tests hold Pass against.
#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include "training/base_model.hpp"
#include "training/dropout.hpp"
#include "training/lora.hpp"
#include "training/samples.hpp"

namespace jikji::training::reference {

using Row = std::vector<double>;

class Model {
public:
    explicit Model(const BaseModel& base) : base_(base), s_(base.shape()) {
        embedding_ = all(base.embedding());
        head_ = all(base.head());
        layers_.resize(static_cast<std::size_t>(s_.layers));
        for (int l = 0; l < s_.layers; ++l)
            for (int m = 0; m < kModules; ++m)
                layers_[at(l)].linear[m] = all(base.layer(l).linear[m]);
    }

    /// Sum of the losses of one pack; values as Lora::values(), in double. With dropout if `key`.
    double loss(const Pack& pack, const Lora& lora, std::span<const double> values,
                const DropoutKey* key) const {
        double sum = 0;
        for (std::size_t i = 0; i < pack.starts.size(); ++i) {
            const int end = i + 1 < pack.starts.size() ? pack.starts[i + 1] : pack.size();
            sum += sample(pack, pack.starts[i], end, pack.samples[i], {lora, values, key});
        }
        return sum;
    }

private:
    struct Adapters {
        const Lora& lora;
        std::span<const double> values;
        const DropoutKey* key;
    };
    struct Layer {
        std::vector<Row> linear[kModules];
    };
    static std::size_t at(int i) { return static_cast<std::size_t>(i); }

    static std::vector<Row> all(const FrozenMatrix& matrix) {
        std::vector<Row> out;
        std::vector<float> row(at(matrix.columns()));
        for (int r = 0; r < matrix.rows(); ++r) {
            matrix.read(r, 1, row.data());
            out.emplace_back(row.begin(), row.end());
        }
        return out;
    }

    static Row times(const std::vector<Row>& w, const Row& x) {
        Row y;
        for (const Row& row : w) {
            double sum = 0;
            for (std::size_t i = 0; i < x.size(); ++i) sum += row[i] * x[i];
            y.push_back(sum);
        }
        return y;
    }

    Row norm(const Row& x, std::span<const float> gain) const {
        double squares = 0;
        for (const double v : x) squares += v * v;
        const double inverse = 1 / std::sqrt(squares / static_cast<double>(x.size()) +
                                             static_cast<double>(s_.norm_epsilon));
        Row h(x.size());
        for (std::size_t i = 0; i < x.size(); ++i)
            h[i] = x[i] * inverse * static_cast<double>(gain[i]);
        return h;
    }

    Row linear(int layer, Module module, const Row& x, const Adapters& a, std::uint64_t sample,
               int position) const {
        Row y = times(layers_[at(layer)].linear[static_cast<int>(module)], x);
        const LoraPair* pair = a.lora.find(layer, module);
        if (pair == nullptr) return y;
        Row in = x;
        if (a.key != nullptr) {
            const float p = a.lora.options().dropout;
            const DropRow row = drop_row(*a.key, layer, module, sample, position);
            for (std::size_t i = 0; i < in.size(); ++i) {
                const bool gone = drop_bits(row, static_cast<std::uint32_t>(i)) < drop_threshold(p);
                in[i] = gone ? 0 : in[i] / (1 - static_cast<double>(p));
            }
        }
        const std::size_t rank = at(a.lora.options().rank);
        const double scale =
            static_cast<double>(a.lora.options().alpha) / static_cast<double>(rank);
        for (std::size_t j = 0; j < rank; ++j) {
            double u = 0;
            for (std::size_t i = 0; i < in.size(); ++i) {
                u += a.values[pair->a + j * in.size() + i] * in[i];
            }
            for (std::size_t n = 0; n < y.size(); ++n) {
                y[n] += scale * a.values[pair->b + n * rank + j] * u;
            }
        }
        return y;
    }

    void turn(Row& row, int heads, int position) const {
        for (int h = 0; h < heads; ++h) {
            for (int i = 0; i < s_.rope_values / 2; ++i) {
                double angle =
                    position * static_cast<double>(s_.rope_scale) *
                    std::pow(static_cast<double>(s_.rope_base), -2.0 * i / s_.rope_values);
                if (!s_.rope_factors.empty()) angle /= static_cast<double>(s_.rope_factors[at(i)]);
                double& a = row[at(h * s_.head + 2 * i)];
                double& b = row[at(h * s_.head + 2 * i + 1)];
                const double x = a;
                a = x * std::cos(angle) - b * std::sin(angle);
                b = x * std::sin(angle) + b * std::cos(angle);
            }
        }
    }

    Row attention(const std::vector<Row>& q, const std::vector<Row>& k, const std::vector<Row>& v,
                  std::size_t i) const {
        Row out(at(s_.heads * s_.head), 0.0);
        for (int h = 0; h < s_.heads; ++h) {
            const std::size_t from = at(h * s_.head);
            const std::size_t kv = at(h / (s_.heads / s_.kv_heads) * s_.head);
            const std::size_t first =
                s_.window > 0 && i + 1 > at(s_.window) ? i + 1 - at(s_.window) : 0;
            Row weights;
            double sum = 0;
            for (std::size_t j = first; j <= i; ++j) {
                double dot = 0;
                for (std::size_t d = 0; d < at(s_.head); ++d) dot += q[i][from + d] * k[j][kv + d];
                weights.push_back(std::exp(dot / std::sqrt(static_cast<double>(s_.head))));
                sum += weights.back();
            }
            for (std::size_t j = first; j <= i; ++j)
                for (std::size_t d = 0; d < at(s_.head); ++d)
                    out[from + d] += weights[j - first] / sum * v[j][kv + d];
        }
        return out;
    }

    std::vector<Row> layer(int l, std::vector<Row> xs, const Adapters& a,
                           std::uint64_t sample) const {
        std::vector<Row> q, k, v;
        for (std::size_t i = 0; i < xs.size(); ++i) {
            const int position = static_cast<int>(i);
            const Row h = norm(xs[i], base_.layer(l).attention_norm);
            q.push_back(linear(l, Module::kQ, h, a, sample, position));
            k.push_back(linear(l, Module::kK, h, a, sample, position));
            v.push_back(linear(l, Module::kV, h, a, sample, position));
            turn(q.back(), s_.heads, position);
            turn(k.back(), s_.kv_heads, position);
        }
        for (std::size_t i = 0; i < xs.size(); ++i) {
            const int position = static_cast<int>(i);
            add(xs[i], linear(l, Module::kO, attention(q, k, v, i), a, sample, position));
            const Row h = norm(xs[i], base_.layer(l).feed_norm);
            Row gate = linear(l, Module::kGate, h, a, sample, position);
            const Row up = linear(l, Module::kUp, h, a, sample, position);
            for (std::size_t f = 0; f < gate.size(); ++f) {
                gate[f] = gate[f] / (1 + std::exp(-gate[f])) * up[f];
            }
            add(xs[i], linear(l, Module::kDown, gate, a, sample, position));
        }
        return xs;
    }

    static void add(Row& to, const Row& x) {
        for (std::size_t i = 0; i < to.size(); ++i) to[i] += x[i];
    }

    double sample(const Pack& pack, int begin, int end, std::uint64_t number,
                  const Adapters& a) const {
        std::vector<Row> xs;
        for (int i = begin; i < end; ++i) xs.push_back(embedding_[at(pack.tokens[at(i)])]);
        for (int l = 0; l < s_.layers; ++l) xs = layer(l, std::move(xs), a, number);
        double loss = 0;
        for (int i = begin + 1; i < end; ++i) {
            if (pack.learnt[at(i)] == 0) continue;
            const Row logits = times(head_, norm(xs[at(i - 1 - begin)], base_.output_norm()));
            double sum = 0;
            for (const double logit : logits) sum += std::exp(logit);
            loss += std::log(sum) - logits[at(pack.tokens[at(i)])];
        }
        return loss;
    }

    const BaseModel& base_;
    const Shape& s_;
    std::vector<Row> embedding_, head_;
    std::vector<Layer> layers_;
};

}  // namespace jikji::training::reference
