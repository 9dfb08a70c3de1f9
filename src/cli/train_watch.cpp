#include "cli/train_watch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/say.hpp"

namespace jikji::cli {
namespace {

std::string clock(double seconds) {
    const auto whole = std::llround(std::clamp(seconds, 0.0, 3.6e6));
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string events_of(const std::string& job) {
    return fmt::format("{}/{}/events", kTrainingJobs, percent_encoded(job));
}

}  // namespace

TrainWatch::TrainWatch(std::string job, Language language, bool from_now)
    : job_(std::move(job)), language_(language), from_now_(from_now) {}

void TrainWatch::follow(http::Client& client) {
    if (from_now_) {
        const auto answer = client.request("GET", events_of(job_) + "?limit=1");
        const json::object page = parse_object(answer.body);
        for (const json::value& event : list_at(page, "data")) {
            last_ = text_at(event.as_object(), "id");
        }
        from_now_ = false;
    }
    const std::string after = last_.empty() ? "" : "&after=" + percent_encoded(last_);
    client.stream("GET", events_of(job_) + "?stream=true" + after, {}, [&](std::string_view text) {
        const json::object event = parse_object(text);
        take(event);
        last_ = text_at(event, "id");
        return true;
    });
    progress_.reset();
}

void TrainWatch::take(const json::object& event) {
    const json::object& data = object_at(event, "data");
    if (data.contains("train_loss")) return take_step(data);
    if (data.contains("valid_loss")) {
        held_out_ = fmt::format(fmt::runtime(say(language_, ", held out {:.2f}", ", 검증 {:.2f}")),
                                number_at(data, "valid_loss"));
    }
    const std::string text = for_terminal(text_at(event, "message"));
    if (progress_) {
        progress_->say(text);
    } else {
        tell(text);
    }
}

void TrainWatch::take_step(const json::object& data) {
    const auto step = static_cast<std::uint64_t>(number_at(data, "step"));
    const auto total = static_cast<std::uint64_t>(number_at(data, "total_steps"));
    if (!progress_) {
        progress_ = std::make_unique<Progress>(std::string(say(language_, "step", "단계")), total);
    }
    progress_->describe(fmt::format(fmt::runtime(say(language_, "-{}  loss {:.2f}{}, {:.0f} tok/s",
                                                     "-{}  손실 {:.2f}{}, {:.0f} 토큰/초")),
                                    clock(number_at(data, "seconds_left")),
                                    number_at(data, "train_loss"), held_out_,
                                    number_at(data, "tokens_per_second")));
    progress_->update(step);
}

}  // namespace jikji::cli
