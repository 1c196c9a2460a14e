# Every tests/<layer>/test_*.c is a program that sees what its layer sees, and tests/ itself; every tests/build/*.sh,
# tests/cli/*.sh and tests/docs/*.sh is a script. Exit code 77: skipped, with the reason printed.

pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(POND_CORPORA ${CMAKE_SOURCE_DIR}/../shared/corpora CACHE PATH "Files of other writers that tests read, when there")
set(test_env
  POND_CORPORA=${POND_CORPORA}
  POND_BIN=${CMAKE_BINARY_DIR}/pond
  POND_FAULTS_BIN=${CMAKE_BINARY_DIR}/pond-faults
  POND_SHIM_LIB=${CMAKE_BINARY_DIR}/pond_shim.so
  POND_SOURCE_DIR=${CMAKE_SOURCE_DIR}
  POND_BUILD_DIR=${CMAKE_BINARY_DIR}
  POND_EXAMPLES_DIR=${CMAKE_BINARY_DIR}/examples
  CC=${CMAKE_C_COMPILER})

# Preloaded into the command by some tests.
add_library(pond_shim MODULE ${CMAKE_SOURCE_DIR}/tests/faults/shim.c)
set_target_properties(pond_shim PROPERTIES PREFIX "" C_VISIBILITY_PRESET default)
target_compile_options(pond_shim PRIVATE -Wall -Wextra -Wconversion -Wshadow)
target_link_libraries(pond_shim PRIVATE ${CMAKE_DL_LIBS})

function(pond_register_test name)
  add_test(NAME ${name} COMMAND ${ARGN})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 ENVIRONMENT "${test_env}")
endfunction()

file(GLOB support_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
if(support_sources)
  add_library(pond_test_support STATIC ${support_sources})
  target_include_directories(pond_test_support PUBLIC ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(pond_test_support PRIVATE pond_flags pond_remote_api PkgConfig::CMOCKA)
endif()

foreach(layer IN LISTS POND_LIB_LAYERS ITEMS cli faults)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${layer}/test_*.c)
  foreach(source IN LISTS sources)
    get_filename_component(name ${source} NAME_WE)
    string(REPLACE "test_" "test_${layer}_" target ${name})
    add_executable(${target} ${source})
    target_include_directories(${target} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
    if(support_sources)
      target_link_libraries(${target} PRIVATE pond_test_support)
    endif()
    # The tests of the whole see what other programs see.
    if(layer MATCHES "^(cli|faults)$")
      target_link_libraries(${target} PRIVATE pond_static pond_cli_api)
    else()
      target_link_libraries(${target} PRIVATE pond_${layer}_lib pond_${layer}_api)
    endif()
    target_link_libraries(${target} PRIVATE pond_flags PkgConfig::CMOCKA)
    pond_register_test(${layer}/${name} ${target})
  endforeach()
endforeach()

file(GLOB scripts CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/build/*.sh ${CMAKE_SOURCE_DIR}/tests/cli/*.sh
     ${CMAKE_SOURCE_DIR}/tests/docs/*.sh ${CMAKE_SOURCE_DIR}/tests/faults/*.sh)
foreach(script IN LISTS scripts)
  file(RELATIVE_PATH name ${CMAKE_SOURCE_DIR}/tests ${script})
  string(REGEX REPLACE "\\.sh$" "" name ${name})
  # Files that other scripts source are named lib*.sh.
  if(NOT name MATCHES "/lib[^/]*$")
    pond_register_test(${name} bash ${script})
    if(name MATCHES "^faults/")
      set_tests_properties(${name} PROPERTIES PROCESSORS 2 TIMEOUT 1800) # they use all cores themselves
    endif()
  endif()
endforeach()
