// One layer backward: layer_forward.cpp from its end to its start. No gradient of a frozen weight
// is made, and none below what an adapter needs.
#include <algorithm>

#include "training/attention.hpp"
#include "training/pass_work.hpp"

namespace jikji::training {
namespace {

/// One layer's backward pass over one pack.
class LayerBackward {
public:
    LayerBackward(Work& work, const Batch& batch, const Lora& lora, int layer, const LayerValues& v,
                  float* dx, std::span<float> gradients)
        : work_(work),
          batch_(batch),
          lora_(lora),
          layer_(layer),
          v_(v),
          dx_(dx),
          gradients_(gradients),
          s_(work.shape) {}

    bool adapted(std::initializer_list<Module> modules) const {
        return std::any_of(modules.begin(), modules.end(),
                           [&](Module m) { return lora_.find(layer_, m) != nullptr; });
    }

    /// Through down. Returns the gradient of silu(gate) · up; null if it is not `wanted`.
    float* down(bool wanted) {
        float* d_act = nullptr;
        if (wanted) {
            d_act = work_.act.floats(area(batch_.rows, s_.feed));
            work_.weights.backward(layer_, Joined::kDown, rounded_dx(), batch_.rows, d_act);
        }
        if (!adapted({Module::kDown})) return d_act;
        float* act = work_.act_again.floats(area(batch_.rows, s_.feed));
        for_gate_up([&](int row, const float* gate, float*) {
            work_.kernels.swiglu(gate, gate + s_.feed, s_.feed, act + area(row, s_.feed));
        });
        lora_backward(work_, batch_, lora_, layer_, Module::kDown, act, s_.feed, dx_, s_.width,
                      d_act, gradients_);
        return d_act;
    }

    /// Through gate, up and the norm before them, into dx.
    void gate_up(const float* d_act, bool wanted) {
        const bool adapts = adapted({Module::kGate, Module::kUp});
        float* exact = adapts ? work_.wide.floats(area(batch_.rows, 2 * s_.feed)) : nullptr;
        const Factors d_both = work_.wide_factors.view(work_.precision, batch_.rows, 2 * s_.feed);
        for_gate_up([&](int row, const float* gate, float* scratch) {
            float* d = exact != nullptr ? exact + area(row, 2 * s_.feed) : scratch;
            work_.kernels.swiglu_back(gate, gate + s_.feed, d_act + area(row, s_.feed), s_.feed, d,
                                      d + s_.feed);
            d_both.put(row, 0, d, 2 * s_.feed);
        });
        float* dh = wanted ? work_.narrow.floats(area(batch_.rows, s_.width)) : nullptr;
        if (wanted) work_.weights.backward(layer_, Joined::kGateUp, d_both, batch_.rows, dh);
        const float* gain = work_.base.layer(layer_).feed_norm.data();
        if (adapts) {
            const float* h = normalised(v_.middle, gain);
            adapt(Module::kGate, h, s_.width, exact, 2 * s_.feed, dh);
            adapt(Module::kUp, h, s_.width, exact + s_.feed, 2 * s_.feed, dh);
        }
        if (wanted) through_norm(v_.middle, gain, dh);
    }

    /// Through the projection after attention. Returns the gradient of what attention gave.
    float* out(bool wanted) {
        float* d_out = nullptr;
        if (wanted) {
            d_out = work_.heads.floats(area(batch_.rows, work_.heads_columns()));
            work_.weights.backward(layer_, Joined::kOut, rounded_dx(), batch_.rows, d_out);
        }
        adapt(Module::kO, v_.out, work_.heads_columns(), dx_, s_.width, d_out);
        return d_out;
    }

    /// Through attention, q, k, v and the norm before them, into dx.
    void attention(const float* d_out, bool wanted) {
        const int joined = work_.joined_columns();
        float* d_q = work_.joined.floats(area(batch_.rows, joined));
        through_attention(d_out, d_q);
        float* d_k = d_q + s_.heads * s_.head;
        float* d_v = d_k + s_.kv_heads * s_.head;
        float* dh = wanted ? work_.narrow.floats(area(batch_.rows, s_.width)) : nullptr;
        if (wanted) {
            const Factors d = work_.wide_factors.view(work_.precision, batch_.rows, joined);
            round(d_q, d);
            work_.weights.backward(layer_, Joined::kQkv, d, batch_.rows, dh);
        }
        const float* gain = work_.base.layer(layer_).attention_norm.data();
        if (adapted({Module::kQ, Module::kK, Module::kV})) {
            const float* h = normalised(v_.x, gain);
            adapt(Module::kQ, h, s_.width, d_q, joined, dh);
            adapt(Module::kK, h, s_.width, d_k, joined, dh);
            adapt(Module::kV, h, s_.width, d_v, joined, dh);
        }
        if (wanted) through_norm(v_.x, gain, dh);
    }

private:
    void adapt(Module module, const float* x, int ldx, const float* dy, int ldy, float* dx) {
        lora_backward(work_, batch_, lora_, layer_, module, x, ldx, dy, ldy, dx, gradients_);
    }

