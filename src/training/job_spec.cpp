// job.json: written by the server, read by the job.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>

#include "base/error.hpp"
#include "base/file.hpp"
#include "training/job.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr std::uint64_t kJobBytes = 1 << 20;
constexpr const char* kChoices[] = {"auto", "model", "alpaca"};  // TemplateChoice
constexpr const char* kPrecisions[] = {"auto", "f32", "bf16"};   // JobPrecision

[[noreturn]] void refuse(std::string_view field, const std::string& value,
                         const std::string& wanted) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is {}; give {}", field, value, wanted),
                std::string(field),
                fmt::format("{} 값이 {}입니다. 허용: {}", field, value, wanted));
}

template <typename T>
void within(const char* field, T value, T least, T most) {
    if (!(value >= least && value <= most)) {
        refuse(field, fmt::format("{}", value), fmt::format("{} to {}", least, most));
    }
}

json::object as_json(const DataFile& file) {
    return {{"path", file.path.string()}, {"name", file.name}};
}

void put_training(json::object& out, const TrainOptions& train) {
    json::array targets;
    for (const Module module : train.lora.targets) targets.emplace_back(name_of(module));
    out["epochs"] = train.epochs;
    out["batch_size"] = train.batch_size;
    out["learning_rate"] = train.optimiser.learning_rate;
    out["weight_decay"] = train.optimiser.weight_decay;
    out["clip_norm"] = train.optimiser.clip_norm;
    out["rank"] = train.lora.rank;
    out["alpha"] = train.lora.alpha;
    out["dropout"] = train.lora.dropout;
    out["targets"] = std::move(targets);
    out["seed"] = train.seed;
    out["shuffle"] = train.shuffle;
    out["pack_tokens"] = train.pack_tokens;
    out["checkpoint_seconds"] = train.checkpoint_seconds;
    out["checkpoint_steps"] = train.checkpoint_steps;
    out["evaluate_steps"] = train.evaluate_steps;
}

json::object as_json(const JobSpec& spec) {
    json::object out;
    out["adapter"] = spec.adapter_name;
    out["base"] = json::object{
        {"name", spec.base_name}, {"path", spec.base.string()}, {"sha256", spec.base_sha256}};
    out["data"] = as_json(spec.data);
    out["validation"] = spec.validation ? json::value(as_json(*spec.validation)) : nullptr;
    out["held_out_share"] = spec.held_out_share;
    out["template"] = kChoices[static_cast<std::size_t>(spec.choice)];
    out["warmup_steps"] = spec.warmup_steps ? json::value(*spec.warmup_steps) : nullptr;
    out["sample_tokens_most"] = spec.sample_tokens_most;
    out["precision"] = kPrecisions[static_cast<std::size_t>(spec.precision)];
    out["threads"] = spec.threads;
    out["memory_mb"] = spec.memory_mb;
    out["initial_values"] = spec.initial_values.string();
    out["write_samples"] = spec.write_samples;
    put_training(out, spec.train);
    return out;
}

/// Takes fields out of an object, so that what is left over is what nobody knows.
class Fields {
public:
    Fields(json::object object, std::string where)
        : object_(std::move(object)), where_(std::move(where)) {}

    /// Nothing if it is missing or null.
    std::optional<json::value> take(const char* name) {
        const auto found = object_.find(name);
        if (found == object_.end()) return std::nullopt;
        json::value value = found->value();
        object_.erase(found);
        if (value.is_null()) return std::nullopt;
        return value;
    }
    void get(const char* name, std::string& into) {
        const auto value = take(name);
        if (!value) return;
        if (!value->is_string()) wrong(name, "text");
        into = value->get_string();
    }
    void get(const char* name, fs::path& into) {
        std::string text = into.string();
        get(name, text);
        into = text;
    }
    void get(const char* name, bool& into) {
        const auto value = take(name);
        if (!value) return;
        if (!value->is_bool()) wrong(name, "true or false");
        into = value->get_bool();
    }
    void get(const char* name, double& into) {
        const auto value = take(name);
        if (!value) return;
        if (!value->is_number()) wrong(name, "a number");
        into = value->to_number<double>();
    }
    void get(const char* name, float& into) {
        double value = into;
        get(name, value);
        into = static_cast<float>(value);
    }
    template <typename Whole>
    void whole(const char* name, Whole& into) {
        const auto value = take(name);
        if (!value) return;
        boost::system::error_code error;
        if (value->is_number()) into = value->to_number<Whole>(error);
        if (error || !value->is_number()) wrong(name, "a whole number");
    }
    template <std::size_t kCount>
    std::size_t one_of(const char* name, const char* const (&words)[kCount]) {
        std::string word = words[0];
        get(name, word);
        std::string all;
        for (std::size_t i = 0; i < kCount; ++i) {
            if (word == words[i]) return i;
            all += (i == 0 ? std::string() : std::string(", ")) + words[i];
        }
        refuse(name, word, all);
    }
    std::optional<Fields> object(const char* name) {
        const auto value = take(name);
        if (!value) return std::nullopt;
        if (!value->is_object()) wrong(name, "an object");
        return Fields(value->get_object(), where_ + name + ".");
    }
    void end() const {
        if (object_.empty()) return;
        refuse(
            "job.json",
            fmt::format("unclear: it has {}{}", where_, std::string_view(object_.begin()->key())),
            "only the fields that training/job.hpp names");
    }

private:
    [[noreturn]] void wrong(const char* name, const char* wanted) const {
        refuse(where_ + name, "of another type", wanted);
    }
    json::object object_;
    std::string where_;
};

