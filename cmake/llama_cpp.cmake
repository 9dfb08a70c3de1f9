# llama.cpp, static, from the source distribution of llama-cpp-python (pinned by sha256), or from
# JIKJI_LLAMA_CPP_DIR. Built as it is published: nothing in it is patched.
set(llama_sha256 832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e)
set(llama_release 0.3.36)

if(JIKJI_LLAMA_CPP_DIR)
    set(llama_source ${JIKJI_LLAMA_CPP_DIR})
else()
    set(llama_home ${PROJECT_BINARY_DIR}/_llama)
    set(llama_source ${llama_home}/llama_cpp_python-${llama_release}/vendor/llama.cpp)
    if(NOT EXISTS ${llama_home}/${llama_sha256}.done)
        message(STATUS "Fetching llama.cpp (llama-cpp-python ${llama_release}, 77 MB)")
        file(MAKE_DIRECTORY ${llama_home})
        file(WRITE ${llama_home}/requirements.txt
            "llama-cpp-python==${llama_release} --hash=sha256:${llama_sha256}\n")
        # --no-build-isolation and the stub below are not needed: pip only prepares metadata.
        find_program(JIKJI_PIP NAMES pip3 pip REQUIRED)
        execute_process(
            COMMAND ${JIKJI_PIP} download --quiet --no-deps --no-binary llama-cpp-python
                --require-hashes -r requirements.txt
            WORKING_DIRECTORY ${llama_home} RESULT_VARIABLE failed)
        if(failed)
            message(FATAL_ERROR "llama.cpp could not be fetched (pip said why above). Check the "
                "network, or give a folder that has it: -DJIKJI_LLAMA_CPP_DIR=/path/to/llama.cpp")
        endif()
        file(ARCHIVE_EXTRACT INPUT ${llama_home}/llama_cpp_python-${llama_release}.tar.gz
            DESTINATION ${llama_home})
        file(TOUCH ${llama_home}/${llama_sha256}.done)
    endif()
endif()

set(BUILD_SHARED_LIBS OFF)
set(LLAMA_BUILD_COMMON ON CACHE BOOL "" FORCE)
set(LLAMA_BUILD_TESTS OFF CACHE BOOL "" FORCE)
set(LLAMA_BUILD_EXAMPLES OFF CACHE BOOL "" FORCE)
set(LLAMA_BUILD_APP OFF CACHE BOOL "" FORCE)
set(LLAMA_BUILD_TOOLS ${JIKJI_BENCH} CACHE BOOL "" FORCE)
set(LLAMA_BUILD_SERVER ${JIKJI_BENCH} CACHE BOOL "" FORCE)
set(LLAMA_BUILD_UI OFF CACHE BOOL "" FORCE)
set(LLAMA_USE_PREBUILT_UI OFF CACHE BOOL "" FORCE)
set(LLAMA_OPENSSL OFF CACHE BOOL "" FORCE)     # Jikji's server never goes out
set(LLAMA_SUBPROCESS ${JIKJI_BENCH} CACHE BOOL "" FORCE)
set(GGML_CUDA ${JIKJI_CUDA} CACHE BOOL "" FORCE)
set(GGML_VULKAN ${JIKJI_VULKAN} CACHE BOOL "" FORCE)
set(GGML_METAL ${JIKJI_METAL} CACHE BOOL "" FORCE)
set(GGML_CCACHE OFF CACHE BOOL "" FORCE)       # our launcher already is ccache
add_subdirectory(${llama_source} ${PROJECT_BINARY_DIR}/llama.cpp EXCLUDE_FROM_ALL SYSTEM)

# GCC 12 drops the stores that fill ggml's AMX tile configuration: _tile_loadconfig declares only
# 8 of its 64 bytes as read, and the first product crashes. These two passes are the ones that do
# it; the machine that builds may lack AMX, the one that runs may have it.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    set_source_files_properties(${llama_source}/ggml/src/ggml-cpu/amx/mmq.cpp
        TARGET_DIRECTORY ggml-cpu
        PROPERTIES COMPILE_OPTIONS "-fno-tree-dse;-fno-dse")
endif()

# Nothing in llama.cpp is patched, but Debian 12's Vulkan lacks three types and two functions that it
# names.
if(JIKJI_VULKAN)
    target_sources(ggml-vulkan PRIVATE ${PROJECT_SOURCE_DIR}/cmake/vulkan_entry_points.cpp)
    target_compile_options(ggml-vulkan PRIVATE
        -include ${PROJECT_SOURCE_DIR}/cmake/vulkan_layer_settings.hpp)
endif()
