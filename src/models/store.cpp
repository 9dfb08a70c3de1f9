#include "models/store.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <ctime>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/nearest.hpp"
#include "models/adapter_check.hpp"
#include "models/catalogue.hpp"
#include "models/download.hpp"
#include "models/gguf.hpp"
#include "models/import_hf.hpp"
#include "models/inspect.hpp"
#include "models/json_file.hpp"
#include "models/pull.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr const char* kWorkFolder = ".download";

std::string now_utc() {
    const std::time_t now = std::time(nullptr);
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    char text[32];
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    return text;
}

void read_sidecar(const fs::path& file, InstalledModel& model) {
    if (!fs::is_regular_file(file)) return;
    const json::object data = read_json_file(file);
    model.license = text_of(data, "license", model.license);
    model.source = text_of(data, "source");
    model.sha256 = text_of(data, "sha256");
    model.added_at = text_of(data, "added_at");
    model.query_prefix = text_of(data, "query_prefix");
    model.passage_prefix = text_of(data, "passage_prefix");
    model.embedding = flag_of(data, "embedding", model.embedding);
    if (model.adapter) model.base = text_of(data, "base", model.base);
}

// Names tell of E5 models that were added by hand and want its prefixes.
void guess_prefixes(InstalledModel& model, const std::string& inner_name) {
    const bool e5 =
        model.name.find("e5-") != std::string::npos || inner_name.find("e5-") != std::string::npos;
    if (!model.embedding || !e5) return;
    model.query_prefix = "query: ";
    model.passage_prefix = "passage: ";
}

bool worse_than_base(const Gguf& adapter) {
    const GgufValue* own = adapter.find("jikji.held_out_loss");
    const GgufValue* base = adapter.find("jikji.base_loss");
    if (own == nullptr || base == nullptr) return false;
    const auto ours = own->as_number(), theirs = base->as_number();
    return ours && theirs && *ours > *theirs;
}

InstalledModel read_model(const fs::path& file, std::string name) {
    const GgufFile gguf(file);
    InstalledModel model;
    model.name = std::move(name);
    model.path = file;
    model.bytes = fs::file_size(file);
    model.embedding = is_embedding_architecture(gguf.gguf().architecture());
    model.license = gguf.gguf().text("general.license");
    model.adapter = is_adapter(gguf.gguf());
    if (model.adapter) {
        model.base = gguf.gguf().text("jikji.base.name");
        model.base_sha256 = gguf.gguf().text("jikji.base.sha256");
        model.worse_than_base = worse_than_base(gguf.gguf());
    }
    guess_prefixes(model, gguf.gguf().text("general.name"));
    return model;
}

void copy_durably(const fs::path& from, const fs::path& to, Progress& progress) {
    const MappedFile source(from);
    constexpr std::size_t kStep = 8u << 20;
    PendingFile out(to);
    for (std::size_t at = 0; at < source.bytes().size(); at += kStep) {
        out.write(source.bytes().substr(at, kStep));
        progress.update(std::min(at + kStep, source.bytes().size()));
    }
    out.commit();
}

FolderLock lock_or_refuse(const fs::path& folder) {
    fs::create_directories(folder);
    auto lock = FolderLock::take(folder);
    if (lock) return std::move(*lock);
    throw Error(ErrorCode::kConflict,
                "another jikji is changing the models folder; wait for it, then try again", {},
                "다른 jikji가 모델 폴더를 바꾸고 있습니다. 끝난 뒤에 다시 시도하세요.");
}

[[noreturn]] void not_in_catalogue(std::string_view name) {
    std::vector<std::string> known;
    for (const CatalogueEntry& entry : catalogue()) known.push_back(entry.name);
    const std::string near = nearest(name, known);
    const std::string hint = near.empty() ? "" : fmt::format(" Did you mean {}?", near);
    const std::string hint_korean = near.empty() ? "" : fmt::format(" 혹시 {}인가요?", near);
    throw Error(ErrorCode::kModelNotFound,
                fmt::format("there is no model {} in the catalogue.{} It has: {}", name, hint,
                            fmt::join(known, ", ")),
                "model",
                fmt::format("목록에 {} 모델이 없습니다.{} 있는 것: {}", name, hint_korean,
                            fmt::join(known, ", ")));
}

