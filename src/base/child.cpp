#include "base/child.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"

namespace jikji {
namespace {

constexpr std::size_t kErrorBytesMax = 64 * 1024;
constexpr int kPollMs = 100;
constexpr int kReapMs = 5;  // between looks at a child that has closed its outputs
constexpr rlim_t kOpenFilesMax = 256;

using Clock = std::chrono::steady_clock;

[[noreturn]] void fail(std::string_view doing, int error) {
    throw Error(ErrorCode::kInternal, std::string(doing) + ": " + std::strerror(error));
}

std::optional<std::string> find_program(std::string_view name) {
    if (name.find('/') != std::string_view::npos) {
        std::string path(name);
        if (::access(path.c_str(), X_OK) == 0) return path;
        return std::nullopt;
    }
    const char* variable = std::getenv("PATH");
    std::string_view folders = variable ? variable : "/usr/local/bin:/usr/bin:/bin";
    while (!folders.empty()) {
        const std::size_t colon = std::min(folders.find(':'), folders.size());
        std::string path(folders.substr(0, colon));
        path += '/';
        path += name;
        if (!name.empty() && ::access(path.c_str(), X_OK) == 0) return path;
        folders.remove_prefix(std::min(colon + 1, folders.size()));
    }
    return std::nullopt;
}

struct Pipe {
    Fd read, write;
};

/// `fd` under a number that the child's 0 to 3 will not overwrite, even if ours were closed.
Fd above_standard(Fd fd) {
    Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 4));
    if (!moved) fail("making a pipe", errno);
    return moved;
}

Pipe make_pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) fail("making a pipe", errno);
    Fd read(ends[0]), write(ends[1]);
    return {above_standard(std::move(read)), above_standard(std::move(write))};
}

/// Standard input as a file in memory: nothing can block, and a parser may seek in it.
Fd make_input(std::string_view bytes) {
    Fd fd(::memfd_create("jikji-input", MFD_CLOEXEC));
    if (!fd) fail("making the input of a child", errno);
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd.get(), bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) fail("writing the input of a child", errno);
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    ::lseek(fd.get(), 0, SEEK_SET);
    return above_standard(std::move(fd));
}

#if defined(__x86_64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArchitecture = AUDIT_ARCH_AARCH64;
#else
#error "name this processor's AUDIT_ARCH constant for the filter of system calls"
#endif
constexpr unsigned kForeignAbiBit = 0x40000000;  // x32's calls, which the list would not name

// Sockets, and io_uring, which opens them without the call. Socket pairs stay allowed.
constexpr std::array<sock_filter, 9> kNoNetwork = {{
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kForeignAbiBit, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
}};

struct Start {
    const char* program;
    char* const* arguments;
    const ChildLimits* limits;
    int input, output, errors, report;
    pid_t parent;
};

bool set_limit(__rlimit_resource resource, rlim_t value) {
    const rlimit limit{value, value};
    return ::setrlimit(resource, &limit) == 0;
}

bool confine(const ChildLimits& limits) {
    bool ok = set_limit(RLIMIT_CORE, 0) && set_limit(RLIMIT_NOFILE, kOpenFilesMax);
    if (limits.time.count() > 0) {
        // The hard limit lies above: at that one the kernel sends SIGKILL, which says nothing.
        const rlimit cpu{static_cast<rlim_t>(limits.time.count()),
                         static_cast<rlim_t>(limits.time.count()) + 1};
        ok = ok && ::setrlimit(RLIMIT_CPU, &cpu) == 0;
    }
    if (limits.memory_bytes > 0) ok = ok && set_limit(RLIMIT_AS, limits.memory_bytes);
    ok = ok && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    if (!limits.network) {
        const sock_fprog filter{static_cast<unsigned short>(kNoNetwork.size()),
                                const_cast<sock_filter*>(kNoNetwork.data())};
        ok = ok && ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
    }
    return ok;
}

/// Runs between fork and exec: system calls only, as another thread may have held any lock.
[[noreturn]] void become_program(const Start& start) {
    // glibc reads nothing else of the caller's environment: no LD_PRELOAD, no proxies, no keys.
    // A team that computes beside others must not spin while it waits for one of its own: with one
    // core taken by somebody else, a forward pass kept a thirtieth of its speed (52 of 1,674).
    static const char* const kEnvironment[] = {
        "PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "OMP_WAIT_POLICY=passive", nullptr};
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != start.parent) ::_exit(127);  // it died before we asked to die with it
    ::setsid();  // a group of its own, so that what it starts dies with it
    const bool ready = ::dup2(start.input, 0) == 0 && ::dup2(start.output, 1) == 1 &&
                       ::dup2(start.errors, 2) == 2 && ::dup2(start.report, 3) == 3 &&
                       ::fcntl(3, F_SETFD, FD_CLOEXEC) == 0 &&
                       ::syscall(SYS_close_range, 4U, ~0U, 0U) == 0 && confine(*start.limits);
    if (ready) ::execve(start.program, start.arguments, const_cast<char* const*>(kEnvironment));
    const int error = errno;
    [[maybe_unused]] const ssize_t told = ::write(3, &error, sizeof error);
    ::_exit(127);
}

