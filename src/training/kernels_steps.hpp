// The kernels of kernels.hpp, written once for all instruction sets. The file that includes this
// has said which before (#pragma GCC target) and given, in its unnamed namespace: kLanes, floats of
// a vector; kTileRank, ranks of add_outer's tile; kName. Everything is in that unnamed namespace:
// each instruction set has its own, and calls nothing inline of others.
namespace jikji::training {
namespace {

using Vec = float __attribute__((vector_size(kLanes * 4)));
using IntVec = std::int32_t __attribute__((vector_size(kLanes * 4)));
using UintVec = std::uint32_t __attribute__((vector_size(kLanes * 4)));
using Four = float __attribute__((vector_size(16)));
using Index = std::ptrdiff_t;

struct Whole {
    static constexpr int count = kLanes;
};
struct Part {  // the end of a row
    int count;
};

inline Vec load(const float* from, Whole) {
    Vec out;
    __builtin_memcpy(&out, from, sizeof out);
    return out;
}
inline Vec load(const float* from, Part part) {
    Vec out{};
    for (int i = 0; i < part.count; ++i) out[i] = from[i];
    return out;
}
inline void store(float* to, Vec value, Whole) { __builtin_memcpy(to, &value, sizeof value); }
inline void store(float* to, Vec value, Part part) {
    for (int i = 0; i < part.count; ++i) to[i] = value[i];
}

/// `body(at, size)` for each vector of 0..n-1.
template <class Body>
inline void for_vectors(int n, Body&& body) {
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) body(i, Whole{});
    if (i < n) body(i, Part{n - i});
}

inline Vec splat(float value) { return value - Vec{}; }
inline float sum(Vec value) {
    Four quarters[kLanes / 4];
    __builtin_memcpy(quarters, &value, sizeof value);
    for (int step = kLanes / 8; step > 0; step /= 2)
        for (int i = 0; i < step; ++i) quarters[i] += quarters[i + step];
    const Four f = quarters[0];
    return (f[0] + f[2]) + (f[1] + f[3]);
}

/// e^x for x of -87 to 87 (what is beyond is taken for that), relative error below 3e-7: the
/// nearest power of two goes into the exponent, the rest into a polynomial (Taylor, degree 7).
inline Vec exp_of(Vec x) {
    x = x < -87.0F ? splat(-87.0F) : x;
    x = x > 87.0F ? splat(87.0F) : x;
    const Vec shifted = x * 1.44269504F + 12582912.0F;  // 1.5 * 2^23: the last bit is worth one
    const Vec power = shifted - 12582912.0F;
    const Vec r = (x - power * 0.693359375F) - power * -2.12194440e-4F;  // ln 2 in two parts
    Vec p = r * 1.98412698e-4F + 1.38888889e-3F;
    p = p * r + 8.33333333e-3F;
    p = p * r + 4.16666667e-2F;
    p = p * r + 1.66666667e-1F;
    p = p * r + 0.5F;
    p = p * r + 1.0F;
    p = p * r + 1.0F;
    return reinterpret_cast<Vec>(reinterpret_cast<UintVec>(p) +
                                 (reinterpret_cast<UintVec>(shifted) << 23));
}

inline float rms_inverse(const float* x, int n, float epsilon) {
    Vec squares{};
    for_vectors(n, [&](int i, auto size) {
        const Vec v = load(x + i, size);
        squares += v * v;
    });
    return 1.0F / __builtin_sqrtf(sum(squares) / static_cast<float>(n) + epsilon);
}

void normalise(const float* x, const float* gain, int n, float epsilon, float* h) {
    const float inverse = rms_inverse(x, n, epsilon);
    for_vectors(n, [&](int i, auto size) {
        store(h + i, load(x + i, size) * inverse * load(gain + i, size), size);
    });
}

/// With r = 1 / rms: dx = r (gain dh) - x r³ mean(x gain dh).
void normalise_back(const float* x, const float* gain, const float* dh, int n, float epsilon,
                    float* dx) {
    const float inverse = rms_inverse(x, n, epsilon);
    Vec dots{};
    for_vectors(n, [&](int i, auto size) {
        dots += load(x + i, size) * load(gain + i, size) * load(dh + i, size);
    });
    const float along = sum(dots) / static_cast<float>(n) * inverse * inverse * inverse;
    for_vectors(n, [&](int i, auto size) {
        const Vec d = load(gain + i, size) * load(dh + i, size) * inverse;
        store(dx + i, load(dx + i, size) + (d - load(x + i, size) * along), size);
    });
}

void add(const float* a, const float* b, int n, float* to) {
    for_vectors(
        n, [&](int i, auto size) { store(to + i, load(a + i, size) + load(b + i, size), size); });
}

void rope(float* row, int heads, int head, int turned, const float* cosines, const float* sines) {
    IntVec others{};
    for (int i = 0; i < kLanes; ++i) others[i] = i ^ 1;
    for (int h = 0; h < heads; ++h, row += head) {
        for_vectors(turned, [&](int i, auto size) {
            const Vec x = load(row + i, size);
            store(
                row + i,
                x * load(cosines + i, size) + __builtin_shuffle(x, others) * load(sines + i, size),
                size);
        });
    }
}

inline Vec sigmoid(Vec x) { return 1.0F / (1.0F + exp_of(-x)); }

void swiglu(const float* gate, const float* up, int n, float* act) {
    for_vectors(n, [&](int i, auto size) {
        const Vec g = load(gate + i, size);
        store(act + i, g * sigmoid(g) * load(up + i, size), size);
    });
}

void swiglu_back(const float* gate, const float* up, const float* d_act, int n, float* d_gate,
                 float* d_up) {
    for_vectors(n, [&](int i, auto size) {
        const Vec g = load(gate + i, size);
        const Vec d = load(d_act + i, size);
        const Vec s = sigmoid(g);
        store(d_up + i, d * g * s, size);
        store(d_gate + i, d * load(up + i, size) * s * (1.0F + g * (1.0F - s)), size);
    });
}

/// As drop_bits() does it.
void drop(const float* x, int n, DropRow row, std::uint32_t threshold, float factor, float* out) {
    UintVec columns{};
    for (int i = 0; i < kLanes; ++i) columns[i] = static_cast<std::uint32_t>(i);
    for_vectors(n, [&](int i, auto size) {
        UintVec b = (columns + static_cast<std::uint32_t>(i)) * 0x9e3779b9U + row.first;
        b = (b ^ (b >> 16)) * 0x7feb352dU + row.second;
        b = (b ^ (b >> 15)) * 0x846ca68bU;
        b = b ^ (b >> 16);
        store(out + i, b >= threshold ? load(x + i, size) * factor : Vec{}, size);
    });
}

void scale(float* x, int n, float factor) {
    for_vectors(n, [&](int i, auto size) { store(x + i, load(x + i, size) * factor, size); });
}

float greatest(const float* x, int n, int* index) {
    Vec most = splat(x[0]);
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Vec v = load(x + i, Whole{});
        most = v > most ? v : most;
    }
    float top = most[0];
    for (int lane = 1; lane < kLanes; ++lane) top = most[lane] > top ? most[lane] : top;
    for (; i < n; ++i) top = x[i] > top ? x[i] : top;
    *index = 0;
    while (*index < n - 1 && x[*index] != top) ++*index;
    return top;
}

