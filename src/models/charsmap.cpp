#include "models/charsmap.hpp"

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "base/error.hpp"

namespace jikji::models {
namespace {

// A unit of the array: label in bits 0-7, "a key ends here" in bit 8, base in bits 10-30. The unit
// where a key ends points to one that holds the replacement's offset, marked by bit 31.
constexpr std::uint32_t kEnds = 1u << 8;
constexpr std::uint32_t kIsValue = 1u << 31;
constexpr std::uint32_t kUnitsMax = 1u << 21;
constexpr std::uint32_t kBlock = 256;  // a node's children lie in one block of this size

struct Node {
    std::map<unsigned char, std::unique_ptr<Node>> children;
    std::int64_t value = -1;  // offset of the replacement
};

class DoubleArray {
public:
    explicit DoubleArray(const Node& root) {
        grow();
        taken_[0] = true;
        const std::uint32_t origin = place(root);
        units_[0] = origin << 10;
        fill(root, origin);
    }

    std::string bytes() const {
        const auto size = static_cast<std::uint32_t>(units_.size() * sizeof(std::uint32_t));
        std::string out(sizeof size + size, '\0');
        std::memcpy(out.data(), &size, sizeof size);
        std::memcpy(out.data() + sizeof size, units_.data(), size);
        return out;
    }

private:
    void grow() {
        if (units_.size() >= kUnitsMax) {
            throw Error(ErrorCode::kTooLarge, "the normalisation table is too large for GGUF");
        }
        units_.resize(units_.size() + kBlock);
        taken_.resize(units_.size());
        origins_.resize(units_.size());
    }

    bool fits(const Node& node, std::uint32_t origin) const {
        // A label tells a child from a stranger only if no two nodes have one origin.
        if (origins_[origin] || (node.value >= 0 && taken_[origin])) return false;
        for (const auto& [label, child] : node.children) {
            if (taken_[origin ^ label]) return false;
        }
        return true;
    }

    std::uint32_t place(const Node& node) {
        for (std::uint32_t origin = first_;; ++origin) {
            if (origin == units_.size()) grow();
            if (!fits(node, origin)) continue;
            origins_[origin] = true;
            if (node.value >= 0) taken_[origin] = true;
            for (const auto& [label, child] : node.children) taken_[origin ^ label] = true;
            // Blocks far behind are nearly full: looking there again would cost a square.
            if (origin > first_ + 8 * kBlock) first_ = origin - 8 * kBlock;
            return origin;
        }
    }

    void fill(const Node& node, std::uint32_t origin) {
        if (node.value >= 0) units_[origin] = static_cast<std::uint32_t>(node.value) | kIsValue;
        for (const auto& [label, child] : node.children) {
            const std::uint32_t slot = origin ^ label;
            const std::uint32_t next = place(*child);
            units_[slot] = ((slot ^ next) << 10) | (child->value >= 0 ? kEnds : 0) | label;
            fill(*child, next);
        }
    }

    std::vector<std::uint32_t> units_;
    std::vector<bool> taken_;
    std::vector<bool> origins_;
    std::uint32_t first_ = 1;
};

}  // namespace

std::string make_charsmap(const std::map<std::string, std::string>& replacements) {
    Node root;
    std::string texts;
    std::map<std::string, std::int64_t> known;
    for (const auto& [from, to] : replacements) {
        JIKJI_CHECK(!from.empty() && from.find('\0') == std::string::npos);
        Node* node = &root;
        for (const char c : from) {
            auto& child = node->children[static_cast<unsigned char>(c)];
            if (!child) child = std::make_unique<Node>();
            node = child.get();
        }
        const auto [it, fresh] = known.emplace(to, static_cast<std::int64_t>(texts.size()));
        if (fresh) texts.append(to).push_back('\0');
        node->value = it->second;
    }
    return DoubleArray(root).bytes() + texts;
}

}  // namespace jikji::models
