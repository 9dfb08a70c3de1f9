#include "knowledge/vector_index.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "base/error.hpp"

namespace jikji::knowledge {
namespace {

constexpr int kDim = 37;  // no multiple of a vector register

std::vector<float> unit_rows(int rows, unsigned seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    std::vector<float> out;
    for (int r = 0; r < rows; ++r) {
        std::vector<float> row(kDim);
        double length = 0;
        for (float& x : row) {
            x = normal(random);
            length += double{x} * x;
        }
        for (const float x : row) out.push_back(static_cast<float>(x / std::sqrt(length)));
    }
    return out;
}

std::span<const float> row(const std::vector<float>& rows, std::size_t i) {
    return std::span(rows).subspan(i * kDim, kDim);
}

/// The slow exact answer, in double.
std::vector<ChunkId> nearest(const std::vector<float>& rows, const std::vector<ChunkId>& ids,
                             std::span<const float> query, std::size_t k) {
    std::vector<std::pair<double, ChunkId>> all;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        double sum = 0;
        for (int d = 0; d < kDim; ++d) sum += double{row(rows, i)[d]} * query[d];
        all.emplace_back(-sum, ids[i]);
    }
    std::sort(all.begin(), all.end());
    std::vector<ChunkId> out;
    for (std::size_t i = 0; i < std::min(k, all.size()); ++i) out.push_back(all[i].second);
    return out;
}

std::vector<ChunkId> ids_of(const std::vector<Hit>& hits) {
    std::vector<ChunkId> ids;
    for (const Hit& hit : hits) ids.push_back(hit.id);
    return ids;
}

}  // namespace

TEST_SUITE_BEGIN("vector_index");

TEST_CASE("the flat index agrees with arithmetic in double") {
    std::vector<ChunkId> ids(500);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<ChunkId>(3 * i + 1);
    const auto rows = unit_rows(500, 1), queries = unit_rows(20, 2);
    const auto index = make_flat_index(kDim);
    index->add(ids, rows);
    CHECK(index->size() == 500);
    for (std::size_t q = 0; q < 20; ++q) {
        CHECK(ids_of(index->search(row(queries, q), 10)) ==
              nearest(rows, ids, row(queries, q), 10));
    }
    CHECK(index->similarity(row(rows, 4), ids[4]) == doctest::Approx(1).epsilon(1e-5));
}

TEST_CASE("removed vectors are not found, the others are") {
    const auto rows = unit_rows(5, 3);
    const std::vector<ChunkId> ids = {10, 11, 12, 13, 14}, gone = {10, 14, 99};
    const auto index = make_flat_index(kDim);
    index->add(ids, rows);
    index->remove(gone);
    CHECK(index->size() == 3);
    CHECK_FALSE(index->contains(10));
    for (std::size_t i = 1; i < 4; ++i) CHECK(index->search(row(rows, i), 1)[0].id == ids[i]);
    CHECK(index->search(row(rows, 0), 10).size() == 3);
    CHECK(index->similarity(row(rows, 0), 10) == -1);
    index->add(std::vector<ChunkId>{10}, row(rows, 0));
    CHECK(index->search(row(rows, 0), 1)[0].id == 10);
}

TEST_CASE("ties go to the lower id") {
    const auto one = unit_rows(1, 4);
    const auto index = make_flat_index(kDim);
    for (const ChunkId id : {7, 3, 5}) index->add(std::vector<ChunkId>{id}, one);
    CHECK(ids_of(index->search(one, 2)) == std::vector<ChunkId>{3, 5});
}

TEST_CASE("wrong sizes and values are refused, and nothing is added") {
    const auto index = make_flat_index(kDim);
    auto rows = unit_rows(2, 5);
    const std::vector<ChunkId> twice = {1, 1}, two = {1, 2};
    CHECK_THROWS_AS(index->add(std::vector<ChunkId>{1}, rows), Error);
    CHECK_THROWS_AS(index->add(twice, rows), Error);
    rows[kDim] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_AS(index->add(two, rows), Error);
    CHECK(index->size() == 0);
    CHECK(index->search(row(rows, 0), 3).empty());
    CHECK_THROWS_AS(index->search(row(rows, 0), 0), Error);
    CHECK_THROWS_AS(index->search(row(rows, 0).subspan(1), 1), Error);
    CHECK_THROWS_AS(make_flat_index(0), Error);
}

TEST_SUITE_END();

}  // namespace jikji::knowledge
