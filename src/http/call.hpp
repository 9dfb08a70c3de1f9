#pragma once
// One request, as a handler sees it. Threads: belongs to one handler at a time.
#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/language.hpp"

namespace jikji::http {

/// Names with values, in the order they came. Names may repeat.
class Pairs {
public:
    void add(std::string name, std::string value) {
        items_.emplace_back(std::move(name), std::move(value));
    }
    /// The first value of that name (exact spelling), or nothing.
    std::optional<std::string> find(std::string_view name) const;
    /// Every value of `name` and of `name[]`, which is how the SDKs send lists.
    std::vector<std::string> all(std::string_view name) const;
    /// What came as `name[key]=value`, which is how the SDKs send maps.
    std::vector<std::pair<std::string, std::string>> map(std::string_view name) const;
    const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

private:
    std::vector<std::pair<std::string, std::string>> items_;
};

/// A file that came by multipart/form-data and now lies on disk. Removed with this object unless
/// the handler moved it elsewhere. Move-only.
class UploadedFile {
public:
    UploadedFile() = default;
    UploadedFile(UploadedFile&& other) noexcept;
    UploadedFile& operator=(UploadedFile&& other) noexcept;
    ~UploadedFile();

    std::string field;         // the form field's name
    std::string filename;      // as the client says: never use it as a path
    std::string content_type;  // as the client says; may be empty
    std::filesystem::path path;
    std::uint64_t bytes = 0;
};

/// A multipart/form-data body: small fields in memory, files on disk.
struct Form {
    Pairs fields;
    std::vector<UploadedFile> files;
    const UploadedFile* file(std::string_view field) const;  // null if absent
};

/// Percent-decoding (RFC 3986, 2.1). Nothing if an escape is broken, or if what it decodes to is
/// not UTF-8 or holds a control byte. `plus_is_space` is for queries.
std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_space = false);
/// Every byte outside A-Z a-z 0-9 - . _ ~ escaped.
std::string percent_encoded(std::string_view text);

struct Call {
    std::string method;  // GET, POST, …
    std::string path;    // raw: as it came, without the query
    Pairs parameters;    // {id} of the route's pattern, decoded
    Pairs query;         // decoded
    Pairs headers;       // names in lower case
    std::string body;
    std::optional<Form> form;  // upload routes only

    std::string request_id;  // req_…, also in the answer's x-request-id
    Language language = Language::kEnglish;
    std::string peer;       // address of the client
    std::string tenant;     // owner of what the request touches; "local" while there is one
    std::string principal;  // who asks: "local", or key_ and the start of the key's hash
    std::chrono::steady_clock::time_point start;

    /// A parameter of the route's pattern. Requires: the pattern has it.
    std::string parameter(std::string_view name) const;
    /// A header by its lower-case name; empty if absent.
    std::string header(std::string_view name) const;

    /// False once the client has left: long blocking handlers poll it. Any thread.
    bool wanted() const { return !left->load(std::memory_order_relaxed); }
    std::shared_ptr<std::atomic<bool>> left = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace jikji::http
