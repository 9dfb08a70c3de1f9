#pragma once
// What CLI11 knows of a command, as text. Threads: one at a time.
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace jikji::cli {

/// "jikji prompts edit": CLI11 knows only the last word.
std::string way_to(const CLI::App& command);

std::string help_of(const CLI::App& command);

/// Its options, with their dashes, or its commands.
std::vector<std::string> words_of(const CLI::App& command, bool options);

}  // namespace jikji::cli
