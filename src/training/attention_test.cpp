#include "training/attention.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "training/attention_tiles.hpp"

namespace jikji::training {
namespace {

using gemm::Precision;

struct Case {
    std::string name;
    std::vector<int> samples;  // their lengths
    int heads;
    int kv_heads;
    int head;
    int window = 0;
};

// GQA, windows, packs, samples of one token, lengths that are no multiple of any block.
const std::vector<Case> kCases = {
    {"one token", {1}, 1, 1, 16},
    {"SmolLM2", {37, 1, 130}, 9, 3, 64},
    {"wide heads, four to one", {70, 65, 3}, 4, 1, 128},
    {"small heads", {5, 17, 1, 33, 64}, 4, 2, 16},
    {"heads that fill no vector", {41, 20}, 2, 1, 6},
    {"long", {201}, 3, 1, 64},
    {"whole blocks", {64, 192}, 2, 2, 64},
    {"window", {200, 30}, 4, 2, 32, 50},
    {"window of one", {40}, 2, 1, 16, 1},
    {"window over many blocks", {270}, 2, 1, 64, 64},
    {"window longer than the samples", {90, 45}, 2, 1, 64, 100},
};

// Everything that a pass works on; q, k and v lie beside each other in one array, as a product of
// all three would write them.
template <class Real>
struct Numbers {
    Case c;
    std::vector<int> starts;
    int tokens = 0;
    int row = 0;
    std::vector<Real> qkv, out, log_sum, d_out, d_qkv;

