#pragma once
// JSON as text, with numbers as people write them: Boost.JSON would say 7E-1 for 0.7.
// Threads: any; pure.
#include <boost/json/value.hpp>
#include <string>

#include "http/reply.hpp"

namespace jikji::api {

/// Shortest digits that give the same double back; one that is not finite becomes null.
std::string json_text(const boost::json::value& value);

http::Reply json_reply(const boost::json::value& value);

}  // namespace jikji::api
