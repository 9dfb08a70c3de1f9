#include "training/job_prepare.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "llama/context.hpp"
#include "llama/log.hpp"
#include "llama/model.hpp"
#include "models/machine_memory.hpp"
#include "training/model_tokeniser.hpp"

namespace jikji::training {
namespace {

constexpr double kHeldOutMost = 100;  // samples; more cost time and tell little
constexpr std::size_t kHashBytes = 1 << 20;

void note(PreparedEvent& said, std::string english, std::string korean) {
    said.notes.push_back(std::move(english));
    said.notes_korean.push_back(std::move(korean));
}

/// `file`: named where there are two, as a line's number is of one of them.
void count(PreparedEvent& said, const DataReport& report, const std::string& file) {
    said.duplicates += report.duplicates;
    said.empty += report.empty;
    said.too_long += report.too_long;
    const std::string place = file.empty() ? "" : file + " ";
    for (std::size_t i = 0; i < report.notes.size(); ++i) {
        note(said, place + report.notes[i], place + report.notes_korean[i]);
    }
}

const char* name_of_template(const DataReport& report, TemplateChoice choice,
                             const Tokeniser& tokeniser) {
    const bool turns = report.format == DataFormat::kChat || report.format == DataFormat::kAlpaca;
    if (!turns) return "none";
    return chosen_template(choice, tokeniser) == TemplateChoice::kAlpaca ? "alpaca" : "model";
}

/// A chat is asked in the model's own template, which is not what is learnt here.
void note_alpaca(PreparedEvent& said, bool has_template) {
    note(said,
         fmt::format("learnt in Alpaca's words{}: ask the new model through /v1/completions, with "
                     "a prompt of '### Instruction:' and '### Response:'",
                     has_template ? "" : ", as the base has no chat template"),
         fmt::format(
             "알파카 형식으로 학습합니다{}. 새 모델에는 /v1/completions로 '### Instruction:'과 "
             "'### Response:'가 있는 프롬프트를 보내세요.",
             has_template ? "" : "(기본 모델에 대화 템플릿이 없습니다)"));
}

struct Reading {  // how both files are read
    const Tokeniser& tokeniser;
    TemplateChoice choice;
    int tokens_most;
    bool two_files;
};

std::vector<Sample> samples_of(const DataFile& file, const Reading& how, PreparedEvent& said) {
    Records records = read_records(file.path, file.name);
    DataReport report = records.report;
    auto samples = to_samples(records, how.tokeniser, how.choice, how.tokens_most, report);
    count(said, report, how.two_files ? file.name : "");
    if (said.template_name.empty()) {  // the job's is that of what is learnt, which is read first
        said.template_name = name_of_template(report, how.choice, how.tokeniser);
    }
    return samples;
}

[[noreturn]] void nothing_to_measure(const JobSpec& spec) {
    const std::string& held = spec.validation->name;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{}: every sample stands in {} too, so it measures nothing; give "
                            "others, or leave validation_file out: then a share is held out",
                            held, spec.data.name),
                "validation_file",
                fmt::format("{}: 모든 예문이 {}에도 있어서 잴 것이 없습니다. 다른 예문을 주거나 "
                            "validation_file을 빼세요. 그러면 예문의 일부를 떼어 둡니다.",
                            held, spec.data.name));
}

/// The training file and the one to measure on, less what both have.
Split two_files(const JobSpec& spec, const Reading& how, PreparedEvent& said) {
    Split out{samples_of(spec.data, how, said), {}};
    try {
        out.held_out = samples_of(*spec.validation, how, said);
    } catch (const Error& cause) {
        if (cause.field() != "training_file") throw;
        throw Error(cause.code(), cause.what(), "validation_file", cause.korean());
    }
    const std::size_t shared = leave_out_learnt(out);
    if (out.held_out.empty()) nothing_to_measure(spec);
    if (shared > 0) {
        note(said,
             fmt::format("{} of the samples of {} stand in {} too and are not measured on, as "
                         "they are learnt",
                         shared, spec.validation->name, spec.data.name),
             fmt::format("{}의 예문 {}개는 {}에도 있어 학습에 쓰이므로 검증에서 뺍니다.",
                         spec.validation->name, shared, spec.data.name));
    }
    return out;
}

Split data_of(const JobSpec& spec, const Shape& shape, PreparedEvent& said) {
    llama::capture_log();
    const auto model = std::make_shared<llama::Model>(
        spec.base, llama::ModelOptions{.gpu_layers = 0, .vocab_only = true});
    const Tokeniser tokeniser = tokeniser_of(model);
    int tokens_most = spec.sample_tokens_most;
    // Beyond a window, libllama would answer with more than was seen here: it knows no window of
    // this family.
    for (const int most : {shape.context, shape.window}) {
        if (most > 0) tokens_most = std::min(tokens_most, most);
    }
    said.max_length = tokens_most;
    const Reading how{tokeniser, spec.choice, tokens_most, spec.validation.has_value()};
    Split out;
    if (spec.validation) {
        out = two_files(spec, how, said);
    } else {
        auto samples = samples_of(spec.data, how, said);
        const double share =
            std::min(spec.held_out_share, kHeldOutMost / static_cast<double>(samples.size()));
        out = split(std::move(samples), share, spec.train.seed);
    }
    if (said.template_name == "alpaca") note_alpaca(said, tokeniser.has_template);
    return out;
}

