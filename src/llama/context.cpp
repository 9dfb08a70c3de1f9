#include "llama/context.hpp"

#include <common.h>
#include <ggml-backend.h>
#include <llama.h>

#include <string>

#include "base/error.hpp"
#include "llama/log.hpp"

namespace jikji::llama {

void Context::Free::operator()(llama_context* context) const noexcept { llama_free(context); }

namespace {

/// A llama_batch with room for `size` tokens of one sequence each.
class Batch {
public:
    explicit Batch(int size) : batch_(llama_batch_init(size, 0, 1)) {}
    ~Batch() { llama_batch_free(batch_); }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;

    void add(const BatchToken& t) {
        const int i = batch_.n_tokens++;
        batch_.token[i] = t.token;
        batch_.pos[i] = t.position;
        batch_.n_seq_id[i] = 1;
        batch_.seq_id[i][0] = t.sequence;
        batch_.logits[i] = t.output ? 1 : 0;
    }
    const llama_batch& get() const { return batch_; }

private:
    llama_batch batch_;
};

bool has_gpu() {
    return ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_GPU) != nullptr ||
           ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_IGPU) != nullptr;
}

// Flash attention: libllama's own choice asks whether the device that holds a layer would compute
// its attention, and takes our accelerator for a reason against. The CPU can always compute it.
llama_context_params params_of(const ContextOptions& options, int threads) {
    llama_context_params params = llama_context_default_params();
    params.n_ctx = static_cast<std::uint32_t>(options.cells);
    params.n_batch = static_cast<std::uint32_t>(options.batch);
    params.n_ubatch = static_cast<std::uint32_t>(options.microbatch);
    const int scratch = options.embeddings ? 0 : 1;
    params.n_seq_max = static_cast<std::uint32_t>(options.sequences + scratch);
    // Logits are wanted of few tokens; room for those of a whole batch would be 100 MB at a
    // vocabulary of 50,000.
    if (!options.embeddings) {
        params.n_outputs_max =
            std::max(params.n_seq_max, static_cast<std::uint32_t>(options.outputs));
    }
    params.n_threads = threads;
    params.n_threads_batch = threads;
    params.embeddings = options.embeddings;
    params.kv_unified = true;
    if (!has_gpu()) params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
    return params;
}

}  // namespace

Context::Context(std::shared_ptr<const Model> model, const ContextOptions& options)
    : model_(std::move(model)),
      options_(options),
      cores_(options.threads > 0 ? options.threads : arithmetic_threads()) {
    // Before the context, which makes room in its graphs for all adapters of the model.
    if (!options_.adapter.empty()) adapter_ = std::make_unique<Adapter>(model_, options_.adapter);
    forget_errors();
    context_.reset(llama_init_from_model(model_->handle(), params_of(options_, cores_.threads())));
    if (!context_) {
        throw Error(
            ErrorCode::kRejected,
            "no context could be made for the model (too little memory?): " + recent_errors(), {},
            "모델의 컨텍스트를 만들지 못했습니다(메모리 부족일 수 있습니다): " + recent_errors());
    }
    if (adapter_) set_adapter();
}

// Once, before the first step: a context that changes adapters would go on with cells of another
// one, and libllama may take a graph for the same that was built for the one before.
void Context::set_adapter() {
    llama_adapter_lora* adapter = adapter_->handle();
    JIKJI_CHECK(llama_set_adapters_lora(context_.get(), &adapter, 1, &options_.adapter_scale) == 0);
}

Context::~Context() = default;

int Context::compute(const llama_batch& batch) {
    const int threads = cores_.threads();
    llama_set_n_threads(context_.get(), threads, threads);
    return llama_decode(context_.get(), batch);
}

// A callback of C must not throw, and a question that fails is no reason to stop.
static bool ask(void* question) noexcept {
    try {
        return (*static_cast<const std::function<bool()>*>(question))();
    } catch (...) {
        return false;
    }
}

