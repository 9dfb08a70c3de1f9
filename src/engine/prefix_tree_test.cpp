#include "engine/prefix_tree.hpp"

#include <doctest/doctest.h>

#include <numeric>

using namespace jikji::engine;

namespace {

constexpr std::uint64_t kBytes = 100;  // of each state here

std::vector<Token> range(Token first, int count) {
    std::vector<Token> out(static_cast<std::size_t>(count));
    std::iota(out.begin(), out.end(), first);
    return out;
}

PrefixTree::Added made(std::vector<Token> tokens, double seconds = 1) {
    return {std::move(tokens), std::make_shared<const std::string>(kBytes, 's'), kBytes, seconds};
}

/// The tokens of a block beginning with `tag`, so that two tags share nothing.
std::vector<Token> full(Token tag) { return range(tag * 1000, PrefixTree::kBlockTokens); }

std::vector<Token> joined(std::initializer_list<std::vector<Token>> parts) {
    std::vector<Token> out;
    for (const auto& part : parts) out.insert(out.end(), part.begin(), part.end());
    return out;
}

int known(PrefixTree& tree, const std::string& root, const std::vector<Token>& tokens) {
    return tree.find(root, tokens, /*whole=*/false, /*used=*/false).tokens;
}

}  // namespace

TEST_SUITE_BEGIN("prefix_tree");

TEST_CASE("a path is followed block by block, and into the block where it leaves") {
    PrefixTree tree({});
    PrefixBlock* first = tree.add(tree.root("r"), made(full(1)));
    PrefixBlock* second = tree.add(*first, made(full(2)));
    tree.add(*second, made(range(3000, 10)));
    CHECK(known(tree, "r", joined({full(1), full(2), range(3000, 10), {7}})) == 138);
    CHECK(known(tree, "r", joined({full(1), full(2), range(3000, 4), {7}})) == 132);
    CHECK(known(tree, "r", joined({full(1), {9}})) == 64);
    CHECK(known(tree, "r", {9}) == 0);
    CHECK(known(tree, "r", {}) == 0);
    CHECK(known(tree, "other", full(1)) == 0);
    CHECK(tree.memory_bytes() == 3 * kBytes);
    CHECK(second->start == 64);
    CHECK(second->end() == 128);
}

TEST_CASE("what two texts share is stored once, and each goes on by itself") {
    PrefixTree tree({});
    PrefixBlock* shared = tree.add(tree.root("r"), made(full(1)));
    tree.add(*shared, made(full(2)));
    CHECK(tree.add(tree.root("r"), made(full(1))) == nullptr);  // known
    tree.add(*shared, made(full(3)));
    CHECK(tree.blocks() == 3);
    CHECK(known(tree, "r", joined({full(1), full(2)})) == 128);
    CHECK(known(tree, "r", joined({full(1), full(3)})) == 128);
}

TEST_CASE("a longer block takes the place of its beginning, and a beginning is not wanted") {
    PrefixTree tree({});
    tree.add(tree.root("r"), made(range(5, 10)));
    CHECK(tree.add(tree.root("r"), made(range(5, 9))) == nullptr);
    CHECK(tree.add(tree.root("r"), made(range(5, 30))) != nullptr);
    CHECK(tree.blocks() == 1);
    CHECK(tree.memory_bytes() == kBytes);
    CHECK(known(tree, "r", range(5, 64)) == 30);
}

TEST_CASE("whole: only what agrees to its last token") {
    PrefixTree tree({});
    tree.add(tree.root("r"), made(range(5, 200)));
    CHECK(tree.find("r", range(5, 199), true, false).tokens == 0);
    CHECK(tree.find("r", range(5, 201), true, false).tokens == 200);
    CHECK(tree.find("r", range(5, 199), false, false).tokens == 199);
}

