// Which samples are held out, and that none of them is learnt. Drawn with our own shuffle: the
// standard one may differ by library.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "base/error.hpp"
#include "training/dataset.hpp"

namespace jikji::training {
namespace {

/// Samples that must stay together: equal ones, and those of one line.
class Groups {
public:
    explicit Groups(const std::vector<Sample>& samples) : parents_(samples.size()) {
        std::iota(parents_.begin(), parents_.end(), std::size_t{0});
        std::map<int, std::size_t> lines;
        const auto less = [](const Sample* a, const Sample* b) { return a->tokens < b->tokens; };
        std::map<const Sample*, std::size_t, decltype(less)> texts(less);
        for (std::size_t i = 0; i < samples.size(); ++i) {
            join(i, texts.emplace(&samples[i], i).first->second);
            if (samples[i].line > 0) join(i, lines.emplace(samples[i].line, i).first->second);
        }
    }

    /// In the order of their first members.
    std::vector<std::vector<std::size_t>> members() {
        std::map<std::size_t, std::vector<std::size_t>> found;
        for (std::size_t i = 0; i < parents_.size(); ++i) found[root(i)].push_back(i);
        std::vector<std::vector<std::size_t>> out;
        out.reserve(found.size());
        for (auto& [first, group] : found) out.push_back(std::move(group));
        return out;
    }

private:
    std::size_t root(std::size_t i) {
        while (parents_[i] != i) i = parents_[i] = parents_[parents_[i]];
        return i;
    }
    /// The lower index is the root, so that the order of groups does not depend on joins.
    void join(std::size_t a, std::size_t b) {
        a = root(a);
        b = root(b);
        parents_[std::max(a, b)] = std::min(a, b);
    }

    std::vector<std::size_t> parents_;
};

std::size_t wanted(double share, std::size_t count) {
    if (share <= 0 || count < 2) return 0;
    auto out = static_cast<std::size_t>(std::llround(share * static_cast<double>(count)));
    if (out == 0 && count >= 10) out = 1;
    return std::min(out, count - 1);
}

}  // namespace

Split split(std::vector<Sample> samples, double share, std::uint64_t seed) {
    JIKJI_CHECK(share >= 0 && share <= 0.5);
    auto groups = Groups(samples).members();
    std::mt19937_64 random(seed);
    for (std::size_t i = groups.size(); i > 1; --i) std::swap(groups[i - 1], groups[random() % i]);
    const std::size_t most = wanted(share, samples.size());
    std::vector<bool> held(samples.size(), false);
    const auto hold = [&](const std::vector<std::size_t>& group) {
        for (const std::size_t i : group) held[i] = true;
        return group.size();
    };
    std::size_t count = 0;
    for (const auto& group : groups) {
        if (count + group.size() <= most) count += hold(group);
    }
    if (count == 0 && most > 0 && groups.size() > 1) {  // all are larger than what is wanted
        hold(*std::min_element(groups.begin(), groups.end(),
                               [](const auto& a, const auto& b) { return a.size() < b.size(); }));
    }
    Split out;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        (held[i] ? out.held_out : out.train).push_back(std::move(samples[i]));
    }
    return out;
}

std::size_t leave_out_learnt(Split& split) {
    const auto less = [](const Sample* a, const Sample* b) { return a->tokens < b->tokens; };
    std::set<const Sample*, decltype(less)> learnt(less);
    for (const Sample& sample : split.train) learnt.insert(&sample);
    return std::erase_if(split.held_out,
                         [&](const Sample& sample) { return learnt.contains(&sample); });
}

}  // namespace jikji::training
