#pragma once
// The engine: one compute thread owns every llama context; everybody else sends requests and reads
// streams. Chat sequences of one model run in one batch; embeddings take their turn between steps.
//
// Threads  every method may be called from any thread. submit() returns at once; the others may
//          wait for a model to load (seconds) and must not be called from the IO thread.
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/answer_reader.hpp"
#include "engine/request.hpp"
#include "engine/stream.hpp"

namespace jikji::engine {

/// A model, or an adapter (LoRA) that is served beside its base: one more model by name, with
/// sequences of its own, on the weights of the base, which lie in memory once for all of them.
struct ModelFile {
    std::string name;
    std::filesystem::path path;  // the GGUF with the weights; of an adapter: empty
    bool embedding = false;
    std::string query_prefix;            // put before a text that asks ("query: " for E5)
    std::string passage_prefix;          // put before a text that is found
    std::filesystem::path adapter = {};  // GGUF of type "adapter"; empty = no adapter
    std::string base = {};               // of an adapter: the name of a model that is known
    /// Why it is not to be loaded, in English and Korean: it is known, and whoever asks for it gets
    /// Error(kConflict). Empty: it may be.
    std::string refused = {}, refused_korean = {};
};

struct EngineOptions {
    int context = 4096;  // tokens of one chat sequence; capped by what the model was trained on
    int parallel = 16;   // chat sequences in one batch
    int cells = 0;       // KV cells they share; 0 = a whole context and a stretch for each
    /// The same of each adapter, which is one of several on a machine: cells are memory even while
    /// nobody uses them.
    int adapter_parallel = 8;  // at most `parallel`
    int adapter_cells = 0;     // 0 = a whole context
    int threads = 0;           // 0 = the machine's physical cores
    bool speculation = true;   // guesses at what quotes; the text stays what it is
    int gpu_layers = -1;       // -1 = as many as fit; ignored where no GPU was built in
    std::size_t queue = 256;   // requests that may wait
    std::size_t embedding_cache = 32U << 20;  // bytes of vectors kept per embedding model; 0 = none
    std::size_t queue_of_one_tenant = 0;      // of `queue`; 0 = half
    double gap_seconds = 0.1;  // between two tokens of an answer while others' prompts are read
    /// What is kept of what was computed, for texts that begin alike (prefix_cache.hpp).
    std::uint64_t cache_memory_bytes = 256u << 20;
    std::uint64_t cache_disk_bytes = 0;   // 0 = nothing on disk
    std::filesystem::path cache_folder;   // of this process alone; none = nothing on disk
    std::filesystem::path weights_cache;  // models::WeightsCache; empty = weights as published
    /// That loaded models may take; 0 = what the machine or its container has free.
    std::uint64_t models_memory_bytes = 0;
    /// How long a request waits for models to end that would have to leave for the one it wants.
    std::chrono::milliseconds load_patience{5000};
};

/// Whether a model may be unloaded when another one needs its memory; only idle ones ever are.
enum class Keep {
    kUsual,      // the least recently used goes first
    kPreferred,  // only if no other one will do
    kPinned,     // never
};

/// A chat, ready for GenerationRequest.
struct Rendered {
    std::vector<Token> prompt;
    Constraint constraint;
    std::vector<std::string> stop;  // to be added to the request's own
    /// Nothing: the answer is its text. Else give it to an AnswerReader.
    std::shared_ptr<const AnswerParser> parser;
};

/// A GPU that models can be put on, wholly or in part (EngineOptions::gpu_layers).
struct Device {
    std::string name;         // "Vulkan0"
    std::string description;  // the maker's name for it
    std::uint64_t free = 0;   // bytes
    std::uint64_t total = 0;  // bytes
};

/// Empty where the CPU computes everything.
std::vector<Device> devices();

/// Layers of a chat model that would be put on the GPUs with these options, if it was loaded now.
struct GpuShare {
    int on_gpu = 0;
    int layers = 0;  // in all, its output included; 0 = the file cannot be read
};
GpuShare gpu_share(const std::filesystem::path& file, const EngineOptions& options);

/// "Vulkan0: 20 of 33 layers"; "CPU" if none of them is on a GPU.
std::string in_words(const GpuShare& share);

class Engine {
public:
    explicit Engine(EngineOptions options);
    ~Engine();  // cancels what runs, joins the compute thread

