#include "service/collection_checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/log.hpp"
#include "text/normalise.hpp"

namespace jikji::service {
namespace {

constexpr std::size_t kNameBytes = 256;
constexpr std::size_t kMetadataKeyBytes = 64;
constexpr std::size_t kMetadataValueBytes = 512;
constexpr int kQueriesMax = 16;
constexpr int kChunkTokensMin = 100, kChunkTokensMax = 4096;
constexpr int kPageMax = 100;
constexpr std::array kStatuses = {"in_progress", "completed", "failed", "cancelled"};

[[noreturn]] void refuse(const std::string& field, const std::string& english,
                         const std::string& korean) {
    throw Error(ErrorCode::kInvalidArgument, field + " " + english, field, field + ": " + korean);
}

void check_range(const std::string& field, int value, int low, int high) {
    if (value >= low && value <= high) return;
    refuse(field, fmt::format("is {}; give a number from {} to {}", value, low, high),
           fmt::format("{}입니다. {}에서 {} 사이의 수를 주세요.", value, low, high));
}

void check_bytes(const std::string& field, std::string_view value, std::size_t most) {
    if (value.size() > most) {
        refuse(field, fmt::format("has {} bytes; the limit is {}", value.size(), most),
               fmt::format("{}바이트입니다. 한도는 {}바이트입니다.", value.size(), most));
    }
    if (!text::valid_utf8(value) || value.find('\0') != std::string_view::npos) {
        refuse(field, "is not valid UTF-8 text", "올바른 UTF-8 텍스트가 아닙니다.");
    }
}

void check_pairs(const std::string& field, std::size_t pairs) {
    if (pairs <= limits::kMetadataPairs) return;
    refuse(field, fmt::format("has {} entries; the limit is {}", pairs, limits::kMetadataPairs),
           fmt::format("항목이 {}개입니다. 한도는 {}개입니다.", pairs, limits::kMetadataPairs));
}

}  // namespace

void check_name(const std::string& name) { check_bytes("name", name, kNameBytes); }

void check_limit(int limit) { check_range("limit", limit, 1, kPageMax); }

void check_status(const std::string& status) {
    const bool known = std::find(kStatuses.begin(), kStatuses.end(), status) != kStatuses.end();
    if (!status.empty() && !known) {
        const std::string names = fmt::format("{}", fmt::join(kStatuses, ", "));
        refuse("filter", fmt::format("is '{}'; give one of {}", printable(status), names),
               fmt::format("'{}'입니다. 다음 중 하나를 주세요: {}", printable(status), names));
    }
}

void check_metadata(const std::map<std::string, std::string>& metadata) {
    check_pairs("metadata", metadata.size());
    for (const auto& [key, value] : metadata) {
        check_bytes("metadata", key, kMetadataKeyBytes);
        check_bytes("metadata", value, kMetadataValueBytes);
    }
}

void check_attributes(const std::map<std::string, Attribute>& attributes) {
    check_pairs("attributes", attributes.size());
    for (const auto& [key, value] : attributes) {
        check_bytes("attributes", key, kMetadataKeyBytes);
        const auto* text = std::get_if<std::string>(&value);
        if (text != nullptr) check_bytes("attributes", *text, kMetadataValueBytes);
    }
}

void check_chunking(const Chunking& chunking) {
    if (chunking.tokens_max == 0 && chunking.overlap == 0) return;
    check_range("chunking_strategy.static.max_chunk_size_tokens", chunking.tokens_max,
                kChunkTokensMin, kChunkTokensMax);
    check_range("chunking_strategy.static.chunk_overlap_tokens", chunking.overlap, 0,
                chunking.tokens_max / 2);
}

void check_search(const SearchRequest& request) {
    if (request.queries.empty()) refuse("query", "is empty; ask something", "비어 있습니다.");
    check_range("query", static_cast<int>(request.queries.size()), 1, kQueriesMax);
    for (const std::string& query : request.queries) {
        check_bytes("query", query, limits::kQuestionBytes);
        if (text::strip(query).empty())
            refuse("query", "is empty; ask something", "비어 있습니다.");
    }
    check_range("max_num_results", request.results_max, 1, limits::kSearchResults);
    if (!(request.score_min >= 0 && request.score_min <= 1)) {
        refuse("ranking_options.score_threshold",
               fmt::format("is {}; give a number from 0 to 1", request.score_min),
               fmt::format("{}입니다. 0에서 1 사이의 수를 주세요.", request.score_min));
    }
}

}  // namespace jikji::service
