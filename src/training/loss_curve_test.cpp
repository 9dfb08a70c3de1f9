#include "training/loss_curve.hpp"

#include <doctest/doctest.h>

#include <filesystem>

#include "base/error.hpp"
#include "base/file.hpp"
#include "support/temp_folder.hpp"

using namespace jikji::training;
using jikji::tests::TempFolder;

namespace {

std::string file_text(const std::filesystem::path& file) { return jikji::read_file(file, 1 << 20); }

int count_of(const std::string& text, const std::string& part) {
    int count = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
        ++count;
    }
    return count;
}

}  // namespace

TEST_SUITE_BEGIN("loss_curve");

TEST_CASE("rows are in the file as they come, and the base's before them") {
    const TempFolder folder;
    CurveFile curve(folder / "metrics.csv", 0);
    curve.add_step(1, 2.5, 0.25);
    curve.add_held_out(0, 3, 0.125);
    curve.add_step(2, 1.0 / 3, 0.5);
    curve.add_held_out(2, 0.75, 0.5);
    CHECK(file_text(folder / "metrics.csv") ==
          "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
          "0,,,3,0.125\n1,2.5,0.25,,\n2,0.3333333333333333,0.5,0.75,0.5\n");
    CHECK(*from_csv(to_csv(curve.rows())).back().train_loss == 1.0 / 3);
}

TEST_CASE("row 9: after a kill the rows behind the checkpoint come again, and no torn line stays") {
    const TempFolder folder;
    const auto file = folder / "metrics.csv";
    {
        CurveFile curve(file, 0);
        for (int step = 1; step <= 4; ++step) curve.add_step(step, 5 - step, 0.5);
    }
    const std::string whole = file_text(file);
    jikji::write_file_durably(file, whole + "5,0.12");
    CurveFile curve(file, 3);
    CHECK(curve.rows().size() == 3);
    curve.add_step(4, 1, 0.5);
    CHECK(file_text(file) == whole);
}

TEST_CASE("a row that cannot be written is said, and comes with the next one") {
    const TempFolder folder;
    const auto file = folder / "metrics.csv";
    CurveFile curve(file, 0);
    curve.add_step(1, 2.5, 0.25);
    std::filesystem::remove(file);
    std::filesystem::create_symlink("/dev/full", file);
    try {
        curve.add_step(2, 2, 0.5);
        FAIL("the row was lost without a word");
    } catch (const jikji::Error& error) {
        CHECK(error.code() == jikji::ErrorCode::kDiskFull);
    }
    curve.add_step(3, 1.75, 0.5);
    CHECK(from_csv(file_text(file)).size() == 3);
    CHECK(file_text(file) == to_csv(curve.rows()));
}

TEST_CASE("with no place for it there are rows all the same, and the file comes when there is") {
    const TempFolder folder;
    const auto file = folder / "gone" / "metrics.csv";
    CurveFile curve(file, 0);
    CHECK_THROWS_AS(curve.add_step(1, 2.5, 0.25), jikji::Error);
    CHECK_THROWS_AS(curve.add_held_out(1, 2, 0.25), jikji::Error);
    CHECK_THROWS_AS(curve.settle(), jikji::Error);
    std::filesystem::create_directory(folder / "gone");
    curve.settle();
    CHECK(file_text(file) == to_csv(curve.rows()));
    CHECK(curve.rows().size() == 1);
}

TEST_CASE("the picture holds every curve, whatever the title and the numbers") {
    std::vector<CurveRow> rows{{0, {}, {}, 3.0, 0.1}};
    for (int step = 1; step <= 5000; ++step) {
        rows.push_back({step, 3.0 - step / 2500.0, 0.5, {}, {}});
    }
    rows.back().valid_loss = 1.5;
    const std::string svg = loss_svg(rows, {"<ft:모델> & more", 5000, 3.0});
    CHECK(svg.starts_with("<svg "));
    CHECK(svg.ends_with("</svg>\n"));
    CHECK(svg.find("&lt;ft:모델&gt; &amp; more") != std::string::npos);
    CHECK(count_of(svg, "<circle") == 2);
    CHECK(count_of(svg, "<script") == 0);
    CHECK(svg.size() < 100'000);
    for (const auto& one : {loss_svg({}, {}), loss_svg({{1, 2.0, 0.5, {}, {}}}, {"one", 1, {}}),
                            loss_svg({{1, 0.0, 1.0, 0.0, 1.0}}, {"zero", 1, 0.0})}) {
        CHECK(one.find("nan") == std::string::npos);
        CHECK(one.find("inf") == std::string::npos);
    }
}

TEST_SUITE_END();