/// The warm-up of short runs: Hugging Face's hundred steps would never reach the rate.
int warmup_of(const JobSpec& spec, std::int64_t total, PreparedEvent& said) {
    const int wanted = spec.warmup_steps.value_or(spec.train.optimiser.warmup_steps);
    if (total >= 2 * static_cast<std::int64_t>(wanted)) return wanted;
    if (spec.warmup_steps) {
        note(said,
             fmt::format("warmup_steps is {} and there are {} steps: the rate hardly gets to {}; "
                         "give fewer, or more epochs",
                         wanted, total, spec.train.optimiser.learning_rate),
             fmt::format("warmup_steps가 {}인데 전체가 {}단계입니다. 학습률이 {}에 거의 이르지 "
                         "못합니다. 줄이거나 에포크를 늘리세요.",
                         wanted, total, spec.train.optimiser.learning_rate));
        return wanted;
    }
    const int shorter = static_cast<int>(total / 10);
    note(said,
         fmt::format("there are only {} steps, so the warm-up is {} instead of {}", total, shorter,
                     wanted),
         fmt::format("전체가 {}단계뿐이라 워밍업을 {} 대신 {}단계로 합니다.", total, wanted,
                     shorter));
    return shorter;
}

PassOptions pass_of(const JobSpec& spec, const BaseModel& base) {
    PassOptions out;
    if (spec.precision == JobPrecision::kF32) out.precision = gemm::Precision::kF32;
    if (spec.precision == JobPrecision::kBf16) out.precision = gemm::Precision::kBf16;
    out.threads = spec.threads > 0 ? spec.threads : llama::arithmetic_threads();
    if (spec.memory_mb > 0) return within(out, spec.memory_mb << 20);
    const std::uint64_t free = models::memory_available();
    return free > 0 ? within_free(out, base, free) : out;  // unknown: keep everything
}

std::int64_t tokens_of(const std::vector<Sample>& samples) {
    std::int64_t out = 0;
    for (const Sample& sample : samples) out += static_cast<std::int64_t>(sample.tokens.size());
    return out;
}

std::vector<float> floats_of(const std::filesystem::path& file) {
    if (file.empty()) return {};
    const MappedFile mapped(file);
    const auto* first = reinterpret_cast<const float*>(mapped.bytes().data());
    return {first, first + mapped.bytes().size() / sizeof(float)};
}

}  // namespace

PreparedJob prepare(const JobSpec& spec) {
    PreparedJob out;
    out.base = std::make_unique<BaseModel>(spec.base);
    out.data = data_of(spec, out.base->shape(), out.said);
    out.train = spec.train;
    out.train.initial_values = floats_of(spec.initial_values);
    out.pass = pass_of(spec, *out.base);
    PreparedEvent& said = out.said;
    said.samples = static_cast<std::int64_t>(out.data.train.size());
    said.held_out = static_cast<std::int64_t>(out.data.held_out.size());
    said.tokens = tokens_of(out.data.train);
    const std::int64_t batch = spec.train.batch_size;
    said.steps_total = (said.samples + batch - 1) / batch * spec.train.epochs;
    out.train.optimiser.warmup_steps = warmup_of(spec, said.steps_total, said);
    said.warmup_steps = out.train.optimiser.warmup_steps;
    said.precision = out.pass.precision == gemm::Precision::kF32 ? "f32" : "bf16";
    said.parameters =
        static_cast<std::int64_t>(Lora(out.base->shape(), spec.train.lora).values().size());
    if (said.held_out == 0) {
        note(said, "nothing is held out, so nobody can say whether the adapter beats its base",
             "따로 떼어 둔 샘플이 없어 어댑터가 기본 모델보다 나은지 알 수 없습니다.");
    }
    return out;
}

std::string checked_hash(const JobSpec& spec) {
    const MappedFile file(spec.base);
    Sha256 sum;
    for (std::size_t at = 0; at < file.bytes().size(); at += kHashBytes) {
        sum.update(file.bytes().substr(at, kHashBytes));
    }
    const std::string hash = sum.finish_hex();
    if (spec.base_sha256.empty() || hash == spec.base_sha256) return hash;
    throw Error(
        ErrorCode::kConflict,
        fmt::format("the base model {} changed since the job was made (its file's sha256 is {}, "
                    "not {}); start a new job",
                    spec.base_name, hash.substr(0, 12), spec.base_sha256.substr(0, 12)),
        "base",
        fmt::format("작업을 만든 뒤 기본 모델 {}의 파일이 바뀌었습니다(sha256 {} → {}). 새 작업을 "
                    "시작하세요.",
                    spec.base_name, spec.base_sha256.substr(0, 12), hash.substr(0, 12)));
}

PreparedEvent inspect_job(const JobSpec& spec) { return prepare(spec).said; }

}  // namespace jikji::training
