#include "base/progress.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace jikji {
namespace {

struct Range {
    char32_t first, last;
};

// East Asian Width W and F (Unicode 15, UAX #11), the blocks that text in practice uses.
constexpr std::array kWide = {
    Range{0x1100, 0x115f},   Range{0x2e80, 0x303e},   Range{0x3041, 0xa4cf},
    Range{0xa960, 0xa97f},   Range{0xac00, 0xd7a3},   Range{0xf900, 0xfaff},
    Range{0xfe30, 0xfe6f},   Range{0xff00, 0xff60},   Range{0xffe0, 0xffe6},
    Range{0x1f300, 0x1f64f}, Range{0x1f680, 0x1f6ff}, Range{0x1f900, 0x1f9ff},
    Range{0x20000, 0x3fffd},
};
// Medial and final Hangul letters join the initial one; marks join what is before them.
constexpr std::array kZero = {
    Range{0x0300, 0x036f}, Range{0x1160, 0x11ff}, Range{0x200b, 0x200f},
    Range{0x20d0, 0x20ff}, Range{0xfe00, 0xfe0f},
};

bool within(const auto& ranges, char32_t c) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [c](const Range& r) { return c >= r.first && c <= r.last; });
}

int columns_of(char32_t c) { return within(kZero, c) ? 0 : within(kWide, c) ? 2 : 1; }

// Takes one character off the front; a byte that starts no UTF-8 character is taken alone.
char32_t take_character(std::string_view& text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const std::size_t size = lead < 0x80   ? 1
                             : lead < 0xc2 ? 0
                             : lead < 0xe0 ? 2
                             : lead < 0xf0 ? 3
                             : lead < 0xf5 ? 4
                                           : 0;
    char32_t c = size < 2 ? lead : lead & (0x7fu >> size);
    bool whole = size >= 1 && size <= text.size();
    for (std::size_t i = 1; whole && i < size; ++i) {
        const auto next = static_cast<unsigned char>(text[i]);
        whole = (next & 0xc0) == 0x80;
        c = (c << 6) | (next & 0x3f);
    }
    text.remove_prefix(whole ? size : 1);
    return whole ? c : U'?';
}

double seconds(std::chrono::steady_clock::duration d) {
    return std::chrono::duration<double>(d).count();
}

std::string time_for_people(double s) {
    const auto whole = static_cast<std::uint64_t>(std::min(std::max(s, 0.0), 359999.0) + 0.5);
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string amount(std::uint64_t value, ProgressUnit unit) {
    return unit == ProgressUnit::kBytes ? bytes_for_people(value) : fmt::format("{}", value);
}

}  // namespace

ProgressStyle progress_style_of(std::FILE* stream) {
    const char* terminal = std::getenv("TERM");
    const bool moves = terminal != nullptr && std::string_view(terminal) != "dumb";
    return moves && ::isatty(::fileno(stream)) == 1 ? ProgressStyle::kBar : ProgressStyle::kLines;
}

int display_columns(std::string_view text) {
    int sum = 0;
    while (!text.empty()) sum += columns_of(take_character(text));
    return sum;
}

std::string fit_columns(std::string_view text, int columns) {
    std::string_view rest = text;
    int used = 0;
    while (!rest.empty()) {
        std::string_view after = rest;
        const int wide = columns_of(take_character(after));
        if (used + wide > columns) break;
        used += wide;
        rest = after;
    }
    std::string out(text.substr(0, text.size() - rest.size()));
    out.append(static_cast<std::size_t>(std::max(0, columns - used)), ' ');
    return out;
}

std::string bytes_for_people(std::uint64_t bytes) {
    if (bytes < 1000) return fmt::format("{} B", bytes);
    double value = static_cast<double>(bytes);
    const char* unit = "B";
    for (const char* next : {"KB", "MB", "GB", "TB"}) {
        if (value < 999.95) break;
        value /= 1000;
        unit = next;
    }
    return fmt::format("{:.{}f} {}", value, value < 99.95 ? 1 : 0, unit);
}

