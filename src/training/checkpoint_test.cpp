#include "training/checkpoint.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "support/temp_folder.hpp"

using namespace jikji::training;
using jikji::tests::TempFolder;

namespace {

const std::vector<float> kValues{1, -2, 0.1F}, kFirst{4, 5, 6}, kSecond{7, 8, 1e-30F};

CheckpointHead head_of(std::int64_t step) {
    CheckpointHead head;
    head.step = step;
    head.tokens = 1234567890123;
    head.loss = 1.0 / 3;
    head.right = 0.25;
    head.base = HeldOutLoss{0, 2.0 / 7, 0.5};
    head.identity = "epochs=3\nrank=8\n";
    return head;
}

std::filesystem::path write(const TempFolder& folder, std::int64_t step) {
    return write_checkpoint(folder.path(), head_of(step), kValues, kFirst, kSecond);
}

}  // namespace

TEST_SUITE_BEGIN("checkpoint");

TEST_CASE("row 9: a checkpoint gives back every bit") {
    const TempFolder folder;
    const Checkpoint read = read_checkpoint(write(folder, 7));
    CHECK(read.values == kValues);
    CHECK(read.first == kFirst);
    CHECK(read.second == kSecond);
    CHECK(read.head.step == 7);
    CHECK(read.head.tokens == 1234567890123);
    CHECK(read.head.loss == 1.0 / 3);
    CHECK(read.head.base->loss == 2.0 / 7);
    CHECK(!read.head.held_out);
    CHECK(read.head.identity == "epochs=3\nrank=8\n");
}

TEST_CASE("the newest two are kept") {
    const TempFolder folder;
    for (const int step : {8, 9, 10}) write(folder, step);
    CHECK(newest_checkpoint(folder.path())->head.step == 10);
    CHECK(!std::filesystem::exists(folder / "ckpt-8.gguf"));
    CHECK(std::filesystem::exists(folder / "ckpt-9.gguf"));
}

TEST_CASE("row 9: a torn or changed file is never taken, at whatever byte") {
    jikji::set_log_level(jikji::LogLevel::kError);  // one warning a byte
    const TempFolder folder;
    write(folder, 1);
    const auto newest = write(folder, 2);
    const std::string whole = jikji::read_file(newest, 1 << 20);
    // The padding behind the last tensor, and that between tensors, holds nothing.
    const std::size_t values_end = whole.size() - 32 + 12;
    for (std::size_t size = 0; size < values_end; size += 7) {
        CAPTURE(size);
        std::ofstream(newest, std::ios::binary) << whole.substr(0, size);
        CHECK(newest_checkpoint(folder.path())->head.step == 1);
    }
    int taken = 0;
    for (std::size_t at = 0; at < values_end; ++at) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 0x10);
        std::ofstream(newest, std::ios::binary) << changed;
        const auto read = newest_checkpoint(folder.path());
        REQUIRE(read);
        if (read->head.step == 1) continue;
        ++taken;  // a byte that says nothing: then everything else is as it was
        CHECK(read->values == kValues);
        CHECK(read->second == kSecond);
        CHECK(read->head.loss == 1.0 / 3);
    }
    CHECK(taken < static_cast<int>(whole.size()) / 4);
}

TEST_CASE("what a killed process left half written goes away, and nothing else") {
    const TempFolder folder;
    for (const char* name :
         {"ckpt-3.gguf.00ff.part", "adapter.gguf.1.part", "job.json", "x.part"}) {
        std::ofstream(folder / name) << "?";
    }
    remove_unfinished(folder.path());
    CHECK(!std::filesystem::exists(folder / "ckpt-3.gguf.00ff.part"));
    CHECK(!std::filesystem::exists(folder / "adapter.gguf.1.part"));
    CHECK(std::filesystem::exists(folder / "job.json"));
    CHECK(std::filesystem::exists(folder / "x.part"));
}

TEST_CASE("what differs between two runs is named") {
    CHECK(difference("a=1\nb=2\n", "a=1\nb=2\n").empty());
    CHECK(difference("a=1\nb=2\n", "a=1\nb=3\n") == "b: 2 then, 3 now");
    CHECK(difference("a=1\n", "a=1\nb=3\n") == "b: nothing then, 3 now");
}

TEST_SUITE_END();
