// Goal: what was uploaded is there after a restart, equal bytes are kept once, and no name, purpose
// or crash leaves anything behind.
#include "service/files.hpp"

#include <doctest/doctest.h>
#include <sys/mount.h>

#include <algorithm>

#include "base/error.hpp"
#include "base/file.hpp"
#include "storage/database.hpp"
#include "support/temp_folder.hpp"

namespace jikji::service {
namespace {

namespace fs = std::filesystem;

struct Shelf {
    explicit Shelf(const fs::path& folder)
        : database(folder / "jikji.db"), files(database, folder / "files") {}

    FileObject add(const std::string& bytes, const std::string& name = "a.txt",
                   const std::string& purpose = "assistants") {
        const fs::path path = files.new_upload_path();
        write_file_durably(path, bytes);
        return files.add(path, name, purpose);
    }

    storage::Database database;
    Files files;
};

std::size_t entries(const fs::path& folder) {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
}

Error error_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error;
    }
    FAIL("nothing was thrown");
    return {ErrorCode::kInternal, ""};
}

std::vector<std::string> names(const Listed<FileObject>& listed) {
    std::vector<std::string> out;
    for (const FileObject& file : listed.items) out.push_back(file.filename);
    return out;
}

}  // namespace

TEST_SUITE_BEGIN("files");

TEST_CASE("a file is there after a restart") {
    const tests::TempFolder folder;
    FileObject added;
    {
        Shelf shelf(folder.path());
        added = shelf.add("안녕", "인사.txt", "user_data");
    }
    const Shelf shelf(folder.path());
    const FileObject file = shelf.files.get(added.id);
    CHECK(file.filename == "인사.txt");
    CHECK(file.purpose == "user_data");
    CHECK(file.bytes == 6);
    CHECK(file.created_at == added.created_at);
    CHECK(read_file(shelf.files.path_of(file.id), 100) == "안녕");
    CHECK(file.id.starts_with("file-"));
}

TEST_CASE("equal bytes are kept once and go with the last file") {
    const tests::TempFolder folder;
    Shelf shelf(folder.path());
    const FileObject a = shelf.add("same", "a.txt"), b = shelf.add("same", "b.txt");
    CHECK(a.sha256 == b.sha256);
    CHECK(a.id != b.id);
    CHECK(entries(folder / "files") == 1);
    write_file_durably(folder / "mine", "same");
    const auto found = shelf.files.find_same(folder / "mine", "a.txt");
    REQUIRE(found);
    CHECK(found->id == a.id);
    CHECK_FALSE(shelf.files.find_same(folder / "mine", "c.txt"));
    shelf.files.remove(a.id);
    CHECK(read_file(shelf.files.path_of(b.id), 100) == "same");
    shelf.files.remove(b.id);
    CHECK(entries(folder / "files") == 0);
    CHECK(error_of([&] { shelf.files.get(b.id); }).code() == ErrorCode::kNotFound);
    CHECK(error_of([&] { shelf.files.remove(b.id); }).code() == ErrorCode::kNotFound);
    CHECK(error_of([&] { shelf.files.path_of("../../etc"); }).code() == ErrorCode::kNotFound);
}

