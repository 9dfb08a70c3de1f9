#include "models/import_hf.hpp"

#include <fmt/format.h>

#include <memory>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "models/gguf.hpp"
#include "models/json_file.hpp"
#include "models/safetensors.hpp"
#include "models/wordpiece.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

[[noreturn]] void reject(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kRejected, english, "folder", korean);
}

struct BertShape {
    std::uint64_t hidden, feed_forward, layers, heads, positions, types;
    double epsilon;
};

std::string kind_of(const json::object& config) {
    const json::value* list = config.if_contains("architectures");
    if (list != nullptr && list->is_array() && !list->get_array().empty() &&
        list->get_array()[0].is_string()) {
        return std::string(list->get_array()[0].get_string());
    }
    return text_of(config, "model_type", "unknown");
}

void refuse_other_kinds(const json::object& config) {
    const std::string type = text_of(config, "model_type");
    const std::string position = text_of(config, "position_embedding_type", "absolute");
    const std::string activation = text_of(config, "hidden_act", "gelu");
    if (type == "bert" && position == "absolute" && activation == "gelu") return;
    const std::string found =
        type == "bert" ? fmt::format("bert with {} positions and {}", position, activation)
                       : kind_of(config);
    throw Error(
        ErrorCode::kUnsupported,
        fmt::format("this folder holds a model of kind {}; import does not know it yet. "
                    "What works: BERT embedding models (model_type bert, WordPiece, "
                    "safetensors), such as all-MiniLM-L6-v2. Get this model as a GGUF file "
                    "and use: jikji models add FILE.gguf",
                    found),
        "folder",
        fmt::format("이 폴더의 모델은 {} 종류라 아직 가져올 수 없습니다. 가져올 수 있는 것: "
                    "all-MiniLM-L6-v2 같은 BERT 임베딩 모델(WordPiece, safetensors). 이 "
                    "모델은 GGUF 파일로 받아 jikji models add 파일.gguf 로 추가하세요.",
                    found));
}

std::uint64_t size_of(const json::object& config, const char* field) {
    const std::uint64_t value = number_of(config, field);
    if (value < 1 || value > 1'000'000) {
        reject(fmt::format("config.json: {} is {}; give a number from 1 to 1000000", field, value),
               fmt::format("config.json: {} 값이 {}입니다. 1부터 1000000까지여야 합니다.", field,
                           value));
    }
    return value;
}

BertShape read_shape(const json::object& config) {
    return {.hidden = size_of(config, "hidden_size"),
            .feed_forward = size_of(config, "intermediate_size"),
            .layers = size_of(config, "num_hidden_layers"),
            .heads = size_of(config, "num_attention_heads"),
            .positions = size_of(config, "max_position_embeddings"),
            .types = size_of(config, "type_vocab_size"),
            .epsilon = real_of(config, "layer_norm_eps", 1e-12)};
}

// llama.cpp's numbers. A folder without sentence-transformers' file gets the mean, which most want.
std::uint32_t pooling_of(const fs::path& folder) {
    constexpr std::uint32_t kMean = 1, kCls = 2;
    const fs::path file = folder / "1_Pooling" / "config.json";
    if (!fs::is_regular_file(file)) return kMean;
    const json::object config = read_json_file(file);
    if (flag_of(config, "pooling_mode_cls_token", false)) return kCls;
    if (flag_of(config, "pooling_mode_mean_tokens", false)) return kMean;
    throw Error(ErrorCode::kUnsupported,
                file.string() + " asks for a pooling that is neither mean nor cls", "folder",
                file.string() + "의 풀링 방식은 mean도 cls도 아닙니다.");
}

void describe_model(GgufWriter& out, const BertShape& shape, std::uint32_t pooling,
                    const std::string& name) {
    constexpr std::uint32_t kMostlyF16 = 1;
    const auto number = [&out](const char* key, std::uint64_t value) {
        out.set_number(key, static_cast<std::uint32_t>(value));
    };
    out.set("general.architecture", "bert");
    out.set("general.name", name);
    number("general.file_type", kMostlyF16);
    number("bert.context_length", shape.positions);
    number("bert.embedding_length", shape.hidden);
    number("bert.feed_forward_length", shape.feed_forward);
    number("bert.block_count", shape.layers);
    number("bert.attention.head_count", shape.heads);
    out.set_real("bert.attention.layer_norm_epsilon", static_cast<float>(shape.epsilon));
    out.set_flag("bert.attention.causal", false);
    number("bert.pooling_type", pooling);
}

// llama.cpp marks where a word begins (U+2581), BERT marks where it goes on (##).
std::string marked(const std::string& token, bool special) {
    if (special) return token;
    return token.starts_with("##") ? token.substr(2) : "\u2581" + token;
}

