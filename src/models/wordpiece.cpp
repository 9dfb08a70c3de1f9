#include "models/wordpiece.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/file.hpp"
#include "models/json_file.hpp"

namespace jikji::models {
namespace json = boost::json;
namespace {

constexpr std::uint64_t kTokensMax = 1 << 22;
constexpr std::array kSpecial = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

[[noreturn]] void fail(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kRejected, "the tokenizer is damaged: " + english + "; get it again",
                "tokenizer", "토크나이저가 잘못되었습니다: " + korean + " 다시 받으세요.");
}

void put(WordPiece& out, std::string_view token, std::uint64_t id, bool special) {
    if (id >= kTokensMax) {
        fail(fmt::format("token {} has the id {}", token, id),
             fmt::format("토큰 {}의 번호가 {}입니다.", token, id));
    }
    if (id >= out.tokens.size()) {
        out.tokens.resize(id + 1);
        out.special.resize(id + 1);
    }
    out.tokens[id] = token;
    out.special[id] = special;
}

bool is_special(std::string_view token) {
    return std::find(kSpecial.begin(), kSpecial.end(), token) != kSpecial.end();
}

void read_normalizer(const json::object& root, WordPiece& out) {
    const json::value* value = root.if_contains("normalizer");
    if (value == nullptr || !value->is_object()) return;
    out.lowercase = flag_of(value->get_object(), "lowercase", true);
    // null means: as lowercase says (Hugging Face's BertNormalizer).
    out.strip_accents = flag_of(value->get_object(), "strip_accents", out.lowercase);
}

WordPiece read_tokenizer_json(const std::filesystem::path& path) {
    const json::object root = read_json_file(path);
    const json::value* model = root.if_contains("model");
    if (model == nullptr || !model->is_object()) fail("it has no model", "모델이 없습니다.");
    const std::string kind = text_of(model->get_object(), "type", "WordPiece");
    if (kind != "WordPiece") {
        throw Error(ErrorCode::kUnsupported,
                    fmt::format("the tokenizer is of kind {}; folders with WordPiece (BERT) can be "
                                "imported. Get this model as a GGUF file instead",
                                kind),
                    "tokenizer",
                    fmt::format("토크나이저 종류가 {}입니다. WordPiece(BERT) 폴더만 가져올 수 "
                                "있습니다. GGUF 파일로 받아 주세요.",
                                kind));
    }
    const json::value* vocab = model->get_object().if_contains("vocab");
    if (vocab == nullptr || !vocab->is_object()) fail("it has no words", "단어 목록이 없습니다.");
    WordPiece out;
    for (const auto& [token, id] : vocab->get_object()) {
        if (!id.is_int64() || id.get_int64() < 0)
            fail("an id is no number", "번호가 잘못되었습니다.");
        put(out, token, static_cast<std::uint64_t>(id.get_int64()), is_special(token));
    }
    if (const json::value* added = root.if_contains("added_tokens"); added && added->is_array()) {
        for (const json::value& entry : added->get_array()) {
            if (!entry.is_object())
                fail("an added token is no object", "추가 토큰이 잘못되었습니다.");
            put(out, text_of(entry.get_object(), "content"),
                number_of(entry.get_object(), "id", kTokensMax),
                flag_of(entry.get_object(), "special", true));
        }
    }
    read_normalizer(root, out);
    return out;
}

WordPiece read_vocab_txt(const std::filesystem::path& folder) {
    const std::string text = read_file(folder / "vocab.txt", 64ull << 20);
    WordPiece out;
    std::string_view rest = text;
    for (std::uint64_t id = 0; !rest.empty(); ++id) {
        const auto end = rest.find('\n');
        std::string_view token = rest.substr(0, end);
        rest = end == std::string_view::npos ? "" : rest.substr(end + 1);
        if (!token.empty() && token.back() == '\r') token.remove_suffix(1);
        put(out, token, id, is_special(token));
    }
    if (std::filesystem::is_regular_file(folder / "tokenizer_config.json")) {
        const json::object config = read_json_file(folder / "tokenizer_config.json");
        out.lowercase = flag_of(config, "do_lower_case", true);
        out.strip_accents = flag_of(config, "strip_accents", out.lowercase);
    }
    return out;
}

}  // namespace

std::int64_t WordPiece::find(const std::string& token) const {
    const auto it = std::find(tokens.begin(), tokens.end(), token);
    return it == tokens.end() ? -1 : it - tokens.begin();
}

WordPiece read_word_piece(const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    if (fs::is_regular_file(folder / "tokenizer.json")) {
        return read_tokenizer_json(folder / "tokenizer.json");
    }
    if (fs::is_regular_file(folder / "vocab.txt")) return read_vocab_txt(folder);
    fail("neither tokenizer.json nor vocab.txt is in " + folder.string(),
         folder.string() + " 폴더에 tokenizer.json도 vocab.txt도 없습니다.");
}

}  // namespace jikji::models
