#include "cli/command_models.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <string_view>

#include "app/adapters.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/progress.hpp"
#include "cli/models_adapters.hpp"
#include "cli/models_weights.hpp"
#include "models/catalogue.hpp"
#include "models/gguf.hpp"
#include "models/inspect.hpp"
#include "models/machine_memory.hpp"
#include "models/store.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

using models::CatalogueEntry;
using models::InstalledModel;

models::Store open(const ModelsOptions& options) {
    ProgressOptions progress;
    if (options.quiet) progress.style = ProgressStyle::kSilent;
    return models::Store(options.folder, progress);
}

void print(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fflush(stdout);
}

void print(const json::value& value) { print(json::serialize(value) + "\n"); }

json::object as_json(const InstalledModel& model) {
    const char* kind = model.adapter ? "adapter" : model.embedding ? "embedding" : "chat";
    json::object out = {{"name", model.name},
                        {"kind", kind},
                        {"installed", true},
                        {"path", model.path.string()},
                        {"bytes", model.bytes},
                        {"license", model.license},
                        {"source", model.source},
                        {"sha256", model.sha256},
                        {"added_at", model.added_at},
                        {"query_prefix", model.query_prefix},
                        {"passage_prefix", model.passage_prefix}};
    if (model.adapter) {
        out["base"] = model.base;
        out["worse_than_base"] = model.worse_than_base;
    }
    return out;
}

/// Lines for pip's requirements file: for a machine where pip is the way to the packages.
json::array pip_requirements(const CatalogueEntry& entry) {
    json::array out;
    for (const models::Download& download : entry.downloads) {
        if (download.package.empty()) continue;
        const std::size_t from = download.file.find('-') + 1;  // NAME-VERSION-….whl
        const std::string version =
            download.file.substr(from, download.file.find('-', from) - from);
        out.emplace_back(download.package + "==" + version + " --hash=sha256:" + download.sha256);
    }
    return out;
}

json::object as_json(const CatalogueEntry& entry) {
    return {{"name", entry.name},
            {"kind", entry.embedding ? "embedding" : "chat"},
            {"installed", false},
            {"bytes", entry.gguf_bytes},
            {"download_bytes", entry.download_bytes()},
            {"license", entry.license},
            {"sha256", entry.gguf_sha256},
            {"about", entry.about},
            {"pip_requirements", pip_requirements(entry)}};
}

std::string kind_of(bool embedding, Language language) {
    return std::string(embedding ? say(language, "embedding", "임베딩")
                                 : say(language, "chat", "대화"));
}

std::string kind_of(const InstalledModel& model, Language language) {
    if (model.adapter) return std::string(say(language, "adapter", "어댑터"));
    return kind_of(model.embedding, language);
}

std::string row(const std::string& name, const std::string& kind, const std::string& size,
                const std::string& license, const std::string& rest) {
    constexpr int kName = 28, kKind = 11, kSize = 10, kLicense = 13;
    std::string out = "  " + fit_columns(name, std::max(kName, display_columns(name) + 1)) +
                      fit_columns(kind, kKind) + fit_columns(size, kSize) +
                      fit_columns(license, kLicense) + rest;
    out.erase(out.find_last_not_of(' ') + 1);
    return out + "\n";
}

std::string base_of(const InstalledModel& model, Language language) {
    if (!model.adapter) return {};
    std::string out = "→ " + model.base;
    if (model.worse_than_base) {
        out += say(language, " (worse than it on held-out samples)", " (검증 손실이 더 나쁨)");
    }
    return out;
}

std::vector<const CatalogueEntry*> not_installed(const std::vector<InstalledModel>& installed) {
    std::vector<const CatalogueEntry*> out;
    for (const CatalogueEntry& entry : models::catalogue()) {
        const bool here = std::any_of(installed.begin(), installed.end(),
                                      [&](const auto& model) { return model.name == entry.name; });
        if (!here) out.push_back(&entry);
    }
    return out;
}

void print_lists(const std::vector<InstalledModel>& installed,
                 const std::vector<const CatalogueEntry*>& available,
                 const ModelsOptions& options) {
    const Language language = options.language;
    std::string out(say(language, "Installed in ", "설치됨: "));
    out += options.folder.string() + "\n";
    for (const InstalledModel& model : installed) {
        out += row(model.name, kind_of(model, language), bytes_for_people(model.bytes),
                   model.license, base_of(model, language));
    }
    if (installed.empty()) out += say(language, "  (none)\n", "  (없음)\n");
    if (!available.empty()) {
        out += say(language, "\nTo be had with: jikji models pull NAME\n",
                   "\n받을 수 있음: jikji models pull 이름\n");
    }
    for (const CatalogueEntry* entry : available) {
        out += row(entry->name, kind_of(entry->embedding, language),
                   bytes_for_people(entry->gguf_bytes), entry->license,
                   std::string(say(language, entry->about, entry->about_korean)));
    }
    print(out);
}

int say_added(const ModelsOptions& options, const InstalledModel& model) {
    if (options.json) {
        print(as_json(model));
        return 0;
    }
    print(fmt::format(fmt::runtime(say(options.language, "{} is ready ({}, {}): {}\n",
                                       "{} 준비됨 ({}, {}): {}\n")),
                      model.name, kind_of(model, options.language), bytes_for_people(model.bytes),
                      model.path.string()));
    return 0;
}

