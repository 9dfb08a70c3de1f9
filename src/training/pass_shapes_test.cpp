// Gradients of models whose sizes are no multiple of anything, whose heads are turned in part or
// see a window, and which are adapted in odd places.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "models/gguf.hpp"
#include "support/temp_folder.hpp"
#include "support/training_reference.hpp"
#include "training/pass.hpp"

namespace jikji::training {
namespace {

// What differs between models that the code treats alike.
struct Sizes {
    int width = 12;
    int feed = 20;
    int heads = 4;
    int kv_heads = 2;
    int head = 6;
    int vocabulary = 97;
    int layers = 2;
    bool tied = false;
    int window = 0;
    int rope_values = 0;  // 0: all
    bool rope_factors = false;
    float rope_factor = 1;
};

struct Case {
    std::string name;
    Sizes sizes;
    float dropout;
    std::string targets;  // letters of q k v o g u d
    std::vector<int> samples;
    int rank = 2;
    bool few_learnt = false;

    LoraOptions lora() const {
        LoraOptions options{rank, 5, dropout, {}};
        for (const char letter : targets) {
            options.targets.push_back(static_cast<Module>(std::string("qkvogud").find(letter)));
        }
        return options;
    }
};

const std::vector<Case> kCases = {
    {"all modules", {}, 0, "qkvogud", {7, 1, 2, 9}, 3},
    {"the usual two, dropped", {.tied = true}, 0.3F, "qv", {6, 5}},
    {"all dropped", {}, 0.5F, "qkvogud", {8, 4}},
    {"window", {.window = 3}, 0, "qkvogud", {10, 4}},
    {"turned in part, factors, scaled",
     {.rope_values = 4, .rope_factors = true, .rope_factor = 4},
     0,
     "qk",
     {12}},
    {"above the attention only", {.layers = 3}, 0, "d", {9, 3}, 1},
    {"before it only", {.layers = 1}, 0, "o", {9, 3}, 1, true},
    {"one head of keys", {.kv_heads = 1, .tied = true}, 0, "kv", {9}, 4},
};

void write_model(const std::filesystem::path& path, const Sizes& s) {
    models::GgufWriter file;
    const auto number = [&](const char* key, int value) {
        file.set_number(std::string("llama.") + key, static_cast<std::uint32_t>(value));
    };
    file.set("general.architecture", "llama");
    number("context_length", 64);
    number("embedding_length", s.width);
    number("block_count", s.layers);
    number("feed_forward_length", s.feed);
    number("attention.head_count", s.heads);
    number("attention.head_count_kv", s.kv_heads);
    number("attention.key_length", s.head);
    number("attention.value_length", s.head);
    number("rope.dimension_count", s.rope_values > 0 ? s.rope_values : s.head);
    if (s.window > 0) number("attention.sliding_window", s.window);
    file.set_real("llama.attention.layer_norm_rms_epsilon", 1e-5F);
    file.set_real("llama.rope.freq_base", 100);  // so that later pairs turn as well
    if (s.rope_factor != 1) {
        file.set("llama.rope.scaling.type", "linear");
        file.set_real("llama.rope.scaling.factor", s.rope_factor);
    }
    std::mt19937 random(31);
    const auto add = [&](const std::string& name, std::vector<int> shape, float deviation,
                         float mean = 0) {
        std::vector<std::uint64_t> sizes(shape.begin(), shape.end());
        const auto count = std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{1},
                                           [](auto a, auto b) { return a * b; });
        std::string bytes(count * sizeof(float), '\0');
        std::normal_distribution<float> normal(mean, deviation);
        for (std::uint64_t i = 0; i < count; ++i) {
            const float x = normal(random);
            std::memcpy(bytes.data() + i * sizeof x, &x, sizeof x);
        }
        file.add_tensor(name, sizes, models::kF32, [bytes] { return bytes; });
    };
    add("token_embd.weight", {s.width, s.vocabulary}, 1);
    add("output_norm.weight", {s.width}, 0.2F, 1);
    if (!s.tied) add("output.weight", {s.width, s.vocabulary}, 0.6F);
    if (s.rope_factors) {
        add("rope_freqs.weight", {(s.rope_values > 0 ? s.rope_values : s.head) / 2}, 0.1F, 2);
    }
    const int q = s.heads * s.head;
    const int kv = s.kv_heads * s.head;
    for (int i = 0; i < s.layers; ++i) {
        const std::string layer = "blk." + std::to_string(i) + ".";
        add(layer + "attn_norm.weight", {s.width}, 0.2F, 1);
        add(layer + "attn_q.weight", {s.width, q}, 0.4F);
        add(layer + "attn_k.weight", {s.width, kv}, 0.4F);
        add(layer + "attn_v.weight", {s.width, kv}, 0.4F);
        add(layer + "attn_output.weight", {q, s.width}, 0.3F);
        add(layer + "ffn_norm.weight", {s.width}, 0.2F, 1);
        add(layer + "ffn_gate.weight", {s.width, s.feed}, 0.4F);
        add(layer + "ffn_up.weight", {s.width, s.feed}, 0.4F);
        add(layer + "ffn_down.weight", {s.feed, s.width}, 0.3F);
    }
    file.write(path);
}

Pack pack_of(const Case& c) {
    std::mt19937 random(17);
    Pack pack;
    for (const int length : c.samples) {
        pack.starts.push_back(pack.size());
        pack.samples.push_back(100 + pack.starts.size());
        for (int i = 0; i < length; ++i) {
            pack.tokens.push_back(static_cast<Token>(random() % 97));
            const bool learnt = c.few_learnt ? i == 2 : random() % 3 != 0;
            pack.learnt.push_back(i > 0 && learnt ? 1 : 0);
        }
    }
    return pack;
}

struct Trial {
    explicit Trial(const Case& c)
        : base((write_model(folder / "m.gguf", c.sizes), folder / "m.gguf")),
          lora(base.shape(), c.lora()),
          pack(pack_of(c)) {
        std::mt19937 random(23);
        std::normal_distribution<float> normal(0, 0.3F);
        for (float& x : lora.values()) x = normal(random);
    }
    tests::TempFolder folder;
    BaseModel base;
    Lora lora;
    Pack pack;
};

PassOptions options_of(gemm::Precision precision, bool again) {
    PassOptions options;
    options.precision = precision;
    options.threads = 1;
    if (again) options.activation_bytes_most = options.weight_bytes_most = 0;
    return options;
}

}  // namespace

