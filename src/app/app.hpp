#pragma once
// Builds every object of the program in order, and takes them down in the opposite one. The only
// place that knows all rooms.
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace jikji::app {

/// What `jikji serve` can be told. Empty and zero mean: choose for me.
struct AppOptions {
    std::string host = "127.0.0.1";
    int port = 8080;                // 0 = any free one
    std::filesystem::path data;     // empty = default_data_folder()
    std::filesystem::path models;   // empty = data/models
    std::string chat_model;         // empty = the first that is installed, the catalogue's first
    std::string embedding_model;    // likewise
    int threads = 0;                // 0 = physical cores
    int context = 4096;             // tokens of one chat sequence
    int parallel = 16;              // chat sequences in one batch
    int gap_ms = 100;               // between two tokens while others' prompts are read
    bool speculation = true;        // guess at text that is quoted; what is said stays the same
    int gpu_layers = -1;            // -1 = as many as fit
    bool optimise_weights = true;   // load the copy that is faster here, if one was found
    std::filesystem::path program;  // our executable, to find one; empty = do not look
    std::size_t embedding_cache = 32U << 20;  // bytes of vectors kept per embedding model
    int models_memory_mb = 0;                 // of loaded models, MiB; 0 = what is free
    std::vector<std::string> pinned;          // models that are never unloaded for others
    int cache_memory_mb = 256;                // of earlier texts, for those that begin alike; MiB
    int cache_disk_mb = 2048;                 // likewise in data/cache/kv; 0 = nothing on disk
    std::vector<std::string> api_keys;        // empty = no key is asked for (loopback only)
    std::filesystem::path api_key_file;       // one key a line, # starts a comment
    std::vector<std::string> allowed_hosts;   // names in Host beside loopback's
    bool stop_on_signals = true;              // SIGINT and SIGTERM stop it cleanly
    bool preload = true;                      // load the default models right after listening
};

/// $XDG_DATA_HOME/jikji, or ~/.local/share/jikji.
std::filesystem::path default_data_folder();

/// What models are computed on, as a person wants to read it: "CPU", or each GPU with its memory,
/// and how much of `chat_model` goes there with these options (nothing is said of an empty path).
std::string compute_devices(const AppOptions& options, const std::filesystem::path& chat_model);

class App {
public:
    /// Takes the lock on the data folder, opens the database, looks at the models. Throws
    /// Error(kConflict) naming who holds the folder, Error(kInvalidArgument) for an address without
    /// a key or an unknown model.
    explicit App(AppOptions options);
    ~App();

    /// Binds; from here on url() holds and the lock file says it. Throws as http::Server.
    void listen();
    std::string url() const;  // "http://127.0.0.1:8080"

    /// Serves until stop(), or a signal. Requires: listen().
    void run();
    void stop();  // any thread

    std::string chat_model() const;       // empty if none is installed
    std::string embedding_model() const;  // likewise
    std::string computes_on() const;      // compute_devices() of its chat model

private:
    struct Rooms;
    std::unique_ptr<Rooms> rooms_;
};

}  // namespace jikji::app