float exps(const float* x, int n, float top, float* out) {
    Vec total{};
    int i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const Vec e = exp_of(load(x + i, Whole{}) - top);
        total += e;
        store(out + i, e, Whole{});
    }
    float all = sum(total);
    if (i < n) {
        const Part part{n - i};
        const Vec e = exp_of(load(x + i, part) - top);
        store(out + i, e, part);
        for (int j = i; j < n; ++j) all += out[j];
    }
    return all;
}

void widen(const std::uint16_t* halves, int n, float* out) {
    for (int i = 0; i < n; ++i) {
        const std::uint32_t bits = static_cast<std::uint32_t>(halves[i]) << 16;
        __builtin_memcpy(out + i, &bits, sizeof bits);
    }
}

template <int kCount>
struct Count {
    static constexpr int value = kCount;
};

/// Calls `body` with `count`, which is 1..kMost, as a type.
template <int kMost, class Body>
inline void with_count(int count, Body&& body) {
    if constexpr (kMost > 1) {
        if (count < kMost) return with_count<kMost - 1>(count, body);
    }
    body(Count<kMost>{});
}

constexpr int kTile = 4;

inline int least(int a, int b) { return a < b ? a : b; }

template <int kRows, int kRanks>
inline void dots(Count<kRows>, Count<kRanks>, const float* x, int ldx, const float* m, int n,
                 float factor, float* u, int rank) {
    Vec sums[kRows][kRanks];
    for (int r = 0; r < kRows; ++r)
        for (int j = 0; j < kRanks; ++j) sums[r][j] = Vec{};
    for_vectors(n, [&](int i, auto size) {
        Vec row[kRows];
#pragma GCC unroll 4
        for (int r = 0; r < kRows; ++r) row[r] = load(x + Index{r} * ldx + i, size);
#pragma GCC unroll 4
        for (int j = 0; j < kRanks; ++j) {
            const Vec column = load(m + Index{j} * n + i, size);
#pragma GCC unroll 4
            for (int r = 0; r < kRows; ++r) sums[r][j] += row[r] * column;
        }
    });
    for (int r = 0; r < kRows; ++r)
        for (int j = 0; j < kRanks; ++j) u[Index{r} * rank + j] = factor * sum(sums[r][j]);
}

