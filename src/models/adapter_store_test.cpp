// Adapters in the models folder.
#include <doctest/doctest.h>

#include <chrono>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "models/adapter_check.hpp"
#include "models/gguf.hpp"
#include "models/store.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("jikji-adapters-" + hex(random_bytes(6)));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

const ProgressOptions kSilent{.style = ProgressStyle::kSilent};

void add_floats(GgufWriter& out, const std::string& name, std::vector<std::uint64_t> shape) {
    std::uint64_t bytes = 4;
    for (const std::uint64_t size : shape) bytes *= size;
    out.add_tensor(name, std::move(shape), kF32, [bytes] { return std::string(bytes, '\0'); });
}

void write_base(const fs::path& path, float epsilon = 1e-5F) {
    GgufWriter out;
    out.set("general.architecture", "llama");
    out.set_real("llama.attention.layer_norm_rms_epsilon", epsilon);
    add_floats(out, "token_embd.weight", {8, 5});
    add_floats(out, "blk.0.attn_q.weight", {8, 6});
    add_floats(out, "blk.0.attn_norm.weight", {8});
    out.write(path);
}

struct AdapterSpec {
    std::string type = "adapter", kind = "lora", architecture = "llama";
    std::string base, sha256;
    std::string tensor = "blk.0.attn_q.weight";
    std::vector<std::uint64_t> a{8, 2}, b{2, 6};
    bool has_b = true, whole_alpha = false, alora = false;
};

void write_adapter(const fs::path& path, const AdapterSpec& spec) {
    GgufWriter out;
    out.set("general.type", spec.type);
    out.set("adapter.type", spec.kind);
    out.set("general.architecture", spec.architecture);
    if (spec.whole_alpha) {
        out.set_number("adapter.lora.alpha", 16);
    } else {
        out.set_real("adapter.lora.alpha", 16);
    }
    if (spec.alora) out.set_numbers("adapter.alora.invocation_tokens", {1});
    if (!spec.base.empty()) out.set("jikji.base.name", spec.base);
    if (!spec.sha256.empty()) out.set("jikji.base.sha256", spec.sha256);
    add_floats(out, spec.tensor + ".lora_a", spec.a);
    if (spec.has_b) add_floats(out, spec.tensor + ".lora_b", spec.b);
    out.write(path);
}

