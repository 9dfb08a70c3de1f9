#pragma once
// jikji models list | show | add | import | pull | rm. Each function prints its result on standard
// output and returns the exit code (0, or 1 if part of the work failed and was reported). Errors
// that end the command are thrown as jikji::Error; main prints them.
#include <filesystem>
#include <string>
#include <vector>

#include "base/language.hpp"
#include "models/store.hpp"

namespace jikji::cli {

struct ModelsOptions {
    std::filesystem::path folder;  // where models are kept: <data>/models
    std::filesystem::path data;    // where what was measured of them is kept
    Language language = Language::kEnglish;
    bool json = false;   // one JSON document on standard output instead of words
    bool quiet = false;  // no progress
};

/// Installed models, then those of the catalogue that can be pulled.
int models_list(const ModelsOptions& options);

/// One model in words: parameters, quantisation, context, template, memory, whether it fits here.
/// `model` is a name, or a path of a .gguf file. `context` 0: the model's own, 4096 at most.
int models_show(const ModelsOptions& options, const std::string& model, int context = 0);

/// Measures which form of the model's weights is fastest here, and keeps a copy if it is not the
/// published one. `everything`: also forms that cannot win; `background`: only while nobody else
/// computes.
int models_optimise(const ModelsOptions& options, const std::string& model, bool everything,
                    bool background);

/// How well the model predicts the text of a file; empty: a text of our own.
int models_perplexity(const ModelsOptions& options, const std::string& model,
                      const std::filesystem::path& text);

/// Takes in a GGUF file, a model or an adapter of one.
int models_add(const ModelsOptions& options, const std::filesystem::path& file,
               const models::Store::AddOptions& how);

/// Takes in a Hugging Face folder (BERT with safetensors); `name` empty: the folder's name.
int models_import(const ModelsOptions& options, const std::filesystem::path& folder,
                  const std::string& name = {});

/// Fetches models of the catalogue by name; one that is there already is left as it is.
int models_pull(const ModelsOptions& options, const std::vector<std::string>& names);

/// Removes models and says what it removed.
int models_rm(const ModelsOptions& options, const std::vector<std::string>& names);

}  // namespace jikji::cli
