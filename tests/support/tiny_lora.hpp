#pragma once
// A LoRA adapter with a value of its own in every place, for tests of its files.
#include <random>

#include "training/base_model.hpp"
#include "training/lora.hpp"

namespace jikji::tests {

/// Two layers, 2 heads of 4 values on 1 head of keys.
inline training::Shape small_shape() {
    training::Shape shape;
    shape.layers = 2;
    shape.width = 8;
    shape.feed = 12;
    shape.heads = 2;
    shape.kv_heads = 1;
    shape.head = 4;
    shape.rope_values = 4;
    return shape;
}

inline training::Lora filled_lora(const training::Shape& shape, training::LoraOptions options,
                                  float spread = 1) {
    training::Lora lora(shape, std::move(options));
    std::mt19937 random(11);
    std::uniform_real_distribution<float> uniform(-spread, spread);
    for (float& value : lora.values()) value = uniform(random);
    return lora;
}

inline training::Lora filled_lora(const training::Shape& shape) {
    using training::Module;
    return filled_lora(shape, {.rank = 2,
                               .alpha = 4,
                               .dropout = 0.05F,
                               .targets = {Module::kQ, Module::kK, Module::kDown}});
}

}  // namespace jikji::tests
