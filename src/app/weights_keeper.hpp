#pragma once
// Sees to it that the weights of the chat models in use have been measured on this machine: by a
// child process (jikji models optimise --background) that computes only when nobody else wants to,
// so that chat is not held up. What it chose is used from the next load on.
// Threads   one of its own, which waits for the child; the methods: any.
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <thread>

namespace jikji::app {

class WeightsKeeper {
public:
    /// `program`: our own executable; empty = measure nothing. `data`, `models`: its folders.
    WeightsKeeper(std::filesystem::path program, std::filesystem::path data,
                  std::filesystem::path models);
    ~WeightsKeeper();  // ends a measurement that runs

    /// Of a model that was loaded; returns at once. One that was considered already, or measured in
    /// an earlier run, costs a look. Models are measured one after the other.
    void consider(const std::string& name, const std::filesystem::path& file);

private:
    struct Model {
        std::string name;
        std::filesystem::path file;
    };
    void run();
    void measure(const Model& model);
    bool stopping() const;

    std::filesystem::path program_, data_, models_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::set<std::string> considered_;  // names
    std::deque<Model> waiting_;
    bool stopping_ = false;
    std::thread thread_;  // last: it uses all of the above
};

}  // namespace jikji::app