Progress::Progress(std::string label, std::uint64_t total, ProgressUnit unit,
                   ProgressOptions options)
    : label_(std::move(label)),
      total_(total),
      unit_(unit),
      options_(std::move(options)),
      started_(options_.now()),
      shown_(started_) {}

Progress::~Progress() {
    if (!line_open_) return;
    std::fputc('\n', options_.stream);
    std::fflush(options_.stream);
}

void Progress::resume_from(std::uint64_t done) {
    already_done_ = done;
    done_ = done;
}

void Progress::update(std::uint64_t done) {
    done_ = done;
    if (options_.style == ProgressStyle::kSilent || finished_) return;
    const auto now = options_.now();
    const bool as_bar = options_.style == ProgressStyle::kBar;
    const bool first_bar = as_bar && !line_open_;
    if (!first_bar && now - shown_ < (as_bar ? options_.bar_every : options_.line_every)) return;
    show(done, now);
}

void Progress::say(std::string_view text) {
    if (options_.style == ProgressStyle::kSilent) return;
    std::string said(text);
    if (line_open_) said = '\r' + fit_columns(said, std::max(columns() - 1, display_columns(said)));
    std::fprintf(options_.stream, "%s\n", said.c_str());
    std::fflush(options_.stream);
    line_open_ = false;  // the next update draws the bar again
}

void Progress::finish(std::string_view text) {
    if (options_.style == ProgressStyle::kSilent || std::exchange(finished_, true)) return;
    std::string said = label_ + ": ";
    if (text.empty()) {
        said += fmt::format("{} in {}", amount(done_, unit_),
                            time_for_people(seconds(options_.now() - started_)));
    } else {
        said += text;
    }
    say(said);
}

void Progress::show(std::uint64_t done, Clock::time_point now) {
    shown_ = now;
    if (options_.style == ProgressStyle::kBar) {
        std::fprintf(options_.stream, "\r%s", fit_columns(bar(done, now), columns() - 1).c_str());
        line_open_ = true;
    } else {
        std::fprintf(options_.stream, "%s: %s\n", label_.c_str(), line(done, now).c_str());
    }
    std::fflush(options_.stream);
}

std::string Progress::line(std::uint64_t done, Clock::time_point now) const {
    const double spent = seconds(now - started_);
    const double rate =
        spent > 0 && done > already_done_ ? static_cast<double>(done - already_done_) / spent : 0;
    std::string out = amount(done, unit_);
    if (total_ > 0) {
        const double part = static_cast<double>(done) / static_cast<double>(total_);
        out += fmt::format(" / {}  {:.0f}%", amount(total_, unit_), std::min(part, 1.0) * 100);
    }
    if (!description_.empty()) return out + "  " + description_;
    if (rate > 0 && unit_ == ProgressUnit::kBytes) {
        out += fmt::format("  {}/s", bytes_for_people(static_cast<std::uint64_t>(rate)));
    } else if (rate > 0) {
        out += fmt::format("  {:.1f}/s", rate);
    }
    if (rate > 0 && total_ > done) {
        out += "  -" + time_for_people(static_cast<double>(total_ - done) / rate);
    }
    return out;
}

std::string Progress::bar(std::uint64_t done, Clock::time_point now) const {
    constexpr int kLabelMax = 28, kBarMax = 30, kBarMin = 8;
    const std::string figures = line(done, now);
    const int label = std::min(display_columns(label_), kLabelMax);
    std::string out = fit_columns(label_, label) + "  ";
    const int room = columns() - 1 - label - 6 - display_columns(figures);
    if (total_ > 0 && room >= kBarMin) {
        const int width = std::min(room, kBarMax);
        const double part = static_cast<double>(done) / static_cast<double>(total_);
        const auto full = static_cast<std::size_t>(std::min(part, 1.0) * width + 0.5);
        out += '[' + std::string(full, '#') +
               std::string(static_cast<std::size_t>(width) - full, '.') + "]  ";
    }
    return out + figures;
}

int Progress::columns() const {
    if (options_.columns > 0) return options_.columns;
    winsize size{};
    if (::ioctl(::fileno(options_.stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return size.ws_col;
    }
    return 80;
}

}  // namespace jikji
