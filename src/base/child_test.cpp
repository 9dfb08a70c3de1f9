#include "base/child.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <stdexcept>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"

namespace jikji {
namespace {

ChildResult shell(const std::string& script, const ChildLimits& limits = {},
                  std::string_view input = {}) {
    return run_child({"sh", "-c", script}, input, limits);
}

}  // namespace

TEST_SUITE_BEGIN("child");

TEST_CASE("bytes go in and come out") {
    const std::string bytes(3 << 20, 'x');  // more than a pipe holds
    const ChildResult result = run_child({"cat"}, bytes, {});
    CHECK(result.exit_code == 0);
    CHECK(result.output == bytes);
    CHECK(result.errors.empty());
}

TEST_CASE("arguments are no shell's") {
    CHECK(run_child({"echo", "$HOME; `id`", "한글 이름"}, {}, {}).output ==
          "$HOME; `id` 한글 이름\n");
}

TEST_CASE("exit code and standard error") {
    const ChildResult result = shell("echo no >&2; exit 3");
    CHECK(result.exit_code == 3);
    CHECK(result.errors == "no\n");
    CHECK(shell("kill -SEGV $$").exit_code == -1);
}

TEST_CASE("a program that is not there") {
    CHECK_FALSE(program_exists("jikji-has-no-such-program"));
    CHECK(program_exists("sh"));
    CHECK_THROWS_AS(run_child({"jikji-has-no-such-program"}, {}, {}), Error);
}

TEST_CASE("time ends it, with what it has started") {
    const ChildResult result = shell("sleep 60 & sleep 60", {.time = std::chrono::seconds(1)});
    CHECK(result.timed_out);
    CHECK(result.exit_code == -1);
    CHECK(shell("while :; do :; done", {.time = std::chrono::seconds(1)}).timed_out);
}

TEST_CASE("output is capped") {
    const ChildResult result = shell("yes", {.output_bytes = 1000});
    CHECK(result.too_much_output);
    CHECK(result.output.size() == 1000);
}

TEST_CASE("a flood on standard error does not block it") {
    const ChildResult result = shell("head -c 300000 /dev/zero >&2; echo done");
    CHECK(result.output == "done\n");
    CHECK(result.errors.size() == 64 * 1024);
}

TEST_CASE("memory is capped") {
    const ChildResult result = shell("head -c 400000000 /dev/zero | tail -c 300000000 >/dev/null",
                                     {.memory_bytes = 64u << 20});
    CHECK(result.exit_code != 0);
}

TEST_CASE("poll can stop it") {
    int calls = 0;
    const ChildResult result = run_child({"sleep", "60"}, {}, {}, [&] { return ++calls < 3; });
    CHECK(result.exit_code == -1);
    CHECK_FALSE(result.timed_out);
    CHECK(calls == 3);
}

TEST_CASE("no socket can be opened unless allowed") {
    const std::string script =
        "import socket\ntry: socket.socket(); print('open')\nexcept PermissionError: "
        "print('refused')";
    if (!program_exists("python3")) return;
    CHECK(run_child({"/usr/bin/env", "python3", "-c", script}, {}, {}).output == "refused\n");
    const ChildLimits allowed{.network = true};
    CHECK(run_child({"/usr/bin/env", "python3", "-c", script}, {}, allowed).output == "open\n");
}

TEST_CASE("it inherits neither files nor the environment") {
    const Fd secret(::open("/dev/null", O_RDONLY));  // without O_CLOEXEC
    ::setenv("JIKJI_SECRET", "key", 1);
    CHECK(shell("ls /proc/self/fd | wc -l").output == "4\n");  // 0, 1, 2 and ls's own
    CHECK(shell("echo \"[$JIKJI_SECRET]\"").output == "[]\n");
    CHECK(shell("echo \"[$OMP_WAIT_POLICY]\"").output == "[passive]\n");  // ours, for all of them
}

TEST_CASE("a child that talks: lines as they come, also without a last end") {
    std::vector<std::string> lines;
    const ChildResult result =
        run_talking_child({"sh", "-c", "echo one; echo; printf 'two'"}, {},
                          {[&](std::string_view line) { lines.emplace_back(line); }, {}});
    CHECK(result.exit_code == 0);
    CHECK(result.output.empty());
    CHECK((lines == std::vector<std::string>{"one", "", "two"}));
}

TEST_CASE("a child that talks is asked to stop, and may say a last word") {
    std::vector<std::string> lines;
    ChildWish wish = ChildWish::kGoOn;
    const char* script = "trap 'echo bye; exit 0' TERM; echo begins; while :; do sleep 0.01; done";
    const ChildResult result = run_talking_child({"sh", "-c", script}, {},
                                                 {[&](std::string_view line) {
                                                      lines.emplace_back(line);
                                                      wish = ChildWish::kStop;
                                                  },
                                                  [&] { return wish; }});
    CHECK(result.exit_code == 0);
    CHECK((lines == std::vector<std::string>{"begins", "bye"}));
}

TEST_CASE("which signal ended a child, and what its listener throws") {
    CHECK(run_talking_child({"sh", "-c", "kill -KILL $$"}, {}, {}).signal == SIGKILL);
    CHECK(run_talking_child({"sleep", "60"}, {}, {{}, [] { return ChildWish::kKill; }}).signal ==
          SIGKILL);
    CHECK_THROWS_AS(run_talking_child({"sh", "-c", "echo x; sleep 60"}, {},
                                      {[](std::string_view) { throw std::logic_error("no"); }, {}}),
                    std::logic_error);
}

TEST_SUITE_END();

}  // namespace jikji
