#include "app/app.hpp"

#include <fmt/format.h>

#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include "api/services.hpp"
#include "app/model_folder.hpp"
#include "app/optimise.hpp"
#include "app/weights_keeper.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "http/server.hpp"
#include "metrics/registry.hpp"
#include "service/answer.hpp"
#include "service/chat.hpp"
#include "service/collections.hpp"
#include "service/embeddings.hpp"
#include "service/files.hpp"
#include "service/fine_tuning.hpp"
#include "service/prompt_library.hpp"
#include "service/response_cache.hpp"
#include "service/settings.hpp"
#include "service/stats.hpp"
#include "storage/database.hpp"
#include "web/assets.hpp"

namespace jikji::app {
namespace fs = std::filesystem;
namespace {

constexpr auto kHousekeeping = std::chrono::seconds(2);
// Handlers that wait for the engine or the disk; the engine itself takes one request at a time.
constexpr int kWorkers = 16;
// From Ctrl-C to the end of the answers that still run: below the server's own drain time, so that
// each stream gets a last event before its connection is cut.
constexpr auto kDrain = std::chrono::seconds(5);

FolderLock take_lock(const fs::path& data) {
    fs::create_directories(data);
    auto lock = FolderLock::take(data);
    if (lock) return std::move(*lock);
    const std::string holder = FolderLock::holder(data);
    throw Error(
        ErrorCode::kConflict,
        fmt::format("another jikji uses the data folder {} ({}); stop it, or give another "
                    "folder with --data",
                    data.string(), holder.empty() ? "it is starting" : holder),
        "data",
        fmt::format(
            "데이터 폴더 {}을(를) 다른 jikji가 쓰고 있습니다({}). 그것을 멈추거나 --data로 다른 "
            "폴더를 주세요.",
            data.string(), holder.empty() ? "시작하는 중" : holder));
}

std::uint64_t mebibytes(int count) { return static_cast<std::uint64_t>(count) << 20; }

/// What decides how much of a model goes on a GPU.
engine::EngineOptions gpu_options(const AppOptions& options) {
    engine::EngineOptions out;
    out.context = options.context;
    out.parallel = options.parallel;
    out.gpu_layers = options.gpu_layers;
    return out;
}

std::vector<std::string> key_hashes(const AppOptions& options) {
    std::vector<std::string> out;
    for (const std::string& key : options.api_keys) out.push_back(sha256_hex(key));
    if (options.api_key_file.empty()) return out;
    std::istringstream lines(read_file(options.api_key_file, 1 << 20));
    for (std::string line; std::getline(lines, line);) {
        line.erase(line.find_last_not_of(" \t\r") + 1);
        if (!line.empty() && line.front() != '#') out.push_back(sha256_hex(line));
    }
    if (out.empty()) {
        throw Error(
            ErrorCode::kInvalidArgument,
            options.api_key_file.string() + " holds no key; put one on a line", "api_key_file",
            options.api_key_file.string() + " 파일에 키가 없습니다. 한 줄에 하나씩 넣으세요.");
    }
    return out;
}

http::ServerOptions server_options(const AppOptions& options, metrics::Registry& registry,
                                   engine::Engine& engine, service::FineTuning& tuning) {
    http::ServerOptions out;
    out.host = options.host;
    out.port = options.port;
    out.api_key_hashes = key_hashes(options);
    out.allowed_hosts = options.allowed_hosts;
    out.stop_on_signals = options.stop_on_signals;
    out.workers = kWorkers;
    out.on_stopping = [&engine, &tuning] {
        engine.drain_until(std::chrono::steady_clock::now() + kDrain);
        tuning.stop();
    };
    out.on_finished = [&registry](const http::Finished& f) {
        registry
            .counter("jikji_http_requests_total", "HTTP requests that were answered",
                     {{"method", std::string(f.method)},
                      {"route", std::string(f.route)},
                      {"status", std::to_string(f.status)}})
            .add();
        registry
            .histogram("jikji_http_request_seconds", "From the request's head to the answer's end",
                       metrics::request_seconds_buckets(), {{"route", std::string(f.route)}})
            .observe(f.seconds);
    };
    return out;
}

service::FineTuningOptions training_options(const AppOptions& options) {
    service::FineTuningOptions out;
    out.folder = options.data / "training";
    out.models = options.models;
    std::error_code unknown;  // without /proc no job can be computed, and says so
    out.program =
        options.program.empty() ? fs::read_symlink("/proc/self/exe", unknown) : options.program;
    out.threads = options.threads;
    out.go_on = options.preload;
    return out;
}

void add_console(http::Router& router) {
    for (const web::Asset& asset : web::assets()) {
        http::Asset served;
        served.gzip = asset.gzip;
        served.content_type = asset.content_type;
        served.etag = asset.etag;
        served.content_security_policy = web::kContentSecurityPolicy;
        router.add_asset(std::string(asset.path), served);
    }
}

/// Runs `work` now and then in a thread of its own until it is destroyed.
class Housekeeper {
public:
    explicit Housekeeper(std::function<void()> work)
        : thread_([this, work = std::move(work)] {
              std::unique_lock lock(mutex_);
              while (!wake_.wait_for(lock, kHousekeeping, [&] { return stopping_; })) {
                  try {
                      work();
                  } catch (const std::exception& cause) {
                      log_error("", cause.what());
                  }
              }
          }) {}
    ~Housekeeper() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_all();
        thread_.join();
    }

private:
    std::mutex mutex_;
    std::condition_variable wake_;
    bool stopping_ = false;
    std::thread thread_;
};

}  // namespace

