#include "models/safetensors.hpp"

#include <fmt/format.h>

#include <bit>
#include <boost/json.hpp>
#include <cstring>

#include "base/error.hpp"

namespace jikji::models {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kHeadBytesMax = 100ull << 20;  // the format's own limit

[[noreturn]] void fail(const std::string& file, const std::string& english,
                       const std::string& korean) {
    throw Error(
        ErrorCode::kRejected,
        fmt::format("{} is not a sound safetensors file: {}; get it again", file, english), "file",
        fmt::format("{} 파일은 올바른 safetensors가 아닙니다: {}. 다시 받으세요.", file, korean));
}

WeightType type_of(std::string_view name) {
    if (name == "F32") return WeightType::kF32;
    if (name == "F16") return WeightType::kF16;
    if (name == "BF16") return WeightType::kBf16;
    return WeightType::kOther;
}

std::uint64_t bytes_of(WeightType type) { return type == WeightType::kF32 ? 4 : 2; }

json::object parse_head(std::string_view head, const std::string& file) {
    boost::system::error_code error;
    json::parse_options options;
    options.max_depth = 8;
    const json::value value = json::parse(head, error, {}, options);
    if (error || !value.is_object()) {
        fail(file, "its head is not JSON: " + error.message(), "머리말이 JSON이 아닙니다");
    }
    return value.as_object();
}

Weight read_weight(const std::string& name, const json::object& entry, std::string_view data,
                   const std::string& file) {
    Weight weight;
    weight.type = type_of(entry.at("dtype").as_string());
    weight.values = 1;
    for (const json::value& size : entry.at("shape").as_array()) {
        const auto value = size.to_number<std::uint64_t>();
        if (value != 0 && weight.values > (std::uint64_t{1} << 48) / value) {
            fail(file, name + " is impossibly large", name + "이 너무 큽니다");
        }
        weight.values *= value;
        weight.shape.push_back(value);
    }
    const json::array& offsets = entry.at("data_offsets").as_array();
    const auto begin = offsets.at(0).to_number<std::uint64_t>();
    const auto end = offsets.at(1).to_number<std::uint64_t>();
    if (begin > end || end > data.size()) {
        fail(file,
             fmt::format("{} ({} to {}) lies outside the file, which may have been cut off", name,
                         begin, end),
             fmt::format("{}({}부터 {}까지)이 파일 밖에 있습니다. 파일이 잘렸을 수 있습니다", name,
                         begin, end));
    }
    weight.bytes = data.substr(begin, end - begin);
    if (weight.type != WeightType::kOther &&
        weight.bytes.size() != weight.values * bytes_of(weight.type)) {
        fail(file, name + " has another size than its shape says", name + "의 크기가 다릅니다");
    }
    return weight;
}

float value_at(const Weight& weight, std::uint64_t i) {
    if (weight.type == WeightType::kF32) {
        float value;
        std::memcpy(&value, weight.bytes.data() + i * 4, 4);
        return value;
    }
    std::uint16_t raw;
    std::memcpy(&raw, weight.bytes.data() + i * 2, 2);
    if (weight.type == WeightType::kF16) return float_of_half(raw);
    return std::bit_cast<float>(static_cast<std::uint32_t>(raw) << 16);
}

}  // namespace

Safetensors::Safetensors(const std::filesystem::path& path) : file_(path) {
    const std::string file = path.filename().string();
    const std::string_view bytes = file_.bytes();
    std::uint64_t head = 0;
    if (bytes.size() < sizeof head) fail(file, "it has no head", "머리말이 없습니다");
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head > kHeadBytesMax || head > bytes.size() - sizeof head) {
        fail(file, fmt::format("its head would have {} bytes of {}", head, bytes.size()),
             fmt::format("머리말이 {}바이트라고 하는데 파일은 {}바이트입니다", head, bytes.size()));
    }
    const std::string_view data = bytes.substr(sizeof head + head);
    try {
        for (const auto& [key, entry] : parse_head(bytes.substr(sizeof head, head), file)) {
            if (key == "__metadata__") continue;
            const std::string name(key);
            weights_.emplace(name, read_weight(name, entry.as_object(), data, file));
        }
    } catch (const Error&) {
        throw;
    } catch (const std::exception& error) {  // a field is missing or of another kind
        fail(file, error.what(), "머리말의 내용이 잘못되었습니다");
    }
}

std::string as_f32(const Weight& weight) {
    JIKJI_CHECK(weight.type != WeightType::kOther);
    if (weight.type == WeightType::kF32) return std::string(weight.bytes);
    std::string out(weight.values * 4, '\0');
    for (std::uint64_t i = 0; i < weight.values; ++i) {
        const float value = value_at(weight, i);
        std::memcpy(out.data() + i * 4, &value, 4);
    }
    return out;
}

std::string as_f16(const Weight& weight) {
    JIKJI_CHECK(weight.type != WeightType::kOther);
    if (weight.type == WeightType::kF16) return std::string(weight.bytes);
    std::string out(weight.values * 2, '\0');
    for (std::uint64_t i = 0; i < weight.values; ++i) {
        const std::uint16_t half = half_of(value_at(weight, i));
        std::memcpy(out.data() + i * 2, &half, 2);
    }
    return out;
}

std::uint16_t half_of(float value) {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const auto sign = static_cast<std::uint16_t>((bits >> 16) & 0x8000u);
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);  // NaN
    if (magnitude >= 0x477ff000u) return static_cast<std::uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x33000001u) return sign;  // half of the smallest subnormal, or less
    std::uint32_t shift = 13;
    std::uint32_t mantissa = magnitude - (112u << 23);
    if (magnitude < 0x38800000u) {  // subnormal in half precision
        shift = 126 - (magnitude >> 23);
        mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    }
    const std::uint32_t dropped = mantissa & ((1u << shift) - 1);
    const std::uint32_t middle = 1u << (shift - 1);
    std::uint32_t half = mantissa >> shift;
    if (dropped > middle || (dropped == middle && (half & 1) != 0)) ++half;
    return static_cast<std::uint16_t>(sign | half);
}

float float_of_half(std::uint16_t half) {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t exponent = (half >> 10) & 31u;
    const std::uint32_t fraction = half & 1023u;
    if (exponent == 0) {
        const float value = static_cast<float>(fraction) * 0x1p-24f;
        return sign != 0 ? -value : value;
    }
    const std::uint32_t biased = exponent == 31 ? 255u : exponent + 112u;
    return std::bit_cast<float>(sign | (biased << 23) | (fraction << 13));
}

}  // namespace jikji::models
