// jikji train: a file of samples to a model of one's own; and train list | show | cancel | pause |
// resume.
#include <algorithm>

#include "base/progress.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"
#include "cli/train_watch.hpp"
#include "cli/wire.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace {

std::string path_of(const std::string& job) {
    return fmt::format("{}/{}", kTrainingJobs, percent_encoded(job));
}

json::object job_of(http::Client& client, const std::string& job) {
    return parse_object(client.request("GET", path_of(job)).body);
}

[[noreturn]] void refuse_data(ErrorCode code, const std::string& english,
                              const std::string& korean) {
    throw Error(code, english, "data", korean);
}

bool holds_samples(const fs::path& file) {
    const std::string extension = file.extension().string();
    constexpr std::string_view kKnown[] = {".jsonl", ".json", ".ndjson", ".txt", ".md"};
    return std::find(std::begin(kKnown), std::end(kKnown), extension) != std::end(kKnown);
}

/// The one file of samples in a folder: two may have two shapes, and one line number must not mean
/// two lines.
fs::path only_file_in(const fs::path& folder) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder)) {
        if (entry.is_regular_file() && holds_samples(entry.path())) {
            found.push_back(entry.path().filename().string());
        }
    }
    if (found.size() == 1) return folder / found.front();
    std::sort(found.begin(), found.end());
    constexpr std::size_t kNamed = 5;
    const auto last = found.begin() + static_cast<std::ptrdiff_t>(std::min(kNamed, found.size()));
    const std::string named = fmt::format("{}", fmt::join(found.begin(), last, ", "));
    refuse_data(ErrorCode::kInvalidArgument,
                found.empty()
                    ? fmt::format("{} holds no samples (.jsonl, .txt, .md)", folder.string())
                    : fmt::format("{} holds {} files ({}); give one of them, or put them together",
                                  folder.string(), found.size(), named),
                found.empty()
                    ? fmt::format("{}에 예문 파일(.jsonl, .txt, .md)이 없습니다", folder.string())
                    : fmt::format("{}에 파일이 {}개 있습니다({}). 하나만 주거나 합쳐 주세요.",
                                  folder.string(), found.size(), named));
}

fs::path file_of(const fs::path& given) {
    std::error_code ignored;
    if (fs::exists(given / "jikji.db", ignored)) {
        refuse_data(
            ErrorCode::kInvalidArgument,
            fmt::format("{} is Jikji's data folder; --data of train is the file of "
                        "samples, and --data-folder that folder",
                        given.string()),
            fmt::format("{}은(는) 직지의 데이터 폴더입니다. train의 --data는 예문 파일이고, "
                        "데이터 폴더는 --data-folder입니다.",
                        given.string()));
    }
    if (fs::is_directory(given, ignored)) return only_file_in(given);
    if (!fs::is_regular_file(given, ignored)) {
        refuse_data(ErrorCode::kNotFound, fmt::format("there is no file {}", given.string()),
                    fmt::format("{} 파일이 없습니다.", given.string()));
    }
    return given;
}

template <typename Value>
void put(json::object& body, const char* name, const std::optional<Value>& value) {
    if (value) body[name] = *value;
}

json::object request_of(const TrainCommandOptions& options, const std::string& file) {
    json::object values;
    put(values, "n_epochs", options.epochs);
    put(values, "batch_size", options.batch_size);
    put(values, "learning_rate", options.learning_rate);
    put(values, "warmup_steps", options.warmup_steps);
    put(values, "rank", options.rank);
    put(values, "alpha", options.alpha);
    put(values, "dropout", options.dropout);
    put(values, "target", options.target);
    put(values, "held_out", options.held_out);
    put(values, "template", options.template_name);
    put(values, "max_length", options.max_length);
    json::object out = {{"model", options.model}, {"training_file", file}};
    out["method"] = {{"type", "supervised"},
                     {"supervised", {{"hyperparameters", std::move(values)}}}};
    if (!options.suffix.empty()) out["suffix"] = options.suffix;
    put(out, "seed", options.seed);
    return out;
}

