#pragma once
// SentencePiece's "precompiled charsmap", in which a GGUF file carries how text is normalised
// before it is cut into tokens: a double array over UTF-8 bytes (XOR-compressed; Kanda 2018), then
// the replacements. Written from the layout that llama.cpp reads. Threads: any.
#include <map>
#include <string>

namespace jikji::models {

/// `replacements`: what stands for what; keys must not be empty nor hold a zero byte.
/// Throws Error(kTooLarge) if the table does not fit the format (some two million bytes of keys).
std::string make_charsmap(const std::map<std::string, std::string>& replacements);

}  // namespace jikji::models
