#pragma once
// Fine-tuning with a stand-in for the process that computes: a shell script that says what jikji
// train-job says, in the job's folder.
#include <doctest/doctest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "base/error.hpp"
#include "engine/engine.hpp"
#include "service/fine_tuning.hpp"
#include "storage/database.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

namespace jikji::tests {
namespace fs = std::filesystem;
using namespace std::chrono_literals;
using service::Files;
using service::FineTuning;
using service::FineTuningJob;
using service::FineTuningOptions;
using service::FineTuningRequest;
using service::has_ended;

inline constexpr const char* kPrepared =
    R"(echo '{"event":"prepared","samples":9,"held_out":1,"tokens":90,"steps_total":2,)"
    R"("steps_done":0,"warmup_steps":1,"template":"alpaca","max_length":512,)"
    R"("seconds_estimate":3}')"
    "\n";
inline constexpr const char* kStep =
    R"(echo '{"event":"step","step":1,"total":2,"epoch":0.5,"loss":2.5,"accuracy":0.25,)"
    R"("rate":0.0003,"tokens_done":45,"tokens_per_second":30,"seconds_left":2}')"
    "\n"
    R"(echo '{"event":"checkpoint","step":1,"file":"ckpt-1.gguf"}')"
    "\n";
inline constexpr const char* kDone =
    "printf x > adapter.gguf; printf x > ckpt-2.gguf; echo step,train_loss > metrics.csv\n"
    R"(echo '{"event":"done","adapter":"adapter.gguf","steps":2,"tokens":90,"loss":2.25,)"
    R"("held_out_loss":2.6,"base_loss":2.5,"worse_than_base":true}')"
    "\n";
inline constexpr const char* kUntilAsked =
    "trap 'echo \"{\\\"event\\\":\\\"stopped\\\",\\\"step\\\":1}\"; exit 0' TERM\n"
    "while :; do sleep 0.01; done\n";
inline const std::string kAll = std::string(kPrepared) + kStep + kDone;

class House {
public:
    House() {
        fs::create_directories(folder_ / "models");
        write_tiny_llama(folder_ / "models" / "tiny.gguf");
        child(kAll);
        open();
    }

    void child(const std::string& script) {
        const fs::path fresh = folder_ / "program.new";
        std::ofstream(fresh) << "#!/bin/sh\n[ \"$1\" = train-job ] && cd \"$2\" || exit 9\n"
                             << script;
        fs::permissions(fresh, fs::perms::owner_all);
        fs::rename(fresh, folder_ / "program");  // one that runs keeps its text
    }
    void open() {
        engine = std::make_unique<engine::Engine>(engine::EngineOptions{});
        engine->add_model({.name = "tiny", .path = folder_ / "models" / "tiny.gguf"});
        database = std::make_unique<storage::Database>(folder_ / "t.db");
        files = std::make_unique<Files>(*database, folder_ / "files");
        tuning = std::make_unique<FineTuning>(
            *database, *files, *engine,
            FineTuningOptions{folder_ / "training", folder_ / "models", folder_ / "program"});
    }
    void close() {
        tuning.reset();
        files.reset();
        database.reset();
        engine.reset();
    }

    std::string upload(const std::string& text, const std::string& purpose = "fine-tune") {
        const fs::path path = files->new_upload_path();
        std::ofstream(path) << text;
        return files->add(path, "자료.jsonl", purpose).id;
    }
    FineTuningRequest request() {
        FineTuningRequest out;
        out.model = "tiny";
        out.training_file = upload(R"({"instruction":"a","output":"b"})"
                                   "\n");
        return out;
    }
    template <typename Reached>
    FineTuningJob wait(const std::string& id, Reached reached) {
        const auto end = std::chrono::steady_clock::now() + 20s;
        FineTuningJob job;
        do {
            job = tuning->get(id);
            if (reached(job)) return job;
            std::this_thread::sleep_for(5ms);
        } while (std::chrono::steady_clock::now() < end);
        FAIL("the job stays ", job.status, " ", job.error_message);
        return job;
    }
    FineTuningJob wait_for_end(const std::string& id) { return wait(id, has_ended); }
    /// Whether the file goes: what a job does not need is removed just after its end.
    bool goes(const std::filesystem::path& file) const {
        const auto end = std::chrono::steady_clock::now() + 20s;
        while (std::filesystem::exists(file) && std::chrono::steady_clock::now() < end) {
            std::this_thread::sleep_for(5ms);
        }
        return !std::filesystem::exists(file);
    }
    bool offers(const std::string& name) const {
        for (const auto& model : engine->models()) {
            if (model.name == name) return true;
        }
        return false;
    }
    bool said(const std::string& id, const std::string& text) const {
        for (const auto& event : tuning->events(id, {.limit = 100}).items) {
            if (event.message.find(text) != std::string::npos) return true;
        }
        return false;
    }
    fs::path path() const { return folder_.path(); }

private:
    TempFolder folder_;

public:
    std::unique_ptr<engine::Engine> engine;
    std::unique_ptr<storage::Database> database;
    std::unique_ptr<Files> files;
    std::unique_ptr<FineTuning> tuning;
};

template <typename Work>
Error caught(const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return {ErrorCode::kInternal, "nothing was thrown"};
}

}  // namespace jikji::tests
