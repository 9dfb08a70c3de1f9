# Everything that Jikji takes from outside enters here. Reasons: docs/decisions/.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(OpenSSL 3 REQUIRED)
find_package(doctest REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(OpenMP REQUIRED)
find_library(DNNL_LIBRARY dnnl REQUIRED)  # the package's own CMake files want its OpenCL headers
pkg_check_modules(SQLITE REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(GUMBO REQUIRED IMPORTED_TARGET gumbo)
pkg_check_modules(MD4C REQUIRED IMPORTED_TARGET md4c)
pkg_check_modules(ARCHIVE REQUIRED IMPORTED_TARGET libarchive)
find_library(STEMMER_LIBRARY stemmer REQUIRED)  # libstemmer-dev has no pkg-config file

include(llama_cpp)
