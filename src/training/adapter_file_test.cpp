#include "training/adapter_file.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <functional>
#include <limits>
#include <random>

#include "base/error.hpp"
#include "base/file.hpp"
#include "models/gguf.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_lora.hpp"
#include "training/adapter_folder.hpp"

using namespace jikji;
using namespace jikji::training;
namespace fs = std::filesystem;

namespace {

using tests::filled_lora;
using tests::small_shape;

AdapterFacts facts_of_test() {
    AdapterFacts facts;
    facts.name = "ft:tiny:local:한글:ab12";
    facts.base_name = "tiny";
    facts.base_sha256 = std::string(64, 'a');
    facts.architecture = "llama";
    facts.held_out_loss = 1.25;
    return facts;
}

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::kInternal, "nothing was thrown");
}

bool says(const Error& error, const std::string& words) {
    return std::string(error.what()).find(words) != std::string::npos;
}

/// One GGUF by hand, to say what write_adapter() never would.
struct Spec {
    std::string type = "adapter", kind = "lora", tensor = "blk.0.attn_q.weight", alpha = "real";
    std::vector<std::uint64_t> a{8, 2}, b{2, 8};
    std::string more;  // a further tensor of 8 x 2
    float value = 0.5F;
    std::uint32_t tensor_type = models::kF32;
    bool has_b = true;
    std::string sha;
};

void write(const fs::path& path, const Spec& spec) {
    models::GgufWriter out;
    out.set("general.type", spec.type);
    out.set("general.architecture", "llama");
    out.set("adapter.type", spec.kind);
    if (spec.alpha == "real") out.set_real("adapter.lora.alpha", 4);
    if (spec.alpha == "whole") out.set_number("adapter.lora.alpha", 4);
    if (spec.alpha == "nan") out.set_real("adapter.lora.alpha", std::nanf(""));
    if (spec.alpha == "zero") out.set_real("adapter.lora.alpha", 0);
    if (!spec.sha.empty()) out.set("jikji.base.sha256", spec.sha);
    const auto add = [&](const std::string& name, const std::vector<std::uint64_t>& shape) {
        std::uint64_t values = 1;
        for (const auto size : shape) values *= size;
        out.add_tensor(name, shape, spec.tensor_type, [values, &spec] {
            if (spec.tensor_type != models::kF32) {
                return std::string(values * (spec.tensor_type == 28 ? 8 : 2), '\x3c');
            }
            std::string bytes(values * sizeof(float), '\0');
            for (std::uint64_t i = 0; i < values; ++i) {
                std::memcpy(bytes.data() + i * sizeof(float), &spec.value, sizeof(float));
            }
            return bytes;
        });
    };
    add(spec.tensor + ".lora_a", spec.a);
    if (spec.has_b) add(spec.tensor + ".lora_b", spec.b);
    if (!spec.more.empty()) add(spec.more, {8, 2});
    out.write(path);
}

TEST_SUITE_BEGIN("adapter_file");

TEST_CASE("an adapter is written and read back, value by value") {
    const tests::TempFolder folder;
    const Lora lora = filled_lora(small_shape());
    const fs::path file = folder / "어댑터.gguf";
    write_adapter(file, facts_of_test(), lora);
    const AdapterFacts facts = read_adapter_facts(file);
    CHECK(facts.name == "ft:tiny:local:한글:ab12");
    CHECK(facts.base_name == "tiny");
    CHECK(facts.base_sha256 == std::string(64, 'a'));
    CHECK(facts.architecture == "llama");
    CHECK(facts.lora.rank == lora.options().rank);
    CHECK(facts.lora.alpha == lora.options().alpha);
    CHECK(facts.lora.dropout == lora.options().dropout);
    CHECK(facts.lora.targets == lora.options().targets);
    CHECK(facts.held_out_loss == 1.25);
    CHECK(!facts.base_loss);
    const Lora again = read_adapter(file, small_shape());
    REQUIRE(again.values().size() == lora.values().size());
    CHECK(std::memcmp(again.values().data(), lora.values().data(), lora.values().size_bytes()) ==
          0);
}

