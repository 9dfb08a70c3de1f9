#include "http/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.hpp"

namespace jikji::http {
namespace {

constexpr std::size_t kShownBytes = 60;

constexpr std::size_t kNameBytes = 100;

/// The beginning of the value as JSON.
std::string shown(const json::value& value) {
    if (value.is_array()) return fmt::format("a list of {}", value.get_array().size());
    if (value.is_object()) return "an object";
    if (value.is_double()) return fmt::format("{}", value.get_double());  // not 3.5E0
    std::string text = json::serialize(value);
    if (text.size() <= kShownBytes) return text;
    return beginning(text, kShownBytes) + "…";
}

std::string shown_korean(const json::value& value) {
    if (value.is_array()) return fmt::format("항목 {}개의 목록", value.get_array().size());
    return value.is_object() ? std::string("객체") : shown(value);
}

template <typename Number>
struct RangeText {
    std::string english;
    std::string korean;
};

template <typename Number>
RangeText<Number> range_text(Range<Number> range, std::string_view noun, std::string_view korean) {
    using Limits = std::numeric_limits<Number>;
    const bool low = range.min != Limits::lowest();
    const bool high = range.max != Limits::max();
    if (low && high)
        return {fmt::format("{} from {} to {}", noun, range.min, range.max),
                fmt::format("{}부터 {}까지의 {}", range.min, range.max, korean)};
    if (low)
        return {fmt::format("{} of at least {}", noun, range.min),
                fmt::format("{} 이상의 {}", range.min, korean)};
    if (high)
        return {fmt::format("{} of at most {}", noun, range.max),
                fmt::format("{} 이하의 {}", range.max, korean)};
    return {std::string(noun), std::string(korean)};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
        }
    }
    return row.back();
}

/// The nearest of `names` if it is near enough to be what was meant; else empty.
std::string nearest(std::string_view wrong, const std::set<std::string, std::less<>>& names) {
    if (wrong.size() > 64) return {};
    std::string best;
    std::size_t best_distance = 1 + std::max<std::size_t>(1, wrong.size() / 3);
    for (const std::string& name : names) {
        const std::size_t distance = edit_distance(wrong, name);
        if (distance >= best_distance) continue;
        best_distance = distance;
        best = name;
    }
    return best;
}

void check_size(const json::value& value, std::string_view path, std::size_t size_max) {
    const std::size_t size = value.get_array().size();
    if (size <= size_max) return;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} has {} items; give at most {}", path, size, size_max),
                std::string(path),
                fmt::format("{}의 항목이 {}개입니다. {}개까지만 보내세요.", path, size, size_max));
}

[[noreturn]] void missing(const std::string& path) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{} is missing; give it a value", path),
                path, fmt::format("{} 값이 없습니다. 값을 넣어 보내세요.", path));
}

}  // namespace

std::string beginning(std::string_view text, std::size_t bytes) {
    std::size_t end = std::min(text.size(), bytes);
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return std::string(text.substr(0, end));
}

std::string path_at(std::string_view path, std::size_t index) {
    return fmt::format("{}[{}]", path, index);
}

void wrong_value(std::string_view path, const json::value& value, std::string_view wanted,
                 std::string_view wanted_korean) {
    const std::string_view name = path.empty() ? "the body" : path;
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("{} is {}; give {}", name, shown(value), wanted), std::string(path),
                fmt::format("{} 값이 {}입니다. {}(으)로 보내세요.", path.empty() ? "본문" : path,
                            shown_korean(value), wanted_korean));
}

std::string string_at(const json::value& value, std::string_view path) {
    if (!value.is_string()) wrong_value(path, value, "a string", "문자열");
    return std::string(value.get_string());
}

double number_at(const json::value& value, std::string_view path, Range<double> range) {
    const double number = value.is_number() ? value.to_number<double>() : std::nan("");
    if (number >= range.min && number <= range.max) return number;
    const auto wanted = range_text(range, "a number", "수");
    wrong_value(path, value, wanted.english, wanted.korean);
}

std::int64_t integer_at(const json::value& value, std::string_view path,
                        Range<std::int64_t> range) {
    boost::system::error_code error;  // set for a fraction, and for what 64 bits cannot hold
    const std::int64_t number = value.is_number() ? value.to_number<std::int64_t>(error) : 0;
    if (value.is_number() && !error && number >= range.min && number <= range.max) return number;
    const auto wanted = range_text(range, "an integer", "정수");
    wrong_value(path, value, wanted.english, wanted.korean);
}