std::string upload(http::Client& client, const fs::path& file) {
    Progress progress(fit_columns(file.filename().string(), 28), fs::file_size(file),
                      ProgressUnit::kBytes);
    const auto answer =
        client.upload("/v1/files", file, {{"purpose", "fine-tune"}},
                      [&](std::uint64_t sent, std::uint64_t) { progress.update(sent); });
    return text_at(parse_object(answer.body), "id");
}

/// The id of the new job. A file that no job came of is taken away again.
std::string create(const Session& session, const TrainCommandOptions& options,
                   const std::string& file) {
    http::Client client = session.client();
    try {
        const auto made =
            client.request("POST", kTrainingJobs, json::serialize(request_of(options, file)));
        return text_at(parse_object(made.body), "id");
    } catch (const Error&) {
        client.request_any("DELETE", "/v1/files/" + percent_encoded(file));
        throw;
    }
}

std::string data_flag(const TrainCommandOptions& options) {
    return options.common.data.empty() ? ""
                                       : fmt::format(" --data {}", options.common.data.string());
}

void tell_losses(const json::object& job, Language language) {
    const json::object& more = object_at(job, "x_jikji");
    const json::value* held_out = more.if_contains("held_out_loss");
    if (held_out != nullptr && held_out->is_number()) {
        tell(fmt::format(fmt::runtime(say(language, "held-out loss {:.4f}; the base alone: {:.4f}",
                                          "검증 손실 {:.4f}, 기본 모델은 {:.4f}")),
                         number_at(more, "held_out_loss"), number_at(more, "base_loss")));
    }
    const std::string warning = text_at(more, "warning");
    if (!warning.empty()) tell(for_terminal(warning));
}

/// What came of the job, and what to do with it.
int tell_end(const json::object& job, const TrainCommandOptions& options) {
    const Language language = options.common.language;
    const std::string status = text_at(job, "status"), model = text_at(job, "fine_tuned_model");
    if (options.json) print(pretty(job));  // first: a program wants to know why it failed, too
    if (status == "failed") {
        const json::object& error = object_at(job, "error");
        const std::string why = text_at(error, "message");
        throw Error(ErrorCode::kInvalidArgument, why, text_at(error, "param"), why);
    }
    if (status != "succeeded") {
        tell(language, "the job was cancelled", "작업이 취소되었습니다.");
        return kFailed;
    }
    tell_losses(job, language);
    if (!options.json) print(model + "\n");
    tell(fmt::format(fmt::runtime(say(language, "talk with it: jikji chat{} --model {} \"…\"",
                                      "대화하기: jikji chat{} --model {} \"…\"")),
                     data_flag(options), model));
    return kDone;
}

/// Ctrl-C: the job keeps what it has learnt, and the person learns how to go on.
int pause_and_tell(const Session& session, const std::string& job,
                   const TrainCommandOptions& options) {
    http::Client client = session.client();
    const json::object now = parse_object(client.request("POST", path_of(job) + "/pause").body);
    const json::object& more = object_at(now, "x_jikji");
    const std::string flag = data_flag(options);
    tell(fmt::format(
        fmt::runtime(say(options.common.language,
                         "\npaused after step {} of {}\n  go on:  jikji train resume{} {}\n"
                         "  end it: jikji train cancel{} {}",
                         "\n{}/{} 단계 뒤에 멈췄습니다.\n  이어서 하기: jikji train resume{} {}\n"
                         "  끝내기: jikji train cancel{} {}")),
        static_cast<std::int64_t>(number_at(more, "steps_done")),
        static_cast<std::int64_t>(number_at(more, "steps_total")), flag, job, flag, job));
    return kFailed;
}

int watch(const Session& session, const Interrupt& interrupt, const std::string& job,
          const TrainCommandOptions& options, bool from_now) {
    http::Client client = session.client([&interrupt] { return interrupt.count() == 0; });
    try {
        TrainWatch(job, options.common.language, from_now).follow(client);
    } catch (const Error&) {
        if (interrupt.count() == 0) throw;
        return pause_and_tell(session, job, options);
    }
    http::Client last = session.client();
    return tell_end(job_of(last, job), options);
}

