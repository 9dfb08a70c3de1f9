#pragma once
// JSON from outside: parsed strictly, read by name, refused by name.
#include <boost/json.hpp>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace jikji::http {

namespace json = boost::json;

/// One JSON text. Throws Error(kInvalidArgument) that says where: syntax, bad UTF-8, more than
/// limits::kJsonDepth levels, a name twice in one object, a number that a double cannot hold.
json::value parse_json(std::string_view text);
/// The same, and the text must be an object.
json::object parse_object(std::string_view text);

/// Closed range of a number.
template <typename Number>
struct Range {
    Number min = std::numeric_limits<Number>::lowest();
    Number max = std::numeric_limits<Number>::max();
};

/// Reads an object member by member and remembers what was read. Everything throws
/// Error(kInvalidArgument) with the member's path as field: "messages[0].role is 7; give a string".
/// Null counts as absent, as the SDKs mean it. The object must outlive the reader.
class Fields {
public:
    explicit Fields(const json::object& object, std::string path = {})
        : object_(&object), path_(std::move(path)) {}
    /// `value` must be an object.
    static Fields of(const json::value& value, std::string path);

    bool has(std::string_view name) const;           // there, and not null; does not count as read
    const json::value* find(std::string_view name);  // null if absent or null; counts as read
    const json::value& required(std::string_view name);

    std::string required_string(std::string_view name);
    std::optional<std::string> optional_string(std::string_view name);
    std::optional<bool> optional_bool(std::string_view name);
    std::int64_t required_integer(std::string_view name, Range<std::int64_t> range = {});
    std::optional<std::int64_t> optional_integer(std::string_view name,
                                                 Range<std::int64_t> range = {});
    double required_number(std::string_view name, Range<double> range = {});
    std::optional<double> optional_number(std::string_view name, Range<double> range = {});
    const json::array& required_array(std::string_view name, std::size_t size_max = SIZE_MAX);
    const json::array* optional_array(std::string_view name, std::size_t size_max = SIZE_MAX);
    Fields required_object(std::string_view name);
    std::optional<Fields> optional_object(std::string_view name);
    /// A list of strings.
    std::optional<std::vector<std::string>> optional_strings(std::string_view name,
                                                             std::size_t size_max = SIZE_MAX);
    /// A string that is one of `choices`.
    std::optional<std::string> optional_choice(std::string_view name,
                                               std::initializer_list<std::string_view> choices);

    /// Marks a member as known without reading it.
    void ignore(std::string_view name) { read_.insert(std::string(name)); }
    /// Throws Error(kUnsupported) for the first member that was neither read nor is in `ignored`,
    /// with the nearest name that was asked for. Null members are let pass.
    void refuse_unknown(std::initializer_list<std::string_view> ignored = {}) const;

    const json::object& object() const { return *object_; }
    const std::string& path() const { return path_; }
    /// "messages[0].role"
    std::string path_of(std::string_view name) const;

private:
    const json::object* object_;
    std::string path_;
    std::set<std::string, std::less<>> read_;
};

/// At most `bytes` of it, not cut inside a character: for messages that show what was given.
std::string beginning(std::string_view text, std::size_t bytes);

/// "stop[2]"
std::string path_at(std::string_view path, std::size_t index);

/// Throws "PATH is VALUE; give WANTED" with PATH as field. `korean` is WANTED in Korean.
[[noreturn]] void wrong_value(std::string_view path, const json::value& value,
                              std::string_view wanted, std::string_view wanted_korean);

/// One element of a list as a string or a number; `path` is the element's.
std::string string_at(const json::value& value, std::string_view path);
double number_at(const json::value& value, std::string_view path, Range<double> range = {});
std::int64_t integer_at(const json::value& value, std::string_view path,
                        Range<std::int64_t> range = {});

}  // namespace jikji::http
