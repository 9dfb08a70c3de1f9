#include "training/attention.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "gemm/bf16.hpp"

namespace jikji::training {
namespace {

using Index = std::ptrdiff_t;

struct Rows {
    const float* first;
    Index stride;
    const float* at(Index row) const { return first + row * stride; }
};

// One sample as one head sees it.
struct View {
    int begin, end;  // its tokens
    int head;        // of queries
    int group_head;  // of keys
};

class Products {
public:
    Products(const AttentionShape& shape, gemm::Precision precision)
        : shape_(shape),
          rounds_(precision == gemm::Precision::kBf16),
          scale_(1.0F / std::sqrt(static_cast<float>(shape.head))) {}

    float factor(float x) const { return rounds_ ? gemm::from_bf16(gemm::to_bf16(x)) : x; }
    float scale() const { return scale_; }

    float dot(const float* a, const float* b) const {
        float sum = 0;
        for (int d = 0; d < shape_.head; ++d) sum += factor(a[d]) * factor(b[d]);
        return sum;
    }
    void add(float weight, const float* x, float* to) const {
        const float w = factor(weight);
        for (int d = 0; d < shape_.head; ++d) to[d] += w * factor(x[d]);
    }
    int first_seen(int begin, int i) const {
        return shape_.window > 0 ? std::max(begin, i - shape_.window + 1) : begin;
    }

private:
    const AttentionShape& shape_;
    bool rounds_;
    float scale_;
};

int end_of(const AttentionShape& shape, int sample) {
    const auto next = static_cast<std::size_t>(sample) + 1;
    return next < shape.starts.size() ? shape.starts[next] : shape.tokens;
}

View view_of(const AttentionShape& shape, int sample, int head) {
    return {shape.starts[static_cast<std::size_t>(sample)], end_of(shape, sample), head,
            head / (shape.heads / shape.kv_heads)};
}

}  // namespace

void attention_forward(const AttentionShape& shape, gemm::Precision precision, const float* q,
                       int q_row, const float* k, const float* v, int kv_row, float* out,
                       float* log_sum, int threads) {
    const Products products(shape, precision);
    const int samples = static_cast<int>(shape.starts.size());
    const Index out_row = Index{shape.heads} * shape.head;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int unit = 0; unit < samples * shape.heads; ++unit) {
        const View view = view_of(shape, unit / shape.heads, unit % shape.heads);
        const Rows queries{q + Index{view.head} * shape.head, q_row};
        const Rows keys{k + Index{view.group_head} * shape.head, kv_row};
        const Rows values{v + Index{view.group_head} * shape.head, kv_row};
        std::vector<float> scores(static_cast<std::size_t>(view.end - view.begin));
        for (int i = view.begin; i < view.end; ++i) {
            const int first = products.first_seen(view.begin, i);
            float top = -INFINITY;
            for (int j = first; j <= i; ++j) {
                float& score = scores[static_cast<std::size_t>(j - first)];
                score = products.dot(queries.at(i), keys.at(j)) * products.scale();
                top = std::max(top, score);
            }
            float* o = out + i * out_row + Index{view.head} * shape.head;
            std::fill(o, o + shape.head, 0.0F);
            float sum = 0;
            for (int j = first; j <= i; ++j) {
                const float p = std::exp(scores[static_cast<std::size_t>(j - first)] - top);
                sum += p;
                products.add(p, values.at(j), o);
            }
            for (int d = 0; d < shape.head; ++d) o[d] /= sum;
            log_sum[Index{view.head} * shape.tokens + i] = top + std::log(sum);
        }
    }
}

void attention_backward(const AttentionShape& shape, gemm::Precision precision, const float* q,
                        int q_row, const float* k, const float* v, int kv_row, const float* out,
                        const float* log_sum, const float* d_out, float* d_q, float* d_k,
                        float* d_v, int threads) {
    const Products products(shape, precision);
    const int samples = static_cast<int>(shape.starts.size());
    const int group = shape.heads / shape.kv_heads;
    const Index out_row = Index{shape.heads} * shape.head;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int unit = 0; unit < samples * shape.kv_heads; ++unit) {
        const int kv_head = unit % shape.kv_heads;
        const Index kv = Index{kv_head} * shape.head;
        const View all = view_of(shape, unit / shape.kv_heads, kv_head * group);
        for (int j = all.begin; j < all.end; ++j) {
            std::fill_n(d_k + j * Index{kv_row} + kv, shape.head, 0.0F);
            std::fill_n(d_v + j * Index{kv_row} + kv, shape.head, 0.0F);
        }
        for (int head = kv_head * group; head < (kv_head + 1) * group; ++head) {
            const Index at = Index{head} * shape.head;
            for (int i = all.begin; i < all.end; ++i) {
                const float* d_o = d_out + i * out_row + at;
                const float* o = out + i * out_row + at;
                float delta = 0;
                for (int d = 0; d < shape.head; ++d) delta += o[d] * d_o[d];
                const float* query = q + i * Index{q_row} + at;
                float* d_query = d_q + i * Index{q_row} + at;
                std::fill_n(d_query, shape.head, 0.0F);
                for (int j = products.first_seen(all.begin, i); j <= i; ++j) {
                    const Index row = j * Index{kv_row} + kv;
                    const float score = products.dot(query, k + row) * products.scale();
                    const float p = std::exp(score - log_sum[Index{head} * shape.tokens + i]);
                    const float d_p = products.dot(d_o, v + row);
                    const float d_score = p * (d_p - delta) * products.scale();
                    products.add(p, d_o, d_v + row);
                    products.add(d_score, query, d_k + row);
                    products.add(d_score, k + row, d_query);
                }
            }
        }
    }
}

}  // namespace jikji::training
