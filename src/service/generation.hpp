#pragma once
// A running generation as the API reads it: the engine's stream, or an answer from the cache.
// Counts what it delivers and, when it has ended by itself, gives it to the cache.
// Threads: one reader.
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/answer_reader.hpp"
#include "engine/stream.hpp"
#include "service/shared_answer.hpp"
#include "service/stats.hpp"

namespace jikji::service {

class ResponseCache;

enum class CacheUse { kHit, kMiss, kOff };

class Generation {
public:
    struct Origin {
        std::string model;
        std::string fingerprint;                             // for system_fingerprint
        std::string cache_key;                               // empty = do not remember
        std::shared_ptr<const engine::AnswerParser> parser;  // nothing: the text is the answer
        CacheUse cache = CacheUse::kOff;
        ResponseCache* remember_in = nullptr;
        Stats* count_in = nullptr;
    };
    Generation(engine::Stream stream, Origin origin);
    /// Reads from the beginning what others may read as well.
    Generation(std::shared_ptr<SharedAnswer> answer, Origin origin);
    ~Generation();  // cancels what still runs, and counts it as cancelled
    Generation(Generation&& other) noexcept;

    std::optional<engine::Piece> next();  // as engine::Stream
    void when_ready(std::function<void()> wake);
    engine::Finish finish() const;
    engine::Usage usage() const;

    const std::string& model() const { return origin_.model; }
    const std::string& fingerprint() const { return origin_.fingerprint; }
    CacheUse cache() const { return origin_.cache; }
    /// For an AnswerReader of what next() gives.
    const std::shared_ptr<const engine::AnswerParser>& parser() const { return origin_.parser; }

private:
    void ended();
    void count(GenerationOutcome::End end);
    double seconds() const;

    std::optional<engine::Stream> stream_;  // of this reader alone, or
    std::shared_ptr<SharedAnswer> shared_;
    std::size_t read_ = 0;  // pieces of `shared_`
    Origin origin_;
    std::chrono::steady_clock::time_point started_;
    double first_seconds_ = 0;  // to the first piece
    bool done_ = false;
};

}  // namespace jikji::service
