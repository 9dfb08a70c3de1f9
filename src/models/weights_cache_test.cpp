#include "models/weights_cache.hpp"

#include <doctest/doctest.h>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "support/temp_folder.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

/// A published file, and a copy of it that was chosen.
struct Folder {
    tests::TempFolder folder;
    fs::path published = folder / "model.gguf";
    WeightsCache cache{folder / "cache"};
    WeightsChoice choice;
    fs::path copy;

    Folder() {
        write_file_durably(published, "the weights as published");
        fs::create_directories(cache.folder());
        copy = cache.copy_of(published, "q8_0");
        write_file_durably(copy, "the copy");
        choice.layout = "q8_0";
        choice.reason = "it is faster";
        choice.copy_bytes = 8;
        choice.copy_sha256 = sha256_hex("the copy");
        choice.measured = {{"as-published", 24, 100.5, 200, 12.25}, {"q8_0", 8, 150, 300, 12.5}};
        cache.save(published, choice);
    }
};

}  // namespace

TEST_SUITE_BEGIN("weights_cache");

TEST_CASE("what was measured is remembered, and the copy is used") {
    const Folder f;
    const auto found = f.cache.find(f.published);
    REQUIRE(found);
    CHECK(found->layout == "q8_0");
    CHECK(found->reason == "it is faster");
    REQUIRE(found->measured.size() == 2);
    CHECK(found->measured[0].decode == 100.5);
    CHECK(found->measured[1].perplexity == 12.5);
    CHECK(f.cache.file_for(f.published) == f.copy);
}

TEST_CASE("a file of the same name with other bytes was never measured") {
    const Folder f;
    write_file_durably(f.published, "the weights, published again");
    CHECK_FALSE(f.cache.find(f.published));
    CHECK(f.cache.file_for(f.published) == f.published);
}

TEST_CASE("what was kept of a file leaves the disk once its successor was measured") {
    Folder f;
    write_file_durably(f.published, "the weights, published again");
    f.choice.layout = kAsPublished;
    f.cache.save(f.published, f.choice);
    CHECK_FALSE(fs::exists(f.copy));
    CHECK(f.cache.find(f.published)->layout == kAsPublished);
    const auto left = fs::directory_iterator(f.cache.folder());
    CHECK(std::distance(fs::begin(left), fs::end(left)) == 1);
}

TEST_CASE("a damaged copy is not used, and is made again") {
    for (const std::string& damage :
         {std::string("the c0py"), std::string("the cop"), std::string()}) {
        CAPTURE(damage);
        const Folder f;
        write_file_durably(f.copy, damage);
        CHECK(f.cache.file_for(f.published) == f.published);
        CHECK_FALSE(fs::exists(f.copy));
        CHECK_FALSE(f.cache.find(f.published));  // so that it is measured anew
    }
}

TEST_CASE("a copy that is gone leaves the published file") {
    const Folder f;
    fs::remove(f.copy);
    CHECK(f.cache.file_for(f.published) == f.published);
}

TEST_CASE("a decision that cannot be read is none") {
    for (const char* text : {"", "{", "[]", R"({"layout":"../../model"})", R"({"layout":7})"}) {
        CAPTURE(std::string(text));
        const Folder f;
        for (const auto& entry : fs::directory_iterator(f.cache.folder())) {
            if (entry.path().extension() == ".json") write_file_durably(entry.path(), text);
        }
        CHECK_FALSE(f.cache.find(f.published));
        CHECK(f.cache.file_for(f.published) == f.published);
    }
}

TEST_CASE("forgetting takes the copy along") {
    const Folder f;
    f.cache.forget(f.published);
    CHECK(fs::is_empty(f.cache.folder()));
    CHECK(fs::exists(f.published));
}

TEST_SUITE_END();

}  // namespace jikji::models
