#include "gemm/attention.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "gemm/attention_kernels.hpp"

namespace jikji::gemm {
namespace {

constexpr std::uint16_t kShown = 0;
constexpr std::uint16_t kHiddenHalf = 0xFC00;  // -inf

// For values that float16 holds as normal numbers; cut, not rounded.
std::uint16_t half_of(float x) {
    const auto bits = std::bit_cast<std::uint32_t>(x * 0x1p-112f);
    return static_cast<std::uint16_t>((bits >> 16 & 0x8000u) | (bits >> 13 & 0x7FFFu));
}

using Shows = std::function<bool(int query, int key)>;

struct Case {
    std::string name;
    int queries;
    int keys;
    int heads;
    int kv_heads;
    int dim;
    int dim_v;
    Element type = Element::kF16;
    Shows shows;  // none: no mask
    float max_bias = 0.0f;
    float softcap = 0.0f;
    bool sinks = false;
};

// The task with its numbers. Rows of k and v lie as in a cache: all heads of a token together.
struct Numbers {
    explicit Numbers(const Case& c) {
        std::mt19937 random(static_cast<unsigned>(c.queries * 31 + c.keys));
        std::normal_distribution<float> normal;
        const auto fill = [&](std::vector<float>& x, int rows, int heads, int dim) {
            x.resize(static_cast<std::size_t>(rows) * heads * dim);
            for (float& value : x) value = std::clamp(normal(random), -4.0f, 4.0f);
        };
        fill(q, c.queries, c.heads, c.dim);
        fill(k, c.keys, c.kv_heads, c.dim);
        fill(v, c.keys, c.kv_heads, c.dim_v);
        fill(sinks, 1, c.heads, 1);
        encode(k, c.type, k_bytes);
        encode(v, c.type, v_bytes);
        for (int query = 0; c.shows && query < c.queries; ++query) {
            for (int key = 0; key < c.keys; ++key) {
                const float distance = static_cast<float>(-std::abs(key - query) - 1);
                const std::uint16_t near = c.max_bias > 0 ? half_of(distance) : kShown;
                mask.push_back(c.shows(query, key) ? near : kHiddenHalf);
            }
        }
        out.assign(static_cast<std::size_t>(c.queries) * c.heads * c.dim_v, NAN);
    }

    // Keeps in `x` what the bytes say, so that the reference starts from the same numbers.
    static void encode(std::vector<float>& x, Element type, std::vector<std::byte>& bytes) {
        const std::size_t each = type == Element::kF32 ? 4 : 2;
        bytes.resize(x.size() * each);
        for (std::size_t i = 0; i < x.size(); ++i) {
            std::uint32_t bits = std::bit_cast<std::uint32_t>(x[i]);
            if (type == Element::kBf16) {
                x[i] = std::bit_cast<float>(bits & 0xFFFF0000u);
                bits >>= 16;
            } else if (type == Element::kF16) {
                bits = half_of(x[i]);
                x[i] = half_to_float(static_cast<std::uint16_t>(bits));
            }
            std::memcpy(&bytes[i * each], &bits, each);
        }
    }

    AttentionTask task(const Case& c) {
        const auto rows = [&](const void* data, Element type, int n, int heads, int dim) {
            const auto each = static_cast<std::size_t>(dim) * (type == Element::kF32 ? 4 : 2);
            return HeadRows{data, type, dim, n, heads, each * heads, each};
        };
        AttentionTask task;
        task.q = rows(q.data(), Element::kF32, c.queries, c.heads, c.dim);
        task.k = rows(k_bytes.data(), c.type, c.keys, c.kv_heads, c.dim);
        task.v = rows(v_bytes.data(), c.type, c.keys, c.kv_heads, c.dim_v);
        task.out = out.data();
        task.scale = scale(c);
        task.mask = mask.empty() ? nullptr : mask.data();
        task.mask_row = static_cast<std::size_t>(c.keys);
        task.max_bias = c.max_bias;
        task.softcap = c.softcap;
        task.sinks = c.sinks ? sinks.data() : nullptr;
        return task;
    }
    static float scale(const Case& c) { return 1.0f / std::sqrt(static_cast<float>(c.dim)); }

