#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <future>
#include <random>

#include "base/error.hpp"
#include "engine/engine.hpp"
#include "engine/model_memory.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_model.hpp"

using namespace jikji;
using namespace jikji::engine;

namespace {

constexpr int kContext = 128;

/// Three equally large models, with memory for two and a half of them.
struct Fixture {
    explicit Fixture(std::chrono::milliseconds load_patience = {}) {
        folder = std::filesystem::temp_directory_path() /
                 ("jikji-models-" + std::to_string(std::random_device{}()));
        std::filesystem::create_directories(folder);
        tests::write_tiny_llama(folder / "a.gguf", kContext);
        EngineOptions options{.context = kContext, .parallel = 4, .threads = 1};
        options.load_patience = load_patience;
        bytes = memory_wanted(folder / "a.gguf", /*own_encoder=*/false, options).total();
        options.models_memory_bytes = bytes * 5 / 2;
        engine = std::make_unique<Engine>(options);
        for (const char* name : {"a", "b", "c"}) add(name);
    }
    ~Fixture() {
        engine.reset();
        std::filesystem::remove_all(folder);
    }

    void add(const std::string& name) {
        const std::filesystem::path path = folder / (name + ".gguf");
        if (name != "a") std::filesystem::copy_file(folder / "a.gguf", path);
        engine->add_model({.name = name, .path = path});
    }

    std::string loaded() const {
        std::string out;
        for (const ModelStatus& one : engine->models()) out += one.loaded ? one.name : "";
        return out;
    }

    GenerationRequest request(const std::string& model, int length) {
        GenerationRequest made;
        made.model = model;
        made.prompt = engine->tokenize(model, "hello", false);
        made.sampling.temperature = 0;
        made.max_tokens = length;
        made.ignore_eos = true;
        return made;
    }

    std::string text(const std::string& model) {
        Stream stream = engine->submit(request(model, 20));
        std::string out;
        while (auto piece = stream.next()) out += piece->text;
        return out;
    }

    std::filesystem::path folder;
    std::uint64_t bytes = 0;
    std::unique_ptr<Engine> engine;
};

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return Error(ErrorCode::kInternal, "");
}

}  // namespace

TEST_SUITE_BEGIN("several_models");

TEST_CASE("the least recently used leaves, and comes back with the same text") {
    Fixture f;
    const std::string text = f.text("a");
    CHECK(!text.empty());
    CHECK(f.text("b") == text);  // the same file
    CHECK(f.loaded() == "ab");
    CHECK(f.text("c") == text);
    CHECK(f.loaded() == "bc");
    CHECK(f.text("b") == text);  // now c is the older one
    CHECK(f.text("a") == text);
    CHECK(f.loaded() == "ab");
}

TEST_CASE("what is loaded is said with its bytes") {
    Fixture f;
    f.engine->keep("a", Keep::kPinned);
    f.engine->load("a");
    for (const ModelStatus& one : f.engine->models()) {
        CHECK(one.pinned == (one.name == "a"));
        if (one.name == "a") {
            CHECK(one.bytes >= f.bytes);
            CHECK(one.bytes <= f.bytes * 5 / 2);
        } else {
            CHECK(one.bytes == 0);
        }
    }
}

TEST_CASE("a pinned model stays, a default one while another can go") {
    Fixture f;
    f.engine->keep("a", Keep::kPinned);
    f.engine->load("a");
    f.engine->load("b");
    f.engine->load("c");
    CHECK(f.loaded() == "ac");
    f.engine->keep("a", Keep::kPreferred);
    f.engine->load("a");
    f.engine->load("c");
    f.engine->load("b");
    CHECK(f.loaded() == "ab");
}

TEST_CASE("beside pinned models that leave no room a model is refused, with the numbers") {
    Fixture f;
    for (const char* name : {"a", "b"}) {
        f.engine->keep(name, Keep::kPinned);
        f.engine->load(name);
    }
    for (int again = 0; again < 2; ++again) {
        const Error error = error_of([&] { f.engine->load("c"); });
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == "model");
        CHECK(std::string(error.what()).find("(pinned)") != std::string::npos);
        CHECK(std::string(error.what()).find("--models-memory-mb") != std::string::npos);
    }
    CHECK(f.loaded() == "ab");
    CHECK(!f.text("a").empty());
}