    explicit Numbers(Case which) : c(std::move(which)) {
        for (const int length : c.samples) {
            starts.push_back(tokens);
            tokens += length;
        }
        row = (c.heads + 2 * c.kv_heads) * c.head;
        qkv.resize(static_cast<std::size_t>(tokens) * row);
        d_qkv.assign(qkv.size(), Real(NAN));
        out.assign(static_cast<std::size_t>(tokens) * c.heads * c.head, Real(NAN));
        d_out.resize(out.size());
        log_sum.assign(static_cast<std::size_t>(tokens) * c.heads, Real(NAN));
    }
    void draw(unsigned seed) {
        std::mt19937 random(seed);
        std::normal_distribution<float> normal;
        for (Real& x : qkv) x = std::clamp(normal(random), -4.0F, 4.0F);
        for (Real& x : d_out) x = std::clamp(normal(random), -4.0F, 4.0F);
    }
    template <class Other>
    static Numbers copy(const Other& from) {
        Numbers to(from.c);
        std::copy(from.qkv.begin(), from.qkv.end(), to.qkv.begin());
        std::copy(from.d_out.begin(), from.d_out.end(), to.d_out.begin());
        return to;
    }
    int k_at() const { return c.heads * c.head; }
    int v_at() const { return (c.heads + c.kv_heads) * c.head; }
    AttentionShape shape() const { return {c.heads, c.kv_heads, c.head, c.window, starts, tokens}; }
    int begin_of(int token) const {
        return *(std::upper_bound(starts.begin(), starts.end(), token) - 1);
    }
    int first_seen(int token) const {
        const int begin = begin_of(token);
        return c.window > 0 ? std::max(begin, token - c.window + 1) : begin;
    }
};

using Floats = Numbers<float>;
using Doubles = Numbers<double>;

/// With steps of one instruction set.
void run_with(const AttentionSteps* steps, Floats& n, Precision precision, int threads) {
    const AttentionCall call{n.shape(),
                             precision,
                             steps,
                             n.qkv.data(),
                             n.row,
                             n.qkv.data() + n.k_at(),
                             n.qkv.data() + n.v_at(),
                             n.row,
                             n.out.data(),
                             n.log_sum.data(),
                             threads,
                             n.d_out.data(),
                             n.d_qkv.data(),
                             n.d_qkv.data() + n.k_at(),
                             n.d_qkv.data() + n.v_at()};
    run_forward(call);
    run_backward(call);
}

void run(Floats& n, Precision precision, int threads) {
    attention_forward(n.shape(), precision, n.qkv.data(), n.row, n.qkv.data() + n.k_at(),
                      n.qkv.data() + n.v_at(), n.row, n.out.data(), n.log_sum.data(), threads);
    attention_backward(n.shape(), precision, n.qkv.data(), n.row, n.qkv.data() + n.k_at(),
                       n.qkv.data() + n.v_at(), n.row, n.out.data(), n.log_sum.data(),
                       n.d_out.data(), n.d_qkv.data(), n.d_qkv.data() + n.k_at(),
                       n.d_qkv.data() + n.v_at(), threads);
}

// ---- the definition in double, a row at a time ----

double dot(const double* a, const double* b, int count) {
    double sum = 0;
    for (int i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

struct RowView {
    const double* q;
    const double* k;  // of token 0
    const double* v;
    double scale;
};

RowView view(const Doubles& n, int head, int token) {
    const int kv = head / (n.c.heads / n.c.kv_heads) * n.c.head;
    return {n.qkv.data() + static_cast<std::ptrdiff_t>(token) * n.row + head * n.c.head,
            n.qkv.data() + n.k_at() + kv, n.qkv.data() + n.v_at() + kv, 1 / std::sqrt(n.c.head)};
}

void exact_forward(Doubles& n) {
    for (int head = 0; head < n.c.heads; ++head) {
        for (int i = 0; i < n.tokens; ++i) {
            const RowView x = view(n, head, i);
            double* o =
                n.out.data() + (static_cast<std::ptrdiff_t>(i) * n.c.heads + head) * n.c.head;
            std::fill_n(o, n.c.head, 0.0);
            double sum = 0;
            for (int j = n.first_seen(i); j <= i; ++j) {
                const auto at = static_cast<std::ptrdiff_t>(j) * n.row;
                const double p = std::exp(dot(x.q, x.k + at, n.c.head) * x.scale);
                sum += p;
                for (int d = 0; d < n.c.head; ++d) o[d] += p * x.v[at + d];
            }
            for (int d = 0; d < n.c.head; ++d) o[d] /= sum;
            n.log_sum[static_cast<std::size_t>(head) * n.tokens + i] = std::log(sum);
        }
    }
}

// Of the sum of out · d_out.
void exact_backward(Doubles& n) {
    std::fill(n.d_qkv.begin(), n.d_qkv.end(), 0.0);
    for (int head = 0; head < n.c.heads; ++head) {
        for (int i = 0; i < n.tokens; ++i) {
            const RowView x = view(n, head, i);
            const auto at = (static_cast<std::ptrdiff_t>(i) * n.c.heads + head) * n.c.head;
            const double* d_o = n.d_out.data() + at;
            const double delta = dot(d_o, n.out.data() + at, n.c.head);
            double* d_q = n.d_qkv.data() + (x.q - n.qkv.data());
            for (int j = n.first_seen(i); j <= i; ++j) {
                const auto row = static_cast<std::ptrdiff_t>(j) * n.row;
                const double score = dot(x.q, x.k + row, n.c.head) * x.scale;
                const double p =
                    std::exp(score - n.log_sum[static_cast<std::size_t>(head) * n.tokens + i]);
                const double d_s = p * (dot(d_o, x.v + row, n.c.head) - delta) * x.scale;
                double* d_k = n.d_qkv.data() + (x.k + row - n.qkv.data());
                double* d_v = n.d_qkv.data() + (x.v + row - n.qkv.data());
                for (int d = 0; d < n.c.head; ++d) {
                    d_q[d] += d_s * x.k[row + d];
                    d_k[d] += d_s * x.q[d];
                    d_v[d] += p * d_o[d];
                }
            }
        }
    }
}

double loss(Doubles& n) {
    exact_forward(n);
    double sum = 0;
    for (std::size_t i = 0; i < n.out.size(); ++i) sum += n.out[i] * n.d_out[i];
    return sum;
}

/// Root of the mean square of the difference, over that of `want`; NaN counts as endless.
template <class Got>
double error_of(const Got& got, const std::vector<double>& want) {
    double error = 0;
    double size = 1e-30;
    for (std::size_t i = 0; i < want.size(); ++i) {
        const double off = static_cast<double>(got[i]) - want[i];
        error += std::isfinite(off) ? off * off : 1e30;
        size += want[i] * want[i];
    }
    return std::sqrt(error / size);
}

}  // namespace

TEST_SUITE_BEGIN("attention of training");

// Holds the oracle of the tests below to the definition of a derivative. Central differences of
// 1e-4 in double: about 1e-8 from cutting and as much from rounding.
TEST_CASE("row 1: the reference's gradients are those of finite differences") {
    for (const Case& c : kCases) {
        if (c.samples.front() > 100) continue;  // seconds
        Floats drawn(c);
        drawn.draw(7);
        auto n = Doubles::copy(drawn);
        exact_forward(n);
        exact_backward(n);
        std::mt19937 random(11);
        std::vector<double> found;
        std::vector<double> want;
        for (int trial = 0; trial < 40; ++trial) {
            const std::size_t at = random() % n.qkv.size();
            const double x = n.qkv[at];
            n.qkv[at] = x + 1e-4;
            const double above = loss(n);
            n.qkv[at] = x - 1e-4;
            found.push_back((above - loss(n)) / 2e-4);
            n.qkv[at] = x;
            want.push_back(n.d_qkv[at]);
        }
        CAPTURE(c.name);
        CHECK(error_of(found, want) <= 1e-6);
    }
}

// float32: sums of some hundred terms of 6e-8 each. bfloat16: every factor is rounded by at most
// 2^-9 of itself, and gradients are products of four such.
TEST_CASE(
    "rows 1 and 16: on every instruction set, forward and backward agree with the definition in "
    "double") {
    for (const Case& c : kCases) {
        Floats drawn(c);
        drawn.draw(3);
        auto exact = Doubles::copy(drawn);
        exact_forward(exact);
        exact_backward(exact);
        for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
            for (const AttentionSteps* steps : attention_steps(precision)) {
                auto n = Floats::copy(drawn);
                run_with(steps, n, precision, 1);
                const bool f32 = precision == Precision::kF32;
                CAPTURE(c.name);
                CAPTURE(steps->name);
                CAPTURE(f32);
                CHECK(error_of(n.out, exact.out) <= (f32 ? 2e-6 : 0x1p-7));
                CHECK(error_of(n.log_sum, exact.log_sum) <= (f32 ? 2e-6 : 0x1p-8));
                CHECK(error_of(n.d_qkv, exact.d_qkv) <= (f32 ? 5e-6 : 0x1p-6));
            }
        }
    }
}

TEST_CASE("row 10: one and two threads give the same bits") {
    for (const Case& c : kCases) {
        for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
            Floats one(c);
            one.draw(5);
            auto two = Floats::copy(one);
            run(one, precision, 1);
            run(two, precision, 2);
            CAPTURE(c.name);
            CHECK(one.out == two.out);
            CHECK(one.log_sum == two.log_sum);
            CHECK(one.d_qkv == two.d_qkv);
        }
    }
}

// Row by row, so that an element of a neighbour that is touched at all shows.
TEST_CASE("row 4: changing one sample leaves the bits of the others") {
    const Case c = {"", {37, 90, 1, 50}, 4, 2, 64, 0};
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        Floats before(c);
        before.draw(9);
        auto after = Floats::copy(before);
        const auto from = static_cast<std::ptrdiff_t>(after.starts[1]);
        const auto to = static_cast<std::ptrdiff_t>(after.starts[2]);
        std::fill(after.qkv.begin() + from * after.row, after.qkv.begin() + to * after.row, 1e4F);
        std::fill(after.d_out.begin() + from * 256, after.d_out.begin() + to * 256, NAN);
        run(before, precision, 2);
        run(after, precision, 2);
        const auto same = [&](const std::vector<float>& a, const std::vector<float>& b, int row) {
            return std::equal(a.begin(), a.begin() + from * row, b.begin()) &&
                   std::equal(a.begin() + to * row, a.end(), b.begin() + to * row);
        };
        CHECK(same(before.out, after.out, 256));
        CHECK(same(before.d_qkv, after.d_qkv, before.row));
        CHECK_FALSE(before.out == after.out);
    }
}

