#pragma once
// What vector stores accept. Each throws Error(kInvalidArgument) with the field as OpenAI's API
// names it. Threads: any.
#include <map>
#include <string>

#include "service/collections.hpp"

namespace jikji::service {

void check_name(const std::string& name);
void check_limit(int limit);                   // of a list
void check_status(const std::string& status);  // a filter; empty = all
void check_metadata(const std::map<std::string, std::string>& metadata);
void check_attributes(const std::map<std::string, Attribute>& attributes);
void check_chunking(const Chunking& chunking);
void check_search(const SearchRequest& request);

}  // namespace jikji::service
