#include "cli/say.hpp"

#include <unistd.h>

#include <cstdio>

namespace jikji::cli {

std::string for_terminal(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const auto byte = static_cast<unsigned char>(text[at]);
        const bool c0 = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
        // U+0080..U+009F, which some terminals obey as they do escapes.
        const bool c1 = byte == 0xC2 && at + 1 < text.size() &&
                        (static_cast<unsigned char>(text[at + 1]) & 0xE0) == 0x80;
        if (c1) ++at;
        if (c0 || c1) {
            out += "\xEF\xBF\xBD";
        } else {
            out += text[at];
        }
    }
    return out;
}

void print(std::string_view text) {
    const std::string out = on_terminal(STDOUT_FILENO) ? for_terminal(text) : std::string(text);
    std::fwrite(out.data(), 1, out.size(), stdout);
    std::fflush(stdout);
}

void tell(std::string_view line) {
    const std::string out = for_terminal(line) + "\n";
    std::fwrite(out.data(), 1, out.size(), stderr);
}

void tell(Language language, std::string_view english, std::string_view korean) {
    tell(say(language, english, korean));
}

void tell_error(Language language, const std::exception& cause) {
    const auto* known = dynamic_cast<const Error*>(&cause);
    const std::string text =
        known != nullptr && language == Language::kKorean ? known->korean() : cause.what();
    tell(fmt::format("{}: {}", say(language, "jikji", "직지"), text));
    if (known == nullptr || known->code() != ErrorCode::kUnauthorized) return;
    tell(language, "give the server's key with --api-key or JIKJI_API_KEY",
         "서버의 키를 --api-key나 JIKJI_API_KEY로 주세요.");
}

bool on_terminal(int descriptor) { return ::isatty(descriptor) == 1; }

}  // namespace jikji::cli
