#pragma once
// Sees to it that the chat model's weights have been measured on this machine: by a child process
// (jikji models optimise --background) that computes only when nobody else wants to, so that chat
// is not held up. What it chose is used from the next load on.
// Threads   consider() blocks; stop() from any other thread ends it.
#include <atomic>
#include <filesystem>
#include <string>

namespace jikji::app {

class WeightsKeeper {
public:
    /// `program`: our own executable; empty = measure nothing. `data`, `models`: its folders.
    WeightsKeeper(std::filesystem::path program, std::filesystem::path data,
                  std::filesystem::path models)
        : program_(std::move(program)), data_(std::move(data)), models_(std::move(models)) {}

    void consider(const std::string& name, const std::filesystem::path& file);
    void stop() { stopping_ = true; }

private:
    std::filesystem::path program_, data_, models_;
    std::atomic<bool> stopping_{false};
};

}  // namespace jikji::app
