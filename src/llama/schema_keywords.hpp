#pragma once
// Which keywords of JSON Schema mean something, and for which type.
#include <array>
#include <string_view>

namespace jikji::llama {

/// They say nothing about the value.
inline constexpr std::array<std::string_view, 16> kAnnotations = {
    "title",   "description", "default",       "examples",   "$schema",  "$id",
    "$defs",   "definitions", "$comment",      "deprecated", "readOnly", "writeOnly",
    "$anchor", "example",     "discriminator", "strict"};

inline constexpr std::array<std::string_view, 3> kOfObjects = {"properties", "required",
                                                               "additionalProperties"};
inline constexpr std::array<std::string_view, 5> kOfArrays = {"items", "prefixItems", "minItems",
                                                              "maxItems", "uniqueItems"};
inline constexpr std::array<std::string_view, 4> kOfStrings = {"minLength", "maxLength", "pattern",
                                                               "format"};
inline constexpr std::array<std::string_view, 4> kOfNumbers = {
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"};

template <std::size_t N>
bool is_in(const std::array<std::string_view, N>& list, std::string_view word) {
    for (const std::string_view each : list) {
        if (each == word) return true;
    }
    return false;
}

}  // namespace jikji::llama