std::optional<DataFile> data_file(Fields& in, const char* name) {
    auto fields = in.object(name);
    if (!fields) return std::nullopt;
    DataFile out;
    fields->get("path", out.path);
    fields->get("name", out.name);
    fields->end();
    if (out.path.empty()) refuse(name, "without a path", "the path of a file");
    if (out.name.empty()) out.name = out.path.filename().string();
    return out;
}

void take_training(Fields& in, TrainOptions& train) {
    in.whole("epochs", train.epochs);
    in.whole("batch_size", train.batch_size);
    in.get("learning_rate", train.optimiser.learning_rate);
    in.get("weight_decay", train.optimiser.weight_decay);
    in.get("clip_norm", train.optimiser.clip_norm);
    in.whole("rank", train.lora.rank);
    in.get("alpha", train.lora.alpha);
    in.get("dropout", train.lora.dropout);
    in.whole("seed", train.seed);
    in.get("shuffle", train.shuffle);
    in.whole("pack_tokens", train.pack_tokens);
    in.get("checkpoint_seconds", train.checkpoint_seconds);
    in.whole("checkpoint_steps", train.checkpoint_steps);
    in.whole("evaluate_steps", train.evaluate_steps);
    const auto targets = in.take("targets");
    if (!targets) return;
    if (!targets->is_array()) refuse("targets", "no list", "such as [\"q_proj\", \"v_proj\"]");
    train.lora.targets.clear();
    for (const json::value& target : targets->get_array()) {
        if (!target.is_string()) refuse("targets", "a list of other things", "names");
        train.lora.targets.push_back(module_named(std::string_view(target.get_string())));
    }
    auto& modules = train.lora.targets;
    std::sort(modules.begin(), modules.end());
    modules.erase(std::unique(modules.begin(), modules.end()), modules.end());
}

JobSpec from_json(Fields in, const fs::path& folder) {
    JobSpec spec;
    in.get("adapter", spec.adapter_name);
    auto base = in.object("base");
    if (!base) refuse("base", "missing", "{\"name\", \"path\", \"sha256\"}");
    base->get("name", spec.base_name);
    base->get("path", spec.base);
    base->get("sha256", spec.base_sha256);
    base->end();
    const auto data = data_file(in, "data");
    if (!data) refuse("data", "missing", "{\"path\", \"name\"}");
    spec.data = *data;
    spec.validation = data_file(in, "validation");
    in.get("held_out_share", spec.held_out_share);
    spec.choice = static_cast<TemplateChoice>(in.one_of("template", kChoices));
    spec.precision = static_cast<JobPrecision>(in.one_of("precision", kPrecisions));
    int warmup = -1;
    in.whole("warmup_steps", warmup);
    if (warmup != -1) spec.warmup_steps = warmup;
    in.whole("sample_tokens_most", spec.sample_tokens_most);
    in.whole("threads", spec.threads);
    in.whole("memory_mb", spec.memory_mb);
    in.get("initial_values", spec.initial_values);
    in.get("write_samples", spec.write_samples);
    take_training(in, spec.train);
    in.end();
    for (fs::path* path : {&spec.base, &spec.data.path, &spec.initial_values}) {
        if (!path->empty()) *path = folder / *path;  // an absolute one stays as it is
    }
    if (spec.validation) spec.validation->path = folder / spec.validation->path;
    return spec;
}

}  // namespace

void write_job(const fs::path& folder, const JobSpec& spec) {
    check(spec);
    write_file_durably(folder / "job.json", json::serialize(as_json(spec)) + "\n");
}

JobSpec read_job(const fs::path& folder) {
    const std::string bytes = read_file(folder / "job.json", kJobBytes);
    boost::system::error_code error;
    json::value value = json::parse(bytes, error);
    if (error || !value.is_object()) refuse("job.json", "no JSON object", "one");
    const JobSpec spec = from_json(Fields(std::move(value.as_object()), ""), folder);
    check(spec);
    return spec;
}

void check(const JobSpec& spec) {
    constexpr double kMost = std::numeric_limits<float>::max();
    const TrainOptions& train = spec.train;
    check(train.lora);
    if (spec.base.empty()) refuse("base", "without a path", "the path of a GGUF");
    if (spec.data.path.empty()) refuse("data", "without a path", "the path of a file");
    within("held_out_share", spec.held_out_share, 0.0, 0.5);
    within("epochs", train.epochs, 1, 100);
    within("batch_size", train.batch_size, 1, 1024);
    if (!(train.optimiser.learning_rate > 0 && train.optimiser.learning_rate <= 1)) {
        refuse("learning_rate", fmt::format("{}", train.optimiser.learning_rate),
               "above 0, up to 1");
    }
    within("weight_decay", train.optimiser.weight_decay, 0.0, 1.0);
    within("clip_norm", train.optimiser.clip_norm, 0.0, kMost);
    if (spec.warmup_steps) within("warmup_steps", *spec.warmup_steps, 0, 1'000'000'000);
    within("sample_tokens_most", spec.sample_tokens_most, 8, 1 << 20);
    within("pack_tokens", train.pack_tokens, 8, 1 << 20);
    within("threads", spec.threads, 0, 1024);
    within("checkpoint_seconds", train.checkpoint_seconds, 0.0, kMost);
    within("checkpoint_steps", train.checkpoint_steps, 0, 1'000'000'000);
    within("evaluate_steps", train.evaluate_steps, 0, 1'000'000'000);
}

}  // namespace jikji::training
