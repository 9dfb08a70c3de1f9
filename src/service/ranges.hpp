#pragma once
// The one table of what a client may ask of generation: field, lowest, highest. Threads: any; pure.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::service {

struct Range {
    std::string_view field;
    double low;
    double high;
    bool above_low = false;  // low itself is not allowed
};

/// The range of a field of the table. Requires: the field is in it.
const Range& range_of(std::string_view field);

/// `value`, if it is a number in the field's range; else throws Error(kInvalidArgument) that names
/// field, value and range. NaN and infinities are in no range.
double check_range(std::string_view field, double value);
std::int64_t check_range(std::string_view field, std::int64_t value);

/// At most limits::kStopStrings, none empty, none longer than limits::kStopBytes.
void check_stop(const std::vector<std::string>& stop);

}  // namespace jikji::service
