#include "engine/waiting_room.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"

namespace jikji::engine {
namespace {

using std::chrono::milliseconds;

// OpenAI's clients heed a Retry-After of up to a minute, and choose for themselves beyond.
constexpr milliseconds kRetryLeast{500};
constexpr milliseconds kRetryMost{60'000};

}  // namespace

WaitingRoom::WaitingRoom(int places, int of_one_tenant)
    : places_(places),
      of_one_tenant_(of_one_tenant > 0 ? of_one_tenant : std::max(1, places / 2)) {}

WaitingRoom::Place WaitingRoom::take(const std::string& tenant) {
    const std::lock_guard lock(mutex_);
    if (waiting_ >= places_) refuse(waiting_, places_, /*tenant=*/false);
    const auto found = of_tenant_.find(tenant);
    const int own = found == of_tenant_.end() ? 0 : found->second;
    if (own >= of_one_tenant_) refuse(own, of_one_tenant_, /*tenant=*/true);
    ++of_tenant_[tenant];
    ++waiting_;
    return {*this, tenant};
}

// Half of the wait: by then half of the places are free again, for all who were refused.
void WaitingRoom::refuse(int waiting, int limit, bool tenant) const {
    Error error(
        ErrorCode::kOverloaded,
        fmt::format("{} {}requests are waiting and the limit is {}; try again in a while", waiting,
                    tenant ? "of your " : "", limit),
        {},
        fmt::format(
            "대기 중인 {}요청이 {}개로 한도({}개)에 이르렀습니다. 잠시 뒤에 다시 시도하세요.",
            tenant ? "당신의 " : "", waiting, limit));
    error.retry_after(std::clamp(milliseconds(wait_ms_ / 2), kRetryLeast, kRetryMost));
    throw error;
}

void WaitingRoom::release(const std::string& tenant) {
    const std::lock_guard lock(mutex_);
    const auto found = of_tenant_.find(tenant);
    if (--found->second == 0) of_tenant_.erase(found);
    --waiting_;
}

void WaitingRoom::Place::release() {
    if (room_ != nullptr) std::exchange(room_, nullptr)->release(tenant_);
}

}  // namespace jikji::engine
