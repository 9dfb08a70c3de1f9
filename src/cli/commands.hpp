#pragma once
// The commands. Each prints its result on standard output, what it says about its work on standard
// error, and returns the exit code. What ends a command is thrown as Error; run() prints it.
#include "cli/options.hpp"

namespace jikji::cli {

int serve(const ServeOptions& options);
int chat(const ChatOptions& options);
int ask(const AskOptions& options);
int ingest(const IngestOptions& options);
int prompts_list(const PromptsOptions& options);
int prompts_show(const PromptsOptions& options);
int prompts_create(const PromptsOptions& options);
int prompts_edit(const PromptsOptions& options);
int prompts_delete(const PromptsOptions& options);
int settings_show(const SettingsOptions& options);
int settings_set(const SettingsOptions& options);
int stats(const StatsOptions& options);
int eval_answer(const EvalOptions& options);
int batch(const BatchOptions& options);
int train(const TrainCommandOptions& options);
int train_list(const TrainCommandOptions& options);
int train_show(const TrainCommandOptions& options);
int train_cancel(const TrainCommandOptions& options);
int train_pause(const TrainCommandOptions& options);
int train_resume(const TrainCommandOptions& options);
int doctor(const DoctorOptions& options);
int train_job(const TrainJobOptions& options);

}  // namespace jikji::cli
