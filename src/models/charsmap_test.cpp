#include "models/charsmap.hpp"

#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string_view>
#include <vector>

namespace jikji::models {
namespace {

// The walk that llama.cpp does, from its description: longest match from the start of `text`.
class Walker {
public:
    explicit Walker(std::string bytes) : bytes_(std::move(bytes)) {
        std::uint32_t size = 0;
        std::memcpy(&size, bytes_.data(), sizeof size);
        units_.resize(size / 4);
        std::memcpy(units_.data(), bytes_.data() + 4, size);
        texts_ = std::string_view(bytes_).substr(4 + size);
    }

    std::optional<std::string> replace(std::string_view text, std::size_t& consumed) const {
        std::optional<std::string> found;
        std::uint32_t at = base(0);
        for (std::size_t i = 0; i < text.size(); ++i) {
            const auto label = static_cast<unsigned char>(text[i]);
            at ^= label;
            if ((units_.at(at) & 0x800000ffu) != label) break;
            const bool ends = (units_.at(at) >> 8 & 1) != 0;
            at ^= base(at);
            if (!ends) continue;
            found = texts_.substr(units_.at(at) & 0x7fffffffu).data();
            consumed = i + 1;
        }
        return found;
    }

private:
    std::uint32_t base(std::uint32_t at) const {
        const std::uint32_t unit = units_.at(at);
        return (unit >> 10) << ((unit & (1u << 9)) >> 6);
    }

    std::string bytes_;
    std::vector<std::uint32_t> units_;
    std::string_view texts_;
};

TEST_SUITE_BEGIN("charsmap");

TEST_CASE("every key finds its replacement, and nothing else does") {
    std::map<std::string, std::string> table = {{"\t", " "}, {"½", "1/2"}, {"\u200b", ""},
                                                {"ﾊ", "ハ"}, {"a", "b"},   {"ab", "c"}};
    std::mt19937 random(7);
    for (int i = 0; i < 5000; ++i) {
        std::string key;
        for (int n = 1 + static_cast<int>(random() % 4); n > 0; --n) {
            key += static_cast<char>(1 + random() % 255);
        }
        table.emplace(key, std::to_string(random() % 1000));
    }
    const Walker walker(make_charsmap(table));
    for (const auto& [from, to] : table) {
        CAPTURE(from);
        std::size_t consumed = 0;
        CHECK(walker.replace(from, consumed) == to);
        CHECK(consumed == from.size());
    }
    for (int i = 0; i < 5000; ++i) {
        std::string text;
        for (int n = 0; n < 4; ++n) text += static_cast<char>(1 + random() % 255);
        std::optional<std::string> want;
        for (std::size_t size = 1; size <= text.size(); ++size) {
            if (const auto it = table.find(text.substr(0, size)); it != table.end()) {
                want = it->second;
            }
        }
        std::size_t consumed = 0;
        CHECK(walker.replace(text, consumed) == want);
    }
}

TEST_SUITE_END();

}  // namespace
}  // namespace jikji::models
