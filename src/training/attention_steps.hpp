// The steps of attention_tiles.hpp, written once for all instruction sets. The file that includes
// this has said which before (#pragma GCC target) and given, in its unnamed namespace:
//   kLanes, kTileRows, kPair, kName    lanes of a vector; rows of a product in registers (divides
//                                      8); values of a cell
//   Vec, IntVec, UintVec               GCC vectors of kLanes floats, int32, uint32
//   multiply_add(Vec, const Cell*, Vec) adds a cell times a vector of cells
//   store_keys(Cell*, Vec, Vec)        two rows of scores, to one row of cells, or two
//   store_lanes(Cell*, Vec, Vec)       a row of scores, 2 · kLanes of them, to a row of cells
//   transpose(const Cell*, int rows, int columns, Cell*)  both multiples of 16
// Everything is in that unnamed namespace: each instruction set has its own.
namespace jikji::training {
namespace {

constexpr float kLog2e = 1.44269504F;
constexpr float kLn2 = 0.693147181F;
constexpr float kHidden = -1e30F;  // below every score; finite, so that differences are numbers
constexpr float kNobody = 1e30F;   // the sum of a query that is not there: its weights become 0

inline Vec load(const float* from) {
    Vec out;
    __builtin_memcpy(&out, from, sizeof out);
    return out;
}
inline void store(float* to, Vec value) { __builtin_memcpy(to, &value, sizeof value); }
inline Vec splat(float value) { return value - Vec{}; }

/// 2^x for x of -126 (what is below is taken for that) to 126: the nearest whole number goes into
/// the exponent, the rest into a Taylor polynomial of 2^f, |f| <= 1/2. Relative error below 2e-7,
/// or 4e-5, a fiftieth of what bfloat16 rounds away afterwards.
inline Vec exp2_of(Vec x) {
    x = x < -126.0F ? splat(-126.0F) : x;
    const Vec shifted = x + 12582912.0F;  // 1.5 * 2^23: the sum's last bit is worth one
    const Vec f = x - (shifted - 12582912.0F);
    Vec p;
    if constexpr (kPair == 1) {
        p = f * 1.540353e-4F + 1.3333558e-3F;
        p = p * f + 9.6181291e-3F;
    } else {
        p = splat(9.6181291e-3F);
    }
    p = p * f + 5.5504109e-2F;
    p = p * f + 2.4022651e-1F;
    p = p * f + 6.9314718e-1F;
    p = p * f + 1.0F;
    return reinterpret_cast<Vec>(reinterpret_cast<UintVec>(p) +
                                 (reinterpret_cast<UintVec>(shifted) << 23));
}

/// To nearest, ties to even, as bfloat16.
inline Vec rounded(Vec x) {
    UintVec bits = reinterpret_cast<UintVec>(x);
    bits += ((bits >> 16) & 1U) + 0x7FFFU;
    return reinterpret_cast<Vec>(bits & ~0xFFFFU);
}

// ---- panels ----

/// 64 rows of `width` floats: `from` times `factor`, and zeros beyond it.
inline void stage(const HeadRows<const float>& from, int head, int width, float factor, bool rounds,
                  float* to) {
    const int whole = head / kLanes * kLanes;
    for (int row = 0; row < from.count; ++row, to += width) {
        const float* x = from.first + row * from.stride;
        for (int d = 0; d < whole; d += kLanes) store(to + d, load(x + d) * factor);
        for (int d = whole; d < head; ++d) to[d] = x[d] * factor;
        for (int d = head; d < width; ++d) to[d] = 0;
        for (int d = 0; rounds && d < width; d += kLanes) store(to + d, rounded(load(to + d)));
    }
    std::memset(to, 0, static_cast<std::size_t>(kTile - from.count) * width * sizeof(float));
}

void pack(const HeadRows<const float>& from, int head, int width, float factor, bool rounds,
          bool rest, float* space, Cell* rows, Cell* pairs, Cell* lanes) {
    stage(from, head, width, factor, rounds, space);
    for (int i = 0; rest && i < kTile * width; i += kLanes) {
        store(space + i, load(space + i) - rounded(load(space + i)));
    }
    if (pairs) {
        for (int row = 0; row < kTile; row += 2) {
            const float* x = space + row * width;
            for (int d = 0; d < width; d += kLanes) {
                store_keys(pairs + row / kPair * width + d, width, load(x + d),
                           load(x + width + d));
            }
        }
    }
    // What is transposed are cells.
    Cell* flat = rows ? rows : space;
    if (rows || kPair > 1) {
        for (int i = 0; i < kTile * width; i += 2 * kLanes) {
            store_lanes(flat + i / kPair, load(space + i), load(space + i + kLanes));
        }
    }
    if (lanes) transpose(flat, kTile, width / kPair, lanes);
}

// ---- products: c (+)= a · b, where a row of b is a row of vectors ----

struct Product {
    const Cell* a;
    std::ptrdiff_t a_row;
    std::ptrdiff_t a_step;  // along the sum
    const Cell* b;
    std::ptrdiff_t b_row;
    float* c;
    std::ptrdiff_t c_row;
    int rows;     // a multiple of 8
    int columns;  // of 16
    int depth;    // cells
    bool add;
};

template <int kVectors>
inline void product_tile(const Product& p, const Cell* a, const Cell* b, float* c) {
    Vec sum[kTileRows][kVectors];
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) {
            sum[r][v] = p.add ? load(c + r * p.c_row + v * kLanes) : Vec{};
        }
    }
    for (int d = 0; d < p.depth; ++d, a += p.a_step, b += p.b_row) {
        Vec x[kVectors];
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) x[v] = load(b + v * kLanes);
#pragma GCC unroll 16
        for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
            for (int v = 0; v < kVectors; ++v) {
                sum[r][v] = multiply_add(sum[r][v], a + r * p.a_row, x[v]);
            }
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kTileRows; ++r) {
#pragma GCC unroll 4
        for (int v = 0; v < kVectors; ++v) store(c + r * p.c_row + v * kLanes, sum[r][v]);
    }
}

