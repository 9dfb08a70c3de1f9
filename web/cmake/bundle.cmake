# SOURCE/src to WORK/assets.cpp: bundle, gzip, bytes.
include(${CMAKE_CURRENT_LIST_DIR}/platform.cmake)

function(run)
    execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${WORK} RESULT_VARIABLE failed)
    if(failed)
        message(FATAL_ERROR "The console was not built: ${ARGV0} failed (its words stand above)")
    endif()
endfunction()

# Modules are looked up from the file that imports them, so the sources stand beside node_modules.
file(REMOVE_RECURSE ${WORK}/src ${WORK}/dist)
file(COPY ${SOURCE}/src ${SOURCE}/tsconfig.json DESTINATION ${WORK})
run(${WORK}/node_modules/@esbuild/${platform}/bin/esbuild
    src/console.tsx src/console.css --bundle --minify --format=esm --target=es2022
    --jsx=automatic --jsx-import-source=preact --legal-comments=none --charset=utf8
    --outdir=dist --log-level=warning)
set(licenses "The console contains these programs.\n")
foreach(file preact/LICENSE marked/LICENSE dompurify/LICENSE)
    file(READ ${WORK}/node_modules/${file} text)
    string(APPEND licenses "\n\n==== ${file} ====\n\n${text}")
endforeach()
file(WRITE ${WORK}/dist/licenses.txt "${licenses}")
file(COPY ${WORK}/src/index.html ${WORK}/src/icon.svg DESTINATION ${WORK}/dist)

set(arrays "")
set(rows "")
set(count 0)
function(embed path file type)
    run(${GZIP} -9nkf dist/${file})
    file(SHA256 ${WORK}/dist/${file} hash)
    string(SUBSTRING ${hash} 0 16 etag)
    file(READ ${WORK}/dist/${file}.gz bytes HEX)
    string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
    string(APPEND arrays "constexpr unsigned char kBytes${count}[] = {\n${bytes}};\n")
    string(APPEND rows "    Asset{\"${path}\", \"${type}\", view(kBytes${count}), "
        "\"\\\"${etag}\\\"\"},\n")
    math(EXPR count "${count} + 1")
    set(arrays "${arrays}" PARENT_SCOPE)
    set(rows "${rows}" PARENT_SCOPE)
    set(count ${count} PARENT_SCOPE)
endfunction()
embed(/ index.html "text/html; charset=utf-8")
embed(/console.css console.css "text/css; charset=utf-8")
embed(/console.js console.js "text/javascript; charset=utf-8")
embed(/icon.svg icon.svg "image/svg+xml")
embed(/licenses.txt licenses.txt "text/plain; charset=utf-8")

file(WRITE ${WORK}/assets.cpp "// Made by web/cmake/bundle.cmake.
#include \"web/assets.hpp\"

namespace jikji::web {
namespace {

${arrays}
template <std::size_t size>
std::string_view view(const unsigned char (&bytes)[size]) {
    return {reinterpret_cast<const char*>(bytes), size};
}

}  // namespace

std::span<const Asset> assets() {
    static const Asset all[] = {
${rows}    };
    return all;
}

}  // namespace jikji::web
")
