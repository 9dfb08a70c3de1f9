#include "models/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.hpp"
#include "base/file.hpp"

namespace jikji::models {
namespace {

constexpr std::size_t kOutputMax = 16u << 20;
constexpr std::size_t kErrorsMax = 64u << 10;
constexpr int kPollMs = 100;

struct Pipe {
    Pipe() {
        int ends[2];
        if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno(errno, "opening a pipe", "");
        read = Fd(ends[0]);
        write = Fd(ends[1]);
    }
    Fd read, write;
};

// Between fork and exec: only calls that are safe there.
[[noreturn]] void become(char* const* argv, const Pipe& out, const Pipe& errors, pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    const int nothing = ::open("/dev/null", O_RDONLY);
    const bool ready = ::getppid() == parent && nothing >= 0 && ::dup2(nothing, 0) >= 0 &&
                       ::dup2(out.write.get(), 1) >= 0 && ::dup2(errors.write.get(), 2) >= 0;
    if (ready) ::execvp(argv[0], argv);
    ::_exit(127);
}

// False once the other end is closed.
bool drain(const Fd& from, std::string& into, std::size_t max) {
    char block[16 * 1024];
    const ssize_t n = ::read(from.get(), block, sizeof block);
    if (n < 0) return errno == EINTR || errno == EAGAIN;
    into.append(block, std::min(static_cast<std::size_t>(n), max - std::min(max, into.size())));
    return n > 0;
}

int wait_for(pid_t child) {
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& argv, const std::function<bool()>& poll) {
    JIKJI_CHECK(!argv.empty());
    std::vector<char*> words;
    for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    Pipe out;
    Pipe errors;
    const pid_t parent = ::getpid();
    const pid_t child = ::fork();
    if (child < 0) throw_errno(errno, "starting", argv[0]);
    if (child == 0) become(words.data(), out, errors, parent);
    out.write = Fd();
    errors.write = Fd();

    ProgramResult result;
    bool out_open = true;
    bool errors_open = true;
    bool wanted = true;
    while (out_open || errors_open) {
        pollfd ends[] = {{out_open ? out.read.get() : -1, POLLIN, 0},
                         {errors_open ? errors.read.get() : -1, POLLIN, 0}};
        ::poll(ends, 2, kPollMs);
        if (ends[0].revents != 0) out_open = drain(out.read, result.output, kOutputMax);
        if (ends[1].revents != 0) errors_open = drain(errors.read, result.errors, kErrorsMax);
        if (wanted && poll && !poll()) {
            wanted = false;
            ::kill(child, SIGTERM);
        }
    }
    result.exit_code = wait_for(child);
    return result;
}

}  // namespace jikji::models
