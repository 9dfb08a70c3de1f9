#include "base/child.hpp"
#include "base/error.hpp"
#include "base/limits.hpp"
#include "knowledge/document_builder.hpp"
#include "knowledge/reader_formats.hpp"
#include "text/normalise.hpp"

namespace jikji::knowledge {
namespace {

constexpr std::string_view kProgram = "pdftotext";

[[noreturn]] void reject(const char* english, const char* korean) {
    throw Error(ErrorCode::kRejected, english, "file", korean);
}

bool has(const ChildResult& result, std::string_view words) {
    return result.errors.find(words) != std::string::npos;
}

void check(const ChildResult& result) {
    if (result.timed_out) {
        reject("reading the PDF took more than 30 seconds; split it or save it again",
               "PDF를 읽는 데 30초가 넘게 걸렸습니다. 나누거나 다시 저장해 주세요.");
    }
    if (result.too_much_output) {
        throw Error(ErrorCode::kTooLarge, "the PDF has more than 64 MB of text; split it", "file",
                    "PDF의 글이 64MB를 넘습니다. 나누어서 올려 주세요.");
    }
    if (result.exit_code == 0) return;
    if (has(result, "Incorrect password")) {
        reject("the PDF is encrypted; save it without a password",
               "암호가 걸린 PDF입니다. 암호 없이 다시 저장해 주세요.");
    }
    if (result.exit_code == 3) {
        reject("the PDF does not permit copying its text",
               "글을 복사할 수 없도록 설정된 PDF입니다.");
    }
    reject("the PDF is damaged or not a PDF", "손상되었거나 PDF가 아닌 파일입니다.");
}

void reject_without_text(const ChildResult& result) {
    if (has(result, "Missing language pack")) {
        reject("the PDF needs character maps that are not installed; install poppler-data",
               "PDF에 필요한 문자표가 설치되어 있지 않습니다. poppler-data를 설치해 주세요.");
    }
    reject("scanned: there is no text inside, only pictures; reading pictures (OCR) comes later",
           "스캔한 PDF입니다. 글이 없고 그림만 있습니다. 그림 읽기(OCR)는 나중에 지원합니다.");
}

void add_pages(DocumentBuilder& builder, std::string_view text) {
    int page = 1;
    while (!text.empty()) {
        const std::size_t end = text.find('\f');
        const std::string clean = clean_text(text.substr(0, end));
        builder.page(page++);
        add_plain_text(builder, clean);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

}  // namespace

Document read_pdf(const std::filesystem::path& file, const std::function<bool()>& poll) {
    bool stopped = false;
    const auto go_on = [&] {
        stopped = poll && !poll();
        return !stopped;
    };
    const ChildLimits limits{.time = limits::kReaderTime,
                             .memory_bytes = limits::kReaderMemory,
                             .output_bytes = limits::kDocumentTextBytes};
    const ChildResult result = run_child({std::string(kProgram), "-enc", "UTF-8", "-eol", "unix",
                                          std::filesystem::absolute(file).string(), "-"},
                                         {}, limits, go_on);
    if (stopped) throw Error(ErrorCode::kCancelled, "reading was stopped");
    check(result);
    DocumentBuilder builder;
    add_pages(builder, text::to_valid_utf8(result.output));
    if (builder.empty()) reject_without_text(result);
    return builder.finish();
}

}  // namespace jikji::knowledge
