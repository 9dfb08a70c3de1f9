// How precise training's pass is on a real model, on the tokens of a text: losses against
// llama.cpp's logits (row 3 of the tests; with an adapter row 7), gradients in bfloat16 against
// float32 (row 2: the least cosine of a tensor, and lengths).
//
//   jikji_train_precision_bench MODEL TEXTFILE [--tokens N] [--threads N] [--rank N]
//                               [--targets all] [--adapter FILE]
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>

#include "llama/context.hpp"
#include "training/adapter_file.hpp"
#include "training/pass.hpp"

namespace {

using namespace jikji;
using namespace jikji::training;
using gemm::Precision;

struct Options {
    std::string model;
    std::string text;
    std::string adapter;
    int tokens = 1024;
    LoraOptions lora;
    PassOptions pass{.threads = 2};
};

Options parse(int argc, char** argv) {
    Options o;
    o.model = argc > 2 ? argv[1] : "";
    o.text = argc > 2 ? argv[2] : "";
    for (int i = 3; i + 1 < argc; i += 2) {
        const std::string name = argv[i], value = argv[i + 1];
        if (name == "--tokens") o.tokens = std::stoi(value);
        if (name == "--threads") o.pass.threads = std::stoi(value);
        if (name == "--adapter") o.adapter = value;
        if (name == "--rank") o.lora.rank = std::stoi(value);
        if (name == "--targets" && value == "all") {
            o.lora.targets = {Module::kQ,    Module::kK,  Module::kV,   Module::kO,
                              Module::kGate, Module::kUp, Module::kDown};
        }
    }
    return o;
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
            const double c = cosine(&narrow[from], &wide[from], count, ratio);
            if (c < 0.999 || std::abs(ratio - 1) > 0.02) {
                fmt::print("row 2: layer {} {} {}: cosine {:.5f}, length {:.4f}\n", pair.layer,
                           name_of(pair.module), from == pair.a ? 'A' : 'B', c, ratio);
            }
            least = std::min(least, c);
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

using Model = std::shared_ptr<const llama::Model>;

Pack pack_of(const Options& o, const llama::Model& model) {
    std::ifstream file(o.text);
    std::stringstream text;
    text << file.rdbuf();
    auto tokens = model.tokenize(text.str(), true, false);
    tokens.resize(std::min<std::size_t>(tokens.size(), static_cast<std::size_t>(o.tokens)));
    Pack pack{tokens, std::vector<std::uint8_t>(tokens.size(), 1), {0}, {0}};
    pack.learnt[0] = 0;
    return pack;
}

/// What llama.cpp makes of it, from its own logits.
Loss loss_in_llama(const Model& model, const std::string& adapter, const Pack& pack) {
    const int count = static_cast<int>(pack.tokens.size());
    llama::Context context(model, {.cells = count,
                                   .batch = count,
                                   .outputs = count,
                                   .threads = 2,
                                   .adapter = adapter});
    std::vector<llama::BatchToken> batch;
    for (int i = 0; i < count; ++i) {
        batch.push_back({pack.tokens[static_cast<std::size_t>(i)], i, 0, true});
    }
    context.decode(batch);
    Loss loss;
    for (; loss.tokens + 1 < count; ++loss.tokens) {
        const auto logits = context.logits(loss.tokens);
        const auto target = pack.tokens[static_cast<std::size_t>(loss.tokens) + 1];
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        loss.sum += std::log(sum) - static_cast<double>(logits[static_cast<std::size_t>(target)]);
        loss.right += std::max_element(logits.begin(), logits.end()) - logits.begin() == target;
    }
    return loss;
}

void print(const char* row, const char* who, const Loss& loss) {
    const double mean = loss.sum / loss.tokens;
    fmt::print("{}: {}: {:.5f} nats a token, perplexity {:.4f}, {} of {} right\n", row, who, mean,
               std::exp(mean), loss.right, loss.tokens);
}

void losses_here(const char* row, const Options& o, const BaseModel& base, const Lora& lora,
                 const Pack& pack) {
    for (const Precision p : {Precision::kF32, Precision::kBf16}) {
        PassOptions options = o.pass;
        options.precision = p;
        print(row, p == Precision::kF32 ? "float32" : "bfloat16",
              Pass(base, options).evaluate(pack, lora));
    }
}

void precision(const Options& o, const BaseModel& base) {
    const auto model = std::make_shared<llama::Model>(o.model, llama::ModelOptions{});
    const Pack pack = pack_of(o, *model);
    print("row 3", "llama.cpp", loss_in_llama(model, "", pack));
    losses_here("row 3", o, base, Lora(base.shape(), {}), pack);  // its B is zero
    if (!o.adapter.empty()) {
        print("row 7", "llama.cpp", loss_in_llama(model, o.adapter, pack));
        losses_here("row 7", o, base, read_adapter(o.adapter, base.shape()), pack);
    }
    gradients_of_both(o, base, pack);
}

}  // namespace

int main(int argc, char** argv) {
    const Options o = parse(argc, argv);
    const BaseModel base(o.model);
    precision(o, base);
}
