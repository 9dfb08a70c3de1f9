// jikji serve: the server in the foreground, until Ctrl-C.
#include <csignal>

#include "app/app.hpp"
#include "base/log.hpp"
#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/say.hpp"

namespace jikji::cli {
namespace {

app::AppOptions app_options(const ServeOptions& options) {
    app::AppOptions out;
    out.host = options.host;
    out.port = options.port;
    out.data = options.common.data;
    out.models = options.common.models;
    out.chat_model = options.chat_model;
    out.embedding_model = options.embedding_model;
    out.threads = options.threads;
    out.context = options.context;
    out.parallel = options.parallel;
    out.gap_ms = options.gap_ms;
    out.speculation = options.speculation;
    out.gpu_layers = options.gpu_layers;
    out.embedding_cache = static_cast<std::size_t>(options.embedding_cache) << 20;
    out.models_memory_mb = options.models_memory_mb;
    out.pinned = options.pinned;
    out.cache_memory_mb = options.cache_memory_mb;
    out.cache_disk_mb = options.cache_disk_mb;
    out.optimise_weights = options.weights == "auto";
    std::error_code unknown;  // without /proc nothing is measured by itself
    out.program = std::filesystem::read_symlink("/proc/self/exe", unknown);
    out.api_keys = options.api_keys;
    out.api_key_file = options.api_key_file;
    out.allowed_hosts = options.allowed_hosts;
    return out;
}

void tell_models(const app::App& app, Language language) {
    const auto name = [language](const std::string& model) {
        return model.empty() ? std::string(say(language, "none", "없음")) : model;
    };
    print(fmt::format("  {}: {}\n  {}: {}\n", say(language, "chat model", "대화 모델"),
                      name(app.chat_model()), say(language, "embedding model", "임베딩 모델"),
                      name(app.embedding_model())));
    if (!app.chat_model().empty() && !app.embedding_model().empty()) return;
    tell(language,
         "  get models with: jikji models pull smollm2-135m-instruct multilingual-e5-small",
         "  모델 받기: jikji models pull smollm2-135m-instruct multilingual-e5-small");
}

}  // namespace

int serve(const ServeOptions& options) {
    const Language language = options.common.language;
    set_log_level(log_level_from(options.log_level));
    app::App app(app_options(options));
    app.listen();
    print(fmt::format("{} {}\n", say(language, "jikji listens on", "직지 서버 주소:"), app.url()));
    print(fmt::format("  {}: {}/v1\n", say(language, "OpenAI base_url", "OpenAI base_url"),
                      app.url()));
    print(fmt::format("  {}: {}\n", say(language, "computes on", "계산 장치"), app.computes_on()));
    tell_models(app, language);
    print(fmt::format("{}\n", say(language, "Ctrl-C stops it.", "Ctrl-C를 누르면 멈춥니다.")));
    app.run();
    // What is left takes no longer than one step of the engine, and must not be broken off by a
    // supervisor that asks twice.
    std::signal(SIGTERM, SIG_IGN);
    print(fmt::format("{}\n", say(language, "jikji stopped.", "직지 서버가 멈췄습니다.")));
    return kDone;
}

}  // namespace jikji::cli
