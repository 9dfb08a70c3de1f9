#pragma once
// A document into pieces that one embedding vector can stand for. Threads: any.
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "knowledge/document.hpp"
#include "knowledge/passage.hpp"

namespace jikji::knowledge {

/// Sizes in tokens of the embedding model, without its special tokens and prefix.
struct SplitOptions {
    int tokens_max = 256;  // E5 was trained on short passages, and its context is 512
    int overlap = 0;       // tokens of the end of a chunk that the next one repeats
};

struct Chunk {
    std::string text;  // letter for letter Document::text from place.begin to place.end
    Place place;
    int tokens = 0;
};

/// Chunks in the order of the text. A chunk never crosses a page or a heading; it ends at a
/// paragraph if it can, else at a sentence, else at a word, and never inside a character. Throws
/// Error(kInvalidArgument) if tokens_max < 1 or overlap is not in 0..tokens_max/2.
std::vector<Chunk> split(const Document& document, const SplitOptions& options,
                         const std::function<int(std::string_view)>& count_tokens);

/// What the embedding model should see of a chunk: its heading path, a line break, its text.
std::string text_to_embed(const std::string& filename, const Chunk& chunk);

}  // namespace jikji::knowledge