inline void product(const Product& p) {
    int column = 0;
    for (; column + 2 * kLanes <= p.columns; column += 2 * kLanes) {
        for (int row = 0; row < p.rows; row += kTileRows) {
            product_tile<2>(p, p.a + row * p.a_row, p.b + column, p.c + row * p.c_row + column);
        }
    }
    for (; column < p.columns; column += kLanes) {
        for (int row = 0; row < p.rows; row += kTileRows) {
            product_tile<1>(p, p.a + row * p.a_row, p.b + column, p.c + row * p.c_row + column);
        }
    }
}

// ---- which part of a tile against a block is computed ----

/// Queries lane..lane+lanes-1 (32 or 64) against keys key..key+keys-1 (a multiple of 8).
struct Part {
    int lane;
    int lanes;
    int key;
    int keys;
    int shift;  // of lane 0's query from key 0
    bool masked;
};

constexpr int kHalf = kTile / 2;

/// What half of a tile sees of a block; no keys if nothing.
inline Part half_part(const TileTask& t, int block, int lane) {
    const int shift = t.first - block * kTile;
    Part part{lane, kHalf, 0, 0, shift, false};
    const int last = std::min(lane + kHalf, t.q.count) - 1;  // query that is there
    if (last < lane) return part;
    const int lowest = t.window > 0 ? std::max(0, lane + shift - t.window + 1) : 0;
    const int beyond = std::min(kTile, last + shift + 1);
    if (lowest >= beyond) return part;
    part.key = lowest / 8 * 8;
    part.keys = (beyond + 7) / 8 * 8 - part.key;
    const bool causal = lane + shift >= part.key + part.keys - 1;
    part.masked = !causal || (t.window > 0 && last + shift - part.key >= t.window);
    return part;
}

/// At most two parts.
inline int parts_of(const TileTask& t, int block, Part (&parts)[2]) {
    int count = 0;
    for (int lane = 0; lane < kTile; lane += kHalf) {
        parts[count] = half_part(t, block, lane);
        if (parts[count].keys > 0) ++count;
    }
    const Part& a = parts[0];
    const Part& b = parts[1];
    if (count == 2 && !a.masked && !b.masked && a.key == b.key && a.keys == b.keys) {
        parts[0].lanes = kTile;
        return 1;
    }
    return count;
}

