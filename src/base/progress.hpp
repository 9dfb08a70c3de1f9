#pragma once
// How far a long job has come: a bar on a terminal, a plain line every few seconds in a pipe,
// nothing where silence is asked for. Threads: one at a time.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <string>
#include <string_view>

namespace jikji {

enum class ProgressUnit {
    kBytes,  // shown as KB, MB, GB (powers of ten)
    kItems,  // shown as a number
};

enum class ProgressStyle { kSilent, kLines, kBar };

/// kBar if `stream` is a terminal that can move its cursor, else kLines.
ProgressStyle progress_style_of(std::FILE* stream);

struct ProgressOptions {
    std::FILE* stream = stderr;
    ProgressStyle style = progress_style_of(stderr);
    int columns = 0;  // 0: ask the terminal, 80 if it does not say
    std::chrono::milliseconds bar_every{100};
    std::chrono::milliseconds line_every{3000};
    /// A clock that only goes forward; tests give their own.
    std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now;
};

/// Columns that UTF-8 text takes on a terminal: Hangul, Han, kana and full-width forms take two,
/// combining marks none. Bytes that are not UTF-8 count one each.
int display_columns(std::string_view text);

/// The longest start of `text` that takes at most `columns`, padded with spaces to exactly that.
std::string fit_columns(std::string_view text, int columns);

/// 1500000 -> "1.5 MB".
std::string bytes_for_people(std::uint64_t bytes);

/// One job. Destroyed without finish(): the bar's line is ended, and nothing is claimed.
class Progress {
public:
    /// `total` 0 means that the end is not known: no bar and no time left, only what is done.
    Progress(std::string label, std::uint64_t total, ProgressUnit unit = ProgressUnit::kItems,
             ProgressOptions options = {});
    ~Progress();
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    /// `done` counts from the start of the job, not from the last call. Cheap to call often.
    void update(std::uint64_t done);
    /// For a job that goes on where an earlier run stopped: these were done before it began, so
    /// that they do not count in the rate.
    void resume_from(std::uint64_t done);
    void set_total(std::uint64_t total) { total_ = total; }
    /// Said after the amount from the next update on, in place of rate and time left.
    void describe(std::string text) { description_ = std::move(text); }
    /// A line of its own, above the bar.
    void say(std::string_view text);
    /// The last line; says `text` after the label. Empty text: what was done and how long it took.
    void finish(std::string_view text = {});

private:
    using Clock = std::chrono::steady_clock;
    std::string line(std::uint64_t done, Clock::time_point now) const;
    std::string bar(std::uint64_t done, Clock::time_point now) const;
    void show(std::uint64_t done, Clock::time_point now);
    int columns() const;

    std::string label_;
    std::uint64_t total_;
    ProgressUnit unit_;
    ProgressOptions options_;
    Clock::time_point started_;
    Clock::time_point shown_;
    std::string description_;
    std::uint64_t already_done_ = 0;
    std::uint64_t done_ = 0;
    bool line_open_ = false;
    bool finished_ = false;
};

}  // namespace jikji