TEST_SUITE_BEGIN("pass of odd shapes");

// Central differences of 1e-4 in double are exact to 1e-7 or so; the rest is float32's.
TEST_CASE("row 1: every gradient is the loss's central difference, kept or computed again") {
    for (const Case& c : kCases) {
        Trial t(c);
        const reference::Model exact(t.base);
        const DropoutKey key{5, 9};
        const DropoutKey* drops = c.dropout > 0 ? &key : nullptr;
        std::vector<double> values(t.lora.values().begin(), t.lora.values().end());
        const double loss = exact.loss(t.pack, t.lora, values, drops);
        std::vector<double> want(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double x = values[i];
            values[i] = x + 1e-4;
            const double above = exact.loss(t.pack, t.lora, values, drops);
            values[i] = x - 1e-4;
            want[i] = (above - exact.loss(t.pack, t.lora, values, drops)) / 2e-4;
            values[i] = x;
        }
        const double squares = std::inner_product(want.begin(), want.end(), want.begin(), 0.0);
        const double size = std::sqrt(squares / static_cast<double>(want.size()));
        for (const bool again : {false, true}) {
            Pass pass(t.base, options_of(gemm::Precision::kF32, again));
            std::vector<float> got(values.size(), 0.25F);  // what is there is added to
            const Loss trained = pass.train(t.pack, t.lora, key, 0.5F, got);
            double worst = 0;
            for (std::size_t i = 0; i < got.size(); ++i) {
                const double off = std::abs((static_cast<double>(got[i]) - 0.25) / 0.5 - want[i]);
                worst = std::max(worst, off / (std::abs(want[i]) + 0.1 * size));
            }
            CAPTURE(c.name);
            CAPTURE(again);
            CHECK(trained.sum == doctest::Approx(loss).epsilon(2e-6));
            CHECK(worst <= 3e-4);
        }
    }
}

TEST_SUITE_END();

}  // namespace jikji::training
