#include "training/job_events.hpp"

#include <boost/json.hpp>
#include <cmath>

#include "base/error.hpp"
#include "models/json_file.hpp"
#include "training/diverged.hpp"

namespace jikji::training {
namespace json = boost::json;
namespace {

constexpr std::size_t kLineBytes = 1 << 20;

// One list of names and fields for each event, which writing and reading share.

template <typename Visit>
void fields(Visit&& visit, PreparedEvent& e) {
    visit("samples", e.samples);
    visit("held_out", e.held_out);
    visit("tokens", e.tokens);
    visit("steps_total", e.steps_total);
    visit("steps_done", e.steps_done);
    visit("duplicates", e.duplicates);
    visit("empty", e.empty);
    visit("too_long", e.too_long);
    visit("warmup_steps", e.warmup_steps);
    visit("max_length", e.max_length);
    visit("parameters", e.parameters);
    visit("notes", e.notes);
    visit("notes_korean", e.notes_korean);
    visit("template", e.template_name);
    visit("precision", e.precision);
    visit("seconds_estimate", e.seconds_estimate);
}

template <typename Visit>
void fields(Visit&& visit, StepEvent& e) {
    visit("step", e.step);
    visit("total", e.total);
    visit("epoch", e.epoch);
    visit("loss", e.loss);
    visit("accuracy", e.accuracy);
    visit("rate", e.rate);
    visit("gradient_norm", e.gradient_norm);
    visit("tokens", e.tokens);
    visit("tokens_done", e.tokens_done);
    visit("tokens_per_second", e.tokens_per_second);
    visit("seconds_left", e.seconds_left);
}

template <typename Visit>
void fields(Visit&& visit, HeldOutEvent& e) {
    visit("step", e.step);
    visit("loss", e.loss);
    visit("base_loss", e.base_loss);
    visit("accuracy", e.accuracy);
}

template <typename Visit>
void fields(Visit&& visit, CheckpointEvent& e) {
    visit("step", e.step);
    visit("file", e.file);
}

template <typename Visit>
void fields(Visit&& visit, NoteEvent& e) {
    visit("message", e.message);
    visit("korean", e.korean);
}

template <typename Visit>
void fields(Visit&& visit, DoneEvent& e) {
    visit("adapter", e.adapter);
    visit("steps", e.steps);
    visit("tokens", e.tokens);
    visit("loss", e.loss);
    visit("held_out_loss", e.held_out_loss);
    visit("base_loss", e.base_loss);
    visit("worse_than_base", e.worse_than_base);
}

template <typename Visit>
void fields(Visit&& visit, StoppedEvent& e) {
    visit("step", e.step);
}

template <typename Visit>
void fields(Visit&& visit, ErrorEvent& e) {
    visit("code", e.code);
    visit("field", e.field);
    visit("message", e.message);
    visit("korean", e.korean);
}

struct Write {
    json::object& out;
    void operator()(const char* name, double value) {
        if (std::isfinite(value)) out[name] = value;
    }
    void operator()(const char* name, const std::optional<double>& value) {
        if (value) (*this)(name, *value);
    }
    void operator()(const char* name, const std::vector<std::string>& values) {
        out[name] = json::array(values.begin(), values.end());
    }
    template <typename T>
    void operator()(const char* name, const T& value) {
        out[name] = value;
    }
};

struct Read {
    const json::object& in;
    void operator()(const char* name, std::int64_t& value) {
        value = static_cast<std::int64_t>(models::number_of(in, name));
    }
    void operator()(const char* name, double& value) { value = models::real_of(in, name, 0); }
    void operator()(const char* name, bool& value) { value = models::flag_of(in, name, false); }
    void operator()(const char* name, std::string& value) { value = models::text_of(in, name); }
    void operator()(const char* name, std::optional<double>& value) {
        if (in.contains(name)) value = models::real_of(in, name, 0);
    }
    void operator()(const char* name, std::vector<std::string>& values) {
        const json::value* given = in.if_contains(name);
        if (given == nullptr || !given->is_array()) return;
        for (const json::value& one : given->get_array()) {
            if (one.is_string()) values.emplace_back(one.get_string());
        }
    }
};

constexpr const char* kNames[] = {"prepared", "step", "held_out", "checkpoint",
                                  "note",     "done", "stopped",  "error"};
static_assert(std::size(kNames) == std::variant_size_v<JobEvent>);

template <std::size_t kIndex = 0>
std::optional<JobEvent> read_as(std::string_view name, const json::object& in) {
    if constexpr (kIndex < std::variant_size_v<JobEvent>) {
        if (name != kNames[kIndex]) return read_as<kIndex + 1>(name, in);
        std::variant_alternative_t<kIndex, JobEvent> event;
        fields(Read{in}, event);
        return event;
    }
    return std::nullopt;
}

const char* code_of(ErrorCode code) {
    switch (code) {
        case ErrorCode::kInvalidArgument: return "invalid_argument";
        case ErrorCode::kUnauthorized: return "invalid_api_key";
        case ErrorCode::kNotFound: return "not_found";
        case ErrorCode::kModelNotFound: return "model_not_found";
        case ErrorCode::kContextLength: return "context_length_exceeded";
        case ErrorCode::kUnsupported: return "unsupported_parameter";
        case ErrorCode::kConflict: return "conflict";
        case ErrorCode::kTooLarge: return "too_large";
        case ErrorCode::kRejected: return "rejected";
        case ErrorCode::kOverloaded: return "overloaded";
        case ErrorCode::kLoading: return "model_loading";
        case ErrorCode::kStopping: return "server_stopping";
        case ErrorCode::kDiskFull: return "storage_full";
        case ErrorCode::kCancelled: return "cancelled";
        case ErrorCode::kTimeout: return "timeout";
        case ErrorCode::kInternal: break;
    }
    return "internal";
}

}  // namespace

std::string to_line(const JobEvent& event) {
    json::object out{{"event", kNames[event.index()]}};
    std::visit([&](auto copy) { fields(Write{out}, copy); }, event);
    return json::serialize(out);
}

std::optional<JobEvent> parse_event(std::string_view line) {
    if (line.size() > kLineBytes) return std::nullopt;
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    if (error || !value.is_object()) return std::nullopt;
    return read_as(models::text_of(value.get_object(), "event"), value.get_object());
}

ErrorEvent error_event(const std::exception& cause) {
    const auto* known = dynamic_cast<const Error*>(&cause);
    if (known == nullptr) return {"internal", {}, cause.what(), {}};
    const bool diverged = dynamic_cast<const Diverged*>(&cause) != nullptr;
    return {diverged ? "training_diverged" : code_of(known->code()), known->field(), known->what(),
            known->korean()};
}

}  // namespace jikji::training
