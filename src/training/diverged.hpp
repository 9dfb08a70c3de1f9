#pragma once
// What ends a run whose numbers have left the range of floats. The same data, values and seed come
// to the same step again: whoever catches it need not try again from a checkpoint. Threads: any.
#include <cstdint>

#include "base/error.hpp"

namespace jikji::training {

/// "training_diverged" as an event; in this process an Error of the learning rate that was given.
class Diverged : public Error {
public:
    using Error::Error;
};

/// What was seen not to be finite, as both languages say it.
struct NotFinite {
    const char* english;
    const char* korean;
    double value;
};

/// Throws Diverged. `step` counts from 1; `learning_rate` is the one that was asked for.
[[noreturn]] void diverged(std::int64_t step, double learning_rate, const NotFinite& what);

}  // namespace jikji::training
