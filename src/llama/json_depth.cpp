#include "llama/json_depth.hpp"

namespace jikji::llama {

bool nests_deeper_than(std::string_view text, int most) {
    int depth = 0;
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quoted && text[i] == '\\')
            ++i;
        else if (text[i] == '"')
            quoted = !quoted;
        else if (!quoted && (text[i] == '{' || text[i] == '['))
            ++depth;
        else if (!quoted && (text[i] == '}' || text[i] == ']'))
            --depth;
        if (depth > most) return true;
    }
    return false;
}

}  // namespace jikji::llama