    template <class Body>
    void for_rows(const Body& body) {
        for_shares(work_.threads, batch_.rows, 1, [&](int first, int last) {
            for (int row = first; row < last; ++row) body(row);
        });
    }

    void round(const float* from, const Factors& to) {
        for_shares(work_.threads, batch_.rows, 1, [&](int first, int last) {
            to.put(first, 0, from + area(first, to.columns), (last - first) * to.columns);
        });
    }

    Factors rounded_dx() {
        const Factors d = work_.narrow_factors.view(work_.precision, batch_.rows, s_.width);
        round(dx_, d);
        return d;
    }

    /// body(row, its gate and up as floats, scratch of as many floats)
    template <class Body>
    void for_gate_up(const Body& body) {
        const int both = 2 * s_.feed;
        for_shares(work_.threads, batch_.rows, 1, [&](int first, int last) {
            std::vector<float> floats(static_cast<std::size_t>(both));
            std::vector<float> scratch(static_cast<std::size_t>(both));
            for (int row = first; row < last; ++row) {
                const void* kept = v_.gate_up.at(row);
                if (v_.gate_up.precision == gemm::Precision::kF32) {
                    body(row, static_cast<const float*>(kept), scratch.data());
                } else {
                    work_.kernels.widen(static_cast<const gemm::Bf16*>(kept), both, floats.data());
                    body(row, floats.data(), scratch.data());
                }
            }
        });
    }

    const float* normalised(const float* x, const float* gain) {
        float* h = work_.normed.floats(area(batch_.rows, s_.width));
        for_rows([&](int row) {
            const std::size_t at = area(row, s_.width);
            work_.kernels.normalise(x + at, gain, s_.width, s_.norm_epsilon, h + at);
        });
        return h;
    }

    void through_norm(const float* x, const float* gain, const float* dh) {
        for_rows([&](int row) {
            const std::size_t at = area(row, s_.width);
            work_.kernels.normalise_back(x + at, gain, dh + at, s_.width, s_.norm_epsilon,
                                         dx_ + at);
        });
    }

    void through_attention(const float* d_out, float* d_q) {
        const int joined = work_.joined_columns();
        const int k = s_.heads * s_.head;
        const int v = k + s_.kv_heads * s_.head;
        const AttentionShape shape{s_.heads,  s_.kv_heads,         s_.head,
                                   s_.window, batch_.pack->starts, batch_.tokens()};
        attention_backward(shape, work_.precision, v_.qkv, joined, v_.qkv + k, v_.qkv + v, joined,
                           v_.out, v_.log_sum, d_out, d_q, d_q + k, d_q + v, work_.threads);
        std::fill(d_q + area(batch_.tokens(), joined), d_q + area(batch_.rows, joined), 0.0F);
        for_rows([&](int row) {
            const int position = batch_.positions[static_cast<std::size_t>(row)];
            work_.kernels.rope(d_q + area(row, joined), s_.heads + s_.kv_heads, s_.head,
                               s_.rope_values, work_.rope.cosines(position),
                               work_.rope.sines_back(position));
        });
    }

    Work& work_;
    const Batch& batch_;
    const Lora& lora_;
    int layer_;
    const LayerValues& v_;
    float* dx_;
    std::span<float> gradients_;
    const Shape& s_;
};

}  // namespace

void layer_backward(Work& work, const Batch& batch, const Lora& lora, int layer,
                    const LayerValues& v, float* dx, bool below, std::span<float> gradients) {
    LayerBackward back(work, batch, lora, layer, v, dx, gradients);
    const bool attends = below || back.adapted({Module::kQ, Module::kK, Module::kV});
    const bool projects = attends || back.adapted({Module::kO});
    const bool feeds = projects || back.adapted({Module::kGate, Module::kUp});
    const float* d_act = back.down(feeds);
    if (feeds) back.gate_up(d_act, projects);
    if (!projects) return;
    const float* d_out = back.out(attends);
    if (attends) back.attention(d_out, below);
}

}  // namespace jikji::training
