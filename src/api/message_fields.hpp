#pragma once
// `messages` of a chat request: roles, text parts, calls of tools and what came of them.
// Everything throws Error with the field's path. Threads: any; pure.
#include <vector>

#include "engine/request.hpp"
#include "http/json.hpp"

namespace jikji::api {

/// At least one message, or none at all if `may_be_empty` and the field is absent. A tool message
/// answers a call that an assistant message before it has made; the arguments of such a call are
/// one JSON object as text ("" counts as {}).
std::vector<engine::Message> read_messages(http::Fields& fields, bool may_be_empty);

}  // namespace jikji::api
