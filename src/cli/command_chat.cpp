// jikji chat: one question, or a conversation; text as it is made.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "cli/command_line.hpp"
#include "cli/commands.hpp"
#include "cli/interrupt.hpp"
#include "cli/say.hpp"
#include "cli/session.hpp"
#include "cli/stream_text.hpp"
#include "cli/wire.hpp"

namespace jikji::cli {
namespace {

constexpr int kInterruptsToQuit = 2;

class Conversation {
public:
    Conversation(const ChatOptions& options, const Session& session)
        : options_(options),
          client_(session.client([this] { return interrupt_.count() == 0; })),
          settings_(parse_object(client_.request("GET", "/v1/settings/generation").body)) {
        if (options_.generation.prompt.empty()) use_active_template();
        if (options_.generation.prompt == "none") options_.generation.prompt.clear();
    }

    /// Streams the answer; false if Ctrl-C ended it (what was said stays in the history).
    bool say_to_model(const std::string& words) {
        messages_.push_back({{"role", "user"}, {"content", words}});
        json::object body = {{"messages", messages_}, {"stream", true}};
        put_generation(body, settings_, options_.generation);
        std::string answer;
        try {
            const bool whole = stream(json::serialize(body), answer);
            messages_.push_back({{"role", "assistant"}, {"content", answer}});
            return whole;
        } catch (const Error&) {
            messages_.pop_back();  // so that the next try does not send it twice
            throw;
        }
    }

    void start_anew() { messages_.clear(); }
    Interrupt& interrupt() { return interrupt_; }

private:
    // The template that a person has made active (S5) holds unless another is asked for.
    void use_active_template() {
        for (const json::object& prompt : all_items(client_, "/v1/prompts")) {
            if (!flag_at(prompt, "is_active")) continue;
            options_.generation.prompt = text_at(prompt, "id");
            const std::string name = text_at(prompt, "name");
            tell(options_.common.language, fmt::format("(template: {})", name),
                 fmt::format("(템플릿: {})", name));
            return;
        }
    }

    bool stream(const std::string& body, std::string& answer) {
        StripStream strip;
        try {
            client_.stream("POST", "/v1/chat/completions", body, [&](std::string_view event) {
                const json::object chunk = parse_object(event);
                for (const json::value& choice : list_at(chunk, "choices")) {
                    const auto& delta = object_at(choice.as_object(), "delta");
                    const std::string text = strip.add(text_at(delta, "content"));
                    answer += text;
                    print(text);
                }
                return interrupt_.count() == 0;
            });
        } catch (const Error& error) {
            if (error.code() != ErrorCode::kCancelled) throw;
        }
        print("\n");
        return interrupt_.count() == 0;
    }

    ChatOptions options_;
    Interrupt interrupt_;
    http::Client client_;
    json::object settings_;
    json::array messages_;
};

struct FreeLine {
    void operator()(char* line) const noexcept { std::free(line); }
};

/// A line from the terminal; nothing at its end, or if Ctrl-C came.
std::optional<std::string> read_line(const char* prompt) {
    print(prompt);
    char* raw = nullptr;
    std::size_t room = 0;
    errno = 0;
    const ssize_t length = ::getline(&raw, &room, stdin);
    const std::unique_ptr<char, FreeLine> line(raw);
    if (length < 0) {
        std::clearerr(stdin);
        return std::nullopt;
    }
    std::string out(line.get(), static_cast<std::size_t>(length));
    while (!out.empty() && (out.back() == '\n' || out.back() == '\r')) out.pop_back();
    return out;
}

void tell_help(Language language) {
    tell(language,
         "  /new starts a new conversation, /exit or Ctrl-D leaves, Ctrl-C stops an answer.",
         "  /new 새 대화, /exit 또는 Ctrl-D 끝내기, Ctrl-C 답변 멈추기.");
}

/// False: leave.
bool take_turn(Conversation& conversation, const std::string& line, Language language) {
    if (line == "/exit" || line == "/quit") return false;
    if (line == "/help" || line == "/?") {
        tell_help(language);
    } else if (line == "/new") {
        conversation.start_anew();
    } else if (line.find_first_not_of(" \t") != std::string::npos) {
        try {
            if (!conversation.say_to_model(line)) tell(language, "(stopped)", "(멈춤)");
        } catch (const Error& error) {
            tell_error(language, error);
        }
    }
    return true;
}

int converse(Conversation& conversation, Language language) {
    tell_help(language);
    Interrupt& interrupt = conversation.interrupt();
    while (interrupt.count() < kInterruptsToQuit) {
        const int before = interrupt.count();
        const auto line = read_line("> ");
        if (!line && interrupt.count() == before) break;  // Ctrl-D
        if (!line) {
            tell("");
            if (interrupt.count() < kInterruptsToQuit) {
                tell(language, "Ctrl-C again leaves.", "한 번 더 누르면 끝냅니다.");
            }
            continue;
        }
        interrupt.forget();
        if (!take_turn(conversation, *line, language)) break;
    }
    print("\n");
    return kDone;
}

std::string all_of_standard_input() {
    return {std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
}

}  // namespace

int chat(const ChatOptions& options) {
    const Language language = options.common.language;
    const bool terminal = on_terminal(STDIN_FILENO);
    std::string message = options.message;
    if (message.empty() && !terminal) message = all_of_standard_input();
    if (message.empty() && !terminal) {
        throw Error(ErrorCode::kInvalidArgument, "nothing was asked; try: jikji chat \"Hello\"", "",
                    "질문이 없습니다. 예: jikji chat \"안녕하세요\"");
    }
    const Session session(options.common);
    Conversation conversation(options, session);
    if (message.empty()) return converse(conversation, language);
    return conversation.say_to_model(message) ? kDone : kFailed;
}

}  // namespace jikji::cli