fs::path default_data_folder() {
    if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg == '/') {
        return fs::path(xdg) / "jikji";
    }
    const char* home = std::getenv("HOME");
    return fs::path(home != nullptr && *home != '\0' ? home : ".") / ".local/share/jikji";
}

// Members in the order in which they are built; each only knows those above it.
struct App::Rooms {
    explicit Rooms(AppOptions given)
        : options(std::move(given)),
          lock(take_lock(options.data)),
          database(options.data / "jikji.db"),
          engine({.context = options.context,
                  .parallel = options.parallel,
                  .threads = options.threads,
                  .speculation = options.speculation,
                  .gpu_layers = options.gpu_layers,
                  .queue = limits::kQueueLength,
                  .embedding_cache = options.embedding_cache,
                  .gap_seconds = options.gap_ms / 1000.0,
                  .cache_memory_bytes = mebibytes(options.cache_memory_mb),
                  .cache_disk_bytes = mebibytes(options.cache_disk_mb),
                  .cache_folder = options.data / "cache" / "kv",
                  .weights_cache = options.optimise_weights ? weights_folder(options.data) : "",
                  .models_memory_bytes = mebibytes(options.models_memory_mb)}),
          models(options.models, engine),
          chat_model(models.choose(options.chat_model, /*embedding=*/false)),
          embedding_model(models.choose(options.embedding_model, /*embedding=*/true)),
          settings(database),
          cache(limits::kCachedAnswers, limits::kCachedAnswerBytes),
          stats(database, registry),
          prompts(database),
          chat(engine, prompts, settings, cache, stats, chat_model),
          embeddings(engine, embedding_model),
          files(database, options.data / "files"),
          collections(database, files, service::encoder_of(embeddings)),
          answers(collections, chat, embedding_model),
          fine_tuning(database, files, engine, training_options(options)),
          services{engine,  chat,     embeddings, files, collections, answers,
                   prompts, settings, stats,      cache, registry,    fine_tuning},
          server((fill_router(), server_options(options, registry, engine, fine_tuning)), router),
          weights(options.program, options.data, options.models),
          housekeeper([this] {
              models.refresh();
              consider_weights();
              fine_tuning.refresh();
              stats.save();
          }) {}

