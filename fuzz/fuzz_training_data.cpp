// Training data from anyone: refused with an Error that says where, or read into records of which
// each has something to learn. The first byte picks what the file is called. libFuzzer's entry
// point; see ./dev fuzz.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/error.hpp"
#include "text/normalise.hpp"
#include "training/dataset.hpp"

namespace {

bool teaches(const jikji::training::Record& record) {
    if (record.turns.empty()) return !record.text.empty();
    const auto learnt = [](const auto& turn) { return turn.learnt && !turn.content.empty(); };
    return record.turns.back().role == "assistant" &&
           std::any_of(record.turns.begin(), record.turns.end(), learnt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    namespace training = jikji::training;
    if (size == 0) return 0;
    const std::string_view names[] = {"data.jsonl", "data.txt", "data"};
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        const auto records = training::parse_records(bytes, names[data[0] % 3]);
        if (records.items.empty()) std::abort();
        if (!std::all_of(records.items.begin(), records.items.end(), teaches)) std::abort();
    } catch (const jikji::Error& error) {
        if (error.field() != "training_file") std::abort();
        if (!jikji::text::valid_utf8(error.what())) std::abort();
    }
    return 0;
}
