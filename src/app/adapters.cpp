#include "app/adapters.hpp"

#include <fmt/format.h>

#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "base/nearest.hpp"
#include "models/adapter_check.hpp"
#include "models/download.hpp"
#include "models/gguf.hpp"
#include "training/adapter_folder.hpp"
#include "training/adapter_peft.hpp"
#include "training/merge.hpp"

namespace jikji::app {
namespace fs = std::filesystem;
namespace {

using models::InstalledModel;

/// A file that goes with the object.
class Scratch {
public:
    explicit Scratch(const models::Store& store)
        : path_(store.work_folder() / ("adapter-" + hex(random_bytes(6)) + ".gguf")) {}
    ~Scratch() {
        std::error_code ignored;
        fs::remove(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

[[noreturn]] void refuse_model(const std::string& name) {
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is a whole model, not an adapter; jikji models list shows both", name),
        "adapter",
        fmt::format("{}은(는) 어댑터가 아니라 모델입니다. 목록: jikji models list", name));
}

[[noreturn]] void refuse_adapter(const InstalledModel& base) {
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is an adapter itself; give its model, {}, with --base", base.name,
                            base.base),
                "base",
                fmt::format("{}은(는) 어댑터입니다. --base로 그 기본 모델 {}을(를) 주세요.",
                            base.name, base.base));
}

[[noreturn]] void not_found(const std::string& name, const std::vector<std::string>& known) {
    const std::string near = nearest(name, known);
    const std::string all = known.empty() ? "none" : fmt::format("{}", fmt::join(known, ", "));
    throw Error(ErrorCode::kModelNotFound,
                fmt::format("there is no adapter {}.{} Those that are here: {}", printable(name),
                            near.empty() ? "" : fmt::format(" Did you mean {}?", near), all),
                "adapter",
                fmt::format("{} 어댑터가 없습니다.{} 있는 것: {}", printable(name),
                            near.empty() ? "" : fmt::format(" 혹시 {}인가요?", near),
                            known.empty() ? "없음" : all));
}

InstalledModel installed_like(const training::MadeAdapter& made) {
    InstalledModel out;
    out.name = made.facts.name;
    out.path = made.path;
    out.adapter = true;
    out.base = made.facts.base_name;
    out.base_sha256 = made.facts.base_sha256;
    return out;
}

InstalledModel find_adapter(const AdapterFolders& folders, const std::string& name) {
    std::vector<std::string> known;
    for (InstalledModel& model : models::Store(folders.models).list()) {
        if (model.name == name && !model.adapter) refuse_model(name);
        if (model.name == name) return std::move(model);
        if (model.adapter) known.push_back(std::move(model.name));
    }
    if (const auto made = training::find_made_adapter(folders.data, name)) {
        return installed_like(*made);
    }
    for (const training::MadeAdapter& made : training::made_adapters(folders.data)) {
        known.push_back(made.facts.name);
    }
    not_found(name, known);
}

/// The base as it lies there, held against the adapter.
InstalledModel base_of(const models::Store& store, const InstalledModel& adapter) {
    return store.base_of(adapter, {});
}

AdapterCard card_of(const AdapterFolders& folders, const InstalledModel& adapter) {
    const training::AdapterFacts facts = training::read_adapter_facts(adapter.path);
    AdapterCard card;
    card.name = adapter.name;
    card.path = adapter.path;
    card.bytes = fs::file_size(adapter.path);
    card.base = adapter.base;
    try {
        card.base = base_of(models::Store(folders.models), adapter).name;
        card.base_installed = true;
    } catch (const Error& error) {
        card.base_trouble = error.what();
        card.base_trouble_korean = error.korean();
    }
    card.rank = facts.lora.rank;
    card.alpha = facts.lora.alpha;
    for (const training::Module module : facts.lora.targets) {
        card.targets.emplace_back(training::name_of(module));
    }
    card.held_out_loss = facts.held_out_loss;
    card.base_loss = facts.base_loss;
    return card;
}

void copy_adapter(const InstalledModel& adapter, const fs::path& to) {
    static_cast<void>(training::read_adapter_facts(adapter.path));  // never spread a damaged one
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(to, ignored))) {
        throw Error(
            ErrorCode::kConflict,
            fmt::format("{} is there already; name another file with --to", printable(to.string())),
            "to",
            fmt::format("{}이(가) 이미 있습니다. --to로 다른 파일을 주세요.",
                        printable(to.string())));
    }
    const MappedFile source(adapter.path);
    PendingFile out(to);
    out.write(source.bytes());
    out.commit();
}

training::Shape shape_of_file(const fs::path& file) {
    return training::shape_of(models::GgufFile(file).gguf());
}

}  // namespace

