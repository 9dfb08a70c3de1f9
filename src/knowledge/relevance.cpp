#include <cmath>

#include "knowledge/grounding.hpp"

namespace jikji::knowledge {

bool is_relevant(const Passage& passage) {
    return passage.similarity + 0.2 * passage.keywords > 0.9;
}

}  // namespace jikji::knowledge
