#include "models/download.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <sstream>
#include <system_error>
#include <vector>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "models/package_index.hpp"
#include "models/program.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace {

// curl's exit codes that mean something to us (curl's manual page).
constexpr int kNoProgram = 127, kWriteError = 23, kHttpError = 22, kNoRange = 33;

std::vector<std::string> curl(const std::string& url) {
    std::vector<std::string> argv = {"curl",
                                     "--fail",
                                     "--location",
                                     "--silent",
                                     "--show-error",
                                     "--proto",
                                     "=https,http",
                                     "--proto-redir",
                                     "=https,http",
                                     "--connect-timeout",
                                     "30",
                                     "--retry",
                                     "3",
                                     "--speed-limit",
                                     "1000",
                                     "--speed-time",
                                     "60"};
    // A company's own certificate, if pip was told of one.
    if (const char* certificates = std::getenv("PIP_CERT")) {
        argv.insert(argv.end(), {"--cacert", certificates});
    }
    argv.insert(argv.end(), {"--url", url});
    return argv;
}

[[noreturn]] void fail(const ProgramResult& result, const std::string& what) {
    std::string why = result.errors.substr(0, result.errors.find('\n'));
    if (result.exit_code == kNoProgram) {
        throw Error(ErrorCode::kNotFound,
                    "curl is needed to fetch models and is not installed: apt-get install curl", {},
                    "모델을 받으려면 curl이 필요합니다: apt-get install curl");
    }
    if (result.exit_code == kHttpError) {
        throw Error(ErrorCode::kNotFound, fmt::format("{} could not be fetched: {}", what, why), {},
                    fmt::format("{}을(를) 받지 못했습니다: {}", what, why));
    }
    throw Error(ErrorCode::kInternal,
                fmt::format("{} could not be fetched: {}. What has come so far is kept; check the "
                            "network and run the same command again",
                            what, why),
                {},
                fmt::format("{}을(를) 받지 못했습니다: {}. 받은 만큼은 남아 있습니다. 네트워크를 "
                            "확인하고 같은 명령을 다시 실행하세요.",
                            what, why));
}

std::uint64_t size_or_zero(const fs::path& path) {
    std::error_code missing;
    const auto size = fs::file_size(path, missing);
    return missing ? 0 : size;
}

[[noreturn]] void reject(const fs::path& path, const Download& wanted, const std::string& why,
                         const std::string& why_korean) {
    fs::remove(path);
    throw Error(ErrorCode::kRejected,
                fmt::format("{} is not the file that the catalogue promises ({}); it was removed. "
                            "Try again; if that does not help, the source has changed",
                            wanted.file, why),
                "model",
                fmt::format("{} 파일이 목록의 것과 다릅니다({}). 지웠으니 다시 시도하세요. 그래도 "
                            "같으면 원본이 바뀐 것입니다.",
                            wanted.file, why_korean));
}

void check(const fs::path& path, const Download& wanted) {
    if (const auto bytes = size_or_zero(path); bytes != wanted.bytes) {
        reject(path, wanted, fmt::format("{} bytes, not {}", bytes, wanted.bytes),
               fmt::format("{}바이트가 아니라 {}바이트", wanted.bytes, bytes));
    }
    if (const std::string got = sha256_of_file(path); got != wanted.sha256) {
        reject(path, wanted, fmt::format("sha256 {}, not {}", got, wanted.sha256),
               fmt::format("sha256 {}", got));
    }
}

ProgramResult run_curl(const Download& wanted, const std::string& url, const fs::path& part,
                       const ProgressOptions& options) {
    std::vector<std::string> argv = curl(url);
    argv.insert(argv.end(), {"--continue-at", "-", "--output", part.string()});
    const std::string& label = wanted.package.empty() ? wanted.file : wanted.package;
    Progress progress(label, wanted.bytes, ProgressUnit::kBytes, options);
    progress.resume_from(size_or_zero(part));
    const ProgramResult result = run_program(argv, [&] {
        const std::uint64_t have = size_or_zero(part);
        progress.update(have);
        return have <= wanted.bytes;
    });
    if (result.exit_code == 0) {
        progress.update(size_or_zero(part));
        progress.finish();
    }
    return result;
}

