// How precise training's pass is on a real model, on the tokens of a text: losses against
// llama.cpp's logits (row 3 of the tests; with an adapter row 7), gradients in bfloat16 against
// float32 (row 2: the least cosine of a tensor, and lengths). Prints one line of JSON; the rows of
// `./dev bench train` are made of it.
//
//   jikji_train_precision_bench MODEL TEXTFILE [--tokens N] [--threads N] [--rank N]
//                               [--targets all] [--adapter FILE] [--places N]
#include <fmt/core.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <string>

#include "llama/context.hpp"
#include "llama/log.hpp"
#include "training/adapter_file.hpp"
#include "training/pass.hpp"

namespace {

using namespace jikji;
namespace json = boost::json;
using namespace jikji::training;
using gemm::Precision;

struct Options {
    std::string model;
    std::string text;
    std::string adapter;
    int places = 0;  // at which best guesses are compared, in the first 400 tokens
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
        if (name == "--places") o.places = std::stoi(value);
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

/// Gradients in bfloat16 against those in float32, tensor by tensor.
json::object gradients_of_both(const Options& o, const BaseModel& base, const Pack& pack) {
    const Lora lora = random_lora(base.shape(), o.lora);
    std::vector<float> wide(lora.values().size()), narrow(lora.values().size());
    PassOptions options = o.pass;
    options.precision = Precision::kF32;
    Pass(base, options).train(pack, lora, {1, 1}, 1, wide);
    options.precision = Precision::kBf16;
    Pass(base, options).train(pack, lora, {1, 1}, 1, narrow);
    double least = 1, shortest = 1e9, longest = 0;
    for (const LoraPair& pair : lora.pairs()) {
        for (const auto& [from, count] :
             {std::pair(pair.a, lora.a(pair).size()), std::pair(pair.b, lora.b(pair).size())}) {
            double ratio = 1;
            least = std::min(least, cosine(&narrow[from], &wide[from], count, ratio));
            shortest = std::min(shortest, ratio);
            longest = std::max(longest, ratio);
        }
    }
    return {{"cosine", least}, {"shortest", shortest}, {"longest", longest}};
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

struct Guesses {
    double nats = 0;                    // a token, but the first
    std::vector<training::Token> best;  // after each token
};

/// What llama.cpp makes of it, from its own logits.
Guesses guesses_of_llama(const Model& model, const std::string& adapter, const Pack& pack) {
    const int count = static_cast<int>(pack.tokens.size());
    llama::Context context(
        model,
        {.cells = count, .batch = count, .outputs = count, .threads = 2, .adapter = adapter});
    std::vector<llama::BatchToken> batch;
    for (int i = 0; i < count; ++i) {
        batch.push_back({pack.tokens[static_cast<std::size_t>(i)], i, 0, true});
    }
    context.decode(batch);
    Guesses out;
    for (int i = 0; i < count; ++i) {
        const auto logits = context.logits(i);
        out.best.push_back(static_cast<training::Token>(
            std::max_element(logits.begin(), logits.end()) - logits.begin()));
        if (i + 1 == count) break;
        const auto target = static_cast<std::size_t>(pack.tokens[static_cast<std::size_t>(i) + 1]);
        double sum = 0;
        for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
        out.nats += (std::log(sum) - static_cast<double>(logits[target])) / (count - 1);
    }
    return out;
}

/// The share of `places` over the text's first 400 tokens (each costs a pass of what is before it)
/// at which our best guess is llama.cpp's: its guess is what
/// comes next there, and a pass says whether that was the likeliest.
double agreement(Pass& pass, const Lora& lora, const Pack& pack, const Guesses& wanted,
                 int places) {
    const std::size_t tokens = std::min<std::size_t>(pack.tokens.size(), 400);
    int same = 0;
    for (int place = 1; place <= places; ++place) {
        const std::size_t count =
            static_cast<std::size_t>(place) * tokens / static_cast<std::size_t>(places);
        Pack part{{pack.tokens.begin(), pack.tokens.begin() + static_cast<std::ptrdiff_t>(count)},
                  std::vector<std::uint8_t>(count, 0),
                  {0},
                  {0}};
        part.tokens.push_back(wanted.best[count - 1]);
        part.learnt.push_back(1);
        same += pass.evaluate(part, lora).right;
    }
    return same / static_cast<double>(places);
}

json::object losses(const Options& o, const BaseModel& base, const Lora& lora,
                    const std::string& adapter, const Model& model, const Pack& pack) {
    const Guesses wanted = guesses_of_llama(model, adapter, pack);
    json::object out{{"llama", wanted.nats}};
    for (const Precision p : {Precision::kF32, Precision::kBf16}) {
        PassOptions options = o.pass;
        options.precision = p;
        Pass pass(base, options);
        const Loss loss = pass.evaluate(pack, lora);
        const std::string name = p == Precision::kF32 ? "f32" : "bf16";
        out[name] = loss.sum / loss.tokens;
        if (o.places > 0) {
            out[name + "_agreement"] = agreement(pass, lora, pack, wanted, o.places);
        }
    }
    return out;
}

void precision(const Options& o, const BaseModel& base) {
    const auto model = std::make_shared<llama::Model>(o.model, llama::ModelOptions{});
    const Pack pack = pack_of(o, *model);
    const Lora none(base.shape(), {});  // its B is zero
    json::object out{{"tokens", pack.tokens.size()},
                     {"base", losses(o, base, none, "", model, pack)},
                     {"gradients", gradients_of_both(o, base, pack)}};
    if (!o.adapter.empty()) {
        out["adapted"] =
            losses(o, base, read_adapter(o.adapter, base.shape()), o.adapter, model, pack);
    }
    fmt::print("{}\n", json::serialize(out));
}

}  // namespace

int main(int argc, char** argv) {
    const Options o = parse(argc, argv);
    llama::capture_log();
    const BaseModel base(o.model);
    precision(o, base);
}
