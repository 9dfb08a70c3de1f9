#pragma once
// JSON as the commands read and write it. What the server sends is trusted to have the documented
// shape; a member that is missing reads as empty. Threads: any; pure.
#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cli/options.hpp"
#include "http/client.hpp"

namespace jikji::cli {

namespace json = boost::json;

json::object parse_object(std::string_view text);  // throws Error(kInternal)

std::string text_at(const json::object& object, std::string_view name);
double number_at(const json::object& object, std::string_view name, double otherwise = 0);
bool flag_at(const json::object& object, std::string_view name);
const json::array& list_at(const json::object& object, std::string_view name);
const json::object& object_at(const json::object& object, std::string_view name);

/// For one segment of a path: everything but unreserved characters as %XX (RFC 3986).
std::string percent_encoded(std::string_view text);

/// Indented by two spaces, objects in the order in which they came, a line feed at the end.
std::string pretty(const json::value& value);

/// Every item of an OpenAI list, page by page. `path` has no query.
std::vector<json::object> all_items(http::Client& client, const std::string& path);

/// The id of the vector store with that name; empty if there is none.
std::string find_collection(http::Client& client, const std::string& name);

/// What the flags say; where they are silent, the server's settings of S2, and an empty model,
/// which is its default chat model.
void put_generation(json::object& body, const json::object& settings, const GenerationFlags& flags);
/// Only what the flags say: model, sampling, prompt, use_cache.
void put_flags(json::object& body, const GenerationFlags& flags);

}  // namespace jikji::cli
