#include "service/collections.hpp"

#include <fmt/format.h>

#include <ctime>
#include <mutex>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "knowledge/retriever.hpp"
#include "service/collection_checks.hpp"
#include "service/ingestion.hpp"
#include "storage/chunks_table.hpp"
#include "storage/collection_files_table.hpp"
#include "storage/collections_table.hpp"
#include "storage/database.hpp"
#include "storage/files_table.hpp"

namespace jikji::service {
using storage::CollectionFileKey;
using storage::CollectionFilesTable;
using storage::CollectionsTable;
using storage::Connection;

namespace {

constexpr int kAutoTokens = 800, kAutoOverlap = 400;  // what OpenAI's "auto" reads as
constexpr std::int64_t kActiveSeconds = 60;  // last_active_at is no finer: it costs a synced write

Error no_collection(const std::string& id) {
    const std::string shown = printable(id);
    return {ErrorCode::kNotFound, fmt::format("there is no vector store '{}'", shown),
            "vector_store_id", fmt::format("'{}' 문서 모음이 없습니다.", shown)};
}

Error no_file(const std::string& id, bool in_collection) {
    const std::string shown = printable(id);
    return {
        ErrorCode::kNotFound,
        fmt::format("there is no file '{}'{}", shown, in_collection ? " in this vector store" : ""),
        "file_id",
        fmt::format("{}'{}' 파일이 없습니다.", in_collection ? "이 문서 모음에 " : "", shown)};
}

Collection collection_of(const storage::CollectionRow& row) {
    Collection out;
    out.id = row.id;
    out.name = row.name;
    out.created_at = row.created_at;
    out.usage_bytes = row.usage_bytes;
    out.last_active_at = row.last_active_at;
    out.metadata = row.metadata;
    out.files = {row.in_progress, row.completed, row.failed, row.cancelled,
                 row.in_progress + row.completed + row.failed + row.cancelled};
    return out;
}

CollectionFile file_of(const storage::CollectionFileRow& row) {
    CollectionFile out;
    out.file_id = row.file_id;
    out.collection_id = row.collection_id;
    out.filename = row.filename;
    out.created_at = row.created_at;
    out.usage_bytes = row.usage_bytes;
    out.status = row.status;
    out.error_code = row.error_code;
    out.error_message = row.error_message;
    out.error_korean = row.error_korean;
    out.attributes = row.attributes;
    const bool automatic = row.chunk_tokens == 0;
    out.chunk_tokens = automatic ? kAutoTokens : row.chunk_tokens;
    out.chunk_overlap = automatic ? kAutoOverlap : row.chunk_overlap;
    out.chunks = row.chunks;
    out.progress = row.status == "completed" ? 1 : 0;
    return out;
}

storage::PageRequest page_request(const Page& page) {
    check_limit(page.limit);
    return {page.after, page.limit, page.ascending};
}

}  // namespace

class Collections::Impl {
public:
    Impl(storage::Database& database, Files& files, Encoder encoder)
        : database_(database),
          files_(files),
          encoder_(std::move(encoder)),
          retriever_(database),
          ingestion_(database, files, encoder_, retriever_, index_mutex_) {
        files_.when_removed([this](const Files::Removal& removal) {
            ingestion_.drop(removal.collection_id, removal.file_id);
            const std::lock_guard lock(index_mutex_);
            retriever_.removed(removal.collection_id, removal.chunks);
        });
    }
    ~Impl() { files_.when_removed({}); }

    Collection create(const std::string& name, const std::map<std::string, std::string>& metadata,
                      bool reuse);
    Collection get(const std::string& id) const;
    Listed<Collection> list(const Page& page) const;
    void remove(const std::string& id);
    CollectionFile attach(const storage::CollectionFileRow& wanted);
    CollectionFile file(const CollectionFileKey& key) const;
    Listed<CollectionFile> files(const std::string& collection_id, const Page& page,
                                 const std::string& status) const;
    void detach(const CollectionFileKey& key);
    std::vector<knowledge::Passage> search(const SearchRequest& request);

private:
    storage::CollectionRow require(Connection& connection, const std::string& id) const;
    void require_model(const storage::CollectionRow& row) const;
    void take_model(Connection& connection, const storage::CollectionRow& row) const;
    CollectionFile with_progress(CollectionFile file) const;
    void touch(const std::string& id, std::int64_t last_active_at);

