#include "encoder/encoder.hpp"

#include <doctest/doctest.h>

#include <algorithm>

#include "support/temp_folder.hpp"
#include "support/tiny_encoder.hpp"

using namespace jikji;
using encoder::Encoder;

namespace {

struct File {
    explicit File(const tests::TinyEncoder& shape = {}) { tests::write_tiny_encoder(path, shape); }
    tests::TempFolder folder;
    std::filesystem::path path = folder.path() / "encoder.gguf";
};

// Every remainder of every instruction set's tiles and panels, and more rows than one block.
const std::vector<int> kLengths = {1, 2, 3, 5, 7, 8, 11, 12, 13, 16, 17, 31, 32, 33, 64, 95, 96};

double greatest_difference(const std::vector<float>& a, const std::vector<float>& b) {
    double out = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        out = std::max(out, std::abs(static_cast<double>(a[i]) - b[i]));
    }
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("encoder");

TEST_CASE("it takes only what it computes to the last tensor") {
    CHECK(Encoder::supports(File().path));
    CHECK(Encoder::supports(File({.pooling = 2}).path));
    CHECK_FALSE(Encoder::supports(File({.pooling = 3}).path));
    CHECK_FALSE(Encoder::supports(File({.extra_tensor = "blk.0.attn_q_norm.weight"}).path));
    CHECK_FALSE(Encoder::supports(File({.width = 96, .heads = 4}).path));  // heads of 24
    tests::TempFolder folder;
    tests::write_tiny_llama(folder.path() / "llama.gguf");
    CHECK_FALSE(Encoder::supports(folder.path() / "llama.gguf"));
}

// Goal: fast instruction sets give what the portable one gives. Tolerance: float32 sums in another
// order, and exp by the same polynomial, stay within 1e-4 of values of about 1; bfloat16 has eight
// bits, and three layers of it keep a cosine of 0.9995.
TEST_CASE("every instruction set of this machine gives the same vectors") {
    for (const std::uint32_t heads : {2U, 4U}) {
        const File file({.heads = heads});
        const auto texts = tests::tiny_texts(kLengths);
        Encoder portable(file.path, "portable");
        const auto wanted = portable.encode(texts, 1);
        for (const std::string& name : Encoder::instruction_sets()) {
            CAPTURE(name);
            Encoder other(file.path, name);
            const auto got = other.encode(texts, 2);
            REQUIRE(got.size() == wanted.size());
            for (std::size_t i = 0; i < got.size(); ++i) {
                CAPTURE(texts[i].size());
                if (name == "bf16") {
                    CHECK(tests::cosine(got[i], wanted[i]) > 0.9995);
                } else {
                    CHECK(greatest_difference(got[i], wanted[i]) < 1e-4);
                }
            }
        }
    }
}

TEST_CASE("a text's vector does not depend on its neighbours or on the threads") {
    const File file;
    const auto texts = tests::tiny_texts(kLengths);
    Encoder encoder(file.path);
    const auto packed = encoder.encode(texts, 2);
    for (std::size_t i = 0; i < texts.size(); ++i) {
        CAPTURE(texts[i].size());
        const auto alone = encoder.encode({{texts[i]}}, 1);
        CHECK(greatest_difference(alone[0], packed[i]) < 1e-5);
    }
    CHECK(encoder.encode({}, 2).empty());
}

TEST_CASE("CLS pooling gives the first token's vector, which the mean does not") {
    const auto texts = tests::tiny_texts({9});
    Encoder mean(File().path);
    Encoder first(File({.pooling = 2}).path);
    CHECK(greatest_difference(mean.encode(texts, 1)[0], first.encode(texts, 1)[0]) > 0.1);
    const auto single = tests::tiny_texts({1});
    CHECK(greatest_difference(mean.encode(single, 1)[0], first.encode(single, 1)[0]) < 1e-6);
}

TEST_SUITE_END();
