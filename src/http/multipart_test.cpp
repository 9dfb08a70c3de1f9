#include "http/multipart.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "base/error.hpp"

namespace jikji::http {
namespace {

/// Writes what it sees down in one string: "name|filename|type=data;".
class Recorder : public PartSink {
public:
    void begin(const PartHead& head) override {
        text += head.name + "|" + head.filename.value_or("-") + "|" + head.content_type + "=";
    }
    void data(std::string_view bytes) override { text += bytes; }
    void end() override { text += ";"; }
    std::string text;
};

struct BodyCase {
    std::string name;
    std::string body;  // boundary: B
    std::string want;  // what the recorder writes; "!" for refused
};

const std::string kField = "Content-Disposition: form-data; name=\"a\"\r\n\r\n";
const std::string kFile =
    "content-disposition: form-data; name=\"f\"; filename=\"x.txt\"\r\n"
    "content-type: text/plain\r\n\r\n";

// Goal: every part as it was sent, at whatever places the bytes were cut; what is no multipart body
// is refused. Method: each body whole, cut in two at every place, and byte by byte.
const BodyCase kBodies[] = {
    {"one field", "--B\r\n" + kField + "1\r\n--B--\r\n", "a|-|=1;"},
    {"no line after the end", "--B\r\n" + kField + "1\r\n--B--", "a|-|=1;"},
    {"empty data", "--B\r\n" + kField + "\r\n--B--", "a|-|=;"},
    {"field and file", "--B\r\n" + kField + "1\r\n--B\r\n" + kFile + "hi\r\n--B--",
     "a|-|=1;f|x.txt|text/plain=hi;"},
    {"preamble and epilogue", "hello\r\n--B\r\n" + kField + "1\r\n--B--\r\nbye --B\r\n", "a|-|=1;"},
    {"data with CRLF and dashes", "--B\r\n" + kField + "\r\n--\r\n--A\r\n-\r\n--B--",
     "a|-|=\r\n--\r\n--A\r\n-;"},
    {"blanks behind the delimiter", "--B \t\r\n" + kField + "1\r\n--B--", "a|-|=1;"},
    {"delimiter inside a line is data", "--B\r\n" + kField + "x--B--\r\n--B--", "a|-|=x--B--;"},
    {"data that begins like CRLF", "--B\r\n" + kField + "\r\n\r\n--B--", "a|-|=\r\n;"},
    {"Korean filename",
     "--B\r\nContent-Disposition: form-data; name=f; filename=\"보안 정책.md\"\r\n\r\n1\r\n--B--",
     "f|보안 정책.md|=1;"},
    {"encoded filename",
     "--B\r\nContent-Disposition: form-data; name=f; filename*=utf-8''%EC%B1%85.txt\r\n\r\n1"
     "\r\n--B--",
     "f|책.txt|=1;"},
    {"escaped quotes",
     "--B\r\nContent-Disposition: form-data; name=\"a\\\"b\"; filename=\"C:\\x;y\"\r\n\r\n1"
     "\r\n--B--",
     "a\"b|C:\\x;y|=1;"},
    {"no body at all", "", "!"},
    {"no end", "--B\r\n" + kField + "1\r\n", "!"},
    {"no name", "--B\r\nContent-Type: text/plain\r\n\r\n1\r\n--B--", "!"},
    {"no head", "--B\r\n\r\n1\r\n--B--", "!"},
    {"header without a colon", "--B\r\nnonsense\r\n\r\n1\r\n--B--", "!"},
    {"delimiter with a tail", "--B\r\n" + kField + "1\r\n--Bx\r\n", "!"},
    {"other boundary", "--C\r\n" + kField + "1\r\n--C--", "!"},
    {"bare LF", "--B\nContent-Disposition: form-data; name=a\n\n1\n--B--", "!"},
};

std::string parse(const std::vector<std::string_view>& pieces) {
    Recorder recorder;
    try {
        MultipartParser parser("B", recorder);
        for (const std::string_view piece : pieces) parser.feed(piece);
        parser.finish();
    } catch (const Error& error) {
        return error.code() == ErrorCode::kInvalidArgument ? "!" : "wrong error";
    }
    return recorder.text;
}

}  // namespace

TEST_SUITE_BEGIN("multipart");

TEST_CASE("multipart bodies give the same parts wherever they are cut") {
    for (const BodyCase& c : kBodies) {
        CAPTURE(c.name);
        const std::string_view body = c.body;
        CHECK(parse({body}) == c.want);
        std::vector<std::string_view> bytes;
        for (std::size_t i = 0; i < body.size(); ++i) {
            CAPTURE(i);
            CHECK(parse({body.substr(0, i), body.substr(i)}) == c.want);
            bytes.push_back(body.substr(i, 1));
        }
        CHECK(parse(bytes) == c.want);
    }
}

TEST_CASE("multipart has limits") {
    const std::string long_head = "--B\r\nx: " + std::string(17000, 'x') + "\r\n\r\n1\r\n--B--";
    CHECK(parse({long_head}) == "!");
    const std::string endless = std::string(17000, 'x');
    CHECK(parse({endless}) == "!");
    std::string many;
    for (int i = 0; i <= MultipartParser::kParts; ++i) many += "--B\r\n" + kField + "1\r\n";
    CHECK(parse({many + "--B--"}) == "!");
}

TEST_CASE("multipart boundary of a content type") {
    CHECK(multipart_boundary("multipart/form-data; boundary=abc") == "abc");
    CHECK(multipart_boundary("Multipart/Form-Data; charset=x; Boundary=\"a b\"") == "a b");
    CHECK(!multipart_boundary("multipart/form-data"));
    CHECK(!multipart_boundary("multipart/mixed; boundary=abc"));
    CHECK(!multipart_boundary("application/json; boundary=abc"));
    CHECK(!multipart_boundary("multipart/form-data; boundary=" + std::string(71, 'x')));
}

TEST_SUITE_END();

}  // namespace jikji::http
