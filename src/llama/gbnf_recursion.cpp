#include "llama/gbnf_recursion.hpp"

#include <algorithm>

namespace jikji::llama {
namespace {

struct Edge {
    std::uint32_t to;
    bool grows;  // something is left to do in the caller
};
using Graph = std::vector<std::vector<Edge>>;

// Which rules can be empty: rules that call a rule are looked at again when it turns out so.
std::vector<bool> nullable_rules(const GbnfRules& rules) {
    std::vector<bool> empty(rules.alternatives.size());
    std::vector<std::vector<std::uint32_t>> callers(rules.alternatives.size());
    std::vector<std::uint32_t> todo;
    for (std::uint32_t r = 0; r < rules.alternatives.size(); ++r) {
        todo.push_back(r);
        for (std::uint32_t at : rules.alternatives[r]) {
            for (; rules.symbols[at].kind == GbnfSymbol::kRule; ++at) {
                callers[rules.symbols[at].value].push_back(r);
            }
        }
    }
    while (!todo.empty()) {
        const std::uint32_t r = todo.back();
        todo.pop_back();
        if (empty[r]) continue;
        for (std::uint32_t at : rules.alternatives[r]) {
            while (rules.symbols[at].kind == GbnfSymbol::kRule && empty[rules.symbols[at].value]) {
                ++at;
            }
            if (rules.symbols[at].kind != GbnfSymbol::kEnd) continue;
            empty[r] = true;
            todo.insert(todo.end(), callers[r].begin(), callers[r].end());
            break;
        }
    }
    return empty;
}

Graph left_edges(const GbnfRules& rules) {
    const std::vector<bool> empty = nullable_rules(rules);
    Graph graph(rules.alternatives.size());
    for (std::size_t r = 0; r < graph.size(); ++r) {
        for (std::uint32_t at : rules.alternatives[r]) {
            for (; rules.symbols[at].kind == GbnfSymbol::kRule; ++at) {
                const std::uint32_t to = rules.symbols[at].value;
                graph[r].push_back({to, rules.symbols[at + 1].kind != GbnfSymbol::kEnd});
                if (!empty[to]) break;
            }
        }
    }
    return graph;
}

// Tarjan 1972, without recursion: a hostile grammar is as deep as it is long.
std::vector<std::uint32_t> components(const Graph& graph) {
    constexpr std::uint32_t kNone = ~0u;
    std::vector<std::uint32_t> index(graph.size(), kNone), low(graph.size()),
        component(graph.size(), kNone), open, edge(graph.size());
    std::vector<std::uint32_t> path;
    std::uint32_t counter = 0;
    for (std::uint32_t start = 0; start < graph.size(); ++start) {
        if (index[start] != kNone) continue;
        path.push_back(start);
        while (!path.empty()) {
            const std::uint32_t v = path.back();
            if (index[v] == kNone) {
                index[v] = low[v] = counter++;
                open.push_back(v);
            }
            if (edge[v] < graph[v].size()) {
                const std::uint32_t to = graph[v][edge[v]++].to;
                if (index[to] == kNone) {
                    path.push_back(to);
                } else if (component[to] == kNone) {
                    low[v] = std::min(low[v], index[to]);
                }
                continue;
            }
            path.pop_back();
            if (!path.empty()) low[path.back()] = std::min(low[path.back()], low[v]);
            if (low[v] != index[v]) continue;
            for (std::uint32_t member = kNone; member != v;) {
                member = open.back();
                open.pop_back();
                component[member] = v;
            }
        }
    }
    return component;
}

}  // namespace

int left_recursive_rule(const GbnfRules& rules) {
    const Graph graph = left_edges(rules);
    const std::vector<std::uint32_t> component = components(graph);
    for (std::size_t r = 0; r < graph.size(); ++r) {
        for (const Edge& edge : graph[r]) {
            if (edge.grows && component[edge.to] == component[r]) return static_cast<int>(r);
        }
    }
    return -1;
}

// A rule can end once one of its alternatives names no rule of which that is not known yet.
bool root_can_end(const GbnfRules& rules) {
    struct Alternative {
        std::uint32_t of;
        int missing;  // rules that it names, each as often as it does
    };
    std::vector<Alternative> alternatives;
    std::vector<std::vector<std::uint32_t>> users(rules.alternatives.size());
    std::vector<bool> ends(rules.alternatives.size());
    std::vector<std::uint32_t> todo;
    for (std::uint32_t r = 0; r < rules.alternatives.size(); ++r) {
        for (std::uint32_t at : rules.alternatives[r]) {
            int missing = 0;
            for (; rules.symbols[at].kind != GbnfSymbol::kEnd; ++at) {
                if (rules.symbols[at].kind != GbnfSymbol::kRule) continue;
                const auto user = static_cast<std::uint32_t>(alternatives.size());
                users[rules.symbols[at].value].push_back(user);
                ++missing;
            }
            alternatives.push_back({r, missing});
            if (missing == 0) todo.push_back(r);
        }
    }
    while (!todo.empty()) {
        const std::uint32_t r = todo.back();
        todo.pop_back();
        if (ends[r]) continue;
        ends[r] = true;
        for (const std::uint32_t user : users[r]) {
            if (--alternatives[user].missing == 0) todo.push_back(alternatives[user].of);
        }
    }
    return ends[rules.root];
}

}  // namespace jikji::llama
