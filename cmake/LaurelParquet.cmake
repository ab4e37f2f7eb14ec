# Apache Arrow's headers and libraries out of pyarrow's wheel, for the plug-in that reads Parquet. Sets LAUREL_ARROW_FOUND,
# LAUREL_ARROW_DIR and the target laurel_arrow; without pyarrow everything else builds, and says so.
include_guard()

set(laurel_arrow_version 23.0.1)
set(LAUREL_ARROW_FOUND OFF)
set(LAUREL_ARROW_DIR "${LAUREL_PYARROW_DIR}")

if(NOT LAUREL_ARROW_DIR)
  set(laurel_python "$ENV{LAUREL_PYTHON}")
  if(NOT laurel_python)
    set(laurel_python "${PROJECT_SOURCE_DIR}/.venv/bin/python")
  endif()
  execute_process(
    COMMAND "${laurel_python}" -c "import importlib.util as u; s = u.find_spec('pyarrow'); print(*(s.submodule_search_locations[:1] if s else []))"
    OUTPUT_VARIABLE LAUREL_ARROW_DIR OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()

set(laurel_arrow_found_version "")
if(EXISTS "${LAUREL_ARROW_DIR}/include/arrow/util/config.h" AND EXISTS "${LAUREL_ARROW_DIR}/libparquet.so.2300")
  file(STRINGS "${LAUREL_ARROW_DIR}/include/arrow/util/config.h" laurel_arrow_line REGEX "ARROW_VERSION_STRING")
  string(REGEX MATCH "[0-9]+[.][0-9]+[.][0-9]+" laurel_arrow_found_version "${laurel_arrow_line}")
endif()
if(NOT laurel_arrow_found_version VERSION_EQUAL laurel_arrow_version)
  message(STATUS "No Parquet plug-in: pyarrow ${laurel_arrow_version} not found (tools/setup parquet installs it)")
  return()
endif()

message(STATUS "Parquet plug-in: Apache Arrow ${laurel_arrow_version} in ${LAUREL_ARROW_DIR}")
set(LAUREL_ARROW_FOUND ON)
add_library(laurel_arrow INTERFACE)
target_include_directories(laurel_arrow SYSTEM INTERFACE "${LAUREL_ARROW_DIR}/include")
target_link_libraries(laurel_arrow INTERFACE "${LAUREL_ARROW_DIR}/libparquet.so.2300" "${LAUREL_ARROW_DIR}/libarrow.so.2300")
