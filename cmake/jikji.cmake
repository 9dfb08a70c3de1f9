# One place for what every target of Jikji obeys: C++20, warnings as errors, sanitizers.
function(jikji_finish target)
    target_compile_features(${target} PUBLIC cxx_std_20)
    # -Wextra takes a designated initialiser that leaves a member to its default for a mistake.
    target_compile_options(${target} PRIVATE
        -Wall -Wextra -Wpedantic -Werror -Wno-missing-field-initializers)
    set_target_properties(${target} PROPERTIES
        CXX_EXTENSIONS OFF
        VERIFY_INTERFACE_HEADER_SETS ON)
    if(JIKJI_SANITIZE)
        target_compile_options(${target} PRIVATE
            -fsanitize=${JIKJI_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g -O1)
        target_link_options(${target} PUBLIC -fsanitize=${JIKJI_SANITIZE})
        # The release build judges warnings; instrumented code makes GCC 12 see ghosts (PR 105651).
        target_compile_options(${target} PRIVATE -Wno-error)
        if(JIKJI_SANITIZE MATCHES thread)
            target_compile_options(${target} PRIVATE -Wno-tsan)  # GCC 12 and Asio's fences
        endif()
    endif()
endfunction()

# A folder of src/ as a static library: every .cpp in it except *_test.cpp, which become one test
# binary with one ctest entry per doctest suite. USES names other folders, or imported targets.
function(jikji_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "USES;LINKS")
    file(GLOB sources CONFIGURE_DEPENDS *.cpp)
    file(GLOB headers CONFIGURE_DEPENDS *.hpp)
    set(tests ${sources})
    list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
    list(FILTER tests INCLUDE REGEX "_test\\.cpp$")
    list(TRANSFORM arg_USES PREPEND jikji_)
    add_library(jikji_${name} STATIC ${sources} ${headers})
    target_include_directories(jikji_${name} PUBLIC ${PROJECT_SOURCE_DIR}/src)
    target_link_libraries(jikji_${name} PUBLIC ${arg_USES} PRIVATE ${arg_LINKS})
    jikji_finish(jikji_${name})
    if(JIKJI_TESTS AND tests)
        jikji_tests(${name} "${tests}" "${arg_LINKS}")
    endif()
endfunction()

# One binary per folder; each doctest suite, read from the sources, is one ctest entry.
function(jikji_tests name sources links)
    set(target jikji_${name}_tests)
    add_executable(${target} ${PROJECT_SOURCE_DIR}/tests/support/doctest_main.cpp ${sources})
    target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(${target} PRIVATE
        JIKJI_SOURCE_DIR="${PROJECT_SOURCE_DIR}" JIKJI_BINARY_DIR="${PROJECT_BINARY_DIR}")
    target_link_libraries(${target} PRIVATE jikji_${name} ${links} doctest::doctest)
    jikji_finish(${target})
    foreach(source IN LISTS sources)
        file(STRINGS ${source} lines REGEX "^TEST_SUITE_BEGIN\\(\"")
        foreach(line IN LISTS lines)
            string(REGEX REPLACE "^TEST_SUITE_BEGIN\\(\"([^\"]+)\"\\);.*" "\\1" suite "${line}")
            jikji_suite(${name} ${suite} "")
        endforeach()
    endforeach()
endfunction()

# One suite as a ctest entry. LEVEL limits what of the CPU is used (base/cpu.hpp); "" = all.
function(jikji_suite folder suite level)
    set(name ${folder}.${suite})
    set(environment)
    if(level)
        set(name "${name}@${level}")
        list(APPEND environment "JIKJI_CPU=${level}")
    endif()
    # ThreadSanitizer does not see how libgomp's threads wait for each other, and would take all
    # that they share for races. Our own threads are what it is for.
    if(JIKJI_SANITIZE MATCHES thread)
        list(APPEND environment OMP_THREAD_LIMIT=1
            "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/support/tsan.supp")
    endif()
    add_test(NAME ${name} COMMAND jikji_${folder}_tests --test-suite=${suite})
    # A suite that matches nothing passes in doctest 2.4.9: make it fail.
    set_tests_properties(${name} PROPERTIES FAIL_REGULAR_EXPRESSION "test cases: +0 " TIMEOUT 300
        ENVIRONMENT "${environment}")
endfunction()

# The given suites of a folder once more, as CPUs with less than this one run them.
function(jikji_suites_on_lesser_cpus folder)
    if(TARGET jikji_${folder}_tests)
        foreach(level portable avx2 avx512)
            foreach(suite IN LISTS ARGN)
                jikji_suite(${folder} ${suite} ${level})
            endforeach()
        endforeach()
    endif()
endfunction()
