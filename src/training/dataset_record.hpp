#pragma once
// One line of training data: from JSON to a Record. Private to this folder. Threads: any; pure.
#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "training/dataset.hpp"

namespace jikji::training {

/// Where in a file, for people.
struct Place {
    std::string_view file;
    int line = 0;  // from 1; 0 = the file as a whole
};

/// Throws Error(kInvalidArgument, "training_file"): the place, then what is wrong with it.
[[noreturn]] void refuse(const Place& place, std::string_view english, std::string_view korean);

/// Adds "line 12: …" to the notes, unless there are enough.
void note(DataReport& report, int line, std::string_view english, std::string_view korean);

/// "chat", "alpaca", "text", "plain"
std::string_view name_of(DataFormat format);

/// By the fields that it has; nothing if it has none of ours.
std::optional<DataFormat> format_of(const boost::json::object& object);

/// Throws Error(kInvalidArgument) that names the columns and what is wrong.
boost::json::object parse_line(std::string_view text, const Place& place);

/// One, or one for each of a seed task's instances. A record without anything to learn has no turn
/// or text that is. Notes what is not used. Throws as refuse().
std::vector<Record> records_of(const boost::json::object& object, DataFormat format,
                               const Place& place, DataReport& report);

}  // namespace jikji::training
