#include "service/fine_tuning_repeats.hpp"

#include <algorithm>
#include <tuple>

namespace jikji::service {

bool asked_alike(const FineTuningJob& a, const FineTuningJob& b) {
    const auto asked = [](const FineTuningJob& j) {
        return std::tie(j.model, j.training_file, j.validation_file, j.suffix, j.seed, j.epochs,
                        j.batch_size, j.learning_rate, j.rank, j.alpha, j.dropout, j.targets,
                        j.held_out, j.template_name, j.max_length, j.metadata);
    };
    return asked(a) == asked(b);
}

FineTuningRepeats::Making FineTuningRepeats::begin(const FineTuningJob& job, bool repeated) {
    std::unique_lock lock(mutex_);
    const auto free = [&] {
        return std::ranges::none_of(made_now_,
                                    [&](const auto& other) { return asked_alike(job, other); });
    };
    if (repeated) done_.wait(lock, free);
    return {*this, made_now_.insert(made_now_.end(), job)};
}

FineTuningRepeats::Making::~Making() {
    {
        const std::lock_guard lock(all_.mutex_);
        all_.made_now_.erase(job_);
    }
    all_.done_.notify_all();
}

}  // namespace jikji::service
