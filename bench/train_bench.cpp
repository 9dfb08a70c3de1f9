// What `./dev bench train` runs of Jikji beside the whole job: the samples as the trainer sees
// them, so that others can compute on the same; a few steps in their order; and how long forward
// and backward take. Prints JSON.
//   jikji_train_bench samples MODEL DATA
//   jikji_train_bench steps MODEL SAMPLES [--initial FILE] [--final FILE] [--steps N] [--batch N]
//                     [--precision f32|bf16] [--rate R] [--dropout P] [--threads N] [--held FILE]
//                     [--memory-mb N]
//   jikji_train_bench parts MODEL [--tokens N] [--length N] [--precision …] [--threads N]
#include <fmt/format.h>
#include <sys/resource.h>

#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "llama/log.hpp"
#include "llama/model.hpp"
#include "models/machine_memory.hpp"
#include "training/base_model.hpp"
#include "training/dataset.hpp"
#include "training/model_tokeniser.hpp"
#include "training/optimiser.hpp"
#include "training/pass.hpp"

namespace json = boost::json;
using namespace jikji;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int kLengthMost = 2048;  // tokens of a sample

double since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Arguments {
    std::string word, model, file;
    std::map<std::string, std::string> options;

    std::string text(const std::string& name, const std::string& otherwise) const {
        const auto at = options.find(name);
        return at == options.end() ? otherwise : at->second;
    }
    double number(const std::string& name, double otherwise) const {
        return std::stod(text(name, std::to_string(otherwise)));
    }
    int whole(const std::string& name, int otherwise) const {
        return std::stoi(text(name, std::to_string(otherwise)));
    }
    /// As a job takes it (training/job_prepare.cpp).
    training::PassOptions pass(const training::BaseModel& base) const {
        training::PassOptions out{.threads = whole("threads", 2)};
        if (text("precision", "") == "f32") out.precision = gemm::Precision::kF32;
        if (const int mib = whole("memory-mb", 0); mib > 0) {
            return training::within(out, static_cast<std::uint64_t>(mib) << 20);
        }
        return training::within_free(out, base, models::memory_available());
    }
};

Arguments parse(int argc, char** argv) {
    Arguments arguments;
    std::vector<std::string> words;
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word.starts_with("--") && i + 1 < argc) {
            arguments.options[word.substr(2)] = argv[++i];
        } else {
            words.push_back(word);
        }
    }
    words.resize(3);
    arguments.word = words[0];
    arguments.model = words[1];
    arguments.file = words[2];
    return arguments;
}

void print_samples(const Arguments& arguments) {
    const auto model = std::make_shared<const llama::Model>(
        arguments.model, llama::ModelOptions{.vocab_only = true});
    auto records = training::read_records(arguments.file, arguments.file);
    const auto samples =
        training::to_samples(records, training::tokeniser_of(model),
                             training::TemplateChoice::kAuto, kLengthMost, records.report);
    for (const training::Sample& sample : samples) {
        fmt::print("{}\n",
                   json::serialize(json::object{{"tokens", json::value_from(sample.tokens)},
                                                {"learnt", json::value_from(sample.learnt)}}));
    }
}

std::vector<training::Sample> read_samples(const std::string& file) {
    std::vector<training::Sample> samples;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const json::value value = json::parse(line);
        samples.push_back({json::value_to<std::vector<training::Token>>(value.at("tokens")),
                           json::value_to<std::vector<std::uint8_t>>(value.at("learnt"))});
    }
    return samples;
}

void set_initial(training::Lora& lora, const std::string& file) {
    if (file.empty()) return lora.initialise(1);
    std::ifstream in(file);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    const auto values = json::value_to<std::vector<float>>(json::parse(text));
    if (values.size() != lora.values().size()) throw std::runtime_error("initial values: size");
    std::copy(values.begin(), values.end(), lora.values().begin());
}

double peak_gb() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_maxrss) / 1e6;
}

class Steps {
public:
    Steps(const Arguments& arguments, const training::BaseModel& base)
        : batch_(static_cast<std::size_t>(arguments.whole("batch", 4))),
          samples_(read_samples(arguments.file)),
          options_{.learning_rate = arguments.number("rate", 3e-4)},
          lora_(base.shape(), {.dropout = static_cast<float>(arguments.number("dropout", 0))}),
          pass_(base, arguments.pass(base)),
          optimiser_(options_, lora_.values().size()) {
        set_initial(lora_, arguments.text("initial", ""));
    }

