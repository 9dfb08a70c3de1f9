#pragma once
// Generation settings (S9): one object, kept in the database. Threads: any.
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace jikji::storage {
class Database;
}

namespace jikji::service {

/// What a request that is silent gets on Jikji's own routes and commands (S2). OpenAI's routes
/// keep OpenAI's defaults unless `openai_routes` is set.
struct GenerationSettings {
    int max_tokens = 512;
    float temperature = 0.7F;
    float top_p = 0.95F;
    int top_k = 40;
    float repeat_penalty = 1.1F;
    std::vector<std::string> stop = {"</s>", "\n\n"};
    bool openai_routes = false;
};

/// The fields that a PATCH names.
struct GenerationSettingsChange {
    std::optional<int> max_tokens;
    std::optional<float> temperature;
    std::optional<float> top_p;
    std::optional<int> top_k;
    std::optional<float> repeat_penalty;
    std::optional<std::vector<std::string>> stop;
    std::optional<bool> openai_routes;
};

class Settings {
public:
    explicit Settings(storage::Database& database);  // loads them
    GenerationSettings generation() const;
    /// Checks ranges (Error(kInvalidArgument) with the field), stores, returns the new whole.
    GenerationSettings change(const GenerationSettingsChange& change);

private:
    storage::Database& database_;
    mutable std::mutex mutex_;
    GenerationSettings generation_;
};

}  // namespace jikji::service
