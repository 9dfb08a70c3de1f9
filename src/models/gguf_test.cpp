#include "models/gguf.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <random>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("jikji-gguf-" + hex(random_bytes(6)));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

std::string small_model(const fs::path& path) {
    GgufWriter out;
    out.set("general.architecture", "llama");
    out.set_number("llama.context_length", 2048);
    out.set_real("llama.attention.layer_norm_rms_epsilon", 1e-5f);
    out.set_flag("tokenizer.ggml.add_bos_token", true);
    out.set_texts("tokenizer.ggml.tokens", {"<s>", "한글", "b"});
    out.set_reals("tokenizer.ggml.scores", {0.0f, -1.5f, -2.0f});
    out.set_numbers("tokenizer.ggml.token_type", {3, 1, 1});
    out.set_bytes("tokenizer.ggml.precompiled_charsmap", std::string("\x01\x00\x02", 3));
    out.add_tensor("token_embd.weight", {32, 3}, kQ4_0, [] { return std::string(3 * 18, 'q'); });
    out.add_tensor("output_norm.weight", {3}, kF32, [] { return std::string(12, 'f'); });
    out.write(path);
    return read_file(path, 1 << 20);
}

template <typename T>
void put(std::string& out, T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void put_text(std::string& out, std::string_view text) {
    put<std::uint64_t>(out, text.size());
    out += text;
}

std::string head(std::uint32_t version, std::uint64_t tensors, std::uint64_t values) {
    std::string out = "GGUF";
    put(out, version);
    put(out, tensors);
    put(out, values);
    return out;
}

std::string with_tensor(std::uint32_t dimensions, std::uint64_t size, std::uint32_t type,
                        std::uint64_t offset) {
    std::string out = head(3, 1, 0);
    put_text(out, "t");
    put(out, dimensions);
    for (std::uint32_t d = 0; d < dimensions && d < 8; ++d) put(out, size);
    put(out, type);
    put(out, offset);
    out.resize(256);
    return out;
}

std::string with_array(std::uint32_t element, std::uint64_t count) {
    std::string out = head(3, 0, 1);
    put_text(out, "key");
    put<std::uint32_t>(out, 9);
    put(out, element);
    put(out, count);
    out.resize(out.size() + 64);
    return out;
}

std::string twice() {
    std::string out = head(3, 0, 2);
    for (int i = 0; i < 2; ++i) {
        put_text(out, "key");
        put<std::uint32_t>(out, 7);
        put<std::uint8_t>(out, 1);
    }
    return out;
}

std::string aligned_to(std::uint32_t alignment) {
    std::string out = head(3, 0, 1);
    put_text(out, "general.alignment");
    put<std::uint32_t>(out, 4);
    put(out, alignment);
    return out;
}

struct HostileCase {
    const char* name;
    std::string bytes;
    const char* says;
};

std::vector<HostileCase> hostile_cases() {
    constexpr auto kHuge = ~std::uint64_t{0};
    std::string long_key = head(3, 0, 1);
    put(long_key, kHuge);
    return {
        {"empty", "", "does not begin with the letters GGUF"},
        {"text renamed", "Dear all, please find attached", "does not begin with the letters GGUF"},
        {"only magic", "GGUF", "ends early"},
        {"version 1", head(1, 0, 0), "version is 1"},
        {"big-endian", head(0x03000000, 0, 0), "big-endian"},
        {"absurd tensor count", head(3, kHuge, 0), "tensor count"},
        {"absurd metadata count", head(3, 0, kHuge), "metadata count"},
        {"believable counts, nothing behind", head(3, 9, 9), "ends early"},
        {"key as long as memory", long_key, "a key's length"},
        {"key twice", twice(), "stands twice"},
        {"array longer than the file", with_array(4, 1'000'000), "an array's length"},
        {"array whose size wraps", with_array(12, kHuge / 4), "an array's length"},
        {"array of arrays", with_array(9, 1), "array of arrays"},
        {"array of no type", with_array(77, 1), "no value type 77"},
        {"alignment 0", aligned_to(0), "alignment is 0"},
        {"alignment 24", aligned_to(24), "alignment is 24"},
        {"alignment 2^31", aligned_to(1u << 31), "alignment"},
        {"tensor of five dimensions", with_tensor(5, 1, 0, 0), "dimensions"},
        {"tensor of size 0", with_tensor(1, 0, 0, 0), "impossible size 0"},
        {"tensor size that wraps", with_tensor(4, 1ull << 20, 0, 0), "impossible size"},
        {"tensor of no type", with_tensor(1, 8, 4, 0), "unknown type 4"},
        {"half a block", with_tensor(1, 33, 2, 0), "not whole Q4_0 blocks"},
        {"tensor past the end", with_tensor(1, 4096, 0, 0), "outside the file"},
        {"offset past the end", with_tensor(1, 8, 0, kHuge - 31), "outside the file"},
        {"offset that is not aligned", with_tensor(1, 8, 0, 4), "outside the file"},
    };
}

TEST_SUITE_BEGIN("gguf");

TEST_CASE("what is written is read back") {
    const Folder folder;
    const fs::path path = folder.path / "m.gguf";
    small_model(path);
    const GgufFile file(path);
    const Gguf& gguf = file.gguf();
    CHECK(gguf.version == 3);
    CHECK(gguf.architecture() == "llama");
    CHECK(gguf.number("llama.context_length") == 2048);
    CHECK(gguf.find("tokenizer.ggml.add_bos_token")->as_bool() == true);
    CHECK(gguf.find("llama.attention.layer_norm_rms_epsilon")->as_number() ==
          doctest::Approx(1e-5));
    CHECK(gguf.find("tokenizer.ggml.tokens")->count == 3);
    CHECK(gguf.find("tokenizer.ggml.precompiled_charsmap")->bytes.size() == 3);
    CHECK(gguf.text("llama.context_length").empty());
    REQUIRE(gguf.tensors.size() == 2);
    const GgufTensor& words = gguf.tensors[0];
    CHECK(words.values == 96);
    CHECK(file.bytes().substr(words.offset, words.bytes) == std::string(54, 'q'));
    CHECK(gguf.tensors[1].offset % 32 == 0);
    CHECK(file.bytes().substr(gguf.tensors[1].offset, 12) == std::string(12, 'f'));
}

TEST_CASE("hostile files are refused, and the message says why in two languages") {
    for (const HostileCase& c : hostile_cases()) {
        CAPTURE(c.name);
        try {
            parse_gguf(c.bytes, "bad.gguf");
            FAIL("was taken for a GGUF file");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kRejected);
            const std::string message = error.what();
            CAPTURE(message);
            CHECK(message.find(c.says) != std::string::npos);
            CHECK(message.find("bad.gguf") != std::string::npos);
            CHECK(error.korean() != message);
        }
    }
}

TEST_CASE("a file cut off anywhere is refused") {
    const Folder folder;
    const std::string whole = small_model(folder.path / "m.gguf");
    for (std::size_t size = 0; size + 20 < whole.size(); ++size) {  // the end is padding
        CAPTURE(size);
        const std::string cut = whole.substr(0, size);
        CHECK_THROWS_AS(parse_gguf(cut, "cut.gguf"), Error);
    }
}

TEST_CASE("mutated files are read or refused, never read outside") {
    const Folder folder;
    const std::string whole = small_model(folder.path / "m.gguf");
    std::mt19937 random(1);
    int refused = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string bytes = whole;
        for (int n = 1 + static_cast<int>(random() % 4); n > 0; --n) {
            bytes[random() % bytes.size()] = static_cast<char>(random());
        }
        bytes.shrink_to_fit();
        try {
            for (const GgufTensor& tensor : parse_gguf(bytes, "m.gguf").tensors) {
                REQUIRE(tensor.offset <= bytes.size());
                REQUIRE(tensor.bytes <= bytes.size() - tensor.offset);
            }
        } catch (const Error& error) {
            REQUIRE(error.code() == ErrorCode::kRejected);
            ++refused;
        }
    }
    CHECK(refused > 1000);
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