json::object facts_as_json(const models::ModelFacts& facts, std::uint64_t context,
                           std::uint64_t available) {
    const models::MemoryNeed need = models::memory_at(facts, context);
    json::object types;
    for (const auto& [type, values] : facts.type_values) types[type] = values;
    return {{"kind", facts.embedding ? "embedding" : "chat"},
            {"architecture", facts.architecture},
            {"parameters", facts.parameters},
            {"quantisation", facts.quantisation},
            {"weights_by_type", std::move(types)},
            {"layers", facts.layers},
            {"vocabulary", facts.vocabulary},
            {"context_trained", facts.context_trained},
            {"chat_template", facts.chat_template},
            {"context", context},
            {"memory",
             {{"weights", need.weights},
              {"cache", need.cache},
              {"working", need.working},
              {"total", need.total()},
              {"available", available}}},
            {"fits", need.total() <= available}};
}

// Works for each name; one that fails is reported and does not stop the others.
template <typename Work>
int for_each_name(const ModelsOptions& options, const std::vector<std::string>& names,
                  const Work& work) {
    int exit_code = 0;
    for (const std::string& name : names) {
        try {
            work(name);
        } catch (const Error& error) {
            if (names.size() == 1) throw;
            const std::string_view text = say(options.language, error.what(), error.korean());
            std::fprintf(stderr, "%s: %.*s\n", name.c_str(), static_cast<int>(text.size()),
                         text.data());
            exit_code = 1;
        }
    }
    return exit_code;
}

}  // namespace

int models_list(const ModelsOptions& options) {
    std::vector<InstalledModel> installed = open(options).list();
    for (const app::AdapterCard& card : app::adapters_of_jobs({options.data, options.folder})) {
        InstalledModel& model = installed.emplace_back();
        model.name = card.name;
        model.path = card.path;
        model.bytes = card.bytes;
        model.adapter = true;
        model.base = card.base;
        model.worse_than_base = card.worse_than_base();
        model.source = "training";
    }
    const auto available = not_installed(installed);
    if (!options.json) {
        print_lists(installed, available, options);
        return 0;
    }
    json::array all;
    for (const InstalledModel& model : installed) all.push_back(as_json(model));
    for (const CatalogueEntry* entry : available) all.push_back(as_json(*entry));
    print(json::object{{"folder", options.folder.string()}, {"models", std::move(all)}});
    return 0;
}

int models_show(const ModelsOptions& options, const std::string& model, int context) {
    if (context < 0) {
        throw Error(ErrorCode::kInvalidArgument,
                    fmt::format("context is {}; give a number of tokens from 1", context),
                    "context",
                    fmt::format("context가 {}입니다. 1 이상의 토큰 수를 쓰세요.", context));
    }
    if (show_if_adapter(options, model)) return 0;
    const bool is_path = model.ends_with(".gguf") && fs::exists(model);
    const fs::path path = is_path ? fs::path(model) : open(options).find(model).path;
    const models::ModelFacts facts = models::facts_of(models::GgufFile(path).gguf());
    const std::uint64_t asked =
        context > 0
            ? static_cast<std::uint64_t>(context)
            : std::min<std::uint64_t>(4096, std::max<std::uint64_t>(1, facts.context_trained));
    const std::uint64_t available = models::memory_available();
    if (options.json) {
        json::object out = facts_as_json(facts, asked, available);
        out["name"] = model;
        out["path"] = path.string();
        const auto weights = weights_choice(options, path);
        out["weights"] = weights ? json::value(weights_as_json(*weights)) : json::value(nullptr);
        print(out);
        return 0;
    }
    print(fit_columns(say(options.language, "model", "모델"), 16) + model + "\n" +
          fit_columns(say(options.language, "file", "파일"), 16) + path.string() + "\n" +
          models::describe(facts, asked, available, options.language) +
          (facts.embedding ? std::string() : weights_in_words(options, path)));
    return 0;
}

int models_add(const ModelsOptions& options, const fs::path& file,
               const models::Store::AddOptions& how) {
    return say_added(options, open(options).add(file, how));
}

int models_import(const ModelsOptions& options, const fs::path& folder, const std::string& name) {
    return say_added(options, open(options).import(folder, {.name = name, .link = false}));
}

int models_pull(const ModelsOptions& options, const std::vector<std::string>& names) {
    models::Store store = open(options);
    return for_each_name(options, names,
                         [&](const std::string& name) { say_added(options, store.pull(name)); });
}

int models_rm(const ModelsOptions& options, const std::vector<std::string>& names) {
    models::Store store = open(options);
    return for_each_name(options, names, [&](const std::string& name) {
        forget_weights(options, store.find(name).path);
        const std::vector<fs::path> removed = store.remove(name);
        if (options.json) {
            json::array files;
            for (const fs::path& file : removed) files.emplace_back(file.string());
            print(json::object{{"name", name}, {"removed", std::move(files)}});
            return;
        }
        for (const fs::path& file : removed) {
            print(std::string(say(options.language, "removed ", "지웠습니다: ")) + file.string() +
                  "\n");
        }
    });
}

}  // namespace jikji::cli
