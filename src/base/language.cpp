#include "base/language.hpp"

#include <cstdlib>

namespace jikji {
namespace {

double quality_of(std::string_view header, std::string_view tag) {
    double best = -1;
    while (!header.empty()) {
        const auto comma = header.find(',');
        std::string_view item = header.substr(0, comma);
        header = comma == std::string_view::npos ? "" : header.substr(comma + 1);
        while (!item.empty() && item.front() == ' ') item.remove_prefix(1);
        if (item.substr(0, tag.size()) != tag) continue;
        const auto q = item.find("q=");
        const double value = q == std::string_view::npos
                                 ? 1.0
                                 : std::strtod(std::string(item.substr(q + 2)).c_str(), nullptr);
        if (value > best) best = value;
    }
    return best;
}

}  // namespace

Language language_of_environment() {
    for (const char* name : {"LC_ALL", "LC_MESSAGES", "LANG"}) {
        const char* value = std::getenv(name);
        if (value == nullptr || *value == '\0') continue;
        return std::string_view(value).substr(0, 2) == "ko" ? Language::kKorean
                                                            : Language::kEnglish;
    }
    return Language::kEnglish;
}

Language language_of_header(std::string_view accept_language) {
    const double korean = quality_of(accept_language, "ko");
    return korean > 0 && korean > quality_of(accept_language, "en") ? Language::kKorean
                                                                    : Language::kEnglish;
}

}  // namespace jikji
