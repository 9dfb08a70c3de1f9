#include "knowledge/reader.hpp"

#include <algorithm>
#include <cctype>

#include "base/error.hpp"
#include "base/file.hpp"
#include "base/limits.hpp"
#include "knowledge/reader_formats.hpp"

namespace jikji::knowledge {
namespace {

constexpr std::string_view kKnown = ".txt, .md, .markdown, .html, .htm, .pdf";

std::string extension_of(std::string_view filename) {
    const std::size_t dot = filename.rfind('.');
    if (dot == std::string_view::npos || dot + 1 == filename.size()) return {};
    if (filename.find('/', dot) != std::string_view::npos) return {};
    std::string extension(filename.substr(dot));
    for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    return extension;
}

[[noreturn]] void reject(const std::string& filename, const std::string& english,
                         const std::string& korean) {
    throw Error(ErrorCode::kRejected, filename + ": " + english, "file", filename + ": " + korean);
}

[[noreturn]] void reject_type(const std::string& filename, const std::string& extension) {
    const std::string known(kKnown);
    if (extension.empty()) {
        reject(filename, "the name has no extension; these can be read: " + known,
               "파일 이름에 확장자가 없습니다. 읽을 수 있는 형식: " + known);
    }
    reject(filename, "files of type " + extension + " cannot be read yet; these can: " + known,
           extension + " 형식은 아직 읽을 수 없습니다. 읽을 수 있는 형식: " + known);
}

std::string read_bytes(const std::filesystem::path& file, const std::string& filename) {
    const std::uint64_t limit = limits::kDocumentTextBytes;
    if (std::error_code failed; std::filesystem::file_size(file, failed) > limit && !failed) {
        const std::string megabytes = std::to_string(limit >> 20);
        throw Error(ErrorCode::kTooLarge,
                    filename + ": larger than " + megabytes + " MB, the limit for text; split it",
                    "file",
                    filename + ": 글 문서의 한도인 " + megabytes + "MB보다 큽니다. 나누어 주세요.");
    }
    return read_file(file, limit);
}

void check_kind(const std::string& bytes, const std::string& filename) {
    const std::string_view head = std::string_view(bytes).substr(0, 8);
    if (head.starts_with("%PDF-")) {
        reject(filename, "this is a PDF; give it a name that ends in .pdf",
               "이 파일은 PDF입니다. 이름을 .pdf로 끝나게 바꿔 주세요.");
    }
    if (head.starts_with("PK\x03\x04")) {
        reject(filename, "this is a zip archive or an office document, not text",
               "이 파일은 글이 아니라 zip 압축 파일이나 오피스 문서입니다.");
    }
}

Document read_by_type(const std::string& extension, const std::string& bytes) {
    if (extension == ".md" || extension == ".markdown") return read_markdown(bytes);
    if (extension == ".html" || extension == ".htm") return read_html(bytes);
    return read_text(bytes);
}

}  // namespace

const std::vector<std::string>& readable_extensions() {
    static const std::vector<std::string> kExtensions = {".txt",  ".md",  ".markdown",
                                                         ".html", ".htm", ".pdf"};
    return kExtensions;
}

bool is_readable(std::string_view filename) {
    const auto& known = readable_extensions();
    return std::find(known.begin(), known.end(), extension_of(filename)) != known.end();
}

Document read_document(const std::filesystem::path& file, const std::string& filename,
                       const std::function<bool()>& poll) {
    const std::string extension = extension_of(filename);
    if (!is_readable(filename)) reject_type(filename, extension);
    try {
        if (std::filesystem::exists(file) && std::filesystem::file_size(file) == 0) {
            throw Error(ErrorCode::kRejected, "the file is empty", "file", "빈 파일입니다.");
        }
        if (extension == ".pdf") return read_pdf(file, poll);
        const std::string bytes = read_bytes(file, filename);
        check_kind(bytes, filename);
        Document document = read_by_type(extension, bytes);
        if (document.text.empty()) {
            throw Error(ErrorCode::kRejected, "there is no text in it", "file", "글이 없습니다.");
        }
        return document;
    } catch (const Error& error) {
        const std::string_view what = error.what();
        if (error.code() != ErrorCode::kRejected || what.starts_with(filename)) throw;
        reject(filename, error.what(), error.korean());
    }
}

}  // namespace jikji::knowledge