TEST_CASE("what is in the file follows what stock llama.cpp asks for") {
    const tests::TempFolder folder;
    write_adapter(folder / "a.gguf", facts_of_test(), filled_lora(small_shape()));
    const models::GgufFile file(folder / "a.gguf");
    const models::Gguf& gguf = file.gguf();
    CHECK(gguf.text("general.type") == "adapter");
    CHECK(gguf.text("adapter.type") == "lora");
    REQUIRE(gguf.find("adapter.lora.alpha") != nullptr);
    CHECK(gguf.find("adapter.lora.alpha")->type == models::GgufType::kFloat32);
    REQUIRE(gguf.tensors.size() == 2 * 2 * 3);  // A and B of two layers' three modules
    CHECK(gguf.tensors[0].name == "blk.0.attn_q.weight.lora_a");
    CHECK(gguf.tensors[0].shape == std::vector<std::uint64_t>{8, 2});  // n_in, rank
    CHECK(gguf.tensors[1].name == "blk.0.attn_q.weight.lora_b");
    CHECK(gguf.tensors[1].shape == std::vector<std::uint64_t>{2, 8});  // rank, n_out
}

TEST_CASE("adapters of others: alpha that is missing or 0 is a scale of 1, F16 and BF16 are read") {
    const tests::TempFolder folder;
    for (const char* alpha : {"none", "zero"}) {
        write(folder / "a.gguf", {.alpha = alpha});
        CHECK(read_adapter(folder / "a.gguf", small_shape()).scale() == 1.0F);
    }
    write(folder / "h.gguf", {.tensor_type = 1});
    CHECK(read_adapter(folder / "h.gguf", small_shape()).values()[0] == doctest::Approx(1.0586));
    write(folder / "b.gguf", {.tensor_type = 30});
    CHECK(read_adapter(folder / "b.gguf", small_shape()).values()[0] == doctest::Approx(0.01147));
    const Lora lora = read_adapter(folder / "b.gguf", small_shape());
    const LoraPair* other = lora.find(1, Module::kQ);
    REQUIRE(other != nullptr);
    CHECK(lora.a(*other)[0] == 0);  // the layer that the file leaves out
}

TEST_CASE("adapters of others: an A of 8 bits is read") {
    const tests::TempFolder folder;
    models::GgufWriter out;
    out.set("general.type", "adapter");
    out.set("adapter.type", "lora");
    constexpr std::uint32_t kQ8_0 = 8;
    out.add_tensor("blk.0.attn_q.weight.lora_a", {32, 2}, kQ8_0, [] {
        // A block: a scale of 0.5 in float16, then 32 values of one byte.
        const std::string block = std::string("\x00\x38", 2) + std::string(32, '\x03');
        return block + block;
    });
    out.add_tensor("blk.0.attn_q.weight.lora_b", {2, 8}, models::kF32,
                   [] { return std::string(64, '\0'); });
    out.write(folder / "a.gguf");
    Shape shape = small_shape();
    shape.width = 32;
    const Lora lora = read_adapter(folder / "a.gguf", shape);
    for (const float value : lora.a(*lora.find(0, Module::kQ))) CHECK(value == 1.5F);
}