    std::vector<float> q, k, v, sinks, out;
    std::vector<std::byte> k_bytes, v_bytes;
    std::vector<std::uint16_t> mask;
};

// ALiBi's slope, written as the paper has it for a power of two, and its rule for the rest.
double slope(const Case& c, int head) {
    if (!(c.max_bias > 0)) return 1;
    int power = 1;
    while (power * 2 <= c.heads) power *= 2;
    if (head < power) return std::pow(2.0, -c.max_bias * (head + 1) / power);
    return std::pow(2.0, -c.max_bias / 2 * (2 * (head - power) + 1) / power);
}

// One row of one head in float64, straight from the definition.
std::vector<double> exact_row(const Case& c, const Numbers& n, int query, int head) {
    const int kv = head / (c.heads / c.kv_heads);
    std::vector<double> scores(static_cast<std::size_t>(c.keys));
    double top = c.sinks ? n.sinks[head] : -std::numeric_limits<double>::infinity();
    for (int key = 0; key < c.keys; ++key) {
        double s = 0;
        for (int d = 0; d < c.dim; ++d) {
            s += static_cast<double>(n.q[(query * c.heads + head) * c.dim + d]) *
                 n.k[(key * c.kv_heads + kv) * c.dim + d];
        }
        s *= Numbers::scale(c);
        if (c.softcap > 0) s = c.softcap * std::tanh(s / c.softcap);
        if (!n.mask.empty()) s += slope(c, head) * half_to_float(n.mask[query * c.keys + key]);
        scores[key] = s;
        top = std::max(top, s);
    }
    std::vector<double> row(static_cast<std::size_t>(c.dim_v), 0.0);
    if (std::isinf(top)) return row;
    double sum = c.sinks ? std::exp(n.sinks[head] - top) : 0.0;
    for (int key = 0; key < c.keys; ++key) {
        const double weight = std::exp(scores[key] - top);
        sum += weight;
        for (int d = 0; d < c.dim_v; ++d) {
            row[d] += weight * n.v[(key * c.kv_heads + kv) * c.dim_v + d];
        }
    }
    for (double& x : row) x /= sum;
    return row;
}

struct Errors {
    double relative;  // root of the mean square, over that of the exact values
    double largest;
};

Errors errors_of(const Case& c, const Numbers& n) {
    double error = 0;
    double size = 0;
    double largest = 0;
    for (int query = 0; query < c.queries; ++query) {
        for (int head = 0; head < c.heads; ++head) {
            const std::vector<double> row = exact_row(c, n, query, head);
            for (int d = 0; d < c.dim_v; ++d) {
                const double got = n.out[(query * c.heads + head) * c.dim_v + d];
                const double off = std::isfinite(got) ? std::abs(got - row[d]) : 1e30;
                error += off * off;
                size += row[d] * row[d];
                largest = std::max(largest, off);
            }
        }
    }
    return {size > 0 ? std::sqrt(error / size) : std::sqrt(error), largest};
}

bool causal(int query, int key) { return key <= query; }
bool after_cache(int query, int key) { return key <= query + 150; }
bool nothing(int, int) { return false; }
bool third_rows_hidden(int query, int key) { return query % 3 != 0 && key <= query; }
// Three sequences whose prompts lie one after the other, and whose answers are dealt in turn.
bool three_sequences(int query, int key) {
    const auto owner = [](int i) { return i < 240 ? i / 80 : i % 3; };
    return owner(query) == owner(key) && key <= query;
}
// Sixteen that decode: a prefix of 100 cells is everyone's, then cells were dealt in turn.
bool sixteen_decoding(int query, int key) { return key < 100 || key % 16 == query; }
// A step of five, whose own cells lie apart, beside a prompt of another.
bool five_and_a_prompt(int query, int key) {
    if (query < 5) return key / 50 == query;
    return key >= 320 && key <= 320 + query;
}
bool window(int query, int key) { return key <= query && key > query - 100; }

const Case kCases[] = {
    {"one query", 1, 5, 9, 3, 64, 64, Element::kF16, nullptr},
    {"SmolLM2, causal", 200, 256, 9, 3, 64, 64, Element::kF16, causal},
    {"after a cached prefix", 77, 256, 9, 3, 64, 64, Element::kF16, after_cache},
    {"odd counts, one head each", 65, 67, 3, 3, 96, 96, Element::kF16, causal},
    {"eight to one", 49, 128, 8, 1, 128, 128, Element::kF16, causal},
    {"more heads than a job takes", 33, 64, 20, 1, 64, 64, Element::kF16, causal},
    {"wide heads", 40, 192, 4, 1, 256, 256, Element::kF16, causal},
    {"narrow heads", 40, 70, 4, 2, 24, 40, Element::kF16, causal},
    {"k and v of different sizes", 50, 64, 4, 2, 96, 64, Element::kF16, causal},
    {"three sequences in one cache", 384, 384, 3, 1, 64, 64, Element::kF16, three_sequences},
    {"sliding window", 384, 384, 2, 1, 64, 64, Element::kF16, window},
    {"rows that see nothing", 70, 128, 3, 1, 64, 64, Element::kF16, third_rows_hidden},
    {"nobody sees anything", 20, 128, 3, 1, 64, 64, Element::kF16, nothing},
    {"an encoder's text", 101, 101, 12, 12, 32, 32, Element::kF32, nullptr},
    {"bfloat16 cache", 64, 128, 4, 2, 64, 64, Element::kBf16, causal},
    {"ALiBi", 90, 128, 12, 12, 64, 64, Element::kF16, causal, 8.0f},
    {"soft cap", 90, 128, 4, 2, 64, 64, Element::kF16, causal, 0.0f, 2.0f},
    {"sixteen decoding", 16, 401, 9, 3, 64, 64, Element::kF16, sixteen_decoding},
    {"sixteen decoding, capped, wide", 16, 300, 8, 1, 128, 96, Element::kF32, sixteen_decoding, 0,
     2.0f, true},
    {"sixteen decoding, ALiBi", 16, 300, 4, 4, 64, 64, Element::kF16, sixteen_decoding, 8.0f},
    {"sixteen decoding, twenty to one", 16, 300, 20, 1, 64, 64, Element::kF16, sixteen_decoding},
    {"five decoding beside a prompt", 40, 384, 9, 3, 64, 64, Element::kF16, five_and_a_prompt},
    {"one decoding", 1, 320, 9, 3, 64, 64, Element::kF16, after_cache},
    {"sinks", 90, 128, 4, 2, 64, 64, Element::kF16, causal, 0.0f, 0.0f, true},
    {"sinks of rows that see nothing", 40, 64, 4, 2, 64, 64, Element::kF16, nothing, 0, 0, true},
};

std::vector<AttentionKernel> kernels_here() {
    std::vector<AttentionKernel> all = {AttentionKernel::kPortable};
    if (best_attention_kernel() != AttentionKernel::kPortable)
        all.push_back(AttentionKernel::kAvx2);
    if (best_attention_kernel() == AttentionKernel::kAvx512Bf16) {
        all.push_back(AttentionKernel::kAvx512Bf16);
    }
    return all;
}

}  // namespace

TEST_SUITE_BEGIN("attention");

// float32: sums of a few hundred terms of 6e-8 each. bfloat16: each of q, k, v and the weights is
// rounded by up to 2^-9 of itself, by 2^-9/sqrt(3) in the mean; where scores have a deviation of
// 1, an error of q or k moves a weight by about as much. Four such in a row: 2 * 2^-9 / sqrt(3).
// ALiBi's cases see few keys, so that v's own rounding does not average out: 2^-8 holds for all.
TEST_CASE("every kernel agrees with the definition in float64") {
    for (const AttentionKernel kernel : kernels_here()) {
        Attention attention(kernel);
        for (const Case& c : kCases) {
            Numbers numbers(c);
            attention.run(numbers.task(c), 2);
            const Errors errors = errors_of(c, numbers);
            // Few queries are never rounded.
            const bool bf16 = kernel == AttentionKernel::kAvx512Bf16 && c.queries >= 32;
            CAPTURE(c.name);
            CAPTURE(static_cast<int>(kernel));
            CHECK(errors.relative <= (bf16 ? 0x1p-8 : 2e-6));
            CHECK(errors.largest <= (bf16 ? 0.03 : 2e-5));
        }
    }
}

TEST_CASE("the number of threads does not change a bit") {
    const Case& c = kCases[1];
    Numbers one(c);
    Numbers three(c);
    Attention attention;
    attention.run(one.task(c), 1);
    attention.run(three.task(c), 3);
    CHECK(one.out == three.out);
}

// A sequence's step must give the same bits alone and beside others: greedy text depends on it.
TEST_CASE("a decoding query gets the same bits alone and beside fifteen others") {
    const Case c = {"", 16, 1601, 9, 3, 64, 64, Element::kF16, sixteen_decoding};
    for (const AttentionKernel kernel : kernels_here()) {
        Numbers all(c);
        Attention attention(kernel);
        attention.run(all.task(c), 2);
        for (const int query : {0, 7, 15}) {
            Numbers one(c);
            AttentionTask task = one.task(c);
            task.q.rows = 1;
            task.q.data = one.q.data() + query * c.heads * c.dim;
            task.mask += query * c.keys;
            attention.run(task, 1);
            const auto row = static_cast<std::size_t>(c.heads * c.dim_v);
            CHECK(
                std::equal(one.out.begin(), one.out.begin() + row, all.out.begin() + query * row));
        }
    }
}

// Scores of hundreds overflow a softmax that does not take the maximum away first.
TEST_CASE("great scores stay finite, and the greatest wins") {
    const Case c = {"", 32, 64, 1, 1, 64, 64, Element::kF32, causal};
    for (const AttentionKernel kernel : kernels_here()) {
        Numbers numbers(c);
        for (float& x : numbers.q) x *= 64.0f;
        Attention attention(kernel);
        attention.run(numbers.task(c), 1);
        CHECK(std::all_of(numbers.out.begin(), numbers.out.end(),
                          [](float x) { return std::isfinite(x) && std::abs(x) <= 4.01f; }));
        CHECK(numbers.out[0] == doctest::Approx(numbers.v[0]).epsilon(0.005));
    }
}

TEST_CASE("float16 is read exactly") {
    CHECK(half_to_float(0x3C00) == 1.0f);
    CHECK(half_to_float(0xC000) == -2.0f);
    CHECK(half_to_float(0x0001) == 0x1p-24f);
    CHECK(half_to_float(0x7BFF) == 65504.0f);
    CHECK(half_to_float(0xFC00) == -std::numeric_limits<float>::infinity());
    CHECK(std::isnan(half_to_float(0x7E00)));
}

TEST_CASE("head sizes outside the kernels' are refused") {
    CHECK(attention_supports(64, 64));
    CHECK(attention_supports(192, 128));
    CHECK_FALSE(attention_supports(60, 64));
    CHECK_FALSE(attention_supports(64, 0));
    CHECK_FALSE(attention_supports(576, 512));
}

TEST_SUITE_END();

}  // namespace jikji::gemm
