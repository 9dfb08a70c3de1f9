#pragma once
// /v1/fine_tuning as JSON and back. Threads: any; pure.
#include "api/objects.hpp"
#include "base/language.hpp"
#include "http/call.hpp"
#include "service/fine_tuning.hpp"

namespace jikji::api {

/// The body of POST /v1/fine_tuning/jobs. OpenAI's two places for hyperparameters are both read;
/// "auto" means our default. Throws Error with the field's path.
service::FineTuningRequest parse_fine_tuning(const http::Call& call);

/// What OpenAI's object does not have is under x_jikji.
json::object fine_tuning_job_json(const service::FineTuningJob& job, Language language);
json::object fine_tuning_event_json(const service::FineTuningEvent& event, Language language);
json::object fine_tuning_checkpoint_json(const service::FineTuningJob& job,
                                         const service::FineTuningCheckpoint& checkpoint);

}  // namespace jikji::api
