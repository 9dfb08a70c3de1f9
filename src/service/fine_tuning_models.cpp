#include "service/fine_tuning_models.hpp"

#include <fmt/format.h>

#include <fstream>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"

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

bool same_file(const BaseFile& a, const BaseFile& b) {
    return a.path == b.path && a.bytes == b.bytes && a.changed_ns == b.changed_ns;
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
    Offered now{outside_of(store_.find(job.model).path)};
    {
        const std::lock_guard lock(mutex_);
        const auto at = offered_.find(job.id);
        if (at != offered_.end() && same_file(at->second.base, now.base)) return;
    }
    engine::ModelFile file;
    file.name = fine_tuned_name(job);
    file.adapter = adapter_of(job);
    file.base = job.model;
    if (!fs::exists(file.adapter)) throw_errno(ENOENT, "reading", file.adapter);
    try {
        require_same_base(job);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::kConflict) throw;
        log_warn(error.what());
        file.refused = error.what();
        file.refused_korean = error.korean();
        now.refused = true;
    }
    const std::lock_guard lock(mutex_);
    const bool other = offered_.contains(job.id) && offered_[job.id].refused != now.refused;
    if (other) engine_.remove_model(file.name);  // a loaded one would stay as it is
    engine_.add_model(file);
    offered_[job.id] = now;
}

void FineTunedModels::withdraw(const FineTuningJob& job) {
    {
        const std::lock_guard lock(mutex_);
        if (offered_.erase(job.id) > 0) engine_.remove_model(fine_tuned_name(job));
    }
    std::error_code gone;
    fs::remove(adapter_of(job), gone);
}

}  // namespace jikji::service
