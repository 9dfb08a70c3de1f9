#pragma once
// What was measured about the weights of a model on this machine, and the copy that was chosen, in
// <data>/cache/weights: KEY.json and, if a copy was faster, KEY-LAYOUT.gguf. The key is made of the
// published file's identity, the CPU and the build, so what was measured elsewhere is never
// believed.
// Threads   any for reading; one writer at a time.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace jikji::models {

/// The build as far as it changes text or speed.
inline constexpr const char* kBuild =
    "jikji 0.1.0, llama.cpp of llama-cpp-python 0.3.36, weights 1";

inline constexpr const char* kAsPublished = "as-published";

/// The processor's name as Linux has it, with family, model and stepping; "unknown" elsewhere.
std::string cpu_name();

/// One form of a model's weights.
struct MeasuredLayout {
    std::string layout;  // kAsPublished, "q8_0"
    std::uint64_t bytes = 0;
    double decode = 0;      // tokens per second, one stream
    double prefill = 0;     // tokens per second
    double perplexity = 0;  // on the fixed text; 0 = not measured, since it was not faster
};

struct WeightsChoice {
    std::string layout = kAsPublished;  // what is loaded
    std::string reason, reason_korean;  // one sentence for people
    std::vector<MeasuredLayout> measured;
    std::string made_at;      // 2026-11-24T10:00:00Z
    std::string copy_sha256;  // of the copy; empty if there is none
    std::uint64_t copy_bytes = 0;
};

class WeightsCache {
public:
    explicit WeightsCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

    /// What was chosen for that file on this CPU with this build; nothing if it was never measured,
    /// or if what lies there cannot be read.
    std::optional<WeightsChoice> find(const std::filesystem::path& published) const;

    /// Remembers it, and forgets what was chosen here for a file that stood in its place before.
    /// Throws Error(kDiskFull).
    void save(const std::filesystem::path& published, const WeightsChoice& choice) const;

    /// Where a copy lies, or would.
    std::filesystem::path copy_of(const std::filesystem::path& published,
                                  const std::string& layout) const;

    /// What to load: the chosen copy if it is there and as it was written (size and sha256), else
    /// the published file. A damaged copy is removed together with its decision, so that both are
    /// made again.
    std::filesystem::path file_for(const std::filesystem::path& published) const;

    /// Removes the decision and all copies of that file.
    void forget(const std::filesystem::path& published) const;

    const std::filesystem::path& folder() const { return folder_; }

private:
    std::string key_of(const std::filesystem::path& published) const;
    void forget_replaced(const std::filesystem::path& published) const;
    void forget_key(const std::string& key) const;

    std::filesystem::path folder_;
};

}  // namespace jikji::models
