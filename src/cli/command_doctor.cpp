// jikji doctor: what this machine has, and what is missing.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <set>
#include <thread>

#include "app/app.hpp"
#include "base/child.hpp"
#include "base/file.hpp"
#include "base/progress.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/say.hpp"
#include "models/store.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kDiskWantedBytes = 2'000'000'000;
constexpr std::uint64_t kMemoryWantedBytes = 1'000'000'000;

/// The value of the first line that begins with `key` in a file of "key : value" lines.
std::string value_in(const char* file, std::string_view key) {
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with(key)) continue;
        const auto colon = line.find(':');
        if (colon == std::string::npos) continue;
        const auto begin = line.find_first_not_of(" \t", colon + 1);
        return begin == std::string::npos ? std::string() : line.substr(begin);
    }
    return {};
}

std::uint64_t memory_bytes(std::string_view key) {
    const std::string kilobytes = value_in("/proc/meminfo", key);
    return kilobytes.empty() ? 0 : std::stoull(kilobytes) * 1024;
}

/// Distinct (socket, core) pairs; 0 where the kernel does not say.
std::size_t physical_cores() {
    std::ifstream lines("/proc/cpuinfo");
    std::set<std::string> cores;
    std::string socket;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("physical id")) socket = line;
        if (line.starts_with("core id")) cores.insert(socket + line);
    }
    return cores.size();
}

bool port_is_free(int port) {
    const Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

class Report {
public:
    explicit Report(Language language) : language_(language) {}

    void line(bool good, std::string_view english, std::string_view korean,
              const std::string& found, std::string_view advice = {}) {
        print(fmt::format("{} {} {}\n",
                          good ? say(language_, "ok  ", "정상") : say(language_, "LOOK", "확인"),
                          fit_columns(say(language_, english, korean), kLabelColumns), found));
        if (!good && !advice.empty()) print(fmt::format("       {}\n", advice));
        all_good_ = all_good_ && good;
    }
    bool all_good() const { return all_good_; }

private:
    static constexpr int kLabelColumns = 16;
    Language language_;
    bool all_good_ = true;
};

void report_machine(Report& report, Language language) {
    const std::string name = value_in("/proc/cpuinfo", "model name");
    report.line(true, "CPU", "CPU", name.empty() ? "?" : name);
    report.line(
        true, "cores", "코어",
        fmt::format(fmt::runtime(say(language, "{} physical, {} logical", "물리 {}, 논리 {}")),
                    physical_cores(), std::thread::hardware_concurrency()));
    const std::uint64_t total = memory_bytes("MemTotal"), free = memory_bytes("MemAvailable");
    report.line(free >= kMemoryWantedBytes, "memory", "메모리",
                fmt::format(fmt::runtime(say(language, "{}, {} free", "{}, 남은 것 {}")),
                            bytes_for_people(total), bytes_for_people(free)),
                say(language, "the two default models need about 600 MB",
                    "기본 모델 두 개에 약 600 MB가 필요합니다."));
    report.line(true, "built for", "빌드", JIKJI_BACKENDS);
}

/// With the chat model that `jikji serve` would take where it is told nothing.
void report_devices(Report& report, const fs::path& folder) {
    fs::path chat;
    for (const models::InstalledModel& model : models::Store(folder).list()) {
        if (chat.empty() && !model.adapter && !model.embedding) chat = model.path;
    }
    report.line(true, "computes on", "계산 장치", app::compute_devices({}, chat));
}

/// Can a file be made in the folder, or in the nearest one above it that exists?
bool is_writable(fs::path folder) {
    while (!fs::exists(folder) && folder.has_relative_path()) folder = folder.parent_path();
    return ::access(folder.c_str(), W_OK | X_OK) == 0;
}

void report_data(Report& report, const fs::path& data, Language language) {
    report.line(is_writable(fs::absolute(data)), "data folder", "데이터 폴더", data.string(),
                say(language, "it cannot be written; give another with --data",
                    "쓸 수 없습니다. --data로 다른 폴더를 주세요."));
    fs::path there = fs::absolute(data);
    while (!fs::exists(there) && there.has_relative_path()) there = there.parent_path();
    const std::uint64_t free = fs::space(there).available;
    report.line(
        free >= kDiskWantedBytes, "free disk", "남은 디스크", bytes_for_people(free),
        say(language, "models and documents want 2 GB", "모델과 문서에 2 GB가 필요합니다."));
    const std::string holder = fs::is_directory(data) ? FolderLock::holder(data) : std::string();
    report.line(
        true, "server", "서버",
        holder.empty() ? std::string(say(language, "not running", "실행 중이 아닙니다")) : holder);
}

void report_models(Report& report, const fs::path& folder, Language language) {
    bool chat = false, embedding = false;
    std::string names;
    for (const models::InstalledModel& model : models::Store(folder).list()) {
        if (model.adapter) continue;
        (model.embedding ? embedding : chat) = true;
        names += (names.empty() ? "" : ", ") + model.name;
    }
    report.line(chat && embedding, "models", "모델",
                names.empty() ? std::string(say(language, "none", "없음")) : names,
                "jikji models pull smollm2-135m-instruct multilingual-e5-small");
}

void report_programs(Report& report, int port, Language language) {
    const bool reads = program_exists("pdftotext"), maps = fs::exists("/usr/share/poppler/cMap");
    const auto yes_no = [language](bool yes) {
        return say(language, yes ? "yes" : "no", yes ? "있음" : "없음");
    };
    report.line(reads && maps, "PDF reader", "PDF 읽기",
                fmt::format("pdftotext {}, poppler-data {}", yes_no(reads), yes_no(maps)),
                "apt-get install poppler-utils poppler-data");
    report.line(port_is_free(port), "port", "포트",
                fmt::format(fmt::runtime(say(language, "{} on 127.0.0.1", "127.0.0.1의 {}")), port),
                say(language, "it is taken; choose another with: jikji serve --port",
                    "쓰고 있는 포트입니다. 다른 포트: jikji serve --port"));
}

}  // namespace

int doctor(const DoctorOptions& options) {
    const Language language = options.common.language;
    const fs::path data =
        options.common.data.empty() ? app::default_data_folder() : options.common.data;
    Report report(language);
    report_machine(report, language);
    const fs::path models = options.common.models.empty() ? data / "models" : options.common.models;
    report_devices(report, models);
    report_data(report, data, language);
    report_models(report, models, language);
    report_programs(report, options.port, language);
    return report.all_good() ? kDone : kFailed;
}

}  // namespace jikji::cli
