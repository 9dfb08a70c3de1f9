#pragma once
// A WordPiece vocabulary (BERT) from a Hugging Face folder. Threads: any.
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace jikji::models {

struct WordPiece {
    std::vector<std::string> tokens;  // by id, as the folder writes them ("##ing")
    std::vector<bool> special;        // [CLS] and the like, which text must not spell
    bool lowercase = true;
    bool strip_accents = true;

    /// The id, or -1.
    std::int64_t find(const std::string& token) const;
};

/// From tokenizer.json, else vocab.txt. Throws Error(kUnsupported) if it is another kind of
/// tokenizer, Error(kRejected) if it is damaged.
WordPiece read_word_piece(const std::filesystem::path& folder);

}  // namespace jikji::models
