#include "service/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <string_view>
#include <utility>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "storage/chunks_table.hpp"
#include "storage/collection_files_table.hpp"
#include "storage/database.hpp"
#include "storage/files_table.hpp"
#include "text/normalise.hpp"

namespace jikji::service {
namespace fs = std::filesystem;
using storage::Connection;

namespace {

constexpr std::array kPurposes = {"assistants", "batch",     "fine-tune",
                                  "vision",     "user_data", "evals"};
constexpr std::string_view kUploadPrefix = "upload-";
constexpr std::string_view kUploadSuffix = ".part";
constexpr int kPageMax = 10'000;

FileObject object_of(const storage::FileRow& row) {
    return {row.id, row.filename, row.purpose, row.bytes, row.created_at, row.sha256};
}

bool is_upload(const std::string& name) {
    return name.starts_with(kUploadPrefix) && name.ends_with(kUploadSuffix);
}

bool is_digest(const std::string& name) {
    return name.size() == 64 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

[[noreturn]] void refuse_name(const std::string& english, const std::string& korean) {
    throw Error(ErrorCode::kInvalidArgument, "filename " + english, "filename",
                "filename: " + korean);
}

// Marks that turn the direction of writing can make "fdp.exe" look like "exe.pdf".
bool is_hostile(char32_t c) {
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x202a && c <= 0x202e) ||
           (c >= 0x2066 && c <= 0x2069) || c == 0x2028 || c == 0x2029;
}

void check_name(const std::string& name) {
    if (name.empty()) refuse_name("is empty; give the file a name", "비어 있습니다.");
    if (name.size() > limits::kFileNameBytes) {
        refuse_name(
            fmt::format("has {} bytes; the limit is {}", name.size(), limits::kFileNameBytes),
            fmt::format("{}바이트입니다. 한도는 {}바이트입니다.", name.size(),
                        limits::kFileNameBytes));
    }
    if (!text::valid_utf8(name)) refuse_name("is not valid UTF-8", "올바른 UTF-8이 아닙니다.");
    if (name.find_first_of("/\\") != std::string::npos || name == "." || name == "..") {
        refuse_name(fmt::format("is '{}'; give a name without folders", printable(name)),
                    fmt::format("'{}'에 폴더 경로가 있습니다. 이름만 주세요.", printable(name)));
    }
    for (std::size_t at = 0; at < name.size();) {
        const text::CodePoint c = text::code_point_at(name, at);
        if (is_hostile(c.value)) {
            refuse_name(
                fmt::format("holds the control character U+{:04X}; leave it out",
                            static_cast<unsigned>(c.value)),
                fmt::format("제어 문자 U+{:04X}이(가) 있습니다.", static_cast<unsigned>(c.value)));
        }
        at += c.bytes;
    }
}

void check_purpose(const std::string& purpose) {
    if (std::find(kPurposes.begin(), kPurposes.end(), purpose) != kPurposes.end()) return;
    const std::string known = fmt::format("{}", fmt::join(kPurposes, ", "));
    const std::string shown = printable(purpose);
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("purpose is '{}'; give one of {}", shown, known), "purpose",
                fmt::format("purpose가 '{}'입니다. 다음 중 하나를 주세요: {}", shown, known));
}

Error not_found(const std::string& id) {
    const std::string shown = printable(id);
    return {ErrorCode::kNotFound, fmt::format("there is no file '{}'", shown), "file_id",
            fmt::format("'{}' 파일이 없습니다.", shown)};
}

struct Digest {
    std::string sha256;
    std::int64_t bytes = 0;
};

Digest digest_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw_errno(errno, "reading", path);
    Sha256 sha;
    Digest out;
    std::string block(1 << 18, '\0');
    while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
        sha.update({block.data(), static_cast<std::size_t>(in.gcount())});
        out.bytes += in.gcount();
    }
    if (in.bad()) throw_errno(EIO, "reading", path);
    out.sha256 = sha.finish_hex();
    return out;
}

// What was uploaded and not taken over is of no use to anybody.
class RemoveUnlessTaken {
public:
    explicit RemoveUnlessTaken(fs::path path) : path_(std::move(path)) {}
    ~RemoveUnlessTaken() {
        std::error_code ignored;
        if (!path_.empty()) fs::remove(path_, ignored);
    }
    RemoveUnlessTaken(const RemoveUnlessTaken&) = delete;
    RemoveUnlessTaken& operator=(const RemoveUnlessTaken&) = delete;

private:
    fs::path path_;
};

}  // namespace

Files::Files(storage::Database& database, fs::path folder)
    : database_(database), folder_(std::move(folder)) {
    std::error_code failed;
    fs::create_directories(folder_, failed);
    if (failed) throw_errno(failed.value(), "creating", folder_);
    sweep();
}

