#pragma once
// How the loss went: metrics.csv, row by row, and loss.svg, a picture of it. Threads: one at a
// time.
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::training {

struct CurveRow {
    std::int64_t step = 0;  // 0: the base alone
    std::optional<double> train_loss;
    std::optional<double> train_accuracy;
    std::optional<double> valid_loss;
    std::optional<double> valid_accuracy;  // mean over tokens
};

/// With the head "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy"; what is not
/// known is empty. Numbers are as short as they can be without losing a bit.
std::string to_csv(const std::vector<CurveRow>& rows);
/// Lines that are not whole are passed over.
std::vector<CurveRow> from_csv(std::string_view text);

/// The file beside the rows: a row is there as soon as it is added, whatever ends the process.
/// What cannot be written throws as write_file_durably; the row is kept, and comes into the file
/// with the next one that can be.
class CurveFile {
public:
    /// Goes on with a file that is there, up to `steps_done`; later rows will come again. Writes
    /// nothing yet: a full disk is no reason not to train.
    CurveFile(std::filesystem::path file, std::int64_t steps_done);

    void add_step(std::int64_t step, double loss, double accuracy);
    void add_held_out(std::int64_t step, double loss, double accuracy);
    void settle();  // tries once more what could not be written
    const std::vector<CurveRow>& rows() const { return rows_; }

private:
    void rewrite();
    void append(const CurveRow& row);
    std::filesystem::path path_;
    std::vector<CurveRow> rows_;
    std::ofstream appended_;
    bool whole_ = false;  // the file has all rows, and nothing else
};

struct PlotFacts {
    std::string title;
    std::int64_t steps_total = 0;
    std::optional<double> base_loss;
};

/// An SVG of 840 x 440 that needs nothing beside it: training loss thin and smoothed, held-out loss
/// with dots, the base's as a dashed line.
std::string loss_svg(const std::vector<CurveRow>& rows, const PlotFacts& facts);

}  // namespace jikji::training
