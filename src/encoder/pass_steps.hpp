// The steps of pass.hpp, written once for all instruction sets. The file that includes this has
// said which before (#pragma GCC target) and given, in its unnamed namespace:
//   Vec          a GCC vector of kLanes floats; kLanes
//   IntVec       as many int32
//   kName        of the instruction set
//   Half         what activations are kept in; kBf16; kTileRows, rows of a product's tile
//   Unit         one unit of k (see weights.hpp): Unit unit_at(const Half*, int), kUnit halves
//   multiply_add Vec += unit times a panel's
//   store_pair   two Vec side by side as halves
// Everything is in that unnamed namespace: each instruction set has its own.
namespace jikji::encoder {
namespace {

constexpr int kPanel = 2 * kLanes;
constexpr int kBlockRows = 8 * kTileRows;  // rows whose activations stay in the L2 cache

inline Vec load(const float* from) {
    Vec out;
    __builtin_memcpy(&out, from, sizeof out);
    return out;
}
inline void store(float* to, Vec value) { __builtin_memcpy(to, &value, sizeof value); }
inline Vec splat(float value) { return value - Vec{}; }
inline float sum(Vec value) {
    float out = 0;
    for (int i = 0; i < kLanes; ++i) out += value[i];
    return out;
}
inline float greatest(Vec value) {
    float out = value[0];
    for (int i = 1; i < kLanes; ++i) out = value[i] > out ? value[i] : out;
    return out;
}

/// 2^x for x of -126 to 126 (what is beyond is taken for that), relative error below 3e-6: the
/// nearest whole number goes into the exponent, the rest into a polynomial (Taylor, degree 5, of
/// 2^f for f of -1/2 to 1/2).
inline Vec exp2_of(Vec x) {
    x = x < -126.0F ? splat(-126.0F) : x;
    x = x > 126.0F ? splat(126.0F) : x;
    const Vec shifted = x + 12582912.0F;  // 1.5 * 2^23: the sum's last bit is worth one
    const Vec f = x - (shifted - 12582912.0F);
    Vec p = f * 0.00133335581F + 0.00961812911F;
    p = p * f + 0.0555041087F;
    p = p * f + 0.240226507F;
    p = p * f + 0.693147181F;
    p = p * f + 1.0F;
    return reinterpret_cast<Vec>(reinterpret_cast<IntVec>(p) +
                                 (reinterpret_cast<IntVec>(shifted) << 23));
}

/// x / 2 (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^-2u).
inline Vec gelu(Vec x) {
    constexpr float kScale = -2.0F * 0.797884561F * 1.44269504F;
    const Vec u = x * (1.0F + 0.044715F * x * x);
    return x / (1.0F + exp2_of(kScale * u));
}

template <int kRows>
using Count = std::integral_constant<int, kRows>;

/// A tile: kRows rows of x times one panel. `sink(row, left, right)` gets each row's two vectors.
template <int kRows, class Sink>
inline void tile(Count<kRows>, const Half* x, int ldx, const Half* panel, int k, Sink&& sink) {
    Vec left[kRows];
    Vec right[kRows];
    for (int r = 0; r < kRows; ++r) left[r] = right[r] = Vec{};
    for (int at = 0; at < k; at += kUnit, panel += kPanel * kUnit) {
        const auto w_left = panel_at(panel);
        const auto w_right = panel_at(panel + kLanes * kUnit);
#pragma GCC unroll 16
        for (int r = 0; r < kRows; ++r) {
            const auto unit = unit_at(x + static_cast<std::ptrdiff_t>(r) * ldx + at);
            left[r] = multiply_add(left[r], unit, w_left);
            right[r] = multiply_add(right[r], unit, w_right);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) sink(r, left[r], right[r]);
}

/// Calls `body` with `rows`, which is 1..kTileRows, as a type.
template <int kRows = kTileRows, class Body>
inline void with_rows(int rows, Body&& body) {
    if constexpr (kRows > 1) {
        if (rows < kRows) return with_rows<kRows - 1>(rows, body);
    }
    body(Count<kRows>{});
}

/// Cuts [0, rows) into tiles of nearly equal size: `body(count, first)`.
template <class Body>
inline void for_tiles(int rows, Body&& body) {
    const int tiles = (rows + kTileRows - 1) / kTileRows;
    for (int t = 0; t < tiles; ++t) {
        const int first = rows * t / tiles;
        with_rows(rows * (t + 1) / tiles - first, [&](auto count) { body(count, first); });
    }
}

/// x (rows x w.k) times all of w: `sink(row, column, left, right)` gets kPanel columns at a time.
template <class Sink>
inline void product(const Half* x, int ldx, int rows, const Matrix& w, Sink&& sink) {
    const auto* panels = static_cast<const Half*>(w.data());
    for (int column = 0; column < w.n; column += kPanel) {
        const Half* panel = panels + static_cast<std::ptrdiff_t>(column) * w.k;
        for_tiles(rows, [&](auto count, int first) {
            tile(count, x + static_cast<std::ptrdiff_t>(first) * ldx, ldx, panel, w.k,
                 [&](int r, Vec left, Vec right) { sink(first + r, column, left, right); });
        });
    }
}

/// Layer norm of one row in place, and as halves. Requires: width divides into panels.
inline void normalise(float* row, int width, const Norm& norm, float epsilon, Half* half) {
    Vec total{};
    for (int i = 0; i < width; i += kLanes) total += load(row + i);
    const float mean = sum(total) / static_cast<float>(width);
    Vec squares{};
    for (int i = 0; i < width; i += kLanes) {
        const Vec off = load(row + i) - mean;
        squares += off * off;
    }
    const float scale = 1.0F / __builtin_sqrtf(sum(squares) / static_cast<float>(width) + epsilon);
    const auto at = [&](int i) {
        return (load(row + i) - mean) * scale * load(norm.weight.data() + i) +
               load(norm.bias.data() + i);
    };
    for (int i = 0; i < width; i += kPanel) {
        const Vec left = at(i);
        const Vec right = at(i + kLanes);
        store(row + i, left);
        store(row + i + kLanes, right);
        store_pair(half + i, left, right);
    }
}

/// Where a thread's buffers lie on its desk; each begins on a cache line.
class Bench {
public:
    explicit Bench(Desk& desk) : desk_(desk) {}

    /// Plans a buffer of `count` T; take() gives it once all are planned.
    template <class T>
    std::size_t plan(std::size_t count) {
        const std::size_t at = lines_;
        lines_ += (count * sizeof(T) + sizeof(CacheLine) - 1) / sizeof(CacheLine);
        return at;
    }
    template <class T>
    T* take(std::size_t at) {
        if (desk_.bytes.size() < lines_) desk_.bytes.resize(lines_);
        return reinterpret_cast<T*>(desk_.bytes.data() + at);
    }

private:
    Desk& desk_;
    std::size_t lines_ = 0;
};

/// Keys and values of one head of one text, as panels; and its weights for a tile of queries.
struct HeadBuffers {
    Half* keys;     // ceil(keys / kPanel) panels of head-width units
    Half* values;   // head-width columns, units along the keys
    float* scores;  // kTileRows x keys, rounded up to panels
    Half* weights;  // the same
};

inline int round_up(int count, int to) { return (count + to - 1) / to * to; }

/// Rows of `from` (count x width) become rows of panels along `width`; missing ones are zeros.
inline void pack_keys(const Half* from, int stride, int count, int width, Half* to) {
    for (int first = 0; first < count; first += kPanel, to += kPanel * width) {
        const int have = count - first < kPanel ? count - first : kPanel;
        if (have < kPanel) __builtin_memset(to, 0, sizeof(Half) * kPanel * width);
        for (int row = 0; row < have; ++row) {
            const Half* source = from + static_cast<std::ptrdiff_t>(first + row) * stride;
            for (int i = 0; i < width; i += kUnit) {
                __builtin_memcpy(to + i * kPanel + row * kUnit, source + i, sizeof(Half) * kUnit);
            }
        }
    }
}

/// The same of the transpose: columns of `from` become rows of panels along `count`.
inline void pack_values(const Half* from, int stride, int count, int width, Half* to) {
    const int units = round_up(count, kUnit);
    for (int row = 0; row < units; ++row) {
        const Half* source = from + static_cast<std::ptrdiff_t>(row) * stride;
        for (int first = 0; first < width; first += kPanel) {
            Half* panel = to + first * units + row / kUnit * kUnit * kPanel + row % kUnit;
            for (int i = 0; i < kPanel; ++i) {
                panel[i * kUnit] = row < count ? source[first + i] : Half{};
            }
        }
    }
}

/// Powers of two of one row's scores, as halves; gives one over their sum.
inline float soften(float* scores, int keys, Half* weights) {
    const int padded = round_up(keys, kPanel);
    for (int i = keys; i < padded; ++i) scores[i] = -1e30F;
    Vec most = load(scores);
    for (int i = kLanes; i < padded; i += kLanes) {
        const Vec next = load(scores + i);
        most = next > most ? next : most;
    }
    const float top = greatest(most);
    Vec total{};
    for (int i = 0; i < padded; i += kPanel) {
        const Vec left = exp2_of(load(scores + i) - top);
        const Vec right = exp2_of(load(scores + i + kLanes) - top);
        total += left + right;
        store_pair(weights + i, left, right);
    }
    return 1.0F / sum(total);
}

/// Attention of one head for queries [first, first + rows) of a text whose rows begin at `qkv`.
template <int kRows>
inline void attend(Count<kRows> rows, const Half* query, int stride, int keys, int head,
                   const HeadBuffers& b, Half* out, int ldout) {
    const int padded = round_up(keys, kPanel);
    for (int first = 0; first < keys; first += kPanel) {
        tile(rows, query, stride, b.keys + first * head, head, [&](int r, Vec left, Vec right) {
            store(b.scores + r * padded + first, left);
            store(b.scores + r * padded + first + kLanes, right);
        });
    }
    float scale[kRows];
    for (int r = 0; r < kRows; ++r) {
        scale[r] = soften(b.scores + r * padded, keys, b.weights + r * padded);
    }
    const int units = round_up(keys, kUnit);
    for (int first = 0; first < head; first += kPanel) {
        tile(rows, b.weights, padded, b.values + first * units, units,
             [&](int r, Vec left, Vec right) {
                 store_pair(out + static_cast<std::ptrdiff_t>(r) * ldout + first, left * scale[r],
                            right * scale[r]);
             });
    }
}

/// Of rows [rows.begin, rows.end) of the pack; `out` has the first of them at its beginning.
inline void attention(const Weights& w, const Pack& pack, const Half* qkv, Rows rows,
                      const HeadBuffers& b, Half* out) {
    const int head = w.width / w.heads;
    const int stride = 3 * w.width;
    for (const Text& text : pack.texts) {
        const int begin = text.begin > rows.begin ? text.begin : rows.begin;
        const int end = text.end < rows.end ? text.end : rows.end;
        if (begin >= end) continue;
        const int keys = text.end - text.begin;
        const Half* whole = qkv + static_cast<std::ptrdiff_t>(text.begin) * stride;
        for (int h = 0; h < w.heads; ++h) {
            pack_keys(whole + w.width + h * head, stride, keys, head, b.keys);
            pack_values(whole + 2 * w.width + h * head, stride, keys, head, b.values);
            for_tiles(end - begin, [&](auto count, int first) {
                const auto at = static_cast<std::ptrdiff_t>(begin + first);
                attend(count, qkv + at * stride + h * head, stride, keys, head, b,
                       out + (at - rows.begin) * w.width + h * head, w.width);
            });
        }
    }
}

/// x + product + bias, in place.
inline auto add_to(float* x, int width, const std::vector<float>& bias) {
    return [=, bias = bias.data()](int row, int column, Vec left, Vec right) {
        float* at = x + static_cast<std::ptrdiff_t>(row) * width + column;
        store(at, load(at) + left + load(bias + column));
        store(at + kLanes, load(at + kLanes) + right + load(bias + column + kLanes));
    };
}

inline void write_qkv(const Layer& layer, const Half* x, int width, int rows, Half* qkv) {
    const float* bias = layer.qkv_bias.data();
    product(x, width, rows, layer.qkv, [=](int row, int column, Vec left, Vec right) {
        store_pair(qkv + static_cast<std::ptrdiff_t>(row) * 3 * width + column,
                   left + load(bias + column), right + load(bias + column + kLanes));
    });
}

/// Both feed-forward products: x (rows x E) += down(gelu(up(half))).
inline void feed_forward(const Layer& layer, const Half* half, int rows, float* x, Half* hidden) {
    const int width = layer.up.k;
    const int feed = layer.up.n;
    const float* bias = layer.up_bias.data();
    product(half, width, rows, layer.up, [=](int row, int column, Vec left, Vec right) {
        store_pair(hidden + static_cast<std::ptrdiff_t>(row) * feed + column,
                   gelu(left + load(bias + column)), gelu(right + load(bias + column + kLanes)));
    });
    product(hidden, feed, rows, layer.down, add_to(x, width, layer.down_bias));
}

inline void normalise_rows(float* x, int rows, const Weights& w, const Norm& norm, Half* half) {
    for (int r = 0; r < rows; ++r) {
        const auto at = static_cast<std::ptrdiff_t>(r) * w.width;
        normalise(x + at, w.width, norm, w.epsilon, half + at);
    }
}

/// Calls `body` with blocks of at most kBlockRows rows, nearly equal.
template <class Body>
inline void for_blocks(Rows rows, Body&& body) {
    const int count = rows.end - rows.begin;
    const int blocks = (count + kBlockRows - 1) / kBlockRows;
    for (int i = 0; i < blocks; ++i) {
        body(Rows{rows.begin + count * i / blocks, rows.begin + count * (i + 1) / blocks});
    }
}

inline void embed_row(const Weights& w, std::int32_t token, int position, float* x) {
    const std::size_t bytes = w.tokens->bytes / static_cast<std::size_t>(w.vocabulary);
    const auto width = static_cast<std::size_t>(w.width);
    dequantise(
        w.tokens->type->id,
        w.file.bytes().substr(w.tokens->offset + bytes * static_cast<std::size_t>(token), bytes),
        {x, width});
    const float* place = w.positions.data() + static_cast<std::ptrdiff_t>(position) * w.width;
    for (int i = 0; i < w.width; i += kLanes) store(x + i, load(x + i) + load(place + i));
}

void embed_step(const Weights& w, const Pack& pack, Rows rows, Desk& desk) {
    Bench bench(desk);
    const auto at =
        bench.plan<Half>(static_cast<std::size_t>(kBlockRows) * static_cast<std::size_t>(w.width));
    Half* half = bench.take<Half>(at);
    for (const Text& text : pack.texts) {
        for (int row = text.begin; row < text.end; ++row) {
            if (row < rows.begin || row >= rows.end) continue;
            embed_row(w, pack.tokens[static_cast<std::size_t>(row)], row - text.begin,
                      pack.x + static_cast<std::ptrdiff_t>(row) * w.width);
        }
    }
    for_blocks(rows, [&](Rows block) {
        const auto first = static_cast<std::ptrdiff_t>(block.begin);
        const int count = block.end - block.begin;
        normalise_rows(pack.x + first * w.width, count, w, w.embedding_norm, half);
        write_qkv(w.layers[0], half, w.width, count,
                  static_cast<Half*>(pack.qkv[0]) + first * 3 * w.width);
    });
}

void layer_step(const Weights& w, const Pack& pack, int index, Rows rows, Desk& desk) {
    const Layer& layer = w.layers[static_cast<std::size_t>(index)];
    const auto width = static_cast<std::size_t>(w.width);
    const auto head = static_cast<std::size_t>(w.width / w.heads);
    const auto keys = static_cast<std::size_t>(round_up(w.context, kPanel));
    Bench bench(desk);
    const auto half_at = bench.plan<Half>(static_cast<std::size_t>(kBlockRows) * width);
    const auto hidden_at =
        bench.plan<Half>(static_cast<std::size_t>(kBlockRows) * static_cast<std::size_t>(w.feed));
    const auto keys_at = bench.plan<Half>(keys * head);
    const auto values_at = bench.plan<Half>(keys * head);
    const auto scores_at = bench.plan<float>(kTileRows * keys);
    const auto weights_at = bench.plan<Half>(kTileRows * keys);
    Half* half = bench.take<Half>(half_at);
    Half* hidden = bench.take<Half>(hidden_at);
    const HeadBuffers buffers{bench.take<Half>(keys_at), bench.take<Half>(values_at),
                              bench.take<float>(scores_at), bench.take<Half>(weights_at)};
    const auto* qkv = static_cast<const Half*>(pack.qkv[index % 2]);
    auto* next = static_cast<Half*>(pack.qkv[(index + 1) % 2]);
    for_blocks(rows, [&](Rows block) {
        const auto first = static_cast<std::ptrdiff_t>(block.begin);
        const int count = block.end - block.begin;
        float* x = pack.x + first * w.width;
        attention(w, pack, qkv, block, buffers, half);
        product(half, w.width, count, layer.out, add_to(x, w.width, layer.out_bias));
        normalise_rows(x, count, w, layer.attention_norm, half);
        feed_forward(layer, half, count, x, hidden);
        normalise_rows(x, count, w, layer.output_norm, half);
        if (static_cast<std::size_t>(index) + 1 == w.layers.size()) return;
        write_qkv(w.layers[static_cast<std::size_t>(index) + 1], half, w.width, count,
                  next + first * 3 * w.width);
    });
}

void pool_step(const Weights& w, const Pack& pack, Rows texts, float* out) {
    for (int i = texts.begin; i < texts.end; ++i) {
        const Text& text = pack.texts[static_cast<std::size_t>(i)];
        const int rows = w.of_cls ? 1 : text.end - text.begin;
        const float* x = pack.x + static_cast<std::ptrdiff_t>(text.begin) * w.width;
        float* to = out + static_cast<std::ptrdiff_t>(i) * w.width;
        for (int column = 0; column < w.width; column += kLanes) {
            Vec total{};
            for (int r = 0; r < rows; ++r) {
                total += load(x + static_cast<std::ptrdiff_t>(r) * w.width + column);
            }
            store(to + column, total / static_cast<float>(rows));
        }
    }
}

constexpr Steps kSteps{kName, {kPanel, kBf16}, embed_step, layer_step, pool_step};

}  // namespace
}  // namespace jikji::encoder
