#pragma once
// The commands of the program and their options, as CLI11 sees them. For command_line*.cpp only.
#include <CLI/CLI.hpp>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/command_models.hpp"
#include "cli/options.hpp"
#include "cli/say.hpp"

namespace jikji::cli {

/// The tree of commands and the options that they fill. Lives as long as the parsing.
class CommandLine {
public:
    explicit CommandLine(Language language);

    int run(int argc, const char* const* argv);

private:
    using Action = std::function<int()>;

    std::string t(std::string_view english, std::string_view korean) const {
        return std::string(say(language_, english, korean));
    }
    CLI::App* command(CLI::App& parent, const char* name, std::string_view english,
                      std::string_view korean, Action action = {});
    void common_flags(CLI::App& command, CommonOptions& options);
    void client_flags(CLI::App& command, CommonOptions& options);
    void generation_flags(CLI::App& command, GenerationFlags& flags);
    void prompt_flags(CLI::App& command, PromptFields& fields);
    void number_flag(CLI::App& command, const std::string& name, int& target, CLI::Range range,
                     const std::string& text);
    void collection_flag(CLI::App& command, std::string& name);
    void gpu_flag(CLI::App& command);
    void json_flag(CLI::App& command, bool& json);

    void add_serve();
    void add_serve_limits(CLI::App& serve);
    void add_chat();
    void add_ask();
    void add_ingest();
    void add_models();
    CLI::App& models_command(CLI::App& group, const char* name, std::string_view english,
                             std::string_view korean, Action action);
    void add_models_weights(CLI::App& group);
    void add_models_adapters(CLI::App& group);
    void add_prompts();
    void add_settings();
    void add_stats_and_eval();
    void add_batch();
    void add_train_job();
    void add_train();
    void add_train_flags(CLI::App& train);
    void add_train_jobs(CLI::App& train);
    void add_doctor_version_help();

    ModelsOptions models_options() const;
    int show_help(const std::vector<std::string>& names);
    int refuse(const CLI::ParseError& error);
    std::string what_was_wrong(const CLI::ParseError& error);
    std::string unknown_word(const CLI::App& where, const std::string& word) const;
    CLI::App& deepest();

    Language language_;
    CLI::App root_;
    Action action_;

    ServeOptions serve_;
    ChatOptions chat_;
    AskOptions ask_;
    IngestOptions ingest_;
    ModelsCommandOptions models_;
    PromptsOptions prompts_;
    SettingsOptions settings_;
    StatsOptions stats_;
    EvalOptions eval_;
    BatchOptions batch_;
    TrainCommandOptions train_;
    DoctorOptions doctor_;
    TrainJobOptions train_job_;
    std::vector<std::string> help_names_;
};

}  // namespace jikji::cli
