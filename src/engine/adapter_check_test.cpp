// Files that are no adapter of the base: said in words, before libllama sees them, and the base
// and other adapters go on.
#include "engine/adapter_check.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <functional>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "engine/engine.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_adapter.hpp"

using namespace jikji;
using namespace jikji::engine;
namespace fs = std::filesystem;

namespace {

using Writer = std::function<void(models::GgufWriter&)>;

std::string zeros(std::size_t floats) { return std::string(floats * sizeof(float), '\0'); }

void matrix(models::GgufWriter& file, const std::string& name, std::uint64_t in, std::uint64_t out,
            std::uint32_t type = models::kF32, std::size_t bytes_each = 4) {
    file.add_tensor(name, {in, out}, type,
                    [=] { return std::string(in * out * bytes_each, '\0'); });
}

void keys(models::GgufWriter& file) {
    file.set("general.type", "adapter");
    file.set("general.architecture", "llama");
    file.set("adapter.type", "lora");
    file.set_real("adapter.lora.alpha", 8);
}

const std::string kWeight = "blk.0.attn_q.weight";

void pair(models::GgufWriter& file, const std::string& weight = kWeight, std::uint64_t in = 32,
          std::uint64_t out = 32) {
    matrix(file, weight + ".lora_a", in, 4);
    matrix(file, weight + ".lora_b", 4, out);
}

struct Case {
    const char* what;
    const char* says;
    Writer write;
};

const Case kCases[] = {
    {"a whole model", "general.type", [](auto& f) { f.set("general.architecture", "llama"); }},
    {"another kind", "adapter.type",
     [](auto& f) {
         f.set("general.type", "adapter");
         f.set("general.architecture", "llama");
         f.set("adapter.type", "ia3");
         pair(f);
     }},
    {"a type that is a number", "adapter.type",
     [](auto& f) {
         f.set("general.type", "adapter");
         f.set("general.architecture", "llama");
         f.set_number("adapter.type", 1);
         pair(f);
     }},
    {"an alpha that is a number of another type", "float32",
     [](auto& f) {
         f.set("general.type", "adapter");
         f.set("general.architecture", "llama");
         f.set("adapter.type", "lora");
         f.set_number("adapter.lora.alpha", 16);
         pair(f);
     }},
    {"another architecture", "gpt2",
     [](auto& f) {
         f.set("general.type", "adapter");
         f.set("general.architecture", "gpt2");
         f.set("adapter.type", "lora");
         pair(f);
     }},
    {"an activated LoRA", "aLoRA",
     [](auto& f) {
         keys(f);
         f.set_numbers("adapter.alora.invocation_tokens", {1, 2});
         pair(f);
     }},
    {"no tensors", "no tensors", [](auto& f) { keys(f); }},
    {"half a pair", "half of",
     [](auto& f) {
         keys(f);
         matrix(f, kWeight + ".lora_a", 32, 4);
     }},
    {"another suffix", "lora_x",
     [](auto& f) {
         keys(f);
         pair(f);
         matrix(f, kWeight + ".lora_x", 32, 4);
     }},
    {"whole numbers", "F32, F16",
     [](auto& f) {
         keys(f);
         matrix(f, kWeight + ".lora_a", 32, 4, /*I32*/ 26);
         matrix(f, kWeight + ".lora_b", 4, 32);
     }},
    {"a weight that the base has not", "blk.7.attn_q",
     [](auto& f) {
         keys(f);
         pair(f, "blk.7.attn_q.weight");
     }},
    {"the embedding", "token_embd",
     [](auto& f) {
         keys(f);
         pair(f, "token_embd.weight", 32, 259);
     }},
    {"a norm", "attn_norm",
     [](auto& f) {
         keys(f);
         pair(f, "blk.0.attn_norm.weight", 32, 1);
     }},
    {"another width", "another base",
     [](auto& f) {
         keys(f);
         pair(f, kWeight, 64, 64);
     }},
    {"ranks that differ", "another base",
     [](auto& f) {
         keys(f);
         matrix(f, kWeight + ".lora_a", 32, 4);
         matrix(f, kWeight + ".lora_b", 5, 32);
     }},
    {"one dimension", "two dimensions",
     [](auto& f) {
         keys(f);
         f.add_tensor(kWeight + ".lora_a", {32}, models::kF32, [] { return zeros(32); });
         matrix(f, kWeight + ".lora_b", 4, 32);
     }},
};

struct Fixture {
    Fixture() {
        tests::write_tiny_llama(folder / "base.gguf", 128);
        tests::write_tiny_adapter(folder / "good.gguf");
    }
    std::string refusal(const fs::path& file) const {
        try {
            check_adapter(file, folder / "base.gguf");
        } catch (const Error& error) {
            CHECK(error.code() == ErrorCode::kRejected);
            return error.what();
        }
        return "";
    }
    tests::TempFolder folder;
};

}  // namespace