template <typename Work>
Error error_of(const Work& work) {
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

TEST_SUITE_BEGIN("adapter_store");

TEST_CASE("an adapter finds its base by sha256, by name, or by --base") {
    const Folder folder;
    Store store(folder.path / "models", kSilent);
    write_base(folder.path / "b.gguf");
    const std::string sha = store.add(folder.path / "b.gguf", {.name = "base"}).sha256;
    write_adapter(folder.path / "a.gguf", {.base = "another-name", .sha256 = sha});
    const InstalledModel by_hash = store.add(folder.path / "a.gguf", {.name = "by-hash"});
    CHECK(by_hash.adapter);
    CHECK(by_hash.base == "base");
    write_adapter(folder.path / "n.gguf", {.base = "base"});
    CHECK(store.add(folder.path / "n.gguf", {.name = "by-name"}).base == "base");
    write_adapter(folder.path / "o.gguf", {});
    CHECK(store.add(folder.path / "o.gguf", {.name = "other", .base = "base"}).base == "base");
    CHECK(store.find("other").base == "base");  // from beside the file
    CHECK(store.find("other").adapter);
    CHECK(!store.find("base").adapter);
}

TEST_CASE("an adapter whose base is missing, or is another file, is a conflict that says so") {
    const Folder folder;
    Store store(folder.path / "models", kSilent);
    write_adapter(folder.path / "o.gguf", {});
    const Error silent = error_of([&] { store.add(folder.path / "o.gguf", {}); });
    CHECK(silent.code() == ErrorCode::kConflict);
    CHECK(says(silent, "--base NAME"));
    write_adapter(folder.path / "n.gguf", {.base = "smollm2-135m-instruct"});
    const Error missing = error_of([&] { store.add(folder.path / "n.gguf", {}); });
    CHECK(missing.code() == ErrorCode::kConflict);
    CHECK(missing.field() == "base");
    CHECK(says(missing, "jikji models pull smollm2-135m-instruct"));
    write_base(folder.path / "b.gguf", 1e-6F);
    store.add(folder.path / "b.gguf", {.name = "base", .link = true});
    write_adapter(folder.path / "a.gguf", {.base = "base", .sha256 = std::string(64, 'a')});
    const Error other = error_of([&] { store.add(folder.path / "a.gguf", {}); });
    CHECK(other.code() == ErrorCode::kConflict);
    CHECK(says(other, "another file of base"));
    CHECK(other.korean().find("다른 파일") != std::string::npos);
    CHECK(store.list().size() == 1);
    CHECK(error_of([&] { store.add(folder.path / "a.gguf", {.base = "bse"}); }).code() ==
          ErrorCode::kModelNotFound);
    const Error whole = error_of([&] { store.add(folder.path / "b.gguf", {.base = "base"}); });
    CHECK(whole.code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("a base that changes beside its adapter is noticed, also by a store that knew it") {
    const Folder folder;
    Store store(folder.path / "models", kSilent);
    write_base(folder.path / "b.gguf");
    const InstalledModel base = store.add(folder.path / "b.gguf", {.name = "base"});
    write_adapter(folder.path / "a.gguf", {.base = "base", .sha256 = base.sha256});
    const InstalledModel mine = store.add(folder.path / "a.gguf", {.name = "mine"});
    CHECK(store.base_of(mine, {}).name == "base");
    const auto before = fs::last_write_time(base.path);
    write_base(base.path, 1e-6F);  // as long as before; what lies beside it still says the old hash
    fs::last_write_time(base.path, before + std::chrono::seconds(1));
    CHECK(error_of([&] { store.base_of(mine, {}); }).code() == ErrorCode::kConflict);
}

TEST_CASE("a base is not removed before its adapters") {
    const Folder folder;
    Store store(folder.path / "models", kSilent);
    write_base(folder.path / "b.gguf");
    store.add(folder.path / "b.gguf", {.name = "base"});
    write_adapter(folder.path / "a.gguf", {});
    store.add(folder.path / "a.gguf", {.name = "mine", .base = "base"});
    const Error needed = error_of([&] { store.remove("base"); });
    CHECK(needed.code() == ErrorCode::kConflict);
    CHECK(says(needed, "jikji models rm mine"));
    store.remove("mine");
    CHECK(store.remove("base").size() == 2);
}

TEST_CASE("what llama.cpp could not use, or would die of, is refused") {
    const Folder folder;
    write_base(folder.path / "b.gguf");
    const std::pair<AdapterSpec, const char*> cases[] = {
        {{.kind = "ia3"}, "adapter.type"},
        {{.architecture = "qwen2"}, "it is for qwen2"},
        {{.tensor = "blk.1.attn_q.weight"}, "no weight blk.1.attn_q.weight"},
        {{.tensor = "blk.0.attn_norm.weight", .a = {8, 2}, .b = {2, 8}}, "no weight"},
        {{.a = {7, 2}}, "another base"},
        {{.b = {2, 7}}, "another base"},
        {{.b = {3, 6}}, "another base"},
        {{.a = {8}}, "two dimensions"},
        {{.tensor = "token_embd.weight", .a = {2, 5}, .b = {2, 8}}, "no weight token_embd"},
        {{.has_b = false}, "one half of"},
        {{.whole_alpha = true}, "no float32"},
        {{.alora = true}, "aLoRA"},
    };
    for (const auto& [spec, words] : cases) {
        CAPTURE(words);
        write_adapter(folder.path / "a.gguf", spec);
        const Error error =
            error_of([&] { check_adapter(folder.path / "a.gguf", folder.path / "b.gguf"); });
        CHECK(error.code() == ErrorCode::kRejected);
        CHECK_MESSAGE(says(error, words), error.what());
    }
    write_adapter(folder.path / "a.gguf", {});
    CHECK_NOTHROW(check_adapter(folder.path / "a.gguf", folder.path / "b.gguf"));
    CHECK(says(error_of([&] { check_adapter(folder.path / "a.gguf", folder.path / "a.gguf"); }),
               "adapter itself"));
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