Fields Fields::of(const json::value& value, std::string path) {
    if (!value.is_object()) wrong_value(path, value, "an object", "객체");
    return Fields(value.get_object(), std::move(path));
}

std::string Fields::path_of(std::string_view name) const {
    return path_.empty() ? std::string(name) : fmt::format("{}.{}", path_, name);
}

bool Fields::has(std::string_view name) const {
    const json::value* value = object_->if_contains(name);
    return value && !value->is_null();
}

const json::value* Fields::find(std::string_view name) {
    read_.insert(std::string(name));
    const json::value* value = object_->if_contains(name);
    return value && !value->is_null() ? value : nullptr;
}

const json::value& Fields::required(std::string_view name) {
    const json::value* value = find(name);
    if (!value) missing(path_of(name));
    return *value;
}

std::string Fields::required_string(std::string_view name) {
    return string_at(required(name), path_of(name));
}

std::optional<std::string> Fields::optional_string(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    return string_at(*value, path_of(name));
}

std::optional<bool> Fields::optional_bool(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    if (!value->is_bool()) wrong_value(path_of(name), *value, "true or false", "true 또는 false");
    return value->get_bool();
}

std::int64_t Fields::required_integer(std::string_view name, Range<std::int64_t> range) {
    return integer_at(required(name), path_of(name), range);
}

std::optional<std::int64_t> Fields::optional_integer(std::string_view name,
                                                     Range<std::int64_t> range) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    return integer_at(*value, path_of(name), range);
}

double Fields::required_number(std::string_view name, Range<double> range) {
    return number_at(required(name), path_of(name), range);
}

std::optional<double> Fields::optional_number(std::string_view name, Range<double> range) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    return number_at(*value, path_of(name), range);
}

const json::array& Fields::required_array(std::string_view name, std::size_t size_max) {
    const json::value& value = required(name);
    if (!value.is_array()) wrong_value(path_of(name), value, "a list", "목록");
    check_size(value, path_of(name), size_max);
    return value.get_array();
}

const json::array* Fields::optional_array(std::string_view name, std::size_t size_max) {
    return find(name) ? &required_array(name, size_max) : nullptr;
}

Fields Fields::required_object(std::string_view name) { return of(required(name), path_of(name)); }

std::optional<Fields> Fields::optional_object(std::string_view name) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    return of(*value, path_of(name));
}

std::optional<std::vector<std::string>> Fields::optional_strings(std::string_view name,
                                                                 std::size_t size_max) {
    const json::array* list = optional_array(name, size_max);
    if (!list) return std::nullopt;
    std::vector<std::string> out;
    for (std::size_t i = 0; i < list->size(); ++i)
        out.push_back(string_at((*list)[i], path_at(path_of(name), i)));
    return out;
}

std::optional<std::string> Fields::optional_choice(
    std::string_view name, std::initializer_list<std::string_view> choices) {
    const json::value* value = find(name);
    if (!value) return std::nullopt;
    const bool known =
        value->is_string() &&
        std::ranges::find(choices, std::string_view(value->get_string())) != choices.end();
    if (known) return std::string(value->get_string());
    const std::string list = fmt::format("{}", fmt::join(choices, ", "));
    wrong_value(path_of(name), *value, "one of " + list, list + " 중 하나");
}

void Fields::refuse_unknown(std::initializer_list<std::string_view> ignored) const {
    for (const auto& member : *object_) {
        const std::string_view name = member.key();
        if (member.value().is_null() || read_.contains(name)) continue;
        if (std::ranges::find(ignored, name) != ignored.end()) continue;
        const std::string path = path_of(beginning(name, kNameBytes));
        const std::string meant = nearest(name, read_);
        std::string english = fmt::format("{} is not supported; leave it out", path);
        std::string korean = fmt::format("{} 항목은 지원하지 않습니다. 빼고 보내세요.", path);
        if (!meant.empty()) english += fmt::format("; did you mean {}?", path_of(meant));
        if (!meant.empty()) korean += fmt::format(" 혹시 {}인가요?", path_of(meant));
        throw Error(ErrorCode::kUnsupported, std::move(english), path, std::move(korean));
    }
}

}  // namespace jikji::http
