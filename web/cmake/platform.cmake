# Sets `platform` to the name that npm packages with a program in them use for this machine.
# Their programs are called directly: install scripts stay off.
if(CMAKE_HOST_SYSTEM_NAME STREQUAL "Darwin")
    set(platform darwin)
else()
    set(platform linux)
endif()
cmake_host_system_information(RESULT machine QUERY OS_PLATFORM)
if(machine MATCHES "^(aarch64|arm64)$")
    string(APPEND platform -arm64)
else()
    string(APPEND platform -x64)
endif()
