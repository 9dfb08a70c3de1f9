#pragma once
// A Hugging Face folder (config.json, tokenizer, safetensors) to GGUF, without Python.
// Works for BERT with a WordPiece vocabulary (all-MiniLM, bge, gte, e5 in English). Weights of two
// dimensions become F16, the rest F32, as llama.cpp's own converter does. Threads: any.
#include <filesystem>
#include <string>

namespace jikji::models {

/// Throws Error(kUnsupported) that names what works, if the folder holds another kind of model;
/// Error(kRejected) if a file of it is missing, damaged or disagrees with another; and as
/// GgufWriter::write. `name` becomes general.name.
void import_hugging_face(const std::filesystem::path& folder, const std::filesystem::path& target,
                         const std::string& name);

}  // namespace jikji::models
