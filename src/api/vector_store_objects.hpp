#pragma once
// Objects and bodies of /v1/vector_stores. Threads: any; pure.
#include <map>
#include <string>
#include <vector>

#include "api/objects.hpp"
#include "base/language.hpp"
#include "http/call.hpp"
#include "service/collections.hpp"

namespace jikji::api {

json::object vector_store_json(const service::Collection& store);
/// `language`: of last_error's message.
json::object vector_store_file_json(const service::CollectionFile& file, Language language);
json::object attributes_json(const std::map<std::string, service::Attribute>& attributes);

struct NewStore {
    std::string name;
    std::map<std::string, std::string> metadata;
    std::vector<std::string> file_ids;
    service::Chunking chunking;
};
NewStore parse_new_store(const http::Call& call);

struct StoreChange {
    std::optional<std::string> name;
    std::optional<std::map<std::string, std::string>> metadata;
};
StoreChange parse_store_change(const http::Call& call);

struct Attachment {
    std::string file_id;
    std::map<std::string, service::Attribute> attributes;
    service::Chunking chunking;
};
Attachment parse_attachment(const http::Call& call);

/// collection_id stays empty.
service::SearchRequest parse_search(const http::Call& call);

}  // namespace jikji::api
