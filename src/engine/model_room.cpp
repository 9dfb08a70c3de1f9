#include "engine/model_room.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <tuple>

#include "base/language.hpp"
#include "base/progress.hpp"

namespace jikji::engine {
namespace {

constexpr auto kRetry = std::chrono::seconds(5);

std::uint64_t less(std::uint64_t a, std::uint64_t b) { return a > b ? a - b : 0; }

/// Bytes of those that stay and of `wanted`, whose weights may be there already.
std::uint64_t bytes_with(const Occupant& wanted, std::vector<Occupant> loaded) {
    loaded.push_back(wanted);
    return bytes_of(loaded);
}

std::string list_of(const std::vector<Occupant>& loaded, Language language) {
    std::string out;
    std::set<std::string_view> said;  // weights that several share: at the first of them
    for (const Occupant& one : loaded) {
        const bool first = one.weights.empty() || said.insert(one.weights).second;
        out += fmt::format("{}{} {}", out.empty() ? "" : ", ", one.name,
                           bytes_for_people(one.bytes + (first ? one.weights_bytes : 0)));
        if (one.pinned) out += say(language, " (pinned)", "(고정)");
        if (one.busy) out += say(language, " (computing)", "(계산 중)");
    }
    return out.empty() ? std::string(say(language, "nothing", "없음")) : out;
}

}  // namespace

std::uint64_t bytes_of(const std::vector<Occupant>& loaded) {
    std::uint64_t sum = 0;
    std::map<std::string_view, std::uint64_t> shared;
    for (const Occupant& one : loaded) {
        sum += one.bytes;
        if (one.weights.empty()) {
            sum += one.weights_bytes;
        } else {
            shared[one.weights] = std::max(shared[one.weights], one.weights_bytes);
        }
    }
    for (const auto& [weights, bytes] : shared) sum += bytes;
    return sum;
}

std::uint64_t MemoryLimit::bytes() const {
    if (fixed > 0) return fixed;
    if (available == 0) return std::numeric_limits<std::uint64_t>::max();
    const std::uint64_t whole = available + held;
    return whole - std::min(reserve, whole / 4);
}

RoomPlan make_room(const Occupant& wanted, std::uint64_t limit, std::vector<Occupant> loaded) {
    using Outcome = RoomPlan::Outcome;
    std::vector<Occupant> stay, gone;
    std::ranges::copy_if(loaded, std::back_inserter(stay), &Occupant::pinned);
    if (bytes_with(wanted, stay) > limit) return {Outcome::kTooBig, {}};
    std::ranges::sort(loaded, [](const Occupant& a, const Occupant& b) {
        return std::tie(a.preferred, a.last_use) < std::tie(b.preferred, b.last_use);
    });
    stay = loaded;
    for (const Occupant& one : loaded) {
        if (bytes_with(wanted, stay) <= limit) break;
        if (one.pinned || one.busy) continue;
        std::erase_if(stay, [&](const Occupant& other) { return other.name == one.name; });
        gone.push_back(one);
    }
    if (bytes_with(wanted, stay) > limit) return {Outcome::kBusy, {}};
    RoomPlan plan;
    // Whoever was needed least may stay after all, where a larger one that came later gives enough.
    for (auto one = gone.rbegin(); one != gone.rend(); ++one) {
        stay.push_back(*one);
        if (bytes_with(wanted, stay) <= limit) continue;
        stay.pop_back();
        plan.unload.insert(plan.unload.begin(), one->name);
    }
    return plan;
}

Error no_room_error(const Occupant& wanted, std::uint64_t limit,
                    const std::vector<Occupant>& loaded, RoomPlan::Outcome outcome) {
    const std::string& name = wanted.name;
    const std::uint64_t need = bytes_with(wanted, loaded) - bytes_of(loaded);
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
