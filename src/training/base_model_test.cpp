#include "training/base_model.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>

#include "base/error.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::training;

namespace {

using models::GgufWriter;

struct Written {
    std::function<void(GgufWriter&)> more;  // keys and tensors beside the usual ones
    const char* architecture = "llama";
    const char* left_out = "";
    std::uint32_t kv_heads = 2;
    std::uint32_t up_rows = 24;
};

constexpr std::uint32_t kWidth = 16, kFeed = 24, kHeads = 4, kVocabulary = 11;

void write(const std::filesystem::path& path, const Written& what) {
    GgufWriter file;
    const std::string a = what.architecture;
    file.set("general.architecture", a);
    file.set_number(a + ".context_length", 64);
    file.set_number(a + ".embedding_length", kWidth);
    file.set_number(a + ".block_count", 1);
    file.set_number(a + ".feed_forward_length", kFeed);
    file.set_number(a + ".attention.head_count", kHeads);
    file.set_number(a + ".attention.head_count_kv", what.kv_heads);
    file.set_real(a + ".attention.layer_norm_rms_epsilon", 1e-3F);
    const auto add = [&](const std::string& name, std::vector<std::uint64_t> shape) {
        if (name == what.left_out) return;
        std::uint64_t values = 1;
        for (const auto size : shape) values *= size;
        file.add_tensor(name, shape, models::kF32, [=] {
            std::string out(values * sizeof(float), '\0');
            auto* at = reinterpret_cast<float*>(out.data());
            for (std::uint64_t i = 0; i < values; ++i) at[i] = static_cast<float>(i);
            return out;
        });
    };
    const std::uint64_t kv = kWidth / kHeads * what.kv_heads;
    add("token_embd.weight", {kWidth, kVocabulary});
    add("output_norm.weight", {kWidth});
    add("blk.0.attn_norm.weight", {kWidth});
    add("blk.0.attn_q.weight", {kWidth, kWidth});
    add("blk.0.attn_k.weight", {kWidth, kv});
    add("blk.0.attn_v.weight", {kWidth, kv});
    add("blk.0.attn_output.weight", {kWidth, kWidth});
    add("blk.0.ffn_norm.weight", {kWidth});
    add("blk.0.ffn_gate.weight", {kWidth, kFeed});
    add("blk.0.ffn_up.weight", {kWidth, what.up_rows});
    add("blk.0.ffn_down.weight", {kFeed, kWidth});
    if (what.more) what.more(file);
    file.write(path);
}

std::string refusal(const Written& what) {
    const tests::TempFolder folder;
    write(folder / "m.gguf", what);
    try {
        const BaseModel base(folder / "m.gguf");
        FAIL("was taken");
        return {};
    } catch (const Error& error) {
        CHECK(error.code() == ErrorCode::kUnsupported);
        CHECK(error.field() == "model");
        CHECK(error.korean() != error.what());
        return error.what();
    }
}

bool holds(const std::string& text, const char* part) {
    CAPTURE(text);
    CAPTURE(std::string(part));
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_SUITE_BEGIN("base_model");

TEST_CASE("a base says its shape and gives its rows") {
    const tests::TempFolder folder;
    write(folder / "m.gguf", {.more = [](GgufWriter& file) {
              file.set_real("llama.rope.freq_base", 5e5F);
              file.set("llama.rope.scaling.type", "linear");
              file.set_real("llama.rope.scaling.factor", 4);
              file.set_number("llama.attention.sliding_window", 32);
              file.add_tensor("rope_freqs.weight", {2}, models::kF32,
                              [] { return tests::ones(2); });
          }});
    const BaseModel base(folder / "m.gguf");
    const Shape& s = base.shape();
    CHECK(s.layers == 1);
    CHECK(s.width == 16);
    CHECK(s.feed == 24);
    CHECK(s.heads == 4);
    CHECK(s.kv_heads == 2);
    CHECK(s.head == 4);
    CHECK(s.rope_values == 4);
    CHECK(s.vocabulary == 11);
    CHECK(s.tied);
    CHECK(s.norm_epsilon == 1e-3F);
    CHECK(s.rope_base == 5e5F);
    CHECK(s.rope_scale == 0.25F);
    CHECK(s.window == 32);
    CHECK(s.rope_factors == std::vector<float>{1, 1});
    CHECK(s.n_out(Module::kK) == 8);
    CHECK(s.n_in(Module::kDown) == 24);
    CHECK(s.n_out(Module::kDown) == 16);
    CHECK(base.head().rows() == 11);
    std::vector<float> rows(2 * kWidth);
    base.embedding().read(3, 2, rows.data());
    CHECK(rows.front() == 3 * kWidth);
    CHECK(rows.back() == 5 * kWidth - 1);
}

TEST_CASE("what cannot be trained is refused with what can") {
    CHECK(holds(refusal({.architecture = "qwen2"}),
                "its architecture is qwen2; those that can be: llama"));
    CHECK(holds(refusal({.left_out = "blk.0.ffn_down.weight"}),
                "the tensor blk.0.ffn_down.weight is missing"));
    CHECK(holds(refusal({.kv_heads = 3}), "4 heads of 4 values with 3 of keys"));
    CHECK(holds(refusal({.up_rows = 25}),
                "the tensor blk.0.ffn_up.weight is 16 x 25; it should be 16 x 24"));
    const auto with = [](auto more) { return refusal({.more = more}); };
    CHECK(holds(with([](GgufWriter& file) { file.set_number("llama.expert_count", 8); }),
                "llama with 8 experts"));
    CHECK(holds(with([](GgufWriter& file) { file.set("llama.rope.scaling.type", "yarn"); }),
                "scaled by yarn; training knows none and linear"));
    CHECK(holds(with([](GgufWriter& file) {
                    file.set_number("llama.attention.key_length", 1 << 20);
                    file.set_number("llama.attention.value_length", 1 << 20);
                }),
                "4 heads of 1048576 values are more than 1048576"));
    CHECK(holds(with([](GgufWriter& file) {
                    file.add_tensor("rope_freqs.weight", {2}, models::kF32,
                                    [] { return std::string(8, '\0'); });
                }),
                "rope_freqs.weight has a value that is not above 0"));
    CHECK(holds(with([](GgufWriter& file) {
                    file.add_tensor("blk.0.attn_q.bias", {kWidth}, models::kF32,
                                    [] { return tests::ones(kWidth); });
                }),
                "blk.0.attn_q.bias, which training does not know"));
    CHECK(holds(with([](GgufWriter& file) {
                    file.add_tensor("output.weight", {kWidth, kVocabulary}, 24 /* I8 */,
                                    [] { return std::string(kWidth * kVocabulary, '\0'); });
                }),
                "output.weight is of type I8; those that can be read: F32"));
}

TEST_SUITE_END();
