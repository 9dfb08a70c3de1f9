#include "models/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

#include "base/progress.hpp"

namespace jikji::models {
namespace {

constexpr std::uint64_t kMegabyte = 1'000'000;
constexpr std::array kEmbedding = {"bert",        "nomic-bert",   "nomic-bert-moe",
                                   "modern-bert", "jina-bert-v2", "jina-bert-v3",
                                   "neo-bert",    "eurobert",     "gemma-embedding"};

// A file says what it likes: saturate rather than wrap.
std::uint64_t times(std::uint64_t a, std::uint64_t b) {
    constexpr auto kMax = std::numeric_limits<std::uint64_t>::max() / 16;
    return a != 0 && b > kMax / a ? kMax : a * b;
}

// Heads per layer: one number, or a list with one for each layer.
std::uint64_t sum_of_heads(const Gguf& gguf, const std::string& key, std::uint64_t layers) {
    const GgufValue* value = gguf.find(key);
    if (value == nullptr) return 0;
    if (value->type != GgufType::kArray) return times(value->as_unsigned().value_or(0), layers);
    if (value->element != GgufType::kInt32 && value->element != GgufType::kUint32) return 0;
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < value->count; ++i) {
        std::int32_t heads = 0;
        std::memcpy(&heads, value->bytes.data() + i * sizeof heads, sizeof heads);
        sum += static_cast<std::uint64_t>(std::max(heads, 0));
    }
    return sum;
}

std::uint64_t cache_per_token(const Gguf& gguf, const ModelFacts& facts) {
    if (facts.embedding) return 0;
    const std::string a = facts.architecture + ".attention.";
    const std::uint64_t heads = std::max<std::uint64_t>(gguf.number(a + "head_count"), 1);
    const std::uint64_t usual = facts.embedding_length / heads;
    std::uint64_t all = sum_of_heads(gguf, a + "head_count_kv", facts.layers);
    if (all == 0) all = sum_of_heads(gguf, a + "head_count", facts.layers);
    const std::uint64_t both =
        gguf.number(a + "key_length", usual) + gguf.number(a + "value_length", usual);
    return times(times(all, both), 2);
}

void count_weights(const Gguf& gguf, ModelFacts& facts) {
    for (const GgufTensor& tensor : gguf.tensors) {
        facts.parameters += tensor.values;
        facts.weight_bytes += tensor.bytes;
        facts.type_values[tensor.type->name] += tensor.values;
    }
    std::uint64_t most = 0;
    for (const auto& [type, values] : facts.type_values) {
        if (values <= most) continue;
        most = values;
        facts.quantisation = type;
    }
}

std::string count_for_people(std::uint64_t count) {
    if (count < 1'000'000) return fmt::format("{}", count);
    if (count < 1'000'000'000) return fmt::format("{:.1f} M", static_cast<double>(count) / 1e6);
    return fmt::format("{:.2f} B", static_cast<double>(count) / 1e9);
}

std::string histogram(const ModelFacts& facts) {
    std::string out;
    for (const auto& [type, values] : facts.type_values) {
        const double part = 100.0 * static_cast<double>(values) /
                            static_cast<double>(std::max<std::uint64_t>(facts.parameters, 1));
        out += fmt::format("{}{} {:.1f}%", out.empty() ? "" : ", ", type, part);
    }
    return out;
}

std::string verdict(const MemoryNeed& need, std::uint64_t available, Language language) {
    if (available == 0) {
        return std::string(say(language, "How much memory is free here is not known.",
                               "이 컴퓨터의 남은 메모리를 알 수 없습니다."));
    }
    const std::string total = bytes_for_people(need.total());
    const std::string here = bytes_for_people(available);
    if (need.total() > available) {
        return fmt::format(
            fmt::runtime(
                say(language,
                    "It does NOT fit this machine: it needs {}, and {} are free. Choose a "
                    "smaller model, a smaller quantisation or a shorter context.",
                    "이 컴퓨터에 맞지 않습니다: {}가 필요한데 {}만 남았습니다. 더 작은 모델이나 "
                    "양자화, 더 짧은 컨텍스트를 쓰세요.")),
            total, here);
    }
    if (need.total() > available / 10 * 9) {
        return fmt::format(
            fmt::runtime(say(language, "It barely fits this machine: it needs {} of the {} free.",
                             "이 컴퓨터에 간신히 맞습니다: 남은 {1} 중 {0}가 필요합니다.")),
            total, here);
    }
    return fmt::format(
        fmt::runtime(say(language, "It fits this machine: it needs {} of the {} that are free.",
                         "이 컴퓨터에 맞습니다: 남은 {1} 중 {0}가 필요합니다.")),
        total, here);
}

}  // namespace

bool is_embedding_architecture(std::string_view architecture) {
    return std::find(kEmbedding.begin(), kEmbedding.end(), architecture) != kEmbedding.end();
}

ModelFacts facts_of(const Gguf& gguf) {
    ModelFacts facts;
    facts.architecture = gguf.architecture();
    facts.name = gguf.text("general.name");
    facts.license = gguf.text("general.license");
    facts.embedding = is_embedding_architecture(facts.architecture);
    facts.chat_template = gguf.find("tokenizer.chat_template") != nullptr;
    facts.context_trained = gguf.number(facts.architecture + ".context_length");
    facts.layers = gguf.number(facts.architecture + ".block_count");
    facts.embedding_length = gguf.number(facts.architecture + ".embedding_length");
    facts.feed_forward_length = gguf.number(facts.architecture + ".feed_forward_length");
    if (const GgufValue* words = gguf.find("tokenizer.ggml.tokens")) {
        facts.vocabulary = words->count;
    }
    count_weights(gguf, facts);
    facts.cache_bytes_per_token = cache_per_token(gguf, facts);
    return facts;
}

MemoryNeed memory_at(const ModelFacts& facts, std::uint64_t context) {
    constexpr std::uint64_t kBatch = 512, kProgram = 64 * kMegabyte;
    const std::uint64_t row = (facts.embedding ? 0 : facts.vocabulary) +
                              times(4, facts.embedding_length) +
                              times(2, facts.feed_forward_length);
    return {.weights = facts.weight_bytes,
            .cache = times(facts.cache_bytes_per_token, context),
            .working = times(row, kBatch * 4) + kProgram};
}

std::string describe(const ModelFacts& facts, std::uint64_t context, std::uint64_t available,
                     Language language) {
    const auto line = [&](std::string_view english, std::string_view korean,
                          const std::string& value) {
        return fit_columns(say(language, english, korean), 16) + value + "\n";
    };
    const MemoryNeed need = memory_at(facts, context);
    const std::string yes(say(language, "yes", "있음"));
    const std::string no(say(language, "no", "없음"));
    std::string out;
    out += line("kind", "종류",
                std::string(facts.embedding ? say(language, "embedding", "임베딩")
                                            : say(language, "chat", "대화")));
    out += line("architecture", "구조", facts.architecture);
    out += line("parameters", "매개변수", count_for_people(facts.parameters));
    out += line("quantisation", "양자화", facts.quantisation + " (" + histogram(facts) + ")");
    out += line("layers", "층", fmt::format("{}", facts.layers));
    out += line("vocabulary", "어휘", fmt::format("{}", facts.vocabulary));
    out += line("context", "컨텍스트", fmt::format("{}", facts.context_trained));
    out += line("chat template", "대화 템플릿", facts.chat_template ? yes : no);
    const char* const parts = language == Language::kKorean
                                  ? "{} (컨텍스트 {}: 가중치 {}, 캐시 {}, 작업 {})"
                                  : "{} (at a context of {}: weights {}, cache {}, working {})";
    out += line("memory", "메모리",
                fmt::format(fmt::runtime(parts), bytes_for_people(need.total()), context,
                            bytes_for_people(need.weights), bytes_for_people(need.cache),
                            bytes_for_people(need.working)));
    return out + verdict(need, available, language) + "\n";
}

}  // namespace jikji::models
