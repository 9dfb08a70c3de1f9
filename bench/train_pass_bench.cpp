// Speed, memory and precision of training's forward and backward pass on a real model.
//
//   jikji_train_pass_bench MODEL [--tokens N] [--samples N] [--learnt PERCENT] [--threads N]
//                          [--passes N] [--targets all] [--rank N] [--weights MB]
//                          [--activations MB] [--float32] [--precision TEXTFILE]
//
// Speed: passes over random tokens, the first one apart. --precision: bfloat16 against float32 (row
// 2: cosine and length of each tensor's gradient) and both against llama.cpp's logits (row 3), on
// the text's tokens.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>

#include "llama/context.hpp"
#include "training/pass.hpp"

namespace {

using namespace jikji;
using namespace jikji::training;
using gemm::Precision;
using Clock = std::chrono::steady_clock;

struct Options {
    std::string model;
    std::string text;
    int tokens = 1024;
    int samples = 4;
    int learnt_percent = 50;
    int passes = 3;
    LoraOptions lora;
    PassOptions pass{.threads = 2};
};

Options parse(int argc, char** argv) {
    Options o;
    o.model = argc > 1 ? argv[1] : "";
    for (int i = 2; i < argc; ++i) {
        const std::string name = argv[i];
        if (name == "--float32") {
            o.pass.precision = Precision::kF32;
            continue;
        }
        const std::string value = i + 1 < argc ? argv[++i] : "";
        if (name == "--tokens") o.tokens = std::stoi(value);
        if (name == "--samples") o.samples = std::stoi(value);
        if (name == "--learnt") o.learnt_percent = std::stoi(value);
        if (name == "--passes") o.passes = std::stoi(value);
        if (name == "--threads") o.pass.threads = std::stoi(value);
        if (name == "--rank") o.lora.rank = std::stoi(value);
        if (name == "--weights") o.pass.weight_bytes_most = std::stoull(value) << 20;
        if (name == "--activations") o.pass.activation_bytes_most = std::stoull(value) << 20;
        if (name == "--precision") o.text = value;
        if (name == "--targets" && value == "all") {
            o.lora.targets = {Module::kQ,    Module::kK,  Module::kV,   Module::kO,
                              Module::kGate, Module::kUp, Module::kDown};
        }
    }
    return o;
}

Pack random_pack(const Options& o, int vocabulary) {
    std::mt19937_64 random(1);
    Pack pack;
    for (int i = 0; i < o.tokens; ++i) {
        pack.tokens.push_back(
            static_cast<Token>(random() % static_cast<std::uint64_t>(vocabulary)));
        pack.learnt.push_back(static_cast<int>(random() % 100) < o.learnt_percent && i > 0 ? 1 : 0);
    }
    for (int s = 0; s < o.samples; ++s) {
        pack.starts.push_back(o.tokens * s / o.samples);
        pack.samples.push_back(static_cast<std::uint64_t>(s));
    }
    return pack;
}

Lora random_lora(const Shape& shape, const LoraOptions& options) {
    Lora lora(shape, options);
    lora.initialise(1);
    std::mt19937_64 random(2);
    std::normal_distribution<float> normal(0, 0.01F);
    for (const LoraPair& pair : lora.pairs()) {
        for (std::size_t i = 0; i < lora.b(pair).size(); ++i) {
            lora.values()[pair.b + i] = normal(random);
        }
    }
    return lora;
}

long kib_of(const char* key) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(key)) return std::stol(line.substr(std::strlen(key)));
    }
    return 0;
}

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void speed(const Options& o, const BaseModel& base) {
    auto start = Clock::now();
    Pass pass(base, o.pass);
    fmt::print("weights: {:.2f} s, {} MB kept\n", seconds_since(start), pass.weight_bytes() >> 20);
    const Pack pack = random_pack(o, base.shape().vocabulary);
    const Lora lora = random_lora(base.shape(), o.lora);
    std::vector<float> gradients(lora.values().size());
    const int length = o.tokens / o.samples;
    const double flops = (Pass::forward_flops(base.shape(), o.lora, length) +
                          Pass::backward_flops(base.shape(), o.lora, length)) *
                         o.tokens;
    for (int i = 0; i <= o.passes; ++i) {
        start = Clock::now();
        const Loss loss = pass.train(pack, lora, {1, static_cast<std::uint64_t>(i)}, 1, gradients);
        const double seconds = seconds_since(start);
        fmt::print(
            "train {}: {:.3f} s, {:.0f} tokens/s, {:.0f} GFLOP/s (whole head), loss {:.4f}\n", i,
            seconds, o.tokens / seconds, flops / seconds / 1e9, loss.sum / loss.tokens);
    }
    start = Clock::now();
    pass.evaluate(pack, lora);
    fmt::print("evaluate: {:.3f} s\npeak memory: {} MB, of these of files: {} MB\n",
               seconds_since(start), kib_of("VmHWM:") >> 10, kib_of("RssFile:") >> 10);
}