[[noreturn]] void refuse_base(const fs::path& file) {
    const std::string name = file.filename().string();
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is a whole model, not an adapter; leave out --base", name), "base",
                fmt::format("{}은(는) 어댑터가 아니라 모델입니다. --base를 빼세요.", name));
}

struct Hint {
    std::string english, korean;
};

// What to do about a name that is not installed: fetch it, or the nearest name that there is.
Hint hint_for(std::string_view name, std::vector<std::string> installed) {
    const std::size_t here = installed.size();
    std::vector<std::string>& known = installed;
    for (const CatalogueEntry& entry : catalogue()) known.push_back(entry.name);
    const auto meant = std::find(known.begin(), known.end(), nearest(name, known));
    if (find_in_catalogue(name) != nullptr) {
        return {fmt::format(" Fetch it with: jikji models pull {}", name),
                fmt::format(" 받으려면: jikji models pull {}", name)};
    }
    if (meant == known.end()) return {" See: jikji models list", " 목록 보기: jikji models list"};
    if (static_cast<std::size_t>(meant - known.begin()) < here) {
        return {fmt::format(" Did you mean {}?", *meant), fmt::format(" 혹시 {}인가요?", *meant)};
    }
    return {fmt::format(" Did you mean {0}? Fetch it with: jikji models pull {0}", *meant),
            fmt::format(" 혹시 {0}인가요? 받으려면: jikji models pull {0}", *meant)};
}

}  // namespace

std::string name_from(const fs::path& path) {
    std::string name =
        path.extension() == ".gguf" ? path.stem().string() : path.filename().string();
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        const bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_';
        if (!fine) c = '-';
    }
    const bool starts = !name.empty() && name[0] != '-' && name[0] != '.' && name[0] != '_';
    if (starts && name.size() <= 100) return name;
    const std::string shown = printable(path.filename().string());
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("no model name can be made of {}; give one with --name", shown), "name",
        fmt::format("{}(으)로는 모델 이름을 만들 수 없습니다. --name으로 이름을 주세요.", shown));
}

void check_model_name(std::string_view name) {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    const bool fine = !name.empty() && name.size() <= 100 && plain(name[0]) &&
                      std::all_of(name.begin(), name.end(), [&](char c) {
                          return plain(c) || c == '.' || c == '_' || c == '-';
                      });
    if (fine) return;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("the model name is \"{}\"; give 1 to 100 letters, digits, '.', '_' or "
                    "'-', a letter or digit first",
                    printable(name)),
        "name",
        fmt::format("모델 이름이 \"{}\"입니다. 영문자나 숫자로 시작하고 영문자, 숫자, '.', '_', "
                    "'-'로 된 1~100자를 쓰세요.",
                    printable(name)));
}

fs::path Store::path_of(std::string_view name) const {
    return folder_ / (std::string(name) + ".gguf");
}

fs::path Store::work_folder() const {
    fs::create_directories(folder_ / kWorkFolder);
    return folder_ / kWorkFolder;
}

std::vector<InstalledModel> Store::list() const {
    std::vector<InstalledModel> out;
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder_, missing)) {
        const fs::path& file = entry.path();
        if (file.extension() != ".gguf") continue;
        try {
            InstalledModel model = read_model(file, file.stem().string());
            read_sidecar(fs::path(file).replace_extension(".json"), model);
            out.push_back(std::move(model));
        } catch (const Error& error) {
            log_warn(fmt::format("left out of the models: {}", error.what()));
        }
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
    return out;
}

bool Store::has(std::string_view name) const {
    std::error_code ignored;
    return fs::exists(fs::symlink_status(path_of(name), ignored));
}

InstalledModel Store::find(std::string_view name) const {
    std::vector<std::string> known;
    for (InstalledModel& model : list()) {
        if (model.name == name) return std::move(model);
        known.push_back(std::move(model.name));
    }
    if (name.find('/') == std::string_view::npos && has(name)) {
        static_cast<void>(read_model(path_of(name), std::string(name)));  // throws what is wrong
    }
    const Hint hint = hint_for(name, known);
    throw Error(ErrorCode::kModelNotFound,
                fmt::format("the model {} is not installed.{}", printable(name), hint.english),
                "model",
                fmt::format("{} 모델이 설치되어 있지 않습니다.{}", printable(name), hint.korean));
}

