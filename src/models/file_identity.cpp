#include "models/file_identity.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <string_view>

#include "base/file.hpp"
#include "base/ids.hpp"

namespace jikji::models {
namespace {

constexpr std::size_t kHead = 1 << 20, kTail = 1 << 16;
constexpr std::size_t kPlaces = 128, kPlace = 1 << 12;

struct stat status_of(const std::filesystem::path& file) {
    struct stat out {};
    if (::stat(file.c_str(), &out) != 0) throw_errno(errno, "reading", file);
    return out;
}

}  // namespace

std::string file_identity(const std::filesystem::path& file) {
    const struct stat status = status_of(file);
    const MappedFile mapped(file);
    const std::string_view bytes = mapped.bytes();
    Sha256 digest;
    digest.update(fmt::format("{} {} {} {}\n", bytes.size(), status.st_mtim.tv_sec,
                              status.st_mtim.tv_nsec, status.st_ino));
    digest.update(bytes.substr(0, kHead));
    for (std::size_t i = 1; i < kPlaces; ++i) {
        digest.update(bytes.substr(bytes.size() / kPlaces * i, kPlace));
    }
    digest.update(bytes.substr(bytes.size() - std::min(bytes.size(), kTail)));
    return digest.finish_hex();
}

}  // namespace jikji::models
