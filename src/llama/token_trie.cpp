#include "llama/token_trie.hpp"

#include <algorithm>
#include <limits>

#include "llama/model.hpp"

namespace jikji::llama {

TokenTrie::TokenTrie(const Model& model)
    : vocabulary_(static_cast<std::size_t>(model.vocabulary())) {
    std::vector<std::pair<std::string, std::int32_t>> tokens;
    for (std::int32_t token = 0; token < model.vocabulary(); ++token) {
        if (model.ends_generation(token)) {
            ends_.push_back(token);
            continue;
        }
        std::string piece = model.piece(token);
        if (piece.empty() || piece.size() > std::numeric_limits<std::uint16_t>::max()) continue;
        tokens.emplace_back(std::move(piece), token);
    }
    std::sort(tokens.begin(), tokens.end());
    std::string_view before;
    for (const auto& [piece, token] : tokens) {
        const auto differ = std::mismatch(piece.begin(), piece.end(), before.begin(), before.end());
        entries_.push_back({token, static_cast<std::uint32_t>(bytes_.size()),
                            static_cast<std::uint16_t>(piece.size()),
                            static_cast<std::uint16_t>(differ.first - piece.begin())});
        bytes_ += piece;
        before = piece;
    }
}

}  // namespace jikji::llama
