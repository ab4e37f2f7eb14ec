# laurel_module(NAME SOURCES … [DEPS modules…] [LIBS libraries…] [TESTS x_test.cc…] [FUZZERS x_fuzz.cc…]
#               [BENCHES x_bench.cc…] [TEST_LIBS libraries…])
#
# Declares library laurel_NAME (alias laurel::NAME) from the sources in this folder, one test program
# laurel_NAME_test, one fuzz program per fuzzer (target NAME_x_fuzz, seeds in tests/corpus/x) and one
# micro-benchmark program per bench (NAME_x_bench).
include_guard()

function(laurel_module name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS;LIBS;TESTS;FUZZERS;BENCHES;TEST_LIBS" ${ARGN})
  set(target laurel_${name})
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(laurel::${name} ALIAS ${target})
  set_target_properties(${target} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(${target} PUBLIC $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                                              $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  foreach(dep ${ARG_DEPS})
    target_link_libraries(${target} PUBLIC laurel_${dep})
  endforeach()
  target_link_libraries(${target} PUBLIC ${ARG_LIBS})
  target_link_libraries(${target} PRIVATE $<BUILD_INTERFACE:laurel_warnings>)
  target_link_libraries(${target} PUBLIC $<BUILD_INTERFACE:laurel_sanitize>)

  if(LAUREL_TESTS AND ARG_TESTS)
    add_executable(${target}_test ${ARG_TESTS})
    target_link_libraries(${target}_test PRIVATE ${target} laurel_warnings GTest::gtest GTest::gmock
                                                 GTest::gtest_main ${ARG_TEST_LIBS})
    target_compile_definitions(${target}_test PRIVATE LAUREL_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
  endif()
  if(LAUREL_FUZZERS)
    foreach(source ${ARG_FUZZERS})
      get_filename_component(stem ${source} NAME_WE)
      add_executable(${name}_${stem} ${source})
      target_link_libraries(${name}_${stem} PRIVATE ${target} laurel_warnings laurel_fuzz)
      add_dependencies(laurel_fuzzers ${name}_${stem})
    endforeach()
  endif()
  if(LAUREL_BENCHMARKS AND ARG_BENCHES)
    find_package(benchmark REQUIRED)
    foreach(source ${ARG_BENCHES})
      get_filename_component(stem ${source} NAME_WE)
      add_executable(${name}_${stem} ${source})
      target_link_libraries(${name}_${stem} PRIVATE ${target} laurel_warnings benchmark::benchmark)
    endforeach()
  endif()
endfunction()
