#pragma once
// A folder of one's own that goes with the object.
#include <filesystem>

#include "base/ids.hpp"

namespace jikji::tests {

class TempFolder {
public:
    TempFolder()
        : path_(std::filesystem::temp_directory_path() / ("jikji-" + hex(random_bytes(6)))) {
        std::filesystem::create_directories(path_);
    }
    ~TempFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path operator/(const std::filesystem::path& name) const {
        return path_ / name;
    }

private:
    std::filesystem::path path_;
};

}  // namespace jikji::tests
