#pragma once
// One page of a list, as the tables take and give it. Threads: plain data.
#include <string>
#include <vector>

namespace jikji::storage {

struct PageRequest {
    std::string after;  // id of the last item seen; empty = from the start
    int limit = 20;
    bool ascending = false;  // by age, oldest first
};

template <typename Row>
struct PageOf {
    std::vector<Row> rows;
    bool has_more = false;
};

}  // namespace jikji::storage
