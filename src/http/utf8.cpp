#include "http/utf8.hpp"

#include <cstddef>
#include <cstdint>

namespace jikji::http {
namespace {

struct Lead {
    std::size_t length;  // 0: no lead byte
    std::uint32_t bits;
    std::uint32_t least;  // smallest code point that needs this length
};

Lead lead_of(unsigned char byte) {
    if (byte < 0x80) return {1, byte, 0};
    if (byte >= 0xc2 && byte < 0xe0) return {2, byte & 0x1fu, 0x80};
    if (byte >= 0xe0 && byte < 0xf0) return {3, byte & 0x0fu, 0x800};
    if (byte >= 0xf0 && byte < 0xf5) return {4, byte & 0x07u, 0x10000};
    return {0, 0, 0};
}

}  // namespace

bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        const Lead lead = lead_of(static_cast<unsigned char>(text[i]));
        if (lead.length == 0 || i + lead.length > text.size()) return false;
        std::uint32_t code = lead.bits;
        for (std::size_t k = 1; k < lead.length; ++k) {
            const auto byte = static_cast<unsigned char>(text[i + k]);
            if ((byte & 0xc0) != 0x80) return false;
            code = code << 6 | (byte & 0x3fu);
        }
        if (code < lead.least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
        i += lead.length;
    }
    return true;
}

}  // namespace jikji::http
