#include "knowledge/retriever.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "knowledge/fusion.hpp"
#include "knowledge/question_terms.hpp"
#include "knowledge/vector_index.hpp"
#include "storage/chunks_table.hpp"
#include "storage/database.hpp"
#include "text/terms.hpp"

namespace jikji::knowledge {
namespace {

constexpr int kCandidates = 100;  // of each ranking; deeper ranks add less than 1/160

// Two chunks that share this much of their terms say the same: the better one stays.
constexpr double kDuplicateShare = 0.9;

/// What is held of one collection. The index is null until the first search, and again if the
/// collection turned out to be empty.
struct Held {
    std::shared_mutex mutex;
    bool loaded = false;
    std::unique_ptr<VectorIndex> index;
};

void load(Held& held, const storage::Database& database, const std::string& collection_id) {
    std::vector<ChunkId> ids;
    std::vector<float> rows;
    database.read([&](storage::Connection& connection) {
        storage::ChunksTable(connection)
            .each_vector(collection_id, [&](ChunkId id, std::span<const float> row) {
                ids.push_back(id);
                rows.insert(rows.end(), row.begin(), row.end());
            });
    });
    held.index.reset();
    if (!ids.empty()) {
        held.index = make_flat_index(static_cast<int>(rows.size() / ids.size()));
        held.index->add(ids, rows);
    }
    held.loaded = true;
}

storage::KeywordQuery keyword_query(const QuestionTerms& question) {
    storage::KeywordQuery query;
    query.phrases = question.phrases;
    for (const QuestionTerm& term : question.terms) {
        (term.prefix ? query.prefixes : query.terms).push_back(term.term);
    }
    return query;
}

/// The share of the smaller set of terms that both have.
double common_share(const std::unordered_set<std::string>& a,
                    const std::unordered_set<std::string>& b) {
    const auto& smaller = a.size() < b.size() ? a : b;
    const auto& larger = a.size() < b.size() ? b : a;
    if (smaller.empty()) return 1;
    const auto common = std::count_if(smaller.begin(), smaller.end(), [&](const std::string& term) {
        return larger.contains(term);
    });
    return static_cast<double>(common) / static_cast<double>(smaller.size());
}

std::unordered_set<std::string> term_set(const std::string& text) {
    auto terms = text::terms_of(text);
    return {std::make_move_iterator(terms.begin()), std::make_move_iterator(terms.end())};
}

Passage passage_of(storage::ChunkRow row) {
    Passage passage;
    passage.chunk = row.id;
    passage.file_id = std::move(row.file_id);
    passage.filename = std::move(row.filename);
    passage.text = std::move(row.text);
    passage.place = {row.page, std::move(row.heading), row.begin, row.end};
    return passage;
}

/// One search, on one consistent view of the database.
class Search {
public:
    Search(storage::Connection& connection, const std::string& collection_id,
           const VectorIndex& index, std::span<const Question> questions)
        : table_(connection), collection_id_(collection_id), index_(index), questions_(questions) {
        for (const Question& question : questions) terms_.push_back(question_terms(question.text));
    }

    std::vector<Passage> run(int k) {
        const std::vector<Fused> fused = fuse(rankings());
        std::vector<Passage> passages;
        std::vector<std::unordered_set<std::string>> kept;
        for (const Fused& hit : fused) {
            if (static_cast<int>(passages.size()) >= k) break;
            const std::vector<ChunkId> id = {hit.id};
            auto rows = table_.get(id);
            if (rows.empty()) continue;  // deleted since the index was told
            auto terms = term_set(rows.front().text);
            const bool repeats = std::any_of(kept.begin(), kept.end(), [&](const auto& other) {
                return common_share(terms, other) >= kDuplicateShare;
            });
            if (repeats) continue;
            kept.push_back(std::move(terms));
            passages.push_back(passage_of(std::move(rows.front())));
            judge(passages.back(), hit.score);
        }
        return passages;
    }

private:
    std::vector<Ranking> rankings() {
        std::vector<Ranking> rankings;
        for (std::size_t i = 0; i < questions_.size(); ++i) {
            Ranking near, matching;
            for (const Hit& hit : index_.search(questions_[i].vector, kCandidates)) {
                near.ids.push_back(hit.id);
            }
            for (const auto& hit :
                 table_.keyword_search(collection_id_, keyword_query(terms_[i]), kCandidates)) {
                matching.ids.push_back(hit.id);
            }
            rankings.push_back(std::move(near));
            rankings.push_back(std::move(matching));
        }
        return rankings;
    }

