#include "engine/weights.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <system_error>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/progress.hpp"
#include "engine/weights_measure.hpp"
#include "llama/context.hpp"
#include "llama/interleaved_weights.hpp"
#include "llama/log.hpp"
#include "models/gguf.hpp"
#include "models/machine_memory.hpp"

namespace jikji::engine {
namespace fs = std::filesystem;
namespace {

using llama::Layout;
using models::MeasuredLayout;
using models::WeightsChoice;

constexpr double kCoresLeast = 0.7;                 // of the threads' time must have been ours
constexpr auto kAbandoned = std::chrono::hours(1);  // nobody still writes to it
constexpr Layout kLayouts[] = {Layout::kQ8_0, Layout::kQ4_0, Layout::kBf16};

std::uint64_t bytes_in(Layout layout, std::uint64_t parameters) {
    if (layout == Layout::kQ8_0) return parameters / 32 * 34;
    if (layout == Layout::kQ4_0) return parameters / 32 * 18;
    return parameters * 2;
}

std::string type_of(Layout layout) {
    std::string out(llama::name_of(layout));
    for (char& c : out) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    return out;
}

/// A token reads all weights once. A copy can win by having fewer bytes, or by bytes that this CPU
/// multiplies at the rate of its memory where the published type's products are slower than that.
bool may_win(Layout layout, const models::ModelFacts& facts) {
    if (type_of(layout) == facts.quantisation) return false;
    const double ratio = static_cast<double>(bytes_in(layout, facts.parameters)) /
                         static_cast<double>(std::max<std::uint64_t>(1, facts.weight_bytes));
    if (llama::interleaves(facts.quantisation)) return layout == Layout::kQ8_0 && ratio < 0.9;
    if (layout == Layout::kBf16) return facts.quantisation == "F32";
    // 4 bits of what had more lose far more than the gate lets pass (decision 0009).
    if (layout == Layout::kQ4_0) return facts.quantisation.starts_with("Q4_");
    return ratio < 1.6;
}

void tell(const WeightsOptions& options, const std::string& step) {
    if (options.progress) options.progress(step);
}

void check_room(const models::WeightsCache& cache, const models::ModelFacts& facts,
                std::uint64_t copy_bytes) {
    fs::create_directories(cache.folder());
    std::error_code ignored;
    const fs::space_info space = fs::space(cache.folder(), ignored);
    if (!ignored && space.available < copy_bytes + copy_bytes / 16) {
        throw Error(ErrorCode::kDiskFull,
                    fmt::format("a copy of the weights takes {}, and the disk of {} has {}",
                                bytes_for_people(copy_bytes), cache.folder().string(),
                                bytes_for_people(space.available)),
                    {},
                    fmt::format("가중치 복사본은 {}가 필요한데 {} 디스크에는 {}만 남았습니다.",
                                bytes_for_people(copy_bytes), cache.folder().string(),
                                bytes_for_people(space.available)));
    }
    const std::uint64_t need = 2 * (facts.weight_bytes + copy_bytes);  // kept panels included
    const std::uint64_t have = models::memory_available();
    if (have != 0 && have < need) {
        throw Error(
            ErrorCode::kOverloaded,
            fmt::format("measuring takes {} of memory and {} are free; try again later",
                        bytes_for_people(need), bytes_for_people(have)),
            {},
            fmt::format("측정에 메모리 {}가 필요한데 {}만 비어 있습니다. 나중에 다시 하세요.",
                        bytes_for_people(need), bytes_for_people(have)));
    }
}

/// A copy on the disk under a temporary name; gone with the object unless it was kept.
class Copy {
public:
    Copy(const fs::path& target) : target_(target), path_(target) {
        path_ += fmt::format(".{}.part", hex(random_bytes(4)));
    }
    ~Copy() {
        std::error_code ignored;
        if (!kept_) fs::remove(path_, ignored);
    }
    Copy(const Copy&) = delete;
    const fs::path& path() const { return path_; }
    void keep() {
        sync_path(path_);
        fs::rename(path_, target_);
        kept_ = true;
        sync_path(target_);
    }

private:
    fs::path target_, path_;
    bool kept_ = false;
};

class Choosing {
public:
    Choosing(const models::WeightsCache& cache, const fs::path& published,
             const WeightsOptions& options, const models::ModelFacts& facts)
        : cache_(cache),
          published_(published),
          options_(options),
          facts_(facts),
          threads_(options.threads > 0 ? options.threads : llama::arithmetic_threads()) {}