// A crash between the bytes and the row (or the other way round, when removing) leaves bytes only.
void Files::sweep() {
    std::vector<fs::path> unwanted;
    database_.read([&](Connection& connection) {
        const storage::FilesTable files(connection);
        for (const auto& entry : fs::directory_iterator(folder_)) {
            const std::string name = entry.path().filename().string();
            const bool orphan = is_digest(name) && files.count_with(name) == 0;
            if (is_upload(name) || orphan) unwanted.push_back(entry.path());
        }
    });
    for (const fs::path& path : unwanted) {
        std::error_code ignored;
        fs::remove(path, ignored);
    }
}

fs::path Files::new_upload_path() const {
    return folder_ / fmt::format("{}{}{}", kUploadPrefix, hex(random_bytes(12)), kUploadSuffix);
}

FileObject Files::add(const fs::path& path, const std::string& filename,
                      const std::string& purpose) {
    const RemoveUnlessTaken guard(path);
    check_name(filename);
    check_purpose(purpose);
    return keep(path, filename, purpose);
}

FileObject Files::add_output(const fs::path& path, const std::string& filename,
                             const std::string& purpose) {
    const RemoveUnlessTaken guard(path);
    return keep(path, filename, purpose);
}

FileObject Files::keep(const fs::path& path, const std::string& filename,
                       const std::string& purpose) {
    const Digest digest = digest_of(path);
    const FileObject file{.id = make_id("file-"),
                          .filename = filename,
                          .purpose = purpose,
                          .bytes = digest.bytes,
                          .created_at = std::time(nullptr),
                          .sha256 = digest.sha256};
    take_over(path, file);
    return file;
}

// Bytes first: a row promises that they are there and synced.
void Files::take_over(const fs::path& path, const FileObject& file) {
    const fs::path target = folder_ / file.sha256;
    sync_path(path);
    const std::lock_guard lock(mutex_);
    std::error_code failed;
    fs::rename(path, target, failed);
    if (failed) throw_errno(failed.value(), "renaming", path);
    try {
        sync_path(target);
        database_.write([&](Connection& connection) {
            storage::FilesTable(connection)
                .insert({file.id, file.filename, file.purpose, file.bytes, file.created_at,
                         file.sha256});
        });
    } catch (...) {
        remove_unless_named(file.sha256);
        throw;
    }
}

void Files::remove_unless_named(const std::string& sha256) {
    std::int64_t rows = 0;
    database_.read(
        [&](Connection& connection) { rows = storage::FilesTable(connection).count_with(sha256); });
    std::error_code ignored;  // the next start removes it
    if (rows == 0) fs::remove(folder_ / sha256, ignored);
}

FileObject Files::get(const std::string& id) const {
    std::optional<storage::FileRow> row;
    database_.read([&](Connection& connection) { row = storage::FilesTable(connection).get(id); });
    if (!row) throw not_found(id);
    return object_of(*row);
}

std::optional<FileObject> Files::find_same(const fs::path& path,
                                           const std::string& filename) const {
    const Digest digest = digest_of(path);
    std::optional<storage::FileRow> row;
    database_.read([&](Connection& connection) {
        row = storage::FilesTable(connection).find(digest.sha256, filename);
    });
    if (!row) return std::nullopt;
    return object_of(*row);
}

Listed<FileObject> Files::list(const Page& page, const std::string& purpose) const {
    if (page.limit < 1 || page.limit > kPageMax) {
        throw Error(
            ErrorCode::kInvalidArgument,
            fmt::format("limit is {}; give a number from 1 to {}", page.limit, kPageMax), "limit",
            fmt::format("limit가 {}입니다. 1에서 {} 사이의 수를 주세요.", page.limit, kPageMax));
    }
    Listed<FileObject> out;
    database_.read([&](Connection& connection) {
        const auto rows =
            storage::FilesTable(connection).list({page.after, page.limit, page.ascending}, purpose);
        for (const storage::FileRow& row : rows.rows) out.items.push_back(object_of(row));
        out.has_more = rows.has_more;
    });
    return out;
}

void Files::remove(const std::string& id) {
    const std::lock_guard lock(mutex_);
    std::vector<Removal> gone;
    std::string sha256;
    database_.write([&](Connection& connection) {
        storage::FilesTable files(connection);
        const auto row = files.get(id);
        if (!row) throw not_found(id);
        const storage::ChunksTable chunks(connection);
        for (const auto& collection :
             storage::CollectionFilesTable(connection).collections_of(id)) {
            gone.push_back({collection, id, chunks.ids_of(collection, id)});
        }
        files.remove(id);
        sha256 = row->sha256;
    });
    remove_unless_named(sha256);
    const std::lock_guard listener_lock(listener_mutex_);
    if (!hear_removed_) return;
    for (const Removal& removal : gone) hear_removed_(removal);
}

fs::path Files::path_of(const std::string& id) const { return folder_ / get(id).sha256; }

void Files::when_removed(std::function<void(const Removal&)> hear) {
    const std::lock_guard lock(listener_mutex_);
    hear_removed_ = std::move(hear);
}

}  // namespace jikji::service