    // The default models are what the server is for: they leave only if nothing else will do.
    void keep_models() {
        for (const std::string& name : {chat_model, embedding_model}) {
            if (!name.empty()) engine.keep(name, engine::Keep::kPreferred);
        }
        for (std::string& name : options.pinned) {
            name = models.choose(name, /*embedding=*/false);  // names what there is
            engine.keep(name, engine::Keep::kPinned);
        }
    }

    ~Rooms() {
        if (preloader.joinable()) preloader.join();
    }

    // Whatever loaded it: the start, or the first request that named it.
    void consider_weights() {
        if (!options.optimise_weights || !options.preload) return;
        for (const engine::ModelStatus& model : engine.models()) {
            if (!model.loaded || model.embedding) continue;
            if (const auto file = models.file_of(model.name)) weights.consider(model.name, *file);
        }
    }

    void fill_router() {
        keep_models();
        api::add_routes(router, services);
        add_console(router);
    }

    // A client that comes before this is done waits for the same load.
    void preload() {
        std::vector<std::string> names = options.pinned;
        names.insert(names.end(), {chat_model, embedding_model});
        for (const std::string& name : names) {
            if (name.empty()) continue;
            try {
                engine.load(name);
            } catch (const std::exception& cause) {
                log_error("", cause.what());
            }
        }
    }

    AppOptions options;
    FolderLock lock;
    storage::Database database;
    metrics::Registry registry;
    engine::Engine engine;
    ModelFolder models;
    std::string chat_model;
    std::string embedding_model;
    service::Settings settings;
    service::ResponseCache cache;
    service::Stats stats;
    service::PromptLibrary prompts;
    service::Chat chat;
    service::Embeddings embeddings;
    service::Files files;
    service::Collections collections;
    service::Answers answers;
    service::FineTuning fine_tuning;
    api::Services services;
    http::Router router;
    http::Server server;
    WeightsKeeper weights;
    std::thread preloader;
    Housekeeper housekeeper;
};

App::App(AppOptions options) {
    if (options.data.empty()) options.data = default_data_folder();
    if (options.models.empty()) options.models = options.data / "models";
    rooms_ = std::make_unique<Rooms>(std::move(options));
}

App::~App() = default;

void App::listen() {
    rooms_->server.listen();
    rooms_->lock.publish(fmt::format("{{\"url\":\"{}\"}}", url()));
    if (rooms_->options.preload) rooms_->preloader = std::thread([this] { rooms_->preload(); });
}

std::string App::url() const {
    const std::string& host = rooms_->options.host;
    // A wildcard address is no destination; from this machine loopback reaches it.
    const bool wildcard = host == "0.0.0.0" || host == "::";
    const std::string name = wildcard ? "127.0.0.1" : host;
    const bool v6 = name.find(':') != std::string::npos;
    return fmt::format("http://{}{}{}:{}", v6 ? "[" : "", name, v6 ? "]" : "",
                       rooms_->server.port());
}

void App::run() { rooms_->server.run(); }
void App::stop() { rooms_->server.stop(); }
std::string App::chat_model() const { return rooms_->chat_model; }
std::string App::embedding_model() const { return rooms_->embedding_model; }

std::string App::computes_on() const {
    const auto file = rooms_->models.file_of(rooms_->chat_model);
    return compute_devices(rooms_->options, file.value_or(""));
}

std::string compute_devices(const AppOptions& options, const fs::path& chat_model) {
    std::string out;
    if (options.gpu_layers == 0) return "CPU";
    for (const engine::Device& device : engine::devices()) {
        out += fmt::format("{}{} ({}, {:.1f} of {:.1f} GB free)", out.empty() ? "" : ", ",
                           device.name, device.description, static_cast<double>(device.free) / 1e9,
                           static_cast<double>(device.total) / 1e9);
    }
    if (out.empty()) return "CPU";
    if (chat_model.empty()) return out;
    try {
        return out + "; " + engine::in_words(engine::gpu_share(chat_model, gpu_options(options)));
    } catch (const Error&) {  // a damaged file: loading it says so
        return out;
    }
}

}  // namespace jikji::app
