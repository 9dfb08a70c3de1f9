#include "base/file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "base/ids.hpp"

namespace jikji {
namespace fs = std::filesystem;

void throw_errno(int error, std::string_view doing, const fs::path& path) {
    const std::string what = fmt::format("{} {}: {}", doing, path.string(), std::strerror(error));
    if (error == ENOSPC || error == EDQUOT) {
        throw Error(ErrorCode::kDiskFull, "the disk is full: free some space and try again", {},
                    "디스크가 가득 찼습니다. 공간을 비우고 다시 시도하세요.");
    }
    if (error == ENOENT || error == ENOTDIR) {
        throw Error(ErrorCode::kNotFound, what, {},
                    path.string() + ": 그런 파일이나 폴더가 없습니다.");
    }
    throw Error(ErrorCode::kInternal, what);
}

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Fd& Fd::operator=(Fd&& other) noexcept {
    if (this != &other) {
        if (fd_ >= 0) ::close(fd_);
        fd_ = other.release();
    }
    return *this;
}

int Fd::release() noexcept {
    const int fd = fd_;
    fd_ = -1;
    return fd;
}

namespace {

Fd open_or_throw(const fs::path& path, int flags, std::string_view doing) {
    Fd fd(::open(path.c_str(), flags | O_CLOEXEC, 0644));
    if (!fd) throw_errno(errno, doing, path);
    return fd;
}

void write_all(int fd, std::string_view bytes, std::int64_t offset, const fs::path& path) {
    while (!bytes.empty()) {
        const ssize_t n = offset < 0 ? ::write(fd, bytes.data(), bytes.size())
                                     : ::pwrite(fd, bytes.data(), bytes.size(), offset);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno(errno, "writing", path);
        bytes.remove_prefix(static_cast<std::size_t>(n));
        if (offset >= 0) offset += n;
    }
}

}  // namespace

std::string read_file(const fs::path& path, std::uint64_t bytes_max) {
    const Fd fd = open_or_throw(path, O_RDONLY, "opening");
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) throw_errno(errno, "reading", path);
    if (S_ISDIR(info.st_mode)) throw_errno(EISDIR, "reading", path);
    std::string out;
    std::string block(1 << 16, '\0');
    while (true) {
        const ssize_t n = ::read(fd.get(), block.data(), block.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) throw_errno(errno, "reading", path);
        if (n == 0) return out;
        out.append(block, 0, static_cast<std::size_t>(n));
        if (out.size() > bytes_max) {
            throw Error(
                ErrorCode::kTooLarge,
                fmt::format("{} has more than {} bytes", path.filename().string(), bytes_max), {},
                fmt::format("{} 파일이 한도 {}바이트를 넘습니다.", path.filename().string(),
                            bytes_max));
        }
    }
}

void sync_path(const fs::path& path) {
    for (const fs::path& p : {path, path.parent_path()}) {
        const Fd fd = open_or_throw(p.empty() ? fs::path(".") : p, O_RDONLY, "syncing");
        if (::fsync(fd.get()) != 0) throw_errno(errno, "syncing", p);
    }
}

void write_file_durably(const fs::path& path, std::string_view bytes) {
    PendingFile file(path);
    file.write(bytes);
    file.commit();
}

PendingFile::PendingFile(fs::path target)
    : target_(std::move(target)),
      temporary_(target_.string() + "." + hex(random_bytes(4)) + ".part"),
      fd_(open_or_throw(temporary_, O_WRONLY | O_CREAT | O_EXCL, "creating")) {}

PendingFile::~PendingFile() {
    if (!committed_) ::unlink(temporary_.c_str());
}

void PendingFile::write(std::string_view bytes) { write_all(fd_.get(), bytes, -1, target_); }

void PendingFile::write_at(std::uint64_t offset, std::string_view bytes) {
    write_all(fd_.get(), bytes, static_cast<std::int64_t>(offset), target_);
}

void PendingFile::commit() {
    if (::fsync(fd_.get()) != 0) throw_errno(errno, "syncing", target_);
    if (::rename(temporary_.c_str(), target_.c_str()) != 0) throw_errno(errno, "renaming", target_);
    committed_ = true;
    const fs::path folder = target_.parent_path().empty() ? fs::path(".") : target_.parent_path();
    const Fd fd = open_or_throw(folder, O_RDONLY | O_DIRECTORY, "syncing");
    if (::fsync(fd.get()) != 0) throw_errno(errno, "syncing", folder);
}

MappedFile::MappedFile(const fs::path& path) {
    const Fd fd = open_or_throw(path, O_RDONLY, "opening");
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) throw_errno(errno, "reading", path);
    if (!S_ISREG(info.st_mode)) throw_errno(EISDIR, "reading", path);
    const auto size = static_cast<std::size_t>(info.st_size);
    if (size == 0) return;
    void* at = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (at == MAP_FAILED) throw_errno(errno, "mapping", path);
    bytes_ = {static_cast<const char*>(at), size};
}

MappedFile::~MappedFile() {
    if (!bytes_.empty()) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::let_go() const {
    if (!bytes_.empty()) ::madvise(const_cast<char*>(bytes_.data()), bytes_.size(), MADV_DONTNEED);
}

std::optional<FolderLock> FolderLock::take(const fs::path& folder) {
    Fd fd = open_or_throw(folder / "lock", O_RDWR | O_CREAT, "locking");
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return std::nullopt;
    if (::ftruncate(fd.get(), 0) != 0) throw_errno(errno, "locking", folder);
    return FolderLock(std::move(fd));
}

std::string FolderLock::holder(const fs::path& folder) {
    const Fd fd(::open((folder / "lock").c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) return {};
    std::string text(512, '\0');
    const ssize_t n = ::pread(fd.get(), text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

void FolderLock::publish(std::string_view text) {
    if (::ftruncate(fd_.get(), 0) != 0) throw_errno(errno, "locking", "lock");
    write_all(fd_.get(), text, 0, "lock");
}

}  // namespace jikji
