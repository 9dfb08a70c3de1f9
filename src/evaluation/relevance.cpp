#include "evaluation/relevance.hpp"

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "text/normalise.hpp"

namespace jikji::evaluation {
namespace {

using Position = int;

std::vector<char32_t> code_points(std::string_view text) {
    std::vector<char32_t> out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const text::CodePoint point = text::code_point_at(text, at);
        out.push_back(point.value);
        at += point.bytes;
    }
    return out;
}

struct Range {
    Position a_begin, a_end, b_begin, b_end;
};

struct Match {
    Position a, b, size;
};

class Matcher {
public:
    Matcher(const std::vector<char32_t>& a, const std::vector<char32_t>& b) : a_(a), b_(b) {
        for (Position j = 0; j < static_cast<Position>(b.size()); ++j) where_[b[j]].push_back(j);
        drop_popular();
        for (const char32_t c : a) {
            const auto found = where_.find(c);
            starts_.push_back(found == where_.end() ? nullptr : &found->second);
        }
        run_.assign(b.size() + 1, 0);
    }

    /// Characters in all matching blocks. The blocks' order, which difflib sorts out, is no matter.
    std::size_t matched() {
        std::size_t total = 0;
        std::vector<Range> open = {
            {0, static_cast<Position>(a_.size()), 0, static_cast<Position>(b_.size())}};
        while (!open.empty()) {
            const Range range = open.back();
            open.pop_back();
            const Match match = longest(range);
            if (match.size == 0) continue;
            total += static_cast<std::size_t>(match.size);
            if (range.a_begin < match.a && range.b_begin < match.b) {
                open.push_back({range.a_begin, match.a, range.b_begin, match.b});
            }
            const Position a_next = match.a + match.size, b_next = match.b + match.size;
            if (a_next < range.a_end && b_next < range.b_end) {
                open.push_back({a_next, range.a_end, b_next, range.b_end});
            }
        }
        return total;
    }

private:
    // difflib's autojunk.
    void drop_popular() {
        if (b_.size() < 200) return;
        const std::size_t often = b_.size() / 100 + 1;
        std::erase_if(where_, [often](const auto& entry) { return entry.second.size() > often; });
    }

    // The earliest longest block in the range that no popular character starts; then widened by
    // equal neighbours, popular ones included.
    Match longest(const Range& range) {
        Match best{range.a_begin, range.b_begin, 0};
        std::vector<std::pair<Position, Position>> row, next;  // (j + 1, run that ends at j)
        for (Position i = range.a_begin; i < range.a_end; ++i) {
            next.clear();
            if (starts_[i] != nullptr) extend_runs(i, range, best, next);
            for (const auto& [slot, size] : row) run_[slot] = 0;
            for (const auto& [slot, size] : next) run_[slot] = size;
            row.swap(next);
        }
        for (const auto& [slot, size] : row) run_[slot] = 0;
        return widened(best, range);
    }

    void extend_runs(Position i, const Range& range, Match& best,
                     std::vector<std::pair<Position, Position>>& next) const {
        const std::vector<Position>& places = *starts_[i];
        auto place = std::lower_bound(places.begin(), places.end(), range.b_begin);
        for (; place != places.end() && *place < range.b_end; ++place) {
            const Position j = *place;
            const Position size = run_[j] + 1;
            next.emplace_back(j + 1, size);
            if (size > best.size) best = {i - size + 1, j - size + 1, size};
        }
    }

    Match widened(Match match, const Range& range) const {
        while (match.a > range.a_begin && match.b > range.b_begin &&
               a_[match.a - 1] == b_[match.b - 1]) {
            --match.a, --match.b, ++match.size;
        }
        while (match.a + match.size < range.a_end && match.b + match.size < range.b_end &&
               a_[match.a + match.size] == b_[match.b + match.size]) {
            ++match.size;
        }
        return match;
    }

    const std::vector<char32_t>& a_;
    const std::vector<char32_t>& b_;
    std::unordered_map<char32_t, std::vector<Position>> where_;  // in b, ascending
    std::vector<const std::vector<Position>*> starts_;           // per position of a
    std::vector<Position> run_;  // [j + 1]: length of the match that ends at j, for the last i
};

}  // namespace

double relevance(std::string_view a, std::string_view b) {
    const std::vector<char32_t> left = code_points(a), right = code_points(b);
    const std::size_t length = left.size() + right.size();
    if (length == 0) return 1;
    return 2.0 * static_cast<double>(Matcher(left, right).matched()) / static_cast<double>(length);
}

}  // namespace jikji::evaluation
