# TypeScript's own check of the console's sources; esbuild only strips the types.
include(${CMAKE_CURRENT_LIST_DIR}/platform.cmake)
execute_process(COMMAND ${WORK}/node_modules/@typescript/typescript-${platform}/lib/tsc --noEmit
    WORKING_DIRECTORY ${WORK} RESULT_VARIABLE failed)
if(failed)
    message(FATAL_ERROR "The console's types do not fit (see above)")
endif()
