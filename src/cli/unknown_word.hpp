#pragma once
// What is said of a word on the command line that means nothing there. Threads: any; pure.
#include <string>
#include <vector>

#include "base/language.hpp"

namespace jikji::cli {

/// `known`: the options, or the commands, that could have been typed; empty: none could. A word
/// that begins with '-' is taken for an option, up to its '='.
std::string unknown_word_text(Language language, const std::string& word,
                              const std::vector<std::string>& known);

}  // namespace jikji::cli
