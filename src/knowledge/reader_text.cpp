#include "base/error.hpp"
#include "knowledge/document_builder.hpp"
#include "knowledge/reader_formats.hpp"
#include "text/charset.hpp"

namespace jikji::knowledge {

Document read_text(const std::string& bytes) {
    const auto decoded = text::to_utf8(bytes);
    if (!decoded) {
        throw Error(ErrorCode::kRejected,
                    "this is binary data, not text; give it the name that belongs to its type",
                    "file", "글이 아닌 이진 데이터입니다. 형식에 맞는 파일 이름을 붙여 주세요.");
    }
    DocumentBuilder builder;
    if (decoded->guessed) {
        builder.note("the character set was guessed as " + decoded->charset +
                     "; save the file as UTF-8 if letters look wrong");
    }
    const std::string clean = clean_text(decoded->text);
    add_plain_text(builder, clean);
    return builder.finish();
}

}  // namespace jikji::knowledge
