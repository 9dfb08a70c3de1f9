#include "engine/registry.hpp"

#include <algorithm>
#include <set>
#include <tuple>

#include "engine/checks.hpp"

namespace jikji::engine {

void Registry::add(ModelFile file) {
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[file.name];
    if (!entry.loaded) entry.file = std::move(file);
}

void Registry::remove(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_.erase(name);  // resident_ still has it: it never dies in this thread
}

void Registry::keep(const std::string& name, Keep how) {
    const std::lock_guard lock(mutex_);
    kept_[name] = how;
}

const Registry::Entry& Registry::entry(const std::string& name) const {
    const auto found = entries_.find(name);
    if (found != entries_.end()) return found->second;
    std::vector<std::string> names;
    for (const auto& [known, unused] : entries_) names.push_back(known);
    throw_no_such_model(name, names);
}

LoadedPtr Registry::use(const std::string& name) {
    const std::lock_guard lock(mutex_);
    LoadedPtr loaded = entry(name).loaded;
    if (loaded) loaded->last_use = ++clock_;
    return loaded;
}

ModelFile Registry::file(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return entry(name).file;
}

ModelFile Registry::base_of(const ModelFile& file) const {
    if (file.adapter.empty()) return file;
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(file.base);
    if (found == entries_.end()) throw_no_base(file.name, file.base);
    if (!found->second.file.adapter.empty()) throw_base_is_adapter(file.name, file.base);
    return found->second.file;
}

std::string Registry::prefix(const std::string& name, Side side) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end() || side == Side::kNone) return {};
    return side == Side::kQuery ? found->second.file.query_prefix
                                : found->second.file.passage_prefix;
}

std::vector<ModelStatus> Registry::statuses() const {
    const std::lock_guard lock(mutex_);
    std::vector<ModelStatus> out;
    for (const auto& [name, entry] : entries_) out.push_back(status_of(entry));
    return out;
}

ModelStatus Registry::status(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    return status_of(entry(name));
}

ModelStatus Registry::status_of(const Entry& entry) const {
    ModelStatus status;
    status.name = entry.file.name;
    status.base = entry.file.base;
    status.embedding = entry.file.embedding;
    const auto kept = kept_.find(status.name);
    status.pinned = kept != kept_.end() && kept->second == Keep::kPinned;
    if (!entry.loaded) return status;
    status.loaded = true;
    status.bytes = entry.loaded->memory.total();
    if (counts_weights(entry)) status.bytes += entry.loaded->weights->memory.total();
    status.embedding = entry.loaded->embedder != nullptr;
    status.context = entry.loaded->context;
    status.dimensions = status.embedding ? entry.loaded->model->dimensions() : 0;
    status.vocabulary = entry.loaded->model->vocabulary();
    status.fingerprint = entry.loaded->fingerprint;
    return status;
}

// Of those that share weights one says their bytes, so that the sum is what is in memory: the base,
// or where only adapters are loaded the first of them.
bool Registry::counts_weights(const Entry& entry) const {
    const auto before = [&](const ModelFile& other) {
        const bool adapts = !entry.file.adapter.empty(), other_adapts = !other.adapter.empty();
        return std::tie(other_adapts, other.name) < std::tie(adapts, entry.file.name);
    };
    return std::none_of(entries_.begin(), entries_.end(), [&](const auto& named) {
        const Entry& other = named.second;
        return other.loaded && other.loaded->weights == entry.loaded->weights && before(other.file);
    });
}

void Registry::put(const std::string& name, LoadedPtr loaded) {
    loaded->last_use = ++clock_;
    resident_.push_back(loaded);
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);  // or it was removed while it was being loaded
    if (found != entries_.end()) found->second.loaded = std::move(loaded);
}

void Registry::note_use() {
    for (const LoadedPtr& loaded : resident_) {
        if (!loaded->idle()) loaded->last_use = ++clock_;
    }
}

// Whoever takes a pointer does it under the lock; so with the lock held a count that is down to the
// registry's own pointers means that nobody has one, nor a task that was handed over.
bool Registry::needed(const LoadedPtr& loaded, long owners) const {
    return !loaded->idle() || loaded.use_count() > owners;
}

WeightsPtr Registry::weights(const std::string& key) const {
    for (const LoadedPtr& loaded : resident_) {
        if (loaded->generator && loaded->weights->file == key) return loaded->weights;
    }
    return nullptr;
}

std::vector<Occupant> Registry::occupants() const {
    const std::lock_guard lock(mutex_);
    std::vector<Occupant> out;
    for (const LoadedPtr& loaded : resident_) {
        Occupant one{.bytes = loaded->memory.total(),
                     .weights = loaded->weights->file,
                     .weights_bytes = loaded->weights->memory.total(),
                     .last_use = loaded->last_use};
        const auto known = std::find_if(entries_.begin(), entries_.end(), [&](const auto& entry) {
            return entry.second.loaded == loaded;
        });
        if (known != entries_.end()) {
            one.name = known->first;
            one.busy = needed(loaded, 2);
            const auto kept = kept_.find(one.name);
            one.pinned = kept != kept_.end() && kept->second == Keep::kPinned;
            one.preferred = kept != kept_.end() && kept->second == Keep::kPreferred;
        } else {
            one.name = "one that was removed";
            one.busy = true;  // leaves by itself
        }
        out.push_back(std::move(one));
    }
    return out;
}

std::uint64_t Registry::bytes_held() const {
    std::uint64_t sum = 0;
    std::set<WeightsPtr> shared;
    for (const LoadedPtr& loaded : resident_) {
        sum += loaded->memory.held();
        if (shared.insert(loaded->weights).second) sum += loaded->weights->memory.held();
    }
    return sum;
}

void Registry::unload(const std::string& name) {
    LoadedPtr last;  // dies after the lock: freeing a model takes a while
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end() || !found->second.loaded) return;
    if (needed(found->second.loaded, 2)) return;
    last = std::move(found->second.loaded);
    found->second.loaded.reset();
    std::erase(resident_, last);
}

bool Registry::sweep() {
    std::vector<LoadedPtr> last;
    const std::lock_guard lock(mutex_);
    bool all = true;
    for (LoadedPtr& loaded : resident_) {
        const bool known = std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
            return entry.second.loaded == loaded;
        });
        if (known) continue;
        if (needed(loaded, 1)) {
            all = false;
        } else {
            last.push_back(std::move(loaded));
        }
    }
    std::erase(resident_, nullptr);
    return all;
}

void Registry::clear() {
    std::vector<LoadedPtr> last;
    const std::lock_guard lock(mutex_);
    last.swap(resident_);
    for (auto& [name, entry] : entries_) entry.loaded.reset();
}

}  // namespace jikji::engine
