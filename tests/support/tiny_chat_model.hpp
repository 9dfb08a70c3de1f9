#pragma once
// The tiny model of tiny_model.hpp, loaded, from a file that goes away.
#include <filesystem>
#include <random>

#include "llama/log.hpp"
#include "llama/model.hpp"
#include "support/tiny_model.hpp"

namespace jikji::tests {

class TinyModel {
public:
    TinyModel()
        : file_(std::filesystem::temp_directory_path() /
                ("jikji-tiny-" + std::to_string(std::random_device{}()) + ".gguf")) {
        llama::capture_log();
        write_tiny_llama(file_);
        model_ = std::make_unique<llama::Model>(file_, llama::ModelOptions{});
    }
    ~TinyModel() { std::filesystem::remove(file_); }

    const llama::Model& operator*() const { return *model_; }
    const llama::Model* operator->() const { return model_.get(); }

private:
    std::filesystem::path file_;
    std::unique_ptr<llama::Model> model_;
};

}  // namespace jikji::tests