void times_rows(const float* x, int ldx, int rows, const float* m, int rank, int n, float factor,
                float* u) {
    for (int row = 0; row < rows; row += kTile) {
        with_count<kTile>(least(kTile, rows - row), [&](auto row_count) {
            for (int j = 0; j < rank; j += kTile) {
                with_count<kTile>(least(kTile, rank - j), [&](auto ranks) {
                    dots(row_count, ranks, x + Index{row} * ldx, ldx, m + Index{j} * n, n, factor,
                         u + Index{row} * rank + j, rank);
                });
            }
        });
    }
}

template <int kRows, class Size>
inline void columns_of(Count<kRows>, const float* u, int rank, const float* m, int n, bool adds,
                       float* y, int ldy, Size size) {
    Vec sums[kRows];
    for (int r = 0; r < kRows; ++r) sums[r] = adds ? load(y + Index{r} * ldy, size) : Vec{};
    for (int j = 0; j < rank; ++j) {
        const Vec column = load(m + Index{j} * n, size);
#pragma GCC unroll 8
        for (int r = 0; r < kRows; ++r) sums[r] += u[Index{r} * rank + j] * column;
    }
    for (int r = 0; r < kRows; ++r) store(y + Index{r} * ldy, sums[r], size);
}

void times_columns(const float* u, int rank, int rows, const float* m, int n, bool adds, float* y,
                   int ldy) {
    constexpr int kMost = 8;
    for (int row = 0; row < rows; row += kMost) {
        with_count<kMost>(least(kMost, rows - row), [&](auto count) {
            for_vectors(n, [&](int i, auto size) {
                columns_of(count, u + Index{row} * rank, rank, m + i, n, adds,
                           y + Index{row} * ldy + i, ldy, size);
            });
        });
    }
}

template <int kRanks, int kVectors, class Size>
inline void outer(Count<kRanks>, Count<kVectors>, const float* u, int rank, int rows,
                  const float* x, int ldx, float* g, int ldg, Size size) {
    Vec sums[kRanks][kVectors];
    for (int j = 0; j < kRanks; ++j)
        for (int v = 0; v < kVectors; ++v) sums[j][v] = load(g + Index{j} * ldg + v * kLanes, size);
    for (int row = 0; row < rows; ++row, x += ldx, u += rank) {
        Vec values[kVectors];
#pragma GCC unroll 2
        for (int v = 0; v < kVectors; ++v) values[v] = load(x + v * kLanes, size);
#pragma GCC unroll 8
        for (int j = 0; j < kRanks; ++j)
#pragma GCC unroll 2
            for (int v = 0; v < kVectors; ++v) sums[j][v] += u[j] * values[v];
    }
    for (int j = 0; j < kRanks; ++j)
        for (int v = 0; v < kVectors; ++v) store(g + Index{j} * ldg + v * kLanes, sums[j][v], size);
}

void add_outer(const float* u, int rank, int rows, const float* x, int ldx, int n, float* g,
               int ldg) {
    int i = 0;
    const auto column = [&](auto vectors, auto size) {
        for (int j = 0; j < rank; j += kTileRank) {
            with_count<kTileRank>(least(kTileRank, rank - j), [&](auto ranks) {
                outer(ranks, vectors, u + j, rank, rows, x + i, ldx, g + Index{j} * ldg + i, ldg,
                      size);
            });
        }
    };
    for (; i + 2 * kLanes <= n; i += 2 * kLanes) column(Count<2>{}, Whole{});
    for (; i < n; i += kLanes) {
        if (i + kLanes <= n) {
            column(Count<1>{}, Whole{});
        } else {
            column(Count<1>{}, Part{n - i});
        }
    }
}

constexpr Kernels kAll{kName,  normalise,   normalise_back, add,           rope,
                       swiglu, swiglu_back, drop,           scale,         greatest,
                       exps,   widen,       times_rows,     times_columns, add_outer};

}  // namespace
}  // namespace jikji::training