TEST_CASE("hostile names and unknown purposes are refused, and their bytes do not stay") {
    struct Case {
        std::string name;
        std::string purpose;
        std::string field;
    };
    const std::string ok = "assistants";
    const Case cases[] = {
        {"", ok, "filename"},
        {std::string("a\0.txt", 6), ok, "filename"},
        {"../a.txt", ok, "filename"},
        {"a\\b.txt", ok, "filename"},
        {"..", ok, "filename"},
        {"a\n.txt", ok, "filename"},
        {"a\x7f", ok, "filename"},
        {"a\xc2\x9b.txt", ok, "filename"},          // C1 control
        {"gp\xe2\x80\xaegpj.exe", ok, "filename"},  // right-to-left override
        {"\xff.txt", ok, "filename"},
        {std::string(256, 'x'), ok, "filename"},
        {"a.txt", "", "purpose"},
        {"a.txt", "fine_tune", "purpose"},
    };
    const tests::TempFolder folder;
    Shelf shelf(folder.path());
    for (const Case& c : cases) {
        CAPTURE(c.name);
        const Error error = error_of([&] { shelf.add("bytes", c.name, c.purpose); });
        CHECK(error.code() == ErrorCode::kInvalidArgument);
        CHECK(error.field() == c.field);
        CHECK(error.korean() != error.what());
    }
    CHECK(entries(folder / "files") == 0);
    for (const char* purpose :
         {"assistants", "batch", "fine-tune", "vision", "user_data", "evals"}) {
        CHECK(shelf.add("bytes", std::string(255, 'x'), purpose).purpose == purpose);
    }
}

TEST_CASE("a start removes uploads that were cut off and bytes without a row, and nothing else") {
    const tests::TempFolder folder;
    std::string kept;
    {
        Shelf shelf(folder.path());
        kept = shelf.add("kept").id;
        write_file_durably(shelf.files.new_upload_path(), "half");
        write_file_durably(folder / "files" / std::string(64, 'a'), "no row");
        write_file_durably(folder / "files" / "note.txt", "somebody's own");
    }
    const Shelf shelf(folder.path());
    CHECK(entries(folder / "files") == 2);
    CHECK(fs::exists(folder / "files" / "note.txt"));
    CHECK(read_file(shelf.files.path_of(kept), 100) == "kept");
}

TEST_CASE("lists come in pages, newest first") {
    const tests::TempFolder folder;
    Shelf shelf(folder.path());
    std::vector<std::string> ids;
    for (const char* name : {"1", "2", "3", "4"}) ids.push_back(shelf.add(name, name).id);
    shelf.add("5", "5", "batch");
    using Names = std::vector<std::string>;
    const auto first = shelf.files.list({.after = {}, .limit = 3, .ascending = false});
    CHECK(names(first) == Names{"5", "4", "3"});
    CHECK(first.has_more);
    const auto rest =
        shelf.files.list({.after = first.items.back().id, .limit = 3, .ascending = false});
    CHECK(names(rest) == Names{"2", "1"});
    CHECK_FALSE(rest.has_more);
    CHECK(names(shelf.files.list({.after = ids[0], .limit = 2, .ascending = true})) ==
          Names{"2", "3"});
    CHECK(names(shelf.files.list({}, "batch")) == Names{"5"});
    const auto field = [&](const Page& page) {
        return error_of([&] { shelf.files.list(page); }).field();
    };
    CHECK(field({.after = "file-none", .limit = 2, .ascending = false}) == "after");
    CHECK(field({.after = {}, .limit = 0, .ascending = false}) == "limit");
    CHECK(field({.after = {}, .limit = 10'001, .ascending = false}) == "limit");
}

TEST_CASE("a full disk is said so, and leaves what was there") {
    const tests::TempFolder folder;
    if (::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
        MESSAGE("SKIPPED, may not mount a tmpfs: full disk");
        return;
    }
    {
        Shelf shelf(folder.path());
        const FileObject kept = shelf.add("kept");
        const auto fill = [&] {
            for (int i = 0; i < 1000; ++i) shelf.add(std::to_string(i) + std::string(50'000, 'x'));
        };
        CHECK(error_of(fill).code() == ErrorCode::kDiskFull);
        CHECK(read_file(shelf.files.path_of(kept.id), 100) == "kept");
        const auto listed = shelf.files.list({.after = {}, .limit = 1000, .ascending = true});
        for (const FileObject& file : listed.items) {
            CHECK(fs::file_size(shelf.files.path_of(file.id)) ==
                  static_cast<std::uintmax_t>(file.bytes));
        }
        CHECK(entries(folder / "files") == listed.items.size());
    }
    ::umount(folder.path().c_str());
}

TEST_SUITE_END();

}  // namespace jikji::service
