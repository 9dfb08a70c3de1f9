#include "service/ingestion.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/error.hpp"
#include "base/log.hpp"
#include "knowledge/reader.hpp"
#include "storage/chunks_table.hpp"
#include "storage/database.hpp"

namespace jikji::service {
using namespace std::chrono_literals;
using storage::CollectionFileKey;
using storage::CollectionFilesTable;
using storage::Connection;

namespace {

constexpr int kAttempts = 3;              // tries that a file has, crashes included
constexpr std::size_t kTextsAtOnce = 16;  // between two looks at whether we are still wanted
constexpr int kTokensMax = 480;           // of E5's 512, less its specials, prefix and the heading
constexpr int kPatience = 150;            // waits for a busy engine before a file is given up
constexpr auto kRetryAfter = 5s;          // the database did not let us work

/// A tenant of our own: it takes its turn beside whoever asks, and its vectors tell nobody what
/// stands in the documents.
Caller ourselves() { return {.tenant = "documents"}; }

CollectionFileKey key_of(const storage::CollectionFileRow& row) {
    return {row.collection_id, row.file_id};
}

knowledge::SplitOptions split_options(const storage::CollectionFileRow& row) {
    if (row.chunk_tokens == 0) return {};
    const int tokens = std::min(row.chunk_tokens, kTokensMax);
    return {.tokens_max = tokens, .overlap = std::min(row.chunk_overlap, tokens / 2)};
}

storage::FileFailure failure_of(const Error& error, const std::string& filename) {
    storage::FileFailure out{"server_error", error.what(), error.korean()};
    if (error.code() == ErrorCode::kRejected || error.code() == ErrorCode::kTooLarge) {
        out.code = knowledge::is_readable(filename) ? "invalid_file" : "unsupported_file";
    }
    if (error.code() == ErrorCode::kInternal) {
        log_error({}, fmt::format("taking in {}: {}", filename, error.what()));
        out.message = "internal error; the log says more";
        out.korean = "내부 오류입니다. 자세한 내용은 로그에 있습니다.";
    }
    return out;
}

storage::FileFailure three_strikes() {
    return {"server_error",
            fmt::format("the program ended {} times while it read this file; it is left out",
                        kAttempts),
            fmt::format("이 파일을 읽는 동안 프로그램이 {}번 멈춰서 제외했습니다.", kAttempts)};
}

[[noreturn]] void throw_cancelled() {
    throw Error(ErrorCode::kCancelled, "the file is no longer wanted");
}

}  // namespace

Ingestion::Ingestion(storage::Database& database, Files& files, Encoder encoder,
                     knowledge::Retriever& retriever, std::mutex& index_mutex)
    : database_(database),
      files_(files),
      encoder_(std::move(encoder)),
      retriever_(retriever),
      index_mutex_(index_mutex),
      thread_([this] { run(); }) {}

Ingestion::~Ingestion() {
    {
        const std::lock_guard lock(mutex_);
        stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Ingestion::wake() {
    {
        const std::lock_guard lock(mutex_);
        woken_ = true;
    }
    changed_.notify_all();
}

void Ingestion::drop(const std::string& collection_id, const std::string& file_id) {
    const std::lock_guard lock(mutex_);
    if (current_.collection_id != collection_id) return;
    if (file_id.empty() || current_.file_id == file_id) dropped_ = true;
}

double Ingestion::progress(const CollectionFileKey& key) const {
    const std::lock_guard lock(mutex_);
    return current_ == key ? progress_ : 0;
}

bool Ingestion::wanted() const {
    const std::lock_guard lock(mutex_);
    return !stopping_ && !dropped_;
}

void Ingestion::set_progress(double progress) {
    const std::lock_guard lock(mutex_);
    progress_ = progress;
}

template <typename Duration>
void Ingestion::pause(Duration time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [this] { return stopping_ || dropped_; });
}

void Ingestion::run() {
    while (true) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return stopping_ || woken_; });
            if (stopping_) return;
            woken_ = false;
        }
        try {
            if (take_next()) wake();
        } catch (const std::exception& error) {  // the database: a full disk, for one
            log_error({}, fmt::format("taking in documents: {}", error.what()));
            leave();
            pause(kRetryAfter);
            wake();
        }
    }
}

bool Ingestion::take_next() {
    std::optional<Row> row;
    database_.read(
        [&](Connection& connection) { row = CollectionFilesTable(connection).next_to_do(); });
    if (!row) return false;
    {
        const std::lock_guard lock(mutex_);
        current_ = key_of(*row);
        progress_ = 0;
        dropped_ = false;
    }
    try_once(*row);
    leave();
    return true;
}

void Ingestion::leave() {
    const std::lock_guard lock(mutex_);
    current_ = {};
    dropped_ = false;
}

