#include "service/fine_tuning_models.hpp"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
namespace {

BaseFile outside_of(const fs::path& path) {
    BaseFile out;
    out.path = path;
    std::error_code failed;
    out.bytes = static_cast<std::int64_t>(fs::file_size(path, failed));
    if (failed) throw_errno(failed.value(), "reading", path);
    out.changed_ns = fs::last_write_time(path, failed).time_since_epoch().count();
    if (failed) throw_errno(failed.value(), "reading", path);
    return out;
}

std::string digest_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw_errno(errno, "reading", path);
    Sha256 sha;
    std::string block(1 << 20, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
        sha.update({block.data(), static_cast<std::size_t>(in.gcount())});
    }
    if (in.bad()) throw_errno(EIO, "reading", path);
    return sha.finish_hex();
}

}  // namespace

BaseFile FineTunedModels::base(const std::string& name) {
    BaseFile now = outside_of(store_.find(name).path);
    {
        const std::lock_guard lock(mutex_);
        const auto at = known_.find(now.path.string());
        if (at != known_.end() && at->second.bytes == now.bytes &&
            at->second.changed_ns == now.changed_ns) {
            return at->second;
        }
    }
    now.sha256 = digest_of(now.path);
    const std::lock_guard lock(mutex_);
    known_[now.path.string()] = now;
    return now;
}

void FineTunedModels::require_same_base(const FineTuningJob& job) {
    const BaseFile now = outside_of(store_.find(job.model).path);
    if (now.bytes == job.base_bytes && now.changed_ns == job.base_changed_ns) return;
    if (base(job.model).sha256 == job.base_sha256) return;
    throw Error(ErrorCode::kConflict,
                fmt::format("the file of {} has changed since {} was trained on it; put the old "
                            "file back, or train again",
                            job.model, fine_tuned_name(job)),
                "model",
                fmt::format("{} 모델의 파일이 {}을(를) 학습한 뒤에 바뀌었습니다. 이전 파일을 "
                            "되돌려 놓거나 다시 학습하세요.",
                            job.model, fine_tuned_name(job)));
}

fs::path FineTunedModels::adapter_of(const FineTuningJob& job) const {
    return folder_ / job.id / "adapter.gguf";
}

void FineTunedModels::offer(const FineTuningJob& job) {
    require_same_base(job);
    const fs::path adapter = adapter_of(job);
    if (!fs::exists(adapter)) throw_errno(ENOENT, "reading", adapter);
    engine::ModelFile file;
    file.name = fine_tuned_name(job);
    file.adapter = adapter;
    file.base = job.model;
    engine_.add_model(file);
    const std::lock_guard lock(mutex_);
    offered_[job.id] = file.name;
}

void FineTunedModels::withdraw(const FineTuningJob& job) {
    {
        const std::lock_guard lock(mutex_);
        if (offered_.erase(job.id) > 0) engine_.remove_model(fine_tuned_name(job));
    }
    std::error_code gone;
    fs::remove(adapter_of(job), gone);
}

bool FineTunedModels::offered(const FineTuningJob& job) const {
    const std::lock_guard lock(mutex_);
    return offered_.contains(job.id);
}

}  // namespace jikji::service