std::optional<AdapterCard> adapter_card(const AdapterFolders& folders, const std::string& name) {
    if (name.ends_with(".gguf") && fs::is_regular_file(name)) {
        if (!models::is_adapter(models::GgufFile(name).gguf())) return std::nullopt;
        return card_of(folders, installed_like({name, training::read_adapter_facts(name), {}}));
    }
    for (const InstalledModel& model : models::Store(folders.models).list()) {
        if (model.name == name && !model.adapter) return std::nullopt;
        if (model.name == name) return card_of(folders, model);
    }
    const auto made = training::find_made_adapter(folders.data, name);
    if (made) return card_of(folders, installed_like(*made));
    return std::nullopt;
}

std::vector<AdapterCard> adapters_of_jobs(const AdapterFolders& folders) {
    std::vector<AdapterCard> out;
    for (const training::MadeAdapter& made : training::made_adapters(folders.data)) {
        AdapterCard card;
        card.name = made.facts.name;
        card.path = made.path;
        card.bytes = fs::file_size(made.path);
        card.base = made.facts.base_name;
        card.held_out_loss = made.facts.held_out_loss;
        card.base_loss = made.facts.base_loss;
        out.push_back(std::move(card));
    }
    return out;
}

AdapterFormat adapter_format_named(std::string_view name) {
    if (name == "peft") return AdapterFormat::kPeft;
    if (name == "gguf") return AdapterFormat::kGguf;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("format is {}; give peft or gguf", printable(name)), "format",
                fmt::format("format이 {}입니다. peft나 gguf를 쓰세요.", printable(name)));
}

fs::path export_adapter(const AdapterFolders& folders, const std::string& name,
                        AdapterFormat format, const fs::path& to) {
    const InstalledModel adapter = find_adapter(folders, name);
    if (format == AdapterFormat::kGguf) {
        copy_adapter(adapter, to);
        return to;
    }
    const InstalledModel base = base_of(models::Store(folders.models), adapter);
    const training::Shape shape = shape_of_file(base.path);
    training::AdapterFacts facts = training::read_adapter_facts(adapter.path);
    if (facts.base_name.empty()) facts.base_name = base.name;
    training::export_peft(to, facts, training::read_adapter(adapter.path, shape), shape);
    return to;
}

InstalledModel import_adapter(const AdapterFolders& folders, const fs::path& folder,
                              const std::string& base, const std::string& name) {
    models::Store store(folders.models, folders.progress);
    const fs::path source = fs::weakly_canonical(folder);
    training::AdapterFacts facts;
    facts.name = name.empty() ? models::name_from(source) : name;
    models::check_model_name(facts.name);
    store.refuse_taken(facts.name);
    const InstalledModel of = store.find(base);
    if (of.adapter) refuse_adapter(of);
    const models::GgufFile file(of.path);
    const training::Shape shape = training::shape_of(file.gguf());
    const training::Lora lora = training::import_peft(source, shape);
    facts.base_name = of.name;
    facts.base_sha256 = models::sha256_of_file(of.path);
    facts.architecture = file.gguf().architecture();
    const Scratch scratch(store);
    training::write_adapter(scratch.path(), facts, lora);
    return store.add(
        scratch.path(),
        {.name = facts.name, .base = of.name, .move = true, .source = "folder:" + source.string()});
}

InstalledModel merge_adapter(const AdapterFolders& folders, const std::string& adapter,
                             const std::string& to, const std::string& type,
                             const std::function<bool()>& go_on) {
    models::Store store(folders.models, folders.progress);
    training::MergeOptions options{.name = to, .type = training::merged_type_named(type)};
    models::check_model_name(to);
    store.refuse_taken(to);
    const InstalledModel from = find_adapter(folders, adapter);
    const InstalledModel of = base_of(store, from);
    const training::BaseModel base(of.path);
    training::AdapterFacts facts = training::read_adapter_facts(from.path);
    facts.name = from.name;
    facts.base_name = of.name;
    const training::Lora lora = training::read_adapter(from.path, base.shape());
    Progress progress(to, 0, ProgressUnit::kBytes, folders.progress);
    options.poll = [&](std::uint64_t done, std::uint64_t total) {
        progress.set_total(total);
        progress.update(done);
        return !go_on || go_on();
    };
    const Scratch scratch(store);
    training::merge_adapter(base, facts, lora, scratch.path(), options);
    progress.finish();
    return store.add(
        scratch.path(),
        {.name = to, .move = true, .source = fmt::format("merged:{}+{}", of.name, from.name)});
}

}  // namespace jikji::app
