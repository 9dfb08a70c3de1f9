// Adapters beside their base: one copy of the weights, a lane each, and nothing of one in another.
#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <regex>
#include <thread>

#include "base/error.hpp"
#include "engine/adapter_check.hpp"
#include "engine/engine.hpp"
#include "engine/model_memory.hpp"
#include "support/temp_folder.hpp"
#include "support/tiny_adapter.hpp"

using namespace jikji;
using namespace jikji::engine;
namespace fs = std::filesystem;

namespace {

constexpr int kContext = 512;
constexpr int kLength = 20;
const std::vector<std::string> kAll = {"base", "one", "two"};

/// A base and two adapters of it.
struct Files {
    Files() {
        tests::write_tiny_llama(folder / "base.gguf", kContext);
        write_adapter("one", 11);
        write_adapter("two", 12);
    }
    void write_adapter(const std::string& name, unsigned seed) const {
        tests::write_tiny_adapter(folder / (name + ".gguf"), {.seed = seed});
    }
    ModelFile adapter(const std::string& name) const {
        return {.name = name, .adapter = folder / (name + ".gguf"), .base = "base"};
    }
    EngineOptions options() const {
        return {.context = kContext, .parallel = 8, .adapter_parallel = 8, .threads = 1};
    }
    tests::TempFolder folder;
};

void add(Engine& engine, const Files& files, const std::vector<std::string>& names = kAll) {
    for (const std::string& name : names) {
        if (name == "base") {
            engine.add_model({.name = "base", .path = files.folder / "base.gguf"});
        } else {
            engine.add_model(files.adapter(name));
        }
    }
}

struct Fixture : Files {
    explicit Fixture(EngineOptions given) : engine(std::move(given)) { add(engine, *this); }
    Fixture() : Fixture(Files::options()) {}
    Engine engine;
};

GenerationRequest request(Engine& engine, const std::string& model, const std::string& prompt,
                          int length = kLength) {
    GenerationRequest made;
    made.model = model;
    made.prompt = engine.tokenize(model, prompt, false);
    made.sampling.temperature = 0;
    made.max_tokens = length;
    made.ignore_eos = true;
    return made;
}

struct Said {
    std::string text;
    Usage usage;
};

Said read(Stream stream) {
    Said out;
    while (auto piece = stream.next()) out.text += piece->text;
    out.usage = stream.usage();
    return out;
}

Said say(Engine& engine, const std::string& model, const std::string& prompt = "hello") {
    return read(engine.submit(request(engine, model, prompt)));
}

/// One that says nothing until it ends: what it says might become its stop sequence.
GenerationRequest silent_request(Engine& engine, const std::string& model, int length) {
    GenerationRequest made = request(engine, model, "hello", length);
    made.sampling.logit_bias = {{engine.tokenize(model, "a", false).at(0), 100.0F}};
    made.stop = {std::string(kContext, 'a')};
    return made;
}

/// Holds the compute thread between two steps until it is opened.
class Gate {
public:
    explicit Gate(Engine& engine) {
        while (!held_) {
            Stream stream = engine.submit(silent_request(engine, "base", 100));
            const auto here = std::this_thread::get_id();
            std::promise<void> reached;
            stream.when_ready([&] {
                held_ = std::this_thread::get_id() != here;  // else it had ended already
                reached.set_value();
                if (held_) opened_.get_future().wait();
            });
            reached.get_future().wait();
            stream_ = std::make_unique<Stream>(std::move(stream));
        }
    }
    void open() { opened_.set_value(); }

private:
    std::atomic<bool> held_{false};
    std::promise<void> opened_;
    std::unique_ptr<Stream> stream_;
};

std::string loaded(const Engine& engine) {
    std::string out;
    for (const ModelStatus& one : engine.models()) out += one.loaded ? one.name + " " : "";
    return out;
}

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

TEST_SUITE_BEGIN("adapters");

TEST_CASE("each says its own, whichever is asked first, and the base stays what it is alone") {
    const Files files;
    Engine alone(files.options());
    add(alone, files, {"base"});
    const std::string base = say(alone, "base").text;
    CHECK(!base.empty());
    std::map<std::string, std::string> texts;
    for (const auto& order :
         {std::vector<std::string>{"base", "one", "two"}, {"two", "one", "base"}}) {
        Engine engine(files.options());
        add(engine, files);
        for (const std::string& name : order) {
            const std::string text = say(engine, name).text;
            CHECK(texts.emplace(name, text).first->second == text);
        }
    }
    CHECK(texts["base"] == base);
    CHECK(texts["one"] != base);
    CHECK(texts["two"] != base);
    CHECK(texts["one"] != texts["two"]);
}

TEST_CASE("the weights are in memory once, are said once, and leave with the last that uses them") {
    Fixture f;
    const ModelMemory one_lane = memory_wanted(f.folder / "base.gguf", false, f.options());
    const std::uint64_t weights = one_lane.mapped + one_lane.copied;
    const auto bytes = [&](const std::string& name) { return f.engine.require(name).bytes; };
    const auto sum = [&] {
        std::uint64_t out = 0;
        for (const ModelStatus& one : f.engine.models()) out += one.bytes;
        return out;
    };
    const std::uint64_t first = bytes("one");  // carries the weights: it is alone
    const std::uint64_t second = bytes("two");
    CHECK(first - second >= weights);
    f.engine.load("base");
    CHECK(bytes("one") == second);  // now the base does
    CHECK(bytes("base") >= weights);
    CHECK(sum() < bytes("base") + 2 * second + weights);
    const std::string text = say(f.engine, "one").text;
    f.engine.remove_model("base");
    CHECK(say(f.engine, "one").text == text);
    CHECK(bytes("one") >= weights + second);
    f.engine.remove_model("one");
    CHECK(bytes("two") >= weights);
}

TEST_CASE("models that share weights need less room than models that do not") {
    Files files;
    EngineOptions options = files.options();
    options.load_patience = std::chrono::milliseconds(0);
    const ModelMemory lane = memory_wanted(files.folder / "base.gguf", false, options);
    // The weights once, and three lanes; with the weights thrice it would not fit.
    options.models_memory_bytes = lane.total() + 2 * (lane.cells + lane.working) + 60'000;
    Fixture f(options);
    for (const std::string& name : kAll) f.engine.load(name);
    CHECK(loaded(f.engine) == "base one two ");

    // A lane fewer: the least recently used adapter leaves, and comes back as it was.
    options.models_memory_bytes = lane.total() + (lane.cells + lane.working) / 2 * 2 + 30'000;
    Engine small(options);
    add(small, files);
    const std::string text = say(small, "one").text;
    small.keep("base", Keep::kPreferred);
    small.load("base");
    small.load("two");
    CHECK(loaded(small) == "base two ");
    CHECK(say(small, "one").text == text);
    CHECK(loaded(small) == "base one ");
}

// llama.cpp's server has it: issue 26207, cells of one adapter read by another (serving.md).
TEST_CASE("T34: what was computed with one adapter is never used by another, or by the base") {
    const Files files;
    const std::string prompt(3 * 64 + 10, 'x');
    std::map<std::string, std::string> cold;
    for (const std::string& name : kAll) {
        Engine engine(files.options());
        add(engine, files);
        cold[name] = say(engine, name, prompt).text;
    }
    Fixture f;
    for (const std::string& name : kAll) {
        CAPTURE(name);
        const Said first = say(f.engine, name, prompt);
        CHECK(first.usage.cached_tokens == 0);
        CHECK(first.text == cold[name]);
    }
    for (const std::string& name : kAll) {  // and each knows its own
        const Said again = say(f.engine, name, prompt);
        CHECK(again.usage.cached_tokens >= 3 * 64);
        CHECK(again.text == cold[name]);
    }
}

TEST_CASE("T34: nor from the disk after a restart, nor of a file that was replaced") {
    const Files files;
    EngineOptions options = files.options();
    options.cache_disk_bytes = 64u << 20;
    options.cache_folder = files.folder / "kv";
    const std::string prompt(3 * 64 + 10, 'y');
    std::string text, fingerprint;
    {
        Engine engine(options);
        add(engine, files);
        text = say(engine, "one", prompt).text;
        fingerprint = engine.require("one").fingerprint;
        CHECK(engine.require("two").fingerprint != fingerprint);
        CHECK(engine.require("base").fingerprint != fingerprint);
    }
    files.write_adapter("two", 11);  // now the very bytes of "one"
    files.write_adapter("one", 13);
    Engine engine(options);
    add(engine, files);
    const Said replaced = say(engine, "one", prompt);
    CHECK(replaced.usage.cached_tokens == 0);
    CHECK(replaced.text != text);
    CHECK(engine.require("one").fingerprint != fingerprint);
    const Said same = say(engine, "two", prompt);
    CHECK(same.usage.cached_tokens >= 3 * 64);
    CHECK(same.text == text);
    CHECK(engine.require("two").fingerprint == fingerprint);
}

TEST_CASE("base and adapters side by side, streams mixed: each text is the one it has alone") {
    Fixture f;
    std::map<std::string, std::string> alone;
    for (const std::string& name : kAll) alone[name] = say(f.engine, name).text;
    std::vector<std::pair<std::string, Stream>> streams;
    for (int user = 0; user < 4; ++user) {
        for (const std::string& name : kAll) {
            streams.emplace_back(name, f.engine.submit(request(f.engine, name, "hello")));
        }
    }
    for (auto& [name, stream] : streams) CHECK(read(std::move(stream)).text == alone[name]);
}

// All start in one step, and each is told by the compute thread when it ends: the order of that is
// the order of the work, whatever the machine does meanwhile.
TEST_CASE("W11: base and two adapters with 8 users each get on together") {
    constexpr int kUsers = 8, kStep = 10;  // so that all fit into an adapter's cells
    Files files;
    EngineOptions options = files.options();
    options.speculation = false;
    Fixture f(options);
    for (const std::string& name : kAll) f.engine.load(name);
    Gate gate(f.engine);
    std::vector<Stream> streams;
    std::vector<std::pair<int, std::string>> ended;  // user and lane
    for (int user = 0; user < kUsers; ++user) {
        for (const std::string& name : kAll) {
            streams.push_back(f.engine.submit(silent_request(f.engine, name, (user + 1) * kStep)));
            streams.back().when_ready([&ended, user, name] { ended.emplace_back(user, name); });
        }
    }
    gate.open();
    for (Stream& stream : streams) {
        while (stream.next()) {
        }
    }
    REQUIRE(ended.size() == kUsers * kAll.size());
    for (std::size_t i = 0; i < ended.size(); ++i) {
        CHECK(ended[i].first == static_cast<int>(i / kAll.size()));
    }
}

TEST_CASE("an adapter comes while the base answers, and goes while it answers itself") {
    const Files files;
    Engine engine(files.options());
    add(engine, files, {"base"});
    const std::string base = say(engine, "base").text;
    Stream running = engine.submit(request(engine, "base", "a long one", 400));
    CHECK(error_of([&] { engine.load("one"); }).code() == ErrorCode::kModelNotFound);
    add(engine, files, {"one"});
    Stream own = engine.submit(request(engine, "one", "a long one", 300));
    engine.remove_model("one");
    CHECK(error_of([&] { engine.load("one"); }).code() == ErrorCode::kModelNotFound);
    CHECK(read(std::move(own)).usage.completion_tokens == 300);
    CHECK(read(std::move(running)).usage.completion_tokens == 400);
    CHECK(say(engine, "base").text == base);
    add(engine, files, {"one"});
    CHECK(say(engine, "one").text != base);
}

TEST_CASE("grammars and guesses work with an adapter as with the base") {
    Fixture f;
    const std::regex shape(R"(\{"name": "[a-z]{1,12}"\})");
    for (const std::string& name : kAll) {
        GenerationRequest constrained = request(f.engine, name, "hello", 60);
        constrained.ignore_eos = false;
        constrained.constraint.grammar = R"(root ::= "{\"name\": \"" [a-z]{1,12} "\"}")";
        const std::string text = read(f.engine.submit(std::move(constrained))).text;
        CAPTURE(text);
        CHECK(std::regex_match(text, shape));
    }
    EngineOptions plain = f.options();
    plain.speculation = false;
    Engine without(plain);
    add(without, f);
    const std::string quoted = "again and again and again and again and";
    const std::int64_t drafted = f.engine.stats().drafted;
    CHECK(say(f.engine, "one", quoted).text == say(without, "one", quoted).text);
    CHECK(f.engine.stats().drafted >= drafted);
}

TEST_SUITE_END();
