#pragma once
// What the lists of the tables have in common: the position after an item, the page, and whether
// more follows. Private to storage. In the SQL, ?1 is the position and ?2 the limit.
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "storage/page.hpp"
#include "storage/statement.hpp"

namespace jikji::storage {

/// `position` gives the seq of page.after. Without `after`: before the first item.
inline std::int64_t position_after(Statement& position, const PageRequest& page) {
    if (page.after.empty()) return page.ascending ? 0 : std::numeric_limits<std::int64_t>::max();
    if (position.step()) return position.int64_at(0);
    throw Error(ErrorCode::kInvalidArgument,
                "after is '" + page.after +
                    "', which is not in this list; give the last id that "
                    "you have seen, or leave it out",
                "after",
                "after 값 '" + page.after +
                    "'이(가) 목록에 없습니다. 마지막으로 받은 id를 주거나 "
                    "생략하세요.");
}

inline std::string page_clause(std::string_view seq, const PageRequest& page) {
    const std::string column(seq);
    return page.ascending ? " AND " + column + " > ?1 ORDER BY " + column + " LIMIT ?2"
                          : " AND " + column + " < ?1 ORDER BY " + column + " DESC LIMIT ?2";
}

/// One row more than asked for tells whether more follows.
inline Statement& bind_page(Statement& select, const PageRequest& page, std::int64_t after) {
    return select.bind(1, after).bind(2, std::int64_t{page.limit} + 1);
}

template <typename Row, typename Read>
PageOf<Row> read_page(Statement& select, const PageRequest& page, const Read& row_of) {
    PageOf<Row> out;
    while (select.step()) {
        if (static_cast<int>(out.rows.size()) == page.limit) {
            out.has_more = true;
            return out;
        }
        out.rows.push_back(row_of(select));
    }
    return out;
}

}  // namespace jikji::storage
