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

FileLook look_at(const fs::path& path) {
    FileLook out;
    std::error_code failed;
    const auto bytes = fs::file_size(path, failed);
    if (failed) return {};
    out.changed_ns = fs::last_write_time(path, failed).time_since_epoch().count();
    if (failed) return {};
    out.bytes = static_cast<std::int64_t>(bytes);
    return out;
}

/// What a second look at the same files would come to as well.
bool stays(const Error& error) {
    return error.code() == ErrorCode::kModelNotFound || error.code() == ErrorCode::kNotFound ||
           error.code() == ErrorCode::kRejected;
}

}  // namespace

std::string FineTunedModels::digest_of(const fs::path& path) const {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw_errno(errno, "reading", path);
    Sha256 sha;
    std::string block(1 << 20, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
        if (stopping_) {
            throw Error(ErrorCode::kStopping, "the server is being stopped", {},
                        "서버를 멈추는 중입니다.");
        }
        sha.update({block.data(), static_cast<std::size_t>(in.gcount())});
    }
    if (in.bad()) throw_errno(EIO, "reading", path);
    return sha.finish_hex();
}

// find() reads the head of every model in the folder: only to say what is wrong.
fs::path FineTunedModels::file_of(const std::string& base) const {
    const fs::path path = store_.folder() / (base + ".gguf");
    return look_at(path) == FileLook{} ? store_.find(base).path : path;
}

BaseFile FineTunedModels::base(const std::string& name) {
    BaseFile now{.path = file_of(name)};
    const FileLook look = look_at(now.path);
    now.bytes = look.bytes;
    now.changed_ns = look.changed_ns;
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
    if (look_at(file_of(job.model)) == FileLook{job.base_bytes, job.base_changed_ns}) return;
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
    Offered now{look_at(store_.folder() / (job.model + ".gguf")), look_at(adapter_of(job))};
    {
        const std::lock_guard lock(mutex_);
        if (withdrawn_.contains(job.id)) return;
        const auto at = offered_.find(job.id);
        if (at != offered_.end() && at->second.base == now.base &&
            at->second.adapter == now.adapter) {
            if (at->second.trouble) std::rethrow_exception(at->second.trouble);
            return;
        }
    }
    try {
        offer_anew(job, now);
    } catch (const Error& error) {
        if (!stays(error)) throw;
        now.trouble = std::current_exception();
        const std::lock_guard lock(mutex_);
        now.refused = offered_[job.id].refused;  // what the engine has
        offered_[job.id] = now;
        throw;
    }
}

void FineTunedModels::offer_anew(const FineTuningJob& job, Offered& now) {
    engine::ModelFile file;
    file.name = fine_tuned_name(job);
    file.adapter = adapter_of(job);
    file.base = job.model;
    if (now.adapter == FileLook{}) throw_errno(ENOENT, "reading", file.adapter);
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
    if (withdrawn_.contains(job.id)) return;  // while the base was read
    const bool other = offered_.contains(job.id) && offered_[job.id].refused != now.refused;
    if (other) engine_.remove_model(file.name);  // a loaded one would stay as it is
    engine_.add_model(file);
    offered_[job.id] = now;
}

void FineTunedModels::withdraw(const FineTuningJob& job) {
    {
        const std::lock_guard lock(mutex_);
        withdrawn_.insert(job.id);
        if (offered_.erase(job.id) > 0) engine_.remove_model(fine_tuned_name(job));
    }
    std::error_code gone;
    fs::remove(adapter_of(job), gone);
}

}  // namespace jikji::service
