// The grammars of a model: compiled once for each text, with the vocabulary that they mark.
#include "llama/grammar.hpp"
#include "llama/model.hpp"

namespace jikji::llama {

struct Model::Grammars {
    std::once_flag once;
    std::shared_ptr<const TokenTrie> trie;  // made for the first grammar: it takes 50 ms
    GrammarCache cache;
};

void Model::FreeGrammars::operator()(Grammars* grammars) const noexcept { delete grammars; }

void Model::make_grammars() { grammars_.reset(new Grammars); }

Token Model::token_of(std::string_view text) const {
    const std::vector<Token> tokens = tokenize(text, /*whole=*/false, /*special=*/true);
    return tokens.size() == 1 && piece(tokens[0], true) == text ? tokens[0] : -1;
}

std::shared_ptr<const Grammar> Model::grammar(const std::string& gbnf) const {
    std::call_once(grammars_->once,
                   [&] { grammars_->trie = std::make_shared<const TokenTrie>(*this); });
    return grammars_->cache.get(
        gbnf, [&](std::string_view text) { return token_of(text); }, grammars_->trie);
}

std::shared_ptr<const Grammar> Model::renewed(const Grammar& large) const {
    return grammars_->cache.renewed(large);
}

}  // namespace jikji::llama
