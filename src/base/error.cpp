#include "base/error.hpp"

#include <fmt/format.h>

namespace jikji {

void check_failed(const char* expression, const char* file, int line) {
    throw Error(ErrorCode::kInternal,
                fmt::format("check failed: {} at {}:{}", expression, file, line));
}

}  // namespace jikji
