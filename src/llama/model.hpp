#pragma once
// One GGUF, loaded: weights, vocabulary, chat template.
// Threads: every method is const and may run in any thread beside any other, and beside decoding.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct llama_model;

namespace jikji::llama {

class DenseWeights;
class Grammar;
struct ChatOptions;
struct RenderedChat;

using Token = std::int32_t;

struct ModelOptions {
    int gpu_layers = -1;      // -1 = all that fit, alone; ignored where there is no GPU
    bool vocab_only = false;  // without weights: tokenising and the sizes only
    /// Of panels for products that are kept beside the weights; see dense_weights.hpp.
    std::uint64_t panel_bytes_most = ~std::uint64_t{0};
};

struct Turn {
    std::string role;
    std::string content;
};

class Model {
public:
    /// Throws Error(kRejected) with libllama's own words if the file cannot be loaded.
    Model(const std::filesystem::path& file, const ModelOptions& options);
    ~Model();
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    int vocabulary() const noexcept { return vocabulary_; }       // tokens
    int context_trained() const noexcept { return context_; }     // tokens
    int dimensions() const noexcept { return dimensions_; }       // of a hidden state
    bool encoder_only() const noexcept { return encoder_only_; }  // makes vectors, not text
    bool wordpiece() const noexcept { return wordpiece_; }        // BERT's tokenizer
    std::uint64_t weight_bytes() const;                           // as they lie in memory
    std::uint64_t copied_bytes() const;  // of these, that do not lie as the file has them
    std::uint64_t panel_bytes() const;   // beside them, once products have made all
    std::uint64_t parameters() const;
    /// What a sequence has computed can be cut at any token and put together again. Not so where
    /// layers see a window (what lies before it may be gone) or keep a running state.
    bool cuttable() const noexcept { return cuttable_; }
    /// What the last step computed can be let go, and what Context::holds_all() can be shared. Also
    /// where a window slides, which only lets go of what lies behind it.
    bool steps_back() const noexcept { return steps_back_; }
    bool ends_generation(Token token) const;
    bool has_chat_template() const;  // of its own, and not ChatML for want of one
    Token begin_token() const;       // that its tokenizer puts before a whole text; -1 = none
    Token end_token() const;         // that ends a text; -1 = none

    /// `special`: markup in the text becomes control tokens. `whole`: BOS, EOS, CLS, SEP as the
    /// model wants them round a whole text.
    std::vector<Token> tokenize(std::string_view text, bool whole, bool special) const;
    /// The bytes of one token; control tokens have none unless `special`.
    std::string piece(Token token, bool special = false) const;
    std::string detokenize(const std::vector<Token>& tokens) const;

    /// The model's chat template (ChatML if it has none), rendered for generation, in tokens. What
    /// turns hold never becomes a control token. Throws Error(kInvalidArgument) if the template
    /// refuses the turns.
    std::vector<Token> render(const std::vector<Turn>& turns) const;
    /// Turns that are there already, to learn from: as render() if `answer_begins`, else without
    /// the opening of a next answer. The date that some templates tell is always the same one.
    std::vector<Token> render_turns(const std::vector<Turn>& turns, bool answer_begins) const;
    /// The same with tools, a grammar for the answer, and reasoning apart. A chat that has none of
    /// these has the very tokens of render(). Throws as plan_chat() (llama/chat_format.hpp).
    RenderedChat render_chat(const ChatOptions& options) const;

    /// The token whose text this is, if there is one that is just that text; else -1.
    Token token_of(std::string_view text) const;
    /// Compiled, from the model's cache. Throws as llama::Grammar.
    std::shared_ptr<const Grammar> grammar(const std::string& gbnf) const;
    /// What those that go on from a large() one share instead of it.
    std::shared_ptr<const Grammar> renewed(const Grammar& large) const;

    llama_model* handle() const noexcept { return model_.get(); }

private:
    struct Free {
        void operator()(llama_model* model) const noexcept;
    };
    struct Templates;  // of the common library, in templates.hpp
    struct FreeTemplates {
        void operator()(Templates* templates) const noexcept;
    };
    void load_templates();
    void make_grammars();

    std::vector<Token> tokenize_marked(
        const std::string& prompt,
        const std::vector<std::pair<std::string, std::string>>& marks) const;
    struct Rendering {
        bool answer_begins = true;
        bool to_learn = false;
    };
    std::vector<Token> render_as(const std::vector<Turn>& turns, Rendering how) const;
    std::string render_text(const std::vector<Turn>& turns, Rendering how) const;
    bool holds_markup(std::string_view text) const;
    std::vector<Token> render_apart(const std::vector<Turn>& turns, Rendering how) const;

    std::unique_ptr<llama_model, Free> model_;
    std::unique_ptr<DenseWeights> dense_;  // before the tensors that it names
    std::unique_ptr<Templates, FreeTemplates> templates_;
    struct Grammars;  // in model_grammars.cpp
    struct FreeGrammars {
        void operator()(Grammars* grammars) const noexcept;
    };
    std::unique_ptr<Grammars, FreeGrammars> grammars_;
    std::vector<std::string> markup_;  // texts of the control and user-defined tokens
    int vocabulary_ = 0;
    int context_ = 0;
    int dimensions_ = 0;
    bool thinks_ = false;  // its template has a place for reasoning
    bool encoder_only_ = false;
    bool wordpiece_ = false;
    bool cuttable_ = false;
    bool steps_back_ = false;
};

}  // namespace jikji::llama
