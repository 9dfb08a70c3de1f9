#include "training/merge.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <map>

#include "base/error.hpp"
#include "base/file.hpp"
#include "llama/dequantise.hpp"
#include "llama/log.hpp"
#include "llama/model.hpp"
#include "models/gguf.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_lora.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::training;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t kQ8_0 = 8;

const AdapterFacts kFacts{
    .name = "ft:tiny:local:x:1", .base_name = "tiny", .architecture = "llama"};

LoraOptions all_modules() {
    return {.rank = 4,
            .alpha = 8,
            .targets = {Module::kQ, Module::kK, Module::kV, Module::kO, Module::kGate, Module::kUp,
                        Module::kDown}};
}

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::kInternal, "nothing was thrown");
}

std::vector<float> floats_of(const models::GgufFile& file, const models::GgufTensor& tensor) {
    std::vector<float> out(tensor.values);
    const char* from = file.bytes().data() + tensor.offset;
    if (tensor.type->id == models::kF32) {
        std::memcpy(out.data(), from, tensor.bytes);
    } else {
        llama::to_floats_of(static_cast<int>(tensor.type->id))(
            from, out.data(), static_cast<std::int64_t>(tensor.values));
    }
    return out;
}

/// The definition, in double: W + alpha / rank · B · A at one place.
double merged_value(const BaseModel& base, const Lora& lora, const LoraPair& pair, int row,
                    int column) {
    std::vector<float> weight(static_cast<std::size_t>(pair.n_in));
    base.layer(pair.layer).linear[static_cast<int>(pair.module)].read(row, 1, weight.data());
    const int rank = lora.options().rank;
    double sum = 0;
    for (int r = 0; r < rank; ++r) {
        sum += static_cast<double>(lora.b(pair)[static_cast<std::size_t>(row * rank + r)]) *
               static_cast<double>(lora.a(pair)[static_cast<std::size_t>(r * pair.n_in + column)]);
    }
    return static_cast<double>(weight[static_cast<std::size_t>(column)]) +
           static_cast<double>(lora.options().alpha) / rank * sum;
}

TEST_SUITE_BEGIN("merge");

TEST_CASE("a merged weight is W + scale · B · A, and everything else is as it was") {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder / "base.gguf");
    const BaseModel base(folder / "base.gguf");
    const Lora lora = tests::filled_lora(base.shape(), {.rank = 4, .alpha = 8}, 0.2F);  // q, v
    merge_adapter(base, kFacts, lora, folder / "합친.gguf", {.name = "both"});
    const models::GgufFile merged(folder / "합친.gguf");
    CHECK(merged.gguf().text("general.name") == "both");
    CHECK(merged.gguf().text("jikji.merged.adapter") == kFacts.name);
    CHECK(!merged.gguf().text("general.type").starts_with("adapter"));
    for (const auto& [key, value] : base.gguf().values) {
        if (key == "general.name") continue;
        CAPTURE(std::string(key));
        const models::GgufValue* copied = merged.gguf().find(key);
        REQUIRE(copied != nullptr);
        CHECK(copied->type == value.type);
        CHECK(copied->bytes == value.bytes);
    }
    REQUIRE(merged.gguf().tensors.size() == base.gguf().tensors.size());
    for (std::size_t i = 0; i < base.gguf().tensors.size(); ++i) {
        const models::GgufTensor& was = base.gguf().tensors[i];
        const models::GgufTensor& is = merged.gguf().tensors[i];
        CHECK(is.name == was.name);
        CHECK(is.shape == was.shape);
        CHECK(is.type == was.type);
        const bool adapted = was.name.find("attn_q") != std::string_view::npos ||
                             was.name.find("attn_v") != std::string_view::npos;
        const bool same = merged.bytes().substr(is.offset, is.bytes) ==
                          base.bytes().substr(was.offset, was.bytes);
        CHECK(same == !adapted);
    }
    const BaseModel again(folder / "합친.gguf");
    const LoraPair* pair = lora.find(1, Module::kV);
    std::vector<float> row(static_cast<std::size_t>(pair->n_in));
    for (const int r : {0, 7, 31}) {
        again.layer(1).linear[static_cast<int>(Module::kV)].read(r, 1, row.data());
        for (int c = 0; c < pair->n_in; ++c) {
            CHECK(static_cast<double>(row[static_cast<std::size_t>(c)]) ==
                  doctest::Approx(merged_value(base, lora, *pair, r, c)).epsilon(1e-5));
        }
    }
}

TEST_CASE("types: as the base, 8 bits or F16, each within its rounding, and libllama loads them") {
    llama::capture_log();
    const tests::TempFolder folder;
    for (const bool q8_0 : {false, true}) {
        tests::write_tiny_llama(folder / "base.gguf", 128, {.q8_0 = q8_0});
        const BaseModel base(folder / "base.gguf");
        const Lora lora = tests::filled_lora(base.shape(), all_modules(), 0.1F);
        for (const auto& [name, id, step] :
             {std::tuple{"auto", q8_0 ? kQ8_0 : models::kF32, q8_0 ? 0.01 : 1e-6},
              {"base", q8_0 ? kQ8_0 : models::kF32, q8_0 ? 0.01 : 1e-6},
              {"q8_0", kQ8_0, 0.01},
              {"f16", models::kF16, 1e-3}}) {
            CAPTURE(name);
            merge_adapter(base, kFacts, lora, folder / "m.gguf",
                          {.name = "both", .type = merged_type_named(name)});
            const models::GgufFile merged(folder / "m.gguf");
            for (const models::GgufTensor& tensor : merged.gguf().tensors) {
                if (tensor.name != "blk.1.ffn_down.weight") continue;
                CHECK(tensor.type->id == id);
                const std::vector<float> values = floats_of(merged, tensor);
                const LoraPair* pair = lora.find(1, Module::kDown);
                for (int c = 0; c < pair->n_in; ++c) {
                    const double wanted = merged_value(base, lora, *pair, 3, c);
                    const auto at = static_cast<std::size_t>(3 * pair->n_in + c);
                    CHECK(std::fabs(static_cast<double>(values[at]) - wanted) <= step);
                }
            }
            CHECK_NOTHROW(llama::Model(folder / "m.gguf", {}));
        }
    }
    CHECK(error_of([] { merged_type_named("q2"); }).field() == "type");
}

TEST_CASE("a merge that is stopped, or makes no sense, leaves nothing behind") {
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder / "base.gguf");
    const BaseModel base(folder / "base.gguf");
    Lora lora = tests::filled_lora(base.shape(), all_modules());
    std::uint64_t last = 0, of = 0;
    MergeOptions options{.name = "x"};
    options.poll = [&](std::uint64_t done, std::uint64_t total) {
        last = done, of = total;
        return done < total / 2;
    };
    const auto merge = [&] { merge_adapter(base, kFacts, lora, folder / "m.gguf", options); };
    CHECK(error_of(merge).code() == ErrorCode::kCancelled);
    CHECK(last >= of / 2);
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
    options.poll = [&](std::uint64_t done, std::uint64_t total) {
        last = done, of = total;
        return true;
    };
    lora.values()[0] = std::numeric_limits<float>::max();
    CHECK(error_of(merge).code() == ErrorCode::kRejected);
    CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
    lora.values()[0] = 0;
    CHECK_NOTHROW(merge());
    CHECK(last == of);  // the total was the truth
}

TEST_SUITE_END();

}  // namespace
