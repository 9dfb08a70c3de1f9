#include "cli/ingest_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace jikji::cli {
namespace fs = std::filesystem;
namespace {

// What knowledge/reader takes; the server refuses the rest by itself.
constexpr const char* kExtensions[] = {".txt", ".md", ".markdown", ".html", ".htm", ".pdf"};
constexpr const char* kExtensionList = "txt, md, markdown, html, htm, pdf";

bool is_readable(const fs::path& file) {
    std::string extension = file.extension().string();
    std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) {
        return static_cast<char>(c < 0x80 ? std::tolower(c) : c);
    });
    return std::find(std::begin(kExtensions), std::end(kExtensions), extension) !=
           std::end(kExtensions);
}

bool is_hidden(const fs::path& path) { return path.filename().string().starts_with("."); }

/// Files below the folder; a folder that cannot be opened is passed over.
std::vector<fs::path> files_below(const fs::path& folder) {
    std::vector<fs::path> out;
    const auto options = fs::directory_options::skip_permission_denied;
    for (auto at = fs::recursive_directory_iterator(folder, options);
         at != fs::recursive_directory_iterator(); ++at) {
        const bool hidden = is_hidden(at->path());
        if (hidden && at->is_directory()) at.disable_recursion_pending();
        std::error_code gone;
        if (!hidden && at->is_regular_file(gone) && is_readable(at->path())) {
            out.push_back(at->path());
        }
    }
    return out;
}

}  // namespace

IngestPlan plan_ingest(const std::vector<fs::path>& paths, Language language) {
    IngestPlan out;
    std::set<fs::path> known;
    const auto take = [&](const fs::path& file) {
        if (known.insert(fs::weakly_canonical(file)).second) out.files.push_back(file);
    };
    for (const fs::path& path : paths) {
        std::error_code error;
        const fs::file_status status = fs::status(path, error);
        if (fs::is_regular_file(status)) {
            take(path);
        } else if (fs::is_directory(status)) {
            auto found = files_below(path);
            std::sort(found.begin(), found.end());
            std::for_each(found.begin(), found.end(), take);
            if (found.empty()) {
                const auto text = say(language, "the folder holds no file that can be read ({})",
                                      "폴더에 읽을 수 있는 파일이 없습니다({}).");
                out.problems.push_back({path, fmt::format(fmt::runtime(text), kExtensionList)});
            }
        } else if (fs::exists(status)) {
            out.problems.push_back({path, std::string(say(language, "neither a file nor a folder",
                                                          "파일도 폴더도 아닙니다."))});
        } else {
            out.problems.push_back({path, std::string(say(language, "no such file or folder",
                                                          "그런 파일이나 폴더가 없습니다."))});
        }
    }
    return out;
}

}  // namespace jikji::cli
