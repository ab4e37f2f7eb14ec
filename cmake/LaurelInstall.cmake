# cmake --install: the program, the static libraries, the public headers and the package that find_package(laurel) reads.
include_guard()
include(CMakePackageConfigHelpers)

set(laurel_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/laurel")
set(laurel_installed "")
foreach(module ${LAUREL_MODULES})
  if(TARGET laurel_${module} AND NOT module MATCHES "^(report|profile|bench|sweep|publish|cli)$")
    list(APPEND laurel_installed laurel_${module})
  endif()
endforeach()
if(TARGET laurel)
  set_target_properties(laurel PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/bin")
endif()

# Only a build with the whole library below the scorer can be used from elsewhere.
if(NOT TARGET laurel_scoring)
  return()
endif()

# The name to link: everything that laurel/scoring/scorer.h promises.
add_library(laurel_laurel INTERFACE)
add_library(laurel::laurel ALIAS laurel_laurel)
set_target_properties(laurel_laurel PROPERTIES EXPORT_NAME laurel)
target_link_libraries(laurel_laurel INTERFACE laurel_scoring)
target_compile_features(laurel_laurel INTERFACE cxx_std_20)

install(TARGETS ${laurel_installed} laurel_laurel EXPORT laurel
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(EXPORT laurel NAMESPACE laurel:: FILE laurel-targets.cmake DESTINATION ${laurel_package_dir})
if(TARGET laurel)
  install(TARGETS laurel RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# scorer.h and what it includes.
foreach(header base/error.h base/file.h base/json.h base/result.h schema/conversation.h schema/scoring_rule.h scoring/scorer.h)
  get_filename_component(folder "${header}" DIRECTORY)
  install(FILES "${PROJECT_SOURCE_DIR}/laurel/${header}" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}/laurel/${folder}")
endforeach()

configure_package_config_file(cmake/laurel-config.cmake.in "${PROJECT_BINARY_DIR}/laurel-config.cmake"
  INSTALL_DESTINATION ${laurel_package_dir})
write_basic_package_version_file("${PROJECT_BINARY_DIR}/laurel-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${PROJECT_BINARY_DIR}/laurel-config.cmake" "${PROJECT_BINARY_DIR}/laurel-config-version.cmake"
  DESTINATION ${laurel_package_dir})