void Store::refuse_taken(std::string_view name) const {
    if (!has(name)) return;
    throw Error(
        ErrorCode::kConflict,
        fmt::format("there is a model {} already; give another name, or remove it first: "
                    "jikji models rm {}",
                    name, name),
        "name",
        fmt::format("{} 모델이 이미 있습니다. 다른 이름을 쓰거나 먼저 지우세요: jikji models "
                    "rm {}",
                    name, name));
}

InstalledModel Store::record(const InstalledModel& model) const {
    json::object sidecar = {{"source", model.source},
                            {"license", model.license},
                            {"sha256", model.sha256},
                            {"embedding", model.embedding},
                            {"query_prefix", model.query_prefix},
                            {"passage_prefix", model.passage_prefix},
                            {"added_at", model.added_at}};
    if (model.adapter) sidecar["base"] = model.base;
    write_file_durably(folder_ / (model.name + ".json"), json::serialize(sidecar) + "\n");
    return model;
}

InstalledModel Store::add(const fs::path& file, const AddOptions& options) {
    const std::string name = options.name.empty() ? name_from(file) : options.name;
    check_model_name(name);
    InstalledModel model = read_model(fs::absolute(file), name);
    if (model.adapter) {
        model.base = base_of(model, options.base).name;
    } else if (!options.base.empty()) {
        refuse_base(file);
    }
    const FolderLock lock = lock_or_refuse(folder_ / kWorkFolder);
    refuse_taken(name);
    model.source = options.source.empty() ? "file:" + model.path.string() : options.source;
    model.added_at = now_utc();
    const fs::path target = path_of(name);
    if (options.move) {
        model.sha256 = sha256_of_file(model.path);
        fs::rename(model.path, target);
        sync_path(target);
    } else if (options.link) {
        fs::create_symlink(model.path, target);
        sync_path(folder_);
    } else {
        require_space(folder_, model.bytes);
        Progress progress(name, model.bytes, ProgressUnit::kBytes, progress_);
        copy_durably(model.path, target, progress);
        model.sha256 = sha256_of_file(target);
        progress.finish();
    }
    model.path = target;
    return record(model);
}

InstalledModel Store::import(const fs::path& folder, const AddOptions& options) {
    const fs::path source = fs::weakly_canonical(folder);
    const std::string name = options.name.empty() ? name_from(source) : options.name;
    check_model_name(name);
    const FolderLock lock = lock_or_refuse(folder_ / kWorkFolder);
    refuse_taken(name);
    import_hugging_face(source, path_of(name), name);
    InstalledModel model = read_model(path_of(name), name);
    model.source = "folder:" + source.string();
    model.sha256 = sha256_of_file(model.path);
    model.added_at = now_utc();
    return record(model);
}

InstalledModel Store::pull(std::string_view name) {
    const CatalogueEntry* entry = find_in_catalogue(name);
    if (entry == nullptr) not_in_catalogue(name);
    if (has(name)) return find(name);
    const fs::path work = folder_ / kWorkFolder;
    const FolderLock lock = lock_or_refuse(work);
    if (has(name)) return find(name);
    const fs::path made = make_model(*entry, work, progress_);
    InstalledModel model = read_model(made, entry->name);
    model.license = entry->license;
    model.source = "catalogue";
    model.sha256 = entry->gguf_sha256;
    model.embedding = entry->embedding;
    model.query_prefix = entry->query_prefix;
    model.passage_prefix = entry->passage_prefix;
    model.added_at = now_utc();
    model.path = path_of(name);
    record(model);  // first, so that the model never stands there without its prefixes
    sync_path(made);
    fs::rename(made, model.path);
    sync_path(model.path);
    return model;
}

std::vector<fs::path> Store::remove(std::string_view name) {
    check_model_name(name);
    if (!has(name)) find(name);  // throws, with a hint
    refuse_needed(name);
    const FolderLock lock = lock_or_refuse(folder_ / kWorkFolder);
    std::vector<fs::path> removed;
    const fs::path file = path_of(name);
    for (const fs::path& each : {file, fs::path(file).replace_extension(".json")}) {
        if (fs::remove(each)) removed.push_back(each);
    }
    sync_path(folder_);
    return removed;
}

}  // namespace jikji::models