struct Mask {
    IntVec query;  // minus the block's first key
    int window;

    Mask(const Part& part, int lane, int window_most)
        : window(window_most > 0 ? window_most : 1 << 30) {
        for (int i = 0; i < kLanes; ++i) query[i] = lane + i + part.shift;
    }
    /// `x` where the query sees the key, else `hidden`.
    Vec operator()(Vec x, int key, Vec hidden) const {
        const IntVec distance = query - key;
        return ((distance >= 0) & (distance < window)) ? x : hidden;
    }
};

/// Where a task's work lies; see tile_space().
struct Space {
    float* stage;   // 64 x width
    Cell* q_lanes;  // panels
    Cell* q_rest;   // as q_lanes, of what rounding took away
    Cell* q_pairs;
    Cell* o_lanes;  // of d_out
    Cell* o_pairs;
    float* sums;       // [width][64]: out, or d_q
    float* rows;       // [64][width]: sums, transposed; out
    float* scores;     // [64 keys][64 queries]
    float* d_weights;  // as scores
    Cell* weights;     // as rows of scores; forward: as pairs of keys
    Cell* d_rows;      // of d_scores, as rows
    Cell* d_pairs;     // of d_scores, as pairs of keys
    float* top;        // [64]
    float* sum;
    float* delta;

    Space(float* at, int width) {
        const auto take = [&at](int count) { return std::exchange(at, at + count); };
        for (float** x : {&stage, &q_lanes, &q_rest, &q_pairs, &o_lanes, &o_pairs, &sums, &rows}) {
            *x = take(kTile * width);
        }
        for (float** x : {&scores, &d_weights, &weights, &d_rows, &d_pairs}) *x = take(kTileSquare);
        for (float** x : {&top, &sum, &delta}) *x = take(kTile);
    }
};

inline KeyPanels panels_of(const TileTask& t, int block) {
    const Cell* first = t.keys + block * t.block_cells;
    const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(kTile) * t.width / kPair;
    return {first, first + panel, first + 2 * panel, first + panel, first + t.rest * panel};
}

inline int first_block(const TileTask& t) {
    return t.window > 0 ? std::max(0, t.first - t.window + 1) / kTile : 0;
}
inline int last_block(const TileTask& t) { return (t.first + t.q.count - 1) / kTile; }

/// scores of a part: rows of keys (or values) against lanes of queries (or gradients).
inline void score(const TileTask& t, const Part& part, const Cell* rows, const Cell* lanes,
                  float* scores, bool add) {
    const int cells = t.width / kPair;
    product({rows + part.key * cells, cells, 1, lanes + part.lane, kTile,
             scores + part.key * kTile + part.lane, kTile, part.keys, part.lanes, cells, add});
}

/// Scores of queries and keys. Where both are rounded, what rounding took from one meets the other
/// as well: a score of 50 would be off by 0.1, and its weight by a tenth.
inline void score_keys(const TileTask& t, const Part& part, const KeyPanels& keys, const Space& s) {
    score(t, part, keys.k_rows, s.q_lanes, s.scores, false);
    if constexpr (kPair > 1) {
        score(t, part, keys.k_rows, s.q_rest, s.scores, true);
        score(t, part, keys.k_rest, s.q_lanes, s.scores, true);
    }
}

/// sums += pairs of keys, transposed, times weights: [width][64].
inline void add_keys(const TileTask& t, const Part& part, const Cell* pairs, const Cell* weights,
                     float* sums) {
    const int key = part.key / kPair;
    product({pairs + key * t.width, 1, t.width, weights + key * kTile + part.lane, kTile,
             sums + part.lane, kTile, t.width, part.lanes, part.keys / kPair, true});
}

inline void pack_queries(const TileTask& t, const Space& s, Cell* pairs) {
    const float factor = t.scale * kLog2e;
    pack(t.q, t.head, t.width, factor, t.rounds, false, s.stage, nullptr, pairs, s.q_lanes);
    if constexpr (kPair > 1) {
        pack(t.q, t.head, t.width, factor, false, true, s.stage, nullptr, nullptr, s.q_rest);
    }
}

