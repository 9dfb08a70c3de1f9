#include "training/adapter_peft.hpp"

#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstring>
#include <fstream>
#include <functional>
#include <random>

#include "base/error.hpp"
#include "base/file.hpp"
#include "models/peft_config.hpp"
#include "models/safetensors.hpp"
#include "models/safetensors_writer.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_lora.hpp"

using namespace jikji;
using namespace jikji::training;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

using tests::filled_lora;
using tests::small_shape;

const AdapterFacts kFacts{.name = "mine", .base_name = "tiny", .architecture = "llama"};

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

/// A folder as PEFT writes it, but for what `change` does to its settings.
Error refusal(const fs::path& folder, const std::function<void(json::object&)>& change) {
    fs::remove_all(folder);
    export_peft(folder, kFacts, filled_lora(small_shape()), small_shape());
    json::object config = json::parse(read_file(folder / models::kPeftConfig, 1 << 20)).as_object();
    change(config);
    write_file_durably(folder / models::kPeftConfig, json::serialize(config));
    return error_of([&] { import_peft(folder, small_shape()); });
}

Error refusal_of_weights(const fs::path& folder, const std::vector<models::NewWeight>& weights) {
    models::write_safetensors(folder / models::kPeftWeights, weights);
    return error_of([&] { import_peft(folder, small_shape()); });
}

TEST_SUITE_BEGIN("adapter_peft");

TEST_CASE("row 6: exported to PEFT's layout and back, bit-equal") {
    const tests::TempFolder folder;
    const Lora lora =
        filled_lora(small_shape(), {.rank = 3,
                                    .alpha = 16,
                                    .dropout = 0.05F,
                                    .targets = {Module::kQ, Module::kK, Module::kV, Module::kO,
                                                Module::kGate, Module::kUp, Module::kDown}});
    export_peft(folder / "내 어댑터", kFacts, lora, small_shape());
    const Lora again = import_peft(folder / "내 어댑터", small_shape());
    CHECK(again.options().rank == 3);
    CHECK(again.options().alpha == 16);
    CHECK(again.options().dropout == 0.05F);
    CHECK(again.options().targets == lora.options().targets);
    REQUIRE(again.values().size() == lora.values().size());
    CHECK(std::memcmp(again.values().data(), lora.values().data(), lora.values().size_bytes()) ==
          0);
}

// Hugging Face's rows by what they mean: its rotary turns value i of a head with value i + D/2, a
// GGUF's turns 2i with 2i + 1, by the same angle i. So the pair i, its first and second value, is
// what has to agree.
TEST_CASE("row 6: rows of q and k go where the same rotation meets them, and only those") {
    const tests::TempFolder folder;
    const Shape shape = small_shape();
    const Lora lora = filled_lora(shape);
    export_peft(folder / "p", kFacts, lora, shape);
    const models::Safetensors file(folder / "p" / models::kPeftWeights);
    for (const auto& [module, heads, name] :
         {std::tuple{Module::kQ, shape.heads, "q_proj"}, {Module::kK, shape.kv_heads, "k_proj"}}) {
        const LoraPair* pair = lora.find(1, module);
        const std::string key =
            std::string("base_model.model.model.layers.1.self_attn.") + name + ".lora_B.weight";
        REQUIRE(file.weights().contains(key));
        const std::string raw = models::as_f32(file.weights().at(key));
        const auto* exported = reinterpret_cast<const float*>(raw.data());
        for (int head = 0; head < heads; ++head) {
            for (int angle = 0; angle < shape.head / 2; ++angle) {
                for (int part = 0; part < 2; ++part) {
                    const int theirs = head * shape.head + angle + part * shape.head / 2;
                    const int ours = head * shape.head + 2 * angle + part;
                    for (int r = 0; r < 2; ++r) {
                        CHECK(exported[theirs * 2 + r] ==
                              lora.b(*pair)[static_cast<std::size_t>(ours * 2 + r)]);
                    }
                }
            }
        }
    }
    const LoraPair* down = lora.find(0, Module::kDown);
    const auto& weight =
        file.weights().at("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight");
    CHECK(std::memcmp(weight.bytes.data(), lora.b(*down).data(), weight.bytes.size()) == 0);
    CHECK(weight.shape == std::vector<std::uint64_t>{8, 2});
    const auto& a =
        file.weights().at("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    CHECK(std::memcmp(a.bytes.data(), lora.a(*lora.find(0, Module::kQ)).data(), a.bytes.size()) ==
          0);
}

TEST_CASE("rsLoRA is taken with its own scale") {
    const tests::TempFolder folder;
    CHECK(!says(refusal(folder / "p", [](json::object& c) { c["use_rslora"] = true; }), "rslora"));
    const Lora lora = import_peft(folder / "p", small_shape());
    CHECK(lora.scale() == doctest::Approx(4 / std::sqrt(2.0)));  // alpha / sqrt(rank)
}

TEST_CASE("what is more than plain LoRA is refused by name") {
    const tests::TempFolder folder;
    const std::pair<const char*, json::value> cases[] = {
        {"use_dora", true},
        {"bias", "lora_only"},
        {"lora_bias", true},
        {"modules_to_save", json::array{"lm_head"}},
        {"rank_pattern", json::object{{"q_proj", 4}}},
        {"alpha_pattern", json::object{{"q_proj", 4}}},
        {"init_lora_weights", "pissa_niter_4"},
        {"peft_type", "IA3"},
        {"fan_in_fan_out", true},
        {"alora_invocation_tokens", json::array{1, 2}},
        {"layer_replication", json::array{json::array{0, 1}}},
    };
    for (const auto& [option, value] : cases) {
        CAPTURE(option);
        const Error error =
            refusal(folder / "p", [&](json::object& config) { config[option] = value; });
        CHECK(error.code() == ErrorCode::kUnsupported);
        CHECK(error.field() == option);
        CHECK_MESSAGE(says(error, option), error.what());
        CHECK(error.korean() != error.what());
    }
}

