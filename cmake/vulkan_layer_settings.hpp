// Included before ggml-vulkan.cpp where the system's Vulkan headers are older than 1.3.261 (Debian
// 12 has 1.3.239): the three types of VK_EXT_layer_settings that it names. It uses the extension
// only when asked for validation; drivers skip the structure (Vulkan 1.3 specification, 2.7.7).
#pragma once
#include <vulkan/vulkan.hpp>

#if VK_HEADER_VERSION < 261
#include <vector>

namespace vk {

enum class LayerSettingTypeEXT : int32_t { eBool32 = 0 };

struct LayerSettingEXT {
    const char* pLayerName;
    const char* pSettingName;
    LayerSettingTypeEXT type;
    uint32_t valueCount;
    const void* pValues;
};

struct LayerSettingsCreateInfoEXT {
    explicit LayerSettingsCreateInfoEXT(const std::vector<LayerSettingEXT>& settings)
        : settingCount(static_cast<uint32_t>(settings.size())), pSettings(settings.data()) {}

    StructureType sType = static_cast<StructureType>(1000496000);
    const void* pNext = nullptr;
    uint32_t settingCount;
    const LayerSettingEXT* pSettings;
};

}  // namespace vk
#endif
