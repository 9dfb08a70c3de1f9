#include "training/dataset_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/parser.hpp>
#include <iterator>

#include "base/error.hpp"
#include "base/limits.hpp"
#include "base/nearest.hpp"
#include "text/normalise.hpp"
#include "training/dataset_chat.hpp"

namespace jikji::training {
namespace json = boost::json;
namespace {

const json::array& instances_of(const json::object& object, const Place& place) {
    const json::value& value = object.at("instances");
    if (!value.is_array() || value.as_array().empty()) {
        refuse(place, "instances has to be a list of {\"input\", \"output\"} with at least one",
               "instances에는 {\"input\", \"output\"} 목록이 하나 이상 있어야 합니다");
    }
    return value.as_array();
}

/// A prompt's parts as one message: what a person would have typed.
std::string asked(const std::string& instruction, const std::string& input) {
    if (text::strip(input).empty()) return instruction;
    if (text::strip(instruction).empty()) return input;
    return instruction + "\n\n" + input;
}

Record alpaca_record(const std::string& instruction, const json::object& rest,
                     const std::string& path, const Place& place) {
    Record record;
    record.line = place.line;
    record.instruction = instruction;
    record.input = optional_text_at(rest, "input", path, place);
    record.output = text_at(rest, "output", path, place);
    const std::string question = asked(record.instruction, record.input);
    const bool complete = !text::strip(question).empty() && !text::strip(record.output).empty();
    record.turns = {{"user", question, false}, {"assistant", record.output, complete}};
    return record;
}

std::vector<Record> alpaca_records(const json::object& object, const Place& place) {
    const std::string instruction = text_at(object, "instruction", "", place);
    if (!object.contains("instances")) return {alpaca_record(instruction, object, "", place)};
    std::vector<Record> out;
    for (const json::value& instance : instances_of(object, place)) {
        const std::string path = fmt::format("instances[{}]", out.size());
        out.push_back(
            alpaca_record(instruction, object_of(instance, path, place), path + ".", place));
    }
    return out;
}

Record text_record(const json::object& object, const Place& place) {
    Record record;
    record.line = place.line;
    record.text = text_at(object, "text", "", place);
    return record;
}

std::string place_in(const Place& place) {
    return place.line == 0 ? std::string(place.file)
                           : fmt::format("{} line {}", place.file, place.line);
}

std::string korean_place(const Place& place) {
    return place.line == 0 ? std::string(place.file)
                           : fmt::format("{} {}번째 줄", place.file, place.line);
}

}  // namespace

void refuse(const Place& place, std::string_view english, std::string_view korean) {
    throw Error(ErrorCode::kInvalidArgument, fmt::format("{}: {}", place_in(place), english),
                "training_file", fmt::format("{}: {}", korean_place(place), korean));
}

void note(DataReport& report, int line, std::string_view english, std::string_view korean) {
    if (report.notes.size() >= limits::kTrainingNotes) return;
    report.notes.push_back(fmt::format("line {}: {}", line, english));
    report.notes_korean.push_back(fmt::format("{}번째 줄: {}", line, korean));
}

std::string_view name_of(DataFormat format) {
    switch (format) {
        case DataFormat::kChat: return "chat";
        case DataFormat::kAlpaca: return "alpaca";
        case DataFormat::kText: return "text";
        case DataFormat::kPlain: return "plain";
    }
    return "";
}

std::optional<DataFormat> format_of(const json::object& object) {
    if (object.contains("messages")) return DataFormat::kChat;
    if (object.contains("instruction")) return DataFormat::kAlpaca;
    if (object.contains("text")) return DataFormat::kText;
    return std::nullopt;
}

json::object parse_line(std::string_view text, const Place& place) {
    json::parse_options options;
    options.max_depth = limits::kJsonDepth;
    json::parser parser({}, options);
    boost::system::error_code error;
    const std::size_t used = parser.write_some(text.data(), text.size(), error);
    if (!error && used < text.size()) error = json::error::extra_data;
    if (error) {
        const std::size_t column = text::count_characters(text.substr(0, used)) + 1;
        refuse(place,
               fmt::format("the JSON is broken at column {} ({}); each line has to be one whole "
                           "object, {{ … }}",
                           column, error.message()),
               fmt::format("JSON이 {}번째 글자에서 깨져 있습니다({}). 한 줄에 온전한 객체 {{ … }} "
                           "하나씩 적으세요.",
                           column, error.message()));
    }
    json::value value = parser.release();
    if (!value.is_object()) {
        refuse(place, fmt::format("it is {}; give one object a line, {{ … }}", kind_of(value)),
               "객체가 아닙니다. 한 줄에 객체 { … } 하나씩 적으세요.");
    }
    return std::move(value.as_object());
}

std::vector<Record> records_of(const json::object& object, DataFormat format, const Place& place,
                               DataReport& report) {
    if (format == DataFormat::kChat) return {chat_record(object, place, report)};
    if (format == DataFormat::kAlpaca) return alpaca_records(object, place);
    return {text_record(object, place)};
}

}  // namespace jikji::training
