# A layer is the folder src/<layer>. It is compiled by an object library pond_<layer>; what others see of it is the
# interface library pond_<layer>_api: one include folder that holds `<layer>` (a link to src/<layer>) and `pond` (links
# to the layer's own public headers), so that an include of a layer that is not below does not compile.

function(pond_layer_view layer)
  set(view ${CMAKE_BINARY_DIR}/layers/${layer})
  file(REMOVE_RECURSE ${view}/pond)
  file(MAKE_DIRECTORY ${view}/pond)
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${layer} ${view}/${layer} SYMBOLIC)
  foreach(header IN LISTS ARGN)
    # The link may dangle until the header is written.
    execute_process(COMMAND ${CMAKE_COMMAND} -E create_symlink
      ${CMAKE_SOURCE_DIR}/include/pond/${header} ${view}/pond/${header})
  endforeach()
endfunction()

# Objects of src/<layer> under the target name pond_<name>.
function(pond_layer_objects name layer)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${layer}/*.c)
  # An object library must have a source, and tests/build/layers.sh takes the layer's flags from this one.
  set(stub ${CMAKE_BINARY_DIR}/layers/stub_${name}.c)
  if(NOT EXISTS ${stub})
    file(WRITE ${stub} "typedef int pond_layer_stub;\n")
  endif()
  add_library(pond_${name} OBJECT ${stub} ${sources})
  target_link_libraries(pond_${name} PRIVATE pond_flags pond_${layer}_api)
endfunction()

function(pond_layer layer)
  cmake_parse_arguments(arg "" "" "HEADERS;USES;LIBRARIES;OBJECTS" ${ARGN})
  pond_layer_view(${layer} ${arg_HEADERS})
  add_library(pond_${layer}_api INTERFACE)
  target_include_directories(pond_${layer}_api INTERFACE ${CMAKE_BINARY_DIR}/layers/${layer})
  target_link_libraries(pond_${layer}_api INTERFACE ${arg_LIBRARIES})
  foreach(lower IN LISTS arg_USES)
    target_link_libraries(pond_${layer}_api INTERFACE pond_${lower}_api)
  endforeach()
  pond_layer_objects(${layer} ${layer})

  # For the tests: this layer and those below it, nothing more, so that a call upwards does not link either.
  add_library(pond_${layer}_lib STATIC $<TARGET_OBJECTS:pond_${layer}> ${arg_OBJECTS})
  target_link_libraries(pond_${layer}_lib PUBLIC ${arg_LIBRARIES})
  foreach(lower IN LISTS arg_USES)
    target_link_libraries(pond_${layer}_lib PUBLIC pond_${lower}_lib)
  endforeach()
endfunction()

# The command sees its own folder and the public headers, as any other program would.
function(pond_cli_layer)
  pond_layer_view(cli)
  add_library(pond_cli_api INTERFACE)
  target_include_directories(pond_cli_api INTERFACE ${CMAKE_BINARY_DIR}/layers/cli ${CMAKE_SOURCE_DIR}/include)
  target_link_libraries(pond_cli_api INTERFACE PkgConfig::JANSSON)
  pond_layer_objects(cli cli)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/cli/*.c)
  if(sources)
    set(POND_HAVE_CLI ON PARENT_SCOPE)
  else()
    set(POND_HAVE_CLI OFF PARENT_SCOPE)
  endif()
endfunction()
