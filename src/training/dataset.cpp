#include "training/dataset.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/functional/hash.hpp>
#include <unordered_map>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "text/charset.hpp"
#include "text/normalise.hpp"
#include "training/dataset_record.hpp"

namespace jikji::training {
namespace {

constexpr std::string_view kMark = "\xEF\xBB\xBF";  // UTF-8's byte order mark

bool blank(std::string_view text) { return text::strip(text).empty(); }

/// Calls each(line without its end, number from 1).
template <typename Each>
void for_each_line(std::string_view text, const Each& each) {
    int number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        each(line, ++number);
        if (end == std::string_view::npos) return;
        text.remove_prefix(end + 1);
    }
}

/// Records as they come: equal ones and those without anything to learn are counted and left out.
class Collector {
public:
    Collector(Records& records, std::string_view file) : records_(records), file_(file) {}

    void add(Record record) {
        DataReport& report = records_.report;
        if (const auto why = emptiness(record)) {
            ++report.empty;
            return note(report, record.line, why->english, why->korean);
        }
        const std::size_t hash = hash_of(record);
        if (const Record* first = find(record, hash)) {
            ++report.duplicates;
            return note(report, record.line, fmt::format("the same as line {}", first->line),
                        fmt::format("{}번째 줄과 같습니다", first->line));
        }
        if (records_.items.size() == limits::kTrainingRecords) too_many();
        seen_.emplace(hash, records_.items.size());
        records_.items.push_back(std::move(record));
    }

private:
    struct Why {
        std::string_view english, korean;
    };

    static std::optional<Why> emptiness(const Record& record) {
        if (record.turns.empty()) {
            if (!blank(record.text)) return std::nullopt;
            return Why{"the text is empty", "글이 비어 있습니다"};
        }
        const auto learnt = [](const ChatTurn& turn) { return turn.learnt; };
        if (std::any_of(record.turns.begin(), record.turns.end(), learnt)) return std::nullopt;
        if (!blank(record.output)) return Why{"the question is empty", "질문이 비어 있습니다"};
        if (blank(record.turns.back().content))
            return Why{"the answer is empty", "답이 비어 있습니다"};
        return Why{"every answer has weight 0", "모든 답의 weight가 0입니다"};
    }

    static std::size_t hash_of(const Record& record) {
        std::size_t seed = 0;
        for (const ChatTurn& turn : record.turns) {
            boost::hash_combine(seed, turn.role);
            boost::hash_combine(seed, turn.content);
            boost::hash_combine(seed, turn.learnt);
        }
        boost::hash_combine(seed, record.text);
        return seed;
    }

    static bool equal(const Record& a, const Record& b) {
        const auto same = [](const ChatTurn& x, const ChatTurn& y) {
            return x.role == y.role && x.content == y.content && x.learnt == y.learnt;
        };
        return a.text == b.text &&
               std::equal(a.turns.begin(), a.turns.end(), b.turns.begin(), b.turns.end(), same);
    }

    const Record* find(const Record& record, std::size_t hash) const {
        const auto [first, last] = seen_.equal_range(hash);
        for (auto it = first; it != last; ++it) {
            if (equal(records_.items[it->second], record)) return &records_.items[it->second];
        }
        return nullptr;
    }

    [[noreturn]] void too_many() const {
        refuse({file_, 0},
               fmt::format("it has more than {} records; give fewer", limits::kTrainingRecords),
               fmt::format("레코드가 {}개보다 많습니다. 줄여 주세요.", limits::kTrainingRecords));
    }

    Records& records_;
    std::string_view file_;
    std::unordered_multimap<std::size_t, std::size_t> seen_;  // hash -> index of items
};

void check_length(std::size_t bytes, const Place& place) {
    if (bytes <= limits::kTrainingLineBytes) return;
    constexpr std::size_t kMiB = limits::kTrainingLineBytes >> 20;
    refuse(place, fmt::format("it has {} bytes; at most {} MiB can be read", bytes, kMiB),
           fmt::format("{}바이트입니다. {} MiB까지 읽을 수 있습니다.", bytes, kMiB));
}

void check_utf8(std::string_view bytes, std::string_view name) {
    if (text::valid_utf8(bytes)) return;
    int wrong = 0;
    for_each_line(bytes, [&](std::string_view line, int number) {
        if (wrong == 0 && !text::valid_utf8(line)) wrong = number;
    });
    const auto read = text::to_utf8(bytes.substr(0, 1 << 16));
    const bool known = read && !read->guessed && read->charset != "UTF-8";
    refuse({name, wrong},
           fmt::format("it is not UTF-8{}; save the file as UTF-8",
                       known ? fmt::format(" (it looks like {})", read->charset) : ""),
           fmt::format("UTF-8이 아닙니다{}. UTF-8로 저장해 주세요.",
                       known ? fmt::format("({} 같습니다)", read->charset) : ""));
}

[[noreturn]] void refuse_shape(const Place& place) {
    refuse(place,
           "no shape of training data has these fields; give messages (chat), instruction and "
           "output (alpaca), or text",
           "알 수 없는 형태입니다. messages(대화), instruction과 output(알파카), text 중 하나를 "
           "주세요.");
}

class LineReader {
public:
    LineReader(Records& records, std::string_view file)
        : records_(records), file_(file), collector_(records, file) {}

