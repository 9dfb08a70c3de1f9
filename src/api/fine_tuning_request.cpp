// The body of POST /v1/fine_tuning/jobs.
#include <cmath>
#include <sstream>

#include "api/fields.hpp"
#include "api/fine_tuning_objects.hpp"
#include "base/error.hpp"

namespace jikji::api {
namespace {

using http::Fields;
using service::FineTuningRequest;
namespace limits = service::fine_tuning_limits;

/// "auto" counts as absent.
bool is_auto(Fields& fields, std::string_view name) {
    const json::value* value = fields.find(name);
    return value && value->is_string() && value->get_string() == "auto";
}

void read(Fields& fields, std::string_view name, http::Range<std::int64_t> range, int& out) {
    if (is_auto(fields, name)) return;
    if (const auto value = fields.optional_integer(name, range)) out = static_cast<int>(*value);
}

void read(Fields& fields, std::string_view name, http::Range<double> range, double& out) {
    if (is_auto(fields, name)) return;
    if (const auto value = fields.optional_number(name, range)) out = *value;
}

void refuse_both(Fields& fields, const char* one, const char* other) {
    if (!fields.has(one) || !fields.has(other)) return;
    const std::string path = fields.path_of(other);
    throw Error(ErrorCode::kInvalidArgument,
                path + " and " + one + " say the same thing; give one of them", path,
                path + "와(과) " + one + "은(는) 같은 뜻입니다. 하나만 주세요.");
}

std::vector<std::string> words_of(const std::string& list) {
    std::vector<std::string> out;
    std::istringstream in(list);
    for (std::string word; std::getline(in, word, ',');) {
        const std::size_t first = word.find_first_not_of(' ');
        if (first == std::string::npos) continue;
        out.push_back(word.substr(first, word.find_last_not_of(' ') + 1 - first));
    }
    return out;
}

/// "q_proj,v_proj" or a list.
void read_targets(Fields& fields, FineTuningRequest& out) {
    const json::value* value = fields.find("target");
    if (!value || is_auto(fields, "target")) return;
    constexpr std::size_t kTargets = 64;
    out.targets = value->is_string() ? words_of(std::string(value->get_string()))
                                     : *fields.optional_strings("target", kTargets);
}

void read_rates(Fields& fields, FineTuningRequest& out) {
    refuse_both(fields, "learning_rate_multiplier", "learning_rate");
    double multiplier = 1;
    read(fields, "learning_rate_multiplier",
         {limits::kLearningRateMin / service::kBaseLearningRate,
          std::floor(limits::kLearningRateMax / service::kBaseLearningRate)},
         multiplier);
    out.learning_rate = service::kBaseLearningRate * multiplier;
    read(fields, "learning_rate", {limits::kLearningRateMin, limits::kLearningRateMax},
         out.learning_rate);
    if (is_auto(fields, "warmup_steps")) return;
    if (const auto steps = fields.optional_integer("warmup_steps", {0, limits::kWarmupSteps})) {
        out.warmup_steps = static_cast<int>(*steps);
    }
}

void read_hyperparameters(Fields& fields, FineTuningRequest& out) {
    out.path = fields.path();
    refuse_both(fields, "n_epochs", "epochs");
    read(fields, "n_epochs", {1, limits::kEpochs}, out.epochs);
    read(fields, "epochs", {1, limits::kEpochs}, out.epochs);
    read(fields, "batch_size", {1, limits::kBatchSize}, out.batch_size);
    read_rates(fields, out);
    read(fields, "rank", {1, limits::kRank}, out.rank);
    read(fields, "alpha", {limits::kAlphaMin, limits::kAlphaMax}, out.alpha);
    read(fields, "dropout", {0, limits::kDropoutMax}, out.dropout);
    read_targets(fields, out);
    read(fields, "held_out", {0, limits::kHeldOutMax}, out.held_out);
    if (const auto name = fields.optional_choice("template", {"auto", "model", "alpaca"})) {
        out.template_name = *name;
    }
    read(fields, "max_length", {limits::kLengthMin, limits::kLengthMax}, out.max_length);
    fields.refuse_unknown();
}

[[noreturn]] void refuse_method(const std::string& path, const std::string& type) {
    throw Error(ErrorCode::kUnsupported,
                path + " is " + type + ", which is not supported; give supervised", path,
                path + ": " + type + " 방식은 지원하지 않습니다. supervised를 주세요.");
}

/// {"type": "supervised", "supervised": {"hyperparameters": {…}}}
void read_method(Fields& body, FineTuningRequest& out) {
    auto method = body.optional_object("method");
    if (!method) return;
    const std::string type = method->required_string("type");
    const std::string path = method->path_of("type");
    if (type == "dpo" || type == "reinforcement") refuse_method(path, type);
    if (type != "supervised")
        http::wrong_value(path, method->required("type"), "supervised", "supervised");
    if (auto supervised = method->optional_object("supervised")) {
        if (auto values = supervised->optional_object("hyperparameters")) {
            if (body.has("hyperparameters")) {
                throw_unsupported("hyperparameters", {"they are in method already; give them once",
                                                      "method에도 있습니다. 한 곳에만 주세요"});
            }
            read_hyperparameters(*values, out);
        }
        supervised->refuse_unknown();
    }
    method->refuse_unknown();
}

}  // namespace

service::FineTuningRequest parse_fine_tuning(const http::Call& call) {
    const json::object object = http::parse_object(call.body);
    Fields body(object);
    FineTuningRequest out;
    const std::string count = call.header("x-stainless-retry-count");  // all that the SDKs say
    out.repeated = !count.empty() && count != "0";
    out.model = body.required_string("model");
    out.training_file = body.required_string("training_file");
    out.validation_file = body.optional_string("validation_file").value_or("");
    out.suffix = body.optional_string("suffix").value_or("");
    out.seed = body.optional_integer("seed", {0, limits::kSeedMax}).value_or(out.seed);
    out.metadata = read_metadata(body);
    refuse(body, "integrations",
           {"what happens here is sent nowhere; leave it out",
            "여기서 일어나는 일은 밖으로 보내지 않습니다. 빼고 보내세요"});
    read_method(body, out);
    if (auto values = body.optional_object("hyperparameters")) read_hyperparameters(*values, out);
    body.refuse_unknown();
    return out;
}

}  // namespace jikji::api
