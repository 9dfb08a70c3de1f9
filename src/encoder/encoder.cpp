#include "encoder/encoder.hpp"

#include <algorithm>

#include "base/cpu.hpp"
#include "base/error.hpp"
#include "encoder/pass.hpp"

namespace jikji::encoder {
namespace {

/// Fewer are not worth a second thread's waking and waiting.
constexpr int kRowsPerThread = 8;

Rows share(int rows, int thread, int threads) {
    return {rows * thread / threads, rows * (thread + 1) / threads};
}

}  // namespace

std::vector<const Steps*> steps_here() {
    std::vector<const Steps*> out;
#if defined(__x86_64__)
    if (cpu::has_avx512_bf16()) out.push_back(&kBf16Steps);
    if (cpu::has_avx512()) out.push_back(&kAvx512Steps);
    if (cpu::has_avx2()) out.push_back(&kAvx2Steps);
#endif
    out.push_back(&kPortableSteps);
    return out;
}

struct Encoder::Impl {
    const Steps* steps = nullptr;
    std::unique_ptr<const Weights> weights;
    std::vector<CacheLine> x;
    std::vector<CacheLine> qkv[2];
    std::vector<Desk> desks;

    Pack pack(std::span<const std::vector<Token>> texts) {
        Pack out;
        for (const auto& text : texts) {
            JIKJI_CHECK(!text.empty() && text.size() <= static_cast<std::size_t>(weights->context));
            const int begin = static_cast<int>(out.tokens.size());
            out.tokens.insert(out.tokens.end(), text.begin(), text.end());
            out.texts.push_back({begin, static_cast<int>(out.tokens.size())});
        }
        JIKJI_CHECK(std::all_of(out.tokens.begin(), out.tokens.end(), [this](Token token) {
            return token >= 0 && token < weights->vocabulary;
        }));
        const auto values = out.tokens.size() * static_cast<std::size_t>(weights->width);
        const auto room = [](std::vector<CacheLine>& lines, std::size_t bytes) -> void* {
            const std::size_t need = (bytes + sizeof(CacheLine) - 1) / sizeof(CacheLine);
            if (lines.size() < need) lines.resize(need);
            return lines.data();
        };
        out.x = static_cast<float*>(room(x, values * sizeof(float)));
        for (int i : {0, 1}) {
            out.qkv[i] = room(qkv[i], values * 3 * (steps->layout.bf16 ? 2 : 4));
        }
        return out;
    }

    void run(const Pack& pack, int threads, float* out) {
        const int rows = static_cast<int>(pack.tokens.size());
        const int texts = static_cast<int>(pack.texts.size());
        const int layers = static_cast<int>(weights->layers.size());
        threads = std::clamp(rows / kRowsPerThread, 1, std::max(threads, 1));
        if (desks.size() < static_cast<std::size_t>(threads)) {
            desks.resize(static_cast<std::size_t>(threads));
        }
        const auto step = [&](int index) {
#pragma omp parallel for num_threads(threads) schedule(static, 1)
            for (int t = 0; t < threads; ++t) {
                Desk& desk = desks[static_cast<std::size_t>(t)];
                if (index < 0) {
                    steps->embed(*weights, pack, share(rows, t, threads), desk);
                } else if (index < layers) {
                    steps->layer(*weights, pack, index, share(rows, t, threads), desk);
                } else {
                    steps->pool(*weights, pack, share(texts, t, threads), out);
                }
            }
        };
        for (int index = -1; index <= layers; ++index) step(index);
    }
};

bool Encoder::supports(const std::filesystem::path& gguf) {
    return can_read(models::GgufFile(gguf).gguf());
}

std::vector<std::string> Encoder::instruction_sets() {
    std::vector<std::string> out;
    for (const Steps* steps : steps_here()) out.emplace_back(steps->name);
    return out;
}

Encoder::Encoder(const std::filesystem::path& gguf, const std::string& instructions)
    : impl_(std::make_unique<Impl>()) {
    for (const Steps* steps : steps_here()) {
        if (instructions.empty() || instructions == steps->name) {
            impl_->steps = steps;
            break;
        }
    }
    JIKJI_CHECK(impl_->steps != nullptr);
    impl_->weights = read_weights(gguf, impl_->steps->layout);
}

Encoder::~Encoder() = default;

int Encoder::dimensions() const noexcept { return impl_->weights->width; }
int Encoder::context() const noexcept { return impl_->weights->context; }
int Encoder::vocabulary() const noexcept { return impl_->weights->vocabulary; }

std::size_t Encoder::bytes() const noexcept {
    std::size_t lines = 0;
    for (const Layer& layer : impl_->weights->layers) {
        lines += layer.qkv.panels.size() + layer.out.panels.size() + layer.up.panels.size() +
                 layer.down.panels.size();
    }
    return lines * sizeof(CacheLine) + impl_->weights->positions.size() * sizeof(float);
}

std::vector<std::vector<float>> Encoder::encode(std::span<const std::vector<Token>> texts,
                                                int threads) {
    if (texts.empty()) return {};
    const Pack pack = impl_->pack(texts);
    const auto width = static_cast<std::size_t>(dimensions());
    std::vector<float> rows(texts.size() * width);
    impl_->run(pack, threads, rows.data());
    std::vector<std::vector<float>> out;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const float* row = rows.data() + i * width;
        out.emplace_back(row, row + width);
    }
    return out;
}

}  // namespace jikji::encoder
