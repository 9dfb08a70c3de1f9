#pragma once
// How deep a JSON text nests, before a parser that recurses is let near it.
#include <string_view>

namespace jikji::llama {

/// Whether more than `most` objects and arrays stand open at once. Reads no further than that; the
/// text need not be JSON.
bool nests_deeper_than(std::string_view text, int most);

}  // namespace jikji::llama
