#include "training/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <sstream>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/log.hpp"
#include "models/gguf.hpp"

namespace jikji::training {
namespace fs = std::filesystem;
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kKept = 2;
constexpr const char* kTensors[] = {"lora.values", "adamw.first", "adamw.second"};
constexpr const char* kSum = "jikji.checkpoint.sha256";
constexpr const char* kHead = "jikji.checkpoint.head";
constexpr const char* kIdentity = "jikji.checkpoint.identity";

std::string_view bytes_of(std::span<const float> values) {
    return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::string text_of(const std::optional<HeldOutLoss>& loss) {
    if (!loss) return "- - -";
    return fmt::format("{} {} {}", loss->step, loss->loss, loss->right);
}

/// Numbers as texts that give the same bits when they are read again.
std::string head_text(const CheckpointHead& head) {
    return fmt::format("{} {} {} {} {} {}", head.step, head.tokens, head.loss, head.right,
                       text_of(head.base), text_of(head.held_out));
}

std::string sum_of(const std::string& head, const std::string& identity,
                   std::span<const float> values, std::span<const float> first,
                   std::span<const float> second) {
    Sha256 sum;
    sum.update(fmt::format("{} {} {}\n", kVersion, head.size(), identity.size()));
    sum.update(head);
    sum.update(identity);
    for (const auto& array : {values, first, second}) sum.update(bytes_of(array));
    return sum.finish_hex();
}

[[noreturn]] void unsound(const fs::path& file, std::string_view what) {
    throw Error(ErrorCode::kRejected,
                fmt::format("the checkpoint {} is not whole: {}", file.filename().string(), what),
                "checkpoint",
                fmt::format("체크포인트 {}이(가) 온전하지 않습니다.", file.filename().string()));
}

template <typename T>
T number(std::istringstream& words, const fs::path& file) {
    std::string word;
    words >> word;
    T out{};
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), out);
    if (error != std::errc() || end != word.data() + word.size()) unsound(file, "a number");
    return out;
}

std::optional<HeldOutLoss> held_out_from(std::istringstream& words, const fs::path& file) {
    words >> std::ws;
    if (words.peek() == '-') {
        std::string none;
        words >> none >> none >> none;
        return std::nullopt;
    }
    HeldOutLoss out;
    out.step = number<std::int64_t>(words, file);
    out.loss = number<double>(words, file);
    out.right = number<double>(words, file);
    return out;
}

CheckpointHead head_from(const std::string& text, std::string identity, const fs::path& file) {
    std::istringstream words(text);
    CheckpointHead head;
    head.step = number<std::int64_t>(words, file);
    head.tokens = number<std::int64_t>(words, file);
    head.loss = number<double>(words, file);
    head.right = number<double>(words, file);
    head.base = held_out_from(words, file);
    head.held_out = held_out_from(words, file);
    head.identity = std::move(identity);
    return head;
}

std::vector<float> array_from(const models::GgufFile& gguf, const char* name,
                              const fs::path& file) {
    const auto& tensors = gguf.gguf().tensors;
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const models::GgufTensor& t) { return t.name == name; });
    if (found == tensors.end() || found->type->id != models::kF32) unsound(file, name);
    std::vector<float> out(found->values);
    std::memcpy(out.data(), gguf.bytes().data() + found->offset, found->bytes);
    return out;
}

/// Steps in the file's name; nothing if it is not a checkpoint's.
std::optional<std::int64_t> steps_in(const fs::path& file) {
    std::string name = file.filename().string();
    if (!name.starts_with("ckpt-") || !name.ends_with(".gguf")) return std::nullopt;
    name = name.substr(5, name.size() - 10);
    std::int64_t steps = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), steps);
    if (error != std::errc() || end != name.data() + name.size()) return std::nullopt;
    return steps;
}

/// Most steps first.
std::vector<fs::path> checkpoints_in(const fs::path& folder) {
    std::vector<fs::path> out;
    std::error_code missing;
    for (const auto& entry : fs::directory_iterator(folder, missing)) {
        if (steps_in(entry.path())) out.push_back(entry.path());
    }
    std::sort(out.begin(), out.end(),
              [](const auto& a, const auto& b) { return *steps_in(a) > *steps_in(b); });
    return out;
}

