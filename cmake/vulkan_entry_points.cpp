// Two functions of Vulkan extensions that ggml-vulkan calls by name and that the loader of Debian
// 12 (1.3.239) does not export: asked of the device, as the specification (3.1) has it for
// extensions.
#include <vulkan/vulkan.h>

extern "C" {

__attribute__((weak)) VkResult vkGetMemoryHostPointerPropertiesEXT(
    VkDevice device, VkExternalMemoryHandleTypeFlagBits type, const void* pointer,
    VkMemoryHostPointerPropertiesEXT* properties) {
    const auto call = reinterpret_cast<PFN_vkGetMemoryHostPointerPropertiesEXT>(
        vkGetDeviceProcAddr(device, "vkGetMemoryHostPointerPropertiesEXT"));
    return call == nullptr ? VK_ERROR_EXTENSION_NOT_PRESENT
                           : call(device, type, pointer, properties);
}

__attribute__((weak)) VkResult vkGetPipelineExecutableStatisticsKHR(
    VkDevice device, const VkPipelineExecutableInfoKHR* info, uint32_t* count,
    VkPipelineExecutableStatisticKHR* statistics) {
    const auto call = reinterpret_cast<PFN_vkGetPipelineExecutableStatisticsKHR>(
        vkGetDeviceProcAddr(device, "vkGetPipelineExecutableStatisticsKHR"));
    return call == nullptr ? VK_ERROR_EXTENSION_NOT_PRESENT : call(device, info, count, statistics);
}

}  // extern "C"
