#include "training/merge.hpp"

#include <fmt/format.h>

#include <cmath>
#include <map>
#include <vector>

#include "base/error.hpp"
#include "llama/quantise.hpp"
#include "models/download.hpp"
#include "models/gguf.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

using models::GgufTensor;

constexpr std::uint32_t kQ8_0 = 8, kBf16 = 30;  // ggml's numbers
constexpr int kRows = 64;                       // made at a time
constexpr float kF16Most = 65504;
constexpr std::uint64_t kQ8_0Block = 32;

std::uint32_t merged_type(MergedType wanted, const GgufTensor& tensor) {
    const std::uint32_t own = tensor.type->id;
    const bool wide = own == models::kF32 || own == models::kF16 || own == kBf16 || own == kQ8_0;
    if (wanted == MergedType::kF16) return models::kF16;
    if (wanted == MergedType::kAsBase || (wanted == MergedType::kAuto && wide)) return own;
    return tensor.shape[0] % kQ8_0Block == 0 ? kQ8_0 : models::kF16;
}

std::uint64_t bytes_as(std::uint32_t type, const GgufTensor& tensor) {
    const models::TensorType* layout = models::tensor_type(type);
    return tensor.values / layout->block_values * layout->block_bytes;
}

/// What is made so far, and whether to go on.
class Meter {
public:
    Meter(const MergeOptions& options, std::uint64_t total) : options_(options), total_(total) {}

    void add(std::uint64_t bytes) {
        done_ += bytes;
        if (!options_.poll || options_.poll(done_, total_)) return;
        throw Error(ErrorCode::kCancelled, "the merge was stopped; nothing was written", {},
                    "병합을 멈췄습니다. 아무것도 쓰지 않았습니다.");
    }

private:
    const MergeOptions& options_;
    std::uint64_t total_;
    std::uint64_t done_ = 0;
};

void require_fits(const std::vector<float>& values, std::uint32_t type, std::string_view name) {
    const bool half = type != models::kF32 && type != kBf16;  // itself or its scales are float16
    for (const float value : values) {
        if (std::isfinite(value) && !(half && std::fabs(value) > kF16Most)) continue;
        throw Error(
            ErrorCode::kRejected,
            fmt::format("with this adapter, a weight of {} becomes {}, more than the merged "
                        "file can hold; the adapter may be damaged",
                        name, value),
            "adapter",
            fmt::format("이 어댑터를 합치면 {}의 가중치가 {}이(가) 되어 파일에 담을 수 "
                        "없습니다. 어댑터가 손상되었을 수 있습니다.",
                        name, value));
    }
}

/// rows first..first+count-1 of W + scale · B · A
void merged_rows(const FrozenMatrix& base, const Lora& lora, const LoraPair& pair, int first,
                 int count, std::vector<float>& out) {
    const auto columns = static_cast<std::size_t>(pair.n_in);
    const auto rank = static_cast<std::size_t>(lora.options().rank);
    out.resize(static_cast<std::size_t>(count) * columns);
    base.read(first, count, out.data());
    const float* a = lora.a(pair).data();
    const float* b = lora.b(pair).data() + static_cast<std::size_t>(first) * rank;
    for (std::size_t row = 0; row < static_cast<std::size_t>(count); ++row) {
        float* to = out.data() + row * columns;
        for (std::size_t r = 0; r < rank; ++r) {
            const float factor = lora.scale() * b[row * rank + r];
            for (std::size_t c = 0; c < columns; ++c) to[c] += factor * a[r * columns + c];
        }
    }
}

std::string merged_bytes(const FrozenMatrix& base, const Lora& lora, const LoraPair& pair,
                         std::uint32_t type, std::string_view name, Meter& meter) {
    std::string out;
    std::vector<float> rows;
    for (int first = 0; first < pair.n_out; first += kRows) {
        const int count = std::min(kRows, pair.n_out - first);
        merged_rows(base, lora, pair, first, count, rows);
        require_fits(rows, type, name);
        const std::size_t before = out.size();
        llama::quantise(static_cast<int>(type), rows.data(), count, pair.n_in, out);
        meter.add(out.size() - before);
    }
    return out;
}

std::map<std::string, const LoraPair*> pairs_by_name(const Lora& lora) {
    std::map<std::string, const LoraPair*> out;
    for (const LoraPair& pair : lora.pairs()) {
        out[fmt::format("blk.{}.{}.weight", pair.layer, gguf_name_of(pair.module))] = &pair;
    }
    return out;
}

void copy_values(const models::Gguf& gguf, const AdapterFacts& facts, const MergeOptions& options,
                 models::GgufWriter& out) {
    out.set("general.name", options.name);
    out.set("jikji.merged.adapter", facts.name);
    out.set("jikji.merged.base", facts.base_name);
    for (const auto& [key, value] : gguf.values) {
        // The writer aligns as the format's default has it.
        const bool ours = key == "general.name" || key == "general.alignment" ||
                          key == "jikji.merged.adapter" || key == "jikji.merged.base";
        if (!ours) out.set_value(key, value);
    }
    if (gguf.find("general.quantization_version") == nullptr) {
        out.set_number("general.quantization_version", 2);
    }
}

}  // namespace

MergedType merged_type_named(std::string_view name) {
    if (name == "auto") return MergedType::kAuto;
    if (name == "base") return MergedType::kAsBase;
    if (name == "q8_0") return MergedType::kQ8_0;
    if (name == "f16") return MergedType::kF16;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("type is {}; give auto, base, q8_0 or f16", name), "type",
                fmt::format("type이 {}입니다. auto, base, q8_0, f16 중에서 고르세요.", name));
}

void merge_adapter(const BaseModel& base, const AdapterFacts& facts, const Lora& lora,
                   const fs::path& target, const MergeOptions& options) {
    const auto pairs = pairs_by_name(lora);
    const auto pair_of = [&pairs](const GgufTensor& tensor) {
        const auto found = pairs.find(std::string(tensor.name));
        return found == pairs.end() ? nullptr : found->second;
    };
    std::uint64_t total = 0;
    for (const GgufTensor& tensor : base.gguf().tensors) {
        const bool adapted = pair_of(tensor) != nullptr;
        total += adapted ? bytes_as(merged_type(options.type, tensor), tensor) : tensor.bytes;
    }
    models::require_space(fs::absolute(target).parent_path(), total);
    Meter meter(options, total);
    models::GgufWriter out;
    copy_values(base.gguf(), facts, options, out);
    for (const GgufTensor& tensor : base.gguf().tensors) {
        const LoraPair* pair = pair_of(tensor);
        if (pair == nullptr) {
            out.add_tensor(std::string(tensor.name), tensor.shape, tensor.type->id, [&] {
                meter.add(tensor.bytes);
                return std::string(base.bytes().substr(tensor.offset, tensor.bytes));
            });
            continue;
        }
        const std::uint32_t type = merged_type(options.type, tensor);
        const FrozenMatrix& weight = base.layer(pair->layer).linear[static_cast<int>(pair->module)];
        out.add_tensor(std::string(tensor.name), tensor.shape, type,
                       [&weight, &lora, pair, type, &tensor, &meter] {
                           return merged_bytes(weight, lora, *pair, type, tensor.name, meter);
                       });
    }
    out.write(target);
}

}  // namespace jikji::training
