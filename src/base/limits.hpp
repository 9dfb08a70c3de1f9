#pragma once
// Every limit of Jikji, with its unit. A 4xx that a limit causes names it.
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace jikji::limits {

using namespace std::chrono_literals;

// HTTP
inline constexpr std::size_t kHeaderBytes = 32 * 1024;
inline constexpr std::size_t kJsonBodyBytes = 16 * 1024 * 1024;
inline constexpr std::uint64_t kUploadBytes = 512ull * 1024 * 1024;
inline constexpr int kJsonDepth = 64;
inline constexpr auto kHeaderTime = 10s;                  // to receive a request's head
inline constexpr auto kIdleTime = 60s;                    // between requests of a kept connection
inline constexpr auto kWriteTime = 30s;                   // a client that does not read is cut off
inline constexpr auto kHeartbeat = 10s;                   // SSE comment while nothing is said
inline constexpr std::size_t kBodyBytesPerSecond = 1024;  // slower bodies are cut off
inline constexpr int kConnections = 1024;

// Generation
inline constexpr std::size_t kQueueLength = 256;  // requests that wait for the engine
inline constexpr int kChoices = 16;               // n
inline constexpr int kStopStrings = 4;
inline constexpr std::size_t kStopBytes = 1024;  // of one stop string
inline constexpr int kTopLogprobs = 20;
inline constexpr int kMessages = 2048;
inline constexpr std::size_t kTools = 128;  // in a request; calls of one message
inline constexpr int kMaxTokens = 1'000'000;
inline constexpr int kTimeoutMs = 86'400'000;  // that a caller may give a request: a day

// Embeddings
inline constexpr std::size_t kEmbeddingInputs = 2048;

// Documents
inline constexpr std::uint64_t kDocumentTextBytes = 64ull * 1024 * 1024;
inline constexpr auto kReaderTime = 30s;
inline constexpr std::uint64_t kReaderMemory = 1024ull * 1024 * 1024;
inline constexpr int kSearchResults = 50;
inline constexpr std::size_t kQuestionBytes = 32 * 1024;

// Training data
inline constexpr std::size_t kTrainingLineBytes = 4 * 1024 * 1024;
inline constexpr std::size_t kTrainingRecords = 1'000'000;
inline constexpr std::size_t kTrainingNotes = 10;  // of what was left out, named one by one

// Names and metadata
inline constexpr std::size_t kTemplateNameChars = 100;
inline constexpr std::size_t kFileNameBytes = 255;
inline constexpr int kMetadataPairs = 16;

// Cache
inline constexpr std::size_t kCachedAnswers = 100;
inline constexpr std::size_t kCachedAnswerBytes = 16 * 1024 * 1024;

}  // namespace jikji::limits
