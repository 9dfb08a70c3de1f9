#include "llama/quantise.hpp"

#include <ggml.h>

#include "base/error.hpp"

namespace jikji::llama {

bool can_quantise(int type) {
    switch (type) {
        case GGML_TYPE_F32:
        case GGML_TYPE_F16:
        case GGML_TYPE_BF16:
        case GGML_TYPE_Q4_0:
        case GGML_TYPE_Q4_1:
        case GGML_TYPE_Q5_0:
        case GGML_TYPE_Q5_1:
        case GGML_TYPE_Q8_0:
        case GGML_TYPE_Q4_K:
        case GGML_TYPE_Q5_K:
        case GGML_TYPE_Q6_K: return true;
        default: return false;
    }
}

void quantise(int type, const float* values, int rows, int columns, std::string& out) {
    JIKJI_CHECK(can_quantise(type));
    const auto wanted = static_cast<ggml_type>(type);
    JIKJI_CHECK(columns % ggml_blck_size(wanted) == 0);
    const std::size_t at = out.size();
    const std::size_t bytes = static_cast<std::size_t>(rows) * ggml_row_size(wanted, columns);
    out.resize(at + bytes);
    JIKJI_CHECK(ggml_quantize_chunk(wanted, values, out.data() + at, 0, rows, columns, nullptr) ==
                bytes);
}

}  // namespace jikji::llama
