#include "base/ids.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <sys/random.h>

#include <array>
#include <chrono>

#include "base/error.hpp"

namespace jikji {

std::string random_bytes(std::size_t count) {
    std::string out(count, '\0');
    std::size_t got = 0;
    while (got < count) {
        const ssize_t n = getrandom(out.data() + got, count - got, 0);
        if (n > 0) got += static_cast<std::size_t>(n);
    }
    return out;
}

std::string make_id(std::string_view prefix) {
    static constexpr char kDigits[] = "0123456789abcdefghjkmnpqrstvwxyz";  // Crockford's base 32
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
    std::string out(prefix);
    std::array<char, 10> time{};
    for (auto it = time.rbegin(); it != time.rend(); ++it, ms >>= 5) *it = kDigits[ms & 31];
    out.append(time.begin(), time.end());
    for (const char c : random_bytes(14)) out += kDigits[static_cast<unsigned char>(c) & 31];
    return out;
}

std::string hex(std::string_view bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        out += kDigits[byte >> 4];
        out += kDigits[byte & 15];
    }
    return out;
}

Sha256::Sha256() : state_(EVP_MD_CTX_new()) {
    JIKJI_CHECK(state_ != nullptr);
    JIKJI_CHECK(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(state_), EVP_sha256(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(state_)); }

void Sha256::update(std::string_view bytes) {
    EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(state_), bytes.data(), bytes.size());
}

std::string Sha256::finish_hex() {
    std::string digest(32, '\0');
    unsigned size = 0;
    EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(state_),
                       reinterpret_cast<unsigned char*>(digest.data()), &size);
    return hex(digest);
}

std::string sha256_hex(std::string_view bytes) {
    Sha256 digest;
    digest.update(bytes);
    return digest.finish_hex();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace jikji