    WeightsChoice run(const std::vector<Layout>& layouts) {
        for (const Layout layout : layouts) {
            check_room(cache_, facts_, bytes_in(layout, facts_.parameters));
        }
        tell(options_, "measuring the weights as published");
        model_ = std::make_shared<const llama::Model>(published_, llama::ModelOptions{});
        base_ = {.layout = models::kAsPublished, .bytes = fs::file_size(published_)};
        base_.perplexity = measure_perplexity(model_, {}, threads_).perplexity;
        measure({model_, &base_}, nullptr);
        for (const Layout layout : layouts) try_layout(layout);
        WeightsChoice choice = std::move(best_);
        choice.measured = std::move(others_);
        choice.measured.insert(choice.measured.begin(), base_);
        return choice;
    }

private:
    void measure(const Contender& a, const Contender* b) {
        if (measure_rates(a, b, threads_) >= kCoresLeast || options_.even_if_busy) return;
        throw Error(ErrorCode::kOverloaded,
                    "other programs took the cores while the weights were measured; do it again "
                    "when the machine is quiet",
                    {},
                    "가중치를 재는 동안 다른 프로그램이 코어를 썼습니다. 한가할 때 다시 하세요.");
    }

    void try_layout(Layout layout) {
        const std::string name(llama::name_of(layout));
        Copy copy(cache_.copy_of(published_, name));
        llama::requantise(published_, copy.path(), layout, threads_, [&](std::uint64_t bytes) {
            tell(options_, fmt::format("writing {}: {}", name, bytes_for_people(bytes)));
        });
        tell(options_, fmt::format("measuring {}", name));
        MeasuredLayout result{.layout = name, .bytes = fs::file_size(copy.path())};
        {
            const auto model =
                std::make_shared<const llama::Model>(copy.path(), llama::ModelOptions{});
            const Contender contender{model, &result};
            measure({model_, &base_}, &contender);
            if (options_.everything || faster(result)) {
                result.perplexity = measure_perplexity(model, {}, threads_).perplexity;
            }
        }
        others_.push_back(result);
        if (faster(result) && good_enough(base_, result) && turn_seconds(result) < best_seconds_) {
            take(copy, result);
        }
    }

    bool faster(const MeasuredLayout& copy) const {
        return turn_seconds(copy) * kGainLeast <= turn_seconds(base_);
    }

    void take(Copy& copy, const MeasuredLayout& result) {
        best_seconds_ = turn_seconds(result);
        best_.layout = result.layout;
        best_.copy_bytes = result.bytes;
        best_.copy_sha256 = sha256_hex(MappedFile(copy.path()).bytes());
        copy.keep();
    }

