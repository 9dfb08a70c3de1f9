#pragma once
// JSON files of models: read with limits, and asked for fields that may be missing.
#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace jikji::models {

/// Throws Error(kRejected) if it is not one JSON object, is missing, or has more than 64 MB.
boost::json::object read_json_file(const std::filesystem::path& path);

/// The text, or `otherwise` if there is no such field or it is not text.
std::string text_of(const boost::json::object& object, std::string_view field,
                    std::string_view otherwise = {});
/// The same for whole numbers (negative ones count as missing), numbers, and flags.
std::uint64_t number_of(const boost::json::object& object, std::string_view field,
                        std::uint64_t otherwise = 0);
double real_of(const boost::json::object& object, std::string_view field, double otherwise);
bool flag_of(const boost::json::object& object, std::string_view field, bool otherwise);

}  // namespace jikji::models
