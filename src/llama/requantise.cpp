#include "llama/requantise.hpp"

#include <llama.h>

#include <chrono>
#include <future>
#include <string>
#include <system_error>

#include "base/error.hpp"
#include "llama/log.hpp"

namespace jikji::llama {
namespace fs = std::filesystem;
namespace {

constexpr std::uintmax_t kFullBelow = 1 << 20;  // bytes left: nothing more can be written

llama_ftype file_type_of(Layout layout) {
    if (layout == Layout::kQ8_0) return LLAMA_FTYPE_MOSTLY_Q8_0;
    if (layout == Layout::kQ4_0) return LLAMA_FTYPE_MOSTLY_Q4_0;
    return LLAMA_FTYPE_MOSTLY_BF16;
}

[[noreturn]] void give_up(const fs::path& from, const fs::path& to) {
    std::error_code ignored;
    const fs::space_info space = fs::space(to.parent_path(), ignored);
    fs::remove(to, ignored);
    if (!ignored && space.available < kFullBelow) {
        throw Error(
            ErrorCode::kDiskFull,
            "the disk of " + to.parent_path().string() +
                " is full; a copy of the weights found no room",
            {}, to.parent_path().string() + " 디스크가 가득 차서 가중치를 복사하지 못했습니다.");
    }
    const std::string name = from.filename().string();
    throw Error(ErrorCode::kRejected,
                "the weights of " + name + " could not be converted: " + recent_errors(), {},
                name + "의 가중치를 변환하지 못했습니다: " + recent_errors());
}

}  // namespace

std::string_view name_of(Layout layout) {
    if (layout == Layout::kQ8_0) return "q8_0";
    if (layout == Layout::kQ4_0) return "q4_0";
    return "bf16";
}

void requantise(const fs::path& from, const fs::path& to, Layout layout, int threads,
                const std::function<void(std::uint64_t bytes)>& poll) {
    forget_errors();
    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.nthread = threads;
    params.ftype = file_type_of(layout);
    params.allow_requantize = true;
    params.pure = true;
    auto done = std::async(std::launch::async,
                           [&] { return llama_model_quantize(from.c_str(), to.c_str(), &params); });
    while (done.wait_for(std::chrono::milliseconds(100)) != std::future_status::ready) {
        std::error_code missing;
        const std::uintmax_t bytes = fs::file_size(to, missing);
        if (poll && !missing) poll(bytes);
    }
    if (done.get() != 0) give_up(from, to);
}

}  // namespace jikji::llama