TEST_CASE("what does not fit is refused and named") {
    const tests::TempFolder folder;
    const float infinite = std::numeric_limits<float>::infinity();
    const std::pair<Spec, const char*> cases[] = {
        {{.type = "model"}, "may be a whole model"},
        {{.kind = "control_vector"}, "only lora"},
        {{.tensor = "blk.0.attn_norm.weight"}, "attn_norm"},
        {{.tensor = "output.weight"}, "output.weight"},
        {{.tensor = "blk.00.attn_q.weight"}, "blk.00"},
        {{.tensor = "blk.-1.attn_q.weight"}, "blk.-1"},
        {{.tensor = "blk.99999999999.attn_q.weight"}, "blk.99999999999"},
        {{.tensor = "blk.2.attn_q.weight"}, "the base has 2"},
        {{.more = "blk.1.attn_q.weight.lora_a"}, "no partner"},
        {{.more = "blk.1.attn_q.weight.lora_c"}, "lora_c"},
        {{.a = {7, 2}}, "of another model"},
        {{.b = {2, 9}}, "of another model"},
        {{.a = {8, 3}}, "rank"},
        {{.a = {8, 300}, .b = {300, 8}}, "rank is 300"},
        {{.a = {8}}, "rank"},
        {{.b = {2}}, "rank"},
        {{.alpha = "whole"}, "float32 above 0"},
        {{.alpha = "nan"}, "float32 above 0"},
        {{.value = infinite}, "not finite"},
        {{.value = std::nanf("")}, "not finite"},
        {{.tensor_type = 28}, "F64"},
        {{.has_b = false}, "no partner"},
        {{.sha = "abc"}, "sha256"},
    };
    for (const auto& [spec, words] : cases) {
        CAPTURE(words);
        write(folder / "a.gguf", spec);
        const Error error = error_of([&] { read_adapter(folder / "a.gguf", small_shape()); });
        CHECK(error.code() == ErrorCode::kRejected);
        CHECK(error.korean() != error.what());
        CHECK_MESSAGE(says(error, words), error.what());
    }
}

TEST_CASE("T29: a changed byte is refused or read, and nothing outside the file is") {
    const tests::TempFolder folder;
    write_adapter(folder / "a.gguf", facts_of_test(), filled_lora(small_shape()));
    const std::string whole = read_file(folder / "a.gguf", 1 << 20);
    std::mt19937 random(3);
    int refused = 0;
    for (int round = 0; round < 4000; ++round) {
        std::string bytes = whole;
        for (int n = 1 + static_cast<int>(random() % 4); n > 0; --n) {
            // Half of the changes go to the head, where they matter.
            const std::size_t at = random() % (random() % 2 ? bytes.size() : bytes.size() / 4);
            bytes[at] = static_cast<char>(random());
        }
        if (round % 4 == 0) bytes.resize(random() % bytes.size());
        const fs::path file = folder / "m.gguf";
        fs::remove(file);
        std::ofstream(file, std::ios::binary) << bytes;  // no sync: thousands of them
        try {
            const Lora lora = read_adapter(file, small_shape());
            for (const float value : lora.values()) REQUIRE(std::isfinite(value));
        } catch (const Error& error) {
            REQUIRE(error.code() == ErrorCode::kRejected);
            ++refused;
        }
    }
    CHECK(refused > 1000);
}

TEST_CASE("an adapter is not used with another file of its base, or another architecture") {
    AdapterFacts facts = facts_of_test();
    CHECK_NOTHROW(check_base(facts, std::string(64, 'a'), "llama"));
    const Error other = error_of([&] { check_base(facts, std::string(64, 'b')); });
    CHECK(other.code() == ErrorCode::kConflict);
    CHECK(other.field() == "base");
    CHECK(says(other, "trained on another file of tiny"));
    const Error kind = error_of([&] { check_base(facts, std::string(64, 'a'), "qwen2"); });
    CHECK(kind.code() == ErrorCode::kConflict);
    facts.base_sha256.clear();
    CHECK_NOTHROW(check_base(facts, std::string(64, 'b'), "llama"));
}

TEST_CASE("what jobs have made is found by name and by job, and damaged files are left out") {
    const tests::TempFolder folder;
    CHECK(made_adapters(folder / "none").empty());
    for (const char* job : {"ftjob-1", "ftjob-2", "ftjob-3"}) {
        fs::create_directories(folder / "training" / job);
    }
    write_adapter(folder / "training" / "ftjob-1" / "adapter.gguf", facts_of_test(),
                  filled_lora(small_shape()));
    write_file_durably(folder / "training" / "ftjob-2" / "adapter.gguf", "GGUF, or so it says");
    REQUIRE(made_adapters(folder / "").size() == 1);
    CHECK(find_made_adapter(folder / "", "ft:tiny:local:한글:ab12")->job == "ftjob-1");
    CHECK(find_made_adapter(folder / "", "ftjob-1")->facts.base_name == "tiny");
    CHECK(!find_made_adapter(folder / "", "ftjob-3"));
    CHECK(!find_made_adapter(folder / "", "../ftjob-1"));
}

TEST_SUITE_END();

}  // namespace