TEST_CASE("settings that are damaged are refused") {
    const tests::TempFolder folder;
    const std::pair<const char*, json::value> cases[] = {
        {"r", 0},
        {"r", 5},
        {"r", 100'000},
        {"r", -1},
        {"r", "8"},
        {"r", 2.5},
        {"lora_alpha", 0},
        {"lora_alpha", -3},
        {"lora_alpha", 1e30},
        {"peft_type", nullptr},
    };
    for (const auto& [option, value] : cases) {
        CAPTURE(option);
        const Error error =
            refusal(folder / "p", [&](json::object& config) { config[option] = value; });
        CHECK(error.code() == ErrorCode::kRejected);
    }
    write_file_durably(folder / "p" / models::kPeftConfig, "{\"r\": 8,");
    CHECK(error_of([&] { import_peft(folder / "p", small_shape()); }).code() ==
          ErrorCode::kRejected);
}

TEST_CASE("weights that do not fit the base, or are not whole, are refused and named") {
    const tests::TempFolder folder;
    const std::string start = "base_model.model.model.layers.0.self_attn.q_proj.lora_";
    refusal(folder / "p", [](json::object&) {});  // rank 2
    const models::NewWeight a{start + "A.weight", {2, 8}, std::vector<float>(16, 1)};
    const models::NewWeight b{start + "B.weight", {8, 2}, std::vector<float>(16, 1)};
    CHECK(says(refusal_of_weights(folder / "p", {a, b}), "nothing was thrown"));
    const auto named = [](models::NewWeight weight, const std::string& name) {
        weight.name = name;
        return weight;
    };
    const auto shaped = [](models::NewWeight weight, std::vector<std::uint64_t> shape) {
        weight.shape = std::move(shape);
        return weight;
    };
    const std::string layers = "base_model.model.model.layers.";
    const std::pair<std::vector<models::NewWeight>, const char*> cases[] = {
        {{}, "no weights"},
        {{a}, "lora_B.weight is missing"},
        {{b}, "lora_A.weight is missing"},
        {{shaped(a, {4, 4}), b}, "should be 2 x 8"},
        {{a, shaped(b, {16})}, "should be 8 x 2"},
        {{named(a, "base_model.model.lm_head.lora_A.weight"), b}, "lm_head"},
        {{named(a, start + "magnitude_vector"), b}, "magnitude_vector"},
        {{named(a, layers + "2.self_attn.q_proj.lora_A.weight"), b}, "the base has 2"},
        {{named(a, layers + "00.self_attn.q_proj.lora_A.weight"), b}, "layers.00"},
        {{named(a, layers + "-1.self_attn.q_proj.lora_A.weight"), b}, "layers.-1"},
        {{named(a, layers + "99999999999.self_attn.q_proj.lora_A.weight"), b}, "99999999999"},
    };
    for (const auto& [weights, words] : cases) {
        const Error error = refusal_of_weights(folder / "p", weights);
        CHECK(error.code() == ErrorCode::kRejected);
        CHECK_MESSAGE(says(error, words), error.what());
    }
    models::NewWeight odd = a;
    odd.values[3] = std::nanf("");
    CHECK(says(refusal_of_weights(folder / "p", {odd, b}), "not finite"));
}

TEST_CASE("T29: changed bytes of the weights are refused or read, never outside") {
    const tests::TempFolder folder;
    export_peft(folder / "p", kFacts, filled_lora(small_shape()), small_shape());
    const fs::path file = folder / "p" / models::kPeftWeights;
    const std::string whole = read_file(file, 1 << 20);
    std::mt19937 random(5);
    int refused = 0;
    for (int round = 0; round < 1500; ++round) {
        std::string bytes = whole;
        for (int n = 1 + static_cast<int>(random() % 3); n > 0; --n) {
            bytes[random() % (bytes.size() * 2 / 3)] = static_cast<char>(random());
        }
        if (round % 4 == 0) bytes.resize(random() % bytes.size());
        fs::remove(file);
        std::ofstream(file, std::ios::binary) << bytes;  // no sync: thousands of them
        try {
            import_peft(folder / "p", small_shape());
        } catch (const Error& error) {
            REQUIRE(error.code() == ErrorCode::kRejected);
            ++refused;
        }
    }
    CHECK(refused > 500);
}

TEST_CASE("a folder that is not empty is left alone, and one that lacks a file says which") {
    const tests::TempFolder folder;
    const Lora lora = filled_lora(small_shape());
    fs::create_directories(folder / "full");
    write_file_durably(folder / "full" / "note.txt", "mine");
    const Error taken =
        error_of([&] { export_peft(folder / "full", kFacts, lora, small_shape()); });
    CHECK(taken.code() == ErrorCode::kConflict);
    CHECK(taken.field() == "to");
    CHECK(read_file(folder / "full" / "note.txt", 100) == "mine");
    CHECK(says(error_of([&] { import_peft(folder / "full", small_shape()); }), "save_pretrained"));
    CHECK(says(error_of([&] { import_peft(folder / "none", small_shape()); }), "none"));
    export_peft(folder / "p", kFacts, lora, small_shape());
    fs::rename(folder / "p" / models::kPeftWeights, folder / "p" / "adapter_model.bin");
    const Error pickle = error_of([&] { import_peft(folder / "p", small_shape()); });
    CHECK(pickle.code() == ErrorCode::kNotFound);
    CHECK(says(pickle, "safe_serialization"));
}

TEST_SUITE_END();

}  // namespace