void describe_tokenizer(GgufWriter& out, const WordPiece& words, std::uint64_t types) {
    constexpr std::int32_t kNormal = 1, kControl = 3;
    std::vector<std::string> tokens;
    std::vector<std::int32_t> kinds;
    for (std::size_t i = 0; i < words.tokens.size(); ++i) {
        tokens.push_back(marked(words.tokens[i], words.special[i]));
        kinds.push_back(words.special[i] ? kControl : kNormal);
    }
    out.set("tokenizer.ggml.model", "bert");
    out.set("tokenizer.ggml.pre", "default");
    out.set_texts("tokenizer.ggml.tokens", tokens);
    out.set_numbers("tokenizer.ggml.token_type", kinds);
    out.set_number("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(types));
    out.set_flag("tokenizer.ggml.normalizer.lowercase", words.lowercase);
    out.set_flag("tokenizer.ggml.normalizer.strip_accents", words.strip_accents);
    // "seperator" is how the format spells it.
    const std::pair<const char*, const char*> kSpecial[] = {
        {"unknown", "[UNK]"}, {"seperator", "[SEP]"}, {"padding", "[PAD]"},
        {"cls", "[CLS]"},     {"bos", "[CLS]"},       {"mask", "[MASK]"}};
    for (const auto& [role, token] : kSpecial) {
        const std::int64_t id = words.find(token);
        if (id < 0) {
            reject(fmt::format("the vocabulary lacks {}; get the folder again", token),
                   fmt::format("단어 목록에 {}가 없습니다. 폴더를 다시 받으세요.", token));
        }
        out.set_number(fmt::format("tokenizer.ggml.{}_token_id", role),
                       static_cast<std::uint32_t>(id));
    }
}

class BertTensors {
public:
    explicit BertTensors(const fs::path& file) : file_(std::make_shared<Safetensors>(file)) {}

    void add_all(GgufWriter& out, const BertShape& s, std::uint64_t words) {
        const std::string e = "embeddings.";
        matrix(out, e + "word_embeddings.weight", "token_embd.weight", {s.hidden, words}, kF16);
        matrix(out, e + "position_embeddings.weight", "position_embd.weight",
               {s.hidden, s.positions}, kF32);
        matrix(out, e + "token_type_embeddings.weight", "token_types.weight", {s.hidden, s.types},
               kF32);
        norm(out, e + "LayerNorm", "token_embd_norm", s.hidden);
        for (std::uint64_t l = 0; l < s.layers; ++l) layer(out, s, l);
    }

private:
    void layer(GgufWriter& out, const BertShape& s, std::uint64_t l) {
        const std::string from = fmt::format("encoder.layer.{}.", l);
        const std::string to = fmt::format("blk.{}.", l);
        linear(out, from + "attention.self.query", to + "attn_q", s.hidden, s.hidden);
        linear(out, from + "attention.self.key", to + "attn_k", s.hidden, s.hidden);
        linear(out, from + "attention.self.value", to + "attn_v", s.hidden, s.hidden);
        linear(out, from + "attention.output.dense", to + "attn_output", s.hidden, s.hidden);
        norm(out, from + "attention.output.LayerNorm", to + "attn_output_norm", s.hidden);
        linear(out, from + "intermediate.dense", to + "ffn_up", s.hidden, s.feed_forward);
        linear(out, from + "output.dense", to + "ffn_down", s.feed_forward, s.hidden);
        norm(out, from + "output.LayerNorm", to + "layer_output_norm", s.hidden);
    }

    void linear(GgufWriter& out, const std::string& from, const std::string& to, std::uint64_t in,
                std::uint64_t rows) {
        matrix(out, from + ".weight", to + ".weight", {in, rows}, kF16);
        matrix(out, from + ".bias", to + ".bias", {rows}, kF32);
    }

    void norm(GgufWriter& out, const std::string& from, const std::string& to, std::uint64_t size) {
        matrix(out, from + ".weight", to + ".weight", {size}, kF32);
        matrix(out, from + ".bias", to + ".bias", {size}, kF32);
    }

    const Weight& weight(const std::string& name) const {
        const auto& all = file_->weights();
        for (const std::string& form : {name, "bert." + name}) {
            if (const auto it = all.find(form); it != all.end()) return it->second;
        }
        reject(fmt::format("model.safetensors lacks {}; get the folder again", name),
               fmt::format("model.safetensors에 {}가 없습니다. 폴더를 다시 받으세요.", name));
    }

    // `shape` is GGUF's: fastest first, the reverse of safetensors'.
    void matrix(GgufWriter& out, const std::string& from, const std::string& to,
                std::vector<std::uint64_t> shape, std::uint32_t type) {
        const Weight& found = weight(from);
        const std::vector<std::uint64_t> reversed(found.shape.rbegin(), found.shape.rend());
        if (found.type == WeightType::kOther || reversed != shape) {
            reject(fmt::format("{} is not of the shape or type that config.json says: {} (row "
                               "first), F32, F16 or BF16",
                               from, fmt::join(shape, "x")),
                   fmt::format("{}의 크기나 형식이 config.json과 다릅니다.", from));
        }
        out.add_tensor(to, std::move(shape), type, [file = file_, &found, type] {
            return type == kF16 ? as_f16(found) : as_f32(found);
        });
    }

    std::shared_ptr<Safetensors> file_;
};

}  // namespace

void import_hugging_face(const fs::path& folder, const fs::path& target, const std::string& name) {
    const json::object config = read_json_file(folder / "config.json");
    refuse_other_kinds(config);
    if (!fs::is_regular_file(folder / "model.safetensors")) {
        reject("there is no model.safetensors in " + folder.string() +
                   "; weights in one safetensors file can be imported, pytorch_model.bin cannot",
               folder.string() +
                   " 폴더에 model.safetensors가 없습니다. pytorch_model.bin은 "
                   "가져올 수 없습니다.");
    }
    const BertShape shape = read_shape(config);
    const WordPiece words = read_word_piece(folder);
    GgufWriter out;
    describe_model(out, shape, pooling_of(folder), name);
    describe_tokenizer(out, words, shape.types);
    BertTensors(folder / "model.safetensors").add_all(out, shape, words.tokens.size());
    out.write(target);
}

}  // namespace jikji::models