/// Leaves the newest `kept`. Whether something went.
bool drop_older(const fs::path& folder, std::size_t kept) {
    const std::vector<fs::path> all = checkpoints_in(folder);
    bool dropped = false;
    std::error_code ignored;
    for (std::size_t i = kept; i < all.size(); ++i) {
        dropped = fs::remove(all[i], ignored) || dropped;
    }
    return dropped;
}

void write_with_room(const models::GgufWriter& writer, const fs::path& file) {
    try {
        writer.write(file);
    } catch (const Error& cause) {  // the older of two makes room for a third
        if (cause.code() != ErrorCode::kDiskFull || !drop_older(file.parent_path(), 1)) throw;
        writer.write(file);
    }
}

}  // namespace

fs::path write_checkpoint(const fs::path& folder, const CheckpointHead& head,
                          std::span<const float> values, std::span<const float> first,
                          std::span<const float> second) {
    models::GgufWriter writer;
    const std::string text = head_text(head);
    writer.set("general.type", "jikji-checkpoint");
    writer.set_number("jikji.checkpoint.version", kVersion);
    writer.set(kHead, text);
    writer.set(kIdentity, head.identity);
    writer.set(kSum, sum_of(text, head.identity, values, first, second));
    const std::span<const float> arrays[] = {values, first, second};
    for (std::size_t i = 0; i < std::size(arrays); ++i) {
        writer.add_tensor(kTensors[i], {arrays[i].size()}, models::kF32,
                          [array = arrays[i]] { return std::string(bytes_of(array)); });
    }
    const fs::path file = folder / fmt::format("ckpt-{}.gguf", head.step);
    write_with_room(writer, file);
    drop_older(folder, kKept);
    return file;
}

Checkpoint read_checkpoint(const fs::path& file) {
    const models::GgufFile gguf(file);
    if (gguf.gguf().number("jikji.checkpoint.version") != kVersion) unsound(file, "its version");
    Checkpoint out;
    out.values = array_from(gguf, kTensors[0], file);
    out.first = array_from(gguf, kTensors[1], file);
    out.second = array_from(gguf, kTensors[2], file);
    const std::string head = gguf.gguf().text(kHead);
    const std::string identity = gguf.gguf().text(kIdentity);
    if (sum_of(head, identity, out.values, out.first, out.second) != gguf.gguf().text(kSum)) {
        unsound(file, "its sum differs");
    }
    out.head = head_from(head, identity, file);
    return out;
}

std::optional<Checkpoint> newest_checkpoint(const fs::path& folder) {
    for (const fs::path& file : checkpoints_in(folder)) {
        try {
            return read_checkpoint(file);
        } catch (const Error& cause) {
            log_warn(fmt::format("{}; the one before it is used", cause.what()));
        }
    }
    return std::nullopt;
}

void remove_unfinished(const fs::path& folder) {
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(folder, ignored)) {
        const std::string name = entry.path().filename().string();
        const bool ours = name.starts_with("ckpt-") || name.starts_with("adapter.gguf.") ||
                          name.starts_with("metrics.csv.") || name.starts_with("loss.svg.");
        if (ours && name.ends_with(".part")) fs::remove(entry.path(), ignored);
    }
}

std::string difference(const std::string& then, const std::string& now) {
    std::istringstream before(then), after(now);
    std::string a, b;
    while (true) {
        const bool more_a = static_cast<bool>(std::getline(before, a));
        const bool more_b = static_cast<bool>(std::getline(after, b));
        if (!more_a && !more_b) return {};
        if (more_a && more_b && a == b) continue;
        const std::string name = more_b ? b.substr(0, b.find('=')) : a.substr(0, a.find('='));
        const auto value = [](bool there, const std::string& line) {
            return there ? line.substr(line.find('=') + 1) : std::string("nothing");
        };
        return fmt::format("{}: {} then, {} now", name, value(more_a, a), value(more_b, b));
    }
}

}  // namespace jikji::training
