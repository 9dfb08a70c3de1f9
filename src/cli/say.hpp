#pragma once
// What people read on a terminal. Threads: one at a time.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/language.hpp"

namespace jikji::cli {

/// `text` without the control characters that could paint a terminal; line feeds and tabs stay.
/// Documents and models are not to be trusted with a terminal.
std::string for_terminal(std::string_view text);

/// Writes to standard output; through for_terminal() if that is a terminal.
void print(std::string_view text);
/// A line on standard error.
void tell(std::string_view line);
void tell(Language language, std::string_view english, std::string_view korean);

/// The message of an error in the language, with a lead-in.
void tell_error(Language language, const std::exception& cause);

bool on_terminal(int descriptor);

}  // namespace jikji::cli
