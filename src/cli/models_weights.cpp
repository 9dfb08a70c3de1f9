// jikji models optimise | perplexity, and what show says of weights.
#include "cli/models_weights.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>

#include "app/optimise.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/progress.hpp"
#include "cli/command_models.hpp"
#include "cli/say.hpp"
#include "cli/stand_back.hpp"
#include "models/store.hpp"

namespace jikji::cli {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

using models::MeasuredLayout;
using models::WeightsChoice;

constexpr std::uint64_t kTextBytes = 16 << 20;

fs::path file_of(const ModelsOptions& options, const std::string& model) {
    if (model.ends_with(".gguf") && fs::exists(model)) return model;
    const models::InstalledModel found = models::Store(options.folder).find(model);
    if (!found.adapter) return found.path;
    throw Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{} is an adapter; name its base, {}", model, found.base), "model",
        fmt::format("{}은(는) 어댑터입니다. 기본 모델 {}을(를) 쓰세요.", model, found.base));
}

std::string as_line(const MeasuredLayout& m, const MeasuredLayout& base, Language language) {
    std::string out = fmt::format(
        fmt::runtime(say(language, "{}{:>9}  decode {:7.1f} tok/s  prefill {:8.1f} tok/s",
                         "{}{:>9}  생성 {:7.1f} 토큰/초  입력 {:8.1f} 토큰/초")),
        fit_columns("  " + m.layout, 16), bytes_for_people(m.bytes), m.decode, m.prefill);
    if (m.perplexity > 0) {
        out += fmt::format("  {} {:.3f}", say(language, "perplexity", "퍼플렉서티"), m.perplexity);
        if (&m != &base)
            out += fmt::format(" ({:+.2f} %)", 100 * (m.perplexity / base.perplexity - 1));
    }
    return out + "\n";
}

std::string in_words(const WeightsChoice& choice, Language language) {
    std::string out = fit_columns(say(language, "weights", "가중치"), 16) + choice.layout + ": " +
                      std::string(say(language, choice.reason, choice.reason_korean)) + "\n";
    for (const MeasuredLayout& m : choice.measured) {
        out += as_line(m, choice.measured.front(), language);
    }
    return out;
}

}  // namespace

json::object weights_as_json(const WeightsChoice& choice) {
    json::array measured;
    for (const MeasuredLayout& m : choice.measured) {
        measured.push_back(json::object{{"layout", m.layout},
                                        {"bytes", m.bytes},
                                        {"decode_tokens_per_second", m.decode},
                                        {"prefill_tokens_per_second", m.prefill},
                                        {"perplexity", m.perplexity}});
    }
    return {{"layout", choice.layout},
            {"reason", choice.reason},
            {"measured", std::move(measured)},
            {"made_at", choice.made_at}};
}

std::optional<WeightsChoice> weights_choice(const ModelsOptions& options, const fs::path& file) {
    const models::WeightsCache cache(app::weights_folder(options.data));
    return cache.find(file);
}

std::string weights_in_words(const ModelsOptions& options, const fs::path& file) {
    if (const auto choice = weights_choice(options, file))
        return in_words(*choice, options.language);
    return fit_columns(say(options.language, "weights", "가중치"), 16) +
           std::string(say(options.language,
                           "as-published: not measured here yet (jikji models optimise)\n",
                           "as-published: 아직 측정하지 않았습니다(jikji models optimise).\n"));
}

void forget_weights(const ModelsOptions& options, const fs::path& file) {
    models::WeightsCache(app::weights_folder(options.data)).forget(file);
}

int models_optimise(const ModelsOptions& options, const std::string& model, bool everything,
                    bool background) {
    if (background) stand_back();
    const fs::path file = file_of(options, model);
    ProgressOptions how;
    if (options.quiet) how.style = ProgressStyle::kSilent;
    Progress progress(model, 0, ProgressUnit::kItems, how);
    std::string last;
    std::uint64_t steps = 0;
    const WeightsChoice choice =
        app::optimise(file, options.data, everything, [&](std::string_view step) {
            if (step == last) return;
            last = step;
            progress.update(++steps);
        });
    progress.finish(say(options.language, "measured", "측정했습니다"));
    if (options.json) {
        print(json::serialize(weights_as_json(choice)) + "\n");
    } else {
        print(in_words(choice, options.language));
    }
    return 0;
}

int models_perplexity(const ModelsOptions& options, const std::string& model,
                      const fs::path& text) {
    const std::string content = text.empty() ? std::string() : read_file(text, kTextBytes);
    const app::TextScore score = app::score_text(file_of(options, model), content);
    if (options.json) {
        print(json::serialize(json::object{
                  {"model", model}, {"perplexity", score.perplexity}, {"tokens", score.tokens}}) +
              "\n");
    } else {
        print(fmt::format(fmt::runtime(say(options.language, "perplexity {:.4f} ({} tokens)\n",
                                           "퍼플렉서티 {:.4f} ({}토큰)\n")),
                          score.perplexity, score.tokens));
    }
    return 0;
}

}  // namespace jikji::cli
