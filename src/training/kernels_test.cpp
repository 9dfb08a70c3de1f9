#include "training/kernels.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "base/cpu.hpp"
#include "gemm/bf16.hpp"

using namespace jikji::training;

namespace {

using Floats = std::vector<float>;

std::vector<const Kernels*> sets() {
    std::vector<const Kernels*> all{&kPortableKernels};
#if defined(__x86_64__)
    if (jikji::cpu::has_avx2()) all.push_back(&kAvx2Kernels);
    if (jikji::cpu::has_avx512()) all.push_back(&kAvx512Kernels);
#endif
    return all;
}

Floats random_floats(int count, unsigned seed, float size = 1) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0, size);
    Floats out(static_cast<std::size_t>(count));
    for (float& value : out) value = normal(random);
    return out;
}

std::size_t at(int i) { return static_cast<std::size_t>(i); }
double real(float x) { return static_cast<double>(x); }

/// Every instruction set, at lengths round its vectors.
template <class Body>
void for_all(Body&& body) {
    for (const Kernels* k : sets()) {
        for (const int n : {1, 2, 3, 4, 7, 8, 15, 16, 17, 31, 33, 64, 100}) {
            CAPTURE(std::string(k->name));
            CAPTURE(n);
            body(*k, n);
        }
    }
}

doctest::Approx near(double wanted) {
    // Approx adds 1 to what it scales by: this is an absolute error of 2e-6 near 0 as well.
    return doctest::Approx(wanted).epsilon(2e-6);
}

}  // namespace

TEST_SUITE_BEGIN("training_kernels");

TEST_CASE("norm and its gradient are the definition's") {
    for_all([](const Kernels& k, int n) {
        const Floats x = random_floats(n, 1), gain = random_floats(n, 2), dh = random_floats(n, 3);
        constexpr double kEpsilon = 1e-5;
        double squares = 0, along = 0;
        for (int i = 0; i < n; ++i) {
            squares += real(x[at(i)]) * real(x[at(i)]);
            along += real(x[at(i)]) * real(gain[at(i)]) * real(dh[at(i)]);
        }
        const double inverse = 1 / std::sqrt(squares / n + kEpsilon);
        Floats h(at(n)), dx(at(n), 1.0F);
        k.normalise(x.data(), gain.data(), n, 1e-5F, h.data());
        k.normalise_back(x.data(), gain.data(), dh.data(), n, 1e-5F, dx.data());
        for (int i = 0; i < n; ++i) {
            CHECK(real(h[at(i)]) == near(real(x[at(i)]) * inverse * real(gain[at(i)])));
            const double d = inverse * real(gain[at(i)]) * real(dh[at(i)]) -
                             real(x[at(i)]) * std::pow(inverse, 3) * along / n;
            CHECK(real(dx[at(i)]) == doctest::Approx(1 + d).epsilon(2e-5));
        }
    });
}

TEST_CASE("swiglu and its gradient are the definition's, for any size of input") {
    for_all([](const Kernels& k, int n) {
        const Floats gate = random_floats(n, 1, 30), up = random_floats(n, 2),
                     d = random_floats(n, 3);
        Floats act(at(n)), d_gate(at(n)), d_up(at(n));
        k.swiglu(gate.data(), up.data(), n, act.data());
        k.swiglu_back(gate.data(), up.data(), d.data(), n, d_gate.data(), d_up.data());
        for (int i = 0; i < n; ++i) {
            const double g = real(gate[at(i)]);
            const double s = 1 / (1 + std::exp(-g));
            CHECK(real(act[at(i)]) == near(g * s * real(up[at(i)])));
            CHECK(real(d_up[at(i)]) == near(g * s * real(d[at(i)])));
            CHECK(real(d_gate[at(i)]) ==
                  near(real(d[at(i)]) * real(up[at(i)]) * s * (1 + g * (1 - s))));
        }
    });
}

TEST_CASE("rope turns adjacent pairs, and back") {
    for (const Kernels* k : sets()) {
        CAPTURE(std::string(k->name));
        constexpr int kHeads = 3, kHead = 22, kTurned = 20;
        const Floats before = random_floats(kHeads * kHead, 1);
        Floats row = before, cosines, sines, back;
        for (int i = 0; i < kTurned / 2; ++i) {
            const auto c = static_cast<float>(std::cos(0.3 * i)),
                       s = static_cast<float>(std::sin(0.3 * i));
            cosines.insert(cosines.end(), {c, c});
            sines.insert(sines.end(), {-s, s});
            back.insert(back.end(), {s, -s});
        }
        k->rope(row.data(), kHeads, kHead, kTurned, cosines.data(), sines.data());
        for (int h = 0; h < kHeads; ++h) {
            for (int i = 0; i < kHead; i += 2) {
                const double a = real(before[at(h * kHead + i)]),
                             b = real(before[at(h * kHead + i + 1)]);
                const double angle = i < kTurned ? 0.15 * i : 0;
                CHECK(real(row[at(h * kHead + i)]) ==
                      near(a * std::cos(angle) - b * std::sin(angle)));
                CHECK(real(row[at(h * kHead + i + 1)]) ==
                      near(a * std::sin(angle) + b * std::cos(angle)));
            }
        }
        k->rope(row.data(), kHeads, kHead, kTurned, cosines.data(), back.data());
        for (std::size_t i = 0; i < row.size(); ++i) CHECK(real(row[i]) == near(real(before[i])));
    }
}