/// The running child; killed with its group and reaped if it is left early.
class Process {
public:
    explicit Process(pid_t pid) : pid_(pid) {}
    ~Process() {
        if (status_) return;
        kill();
        while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
        }
    }
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    void kill() const {
        ::kill(-pid_, SIGKILL);  // fails if setsid() has not run yet
        ::kill(pid_, SIGKILL);
    }
    bool ended() {
        int status = 0;
        if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
        return status_.has_value();
    }
    void ask_to_stop() const { ::kill(pid_, SIGTERM); }
    int signal() const { return WIFSIGNALED(*status_) ? WTERMSIG(*status_) : 0; }
    int exit_code() const { return WIFEXITED(*status_) ? WEXITSTATUS(*status_) : -1; }
    bool out_of_time() const { return signal() == SIGXCPU; }

private:
    pid_t pid_;
    std::optional<int> status_;
};

/// Waits until exec has worked (the report's pipe closes) or throws what stopped it.
void await_exec(const Fd& report, const std::string& program) {
    int error = 0;
    ssize_t n = 0;
    do {
        n = ::read(report.get(), &error, sizeof error);
    } while (n < 0 && errno == EINTR);
    if (n > 0) fail("starting " + program, error);
}

/// Reads what is there, up to `bytes_max` in all; closes `fd` at its end. False: too much.
bool drain(Fd& fd, std::string& into, std::size_t bytes_max) {
    std::array<char, 1 << 16> block;
    const ssize_t n = ::read(fd.get(), block.data(), block.size());
    if (n < 0 && errno == EINTR) return true;
    if (n <= 0) {
        fd = Fd();
        return true;
    }
    const std::size_t room = bytes_max - into.size();
    into.append(block.data(), std::min(static_cast<std::size_t>(n), room));
    return static_cast<std::size_t>(n) <= room;
}

/// Hands on the whole lines in `text`, and the rest as well if nothing more will come.
void tell_lines(std::string& text, bool ended, const ChildListener& listener) {
    if (!listener.line) return;
    std::size_t from = 0;
    for (std::size_t end; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
        listener.line(std::string_view(text).substr(from, end - from));
    }
    text.erase(0, from);
    if (!ended || text.empty()) return;
    listener.line(text);
    text.clear();
}

/// Collects both outputs until the child has ended or must be killed.
ChildResult collect(Process& process, Fd output, Fd errors, const ChildLimits& limits,
                    const ChildListener& listener) {
    ChildResult result;
    bool asked = false;
    const auto deadline = Clock::now() + limits.time;
    while (true) {
        const bool open = output || errors;
        pollfd watched[2] = {{output.get(), POLLIN, 0}, {errors.get(), POLLIN, 0}};
        ::poll(watched, 2, open ? kPollMs : kReapMs);
        if (watched[0].revents != 0) {
            result.too_much_output = !drain(output, result.output, limits.output_bytes);
            tell_lines(result.output, !output, listener);
        }
        if (watched[1].revents != 0) drain(errors, result.errors, kErrorBytesMax);
        if (!open && process.ended()) break;
        result.timed_out = limits.time.count() > 0 && Clock::now() >= deadline;
        const ChildWish wish = listener.wish ? listener.wish() : ChildWish::kGoOn;
        if (wish == ChildWish::kStop && !std::exchange(asked, true)) process.ask_to_stop();
        if (result.timed_out || result.too_much_output || wish == ChildWish::kKill) {
            result.exit_code = -1;
            result.signal = SIGKILL;
            return result;  // ~Process kills
        }
    }
    result.exit_code = process.exit_code();
    result.signal = process.signal();
    result.timed_out = process.out_of_time();
    return result;
}

ChildResult start_and_collect(const std::vector<std::string>& argv, std::string_view input,
                              const ChildLimits& limits, const ChildListener& listener) {
    JIKJI_CHECK(!argv.empty());
    const auto program = find_program(argv[0]);
    if (!program) {
        throw Error(ErrorCode::kInternal, "the program " + argv[0] + " is not installed", {},
                    argv[0] + " 프로그램이 설치되어 있지 않습니다.");
    }
    std::vector<char*> arguments;
    for (const std::string& argument : argv)
        arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);

    const Fd in = make_input(input);
    Pipe out = make_pipe(), err = make_pipe(), report = make_pipe();
    const Start start{program->c_str(), arguments.data(),   &limits,   in.get(), out.write.get(),
                      err.write.get(),  report.write.get(), ::getpid()};
    const pid_t pid = ::fork();
    if (pid < 0) fail("starting " + argv[0], errno);
    if (pid == 0) become_program(start);
    Process process(pid);
    for (Pipe* pipe : {&out, &err, &report}) pipe->write = Fd();
    await_exec(report.read, argv[0]);
    return collect(process, std::move(out.read), std::move(err.read), limits, listener);
}

}  // namespace

bool program_exists(std::string_view name) { return find_program(name).has_value(); }

ChildResult run_child(const std::vector<std::string>& argv, std::string_view input,
                      const ChildLimits& limits, const std::function<bool()>& poll) {
    ChildListener listener;
    if (poll) {
        listener.wish = [&poll] { return poll() ? ChildWish::kGoOn : ChildWish::kKill; };
    }
    return start_and_collect(argv, input, limits, listener);
}

ChildResult run_talking_child(const std::vector<std::string>& argv, const ChildLimits& limits,
                              const ChildListener& listener) {
    return start_and_collect(argv, {}, limits, listener);
}

}  // namespace jikji
