#include "cli/models_adapters.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "app/adapters.hpp"
#include "base/progress.hpp"
#include "cli/interrupt.hpp"
#include "cli/say.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

app::AdapterFolders folders_of(const ModelsOptions& options) {
    app::AdapterFolders out{options.data, options.folder};
    if (options.quiet) out.progress.style = ProgressStyle::kSilent;
    return out;
}

json::object as_json(const app::AdapterCard& card) {
    json::object out = {{"name", card.name},
                        {"kind", "adapter"},
                        {"path", card.path.string()},
                        {"bytes", card.bytes},
                        {"base", card.base},
                        {"base_installed", card.base_installed},
                        {"rank", card.rank},
                        {"alpha", card.alpha},
                        {"targets", json::array(card.targets.begin(), card.targets.end())}};
    if (!card.base_installed) out["base_trouble"] = card.base_trouble;
    if (card.held_out_loss) out["held_out_loss"] = *card.held_out_loss;
    if (card.base_loss) out["base_loss"] = *card.base_loss;
    return out;
}

std::string gain_of(const app::AdapterCard& card, Language language) {
    std::string out = fmt::format("{:.4f}", *card.held_out_loss);
    if (!card.base_loss) return out;
    out += fmt::format(
        fmt::runtime(say(language, " (the base alone: {:.4f})", " (기본 모델만: {:.4f})")),
        *card.base_loss);
    if (card.worse_than_base()) {
        out += say(language, ": worse than the base", ": 기본 모델보다 나쁩니다");
    }
    return out;
}

std::string in_words(const app::AdapterCard& card, Language language) {
    const auto line = [language](std::string_view english, std::string_view korean,
                                 const std::string& value) {
        return fit_columns(say(language, english, korean), 16) + value + "\n";
    };
    std::string out = line("adapter", "어댑터", card.name);
    out += line("file", "파일", card.path.string());
    out += line("size", "크기", bytes_for_people(card.bytes));
    out += line("base", "기본 모델", card.base.empty() ? "?" : card.base);
    out += line("rank, alpha", "랭크, 알파", fmt::format("{}, {}", card.rank, card.alpha));
    out += line("targets", "대상", fmt::format("{}", fmt::join(card.targets, ", ")));
    if (card.held_out_loss) out += line("held-out loss", "검증 손실", gain_of(card, language));
    if (!card.base_installed) {
        out += std::string(say(language, card.base_trouble, card.base_trouble_korean)) + "\n";
    }
    return out;
}

int say_made(const ModelsOptions& options, const models::InstalledModel& model) {
    if (options.json) {
        print(json::serialize(json::object{{"name", model.name},
                                           {"kind", model.adapter ? "adapter" : "chat"},
                                           {"base", model.base},
                                           {"path", model.path.string()},
                                           {"bytes", model.bytes},
                                           {"sha256", model.sha256}}) +
              "\n");
        return 0;
    }
    print(fmt::format(
        fmt::runtime(say(options.language, "{} is ready ({}): {}\n", "{} 준비됨 ({}): {}\n")),
        model.name, bytes_for_people(model.bytes), model.path.string()));
    return 0;
}

}  // namespace

int models_export_adapter(const ModelsOptions& options, const std::string& name,
                          const std::string& format, const fs::path& to) {
    const fs::path made =
        app::export_adapter(folders_of(options), name, app::adapter_format_named(format), to);
    if (options.json) {
        print(json::serialize(
                  json::object{{"name", name}, {"format", format}, {"path", made.string()}}) +
              "\n");
        return 0;
    }
    print(fmt::format(
        fmt::runtime(say(options.language, "{} was written to {}\n", "{} 내보냈습니다: {}\n")),
        name, made.string()));
    return 0;
}

int models_import_adapter(const ModelsOptions& options, const fs::path& folder,
                          const std::string& base, const std::string& name) {
    return say_made(options, app::import_adapter(folders_of(options), folder, base, name));
}

int models_merge_adapter(const ModelsOptions& options, const std::string& adapter,
                         const std::string& to, const std::string& type) {
    const Interrupt interrupt;
    return say_made(options, app::merge_adapter(folders_of(options), adapter, to, type,
                                                [&] { return interrupt.count() == 0; }));
}

bool show_if_adapter(const ModelsOptions& options, const std::string& model) {
    const auto card = app::adapter_card(folders_of(options), model);
    if (!card) return false;
    print(options.json ? json::serialize(as_json(*card)) + "\n"
                       : in_words(*card, options.language));
    return true;
}

}  // namespace jikji::cli
