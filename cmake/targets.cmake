# sp_library(NAME SOURCES ... USES ...): a static library whose headers are included as "folder/file.h".
function(sp_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES;PRIVATE_USES" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_USES} PRIVATE ${arg_PRIVATE_USES})
endfunction()

# sp_program(NAME SOURCES ... USES ...): an executable in bin/; the target `programs` builds them all and no test.
add_custom_target(programs)
function(sp_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;USES" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_USES})
  add_dependencies(programs ${name})
  target_compile_definitions(${name} PRIVATE SALLYPORT_VERSION="${PROJECT_VERSION}")
endfunction()

# sp_test(NAME SOURCES ... USES ... [TIMEOUT s] [LABELS ...]): one cmocka program, one CTest test. Exit 77 is a skip.
function(sp_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "SOURCES;USES;LABELS;ARGS" ${ARGN})
  add_executable(test_${name} ${arg_SOURCES})
  target_include_directories(test_${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(test_${name} PRIVATE ${arg_USES} dep::cmocka)
  add_test(NAME ${name} COMMAND test_${name} ${arg_ARGS})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77 LABELS "${arg_LABELS}"
    ENVIRONMENT "SALLYPORT_SOURCE=${CMAKE_SOURCE_DIR};SALLYPORT_BIN=${CMAKE_BINARY_DIR}/bin")
endfunction()
