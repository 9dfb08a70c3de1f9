#pragma once
// jikji models export-adapter | import-adapter | merge-adapter, and what list and show say of
// adapters. Results and errors as command_models.hpp.
#include <filesystem>
#include <string>

#include "cli/command_models.hpp"

namespace jikji::cli {

/// `format`: "peft" or "gguf".
int models_export_adapter(const ModelsOptions& options, const std::string& name,
                          const std::string& format, const std::filesystem::path& to);

/// A PEFT folder; `name` empty: the folder's name.
int models_import_adapter(const ModelsOptions& options, const std::filesystem::path& folder,
                          const std::string& base, const std::string& name);

/// `to`: the name of the new model. Ctrl-C stops it, and nothing stays behind.
int models_merge_adapter(const ModelsOptions& options, const std::string& adapter,
                         const std::string& to, const std::string& type);

/// Nothing is said, and false returned, unless `model` is an adapter: installed, of a finished job
/// (ft:… or the job's id), or a .gguf file.
bool show_if_adapter(const ModelsOptions& options, const std::string& model);

}  // namespace jikji::cli