TEST_CASE(
    "a model that computes is not unloaded: the other one is, or the request is told to wait") {
    Fixture f;
    f.engine->load("b");
    f.engine->load("a");
    std::vector<Stream> streams;
    const auto keep_busy = [&] {
        for (int i = 0; i < 60; ++i) streams.push_back(f.engine->submit(f.request("a", 100)));
    };
    keep_busy();
    f.engine->load("c");
    CHECK(f.loaded() == "ac");
    f.engine->keep("c", Keep::kPinned);
    keep_busy();
    const Error error = error_of([&] { f.engine->load("b"); });
    CHECK(error.code() == ErrorCode::kOverloaded);
    CHECK(error.retry_after().has_value());
    for (Stream& stream : streams) {
        while (stream.next()) {
        }
        CHECK(stream.usage().completion_tokens == 100);
    }
}

TEST_CASE("who waits for a load waits no longer than it wants to") {
    Fixture f(std::chrono::hours(1));
    std::vector<Stream> streams;
    for (const char* name : {"a", "b"}) {  // both compute, so c finds no room
        for (int i = 0; i < 60; ++i) streams.push_back(f.engine->submit(f.request(name, 100)));
    }
    const auto soon = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
    CHECK(error_of([&] { f.engine->require("c", {soon, nullptr}); }).code() == ErrorCode::kTimeout);
    const auto left = std::make_shared<std::atomic<bool>>(false);
    auto leaves = std::async(std::launch::async, [&] {
        return error_of([&] { f.engine->require("c", {{}, left}); }).code();
    });
    left->store(true);
    CHECK(leaves.get() == ErrorCode::kCancelled);
    CHECK(f.loaded() == "ab");
    streams.clear();
    CHECK(f.engine->require("c").loaded);  // each request tries again
}

TEST_CASE("a load that fails leaves the others serving, each time") {
    Fixture f;
    const std::string text = f.text("a");
    std::filesystem::copy_file(f.folder / "a.gguf", f.folder / "cut.gguf");
    std::filesystem::resize_file(f.folder / "cut.gguf",
                                 std::filesystem::file_size(f.folder / "a.gguf") / 2);
    std::ofstream(f.folder / "text.gguf") << "this is no model";
    for (const char* name : {"cut", "text", "gone"}) {
        f.engine->add_model({.name = name, .path = f.folder / (std::string(name) + ".gguf")});
        const std::string first = error_of([&] { f.engine->load(name); }).what();
        CHECK(error_of([&] { f.engine->load(name); }).what() == first);
        CHECK(f.text("a") == text);
    }
    CHECK(f.loaded() == "a");
}

TEST_CASE("a model that was removed while it computes ends its answers") {
    Fixture f;
    Stream stream = f.engine->submit(f.request("a", 100));
    f.engine->remove_model("a");
    while (stream.next()) {
    }
    CHECK(stream.usage().completion_tokens == 100);
    CHECK(error_of([&] { f.engine->load("a"); }).code() == ErrorCode::kModelNotFound);
}

TEST_CASE("a long prompt of one model does not stop the answers of another") {
    constexpr int kLong = 2048;
    const tests::TempFolder folder;
    tests::write_tiny_llama(folder.path() / "a.gguf", kLong);
    std::filesystem::copy_file(folder.path() / "a.gguf", folder.path() / "b.gguf");
    Engine engine({.context = kLong, .parallel = 4, .threads = 1, .gap_seconds = 1e-9});
    for (const char* name : {"a", "b"}) {
        engine.add_model({.name = name, .path = folder.path() / (std::string(name) + ".gguf")});
    }
    const auto request = [&](const std::string& model, const std::string& prompt, int length) {
        GenerationRequest made;
        made.model = model;
        made.prompt = engine.tokenize(model, prompt, false);
        made.sampling.temperature = 0;
        made.max_tokens = length;
        made.ignore_eos = true;
        return made;
    };
    const GenerationRequest prompt = request("b", std::string(1600, 'l'), 1);  // loads b
    Stream answer = engine.submit(request("a", "hello", 2000));
    const auto pieces = [&] {
        int count = 0;
        for (;; ++count) {
            const auto ready = std::make_shared<bool>(false);
            answer.when_ready([ready] { *ready = true; });
            if (!*ready) return count;
            REQUIRE(answer.next().has_value());
        }
    };
    answer.next();
    pieces();
    Stream other = engine.submit(prompt);
    while (other.next()) {
    }
    CHECK(pieces() >= 40);  // 1,600 tokens come in 50 steps; in passes of 512 there were 4
}

TEST_SUITE_END();
