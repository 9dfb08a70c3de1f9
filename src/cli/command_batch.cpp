// jikji batch: many requests at once (S13), their answers in the order of the lines.
#include <condition_variable>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "base/file.hpp"
#include "base/progress.hpp"
#include "cli/batch_line.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kAheadMost = 256;  // answers that may wait for an earlier line
constexpr int kTriesMost = 8;            // of a line that meets a full queue
constexpr auto kFirstPause = std::chrono::milliseconds(250);

bool is_blank(const std::string& line) {
    return line.find_first_not_of(" \t\r") == std::string::npos;
}

struct Job {
    std::size_t number;  // of the line, from 1
    std::size_t order;   // among the lines that are not blank, from 0
    std::string line;
};

/// Hands out lines and takes answers back, from any thread; writes them in order.
class Ledger {
public:
    Ledger(std::ifstream input, std::FILE* output, std::size_t total, const Interrupt& interrupt)
        : input_(std::move(input)),
          output_(output),
          total_(total),
          interrupt_(interrupt),
          progress_("batch", total) {}

    /// Waits while too many answers are ahead of the oldest open line. Nothing: no line is left.
    std::optional<Job> next() {
        std::unique_lock lock(mutex_);
        const auto may_go = [this] { return taken_ - written_ < kAheadMost || stopped(); };
        while (!changed_.wait_for(lock, std::chrono::milliseconds(100), may_go)) {
        }
        if (stopped()) return std::nullopt;
        for (std::string line; std::getline(input_, line);) {
            ++number_;
            if (number_ == 1 && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
            if (!is_blank(line)) return Job{number_, taken_++, std::move(line)};
        }
        return std::nullopt;
    }

    void answer(const Job& job, std::string line, bool failed) {
        const std::lock_guard lock(mutex_);
        waiting_.emplace(job.order, std::move(line));
        failed_ += failed ? 1 : 0;
        for (auto first = waiting_.begin(); first != waiting_.end() && first->first == written_;
             first = waiting_.begin()) {
            write(first->second);
            waiting_.erase(first);
            ++written_;
        }
        progress_.update(written_);
        changed_.notify_all();
    }

    void fail(std::exception_ptr cause) {
        const std::lock_guard lock(mutex_);
        if (!broken_) broken_ = cause;
        changed_.notify_all();
    }

    /// Requires: no worker is left. Throws what broke the batch.
    int finish(Language language) {
        if (broken_) std::rethrow_exception(broken_);
        const bool whole = written_ == total_;
        progress_.finish(
            fmt::format(fmt::runtime(say(language, "{} of {} lines answered, {} failed",
                                         "{}/{}줄 답변, 실패 {}")),
                        written_, total_, failed_));
        if (!whole)
            tell(language, "(stopped; what is written is whole lines)",
                 "(멈춤; 쓰인 줄은 온전합니다)");
        return whole && failed_ == 0 ? kDone : kFailed;
    }

private:
    bool stopped() const { return interrupt_.count() > 0 || broken_; }

    void write(const std::string& line) {
        const std::string whole = line + '\n';
        const bool written = std::fwrite(whole.data(), 1, whole.size(), output_) == whole.size();
        if (written && std::fflush(output_) == 0) return;
        throw_errno(errno, "write", "the answers");
    }

    std::mutex mutex_;
    std::condition_variable changed_;
    std::ifstream input_;
    std::FILE* output_;
    std::size_t total_, number_ = 0, taken_ = 0, written_ = 0, failed_ = 0;
    std::map<std::size_t, std::string> waiting_;
    std::exception_ptr broken_;
    const Interrupt& interrupt_;
    Progress progress_;
};

bool worth_another_try(int status) { return status == 429 || status == 503; }

/// The answer of one request; a full queue is waited for.
http::Answer send(http::Client& client, const BatchRequest& request, const Interrupt& interrupt) {
    auto pause = kFirstPause;
    for (int tries = 1;; ++tries) {
        http::Answer answer = client.request_any("POST", request.path, request.body);
        if (!worth_another_try(answer.status) || tries == kTriesMost) return answer;
        if (interrupt.count() > 0) return answer;
        std::this_thread::sleep_for(pause);
        pause *= 2;
    }
}

class Worker {
public:
    Worker(const Session& session, const json::object& settings, const BatchOptions& options,
           Ledger& ledger, const Interrupt& interrupt)
        : client_(session.client([&interrupt] { return interrupt.count() == 0; })),
          settings_(settings),
          options_(options),
          ledger_(ledger),
          interrupt_(interrupt) {}

    void run() {
        try {
            while (const auto job = ledger_.next()) do_one(*job);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kCancelled) ledger_.fail(std::current_exception());
        } catch (...) {
            ledger_.fail(std::current_exception());
        }
    }

private:
    void do_one(const Job& job) {
        BatchRequest request;
        try {
            request = read_batch_line(job.line, settings_, options_.generation);
        } catch (const Error& error) {
            const bool korean = options_.common.language == Language::kKorean;
            const std::string why = korean ? error.korean() : error.what();
            ledger_.answer(job, batch_failure(job.number, {}, "invalid_line", why), true);
            return;
        }
        const http::Answer answer = send(client_, request, interrupt_);
        ledger_.answer(job, batch_answer(job.number, request.custom_id, answer),
                       answer.status >= 400);
    }

    http::Client client_;
    const json::object& settings_;
    const BatchOptions& options_;
    Ledger& ledger_;
    const Interrupt& interrupt_;
};

std::ifstream open_input(const fs::path& path) {
    if (!fs::is_regular_file(path)) {
        throw Error(
            ErrorCode::kNotFound,
            fmt::format("{} is no file; give a JSONL file, one request a line", path.string()),
            "file",
            fmt::format("{} 파일이 없습니다. 한 줄에 요청 하나인 JSONL 파일을 주세요.",
                        path.string()));
    }
    std::ifstream input(path, std::ios::binary);
    if (!input) throw_errno(errno, "read", path);
    return input;
}

std::size_t count_lines(std::ifstream input) {
    std::size_t count = 0;
    for (std::string line; std::getline(input, line);) count += is_blank(line) ? 0 : 1;
    return count;
}

struct CloseFile {
    void operator()(std::FILE* file) const noexcept {
        if (file != stdout) std::fclose(file);
    }
};

std::unique_ptr<std::FILE, CloseFile> open_output(const BatchOptions& options) {
    if (options.output.empty()) return std::unique_ptr<std::FILE, CloseFile>(stdout);
    std::error_code ignored;
    if (fs::equivalent(options.input, options.output, ignored)) {
        throw Error(ErrorCode::kInvalidArgument, "--out is the input file; give another name",
                    "out", "--out이 입력 파일과 같습니다. 다른 이름을 주세요.");
    }
    std::unique_ptr<std::FILE, CloseFile> out(std::fopen(options.output.c_str(), "wb"));
    if (!out) throw_errno(errno, "write", options.output);
    return out;
}

}  // namespace

int batch(const BatchOptions& options) {
    const std::size_t total = count_lines(open_input(options.input));
    const auto output = open_output(options);
    const Session session(options.common);
    const Interrupt interrupt;
    const json::object settings =
        parse_object(session.client().request("GET", "/v1/settings/generation").body);
    Ledger ledger(open_input(options.input), output.get(), total, interrupt);
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < options.in_flight; ++i) {
            threads.emplace_back([&] {
                try {
                    Worker(session, settings, options, ledger, interrupt).run();
                } catch (...) {
                    ledger.fail(std::current_exception());
                }
            });
        }
    }
    return ledger.finish(options.common.language);
}

}  // namespace jikji::cli
