#pragma once
// Files: whole reads, durable writes, and the lock on a data folder. Threads: any.
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace jikji {

/// The whole file. Throws Error(kNotFound) or Error(kTooLarge) if it has more than `bytes_max`.
std::string read_file(const std::filesystem::path& path, std::uint64_t bytes_max);

/// Replaces the file or leaves it as it was: temporary name, fsync, rename, fsync of the folder.
/// Throws Error(kDiskFull) or Error(kInternal).
void write_file_durably(const std::filesystem::path& path, std::string_view bytes);

/// Makes what was written to `path` survive a power loss: file (or folder) and its folder.
void sync_path(const std::filesystem::path& path);

/// Throws what errno means: kDiskFull for ENOSPC and EDQUOT, kNotFound for ENOENT, else kInternal.
[[noreturn]] void throw_errno(int error, std::string_view doing, const std::filesystem::path& path);

/// Owns a file descriptor.
class Fd {
public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd();
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&& other) noexcept;
    int get() const noexcept { return fd_; }
    int release() noexcept;
    explicit operator bool() const noexcept { return fd_ >= 0; }

private:
    int fd_ = -1;
};

/// A file that is written in pieces and becomes visible only when it is complete and synced.
/// Destroyed before commit(): nothing stays behind.
class PendingFile {
public:
    explicit PendingFile(std::filesystem::path target);  // throws as write_file_durably
    ~PendingFile();
    PendingFile(PendingFile&&) = delete;
    void write(std::string_view bytes);
    void write_at(std::uint64_t offset, std::string_view bytes);
    void commit();
    const std::filesystem::path& temporary() const { return temporary_; }

private:
    std::filesystem::path target_;
    std::filesystem::path temporary_;
    Fd fd_;
    bool committed_ = false;
};

/// The whole file, mapped read-only. Views stay valid as long as the object.
class MappedFile {
public:
    explicit MappedFile(const std::filesystem::path& path);  // throws as read_file
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    std::string_view bytes() const { return bytes_; }
    /// Gives the memory back that holds it; what is looked at afterwards is read again.
    void let_go() const;

private:
    std::string_view bytes_;
};

/// One process per data folder. The lock file says who holds it and where it listens.
class FolderLock {
public:
    /// Takes the lock, or nothing if another living process has it.
    static std::optional<FolderLock> take(const std::filesystem::path& folder);
    /// What the holder wrote last with publish(); empty if nobody holds the lock.
    static std::string holder(const std::filesystem::path& folder);

    void publish(std::string_view text);

private:
    explicit FolderLock(Fd fd) : fd_(std::move(fd)) {}
    Fd fd_;
};

}  // namespace jikji
