#include "models/store.hpp"

#include <doctest/doctest.h>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "models/gguf.hpp"
#include "models/inspect.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

struct Folder {
    fs::path path = fs::temp_directory_path() / ("jikji-store-" + hex(random_bytes(6)));
    Folder() { fs::create_directories(path); }
    ~Folder() { fs::remove_all(path); }
};

const ProgressOptions kSilent{.style = ProgressStyle::kSilent};

void write_model(const fs::path& path, const std::string& architecture) {
    GgufWriter out;
    out.set("general.architecture", architecture);
    out.set_number(architecture + ".context_length", 2048);
    out.set_number(architecture + ".block_count", 4);
    out.set_number(architecture + ".embedding_length", 64);
    out.set_number(architecture + ".attention.head_count", 8);
    out.set_number(architecture + ".attention.head_count_kv", 2);
    out.set_number(architecture + ".feed_forward_length", 128);
    out.set_texts("tokenizer.ggml.tokens", {"a", "b"});
    out.add_tensor("w", {32}, kQ4_0, [] { return std::string(18, '\0'); });
    out.add_tensor("n", {8}, kF32, [] { return std::string(32, '\0'); });
    out.write(path);
}

template <typename Work>
Error error_of(const Work& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    return Error(ErrorCode::kConflict, "nothing was thrown");
}

TEST_SUITE_BEGIN("store");

TEST_CASE("a model is added, found, listed and removed") {
    const Folder folder;
    write_model(folder.path / "My Model.gguf", "llama");
    Store store(folder.path / "models", kSilent);
    CHECK(store.list().empty());
    const InstalledModel added = store.add(folder.path / "My Model.gguf", {});
    CHECK(added.name == "my-model");
    const InstalledModel found = store.find("my-model");
    CHECK(found.path == folder.path / "models" / "my-model.gguf");
    CHECK(!found.embedding);
    CHECK(found.sha256 == sha256_hex(read_file(found.path, 1 << 20)));
    CHECK(found.added_at.size() == 20);
    REQUIRE(store.list().size() == 1);
    CHECK(error_of([&] { store.add(folder.path / "My Model.gguf", {}); }).code() ==
          ErrorCode::kConflict);
    CHECK(store.remove("my-model").size() == 2);
    CHECK(store.list().empty());
    CHECK(fs::exists(folder.path / "My Model.gguf"));
}

TEST_CASE("an E5 model that is added by hand gets its prefixes") {
    const Folder folder;
    write_model(folder.path / "multilingual-e5-base.gguf", "bert");
    Store store(folder.path / "models", kSilent);
    const InstalledModel model = store.add(folder.path / "multilingual-e5-base.gguf", {});
    CHECK(model.embedding);
    CHECK(model.query_prefix == "query: ");
    CHECK(store.find(model.name).passage_prefix == "passage: ");
}

TEST_CASE("a link points to the file and goes without it") {
    const Folder folder;
    write_model(folder.path / "m.gguf", "llama");
    Store store(folder.path / "models", kSilent);
    store.add(folder.path / "m.gguf", {.name = "linked", .link = true});
    CHECK(fs::is_symlink(folder.path / "models" / "linked.gguf"));
    CHECK(store.find("linked").bytes == fs::file_size(folder.path / "m.gguf"));
    store.remove("linked");
    CHECK(fs::exists(folder.path / "m.gguf"));
}

TEST_CASE("what is no model is refused when added, and left out when found in the folder") {
    const Folder folder;
    write_file_durably(folder.path / "letter.gguf", "Dear all");
    write_model(folder.path / "good.gguf", "llama");
    const std::string whole = read_file(folder.path / "good.gguf", 1 << 20);
    write_file_durably(folder.path / "cut.gguf", whole.substr(0, whole.size() - 60));
    Store store(folder.path, kSilent);
    CHECK(error_of([&] { store.add(folder.path / "letter.gguf", {.name = "x"}); }).code() ==
          ErrorCode::kRejected);
    CHECK(error_of([&] { store.add(folder.path / "cut.gguf", {.name = "y"}); }).code() ==
          ErrorCode::kRejected);
    CHECK(error_of([&] { store.add(folder.path / "none.gguf", {}); }).code() ==
          ErrorCode::kNotFound);
    REQUIRE(store.list().size() == 1);
    CHECK(store.list()[0].name == "good");
    CHECK(error_of([&] { store.find("cut"); }).code() == ErrorCode::kRejected);
}

TEST_CASE("an unknown name gets a hint") {
    const Folder folder;
    write_model(folder.path / "my-model.gguf", "llama");
    Store store(folder.path, kSilent);
    const auto hint = [&](const char* name) {
        const Error error = error_of([&] { store.find(name); });
        CHECK(error.code() == ErrorCode::kModelNotFound);
        return std::string(error.what());
    };
    CHECK(hint("my-modl").find("Did you mean my-model?") != std::string::npos);
    CHECK(hint("all-minilm-l6-v2").find("jikji models pull all-minilm-l6-v2") != std::string::npos);
    CHECK(hint("gema-3-270m").find("Did you mean gemma-3-270m?") != std::string::npos);
    CHECK(hint("../../etc/passwd").find("not installed") != std::string::npos);
    CHECK(error_of([&] { store.pull("gema-3-270m"); }).code() == ErrorCode::kModelNotFound);
}

TEST_CASE("names that could leave the folder are refused") {
    for (const char* name : {"", ".", "..", "../x", "a/b", "-x", "a b", "한글", "a\nb"}) {
        CAPTURE(name);
        CHECK(error_of([&] { check_model_name(name); }).code() == ErrorCode::kInvalidArgument);
    }
    for (const char* name : {"a", "Qwen2.5-0.5B_q4", "7b"}) CHECK_NOTHROW(check_model_name(name));
}

TEST_CASE("memory follows the written formula") {
    const Folder folder;
    write_model(folder.path / "m.gguf", "llama");
    const ModelFacts facts = facts_of(GgufFile(folder.path / "m.gguf").gguf());
    CHECK(facts.parameters == 40);
    CHECK(facts.weight_bytes == 50);
    CHECK(facts.quantisation == "Q4_0");
    // 4 layers x 2 key/value heads x (8 + 8) x 2 bytes
    CHECK(facts.cache_bytes_per_token == 256);
    const MemoryNeed need = memory_at(facts, 1000);
    CHECK(need.cache == 256'000);
    CHECK(need.working == 512 * 4 * (2 + 4 * 64 + 2 * 128) + 64'000'000);
    const std::string fits = describe(facts, 1000, 1'000'000'000, Language::kEnglish);
    CHECK(fits.find("It fits this machine") != std::string::npos);
    const std::string not_here = describe(facts, 1000, 1'000'000, Language::kKorean);
    CHECK(not_here.find("맞지 않습니다") != std::string::npos);
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
