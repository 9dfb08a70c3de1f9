// Adapters in the models folder: which model each is of.
#include <fmt/format.h>

#include <map>
#include <mutex>

#include "base/error.hpp"
#include "base/log.hpp"
#include "models/adapter_check.hpp"
#include "models/catalogue.hpp"
#include "models/download.hpp"
#include "models/store.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse_other_base(const InstalledModel& adapter, const std::string& base,
                                    const std::string& sha256) {
    throw Error(
        ErrorCode::kConflict,
        fmt::format("the adapter {} was trained on another file of {} (sha256 {}…; the one "
                    "here has {}…); install that file, or train again on this one",
                    adapter.name, base, adapter.base_sha256.substr(0, 12), sha256.substr(0, 12)),
        "base",
        fmt::format("어댑터 {}는 {}의 다른 파일로 학습했습니다(sha256 {}…, 여기 있는 파일은 "
                    "{}…). 그 파일을 설치하거나 이 파일로 다시 학습하세요.",
                    adapter.name, base, adapter.base_sha256.substr(0, 12), sha256.substr(0, 12)));
}

/// The model that an adapter's file names, by its sha256 or its name.
InstalledModel named_base(const std::vector<InstalledModel>& installed,
                          const InstalledModel& adapter) {
    for (const InstalledModel& model : installed) {
        const bool same = !model.sha256.empty() && model.sha256 == adapter.base_sha256;
        if (same && !model.adapter) return model;
    }
    for (const InstalledModel& model : installed) {
        if (model.name == adapter.base && !model.adapter) return model;
    }
    const std::string wanted = adapter.base.empty() ? "?" : printable(adapter.base);
    const bool pull = find_in_catalogue(adapter.base) != nullptr;
    const std::string way = pull ? fmt::format(" (jikji models pull {})", adapter.base) : "";
    throw Error(ErrorCode::kConflict,
                adapter.base.empty()
                    ? fmt::format("the adapter {} does not say which model it is of; name it with "
                                  "--base NAME (jikji models list shows them)",
                                  adapter.name)
                    : fmt::format("the base of the adapter {}, {}, is not installed; install it "
                                  "first{}, or name another copy of it with --base NAME",
                                  adapter.name, wanted, way),
                "base",
                adapter.base.empty()
                    ? fmt::format("어댑터 {}가 어느 모델의 것인지 파일에 없습니다. --base 이름으로 "
                                  "알려 주세요(목록: jikji models list).",
                                  adapter.name)
                    : fmt::format("어댑터 {}의 기본 모델 {}이(가) 설치되어 있지 않습니다. 먼저 "
                                  "설치하거나{} --base 이름으로 다른 사본을 알려 주세요.",
                                  adapter.name, wanted, way));
}

}  // namespace

struct Store::Digests {
    struct Seen {
        std::uintmax_t bytes = 0;
        fs::file_time_type changed;
        std::string sha256;
    };
    std::mutex mutex;
    std::map<std::string, Seen> by_path;
};

Store::Store(fs::path folder, ProgressOptions progress)
    : folder_(std::move(folder)),
      progress_(std::move(progress)),
      digests_(std::make_shared<Digests>()) {}

std::string Store::digest_of(const fs::path& file) const {
    Digests::Seen now{fs::file_size(file), fs::last_write_time(file), {}};
    {
        const std::lock_guard lock(digests_->mutex);
        const auto seen = digests_->by_path.find(file.string());
        const bool same = seen != digests_->by_path.end() && seen->second.bytes == now.bytes &&
                          seen->second.changed == now.changed;
        if (same) return seen->second.sha256;
    }
    now.sha256 = sha256_of_file(file);
    const std::lock_guard lock(digests_->mutex);
    return (digests_->by_path[file.string()] = std::move(now)).sha256;
}

InstalledModel Store::base_of(const InstalledModel& adapter, const std::string& base) const {
    const InstalledModel found = base.empty() ? named_base(list(), adapter) : find(base);
    check_adapter(adapter.path, found.path);
    if (adapter.base_sha256.empty()) return found;
    const std::string sha = digest_of(found.path);  // what lies there now, not what was added
    if (sha != adapter.base_sha256) refuse_other_base(adapter, found.name, sha);
    return found;
}

void Store::refuse_needed(std::string_view name) const {
    std::string users;
    for (const InstalledModel& model : list()) {
        if (model.adapter && model.base == name) users += (users.empty() ? "" : " ") + model.name;
    }
    if (users.empty()) return;
    throw Error(ErrorCode::kConflict,
                fmt::format("the model {} is the base of {}; remove the adapters first: jikji "
                            "models rm {}",
                            name, users, users),
                "name",
                fmt::format("{} 모델은 {}의 기본 모델입니다. 어댑터를 먼저 지우세요: jikji models "
                            "rm {}",
                            name, users, users));
}

}  // namespace jikji::models