TEST_CASE("row 4: a sample in a pack has the bits that it has alone") {
    const Case packed = {"", {37, 131, 50}, 4, 2, 64, 0};
    const Case single = {"", {131}, 4, 2, 64, 0};
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        Floats all(packed);
        all.draw(13);
        Floats one(single);
        std::copy_n(all.qkv.begin() + 37 * all.row, one.qkv.size(), one.qkv.begin());
        std::copy_n(all.d_out.begin() + 37 * 256, one.d_out.size(), one.d_out.begin());
        run(all, precision, 2);
        run(one, precision, 1);
        CHECK(std::equal(one.out.begin(), one.out.end(), all.out.begin() + 37 * 256));
        CHECK(std::equal(one.d_qkv.begin(), one.d_qkv.end(), all.d_qkv.begin() + 37 * all.row));
    }
}

// Scores of hundreds overflow a softmax that does not take the maximum away first.
TEST_CASE("row 14: great scores stay finite") {
    for (const Precision precision : {Precision::kF32, Precision::kBf16}) {
        Floats n({"", {70}, 2, 1, 64, 0});
        n.draw(17);
        for (std::size_t i = 0; i < n.qkv.size(); ++i) n.qkv[i] *= i % n.row < 192 ? 30.0F : 1.0F;
        run(n, precision, 2);
        const auto finite = [](float x) { return std::isfinite(x); };
        CHECK(std::all_of(n.out.begin(), n.out.end(), finite));
        CHECK(std::all_of(n.d_qkv.begin(), n.d_qkv.end(), finite));
        CHECK(n.out[0] == doctest::Approx(n.qkv[192]).epsilon(0.005));
    }
}

TEST_SUITE_END();

}  // namespace jikji::training
