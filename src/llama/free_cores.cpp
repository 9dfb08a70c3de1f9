#include "llama/free_cores.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/file.hpp"

namespace jikji::llama {
namespace {

constexpr double kLookSeconds = 0.1;  // ticks are 10 ms each: fewer would say little

constexpr double kStaleSeconds = 1.0;

double seconds_of(clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

}  // namespace

std::optional<CpuTicks> parse_cpu_ticks(std::string_view text) {
    if (text.substr(0, 4) != "cpu ") return std::nullopt;
    text = text.substr(
        4, text.find('\n') == std::string_view::npos ? text.size() : text.find('\n') - 4);
    std::array<std::int64_t, 8> fields{};  // user nice system idle iowait irq softirq steal
    for (std::int64_t& field : fields) {
        text.remove_prefix(std::min(text.size(), text.find_first_not_of(' ')));
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), field);
        if (error != std::errc{}) return std::nullopt;
        text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    }
    CpuTicks out;
    out.busy = fields[0] + fields[2] + fields[5] + fields[6];
    out.nice = fields[1];
    out.total = out.busy + out.nice + fields[3] + fields[4] + fields[7];
    return out;
}

int threads_beside(int threads, int processors, double others) {
    const double left = static_cast<double>(processors) - others;
    return std::clamp(static_cast<int>(left + 0.5), 1, std::max(threads, 1));
}

FreeCores::FreeCores(int threads)
    : full_(threads),
      now_(threads),
      processors_(static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN))),
      nice_(getpriority(PRIO_PROCESS, 0) > 0),
      last_(look()) {}

std::optional<FreeCores::Sample> FreeCores::look() {
    const Fd file(::open("/proc/stat", O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::array<char, 256> text{};
    const ssize_t size = ::read(file.get(), text.data(), text.size());
    if (size <= 0) return std::nullopt;
    const auto ticks = parse_cpu_ticks({text.data(), static_cast<std::size_t>(size)});
    if (!ticks) return std::nullopt;
    return Sample{*ticks, seconds_of(CLOCK_PROCESS_CPUTIME_ID), seconds_of(CLOCK_MONOTONIC)};
}

int FreeCores::threads() {
    if (full_ < 2 || !last_) return full_;
    const double passed = seconds_of(CLOCK_MONOTONIC) - last_->wall_seconds;
    if (passed < kLookSeconds) return now_;
    const auto next = look();
    if (!next) return now_;
    if (passed > kStaleSeconds) {  // what others did while we were idle says little about now
        last_ = next;
        return now_ = full_;
    }
    const auto total = static_cast<double>(next->machine.total - last_->machine.total);
    auto busy = static_cast<double>(next->machine.busy - last_->machine.busy);
    if (nice_) busy += static_cast<double>(next->machine.nice - last_->machine.nice);
    if (total > 0) {
        const double all = busy / total * processors_;
        const double own = (next->own_seconds - last_->own_seconds) / passed;
        now_ = threads_beside(full_, processors_, std::max(0.0, all - own));
    }
    last_ = next;
    return now_;
}

}  // namespace jikji::llama
