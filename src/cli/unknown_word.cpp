#include "cli/unknown_word.hpp"

#include <fmt/format.h>

#include "base/nearest.hpp"

namespace jikji::cli {

std::string unknown_word_text(Language language, const std::string& word,
                              const std::vector<std::string>& known) {
    const bool option = word.starts_with("-");
    const std::string name = option ? word.substr(0, word.find('=')) : word;
    if (known.empty()) {
        const auto text =
            say(language, "'{}' is too much here; put text with spaces in quotes",
                "'{}'은(는) 남는 인자입니다. 띄어쓰기가 있는 글은 따옴표로 묶으세요.");
        return fmt::format(fmt::runtime(text), name);
    }
    const auto what = option ? say(language, "there is no option", "없는 옵션입니다:")
                             : say(language, "there is no command", "없는 명령입니다:");
    const std::string meant = nearest(name, known);
    if (meant.empty()) return fmt::format("{} '{}'", what, name);
    const auto text =
        say(language, "{} '{}'; did you mean '{}'?", "{} '{}'. '{}'을(를) 찾으셨나요?");
    return fmt::format(fmt::runtime(text), what, name, meant);
}

}  // namespace jikji::cli
