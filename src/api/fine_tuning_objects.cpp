#include "api/fine_tuning_objects.hpp"

#include <cmath>
#include <sstream>

namespace jikji::api {
namespace {

using service::FineTuningJob;

json::value text_or_null(const std::string& text) {
    return text.empty() ? json::value() : json::value(text);
}

json::value time_or_null(std::int64_t seconds) {
    return seconds == 0 ? json::value() : json::value(seconds);
}

json::value number_or_null(const std::optional<double>& number) {
    return number && std::isfinite(*number) ? json::value(*number) : json::value();
}

/// 3e-4 / 3e-4 is 1, and 6e-4 / 3e-4 is 2: what a division leaves behind the 12th digit is noise.
double multiplier_of(double rate) {
    return std::round(rate / service::kBaseLearningRate * 1e12) / 1e12;
}

json::object hyperparameters_json(const FineTuningJob& job) {
    json::array targets;
    std::istringstream names(job.targets);
    for (std::string name; std::getline(names, name, ',');) targets.emplace_back(name);
    const bool chosen = !job.template_used.empty();
    json::object out = {{"n_epochs", job.epochs},
                        {"batch_size", job.batch_size},
                        {"learning_rate_multiplier", multiplier_of(job.learning_rate)},
                        {"learning_rate", job.learning_rate},
                        {"warmup_steps", "auto"},
                        {"rank", job.rank},
                        {"alpha", job.alpha},
                        {"dropout", job.dropout},
                        {"target", std::move(targets)},
                        {"held_out", job.held_out},
                        {"template", chosen ? job.template_used : job.template_name},
                        {"max_length", "auto"}};
    if (job.warmup_steps >= 0) out["warmup_steps"] = job.warmup_steps;
    if (job.max_length > 0) out["max_length"] = job.max_length;
    if (job.length_used > 0) out["max_length"] = job.length_used;
    return out;
}

json::value error_json(const FineTuningJob& job, Language language) {
    if (job.error_code.empty()) return nullptr;
    return json::object{
        {"code", job.error_code},
        {"message", language == Language::kKorean ? job.error_korean : job.error_message},
        {"param", text_or_null(job.error_param)}};
}

json::object extras_json(const FineTuningJob& job, Language language) {
    return {{"paused", job.paused},
            {"steps_done", job.steps_done},
            {"steps_total", job.steps_total},
            {"tokens_done", job.trained_tokens},
            {"samples", job.samples},
            {"held_out_samples", job.held_out_samples},
            {"train_loss", number_or_null(job.train_loss)},
            {"held_out_loss", number_or_null(job.held_out_loss)},
            {"base_loss", number_or_null(job.base_loss)},
            {"warning", text_or_null(service::warning_of(job, language == Language::kKorean))},
            {"model_deleted", job.model_removed},
            {"training_filename", job.training_name},
            {"training_file_deleted", !job.training_file_there}};
}

json::object metrics_json(const storage::Metrics& metrics) {
    json::object out;
    for (const auto& [name, value] : metrics) {
        if (name == "step" || name == "total_steps" || name == "tokens_done") {
            out[name] = static_cast<std::int64_t>(value);
        } else if (std::isfinite(value)) {
            out[name] = value;
        }
    }
    return out;
}

}  // namespace

json::object fine_tuning_job_json(const FineTuningJob& job, Language language) {
    const json::object hyperparameters = hyperparameters_json(job);
    json::array results;
    for (const std::string& id : job.result_files) results.emplace_back(id);
    json::object metadata;
    for (const auto& [key, value] : job.metadata) metadata[key] = value;
    const bool succeeded = job.status == "succeeded";
    return {{"id", job.id},
            {"object", "fine_tuning.job"},
            {"created_at", job.created_at},
            {"error", error_json(job, language)},
            {"fine_tuned_model", text_or_null(job.fine_tuned_model)},
            {"finished_at", time_or_null(job.finished_at)},
            {"estimated_finish", job.paused ? json::value() : time_or_null(job.estimated_finish)},
            {"hyperparameters", hyperparameters},
            {"method",
             {{"type", "supervised"}, {"supervised", {{"hyperparameters", hyperparameters}}}}},
            {"model", job.model},
            {"organization_id", "local"},
            {"result_files", std::move(results)},
            {"seed", job.seed},
            {"status", job.status},
            {"trained_tokens", succeeded ? json::value(job.trained_tokens) : json::value()},
            {"training_file", job.training_file},
            {"validation_file", text_or_null(job.validation_file)},
            {"user_provided_suffix", text_or_null(job.suffix)},
            {"integrations", json::array()},
            {"metadata", std::move(metadata)},
            {"x_jikji", extras_json(job, language)}};
}

json::object fine_tuning_event_json(const service::FineTuningEvent& event, Language language) {
    const bool message = event.metrics.empty();
    return {{"id", event.id},
            {"object", "fine_tuning.job.event"},
            {"created_at", event.created_at},
            {"level", event.level},
            {"message", language == Language::kKorean ? event.korean : event.message},
            {"type", message ? "message" : "metrics"},
            {"data", metrics_json(event.metrics)}};
}

json::object fine_tuning_checkpoint_json(const FineTuningJob& job,
                                         const service::FineTuningCheckpoint& checkpoint) {
    // The last one is the model itself; earlier ones are what the job goes on from.
    const bool last = job.status == "succeeded" && checkpoint.step == job.steps_done;
    const std::string model = service::fine_tuned_name(job);
    json::object metrics = metrics_json(checkpoint.metrics);
    metrics["step"] = checkpoint.step;
    return {{"id", checkpoint.id},
            {"object", "fine_tuning.job.checkpoint"},
            {"created_at", checkpoint.created_at},
            {"fine_tuned_model_checkpoint",
             last ? model : model + ":ckpt-step-" + std::to_string(checkpoint.step)},
            {"fine_tuning_job_id", job.id},
            {"metrics", std::move(metrics)},
            {"step_number", checkpoint.step},
            {"x_jikji", {{"callable", last && !job.model_removed}}}};
}

}  // namespace jikji::api
