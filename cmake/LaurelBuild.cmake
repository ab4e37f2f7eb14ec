# Warnings, sanitizers and third-party libraries, as interface targets. Nothing global.
include_guard()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)
find_package(simdjson REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(ZLIB REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(SQLite3 REQUIRED)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(utf8proc REQUIRED IMPORTED_TARGET libutf8proc)

add_library(laurel_warnings INTERFACE)
target_compile_options(laurel_warnings INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor
  -Woverloaded-virtual -Wimplicit-fallthrough -Wundef $<$<BOOL:${LAUREL_WERROR}>:-Werror>
  # False positives of g++ 12 in std::string, which precompiled headers no longer hide; clang and the sanitizers stay watchful.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict;-Wno-stringop-overflow;-Wno-stringop-overread;-Wno-array-bounds>)

add_library(laurel_sanitize INTERFACE)
if(LAUREL_SANITIZE)
  target_compile_options(laurel_sanitize INTERFACE -fsanitize=${LAUREL_SANITIZE}
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(laurel_sanitize INTERFACE -fsanitize=${LAUREL_SANITIZE})
endif()

# Fuzzed code is instrumented wherever it lives, the fuzzer's main only in the fuzz targets.
add_library(laurel_fuzz INTERFACE)
if(LAUREL_FUZZERS)
  add_custom_target(laurel_fuzzers)  # all of them, and no more
  target_compile_options(laurel_sanitize INTERFACE -fsanitize=fuzzer-no-link,address,undefined
    -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(laurel_sanitize INTERFACE -fsanitize=address,undefined)
  target_link_options(laurel_fuzz INTERFACE -fsanitize=fuzzer)
endif()

find_program(LAUREL_CCACHE ccache)
if(LAUREL_CCACHE)
  # What ccache needs to be told before it stores objects that were made with precompiled headers.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros "${LAUREL_CCACHE}")
endif()
find_program(LAUREL_MOLD mold)
if(LAUREL_MOLD)
  target_link_options(laurel_warnings INTERFACE -fuse-ld=mold)
endif()
if(LAUREL_TESTS)
  find_package(GTest REQUIRED)
endif()

# Tests, reports and the command line are glue: optimized less, they compile in two thirds of the time.
set(laurel_glue_options "$<$<CONFIG:Release>:-O1>")

# The headers that most sources include, compiled once. Sources include what they use all the same.
if(LAUREL_PRECOMPILE)
  set(laurel_headers <algorithm> <cmath> <cstdint> <filesystem> <functional> <map> <memory> <optional> <span> <string>
                     <string_view> <vector> <fmt/format.h> <nlohmann/json.hpp>)
  file(GENERATE OUTPUT "${PROJECT_BINARY_DIR}/headers.cc" CONTENT "")
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(laurel_warnings INTERFACE -fpch-preprocess)  # ccache wants it
  endif()
  # laurel_precompile(NAME HEADER…): a target whose compiled headers others reuse.
  function(laurel_precompile name)
    add_library(${name} OBJECT "${PROJECT_BINARY_DIR}/headers.cc")
    target_precompile_headers(${name} PRIVATE ${laurel_headers} ${ARGN})
    target_link_libraries(${name} PRIVATE laurel_warnings laurel_sanitize fmt::fmt nlohmann_json::nlohmann_json)
  endfunction()
  laurel_precompile(laurel_headers)
  laurel_precompile(laurel_cli_headers <CLI/CLI.hpp>)
  if(LAUREL_TESTS)
    laurel_precompile(laurel_test_headers <gtest/gtest.h> <gmock/gmock.h>)
    target_compile_options(laurel_test_headers PRIVATE ${laurel_glue_options})
    target_link_libraries(laurel_test_headers PRIVATE GTest::gtest GTest::gmock)
  endif()
endif()
