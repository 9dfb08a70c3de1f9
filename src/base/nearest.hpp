#pragma once
// "Did you mean": the known word that is nearest to one that is not known. Threads: any; pure.
#include <span>
#include <string>
#include <string_view>

namespace jikji {

/// Letters (bytes) to change, add, drop or swap with a neighbour.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The nearest of `known` if it is near enough to be meant (a third of the letters, at least 1);
/// empty if none is. Ties: the first.
std::string nearest(std::string_view word, std::span<const std::string> known);

}  // namespace jikji
