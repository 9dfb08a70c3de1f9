#pragma once
// Fields of a line of training data, and OpenAI's chat shape. Private to this folder.
// Threads: any; pure.
#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "training/dataset_record.hpp"

namespace jikji::training {

/// "a text", "a number", "null": for people.
std::string_view kind_of(const boost::json::value& value);

/// `path` stands before the name in what people read: "instances[0].". All throw as refuse().
std::string text_at(const boost::json::object& object, std::string_view name, std::string_view path,
                    const Place& place);
/// Empty if it is missing or null.
std::string optional_text_at(const boost::json::object& object, std::string_view name,
                             std::string_view path, const Place& place);
const boost::json::object& object_of(const boost::json::value& value, std::string_view path,
                                     const Place& place);

/// {"messages": [{"role", "content"[, "weight"]}, …]}
Record chat_record(const boost::json::object& object, const Place& place, DataReport& report);

}  // namespace jikji::training