void Ingestion::try_once(const Row& row) {
    if (row.attempts >= kAttempts) return fail(row, three_strikes());
    set_attempts(row, row.attempts + 1);  // before the try, so that a crash counts
    try {
        commit(row, prepare(row));
    } catch (const Error& error) {
        if (!wanted()) return set_attempts(row, row.attempts);  // stopped by us: no strike
        fail(row, failure_of(error, row.filename));
    } catch (const std::exception& error) {
        fail(row, failure_of(Error(ErrorCode::kInternal, error.what()), row.filename));
    }
}

Ingestion::Prepared Ingestion::prepare(const Row& row) {
    const auto document = knowledge::read_document(files_.path_of(row.file_id), row.filename,
                                                   [this] { return wanted(); });
    Prepared prepared;
    prepared.chunks = knowledge::split(document, split_options(row), [this](std::string_view text) {
        if (!wanted()) throw_cancelled();
        return encoder_.count_tokens(text);
    });
    embed(row.filename, prepared);
    return prepared;
}

void Ingestion::embed(const std::string& filename, Prepared& prepared) {
    const std::size_t total = prepared.chunks.size();
    for (std::size_t at = 0; at < total; at += kTextsAtOnce) {
        if (!wanted()) throw_cancelled();
        std::vector<std::string> texts;
        for (std::size_t i = at; i < std::min(at + kTextsAtOnce, total); ++i) {
            texts.push_back(knowledge::text_to_embed(filename, prepared.chunks[i]));
        }
        const auto rows = embed_patiently(texts);
        JIKJI_CHECK(rows.size() == texts.size());
        for (const auto& row : rows) {
            JIKJI_CHECK(!row.empty() && (prepared.dim == 0 || prepared.dim == row.size()));
            prepared.dim = row.size();
            prepared.vectors.insert(prepared.vectors.end(), row.begin(), row.end());
        }
        set_progress(static_cast<double>(at + texts.size()) / static_cast<double>(total));
    }
}

// Chat may fill the engine's queue for a while; that is no fault of the document.
std::vector<std::vector<float>> Ingestion::embed_patiently(const std::vector<std::string>& texts) {
    for (int waits = 0;; ++waits) {
        try {
            return encoder_.embed(texts, engine::Side::kPassage, ourselves());
        } catch (const Error& error) {
            const bool busy =
                error.code() == ErrorCode::kOverloaded || error.code() == ErrorCode::kLoading;
            if (!busy || waits == kPatience) throw;
        }
        pause(std::min(100ms * (1 << std::min(waits, 5)), 3000ms));
        if (!wanted()) throw_cancelled();
    }
}

void Ingestion::commit(const Row& row, const Prepared& prepared) {
    const std::lock_guard index_lock(index_mutex_);
    std::vector<knowledge::ChunkId> ids;
    database_.write([&](Connection& connection) {
        CollectionFilesTable files(connection);
        const auto now = files.get(key_of(row));
        // Detached, or asked for with other sizes, while we worked on it.
        if (!now || now->status != "in_progress" || now->chunk_tokens != row.chunk_tokens ||
            now->chunk_overlap != row.chunk_overlap) {
            return;
        }
        storage::ChunksTable chunks(connection);
        std::int64_t bytes = 0;
        for (std::size_t i = 0; i < prepared.chunks.size(); ++i) {
            const knowledge::Chunk& chunk = prepared.chunks[i];
            const std::span vector(prepared.vectors.data() + i * prepared.dim, prepared.dim);
            ids.push_back(chunks.insert(row.collection_id,
                                        {.file_id = row.file_id,
                                         .filename = {},
                                         .ordinal = static_cast<std::int64_t>(i),
                                         .text = chunk.text,
                                         .page = chunk.place.page,
                                         .heading = chunk.place.heading,
                                         .begin = chunk.place.begin,
                                         .end = chunk.place.end,
                                         .tokens = chunk.tokens},
                                        vector));
            bytes += static_cast<std::int64_t>(chunk.text.size() + vector.size_bytes());
        }
        files.complete(key_of(row), static_cast<int>(ids.size()), bytes);
    });
    if (!ids.empty()) retriever_.added(row.collection_id, ids, prepared.vectors);
}

void Ingestion::fail(const Row& row, const storage::FileFailure& failure) {
    database_.write([&](Connection& connection) {
        CollectionFilesTable files(connection);
        const auto now = files.get(key_of(row));
        if (now && now->status == "in_progress") files.fail(key_of(row), failure);
    });
}

void Ingestion::set_attempts(const Row& row, int attempts) {
    database_.write([&](Connection& connection) {
        CollectionFilesTable(connection).set_attempts(key_of(row), attempts);
    });
}

}  // namespace jikji::service
