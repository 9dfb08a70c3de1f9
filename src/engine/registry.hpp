#pragma once
// The models that the engine knows, and those that are loaded.
// Threads: any, but for what is marked as the compute thread's.
#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/loaded_model.hpp"
#include "engine/model_room.hpp"

namespace jikji::engine {

class Registry {
public:
    /// A name that is known already is replaced if it is not loaded.
    void add(ModelFile file);
    /// A loaded one stays resident until nobody needs it: see sweep().
    void remove(const std::string& name);
    void keep(const std::string& name, Keep how);

    /// The model, used just now, or null if it is not loaded. As long as somebody has the pointer
    /// it is not unloaded. Throws Error(kModelNotFound).
    LoadedPtr use(const std::string& name);
    ModelFile file(const std::string& name) const;  // throws likewise
    /// The model whose weights it uses: itself, or of an adapter its base. Throws
    /// Error(kModelNotFound) if that is not here, Error(kInvalidArgument) if it is an adapter.
    ModelFile base_of(const ModelFile& file) const;
    std::string prefix(const std::string& name, Side side) const;
    std::vector<ModelStatus> statuses() const;
    ModelStatus status(const std::string& name) const;  // throws likewise

    // Compute thread.

    const std::vector<LoadedPtr>& resident() const { return resident_; }
    void put(const std::string& name, LoadedPtr loaded);
    /// Those that compute were used now.
    void note_use();
    /// Those of that weights_key() if they are in memory and can be shared; else null.
    WeightsPtr weights(const std::string& key) const;
    /// All that take memory; one that was removed, too, as long as it is there.
    std::vector<Occupant> occupants() const;
    std::uint64_t bytes_held() const;  // see ModelMemory
    /// Frees one that is neither computing nor held by anybody; else does nothing.
    void unload(const std::string& name);
    /// Frees those that were removed and are no longer needed. False if some have to stay yet.
    bool sweep();
    void clear();

private:
    struct Entry {
        ModelFile file;
        LoadedPtr loaded;
    };
    const Entry& entry(const std::string& name) const;  // with the lock held
    ModelStatus status_of(const Entry& entry) const;    // likewise
    bool counts_weights(const Entry& entry) const;      // likewise
    bool needed(const LoadedPtr& loaded, long owners) const;

    mutable std::mutex mutex_;
    std::map<std::string, Entry> entries_;
    std::map<std::string, Keep> kept_;
    std::atomic<std::uint64_t> clock_{0};  // of uses
    std::vector<LoadedPtr> resident_;      // compute thread
};

}  // namespace jikji::engine
