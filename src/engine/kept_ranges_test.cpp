// In engine, because the tiny model is written with what models knows.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "llama/context.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::llama;

namespace {

std::shared_ptr<const Model> tiny_model() {
    const auto path = std::filesystem::temp_directory_path() /
                      ("jikji-context-" + std::to_string(std::random_device{}()) + ".gguf");
    tests::write_tiny_llama(path, 256);
    auto model = std::make_shared<const Model>(path, ModelOptions{});
    std::filesystem::remove(path);
    return model;
}

const ContextOptions kOptions{.cells = 256, .sequences = 2, .batch = 256, .threads = 1};

void compute(Context& context, int sequence, int count) {
    std::vector<BatchToken> batch;
    for (int i = 0; i < count; ++i) batch.push_back({i * 7 % 251, i, sequence, i + 1 == count});
    REQUIRE(context.decode(batch) == Decoded::kDone);
}

}  // namespace

TEST_SUITE_BEGIN("kept_ranges");

TEST_CASE("ranges of a sequence come back bit by bit, in whole and in part") {
    const auto model = tiny_model();
    CHECK(model->cuttable());
    Context from(model, kOptions);
    compute(from, 0, 150);
    Context to(model, kOptions);
    for (int start = 0; start < 150; start += 64) {
        const int end = std::min(start + 64, 150);
        CHECK(to.restore_range(0, from.save_range(0, start, end), start, end));
    }
    CHECK(to.save(0) == from.save(0));
    to.forget(0);
    CHECK(to.restore_range(0, from.save_range(0, 0, 64), 0, 40));  // the rest of it is let go
    from.forget_from(0, 40);
    CHECK(to.save(0) == from.save(0));
}

TEST_CASE("a range that does not fit, or is none, changes nothing") {
    const auto model = tiny_model();
    Context from(model, kOptions);
    compute(from, 0, 200);
    const std::string range = from.save_range(0, 64, 164);
    const std::string before = from.save(0);
    CHECK_FALSE(from.restore_range(1, range, 64, 164));  // 200 of 256 cells are in use
    CHECK_FALSE(from.restore_range(1, "no state", 0, 1));
    CHECK_FALSE(from.restore_range(1, "", 0, 1));
    CHECK_FALSE(from.restore_range(1, range.substr(0, range.size() / 2), 64, 164));
    CHECK(from.save(0) == before);
    from.forget(0);
    CHECK(from.restore_range(1, range, 64, 164));  // nothing was lost on the way
}

TEST_SUITE_END();
