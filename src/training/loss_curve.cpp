#include "training/loss_curve.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "base/file.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kHead =
    "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n";
constexpr std::uint64_t kFileBytes = 1ULL << 30;

std::string field(const std::optional<double>& value) {
    return value ? fmt::format("{}", *value) : std::string();
}

std::string line_of(const CurveRow& row) {
    return fmt::format("{},{},{},{},{}\n", row.step, field(row.train_loss),
                       field(row.train_accuracy), field(row.valid_loss), field(row.valid_accuracy));
}

template <typename T>
bool parse(std::string_view text, T& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc() && end == text.data() + text.size();
}

std::optional<CurveRow> row_from(std::string_view line) {
    CurveRow row;
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos || !parse(line.substr(0, comma), row.step)) return {};
    line.remove_prefix(comma + 1);
    std::optional<double>* const fields[] = {&row.train_loss, &row.train_accuracy, &row.valid_loss,
                                             &row.valid_accuracy};
    for (std::size_t i = 0; i < std::size(fields); ++i) {
        const std::size_t end = line.find(',');
        if ((end == std::string_view::npos) != (i + 1 == std::size(fields))) return {};
        const std::string_view text = line.substr(0, end);
        double value = 0;
        if (!text.empty() && !parse(text, value)) return {};
        if (!text.empty()) *fields[i] = value;
        if (end != std::string_view::npos) line.remove_prefix(end + 1);
    }
    return row;
}

}  // namespace

std::string to_csv(const std::vector<CurveRow>& rows) {
    std::string out(kHead);
    for (const CurveRow& row : rows) out += line_of(row);
    return out;
}

std::vector<CurveRow> from_csv(std::string_view text) {
    std::vector<CurveRow> out;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) break;  // the last line was not written to its end
        if (const auto row = row_from(text.substr(0, end))) out.push_back(*row);
        text.remove_prefix(end + 1);
    }
    return out;
}

CurveFile::CurveFile(fs::path file, std::int64_t steps_done) : path_(std::move(file)) {
    if (steps_done > 0 && fs::exists(path_)) {
        rows_ = from_csv(read_file(path_, kFileBytes));
        std::erase_if(rows_, [&](const CurveRow& row) { return row.step > steps_done; });
    }
}

void CurveFile::rewrite() {
    whole_ = false;
    appended_.close();
    write_file_durably(path_, to_csv(rows_));
    whole_ = true;
}

void CurveFile::append(const CurveRow& row) {
    whole_ = false;
    errno = 0;
    if (!appended_.is_open()) appended_.open(path_, std::ios::app | std::ios::binary);
    appended_ << line_of(row) << std::flush;
    whole_ = appended_.good();
    if (whole_) return;
    const int error = errno != 0 ? errno : EIO;
    appended_.close();
    appended_.clear();
    throw_errno(error, "writing", path_);
}

void CurveFile::settle() {
    if (!whole_) rewrite();
}

void CurveFile::add_step(std::int64_t step, double loss, double accuracy) {
    rows_.push_back({step, loss, accuracy, {}, {}});
    if (whole_) return append(rows_.back());
    rewrite();
}

void CurveFile::add_held_out(std::int64_t step, double loss, double accuracy) {
    auto place = std::lower_bound(
        rows_.begin(), rows_.end(), step,
        [](const CurveRow& row, std::int64_t wanted) { return row.step < wanted; });
    if (place == rows_.end() || place->step != step) place = rows_.insert(place, {.step = step});
    place->valid_loss = loss;
    place->valid_accuracy = accuracy;
    rewrite();
}

}  // namespace jikji::training