Decoded Context::decode(std::span<const BatchToken> tokens, const std::function<bool()>& unwanted) {
    JIKJI_CHECK(!tokens.empty() && tokens.size() <= static_cast<std::size_t>(options_.batch));
    Batch batch(static_cast<int>(tokens.size()));
    for (const BatchToken& token : tokens) batch.add(token);
    if (unwanted) {
        llama_set_abort_callback(context_.get(), ask,
                                 const_cast<std::function<bool()>*>(&unwanted));
    }
    const int result = compute(batch.get());
    if (unwanted) llama_set_abort_callback(context_.get(), nullptr, nullptr);
    if (result == 2) return Decoded::kAborted;
    if (result == 1) return Decoded::kNoRoom;
    if (result != 0) {
        throw Error(ErrorCode::kInternal,
                    "llama_decode returned " + std::to_string(result) + ": " + recent_errors());
    }
    return Decoded::kDone;
}

std::span<float> Context::logits(int index) {
    float* row = llama_get_logits_ith(context_.get(), index);
    JIKJI_CHECK(row != nullptr);
    return {row, static_cast<std::size_t>(model_->vocabulary())};
}

std::vector<std::vector<float>> Context::encode(std::span<const std::vector<Token>> texts) {
    std::size_t total = 0;
    for (const auto& text : texts) total += text.size();
    JIKJI_CHECK(total <= static_cast<std::size_t>(options_.microbatch));
    Batch batch(static_cast<int>(total));
    for (std::size_t i = 0; i < texts.size(); ++i) {
        int position = 0;
        for (const Token token : texts[i])
            batch.add({token, position++, static_cast<int>(i), true});
    }
    if (llama_get_memory(context_.get()) != nullptr) {
        llama_memory_clear(llama_get_memory(context_.get()), true);
    }
    if (compute(batch.get()) != 0) {
        throw Error(ErrorCode::kInternal, "the embedding step failed: " + recent_errors());
    }
    std::vector<std::vector<float>> out;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        const float* row = llama_get_embeddings_seq(context_.get(), static_cast<llama_seq_id>(i));
        JIKJI_CHECK(row != nullptr);
        out.emplace_back(row, row + model_->dimensions());
    }
    return out;
}

void Context::forget(int sequence) { forget_from(sequence, 0); }

void Context::forget_from(int sequence, int position) {
    llama_memory_seq_rm(llama_get_memory(context_.get()), sequence, position, -1);
}

void Context::share(int from, int to, int end) {
    llama_memory_seq_cp(llama_get_memory(context_.get()), from, to, 0, end);
}

bool Context::holds_all(int sequence) const {
    return llama_memory_seq_pos_min(llama_get_memory(context_.get()), sequence) <= 0;
}

std::string Context::save(int sequence) const {
    std::string out(llama_state_seq_get_size(context_.get(), sequence), '\0');
    const std::size_t size = llama_state_seq_get_data(
        context_.get(), reinterpret_cast<std::uint8_t*>(out.data()), out.size(), sequence);
    out.resize(size);
    return out;
}

bool Context::restore(int sequence, std::string_view state) {
    if (state.empty()) return false;
    const std::size_t read = llama_state_seq_set_data(
        context_.get(), reinterpret_cast<const std::uint8_t*>(state.data()), state.size(),
        sequence);
    if (read == state.size()) return true;
    forget(sequence);
    return false;
}

std::string Context::save_range(int sequence, int start, int end) {
    llama_memory_seq_cp(llama_get_memory(context_.get()), sequence, scratch(), start, end);
    std::string out = save(scratch());
    forget(scratch());
    return out;
}

bool Context::restore_range(int sequence, std::string_view state, int start, int end) {
    if (!restore(scratch(), state)) return false;
    llama_memory_seq_cp(llama_get_memory(context_.get()), scratch(), sequence, start, end);
    forget(scratch());
    return true;
}

int arithmetic_threads() { return common_cpu_get_num_math(); }

}  // namespace jikji::llama
