#pragma once
// multipart/form-data (RFC 7578) as it arrives: pieces of any size in, parts out. Holds no more
// than one part's head and one delimiter.
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace jikji::http {

struct PartHead {
    std::string name;
    std::optional<std::string> filename;
    std::string content_type;
};

/// Receives the parts in order. May throw; the parser must then not be fed again.
class PartSink {
public:
    virtual ~PartSink() = default;
    virtual void begin(const PartHead& head) = 0;
    virtual void data(std::string_view bytes) = 0;  // valid during the call
    virtual void end() = 0;
};

/// The boundary of a Content-Type header, or nothing if it is not multipart/form-data with one.
std::optional<std::string> multipart_boundary(std::string_view content_type);

class MultipartParser {
public:
    static constexpr std::size_t kHeadBytes = 16 * 1024;
    static constexpr int kParts = 128;

    MultipartParser(std::string_view boundary, PartSink& sink);

    /// Throws Error(kInvalidArgument) for what is no multipart body.
    void feed(std::string_view bytes);
    /// Throws Error(kInvalidArgument) unless the last delimiter has come.
    void finish() const;

private:
    enum class State { kPreamble, kDelimiter, kHead, kData, kEpilogue };
    bool step();
    bool step_preamble();
    bool step_delimiter();
    bool step_head();
    bool step_data();

    std::string delimiter_;  // CRLF -- boundary
    PartSink& sink_;
    State state_ = State::kPreamble;
    std::string buffer_;
    std::size_t skip_ = 0;  // bytes at the front that may begin a delimiter but are no data
    int parts_ = 0;
};

}  // namespace jikji::http