double cosine(const float* x, const float* y, std::size_t count, double& ratio) {
    double dot = 0, xx = 0, yy = 0;
    for (std::size_t i = 0; i < count; ++i) {
        dot += static_cast<double>(x[i]) * static_cast<double>(y[i]);
        xx += static_cast<double>(x[i]) * static_cast<double>(x[i]);
        yy += static_cast<double>(y[i]) * static_cast<double>(y[i]);
    }
    ratio = std::sqrt(xx / yy);
    return dot / std::sqrt(xx * yy);
}

void gradients_of_both(const Options& o, const BaseModel& base, const Pack& pack) {
    const Lora lora = random_lora(base.shape(), o.lora);
    std::vector<float> wide(lora.values().size()), narrow(lora.values().size());
    PassOptions options = o.pass;
    options.precision = Precision::kF32;
    const Loss wide_loss = Pass(base, options).train(pack, lora, {1, 1}, 1, wide);
    options.precision = Precision::kBf16;
    const Loss narrow_loss = Pass(base, options).train(pack, lora, {1, 1}, 1, narrow);
    double least = 1, ratio_least = 1e9, ratio_most = 0;
    for (const LoraPair& pair : lora.pairs()) {
        for (const auto& [from, count] :
             {std::pair(pair.a, lora.a(pair).size()), std::pair(pair.b, lora.b(pair).size())}) {
            double ratio = 1;
            least = std::min(least, cosine(&narrow[from], &wide[from], count, ratio));
            ratio_least = std::min(ratio_least, ratio);
            ratio_most = std::max(ratio_most, ratio);
        }
    }
    fmt::print(
        "row 2: losses {:.5f} (float32) {:.5f} (bfloat16); gradients: least cosine {:.5f}, "
        "lengths {:.4f} to {:.4f}\n",
        wide_loss.sum / wide_loss.tokens, narrow_loss.sum / narrow_loss.tokens, least, ratio_least,
        ratio_most);
}

void precision(const Options& o, const BaseModel& base) {
    std::ifstream file(o.text);
    std::stringstream text;
    text << file.rdbuf();
    const auto model = std::make_shared<llama::Model>(o.model, llama::ModelOptions{});
    auto tokens = model->tokenize(text.str(), true, false);
    tokens.resize(std::min<std::size_t>(tokens.size(), static_cast<std::size_t>(o.tokens)));
    Pack pack{tokens, std::vector<std::uint8_t>(tokens.size(), 1), {0}, {0}};
    pack.learnt[0] = 0;
    const int count = static_cast<int>(tokens.size());
    llama::Context context(model, {.cells = count, .batch = count, .outputs = count, .threads = 2});
    std::vector<llama::BatchToken> batch;
    for (int i = 0; i < count; ++i)
        batch.push_back({tokens[static_cast<std::size_t>(i)], i, 0, true});
    context.decode(batch);
    double wanted = 0;
    int right = 0;
    for (int i = 0; i + 1 < count; ++i) {
        const auto logits = context.logits(i);
        const auto target = static_cast<std::size_t>(tokens[static_cast<std::size_t>(i) + 1]);
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        wanted += std::log(sum) - static_cast<double>(logits[target]);
        right += std::max_element(logits.begin(), logits.end()) - logits.begin() ==
                 static_cast<long>(target);
    }
    fmt::print("row 3: {} tokens; llama.cpp {:.5f} nats, {} right\n", count, wanted / (count - 1),
               right);
    const Lora none(base.shape(), {});
    for (const Precision p : {Precision::kF32, Precision::kBf16}) {
        PassOptions options = o.pass;
        options.precision = p;
        const Loss loss = Pass(base, options).evaluate(pack, none);
        fmt::print("row 3: {}: {:.5f} nats, {} right\n",
                   p == Precision::kF32 ? "float32" : "bfloat16", loss.sum / loss.tokens,
                   loss.right);
    }
    gradients_of_both(o, base, pack);
}

}  // namespace

int main(int argc, char** argv) {
    const Options o = parse(argc, argv);
    const BaseModel base(o.model);
    if (o.text.empty()) {
        speed(o, base);
    } else {
        precision(o, base);
    }
}
