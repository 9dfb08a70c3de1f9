#pragma once
// Rules that begin with themselves, for which the automaton would push for ever, and grammars whose
// texts never end.
#include "llama/gbnf.hpp"

namespace jikji::llama {

/// A rule that can begin with itself with something left to do after that, or -1. A rule that ends
/// with itself, as those of repetitions do, pushes nothing and is no danger, even if what stands
/// before can be empty.
int left_recursive_rule(const GbnfRules& rules);

/// Whether some text of the root is finite: `root ::= "a" root` has none.
bool root_can_end(const GbnfRules& rules);

}  // namespace jikji::llama
