#include "models/file_identity.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "base/file.hpp"
#include "support/temp_folder.hpp"

namespace jikji::models {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBytes = 8 << 20;
constexpr std::size_t kSeen = kBytes / 2;                // a place that is looked at
constexpr std::size_t kUnseen = kBytes / 2 + (1 << 15);  // between two of them

std::string model_bytes() {
    std::string out(kBytes, '\0');
    for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(i * 2654435761u >> 13);
    return out;
}

struct File {
    tests::TempFolder folder;
    fs::path path = folder / "model.gguf";
    fs::file_time_type written;

    File() {
        std::ofstream(path, std::ios::binary) << model_bytes();
        written = fs::last_write_time(path);
    }
    void change_in_place(std::size_t at) const {
        std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
        file.seekp(static_cast<std::streamoff>(at));
        file.put('!');
    }
    void replace(std::size_t at) const {
        std::string bytes = model_bytes();
        bytes[at] = '!';
        std::ofstream(folder / "new", std::ios::binary) << bytes;
        fs::rename(folder / "new", path);
    }
};

}  // namespace

TEST_SUITE_BEGIN("file_identity");

TEST_CASE("a file is itself, under any of its names") {
    const File f;
    const std::string identity = file_identity(f.path);
    CHECK(identity.size() == 64);
    CHECK(file_identity(f.path) == identity);
    fs::create_symlink(f.path, f.folder / "link.gguf");
    CHECK(file_identity(f.folder / "link.gguf") == identity);
}

// Goal: what `models merge-adapter` does to a file of the same name is never taken for the old one.
TEST_CASE("a file that differs only in its middle is another one") {
    const File f;
    const std::string identity = file_identity(f.path);
    SUBCASE("replaced, its time set back") {
        f.replace(kUnseen);
        fs::last_write_time(f.path, f.written);
    }
    SUBCASE("written in place") {
        fs::last_write_time(f.path, f.written - std::chrono::hours(1));
        const std::string before = file_identity(f.path);
        f.change_in_place(kUnseen);
        CHECK(file_identity(f.path) != before);
    }
    SUBCASE("written in place, its time set back") {
        f.change_in_place(kSeen);
        fs::last_write_time(f.path, f.written);
    }
    CHECK(file_identity(f.path) != identity);
}

TEST_CASE("short and empty files have one, too") {
    const tests::TempFolder folder;
    for (const char* text : {"", "x", "GGUF"}) {
        write_file_durably(folder / "short", text);
        CHECK(file_identity(folder / "short").size() == 64);
    }
}

TEST_SUITE_END();

}  // namespace jikji::models
