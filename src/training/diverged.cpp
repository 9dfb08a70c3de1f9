#include "training/diverged.hpp"

#include <fmt/format.h>

namespace jikji::training {
namespace {

constexpr double kSmaller = 10;  // parts of the rate to try next

}  // namespace

void diverged(std::int64_t step, double learning_rate, const NotFinite& what) {
    throw Diverged(
        ErrorCode::kInvalidArgument,
        fmt::format("training has diverged: the {} of step {} is not finite ({}); learning_rate "
                    "is {}: start a new job with a smaller one, such as {:.2g}",
                    what.english, step, what.value, learning_rate, learning_rate / kSmaller),
        "learning_rate",
        fmt::format("학습이 발산했습니다. {}단계의 {}이(가) 유한하지 않습니다(값: {}). "
                    "learning_rate가 {}입니다. {:.2g}처럼 더 작은 값으로 새 작업을 시작하세요.",
                    step, what.korean, what.value, learning_rate, learning_rate / kSmaller));
}

}  // namespace jikji::training