    const models::WeightsCache& cache_;
    const fs::path& published_;
    const WeightsOptions& options_;
    const models::ModelFacts& facts_;
    const int threads_;
    std::shared_ptr<const llama::Model> model_;
    MeasuredLayout base_;
    std::vector<MeasuredLayout> others_;
    WeightsChoice best_;
    double best_seconds_ = std::numeric_limits<double>::infinity();
};

std::string rise_of(const MeasuredLayout& base, const MeasuredLayout& other) {
    return fmt::format("{:+.2f} %", 100 * (other.perplexity / base.perplexity - 1));
}

void give_reason(WeightsChoice& choice) {
    const MeasuredLayout& base = choice.measured.front();
    if (choice.layout == models::kAsPublished) {
        choice.reason = "no copy is faster here and predicts as well";
        choice.reason_korean = "더 빠르면서 예측이 나빠지지 않는 복사본이 없습니다.";
        return;
    }
    for (const MeasuredLayout& m : choice.measured) {
        if (m.layout != choice.layout) continue;
        choice.reason = fmt::format("a turn takes {:.2f} of the time here, perplexity {}",
                                    turn_seconds(m) / turn_seconds(base), rise_of(base, m));
        choice.reason_korean =
            fmt::format("이 컴퓨터에서 한 번 답하는 시간이 {:.2f}배이고, 퍼플렉서티는 {}입니다.",
                        turn_seconds(m) / turn_seconds(base), rise_of(base, m));
    }
}

std::string now() {
    const std::time_t seconds = std::time(nullptr);
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", *std::gmtime(&seconds));
}

/// Copies of other choices, and what a run left that was killed.
void sweep(const models::WeightsCache& cache, const fs::path& published,
           const std::string& chosen) {
    std::error_code ignored;
    for (const Layout layout : kLayouts) {
        const fs::path copy = cache.copy_of(published, std::string(llama::name_of(layout)));
        if (chosen != llama::name_of(layout)) fs::remove(copy, ignored);
    }
    for (const auto& entry : fs::directory_iterator(cache.folder(), ignored)) {
        const auto age = fs::file_time_type::clock::now() - entry.last_write_time(ignored);
        if (entry.path().extension() == ".part" && age > kAbandoned) {
            fs::remove(entry.path(), ignored);
        }
    }
}

}  // namespace

TextScore score_text(const fs::path& file, std::string_view text, int threads) {
    llama::capture_log();
    const auto model = std::make_shared<const llama::Model>(file, llama::ModelOptions{});
    if (model->encoder_only()) {
        const std::string name = file.filename().string();
        throw Error(ErrorCode::kUnsupported, name + " makes vectors, and predicts no text", "model",
                    name + "은(는) 벡터를 만드는 모델이라 글을 예측하지 않습니다.");
    }
    return measure_perplexity(model, text, threads);
}

double turn_seconds(const MeasuredLayout& layout) {
    return 512 / layout.prefill + 128 / layout.decode;
}

bool good_enough(const MeasuredLayout& published, const MeasuredLayout& copy) {
    // Written so that NaN does not pass.
    return copy.perplexity > 0 && copy.perplexity <= published.perplexity * (1 + kRiseMost);
}

Candidates candidates_for(const models::ModelFacts& facts, const WeightsOptions& options) {
    Candidates out;
    if (facts.embedding) {
        out.reason = "models that make vectors are computed by a forward pass of our own";
        out.reason_korean = "벡터를 만드는 모델은 자체 순전파로 계산합니다.";
        return out;
    }
    if (facts.weight_bytes > options.bytes_most) {
        out.reason =
            fmt::format("not measured: {} is more than {}, and would take minutes",
                        bytes_for_people(facts.weight_bytes), bytes_for_people(options.bytes_most));
        out.reason_korean =
            fmt::format("측정하지 않음: {}로, {}보다 커서 몇 분이 걸립니다.",
                        bytes_for_people(facts.weight_bytes), bytes_for_people(options.bytes_most));
        return out;
    }
    for (const Layout layout : kLayouts) {
        const bool same = type_of(layout) == facts.quantisation;
        if (may_win(layout, facts) || (options.everything && !same)) out.layouts.push_back(layout);
    }
    if (!out.layouts.empty()) return out;
    out.reason = fmt::format(
        "{} is multiplied at the rate of this machine's memory; no copy that predicts as well "
        "can be faster",
        facts.quantisation);
    out.reason_korean =
        fmt::format("{}은(는) 메모리 속도로 계산되므로, 예측이 같으면서 더 빠른 복사본은 없습니다.",
                    facts.quantisation);
    return out;
}

bool choose_without_measuring(const models::WeightsCache& cache, const fs::path& published,
                              const WeightsOptions& options) {
    const auto facts = models::facts_of(models::GgufFile(published).gguf());
    Candidates candidates = candidates_for(facts, options);
    if (!candidates.layouts.empty()) return false;
    WeightsChoice choice;
    choice.reason = std::move(candidates.reason);
    choice.reason_korean = std::move(candidates.reason_korean);
    choice.made_at = now();
    cache.save(published, choice);
    return true;
}

WeightsChoice choose_weights(const models::WeightsCache& cache, const fs::path& published,
                             const WeightsOptions& options) {
    llama::capture_log();
    if (choose_without_measuring(cache, published, options)) return *cache.find(published);
    const auto facts = models::facts_of(models::GgufFile(published).gguf());
    const std::vector<Layout> layouts = candidates_for(facts, options).layouts;
    WeightsChoice choice = Choosing(cache, published, options, facts).run(layouts);
    give_reason(choice);
    choice.made_at = now();
    cache.save(published, choice);
    sweep(cache, published, choice.layout);
    return choice;
}

}  // namespace jikji::engine