    storage::Database& database_;
    Files& files_;
    Encoder encoder_;
    // Held over a commit that changes chunks and the retriever's hearing of it, so that it hears
    // of them in the order in which they happened.
    std::mutex index_mutex_;
    knowledge::Retriever retriever_;
    Ingestion ingestion_;
};

storage::CollectionRow Collections::Impl::require(Connection& connection,
                                                  const std::string& id) const {
    auto row = CollectionsTable(connection).get(id);
    if (!row) throw no_collection(id);
    return *row;
}

void Collections::Impl::require_model(const storage::CollectionRow& row) const {
    if (row.embedding_model == encoder_.model) return;
    throw Error(ErrorCode::kConflict,
                fmt::format("vector store '{}' was made with the embedding model {}, and the "
                            "server runs {}: start it with that model, or make a new vector store",
                            row.id, row.embedding_model, encoder_.model),
                "vector_store_id",
                fmt::format("'{}' 문서 모음은 임베딩 모델 {}(으)로 만들었는데 서버는 {}을(를) 쓰고 "
                            "있습니다. 그 모델로 서버를 시작하거나 문서 모음을 새로 만드세요.",
                            row.id, row.embedding_model, encoder_.model));
}

// A collection that has no files yet takes the model of the day.
void Collections::Impl::take_model(Connection& connection,
                                   const storage::CollectionRow& row) const {
    if (row.embedding_model == encoder_.model) return;
    if (row.in_progress + row.completed + row.failed + row.cancelled > 0) require_model(row);
    CollectionsTable(connection).set_embedding_model(row.id, encoder_.model);
}

Collection Collections::Impl::create(const std::string& name,
                                     const std::map<std::string, std::string>& metadata,
                                     bool reuse) {
    check_name(name);
    check_metadata(metadata);
    storage::CollectionRow row;
    row.id = make_id("vs_");
    row.name = name;
    row.created_at = row.last_active_at = std::time(nullptr);
    row.embedding_model = encoder_.model;
    row.metadata = metadata;
    database_.write([&](Connection& connection) {
        CollectionsTable collections(connection);
        const auto known = reuse ? collections.find_by_name(name) : std::nullopt;
        if (known) {
            row = *known;
        } else {
            collections.insert(row);
        }
    });
    return collection_of(row);
}

Collection Collections::Impl::get(const std::string& id) const {
    Collection out;
    database_.read([&](Connection& connection) { out = collection_of(require(connection, id)); });
    return out;
}

Listed<Collection> Collections::Impl::list(const Page& page) const {
    Listed<Collection> out;
    database_.read([&](Connection& connection) {
        const auto rows = CollectionsTable(connection).list(page_request(page));
        for (const auto& row : rows.rows) out.items.push_back(collection_of(row));
        out.has_more = rows.has_more;
    });
    return out;
}

void Collections::Impl::remove(const std::string& id) {
    ingestion_.drop(id, {});
    const std::lock_guard lock(index_mutex_);
    database_.write([&](Connection& connection) {
        if (!CollectionsTable(connection).remove(id)) throw no_collection(id);
    });
    retriever_.forget(id);
}

CollectionFile Collections::Impl::attach(const storage::CollectionFileRow& wanted) {
    const CollectionFileKey key{wanted.collection_id, wanted.file_id};
    std::vector<std::int64_t> gone;
    const std::lock_guard lock(index_mutex_);
    database_.write([&](Connection& connection) {
        take_model(connection, require(connection, key.collection_id));
        if (!storage::FilesTable(connection).get(key.file_id)) throw no_file(key.file_id, false);
        CollectionFilesTable files(connection);
        CollectionsTable(connection).touch(key.collection_id, wanted.created_at);
        const auto known = files.get(key);
        if (!known) return files.insert(wanted);
        files.set_attributes(key, wanted.attributes);
        const bool same = known->chunk_tokens == wanted.chunk_tokens &&
                          known->chunk_overlap == wanted.chunk_overlap;
        if (same && (known->status == "completed" || known->status == "in_progress")) return;
        gone = storage::ChunksTable(connection).ids_of(key.collection_id, key.file_id);
        files.queue_again(key, wanted.chunk_tokens, wanted.chunk_overlap);
    });
    if (!gone.empty()) retriever_.removed(key.collection_id, gone);
    ingestion_.wake();
    return file(key);
}

CollectionFile Collections::Impl::with_progress(CollectionFile file) const {
    if (file.status == "in_progress") {
        file.progress = ingestion_.progress({file.collection_id, file.file_id});
    }
    return file;
}

CollectionFile Collections::Impl::file(const CollectionFileKey& key) const {
    CollectionFile out;
    database_.read([&](Connection& connection) {
        require(connection, key.collection_id);
        const auto row = CollectionFilesTable(connection).get(key);
        if (!row) throw no_file(key.file_id, true);
        out = file_of(*row);
    });
    return with_progress(out);
}

Listed<CollectionFile> Collections::Impl::files(const std::string& collection_id, const Page& page,
                                                const std::string& status) const {
    check_status(status);
    Listed<CollectionFile> out;
    database_.read([&](Connection& connection) {
        require(connection, collection_id);
        const auto rows =
            CollectionFilesTable(connection).list(collection_id, page_request(page), status);
        for (const auto& row : rows.rows) out.items.push_back(with_progress(file_of(row)));
        out.has_more = rows.has_more;
    });
    return out;
}

void Collections::Impl::detach(const CollectionFileKey& key) {
    ingestion_.drop(key.collection_id, key.file_id);
    std::vector<std::int64_t> gone;
    const std::lock_guard lock(index_mutex_);
    database_.write([&](Connection& connection) {
        require(connection, key.collection_id);
        gone = storage::ChunksTable(connection).ids_of(key.collection_id, key.file_id);
        if (!CollectionFilesTable(connection).remove(key)) throw no_file(key.file_id, true);
    });
    retriever_.removed(key.collection_id, gone);
}

void Collections::Impl::touch(const std::string& id, std::int64_t last_active_at) {
    const std::int64_t now = std::time(nullptr);
    if (now - last_active_at < kActiveSeconds) return;
    try {
        database_.write(
            [&](Connection& connection) { CollectionsTable(connection).touch(id, now); });
    } catch (const Error& error) {  // a search goes on while the disk is full
        log_warn(fmt::format("last_active_at of {}: {}", id, error.what()));
    }
}

std::vector<knowledge::Passage> Collections::Impl::search(const SearchRequest& request) {
    check_search(request);
    storage::CollectionRow row;
    database_.read(
        [&](Connection& connection) { row = require(connection, request.collection_id); });
    if (row.completed == 0) return {};
    require_model(row);
    const auto vectors = encoder_.embed(request.queries, engine::Side::kQuery, request.caller);
    JIKJI_CHECK(vectors.size() == request.queries.size());
    std::vector<knowledge::Question> questions;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        questions.push_back({request.queries[i], vectors[i]});
    }
    auto passages = retriever_.search(request.collection_id, questions, request.results_max);
    std::erase_if(passages, [&](const auto& passage) { return passage.score < request.score_min; });
    touch(row.id, row.last_active_at);
    return passages;
}

