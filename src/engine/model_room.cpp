#include "engine/model_room.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <tuple>

#include "base/language.hpp"
#include "base/progress.hpp"

namespace jikji::engine {
namespace {

constexpr auto kRetry = std::chrono::seconds(5);

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

template <class Predicate>
std::uint64_t bytes_of(const std::vector<Occupant>& loaded, Predicate counts) {
    std::uint64_t sum = 0;
    for (const Occupant& one : loaded) sum += counts(one) ? one.bytes : 0;
    return sum;
}

std::uint64_t bytes_of(const std::vector<Occupant>& loaded) {
    return bytes_of(loaded, [](const Occupant&) { return true; });
}

std::string list_of(const std::vector<Occupant>& loaded, Language language) {
    std::string out;
    for (const Occupant& one : loaded) {
        out +=
            fmt::format("{}{} {}", out.empty() ? "" : ", ", one.name, bytes_for_people(one.bytes));
        if (one.pinned) out += say(language, " (pinned)", "(고정)");
        if (one.busy) out += say(language, " (computing)", "(계산 중)");
    }
    return out.empty() ? std::string(say(language, "nothing", "없음")) : out;
}

}  // namespace

std::uint64_t MemoryLimit::bytes() const {
    if (fixed > 0) return fixed;
    if (available == 0) return std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t whole = available + held;
    return whole - std::min(reserve, whole / 4);
}

RoomPlan make_room(std::uint64_t need, std::uint64_t limit, std::vector<Occupant> loaded) {
    using Outcome = RoomPlan::Outcome;
    const std::uint64_t pinned = bytes_of(loaded, [](const Occupant& one) { return one.pinned; });
    if (need > less(limit, pinned)) return {Outcome::kTooBig, {}};
    std::sort(loaded.begin(), loaded.end(), [](const Occupant& a, const Occupant& b) {
        return std::tie(a.preferred, a.last_use) < std::tie(b.preferred, b.last_use);
    });
    std::uint64_t free = less(limit, bytes_of(loaded));
    // A limit that fell below what is loaded: that much has to go first.
    std::uint64_t wanted = need + less(bytes_of(loaded), limit);
    std::vector<const Occupant*> gone;
    for (const Occupant& one : loaded) {
        if (free >= wanted) break;
        if (one.pinned || one.busy) continue;
        free += one.bytes;
        gone.push_back(&one);
    }
    if (free < wanted) return {Outcome::kBusy, {}};
    RoomPlan plan;
    // Whoever was needed least may stay after all, where a larger one that came later gives enough.
    for (auto one = gone.rbegin(); one != gone.rend(); ++one) {
        if (free - (*one)->bytes >= wanted) {
            free -= (*one)->bytes;
        } else {
            plan.unload.insert(plan.unload.begin(), (*one)->name);
        }
    }
    return plan;
}

Error no_room_error(const std::string& name, std::uint64_t need, std::uint64_t limit,
                    const std::vector<Occupant>& loaded, RoomPlan::Outcome outcome) {
    const std::string needs = bytes_for_people(need), most = bytes_for_people(limit);
    const std::string free = bytes_for_people(less(limit, bytes_of(loaded)));
    const std::string there = list_of(loaded, Language::kEnglish);
    const std::string there_korean = list_of(loaded, Language::kKorean);
    if (outcome == RoomPlan::Outcome::kBusy) {
        Error error(ErrorCode::kOverloaded,
                    fmt::format("the model '{}' needs {} of memory, and {} of {} are free while "
                                "others compute (loaded: {}); try again in a while",
                                name, needs, free, most, there),
                    "model",
                    fmt::format("모델 '{}'에 메모리 {}이(가) 필요한데, 다른 모델이 계산하는 동안 "
                                "{} 중 {}만 남았습니다(로드됨: {}). 잠시 뒤에 다시 시도하세요.",
                                name, needs, most, free, there_korean));
        return error.retry_after(kRetry);
    }
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the model '{}' does not fit into memory: it needs {}, models may take {}, of "
                    "which {} are free (loaded: {}); take a smaller quantisation or model, a "
                    "smaller --context, fewer --pin, or a larger --models-memory-mb",
                    name, needs, most, free, there),
        "model",
        fmt::format("모델 '{}'이(가) 메모리에 맞지 않습니다: {}이(가) 필요한데 모델이 쓸 수 있는 "
                    "메모리는 {}, 남은 것은 {}입니다(로드됨: {}). 더 작은 양자화나 모델, 더 작은 "
                    "--context, 더 적은 --pin, 또는 더 큰 --models-memory-mb를 쓰세요.",
                    name, needs, most, free, there_korean));
}

}  // namespace jikji::engine
