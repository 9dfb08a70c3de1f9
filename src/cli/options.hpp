#pragma once
// What each command can be told: filled by command_line.cpp, read by the commands.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/language.hpp"

namespace jikji::cli {

/// Of every command that talks to a server.
struct CommonOptions {
    std::filesystem::path data;    // empty = app::default_data_folder()
    std::filesystem::path models;  // empty = data/models
    std::string api_key;           // sent to the server that holds the data folder
    Language language = Language::kEnglish;
};

/// Nothing where the user was silent; then the settings of the server hold (S2, S9).
struct GenerationFlags {
    std::string model;
    std::optional<double> temperature, top_p, min_p, repeat_penalty;
    std::optional<double> presence_penalty, frequency_penalty;
    std::optional<std::int64_t> top_k, max_tokens, seed;
    std::vector<std::string> stop;
    std::string prompt;                  // a prompt template's name or id
    std::vector<std::string> variables;  // name=value, for the template
    bool use_cache = true;
};

struct ServeOptions {
    CommonOptions common;
    std::string host = "127.0.0.1";
    int port = 8080;
    std::string chat_model;
    std::string embedding_model;
    int threads = 0;
    int context = 4096;
    int parallel = 16;
    int gap_ms = 100;
    bool speculation = true;
    int gpu_layers = -1;
    int embedding_cache = 32;
    int models_memory_mb = 0;
    std::vector<std::string> pinned;
    int cache_memory_mb = 256;
    int cache_disk_mb = 2048;
    std::string weights = "auto";  // or as-published
    std::vector<std::string> api_keys;
    std::filesystem::path api_key_file;
    std::vector<std::string> allowed_hosts;
    std::string log_level = "info";
};

struct ChatOptions {
    CommonOptions common;
    GenerationFlags generation;
    std::string message;  // empty = a conversation, or standard input if it is no terminal
};

struct AskOptions {
    CommonOptions common;
    GenerationFlags generation;
    std::string question;
    std::string collection = "documents";  // S7
    bool json = false;                     // the server's answer as it came
};

struct IngestOptions {
    CommonOptions common;
    std::vector<std::filesystem::path> paths;
    std::string collection = "documents";
};

struct ModelsCommandOptions {
    CommonOptions common;
    std::vector<std::string> names;  // pull, rm
    std::string name;                // show, or the name to give
    std::string source;              // a file or a folder
    std::string base;                // an adapter's model
    std::string to;                  // export-adapter: a path; merge-adapter: a name
    std::string format;              // export-adapter
    std::string type = "auto";       // merge-adapter
    int context = 0;
    std::filesystem::path text;  // perplexity; empty = ours
    bool link = false;
    bool json = false;
    bool quiet = false;
    bool everything = false;  // optimise: also what cannot win
    bool background = false;  // optimise: only while nobody else computes
};

/// Nothing where the user was silent; then the server chooses.
struct TrainCommandOptions {
    CommonOptions common;
    std::filesystem::path samples;  // a file, or a folder that holds one
    std::string model;              // the base
    std::string suffix;
    std::optional<std::int64_t> epochs, batch_size, warmup_steps, rank, max_length, seed;
    std::optional<double> learning_rate, alpha, dropout, held_out;
    std::optional<std::string> target, template_name;
    std::string job;  // show, cancel, pause, resume: its id
    bool json = false;
};

struct PromptFields {
    std::optional<std::string> name, system_prompt, user_template, assistant_template;
    std::optional<bool> active;
    std::vector<std::pair<std::string, std::string>> examples;  // user, assistant
    bool no_examples = false;                                   // edit: take all away
};

struct PromptsOptions {
    CommonOptions common;
    std::string name;  // or id
    PromptFields fields;
    bool json = false;
};

struct SettingsOptions {
    CommonOptions common;
    std::vector<std::string> assignments;  // key=value
    bool json = false;
};

struct StatsOptions {
    CommonOptions common;
    bool json = false;
};

struct EvalOptions {
    CommonOptions common;
    std::string response;
    std::optional<std::string> expected;
    bool json = false;
};

struct BatchOptions {
    CommonOptions common;
    GenerationFlags generation;
    std::filesystem::path input;
    std::filesystem::path output;  // empty = standard output
    int in_flight = 8;
};

struct DoctorOptions {
    CommonOptions common;
    int port = 8080;
};

/// Of the hidden command that a server runs for each job.
struct TrainJobOptions {
    std::filesystem::path folder;
    bool foreground = false;  // at full speed, and not bound to who started it
};

}  // namespace jikji::cli