    void judge(Passage& passage, double score) {
        passage.score = score;
        passage.similarity = -1;
        const TermSet text(passage.place.heading + "\n" + passage.text);
        for (std::size_t i = 0; i < questions_.size(); ++i) {
            const double similarity = index_.similarity(questions_[i].vector, passage.chunk);
            passage.similarity = std::max(passage.similarity, similarity);
            const double keywords = keyword_share(
                terms_[i], text, [&](const std::string& term) { return rarity_of(term); });
            passage.keywords = std::max(passage.keywords, keywords);
        }
    }

    double rarity_of(const std::string& term) {
        const auto [known, fresh] = rarities_.try_emplace(term, 0);
        if (fresh) {
            known->second =
                rarity(static_cast<double>(index_.size()),
                       static_cast<double>(table_.document_frequency(collection_id_, term)));
        }
        return known->second;
    }

    storage::ChunksTable table_;
    const std::string& collection_id_;
    const VectorIndex& index_;
    std::span<const Question> questions_;
    std::vector<QuestionTerms> terms_;  // of each question
    std::unordered_map<std::string, double> rarities_;
};

}  // namespace

class Retriever::Impl {
public:
    explicit Impl(const storage::Database& database) : database_(database) {}

    std::vector<Passage> search(const std::string& collection_id,
                                std::span<const Question> questions, int k) {
        const std::shared_ptr<Held> held = hold(collection_id);
        std::shared_lock lock(held->mutex);
        if (!held->loaded) {
            lock.unlock();
            if (const std::unique_lock alone(held->mutex); !held->loaded) {
                load(*held, database_, collection_id);
            }
            lock.lock();
        }
        std::vector<Passage> passages;
        if (!held->index) return passages;
        database_.read([&](storage::Connection& connection) {
            passages = Search(connection, collection_id, *held->index, questions).run(k);
        });
        return passages;
    }

    void added(const std::string& collection_id, std::span<const ChunkId> ids,
               std::span<const float> rows) {
        if (ids.empty()) return;
        const std::shared_ptr<Held> held = hold(collection_id);
        const std::unique_lock lock(held->mutex);
        if (!held->loaded) return;  // the first search reads them
        const std::size_t dim = rows.size() / ids.size();
        if (!held->index) held->index = make_flat_index(static_cast<int>(dim));
        for (std::size_t i = 0; i < ids.size(); ++i) {
            // A load between the commit and this call has read them already.
            if (!held->index->contains(ids[i])) {
                held->index->add(ids.subspan(i, 1), rows.subspan(i * dim, dim));
            }
        }
    }

    void removed(const std::string& collection_id, std::span<const ChunkId> ids) {
        const std::shared_ptr<Held> held = hold(collection_id);
        const std::unique_lock lock(held->mutex);
        if (held->index) held->index->remove(ids);
    }

    void forget(const std::string& collection_id) {
        const std::lock_guard lock(mutex_);
        collections_.erase(collection_id);
    }

private:
    std::shared_ptr<Held> hold(const std::string& collection_id) {
        const std::lock_guard lock(mutex_);
        auto& held = collections_[collection_id];
        if (!held) held = std::make_shared<Held>();
        return held;
    }

    const storage::Database& database_;
    std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Held>> collections_;
};

Retriever::Retriever(const storage::Database& database) : impl_(std::make_unique<Impl>(database)) {}
Retriever::~Retriever() = default;

std::vector<Passage> Retriever::search(const std::string& collection_id,
                                       std::span<const Question> questions, int k) {
    if (k < 1 || k > limits::kSearchResults) {
        throw Error(ErrorCode::kInvalidArgument,
                    "k is " + std::to_string(k) + "; give a number from 1 to " +
                        std::to_string(limits::kSearchResults),
                    "k");
    }
    return impl_->search(collection_id, questions, k);
}

void Retriever::added(const std::string& collection_id, std::span<const ChunkId> ids,
                      std::span<const float> rows) {
    impl_->added(collection_id, ids, rows);
}

void Retriever::removed(const std::string& collection_id, std::span<const ChunkId> ids) {
    impl_->removed(collection_id, ids);
}

void Retriever::forget(const std::string& collection_id) { impl_->forget(collection_id); }

}  // namespace jikji::knowledge