    void read(std::string_view line, int number) {
        if (blank(line)) return;
        const Place place{file_, number};
        check_length(line.size(), place);
        const boost::json::object object = parse_line(line, place);
        const DataFormat format = format_at(object, place);
        for (Record& record : records_of(object, format, place, records_.report)) {
            collector_.add(std::move(record));
        }
    }

private:
    DataFormat format_at(const boost::json::object& object, const Place& place) {
        const auto format = format_of(object);
        if (!format) refuse_shape(place);
        if (first_line_ == 0) {
            first_line_ = place.line;
            records_.report.format = *format;
        }
        if (*format != records_.report.format) {
            const auto first = name_of(records_.report.format), here = name_of(*format);
            refuse(place,
                   fmt::format("it is {}, but line {} is {}; give one file one shape", here,
                               first_line_, first),
                   fmt::format("{} 형태인데 {}번째 줄은 {} 형태입니다. 한 파일에는 한 형태만 "
                               "적으세요.",
                               here, first_line_, first));
        }
        return *format;
    }

    Records& records_;
    std::string_view file_;
    Collector collector_;
    int first_line_ = 0;
};

/// Paragraphs, with LF between their lines.
void read_plain(std::string_view text, std::string_view name, Records& records) {
    records.report.format = DataFormat::kPlain;
    Collector collector(records, name);
    Record paragraph;
    const auto finish = [&] {
        if (!paragraph.text.empty()) collector.add(std::move(paragraph));
        paragraph = {};
    };
    for_each_line(text, [&](std::string_view line, int number) {
        if (blank(line)) return finish();
        if (paragraph.text.empty()) paragraph.line = number;
        check_length(paragraph.text.size() + line.size(), {name, paragraph.line});
        if (!paragraph.text.empty()) paragraph.text += '\n';
        paragraph.text += line;
    });
    finish();
}

std::string extension_of(std::string_view name) {
    std::string out = std::filesystem::path(name).extension().string();
    std::transform(out.begin(), out.end(), out.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    return out;
}

/// By its name; where that says nothing, by its first letter.
bool is_plain(std::string_view text, std::string_view name) {
    const std::string extension = extension_of(name);
    const std::string_view start = text::strip(text.substr(0, 4096));
    if (extension == ".csv" || extension == ".tsv") {
        refuse({name, 0}, "tables cannot be read; give JSON lines, one {…} a line",
               "표는 읽을 수 없습니다. 한 줄에 { … } 하나씩, JSON Lines로 주세요.");
    }
    if (extension == ".jsonl" || extension == ".json" || extension == ".ndjson") return false;
    const bool json = start.starts_with("{\"") || start.starts_with("[{");
    return !json;
}

void check_not_array(std::string_view text, std::string_view name) {
    if (!text::strip(text.substr(0, 4096)).starts_with('[')) return;
    refuse({name, 1},
           fmt::format(
               "it is one list of JSON; give one object a line: jq -c '.[]' {} > DATA.jsonl", name),
           fmt::format("JSON 목록 하나입니다. 한 줄에 객체 하나씩 적으세요: jq -c '.[]' {} > "
                       "DATA.jsonl",
                       name));
}

[[noreturn]] void nothing_to_learn(const DataReport& report, std::string_view name) {
    if (report.empty == 0) {
        refuse({name, 0}, "it is empty; give at least one sample",
               "비어 있습니다. 예문을 하나 이상 주세요.");
    }
    refuse({name, 0},
           fmt::format("there is nothing to learn in it: {} empty; {}", report.empty,
                       report.notes.front()),
           fmt::format("배울 것이 없습니다. 빈 것 {}개: {}", report.empty,
                       report.notes_korean.front()));
}

}  // namespace

Records read_records(const std::filesystem::path& file, std::string_view name) {
    const MappedFile mapped(file);
    return parse_records(mapped.bytes(), name);
}

Records parse_records(std::string_view bytes, std::string_view name) {
    check_utf8(bytes, name);
    std::string_view text = bytes;
    if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
    Records records;
    records.name = name;
    if (is_plain(text, name)) {
        read_plain(text, name, records);
    } else {
        check_not_array(text, name);
        LineReader reader(records, name);
        for_each_line(text, [&](std::string_view line, int number) { reader.read(line, number); });
    }
    if (records.items.empty()) nothing_to_learn(records.report, name);
    records.report.records = static_cast<int>(records.items.size());
    return records;
}

}  // namespace jikji::training
