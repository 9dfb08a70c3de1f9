#include "training/samples.hpp"

#include <algorithm>
#include <cstddef>

#include "base/error.hpp"

namespace jikji::training {
namespace {

void append(Pack& pack, const Sample& sample, std::uint64_t number) {
    pack.starts.push_back(pack.size());
    pack.samples.push_back(number);
    pack.tokens.insert(pack.tokens.end(), sample.tokens.begin(), sample.tokens.end());
    pack.learnt.insert(pack.learnt.end(), sample.learnt.begin(), sample.learnt.end());
    // Nothing before a sample's first token says what it is.
    if (!sample.tokens.empty()) pack.learnt[static_cast<std::size_t>(pack.starts.back())] = 0;
}

}  // namespace

int Sample::learnt_count() const {
    return static_cast<int>(std::count_if(learnt.begin(), learnt.end(), [](auto l) { return l; }));
}

std::vector<Pack> pack(const std::vector<const Sample*>& samples,
                       const std::vector<std::uint64_t>& numbers, int tokens_most) {
    JIKJI_CHECK(samples.size() == numbers.size());
    std::vector<Pack> packs;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        const Sample& sample = *samples[i];
        JIKJI_CHECK(sample.learnt.size() == sample.tokens.size());
        const int tokens = static_cast<int>(sample.tokens.size());
        const auto fits = [&](const Pack& p) { return p.size() + tokens <= tokens_most; };
        auto place = std::find_if(packs.begin(), packs.end(), fits);
        if (place == packs.end()) place = packs.insert(packs.end(), Pack{});
        append(*place, sample, numbers[i]);
    }
    return packs;
}

}  // namespace jikji::training
