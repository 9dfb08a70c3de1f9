#include "models/archive.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string_view>

#include "base/error.hpp"
#include "base/file.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr int kMembersMax = 100'000;

[[noreturn]] void fail(const fs::path& archive, const std::string& english,
                       const std::string& korean) {
    throw Error(ErrorCode::kRejected,
                fmt::format("the archive {} cannot be used: {}; get it again",
                            archive.filename().string(), english),
                "file",
                fmt::format("압축 파일 {}을(를) 쓸 수 없습니다: {}. 다시 받으세요.",
                            archive.filename().string(), korean));
}

struct Close {
    void operator()(::archive* a) const noexcept { archive_read_free(a); }
};

class Output {
public:
    explicit Output(const fs::path& path)
        : path_(path),
          fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0644)) {
        if (!fd_) throw_errno(errno, "writing", path);
    }
    void write(std::string_view bytes) {
        while (!bytes.empty()) {
            const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
            if (n < 0 && errno == EINTR) continue;
            if (n < 0) throw_errno(errno, "writing", path_);
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
    }

private:
    fs::path path_;
    Fd fd_;
};

class Zip {
public:
    explicit Zip(const fs::path& path) : path_(path), handle_(archive_read_new()) {
        archive_read_support_format_zip(handle_.get());
        if (archive_read_open_filename(handle_.get(), path.c_str(), kBlockBytes) != ARCHIVE_OK) {
            damaged();
        }
    }

    // False at the end. Only plain files are shown.
    bool next(std::string& name) {
        archive_entry* entry = nullptr;
        while (true) {
            const int rc = archive_read_next_header(handle_.get(), &entry);
            if (rc == ARCHIVE_EOF) return false;
            if (rc != ARCHIVE_OK || ++seen_ > kMembersMax) damaged();
            const char* path = archive_entry_pathname(entry);
            if (path == nullptr || archive_entry_filetype(entry) != AE_IFREG) continue;
            name = path;
            return true;
        }
    }

    void copy(Output& out, std::uint64_t& room) {
        std::string block(kBlockBytes, '\0');
        while (true) {
            const la_ssize_t n = archive_read_data(handle_.get(), block.data(), block.size());
            if (n == 0) return;
            if (n < 0) damaged();
            const auto size = static_cast<std::uint64_t>(n);
            if (size > room) fail(path_, "it unpacks to too much", "풀면 너무 커집니다");
            room -= size;
            out.write(std::string_view(block).substr(0, size));
        }
    }

private:
    [[noreturn]] void damaged() {
        const char* why = archive_error_string(handle_.get());
        fail(path_, why != nullptr ? why : "it is damaged", "손상되었습니다");
    }

    fs::path path_;
    std::unique_ptr<::archive, Close> handle_;
    int seen_ = 0;
};

bool stays_inside(const fs::path& name) {
    if (name.empty() || name.is_absolute()) return false;
    for (const fs::path& part : name) {
        if (part == "..") return false;
    }
    return true;
}

}  // namespace

void extract_member(const fs::path& archive, const std::string& member, const fs::path& target,
                    std::uint64_t bytes_max) {
    Zip zip(archive);
    for (std::string name; zip.next(name);) {
        if (name != member) continue;
        Output out(target);
        return zip.copy(out, bytes_max);
    }
    fail(archive, "it has no " + member, member + " 파일이 없습니다");
}

void extract_all(const fs::path& archive, const fs::path& folder, std::uint64_t bytes_max) {
    Zip zip(archive);
    for (std::string name; zip.next(name);) {
        if (!stays_inside(name)) fail(archive, "it holds " + name, name + " 경로가 들어 있습니다");
        const fs::path target = folder / name;
        fs::create_directories(target.parent_path());
        Output out(target);
        zip.copy(out, bytes_max);
    }
}

}  // namespace jikji::models
