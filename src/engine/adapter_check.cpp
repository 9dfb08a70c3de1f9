#include "engine/adapter_check.hpp"

#include "base/file.hpp"
#include "base/ids.hpp"
#include "models/adapter_check.hpp"

namespace jikji::engine {

std::string check_adapter(const std::filesystem::path& adapter, const std::filesystem::path& base) {
    models::check_adapter(adapter, base);
    return sha256_hex(MappedFile(adapter).bytes());
}

}  // namespace jikji::engine
