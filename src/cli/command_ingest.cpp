// jikji ingest: files and folders into a collection, one after the other, each until it can be
// searched.
#include <algorithm>
#include <chrono>
#include <map>
#include <thread>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/ingest_plan.hpp"
#include "cli/interrupt.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"
#include "cli/wire.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace {

using namespace std::chrono_literals;

constexpr auto kPollFirst = 30ms;
constexpr auto kPollMost = 400ms;
constexpr double kUploadShare = 0.1;  // of the bar; the rest is reading and embedding
constexpr int kLabelColumns = 28;

/// What is in the collection already, by what ingest noted when it put it there.
struct Known {
    std::map<std::string, std::string> by_path;  // absolute path -> file id
    std::map<std::string, std::string> by_sha256;
};

struct Tally {
    int added = 0, replaced = 0, unchanged = 0;
    std::vector<std::pair<std::string, std::string>> failed;  // path, why
};

class Ingest {
public:
    Ingest(const IngestOptions& options, const Session& session)
        : language_(options.common.language),
          session_(session),
          client_(session.client([this] { return interrupt_.count() == 0; })) {
        collection_ = find_collection(client_, options.collection);
        if (collection_.empty()) {
            const auto made =
                client_.request("POST", "/v1/vector_stores",
                                json::serialize(json::object{{"name", options.collection}}));
            collection_ = text_at(parse_object(made.body), "id");
        }
        for (const json::object& file : all_items(client_, files_path())) note(file);
    }

    void take(const fs::path& file, Tally& tally) {
        try {
            take_or_throw(file, tally);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::kCancelled) throw;
            const bool korean = language_ == Language::kKorean;
            tally.failed.emplace_back(file.string(), korean ? error.korean() : error.what());
        }
    }

private:
    std::string files_path() const { return "/v1/vector_stores/" + collection_ + "/files"; }

    void note(const json::object& file) {
        const json::object& attributes = object_at(file, "attributes");
        const std::string status = text_at(file, "status"), id = text_at(file, "id");
        const std::string path = text_at(attributes, "path");
        if (!path.empty()) known_.by_path[path] = id;
        if (status == "completed") known_.by_sha256[text_at(attributes, "sha256")] = id;
    }

    void take_or_throw(const fs::path& file, Tally& tally) {
        const std::string path = fs::absolute(file).lexically_normal().string();
        const std::string sha256 = digest_of(file);
        if (known_.by_sha256.contains(sha256)) {
            ++tally.unchanged;
            return;
        }
        const std::uint64_t bytes = std::max<std::uint64_t>(fs::file_size(file), 1);
        Progress progress(fit_columns(file.filename().string(), kLabelColumns), bytes,
                          ProgressUnit::kBytes);
        const std::string id = upload(file, bytes, progress);
        int chunks = 0;
        try {
            attach(id, path, sha256);
            chunks = wait_until_indexed(id, bytes, progress);
        } catch (const Error&) {
            forget(id);
            throw;
        }
        progress.finish(
            fmt::format(fmt::runtime(say(language_, "passages: {}", "구절 {}개")), chunks));
        const auto old = known_.by_path.find(path);
        if (old != known_.by_path.end()) {  // the file has changed: its old text must go
            client_.request("DELETE", "/v1/files/" + percent_encoded(old->second));
            ++tally.replaced;
        } else {
            ++tally.added;
        }
        known_.by_path[path] = id;
        known_.by_sha256[sha256] = id;
    }

    static std::string digest_of(const fs::path& file) {
        const MappedFile mapped(file);
        return sha256_hex(mapped.bytes());
    }

    std::string upload(const fs::path& file, std::uint64_t bytes, Progress& progress) {
        const auto answer = client_.upload(
            "/v1/files", file, {{"purpose", "assistants"}},
            [&](std::uint64_t sent, std::uint64_t total) {
                const double share = total == 0 ? 1 : static_cast<double>(sent) / total;
                progress.update(static_cast<std::uint64_t>(bytes * share * kUploadShare));
            });
        return text_at(parse_object(answer.body), "id");
    }

    void attach(const std::string& id, const std::string& path, const std::string& sha256) {
        json::object attributes = {{"sha256", sha256}};
        constexpr std::size_t kAttributeBytes = 512;  // OpenAI's limit
        if (path.size() <= kAttributeBytes) attributes["path"] = path;
        const json::object body = {{"file_id", id}, {"attributes", std::move(attributes)}};
        client_.request("POST", files_path(), json::serialize(body));
    }

    int wait_until_indexed(const std::string& id, std::uint64_t bytes, Progress& progress) {
        for (auto pause = kPollFirst;;
             pause = std::min(pause * 2, std::chrono::milliseconds(kPollMost))) {
            const auto answer = client_.request("GET", files_path() + "/" + percent_encoded(id));
            const json::object file = parse_object(answer.body);
            const std::string status = text_at(file, "status");
            if (status == "completed") return static_cast<int>(number_at(file, "chunks"));
            if (status != "in_progress") throw_failed(object_at(file, "last_error"));
            const double share = kUploadShare + (1 - kUploadShare) * number_at(file, "progress");
            progress.update(static_cast<std::uint64_t>(bytes * share));
            std::this_thread::sleep_for(pause);
        }
    }

    // Half-done work is taken out again, so that the next try starts afresh. Its client is one that
    // Ctrl-C does not stop.
    void forget(const std::string& id) {
        session_.client().request_any("DELETE", "/v1/files/" + percent_encoded(id));
    }

    [[noreturn]] static void throw_failed(const json::object& last_error) {
        const std::string why = text_at(last_error, "message");
        throw Error(ErrorCode::kRejected, why.empty() ? "it could not be read" : why, "", why);
    }

    Language language_;
    const Session& session_;
    Interrupt interrupt_;
    http::Client client_;
    std::string collection_;
    Known known_;
};

void tell_summary(const Tally& tally, Language language) {
    print(fmt::format(fmt::runtime(say(language, "{} added, {} replaced, {} unchanged, {} failed\n",
                                       "추가 {}, 교체 {}, 그대로 {}, 실패 {}\n")),
                      tally.added, tally.replaced, tally.unchanged, tally.failed.size()));
    for (const auto& [path, why] : tally.failed) tell(fmt::format("  {}: {}", path, why));
}

}  // namespace

int ingest(const IngestOptions& options) {
    const Language language = options.common.language;
    const IngestPlan plan = plan_ingest(options.paths, language);
    Tally tally;
    for (const auto& problem : plan.problems) {
        tally.failed.emplace_back(problem.path.string(), problem.text);
    }
    if (!plan.files.empty()) {
        const Session session(options.common);
        Ingest work(options, session);
        try {
            for (const fs::path& file : plan.files) work.take(file, tally);
        } catch (const Error& error) {
            tell_summary(tally, language);
            throw;
        }
    }
    tell_summary(tally, language);
    return tally.failed.empty() ? kDone : kFailed;
}

}  // namespace jikji::cli