Collections::Collections(storage::Database& database, Files& files, Encoder encoder)
    : impl_(std::make_unique<Impl>(database, files, std::move(encoder))) {}

Collections::~Collections() = default;

Collection Collections::create(const std::string& name,
                               const std::map<std::string, std::string>& metadata) {
    return impl_->create(name, metadata, /*reuse=*/false);
}

Collection Collections::get(const std::string& id) const { return impl_->get(id); }

Collection Collections::get_or_create(const std::string& name) {
    return impl_->create(name, {}, /*reuse=*/true);
}

Listed<Collection> Collections::list(const Page& page) const { return impl_->list(page); }

void Collections::remove(const std::string& id) { impl_->remove(id); }

CollectionFile Collections::attach(const std::string& collection_id, const std::string& file_id,
                                   const std::map<std::string, Attribute>& attributes,
                                   const Chunking& chunking) {
    check_attributes(attributes);
    check_chunking(chunking);
    storage::CollectionFileRow row;
    row.collection_id = collection_id;
    row.file_id = file_id;
    row.created_at = std::time(nullptr);
    row.chunk_tokens = chunking.tokens_max;
    row.chunk_overlap = chunking.overlap;
    row.attributes = attributes;
    return impl_->attach(row);
}

CollectionFile Collections::file(const std::string& collection_id,
                                 const std::string& file_id) const {
    return impl_->file({collection_id, file_id});
}

Listed<CollectionFile> Collections::files(const std::string& collection_id, const Page& page,
                                          const std::string& status) const {
    return impl_->files(collection_id, page, status);
}

void Collections::detach(const std::string& collection_id, const std::string& file_id) {
    impl_->detach({collection_id, file_id});
}

std::vector<knowledge::Passage> Collections::search(const SearchRequest& request) {
    return impl_->search(request);
}

}  // namespace jikji::service
