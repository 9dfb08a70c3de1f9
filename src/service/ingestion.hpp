#pragma once
// The worker that takes queued files into their vector stores: read, split, embed, and then all of
// a file in one transaction, so that a file is never half visible. The queue is the database: what
// is in progress there is done, also after a restart.
//
// Threads  one of its own; the methods may be called from any thread.
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "knowledge/retriever.hpp"
#include "knowledge/splitter.hpp"
#include "service/encoder.hpp"
#include "service/files.hpp"
#include "storage/collection_files_table.hpp"

namespace jikji::service {

class Ingestion {
public:
    /// `index_mutex` is held from the commit of chunks until the retriever knows of them.
    Ingestion(storage::Database& database, Files& files, Encoder encoder,
              knowledge::Retriever& retriever, std::mutex& index_mutex);
    ~Ingestion();  // stops; a file that was begun is done from its start the next time

    void wake();  // there may be something to do
    /// Stops the file if it is at work on it; an empty file_id means any of the collection.
    void drop(const std::string& collection_id, const std::string& file_id);
    double progress(const storage::CollectionFileKey& key) const;  // 0..1

private:
    using Row = storage::CollectionFileRow;
    struct Prepared {
        std::vector<knowledge::Chunk> chunks;
        std::vector<float> vectors;  // chunks.size() x dim, row-major
        std::size_t dim = 0;
    };

    void run();
    bool take_next();  // false: nothing to do
    void leave();
    void try_once(const Row& row);
    Prepared prepare(const Row& row);
    void embed(const std::string& filename, Prepared& prepared);
    std::vector<std::vector<float>> embed_patiently(const std::vector<std::string>& texts);
    void commit(const Row& row, const Prepared& prepared);
    void fail(const Row& row, const storage::FileFailure& failure);
    void set_attempts(const Row& row, int attempts);
    bool wanted() const;
    void set_progress(double progress);
    template <typename Duration>
    void pause(Duration time);

    storage::Database& database_;
    Files& files_;
    Encoder encoder_;
    knowledge::Retriever& retriever_;
    std::mutex& index_mutex_;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    bool stopping_ = false;
    bool woken_ = true;  // what an earlier run has left
    bool dropped_ = false;
    storage::CollectionFileKey current_;
    double progress_ = 0;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace jikji::service