TEST_SUITE_BEGIN("adapter_check");

TEST_CASE("a sound adapter gives its sha256") {
    const Fixture f;
    const std::string bytes = read_file(f.folder / "good.gguf", 1 << 20);
    CHECK(check_adapter(f.folder / "good.gguf", f.folder / "base.gguf") == sha256_hex(bytes));
}

TEST_CASE("what is no adapter of the base is refused in words") {
    const Fixture f;
    for (const Case& one : kCases) {
        CAPTURE(std::string(one.what));
        models::GgufWriter file;
        one.write(file);
        file.write(f.folder / "bad.gguf");
        const std::string refusal = f.refusal(f.folder / "bad.gguf");
        CAPTURE(refusal);
        CHECK(refusal.find(one.says) != std::string::npos);
    }
}

TEST_CASE("a file that is cut off anywhere is refused") {
    const Fixture f;
    const std::string bytes = read_file(f.folder / "good.gguf", 1 << 20);
    for (std::size_t size = 0; size < bytes.size(); size += 97) {
        std::ofstream(f.folder / "cut.gguf", std::ios::binary) << bytes.substr(0, size);
        CAPTURE(size);
        CHECK(!f.refusal(f.folder / "cut.gguf").empty());
    }
}

TEST_CASE("a bad adapter fails each time, and base and other adapters go on") {
    const Fixture f;
    Engine engine({.context = 128, .parallel = 2, .threads = 1});
    engine.add_model({.name = "base", .path = f.folder / "base.gguf"});
    engine.add_model({.name = "good", .adapter = f.folder / "good.gguf", .base = "base"});
    const auto text = [&](const std::string& model) {
        GenerationRequest made;
        made.model = model;
        made.prompt = engine.tokenize(model, "hello", false);
        made.sampling.temperature = 0;
        made.max_tokens = 20;
        made.ignore_eos = true;
        Stream stream = engine.submit(std::move(made));
        std::string out;
        while (auto piece = stream.next()) out += piece->text;
        return out;
    };
    const auto fails_with = [&](const std::string& model) {
        try {
            engine.load(model);
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::kInternal;
    };
    const std::string base = text("base"), good = text("good");
    std::ofstream(f.folder / "bad.gguf") << "this is no adapter";
    engine.add_model({.name = "bad", .adapter = f.folder / "bad.gguf", .base = "base"});
    engine.add_model({.name = "gone", .adapter = f.folder / "gone.gguf", .base = "base"});
    engine.add_model({.name = "orphan", .adapter = f.folder / "good.gguf", .base = "nobody"});
    engine.add_model({.name = "nested", .adapter = f.folder / "good.gguf", .base = "good"});
    for (int again = 0; again < 2; ++again) {
        CHECK(fails_with("bad") == ErrorCode::kRejected);
        CHECK(fails_with("gone") == ErrorCode::kNotFound);
        CHECK(fails_with("orphan") == ErrorCode::kModelNotFound);
        CHECK(fails_with("nested") == ErrorCode::kInvalidArgument);
        CHECK(text("base") == base);
        CHECK(text("good") == good);
    }
}

TEST_SUITE_END();