    /// Makes a model known; nothing is loaded. A name that is known already is replaced if it is
    /// not loaded. remove_model() of a loaded one frees it once its requests have ended. Adapters
    /// stay when their base is removed, and load as long as its weights are in memory.
    void add_model(ModelFile file);
    void remove_model(const std::string& name);
    /// Of a model that is known, or will be.
    void keep(const std::string& name, Keep how);

    /// Loads now and waits; what runs goes on meanwhile. Idle models are unloaded for it, the least
    /// recently used first, if memory would not suffice. Throws Error(kModelNotFound), with the
    /// cause in words Error(kRejected), with numbers Error(kInvalidArgument) for one that does not
    /// fit, Error(kOverloaded) with retry_after() if busy models would have to leave for it. Models
    /// load by themselves on first use.
    void load(const std::string& name);

    std::vector<ModelStatus> models() const;
    /// Of one model, loading it if need be. Throws as load(); Error(kTimeout) or Error(kCancelled)
    /// once `patience` is over, which does not wait for the load.
    ModelStatus require(const std::string& name, const Patience& patience = {});

    /// Text to tokens. `special`: markup such as <|im_start|> in the text becomes control tokens
    /// (only for text that we made: T26); else it stays text. Adds the model's BOS if it wants one.
    std::vector<Token> tokenize(const std::string& model, std::string_view text, bool special);

    /// Text to the tokens that an embedding model wants, prefix of that side and specials included.
    /// NFKC-normalised. Throws Error(kContextLength) if it is longer than the model's context and
    /// not `cut`.
    std::vector<Token> tokenize_for_embedding(const std::string& model, std::string_view text,
                                              Side side, bool cut = false);

    std::string detokenize(const std::string& model, const std::vector<Token>& tokens);

    /// The model's own chat template applied (S4), ready for generation, in tokens. What the
    /// messages hold never becomes a control token (T26). Throws Error(kInvalidArgument) if the
    /// template refuses the messages. A model without a template gets ChatML.
    std::vector<Token> render(const std::string& model, const std::vector<Message>& messages);

    /// The same with tools, a format for the answer, and reasoning apart: the prompt, what
    /// GenerationRequest::constraint has to be, and the parser for the answer's text. Throws
    /// Error(kUnsupported) that names path and keyword of a schema which cannot be kept to the
    /// letter, Error(kInvalidArgument) for a schema, grammar or tool that is
    /// wrong or too large; fields are response_format.json_schema.schema, grammar,
    /// tools[i].function.parameters, tool_choice, messages.
    Rendered render_chat(const std::string& model, const ChatInput& input);

    /// Queues it. Throws Error(kModelNotFound), Error(kContextLength) with both numbers,
    /// Error(kOverloaded) with retry_after() if the queue is full, for all or for this tenant.
    /// Loads the model first if need be (then waits).
    Stream submit(GenerationRequest request);

    /// Waits for the vectors. Throws as submit(); the places of embeddings are apart.
    EmbeddingResult embed(EmbeddingRequest request);
    /// The same without waiting: `ready` is called once, from another thread, when the future has
    /// the vectors or what stopped them; it only posts.
    std::future<EmbeddingResult> start_embedding(EmbeddingRequest request,
                                                 std::function<void()> ready);

    /// From now on submit() is refused, and what still runs at `deadline` ends with an error that
    /// its reader can pass on: a text that just stops looks whole.
    void drain_until(std::chrono::steady_clock::time_point deadline);

    EngineStats stats() const;
    PrefixCacheStats prefix_cache() const;
    /// Takes out of memory and off the disk all that is kept of that tenant's earlier texts; what
    /// runs goes on.
    void forget(const std::string& tenant);

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace jikji::engine
