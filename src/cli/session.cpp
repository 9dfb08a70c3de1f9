#include "cli/session.hpp"

#include <boost/json.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <thread>

#include "app/app.hpp"
#include "base/error.hpp"
#include "base/file.hpp"
#include "base/log.hpp"

namespace jikji::cli {
namespace {

constexpr auto kStartTime = std::chrono::seconds(10);  // another process may be starting or ending
constexpr auto kTryAgain = std::chrono::milliseconds(100);

std::filesystem::path data_folder(const CommonOptions& options) {
    return options.data.empty() ? app::default_data_folder() : options.data;
}

/// The address that the holder of the folder published; empty if there is none (yet).
std::string published_url(const std::filesystem::path& data) {
    if (!std::filesystem::is_directory(data)) return {};
    boost::system::error_code bad;
    const auto value = boost::json::parse(FolderLock::holder(data), bad);
    if (bad || !value.is_object()) return {};
    const auto* url = value.as_object().if_contains("url");
    return url != nullptr && url->is_string() ? std::string(url->as_string()) : std::string();
}

}  // namespace

class Session::Own {
public:
    explicit Own(const CommonOptions& options) : app_(app_options(options)) {
        app_.listen();
        thread_ = std::thread([this] {
            try {
                app_.run();
            } catch (const std::exception& cause) {
                log_error("", cause.what());
            }
        });
    }
    ~Own() {
        app_.stop();
        thread_.join();
    }
    std::string url() const { return app_.url(); }

private:
    static app::AppOptions app_options(const CommonOptions& options) {
        app::AppOptions out;
        out.port = 0;
        out.data = options.data;
        out.models = options.models;
        out.stop_on_signals = false;
        out.preload = false;  // `prompts list` needs no model
        return out;
    }

    app::App app_;
    std::thread thread_;
};

Session::Session(const CommonOptions& options)
    : api_key_(options.api_key), language_(options.language) {
    const auto last_try = std::chrono::steady_clock::now() + kStartTime;
    while (true) {
        url_ = published_url(data_folder(options));
        if (!url_.empty()) return;
        try {
            own_ = std::make_unique<Own>(options);
            url_ = own_->url();
            return;
        } catch (const Error& error) {
            const bool held = error.code() == ErrorCode::kConflict && error.field() == "data";
            if (!held || std::chrono::steady_clock::now() > last_try) throw;
        }
        std::this_thread::sleep_for(kTryAgain);
    }
}

Session::~Session() = default;

http::Client Session::client(std::function<bool()> poll) const {
    http::ClientOptions options;
    options.url = url_;
    options.api_key = api_key_;
    options.language = language_ == Language::kKorean ? "ko" : "en";
    options.poll = std::move(poll);
    return http::Client(std::move(options));
}

}  // namespace jikji::cli
