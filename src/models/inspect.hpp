#pragma once
// What a model file is, how much memory it needs, and whether this machine has it. Threads: any.
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/language.hpp"
#include "models/gguf.hpp"

namespace jikji::models {

struct ModelFacts {
    std::string name;          // general.name
    std::string architecture;  // "llama"
    std::string license;
    std::string quantisation;                          // "Q4_1": the type that most weights have
    std::map<std::string, std::uint64_t> type_values;  // weights by type
    std::uint64_t parameters = 0;
    std::uint64_t weight_bytes = 0;
    std::uint64_t context_trained = 0;  // tokens
    std::uint64_t layers = 0;
    std::uint64_t embedding_length = 0;
    std::uint64_t feed_forward_length = 0;
    std::uint64_t vocabulary = 0;
    std::uint64_t cache_bytes_per_token = 0;
    bool embedding = false;
    bool chat_template = false;
};

ModelFacts facts_of(const Gguf& gguf);

/// Whether models of this architecture make vectors, not text.
bool is_embedding_architecture(std::string_view architecture);

/// Memory at a context of that many tokens, one sequence, all on the CPU:
///   weights   the bytes of all tensors
///   cache     context x sum over layers of key/value heads x (key + value length) x 2 (F16);
///             none for embedding models; sliding windows are not deducted
///   working   512 tokens (a batch) x 4 bytes x (vocabulary + 4 x embedding + 2 x feed-forward),
///             without the vocabulary for embedding models, and 64 MB for the program
struct MemoryNeed {
    std::uint64_t weights = 0;
    std::uint64_t cache = 0;
    std::uint64_t working = 0;
    std::uint64_t total() const { return weights + cache + working; }
};
MemoryNeed memory_at(const ModelFacts& facts, std::uint64_t context);

/// A few lines for people. `available`: bytes, 0 if unknown.
std::string describe(const ModelFacts& facts, std::uint64_t context, std::uint64_t available,
                     Language language);

}  // namespace jikji::models