void fetch_part(const Download& wanted, const fs::path& part, const ProgressOptions& options) {
    std::uint64_t have = size_or_zero(part);
    if (have == wanted.bytes) return;
    if (have > wanted.bytes) fs::remove(part);
    have = size_or_zero(part);
    require_space(part.parent_path(), wanted.bytes - have);
    const std::string url = wanted.package.empty() ? wanted.url : find_package_file(wanted);
    ProgramResult result = run_curl(wanted, url, part, options);
    if (result.exit_code == kNoRange) {  // the server cannot go on in the middle
        fs::remove(part);
        result = run_curl(wanted, url, part, options);
    }
    if (size_or_zero(part) > wanted.bytes) return;  // check() says it
    if (result.exit_code == kWriteError) {
        require_space(part.parent_path(), wanted.bytes - size_or_zero(part));
    }
    if (result.exit_code != 0) fail(result, wanted.file);
}

std::optional<fs::path> find_locally(const Download& wanted) {
    std::vector<fs::path> folders;
    if (const char* own = std::getenv("JIKJI_WHEEL_DIR")) folders.emplace_back(own);
    if (const char* links = std::getenv("PIP_FIND_LINKS")) {
        std::istringstream words(links);
        for (std::string word; words >> word;) folders.emplace_back(word);
    }
    for (const fs::path& folder : folders) {
        std::error_code unreadable;
        const fs::path file = folder / wanted.file;
        if (fs::is_regular_file(file, unreadable)) return file;
    }
    return std::nullopt;
}

}  // namespace

fs::path fetch(const Download& wanted, const fs::path& folder, const ProgressOptions& progress) {
    if (const auto local = find_locally(wanted)) {
        if (size_or_zero(*local) == wanted.bytes && sha256_of_file(*local) == wanted.sha256) {
            return *local;
        }
        throw Error(ErrorCode::kRejected,
                    fmt::format("{} is not the file that the catalogue promises: its sha256 is not "
                                "{}; remove it, and it will be fetched",
                                local->string(), wanted.sha256),
                    "model",
                    fmt::format("{} 파일의 sha256이 {}이 아닙니다. 지우면 새로 받습니다.",
                                local->string(), wanted.sha256));
    }
    const fs::path done = folder / wanted.sha256;
    if (fs::is_regular_file(done)) {
        check(done, wanted);
        return done;
    }
    const fs::path part = folder / (wanted.sha256 + ".part");
    fetch_part(wanted, part, progress);
    check(part, wanted);
    sync_path(part);
    fs::rename(part, done);
    sync_path(done);
    return done;
}

std::string fetch_text(const std::string& url) {
    const ProgramResult result = run_program(curl(url));
    if (result.exit_code != 0) fail(result, url);
    return result.output;
}

std::string sha256_of_file(const fs::path& path) {
    const MappedFile file(path);
    constexpr std::size_t kStep = 16u << 20;
    Sha256 digest;
    for (std::size_t at = 0; at < file.bytes().size(); at += kStep) {
        digest.update(file.bytes().substr(at, kStep));
    }
    return digest.finish_hex();
}

void require_space(const fs::path& folder, std::uint64_t bytes) {
    constexpr std::uint64_t kSpare = 16u << 20;
    std::error_code unknown;
    const auto space = fs::space(folder, unknown);
    if (unknown || space.available >= bytes + kSpare) return;
    const std::string needed = bytes_for_people(bytes + kSpare);
    const std::string there = bytes_for_people(space.available);
    throw Error(
        ErrorCode::kDiskFull,
        fmt::format("{} are needed in {}, and {} are free: free some space, or choose "
                    "another folder with --data",
                    needed, folder.string(), there),
        {},
        fmt::format("{}에 {}가 필요한데 {}만 남았습니다. 공간을 비우거나 --data로 다른 폴더를 "
                    "고르세요.",
                    folder.string(), needed, there));
}

}  // namespace jikji::models