std::string state_of(const json::object& job, Language language) {
    if (flag_at(object_at(job, "x_jikji"), "paused")) {
        return std::string(say(language, "paused", "멈춤"));
    }
    return text_at(job, "status");
}

std::string list_line(const json::object& job, Language language) {
    const json::object& more = object_at(job, "x_jikji");
    const std::string model = text_at(job, "fine_tuned_model");
    return fmt::format("{}  {}  {:>5}/{:<5}  {}\n", text_at(job, "id"),
                       fit_columns(state_of(job, language), 16),
                       static_cast<std::int64_t>(number_at(more, "steps_done")),
                       static_cast<std::int64_t>(number_at(more, "steps_total")),
                       model.empty() ? text_at(job, "model") : model);
}

/// cancel and pause.
int change(const TrainCommandOptions& options, const char* action) {
    const Session session(options.common);
    http::Client client = session.client();
    const auto answer = client.request("POST", path_of(options.job) + "/" + action);
    const json::object job = parse_object(answer.body);
    print(options.json ? pretty(job) : list_line(job, options.common.language));
    return kDone;
}

}  // namespace

int train(const TrainCommandOptions& options) {
    const Language language = options.common.language;
    if (options.samples.empty() || options.model.empty()) {
        tell(language,
             "give the samples and the model: jikji train --data FILE --model NAME; see: jikji "
             "train --help",
             "예문과 모델을 주세요: jikji train --data 파일 --model 이름. 도움말: jikji train "
             "--help");
        return kUsage;
    }
    const fs::path file = file_of(options.samples);
    const Session session(options.common);
    const Interrupt interrupt;
    http::Client client = session.client([&interrupt] { return interrupt.count() == 0; });
    const std::string id = upload(client, file);
    const std::string job = create(session, options, id);
    tell(fmt::format(fmt::runtime(say(language, "job {}; Ctrl-C pauses it",
                                      "작업 {}. Ctrl-C를 누르면 멈춥니다.")),
                     job));
    return watch(session, interrupt, job, options, /*from_now=*/false);
}

int train_list(const TrainCommandOptions& options) {
    const Session session(options.common);
    http::Client client = session.client();
    const std::vector<json::object> all = all_items(client, kTrainingJobs);
    if (options.json) {
        print(pretty(json::array(all.begin(), all.end())));
        return kDone;
    }
    for (const json::object& job : all) print(list_line(job, options.common.language));
    if (all.empty()) tell(options.common.language, "no jobs yet", "아직 작업이 없습니다.");
    return kDone;
}

int train_show(const TrainCommandOptions& options) {
    const Session session(options.common);
    http::Client client = session.client();
    const json::object job = job_of(client, options.job);
    if (options.json) {
        print(pretty(job));
        return kDone;
    }
    print(list_line(job, options.common.language));
    tell_losses(job, options.common.language);
    const std::string why = text_at(object_at(job, "error"), "message");
    if (!why.empty()) print("  " + why + "\n");
    constexpr int kEvents = 10;
    const auto answer =
        client.request("GET", fmt::format("{}/events?limit={}", path_of(options.job), kEvents));
    const json::object page = parse_object(answer.body);
    const json::array& newest_first = list_at(page, "data");
    for (auto event = newest_first.rbegin(); event != newest_first.rend(); ++event) {
        print("  " + text_at(event->as_object(), "message") + "\n");
    }
    return kDone;
}

int train_cancel(const TrainCommandOptions& options) { return change(options, "cancel"); }
int train_pause(const TrainCommandOptions& options) { return change(options, "pause"); }

int train_resume(const TrainCommandOptions& options) {
    const Session session(options.common);
    const Interrupt interrupt;
    http::Client client = session.client();
    client.request("POST", path_of(options.job) + "/resume");
    return watch(session, interrupt, options.job, options, /*from_now=*/true);
}

}  // namespace jikji::cli
