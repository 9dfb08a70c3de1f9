// /v1/vector_stores: create, list, show, delete, search.
#include "api/answer_objects.hpp"
#include "api/fields.hpp"
#include "api/services.hpp"
#include "api/vector_store_objects.hpp"
#include "http/router.hpp"

namespace jikji::api {
namespace {

using http::Access;
using http::Call;
using http::Reply;

constexpr int kPage = 20, kPageMax = 100;

Reply create(Services& services, const Call& call) {
    const NewStore fresh = parse_new_store(call);
    for (const std::string& id : fresh.file_ids) services.files.get(id);  // all there, or nothing
    service::Collection store = services.collections.create(fresh.name, fresh.metadata);
    for (const std::string& id : fresh.file_ids)
        services.collections.attach(store.id, id, {}, fresh.chunking);
    if (!fresh.file_ids.empty()) store = services.collections.get(store.id);
    return json_reply(vector_store_json(store));
}

Reply list_stores(Services& services, const Call& call) {
    const auto listed = services.collections.list(read_page(call, kPage, kPageMax));
    json::array data;
    for (const auto& store : listed.items) data.push_back(vector_store_json(store));
    return json_reply(list_json(std::move(data), listed.has_more));
}

Reply change(Services& services, const Call& call) {
    const service::Collection store = services.collections.get(call.parameter("id"));
    const StoreChange wanted = parse_store_change(call);
    constexpr Reason kFixed{"it is given when the store is made and stays",
                            "저장소를 만들 때 정해지고 바뀌지 않습니다"};
    if (wanted.name && *wanted.name != store.name) throw_unsupported("name", kFixed);
    if (wanted.metadata && *wanted.metadata != store.metadata)
        throw_unsupported("metadata", kFixed);
    return json_reply(vector_store_json(store));
}

Reply remove(Services& services, const std::string& id) {
    services.collections.remove(id);
    return json_reply(deleted_json(id, "vector_store.deleted"));
}

json::object hit_json(Services& services, const std::string& store,
                      const knowledge::Passage& passage,
                      std::map<std::string, json::object>& attributes) {
    if (!attributes.contains(passage.file_id)) {
        attributes[passage.file_id] =
            attributes_json(services.collections.file(store, passage.file_id).attributes);
    }
    json::array content;
    content.push_back(json::object{{"type", "text"}, {"text", passage.text}});
    return {{"file_id", passage.file_id},    {"filename", passage.filename},
            {"score", passage.score},        {"attributes", attributes[passage.file_id]},
            {"content", std::move(content)}, {"jikji", place_json(passage)}};
}

Reply search(Services& services, const Call& call) {
    service::SearchRequest request = parse_search(call);
    request.collection_id = call.parameter("id");
    const auto passages = services.collections.search(request);
    std::map<std::string, json::object> attributes;  // a file's hits share them
    json::array data;
    for (const auto& passage : passages)
        data.push_back(hit_json(services, request.collection_id, passage, attributes));
    return json_reply(json::object{{"object", "vector_store.search_results.page"},
                                   {"search_query", json::value_from(request.queries)},
                                   {"data", std::move(data)},
                                   {"has_more", false},
                                   {"next_page", nullptr}});
}

}  // namespace

void add_vector_stores(http::Router& router, Services& services) {
    const std::string all = "/v1/vector_stores";
    const std::string one = all + "/{id}";
    router.add_blocking("POST", all, Access::kKey,
                        [&services](Call& call) { return create(services, call); });
    router.add_blocking("GET", all, Access::kKey,
                        [&services](Call& call) { return list_stores(services, call); });
    router.add_blocking("GET", one, Access::kKey, [&services](Call& call) {
        return json_reply(vector_store_json(services.collections.get(call.parameter("id"))));
    });
    router.add_blocking("POST", one, Access::kKey,
                        [&services](Call& call) { return change(services, call); });
    router.add_blocking("DELETE", one, Access::kKey,
                        [&services](Call& call) { return remove(services, call.parameter("id")); });
    router.add_blocking("POST", one + "/search", Access::kKey,
                        [&services](Call& call) { return search(services, call); });
}

}  // namespace jikji::api
