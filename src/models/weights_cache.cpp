#include "models/weights_cache.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "models/file_identity.hpp"
#include "models/json_file.hpp"

namespace jikji::models {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

constexpr std::string_view kLayouts[] = {kAsPublished, "q8_0", "q4_0", "bf16"};

json::object as_json(const MeasuredLayout& m) {
    return {{"layout", m.layout},
            {"bytes", m.bytes},
            {"decode_tokens_per_second", m.decode},
            {"prefill_tokens_per_second", m.prefill},
            {"perplexity", m.perplexity}};
}

MeasuredLayout measured_from(const json::object& object) {
    return {.layout = text_of(object, "layout"),
            .bytes = number_of(object, "bytes"),
            .decode = real_of(object, "decode_tokens_per_second", 0),
            .prefill = real_of(object, "prefill_tokens_per_second", 0),
            .perplexity = real_of(object, "perplexity", 0)};
}

json::object as_json(const WeightsChoice& choice) {
    json::array measured;
    for (const MeasuredLayout& m : choice.measured) measured.push_back(as_json(m));
    return {{"layout", choice.layout},
            {"reason", choice.reason},
            {"reason_korean", choice.reason_korean},
            {"measured", std::move(measured)},
            {"made_at", choice.made_at},
            {"copy_sha256", choice.copy_sha256},
            {"copy_bytes", choice.copy_bytes}};
}

WeightsChoice choice_from(const json::object& object) {
    WeightsChoice out;
    out.layout = text_of(object, "layout");
    const auto* known = std::find(std::begin(kLayouts), std::end(kLayouts), out.layout);
    if (known == std::end(kLayouts)) {  // it becomes part of a path
        throw Error(ErrorCode::kRejected, "it names a layout that we do not know");
    }
    out.reason = text_of(object, "reason");
    out.reason_korean = text_of(object, "reason_korean");
    out.made_at = text_of(object, "made_at");
    out.copy_sha256 = text_of(object, "copy_sha256");
    out.copy_bytes = number_of(object, "copy_bytes");
    const json::value* measured = object.if_contains("measured");
    if (measured == nullptr || !measured->is_array()) return out;
    for (const json::value& one : measured->get_array()) {
        if (one.is_object()) out.measured.push_back(measured_from(one.get_object()));
    }
    return out;
}

bool as_written(const fs::path& copy, const WeightsChoice& choice) {
    std::error_code missing;
    if (fs::file_size(copy, missing) != choice.copy_bytes || missing) return false;
    return sha256_hex(MappedFile(copy).bytes()) == choice.copy_sha256;
}

}  // namespace

std::string cpu_name() {
    std::ifstream in("/proc/cpuinfo");
    std::string name, line;
    while (std::getline(in, line) && !line.empty()) {
        for (const char* wanted : {"model name", "cpu family", "model\t", "stepping"}) {
            if (line.starts_with(wanted)) name += line.substr(line.find(':') + 1);
        }
    }
    return name.empty() ? "unknown" : name.substr(1);
}

std::string WeightsCache::key_of(const fs::path& published) const {
    const std::string made_of =
        std::string(kBuild) + "\n" + cpu_name() + "\n" + file_identity(published);
    return sha256_hex(made_of).substr(0, 24);
}

fs::path WeightsCache::copy_of(const fs::path& published, const std::string& layout) const {
    return folder_ / (key_of(published) + "-" + layout + ".gguf");
}

std::optional<WeightsChoice> WeightsCache::find(const fs::path& published) const {
    const fs::path decision = folder_ / (key_of(published) + ".json");
    std::error_code ignored;
    if (!fs::exists(decision, ignored)) return std::nullopt;
    try {
        return choice_from(read_json_file(decision));
    } catch (const Error& error) {
        log_error("", decision.string() + " is not believed: " + error.what());
        return std::nullopt;
    }
}

void WeightsCache::save(const fs::path& published, const WeightsChoice& choice) const {
    fs::create_directories(folder_);
    json::object out = as_json(choice);
    out["file"] = published.filename().string();
    out["path"] = fs::absolute(published).string();
    out["cpu"] = cpu_name();
    out["build"] = kBuild;
    write_file_durably(folder_ / (key_of(published) + ".json"), json::serialize(out) + "\n");
    forget_replaced(published);
}

// A file that was replaced has another key; what was kept of the one before is of no more use.
void WeightsCache::forget_replaced(const fs::path& published) const {
    const std::string key = key_of(published), path = fs::absolute(published).string();
    std::vector<std::string> old;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
        if (entry.path().extension() != ".json" || entry.path().stem() == key) continue;
        try {
            const json::object decision = read_json_file(entry.path());
            const bool ours = text_of(decision, "cpu") == cpu_name();
            if (ours && text_of(decision, "path") == path) old.push_back(entry.path().stem());
        } catch (const Error&) {  // find() says it to whoever needs it
        }
    }
    for (const std::string& each : old) forget_key(each);
}

fs::path WeightsCache::file_for(const fs::path& published) const {
    const std::string key = key_of(published);
    const auto choice = find(published);
    if (!choice || choice->layout == kAsPublished) return published;
    const fs::path copy = folder_ / (key + "-" + choice->layout + ".gguf");
    try {
        if (as_written(copy, *choice)) return copy;
    } catch (const Error& error) {
        log_error("", error.what());
    }
    log_error("", copy.string() + " is not as it was written; the published weights are used");
    std::error_code ignored;
    fs::remove(copy, ignored);
    fs::remove(folder_ / (key + ".json"), ignored);
    return published;
}

void WeightsCache::forget(const fs::path& published) const { forget_key(key_of(published)); }

void WeightsCache::forget_key(const std::string& key) const {
    std::error_code ignored;
    fs::remove(folder_ / (key + ".json"), ignored);
    for (const std::string_view layout : kLayouts) {
        fs::remove(folder_ / (key + "-" + std::string(layout) + ".gguf"), ignored);
    }
}

}  // namespace jikji::models