    double step(int number) {
        std::vector<const training::Sample*> batch;
        std::vector<std::uint64_t> numbers;
        const std::size_t batches = (samples_.size() + batch_ - 1) / batch_;
        const std::size_t first = static_cast<std::size_t>(number) % batches * batch_;
        int learnt = 0;
        for (std::size_t i = first; i < std::min(first + batch_, samples_.size()); ++i) {
            batch.push_back(&samples_[i]);
            numbers.push_back(i);
            tokens_ += static_cast<double>(samples_[i].tokens.size());
            learnt += samples_[i].learnt_count();
        }
        std::vector<float> gradients(lora_.values().size());
        double sum = 0;
        for (const training::Pack& pack : training::pack(batch, numbers, 1024)) {
            sum += pass_
                       .train(pack, lora_, {1, static_cast<std::uint64_t>(number)},
                              1.0F / static_cast<float>(learnt), gradients)
                       .sum;
        }
        optimiser_.step(lora_.values(), gradients, options_.learning_rate);
        return sum / learnt;
    }

    /// Nats a token, over samples that are not learnt.
    double held_out(const std::string& file) {
        training::Loss all;
        for (const training::Sample& sample : read_samples(file)) {
            const std::vector<const training::Sample*> one{&sample};
            const std::vector<std::uint64_t> number{0};
            for (const training::Pack& pack : training::pack(one, number, 1024)) {
                const training::Loss loss = pass_.evaluate(pack, lora_);
                all.sum += loss.sum;
                all.tokens += loss.tokens;
            }
        }
        return all.sum / all.tokens;
    }

    double tokens() const { return tokens_; }
    const training::Lora& lora() const { return lora_; }

private:
    std::size_t batch_;
    std::vector<training::Sample> samples_;
    training::OptimiserOptions options_;
    training::Lora lora_;
    training::Pass pass_;
    training::AdamW optimiser_;
    double tokens_ = 0;
};

void run_steps(const Arguments& arguments) {
    const training::BaseModel base(arguments.model);
    Steps steps(arguments, base);
    json::array losses;
    const auto start = Clock::now();
    for (int i = 0; i < arguments.whole("steps", 20); ++i) losses.push_back(steps.step(i));
    const double seconds = since(start);
    if (const std::string file = arguments.text("final", ""); !file.empty()) {
        std::ofstream(file) << json::serialize(json::value_from(steps.lora().values()));
    }
    json::object out{{"tokens_per_second", steps.tokens() / seconds},
                     {"peak_gb", peak_gb()},
                     {"losses", std::move(losses)}};
    if (const std::string file = arguments.text("held", ""); !file.empty()) {
        out["held_out"] = steps.held_out(file);
    }
    fmt::print("{}\n", json::serialize(out));
}

training::Pack random_pack(const training::Shape& shape, int tokens, int length) {
    std::mt19937 random(1);
    training::Pack pack;
    for (int i = 0; i < tokens; ++i) {
        if (i % length == 0) {
            pack.starts.push_back(i);
            pack.samples.push_back(static_cast<std::uint64_t>(i));
        }
        pack.tokens.push_back(
            static_cast<training::Token>(random() % static_cast<unsigned>(shape.vocabulary)));
        pack.learnt.push_back(i % length >= length / 2);  // half of a sample is its question
    }
    return pack;
}

void time_parts(const Arguments& arguments) {
    const training::BaseModel base(arguments.model);
    const training::Shape& shape = base.shape();
    training::Lora lora(shape, {.dropout = 0});
    lora.initialise(1);
    training::Pass pass(base, arguments.pass(base));
    const int tokens = arguments.whole("tokens", 1024), length = arguments.whole("length", 256);
    const training::Pack pack = random_pack(shape, tokens, length);
    std::vector<float> gradients(lora.values().size());
    double forward = 1e9, both = 1e9;
    pass.train(pack, lora, {}, 1, gradients);
    for (int i = 0; i < 3; ++i) {
        auto start = Clock::now();
        pass.evaluate(pack, lora);
        forward = std::min(forward, since(start));
        start = Clock::now();
        pass.train(pack, lora, {}, 1, gradients);
        both = std::min(both, since(start));
    }
    fmt::print("{}\n", json::serialize(json::object{
                           {"tokens", tokens},
                           {"forward_seconds", forward},
                           {"backward_seconds", both - forward},
                           {"forward_flops",
                            tokens * training::Pass::forward_flops(shape, lora.options(), length)},
                           {"backward_flops",
                            tokens * training::Pass::backward_flops(shape, lora.options(), length)},
                           {"peak_gb", peak_gb()}}));
}

}  // namespace

int main(int argc, char** argv) try {
    const Arguments arguments = parse(argc, argv);
    llama::capture_log();
    if (arguments.word == "samples") {
        print_samples(arguments);
    } else if (arguments.word == "steps") {
        run_steps(arguments);
    } else {
        time_parts(arguments);
    }
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
}
