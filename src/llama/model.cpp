#include "llama/model.hpp"

#include <llama.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "base/error.hpp"
#include "llama/accelerator.hpp"
#include "llama/dense_weights.hpp"
#include "llama/devices.hpp"
#include "llama/interleaved_weights.hpp"
#include "llama/log.hpp"

namespace jikji::llama {

void Model::Free::operator()(llama_model* model) const noexcept { llama_model_free(model); }

namespace {

[[noreturn]] void refuse(const std::filesystem::path& file) {
    const std::string name = file.filename().string();
    const std::string why = recent_errors();
    throw Error(
        ErrorCode::kRejected,
        name + " could not be loaded: " + (why.empty() ? "libllama gave no reason" : why), {},
        name + " 모델을 불러오지 못했습니다: " + (why.empty() ? "이유를 알 수 없습니다" : why));
}

std::string architecture_of(const llama_model& model) {
    char text[64] = {};
    llama_model_meta_val_str(&model, "general.architecture", text, sizeof text);
    return text;
}

/// What the file says under "ARCHITECTURE.name"; empty if nothing.
std::string said_of(const llama_model& model, const char* name) {
    char text[64] = {};
    const std::string key = architecture_of(model) + "." + name;
    const int size = llama_model_meta_val_str(&model, key.c_str(), text, sizeof text);
    return size > 0 ? text : "";
}

std::vector<std::string> markup_of(const llama_vocab* vocab) {
    std::vector<std::string> out;
    const int count = llama_vocab_n_tokens(vocab);
    for (Token token = 0; token < count; ++token) {
        const auto attributes = static_cast<unsigned>(llama_vocab_get_attr(vocab, token));
        if ((attributes & (LLAMA_TOKEN_ATTR_CONTROL | LLAMA_TOKEN_ATTR_USER_DEFINED)) == 0)
            continue;
        const char* text = llama_vocab_get_text(vocab, token);
        if (text != nullptr && *text != '\0') out.emplace_back(text);
    }
    return out;
}

}  // namespace

std::uint64_t Model::weight_bytes() const { return llama_model_size(model_.get()); }
std::uint64_t Model::copied_bytes() const { return dense_->copied_bytes(); }
std::uint64_t Model::panel_bytes() const { return dense_->panel_bytes(); }
std::uint64_t Model::parameters() const { return llama_model_n_params(model_.get()); }

bool Model::ends_generation(Token token) const {
    return llama_vocab_is_eog(llama_model_get_vocab(model_.get()), token);
}

Token Model::begin_token() const {
    const llama_vocab* vocab = llama_model_get_vocab(model_.get());
    return llama_vocab_get_add_bos(vocab) ? llama_vocab_bos(vocab) : -1;
}

Token Model::end_token() const { return llama_vocab_eos(llama_model_get_vocab(model_.get())); }

std::vector<Token> Model::tokenize(std::string_view text, bool whole, bool special) const {
    if (text.size() > (1u << 30)) throw Error(ErrorCode::kTooLarge, "text has more than 1 GiB");
    const llama_vocab* vocab = llama_model_get_vocab(model_.get());
    const auto length = static_cast<std::int32_t>(text.size());
    std::vector<Token> out(text.size() + 8);
    auto count = llama_tokenize(vocab, text.data(), length, out.data(),
                                static_cast<std::int32_t>(out.size()), whole, special);
    if (count < 0) {
        out.resize(static_cast<std::size_t>(-count));
        count = llama_tokenize(vocab, text.data(), length, out.data(), -count, whole, special);
    }
    JIKJI_CHECK(count >= 0);
    out.resize(static_cast<std::size_t>(count));
    return out;
}

std::string Model::piece(Token token, bool special) const {
    const llama_vocab* vocab = llama_model_get_vocab(model_.get());
    std::string out(64, '\0');
    auto size = llama_token_to_piece(vocab, token, out.data(), 64, 0, special);
    if (size < 0) {
        out.resize(static_cast<std::size_t>(-size));
        size = llama_token_to_piece(vocab, token, out.data(), -size, 0, special);
    }
    out.resize(static_cast<std::size_t>(std::max(size, 0)));
    return out;
}

std::string Model::detokenize(const std::vector<Token>& tokens) const {
    std::string out;
    for (const Token token : tokens) out += piece(token);
    return out;
}

// Those whose layers with a window lie in libllama's llama_kv_cache_iswa, and that need nothing
// else. Others keep more than K and V, or let go by chunks.
static bool has_plain_window(const llama_model& model) {
    constexpr std::array<std::string_view, 6> kKnown = {"gemma2",  "gemma3", "cohere2",
                                                        "exaone4", "olmo2",  "gpt-oss"};
    const std::string architecture = architecture_of(model);
    return std::find(kKnown.begin(), kKnown.end(), architecture) != kKnown.end();
}

Model::Model(const std::filesystem::path& file, const ModelOptions& options) {
    register_interleaved_weights();
    forget_errors();
    register_accelerator();
    llama_model_params params = llama_model_default_params();
    params.n_gpu_layers = options.gpu_layers < 0 ? fitting_layers(file, {}) : options.gpu_layers;
    params.vocab_only = options.vocab_only;
    model_.reset(llama_model_load_from_file(file.c_str(), params));
    if (!model_) refuse(file);
    dense_ = std::make_unique<DenseWeights>(model_.get(), file, options.panel_bytes_most);
    const llama_vocab* vocab = llama_model_get_vocab(model_.get());
    vocabulary_ = llama_vocab_n_tokens(vocab);
    context_ = llama_model_n_ctx_train(model_.get());
    dimensions_ = llama_model_n_embd_out(model_.get());
    if (options.vocab_only) {  // libllama then reads no sizes
        context_ = std::atoi(said_of(*model_, "context_length").c_str());
        dimensions_ = std::atoi(said_of(*model_, "embedding_length").c_str());
    }
    // BERT and its kin have neither an encoder-decoder pair nor a causal decoder: libllama reports
    // a pooling type for them in the file.
    encoder_only_ = !said_of(*model_, "pooling_type").empty();
    cuttable_ = llama_model_n_swa(model_.get()) == 0 && !llama_model_is_recurrent(model_.get()) &&
                !llama_model_is_hybrid(model_.get());
    steps_back_ = cuttable_ || has_plain_window(*model_);
    wordpiece_ = llama_vocab_type(vocab) == LLAMA_VOCAB_TYPE_WPM;
    markup_ = markup_of(vocab);
    if (!encoder_only_) load_templates();
    make_grammars();
}

}  // namespace jikji::llama
