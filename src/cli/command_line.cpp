#include "cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "app/app.hpp"
#include "base/log.hpp"
#include "cli/command_tree.hpp"
#include "cli/commands.hpp"
#include "cli/help_text.hpp"
#include "cli/unknown_word.hpp"

namespace jikji::cli {
namespace {

constexpr std::pair<const char*, const char*> kKoreanLabels[] = {
    {"Usage", "사용법"},    {"OPTIONS", "옵션"},  {"Positionals", "인자"},
    {"SUBCOMMAND", "명령"}, {"REQUIRED", "필수"}, {"Env", "환경 변수"},
};

}  // namespace

CommandLine::CommandLine(Language language)
    : language_(language),
      root_(t("Jikji: a complete private AI backend", "직지: 내 컴퓨터에서 다 되는 AI 백엔드"),
            "jikji") {
    if (language == Language::kKorean) root_.option_defaults()->group("옵션");
    root_.set_help_flag("-h,--help", t("says what can be typed", "도움말을 보여 줍니다"));
    root_.set_version_flag("--version", JIKJI_VERSION, t("says the version", "버전을 보여 줍니다"));
    root_.require_subcommand(0, 1);
    if (language == Language::kKorean) {
        for (const auto& [english, korean] : kKoreanLabels) {
            root_.get_formatter()->label(english, korean);
        }
    }
    add_serve();
    add_chat();
    add_ask();
    add_ingest();
    add_models();
    add_train();
    add_prompts();
    add_settings();
    add_stats_and_eval();
    add_batch();
    add_train_job();
    add_doctor_version_help();
}

CLI::App* CommandLine::command(CLI::App& parent, const char* name, std::string_view english,
                               std::string_view korean, Action action) {
    CLI::App* out = parent.add_subcommand(name, t(english, korean));
    if (language_ == Language::kKorean) {
        out->group("명령");
        out->get_help_ptr()->group("옵션");
    }
    out->require_subcommand(0, 1);
    if (action) out->callback([this, action = std::move(action)] { action_ = action; });
    return out;
}

void CommandLine::common_flags(CLI::App& command, CommonOptions& options) {
    options.language = language_;
    command.add_option("--data", options.data, t("data folder", "데이터 폴더"))
        ->envname("JIKJI_DATA");
    command.add_option("--models", options.models, t("models folder", "모델 폴더"))
        ->envname("JIKJI_MODELS");
}

void CommandLine::client_flags(CLI::App& command, CommonOptions& options) {
    common_flags(command, options);
    command.add_option("--api-key", options.api_key, t("key of the server", "서버의 키"))
        ->envname("JIKJI_API_KEY");
}

void CommandLine::generation_flags(CLI::App& command, GenerationFlags& flags) {
    command.add_option("--model", flags.model, t("chat model", "대화 모델"))
        ->envname("JIKJI_MODEL");
    command.add_option("--template,--prompt", flags.prompt,
                       t("prompt template, by name or id ('none': not even the active one)",
                         "프롬프트 템플릿 이름이나 id ('none': 쓰지 않음)"));
    command
        .add_option("--var", flags.variables,
                    t("name=value for the template; may repeat", "템플릿 변수, 이름=값"))
        ->allow_extra_args(false);
    command.add_option("--temperature", flags.temperature, "0..2");
    command.add_option("--top-p", flags.top_p, "0..1");
    command.add_option("--top-k", flags.top_k, t("0 = off", "0 = 끔"));
    command.add_option("--min-p", flags.min_p, "0..1");
    command.add_option("--repeat-penalty", flags.repeat_penalty, t("1 = off", "1 = 끔"));
    command.add_option("--presence-penalty", flags.presence_penalty, "-2..2");
    command.add_option("--frequency-penalty", flags.frequency_penalty, "-2..2");
    command.add_option("--max-tokens", flags.max_tokens, t("longest answer", "가장 긴 답변"));
    command.add_option("--seed", flags.seed,
                       t("same seed, same answer", "시드가 같으면 답도 같음"));
    command.add_option("--stop", flags.stop, t("text to stop before; may repeat", "멈출 글"))
        ->allow_extra_args(false);
    command.add_flag("!--no-cache", flags.use_cache, t("make the answer anew", "캐시를 쓰지 않음"));
}

/// --gpu-layers can also be given as JIKJI_GPU_LAYERS.
void CommandLine::number_flag(CLI::App& command, const std::string& name, int& target,
                              CLI::Range range, const std::string& text) {
    std::string variable = "JIKJI_" + name.substr(2);
    for (char& c : variable) c = c == '-' ? '_' : static_cast<char>(std::toupper(c));
    command.add_option(name, target, text)->check(std::move(range))->envname(variable);
}

/// `auto` is kept as -1.
void CommandLine::gpu_flag(CLI::App& command) {
    command
        .add_option("--gpu-layers", serve_.gpu_layers,
                    t("layers to put on the GPU: auto (as many as fit) or a number",
                      "GPU에 올릴 층: auto(되는 만큼) 또는 수"))
        ->transform(CLI::Validator(
            [](std::string& word) {
                if (word == "auto") word = "-1";
                return std::string();
            },
            ""))
        ->check(CLI::Range(-1, 10'000))
        ->envname("JIKJI_GPU_LAYERS");
}

void CommandLine::collection_flag(CLI::App& command, std::string& name) {
    command.add_option("--collection", name, t("collection (documents)", "문서 모음(documents)"));
}

void CommandLine::json_flag(CLI::App& command, bool& json) {
    command.add_flag("--json", json, t("as JSON", "JSON으로"));
}

void CommandLine::add_serve() {
    CLI::App& serve = *command(root_, "serve", "runs the server", "서버를 실행합니다",
                               [this] { return cli::serve(serve_); });
    common_flags(serve, serve_.common);
    serve
        .add_option("--host", serve_.host,
                    t("address (127.0.0.1); any but loopback needs a key",
                      "주소(127.0.0.1). 루프백이 아니면 키가 필요합니다"))
        ->envname("JIKJI_HOST");
    number_flag(serve, "--port", serve_.port, CLI::Range(0, 65535),
                t("port (8080); 0 = any free one", "포트(8080). 0 = 빈 포트"));
    serve.add_option("--chat-model", serve_.chat_model, t("default chat model", "기본 대화 모델"))
        ->envname("JIKJI_CHAT_MODEL");
    serve
        .add_option("--embedding-model", serve_.embedding_model,
                    t("default embedding model", "기본 임베딩 모델"))
        ->envname("JIKJI_EMBEDDING_MODEL");
    serve
        .add_option("--api-key", serve_.api_keys,
                    t("a key that clients must send; may repeat", "클라이언트가 보내야 하는 키"))
        ->allow_extra_args(false)
        ->envname("JIKJI_API_KEY");
    serve
        .add_option("--api-key-file", serve_.api_key_file,
                    t("file of keys, one a line", "키 파일, 한 줄에 하나"))
        ->envname("JIKJI_API_KEY_FILE");
    serve
        .add_option("--allowed-host", serve_.allowed_hosts,
                    t("a name in Host beside loopback's; may repeat", "허용할 Host 이름"))
        ->allow_extra_args(false)
        ->envname("JIKJI_ALLOWED_HOST");
    add_serve_limits(serve);
}

void CommandLine::add_serve_limits(CLI::App& serve) {
    number_flag(serve, "--threads", serve_.threads, CLI::Range(0, 1024),
                t("0 = physical cores", "0 = 물리 코어 수"));
    number_flag(serve, "--context", serve_.context, CLI::Range(64, 1'048'576),
                t("tokens of one chat (4096)", "대화 하나의 토큰 수(4096)"));
    number_flag(serve, "--parallel", serve_.parallel, CLI::Range(1, 255),
                t("chats at once (16)", "동시에 처리할 대화 수(16)"));
    number_flag(serve, "--gap-ms", serve_.gap_ms, CLI::Range(1, 60'000),
                t("pause between two tokens while others' prompts are read (100)",
                  "다른 프롬프트를 읽는 동안 토큰 사이의 간격, 밀리초(100)"));
    serve.add_flag(
        "!--no-speculation", serve_.speculation,
        t("do not guess at text that an answer quotes", "답변이 인용하는 글을 미리 계산하지 않음"));
    gpu_flag(serve);
    serve
        .add_option("--weights", serve_.weights,
                    t("auto (a copy of the weights that was measured to be faster here) or "
                      "as-published",
                      "auto(이 컴퓨터에서 더 빠르다고 측정된 가중치 복사본) 또는 as-published"))
        ->check(CLI::IsMember({"auto", "as-published"}))
        ->envname("JIKJI_WEIGHTS");
    number_flag(serve, "--embedding-cache", serve_.embedding_cache, CLI::Range(0, 65'536),
                t("MiB of vectors kept per model; 0 = none (32)",
                  "모델마다 벡터를 담아 두는 MiB. 0 = 끔(32)"));
    number_flag(serve, "--models-memory-mb", serve_.models_memory_mb, CLI::Range(0, 16'777'216),
                t("MiB for loaded models; 0 = what is free", "모델용 메모리 MiB. 0 = 남은 만큼"));
    serve
        .add_option("--pin", serve_.pinned,
                    t("a model that is never unloaded for another; may repeat",
                      "다른 모델 때문에 내리지 않을 모델"))
        ->allow_extra_args(false)
        ->envname("JIKJI_PIN");
    number_flag(serve, "--cache-memory-mb", serve_.cache_memory_mb, CLI::Range(0, 1'048'576),
                t("MiB for beginnings of earlier chats (256)", "이전 대화용 메모리 MiB(256)"));
    number_flag(serve, "--cache-disk-mb", serve_.cache_disk_mb, CLI::Range(0, 16'777'216),
                t("the same on disk; 0 = none (2048)", "디스크에 둘 MiB, 0 = 없음(2048)"));
    serve.add_option("--log-level", serve_.log_level, "debug, info, warn, error, off")
        ->envname("JIKJI_LOG_LEVEL");
}

void CommandLine::add_chat() {
    CLI::App& chat = *command(root_, "chat", "talks with the model", "모델과 대화합니다",
                              [this] { return cli::chat(chat_); });
    chat.add_option("message", chat_.message,
                    t("what to say; none: a conversation", "할 말. 없으면 대화를 시작합니다"));
    client_flags(chat, chat_.common);
    generation_flags(chat, chat_.generation);
}

void CommandLine::add_ask() {
    CLI::App& ask =
        *command(root_, "ask", "answers from the documents, with sources",
                 "문서에서 답을 찾고 출처를 보여 줍니다", [this] { return cli::ask(ask_); });
    ask.add_option("question", ask_.question, t("the question", "질문"))->required();
    collection_flag(ask, ask_.collection);
    client_flags(ask, ask_.common);
    generation_flags(ask, ask_.generation);
    json_flag(ask, ask_.json);
}

void CommandLine::add_ingest() {
    CLI::App& ingest = *command(root_, "ingest", "takes documents in", "문서를 넣습니다",
                                [this] { return cli::ingest(ingest_); });
    ingest.add_option("path", ingest_.paths, t("files and folders", "파일과 폴더"))->required();
    ingest.add_option("--collection", ingest_.collection,
                      t("collection (documents)", "문서 모음(documents)"));
    client_flags(ingest, ingest_.common);
}

void CommandLine::prompt_flags(CLI::App& command, PromptFields& fields) {
    command.add_option("--system", fields.system_prompt, t("system prompt", "시스템 프롬프트"));
    command.add_option("--user-template", fields.user_template,
                       t("may hold {system}, {user} and other variables",
                         "{system}, {user}와 다른 변수를 쓸 수 있습니다"));
    command.add_option("--assistant-template", fields.assistant_template);
    command.add_option(
        "--example", fields.examples,
        t("what a user says and what is answered; may repeat", "사용자 말과 답변, 두 값"));
    command.add_flag_callback(
        "--active", [&fields] { fields.active = true; },
        t("use it unless another is asked for", "기본으로 씁니다"));
    command.add_flag_callback("--inactive", [&fields] { fields.active = false; });
}

void CommandLine::add_prompts() {
    CLI::App& group =
        *command(root_, "prompts", "prompt templates", "프롬프트 템플릿을 관리합니다");
    const auto add = [this, &group](const char* name, std::string_view english,
                                    std::string_view korean, int (*work)(const PromptsOptions&),
                                    bool named) -> CLI::App& {
        CLI::App& made =
            *command(group, name, english, korean, [this, work] { return work(prompts_); });
        if (named)
            made.add_option("name", prompts_.name, t("name or id", "이름이나 id"))->required();
        client_flags(made, prompts_.common);
        json_flag(made, prompts_.json);
        return made;
    };
    add("list", "all of them; * is active", "목록. *는 사용 중", prompts_list, false);
    add("show", "one of them", "하나 보기", prompts_show, true);
    prompt_flags(add("create", "makes one", "만들기", prompts_create, true), prompts_.fields);
    CLI::App& edit = add("edit", "changes what is given", "준 것만 고치기", prompts_edit, true);
    prompt_flags(edit, prompts_.fields);
    edit.add_option("--name", prompts_.fields.name, t("a new name", "새 이름"));
    edit.add_flag("--no-examples", prompts_.fields.no_examples,
                  t("takes all examples away", "예시를 모두 뺍니다"));
    add("delete", "removes one", "지우기", prompts_delete, true);
}

void CommandLine::add_settings() {
    CLI::App& group = *command(root_, "settings", "generation settings", "생성 설정");
    CLI::App& show =
        *command(group, "show", "shows them", "보기", [this] { return settings_show(settings_); });
    CLI::App& set = *command(group, "set", "changes them", "바꾸기",
                             [this] { return settings_set(settings_); });
    set.add_option("settings", settings_.assignments,
                   t("KEY=VALUE, such as temperature=0.5", "이름=값, 예: temperature=0.5"))
        ->required();
    for (CLI::App* one : {&show, &set}) {
        client_flags(*one, settings_.common);
        json_flag(*one, settings_.json);
    }
}

void CommandLine::add_stats_and_eval() {
    CLI::App& stats = *command(root_, "stats", "requests, tokens, times", "요청 수, 토큰 수, 시간",
                               [this] { return cli::stats(stats_); });
    client_flags(stats, stats_.common);
    json_flag(stats, stats_.json);
    CLI::App& group = *command(root_, "eval", "how good answers are", "답변의 품질");
    CLI::App& answer =
        *command(group, "answer", "length, code, politeness, relevance",
                 "길이, 코드, 공손함, 관련도", [this] { return eval_answer(eval_); });
    answer.add_option("--response", eval_.response, t("the answer", "답변"))->required();
    answer.add_option("--expected", eval_.expected, t("what it should have been", "기대한 답변"));
    client_flags(answer, eval_.common);
    json_flag(answer, eval_.json);
}

void CommandLine::add_batch() {
    CLI::App& batch =
        *command(root_, "batch", "many requests at once, from a JSONL file",
                 "JSONL 파일의 요청을 한꺼번에 처리합니다", [this] { return cli::batch(batch_); });
    batch.add_option("file", batch_.input, t("one request a line", "한 줄에 요청 하나"))
        ->required();
    batch.add_option(
        "--out", batch_.output,
        t("where the answers go; none: standard output", "답변 파일. 없으면 표준 출력"));
    number_flag(batch, "--in-flight", batch_.in_flight, CLI::Range(1, 64),
                t("requests at once (8)", "동시 요청 수(8)"));
    client_flags(batch, batch_.common);
    generation_flags(batch, batch_.generation);
}

/// Not for people: the server runs it, and says in JSON what happens.
void CommandLine::add_train_job() {
    CLI::App& job = *command(
        root_, "train-job", "works on one training job, and says in JSON lines how",
        "학습 작업 하나를 하면서 JSON 줄로 알립니다", [this] { return train_job(train_job_); });
    job.group("");
    job.add_option("folder", train_job_.folder, t("where its job.json is", "job.json이 있는 폴더"))
        ->required();
    job.add_flag("--foreground", train_job_.foreground,
                 t("do not give way to others", "다른 계산에 양보하지 않음"));
}

void CommandLine::add_doctor_version_help() {
    CLI::App& doctor =
        *command(root_, "doctor", "what this machine has, and what is missing",
                 "이 컴퓨터에 있는 것과 없는 것", [this] { return cli::doctor(doctor_); });
    common_flags(doctor, doctor_.common);
    number_flag(doctor, "--port", doctor_.port, CLI::Range(1, 65535),
                t("port of the server (8080)", "서버 포트(8080)"));
    command(root_, "version", "says the version", "버전을 보여 줍니다", [] {
        print(fmt::format("jikji {} ({})\n", JIKJI_VERSION, JIKJI_BACKENDS));
        return kDone;
    });
    CLI::App& help = *command(root_, "help", "help for a command", "명령의 도움말",
                              [this] { return show_help(help_names_); });
    help.add_option("command", help_names_, t("such as: prompts edit", "예: prompts edit"));
}

int CommandLine::show_help(const std::vector<std::string>& names) {
    CLI::App* at = &root_;
    for (const std::string& name : names) {
        const auto found =
            at->get_subcommands([&name](const CLI::App* one) { return one->check_name(name); });
        if (found.empty()) {
            tell(unknown_word(*at, name));
            return kUsage;
        }
        at = found.front();
    }
    print(help_of(*at));
    return kDone;
}

CLI::App& CommandLine::deepest() {
    CLI::App* at = &root_;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    return *at;
}

std::string CommandLine::unknown_word(const CLI::App& where, const std::string& word) const {
    return unknown_word_text(language_, word, words_of(where, word.starts_with("-")));
}

std::string CommandLine::what_was_wrong(const CLI::ParseError& error) {
    if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr) {
        const std::vector<std::string> extra = root_.remaining(true);
        if (!extra.empty()) return unknown_word(deepest(), extra.front());
    }
    const std::string detail = error.what();
    if (dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
        return t(detail, "빠진 것이 있습니다: " + detail.substr(0, detail.find(' ')));
    }
    return t(detail, "명령을 이해하지 못했습니다: " + detail);
}

int CommandLine::refuse(const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return root_.exit(error);  // --help, --version
    tell(fmt::format("jikji: {}", what_was_wrong(error)));
    tell(fmt::format("{}: {} --help", t("see", "도움말"), way_to(deepest())));
    return kUsage;
}

int CommandLine::run(int argc, const char* const* argv) {
    try {
        root_.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return refuse(error);
    }
    if (!action_) {
        tell(help_of(deepest()));
        return kUsage;
    }
    set_log_level(LogLevel::kError);  // standard error is for people; serve() has a log
    return action_();
}

int run(int argc, const char* const* argv) {
    const Language language = language_of_environment();
    try {
        return CommandLine(language).run(argc, argv);
    } catch (const std::exception& cause) {
        tell_error(language, cause);
        return kFailed;
    }
}

}  // namespace jikji::cli
