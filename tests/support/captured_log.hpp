#pragma once
// What the log says while the object lives; nothing of it gets to the terminal. One at a time.
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "base/file.hpp"
#include "support/temp_folder.hpp"

namespace jikji::tests {

class CapturedLog {
public:
    CapturedLog() : before_(::dup(STDERR_FILENO)) {
        const Fd file(::open((folder_ / "log").c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600));
        ::dup2(file.get(), STDERR_FILENO);
    }
    ~CapturedLog() {
        std::fflush(stderr);
        ::dup2(before_.get(), STDERR_FILENO);
    }
    CapturedLog(const CapturedLog&) = delete;
    CapturedLog& operator=(const CapturedLog&) = delete;

    std::string text() const {
        std::fflush(stderr);
        return read_file(folder_ / "log", 1 << 24);
    }
    int count(const std::string& words) const {
        const std::string all = text();
        int found = 0;
        for (std::size_t at = 0; (at = all.find(words, at)) != std::string::npos; ++at) ++found;
        return found;
    }

private:
    TempFolder folder_;
    Fd before_;
};

}  // namespace jikji::tests