TEST_CASE(
    "the cheapest to compute for its bytes goes first, the used one later, the end of a path "
    "before its beginning") {
    PrefixTree tree({.memory_bytes_max = 3 * kBytes});
    PrefixBlock* trunk = tree.add(tree.root("r"), made(full(1), 0.5));
    tree.add(*trunk, made(full(2), 2));
    tree.add(tree.root("r"), made(full(3), 1));
    tree.add(tree.root("r"), made(full(4), 2.9));
    tree.trim();
    CHECK(known(tree, "r", full(3)) == 0);  // 1 s; the trunk is worth less, but is needed
    CHECK(known(tree, "r", joined({full(1), full(2)})) == 128);
    CHECK(tree.memory_bytes() == 3 * kBytes);
    // 1 s went: the clock stands there. What is used now is worth that and its own.
    tree.find("r", joined({full(1), full(2)}), false, /*used=*/true);  // 1 + 2
    tree.add(tree.root("r"), made(full(5), 2.5));                      // 1 + 2.5
    tree.trim();
    CHECK(known(tree, "r", full(4)) == 0);  // 2.9 from before: less than 1 + 2
    CHECK(known(tree, "r", full(5)) == 64);
    CHECK(known(tree, "r", joined({full(1), full(2)})) == 128);
}

TEST_CASE(
    "what is on disk may leave memory and stays known; in neither it is gone with what follows") {
    PrefixTree tree({.memory_bytes_max = kBytes, .disk_bytes_max = 2 * kBytes});
    std::vector<std::string> left;
    tree.on_left_disk = [&](const PrefixBlock& block) { left.push_back(block.id); };
    PrefixBlock* a = tree.add(tree.root("r"), made(full(1)));
    PrefixBlock* b = tree.add(*a, made(full(2)));
    tree.set_on_disk(*a, true);
    tree.set_on_disk(*b, true);
    tree.trim();
    CHECK(tree.memory_bytes() == kBytes);
    CHECK(tree.disk_bytes() == 2 * kBytes);
    CHECK(a->state != nullptr);  // the end of the path went first
    CHECK(b->state == nullptr);
    CHECK(known(tree, "r", joined({full(1), full(2)})) == 128);
    const std::string b_id = b->id;
    PrefixBlock* c = tree.add(tree.root("r"), {full(3), nullptr, kBytes, 9});
    REQUIRE(c != nullptr);
    CHECK(c->on_disk);
    tree.trim();
    CHECK(left == std::vector<std::string>{b_id});
    CHECK(tree.block(b_id) == nullptr);
    CHECK(known(tree, "r", joined({full(1), full(2)})) == 64);
    auto& rest = tree.root("r").children;
    while (!rest.empty()) tree.drop(*rest.front());
    CHECK(tree.blocks() == 0);
    CHECK(tree.memory_bytes() + tree.disk_bytes() == 0);
    CHECK(left.size() == 3);
}

TEST_CASE("one tenant's roots are forgotten, of every layout, and nobody else's") {
    PrefixTree tree({});
    std::vector<std::string> roots;
    for (const char* layout : {"m", "n"}) {
        for (const char* tenant : {"a", "b"}) roots.push_back(PrefixTree::root_id(layout, tenant));
    }
    for (const std::string& root : roots) tree.add(tree.root(root), made(full(1), 1));
    tree.forget_tenant("a");
    CHECK(tree.blocks() == 2);
    CHECK(known(tree, roots[0], full(1)) == 0);
    CHECK(known(tree, roots[1], full(1)) == 64);
    CHECK(known(tree, roots[2], full(1)) == 0);
    CHECK(known(tree, roots[3], full(1)) == 64);
}

TEST_CASE("there is a limit on the number of blocks") {
    PrefixTree tree({.blocks_max = 3});
    for (Token tag = 1; tag <= 5; ++tag) tree.add(tree.root("r"), made(full(tag), tag));
    tree.trim();
    CHECK(tree.blocks() == 3);
    CHECK(known(tree, "r", full(5)) == 64);
    CHECK(known(tree, "r", full(1)) == 0);
}

TEST_CASE("names of roots and blocks keep layouts, tenants and beginnings apart") {
    CHECK(PrefixTree::root_id("m", "a") != PrefixTree::root_id("m", "b"));
    CHECK(PrefixTree::root_id("m", "ab") != PrefixTree::root_id("ma", "b"));
    CHECK(PrefixTree::root_id("m", "a") != PrefixTree::root_id("n", "a"));
    CHECK(PrefixTree::root_id("m", "a").size() == 32);
    CHECK(PrefixTree::is_of(PrefixTree::root_id("m", "a"), "a"));
    CHECK_FALSE(PrefixTree::is_of(PrefixTree::root_id("m", "a"), "b"));
    const auto tokens = range(1, 3);
    CHECK(PrefixTree::block_id("x", tokens) == PrefixTree::block_id("x", tokens));
    CHECK(PrefixTree::block_id("x", tokens) != PrefixTree::block_id("y", tokens));
}

TEST_SUITE_END();