// ---- forward ----

/// What one vector of queries gives to the keys of a part: e^(score - top), in bits.
inline void soften_lanes(const TileTask& t, const Part& part, int lane, const Space& s) {
    const Mask mask(part, lane, t.window);
    float* scores = s.scores + part.key * kTile + lane;
    const Vec old = load(s.top + lane);
    Vec top = old;
    for (int key = 0; key < part.keys; ++key) {
        Vec x = load(scores + key * kTile);
        if (part.masked) {
            x = mask(x, part.key + key, splat(kHidden));
            store(scores + key * kTile, x);
        }
        top = x > top ? x : top;
    }
    Vec sum = {};
    Cell* weights = s.weights + part.key / kPair * kTile + lane;
    const auto weigh = [&](int key) {
        const Vec x = load(scores + key * kTile);
        Vec weight = exp2_of(x - top);
        if (part.masked) weight = x > kHidden ? weight : Vec{};
        sum += weight;
        return t.rounds ? rounded(weight) : weight;
    };
    for (int key = 0; key < part.keys; key += 2) {
        const Vec even = weigh(key);
        store_keys(weights + key / kPair * kTile, kTile, even, weigh(key + 1));
    }
    const Vec shrink = exp2_of(old - top);
    store(s.top + lane, top);
    store(s.sum + lane, load(s.sum + lane) * shrink + sum);
    for (int d = 0; d < t.width; ++d) {
        float* o = s.sums + d * kTile + lane;
        store(o, load(o) * shrink);
    }
}

inline void finish_forward(const TileTask& t, const Space& s) {
    transpose(s.sums, t.width, kTile, s.rows);
    for (int row = 0; row < t.out.count; ++row) {
        const float factor = 1 / s.sum[row];
        const float* from = s.rows + row * t.width;
        float* to = t.out.first + row * t.out.stride;
        for (int d = 0; d < t.head; ++d) to[d] = from[d] * factor;
        t.log_sum[row] = s.top[row] * kLn2 + std::log(s.sum[row]);
    }
}

void forward(const TileTask& t) {
    const Space s(t.space, t.width);
    pack_queries(t, s, nullptr);
    std::fill_n(s.sums, kTile * t.width, 0.0F);
    std::fill_n(s.top, kTile, kHidden);
    std::fill_n(s.sum, kTile, 0.0F);
    for (int block = first_block(t); block <= last_block(t); ++block) {
        const KeyPanels keys = panels_of(t, block);
        Part parts[2];
        const int count = parts_of(t, block, parts);
        for (int i = 0; i < count; ++i) {
            const Part& part = parts[i];
            score_keys(t, part, keys, s);
            for (int lane = 0; lane < part.lanes; lane += kLanes) {
                soften_lanes(t, part, part.lane + lane, s);
            }
            add_keys(t, part, keys.v_pairs, s.weights, s.sums);
        }
    }
    finish_forward(t, s);
}

// ---- backward ----

/// The sums of out · d_out of each query; `stage` holds d_out.
inline void dots(const TileTask& t, const Space& s) {
    constexpr int kParts = 16;
    stage({t.out.first, t.out.stride, t.out.count}, t.head, t.width, 1, false, s.rows);
    float* partial = s.scores;
    for (int row = 0; row < kTile; ++row) {
        const float* a = s.stage + row * t.width;
        const float* b = s.rows + row * t.width;
        for (int lane = 0; lane < kParts; lane += kLanes) {
            Vec sum = {};
            for (int d = lane; d < t.width; d += kParts) sum += load(a + d) * load(b + d);
            store(partial + row * kParts + lane, sum);
        }
    }
    transpose(partial, kTile, kParts, s.d_weights);
    for (int lane = 0; lane < kTile; lane += kLanes) {
        Vec sum = {};
        for (int i = 0; i < kParts; ++i) sum += load(s.d_weights + i * kTile + lane);
        store(s.delta + lane, sum);
    }
}

