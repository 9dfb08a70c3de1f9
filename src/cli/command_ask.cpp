// jikji ask: an answer from the documents, with what it stands on.
#include <unistd.h>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"
#include "cli/stream_text.hpp"
#include "cli/wire.hpp"

namespace jikji::cli {
namespace {

/// "  [1] handbook.pdf, page 3, Leave" and the quoted span below it.
std::string citation_text(const json::object& citation, Language language) {
    const int page = static_cast<int>(number_at(citation, "page"));
    const std::string heading = text_at(citation, "heading");
    std::string where = text_at(citation, "filename");
    if (page > 0) {
        where += ", " + fmt::format(fmt::runtime(say(language, "page {}", "{}쪽")), page);
    }
    if (!heading.empty()) where += ", " + heading;
    std::string quote = text_at(citation, "quote");
    for (char& c : quote) c = c == '\n' ? ' ' : c;
    return fmt::format("  [{}] {}\n      \"{}\"\n", static_cast<int>(number_at(citation, "index")),
                       where, quote);
}

/// Shows the events of one answer. On a terminal the text appears as it is made; elsewhere only
/// the final text is written, since it may replace what was streamed.
class AnswerPrinter {
public:
    AnswerPrinter(bool live, Language language) : live_(live), language_(language) {}

    void take(const json::object& event) {
        const std::string type = text_at(event, "type");
        if (type == "answer.delta" && live_) print(strip_.add(text_at(event, "text")));
        if (type == "answer.delta") streamed_ = true;
        if (type == "answer.completed") finish(event);
    }
    bool completed() const { return completed_; }

private:
    void finish(const json::object& event) {
        completed_ = true;
        const bool shown = live_ && streamed_;
        if (shown) print("\n");
        if (shown && flag_at(event, "quoted")) {
            tell(language_, "\nThe documents do not say that in these words; they say:",
                 "\n위 답변은 문서로 확인되지 않습니다. 문서에는 이렇게 나와 있습니다:");
        }
        if (!shown || flag_at(event, "quoted")) {
            StripStream strip;
            print(strip.add(text_at(event, "text")) + "\n");
        }
        const json::array& citations = list_at(event, "citations");
        if (citations.empty()) return;
        print(fmt::format("\n{}\n", say(language_, "Sources:", "출처:")));
        for (const json::value& citation : citations) {
            print(citation_text(citation.as_object(), language_));
        }
    }

    bool live_;
    Language language_;
    StripStream strip_;
    bool streamed_ = false;
    bool completed_ = false;
};

std::string require_collection(http::Client& client, const std::string& name) {
    std::string id = find_collection(client, name);
    if (!id.empty()) return id;
    throw Error(
        ErrorCode::kNotFound,
        fmt::format("there is no collection '{}' yet; take documents in with: jikji ingest "
                    "PATH",
                    name),
        "collection",
        fmt::format("'{}' 문서 모음이 아직 없습니다. 먼저 문서를 넣으세요: jikji ingest 경로",
                    name));
}

}  // namespace

int ask(const AskOptions& options) {
    const Session session(options.common);
    const Interrupt interrupt;
    http::Client client = session.client([&interrupt] { return interrupt.count() == 0; });
    json::object body = {{"question", options.question},
                         {"vector_store_id", require_collection(client, options.collection)},
                         {"stream", !options.json}};
    put_flags(body, options.generation);
    if (options.json) {
        const auto answer = client.request("POST", "/v1/answers", json::serialize(body));
        print(pretty(parse_object(answer.body)));
        return kDone;
    }
    AnswerPrinter printer(on_terminal(STDOUT_FILENO), options.common.language);
    client.stream("POST", "/v1/answers", json::serialize(body), [&](std::string_view event) {
        printer.take(parse_object(event));
        return interrupt.count() == 0;
    });
    if (!printer.completed()) {
        throw Error(ErrorCode::kCancelled, "the answer was not finished", "",
                    "답변이 끝나지 않았습니다.");
    }
    return kDone;
}

}  // namespace jikji::cli
