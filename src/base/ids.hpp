#pragma once
// Names and digests. Threads: any.
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace jikji {

/// `count` bytes from the kernel's generator.
std::string random_bytes(std::size_t count);

/// prefix + 24 letters and digits that sort by time: 48 bits of milliseconds, then 76 random bits.
/// make_id("chatcmpl-") -> "chatcmpl-01hq…".
std::string make_id(std::string_view prefix);

std::string hex(std::string_view bytes);
std::string sha256_hex(std::string_view bytes);

/// SHA-256 of something that comes in pieces.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;
    void update(std::string_view bytes);
    std::string finish_hex();  // once

private:
    void* state_;
};

/// Equal, in time that does not depend on where they differ.
bool equal_in_constant_time(std::string_view a, std::string_view b);

}  // namespace jikji