/// Weights again from scores and sums, and the scores' gradients, of one vector of queries.
inline void differentiate_lanes(const TileTask& t, const Part& part, int lane, const Space& s) {
    const Mask masks[2] = {{part, lane, t.window}, {part, lane + kLanes, t.window}};
    const Vec sums[2] = {load(s.sum + lane), load(s.sum + lane + kLanes)};
    const Vec deltas[2] = {load(s.delta + lane), load(s.delta + lane + kLanes)};
    constexpr int kRow = kTile / kPair;
    for (int key = part.key; key < part.key + part.keys; key += 2) {
        Vec d_scores[2][2];
#pragma GCC unroll 2
        for (int odd = 0; odd < 2; ++odd) {
            Vec weights[2];
#pragma GCC unroll 2
            for (int v = 0; v < 2; ++v) {
                const int at = (key + odd) * kTile + lane + v * kLanes;
                Vec w = exp2_of(load(s.scores + at) - sums[v]);
                if (part.masked) w = masks[v](w, key + odd, Vec{});
                const Vec d = w * (load(s.d_weights + at) - deltas[v]);
                weights[v] = t.rounds ? rounded(w) : w;
                d_scores[odd][v] = t.rounds ? rounded(d) : d;
            }
            const int row = (key + odd) * kRow + lane / kPair;
            store_lanes(s.weights + row, weights[0], weights[1]);
            store_lanes(s.d_rows + row, d_scores[odd][0], d_scores[odd][1]);
        }
        if constexpr (kPair > 1) {
            Cell* pairs = s.d_pairs + key / kPair * kTile + lane;
            store_keys(pairs, kTile, d_scores[0][0], d_scores[1][0]);
            store_keys(pairs + kLanes, kTile, d_scores[0][1], d_scores[1][1]);
        }
    }
}

/// to += rows of weights times pairs of queries: [64][width] of one block.
inline void add_queries(const TileTask& t, const Part& part, const Cell* weights, const Cell* pairs,
                        float* to) {
    constexpr int kRow = kTile / kPair;
    product({weights + part.key * kRow + part.lane / kPair, kRow, 1,
             pairs + part.lane / kPair * t.width, t.width, to + part.key * t.width, t.width,
             part.keys, t.width, part.lanes / kPair, true});
}

inline void prepare_backward(const TileTask& t, const Space& s) {
    pack(t.d_out, t.head, t.width, 1, t.rounds, false, s.stage, nullptr, s.o_pairs, s.o_lanes);
    // As the products see it, so that its rounding cancels in weights' gradients minus their mean.
    stage(t.d_out, t.head, t.width, 1, t.rounds || kPair > 1, s.stage);
    dots(t, s);
    pack_queries(t, s, s.q_pairs);
    std::fill_n(s.sums, kTile * t.width, 0.0F);
    std::fill_n(s.sum, kTile, kNobody);
    for (int row = 0; row < t.q.count; ++row) s.sum[row] = t.log_sum[row] * kLog2e;
}

void backward(const TileTask& t) {
    const Space s(t.space, t.width);
    prepare_backward(t, s);
    const Cell* d_pairs = kPair > 1 ? s.d_pairs : s.d_rows;
    for (int block = first_block(t); block <= last_block(t); ++block) {
        const KeyPanels keys = panels_of(t, block);
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(block) * kTile * t.width;
        Part parts[2];
        const int count = parts_of(t, block, parts);
        for (int i = 0; i < count; ++i) {
            const Part& part = parts[i];
            score_keys(t, part, keys, s);
            score(t, part, keys.v_rows, s.o_lanes, s.d_weights, false);
            for (int lane = 0; lane < part.lanes; lane += 2 * kLanes) {
                differentiate_lanes(t, part, part.lane + lane, s);
            }
            add_queries(t, part, s.weights, s.o_pairs, t.d_v + at);
            add_queries(t, part, s.d_rows, s.q_pairs, t.d_k + at);
            add_keys(t, part, keys.k_pairs, d_pairs, s.sums);
        }
    }
    transpose(s.sums, t.width, kTile, s.rows);
    for (int row = 0; row < t.q.count; ++row) {
        const float* from = s.rows + row * t.width;
        float* to = t.d_q.first + row * t.d_q.stride;
        for (int d = 0; d < t.head; ++d) to[d] = from[d] * t.scale;
    }
}

}  // namespace
}  // namespace jikji::training