TEST_CASE("dropout leaves out what drop_bits() says, about its share of all") {
    constexpr float kShare = 0.3F;
    for_all([](const Kernels& k, int n) {
        const Floats x = random_floats(n, 1);
        const DropRow row = drop_row({1, 2}, 3, Module::kV, 4, 5);
        Floats out(at(n));
        k.drop(x.data(), n, row, drop_threshold(kShare), 2, out.data());
        for (int i = 0; i < n; ++i) {
            const bool gone =
                drop_bits(row, static_cast<std::uint32_t>(i)) < drop_threshold(kShare);
            CHECK(out[at(i)] == (gone ? 0 : 2 * x[at(i)]));
        }
    });
    int gone = 0;
    constexpr int kRows = 200, kColumns = 500;
    for (int r = 0; r < kRows; ++r) {
        const DropRow row = drop_row({1, 2}, 3, Module::kV, 4, r);
        for (std::uint32_t c = 0; c < kColumns; ++c) {
            gone += drop_bits(row, c) < drop_threshold(kShare) ? 1 : 0;
        }
    }
    // Five standard deviations of as many draws: 0.0073.
    CHECK(std::abs(gone / static_cast<double>(kRows * kColumns) - 0.3) < 0.0073);
    CHECK(drop_threshold(0) == 0);
}

TEST_CASE("softmax's parts are the definition's") {
    for_all([](const Kernels& k, int n) {
        Floats x = random_floats(n, 1, 10);
        x[at(n / 2)] = x[at(n - 1)] = 60;
        int index = -1;
        CHECK(k.greatest(x.data(), n, &index) == 60);
        CHECK(index == n / 2);
        Floats out(at(n));
        double wanted = 0;
        const float sum = k.exps(x.data(), n, 60, out.data());
        for (int i = 0; i < n; ++i) {
            CHECK(real(out[at(i)]) == near(std::exp(real(x[at(i)]) - 60)));
            wanted += std::exp(real(x[at(i)]) - 60);
        }
        CHECK(real(sum) == near(wanted));
        k.scale(out.data(), n, 3);
        CHECK(real(out[at(n - 1)]) == near(3));
        k.add(x.data(), x.data(), n, out.data());
        CHECK(out[0] == 2 * x[0]);
        std::vector<std::uint16_t> halves(at(n));
        jikji::gemm::to_bf16(x.data(), halves.data(), at(n));
        k.widen(halves.data(), n, out.data());
        for (int i = 0; i < n; ++i) CHECK(out[at(i)] == jikji::gemm::from_bf16(halves[at(i)]));
    });
}

TEST_CASE("products with narrow matrices are the definition's") {
    for_all([](const Kernels& k, int n) {
        for (const int rank : {1, 3, 8, 13}) {
            for (const int rows : {1, 5, 8, 19}) {
                CAPTURE(rank);
                CAPTURE(rows);
                const int ld = n + 3;
                const Floats x = random_floats(rows * ld, 1), m = random_floats(rank * n, 2),
                             u = random_floats(rows * rank, 3);
                Floats inner(at(rows * rank)), y = x, g(at(rank * ld), 1.0F);
                k.times_rows(x.data(), ld, rows, m.data(), rank, n, 0.5F, inner.data());
                k.times_columns(u.data(), rank, rows, m.data(), n, true, y.data(), ld);
                k.add_outer(u.data(), rank, rows, x.data(), ld, n, g.data(), ld);
                for (int r = 0; r < rows; ++r) {
                    for (int j = 0; j < rank; ++j) {
                        double sum = 0;
                        for (int i = 0; i < n; ++i) {
                            sum += real(x[at(r * ld + i)]) * real(m[at(j * n + i)]);
                        }
                        REQUIRE(real(inner[at(r * rank + j)]) ==
                                doctest::Approx(0.5 * sum).epsilon(1e-5));
                    }
                    for (int i = 0; i < n; ++i) {
                        double sum = real(x[at(r * ld + i)]);
                        for (int j = 0; j < rank; ++j) {
                            sum += real(u[at(r * rank + j)]) * real(m[at(j * n + i)]);
                        }
                        REQUIRE(real(y[at(r * ld + i)]) == doctest::Approx(sum).epsilon(1e-5));
                    }
                    REQUIRE(y[at(r * ld + n)] == x[at(r * ld + n)]);
                }
                for (int j = 0; j < rank; ++j) {
                    for (int i = 0; i < n; ++i) {
                        double sum = 1;
                        for (int r = 0; r < rows; ++r) {
                            sum += real(u[at(r * rank + j)]) * real(x[at(r * ld + i)]);
                        }
                        REQUIRE(real(g[at(j * ld + i)]) == doctest::Approx(sum).epsilon(1e-5));
                    }
                }
            }
        }
    });
}

TEST_SUITE_END();
