# Build rules shared by the whole tree.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The precompiled header carries time stamps; ccache must be told that they
  # do not matter.
  set(launcher ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${CCACHE_PROGRAM})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

# Our assertions stay on in every build type: a wrong kernel is worse than a
# slow compiler.
add_compile_options(-UNDEBUG -Wall -Wextra -Werror=return-type)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
if(NOT MXFP4_RUNTIME_ONLY)
  add_link_options(-fuse-ld=lld)
endif()

# Fuzz targets (test/fuzz), unit tests (test/unit) and all that they link, under
# the sanitizers. RTTI of libMLIR is hidden, which -fsanitize=vptr and function
# cannot cope with.
option(MXFP4_FUZZ "Build with sanitizers: only targets of test/fuzz and unit" OFF)
if(MXFP4_FUZZ)
  set(sanitizers -fsanitize=address,undefined -fno-sanitize=vptr,function
      -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
  add_compile_options(${sanitizers} -fsanitize=fuzzer-no-link -gline-tables-only)
  add_link_options(${sanitizers})
endif()

# mxfp4_install(NAME...): libraries that other projects link, as MXFP4::IR for
# MXFP4IR.
function(mxfp4_install)
  foreach(name ${ARGN})
    string(REGEX REPLACE "^MXFP4" "" export ${name})
    set_target_properties(${name} PROPERTIES EXPORT_NAME ${export})
    target_include_directories(${name} INTERFACE
      $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  endforeach()
  install(TARGETS ${ARGN} EXPORT MXFP4Targets)
endfunction()

# mxfp4_add_core_library(NAME sources...): plain C++, no LLVM, no MLIR.
function(mxfp4_add_core_library name)
  add_library(${name} STATIC ${ARGN})
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>)
  mxfp4_install(${name})
endfunction()

# mxfp4_add_mlir_library(NAME sources...): a library on top of libMLIR.
function(mxfp4_add_mlir_library name)
  add_library(${name} STATIC ${ARGN})
  mxfp4_use_mlir(${name})
  mxfp4_install(${name})
endfunction()

# Includes, flags and the shared precompiled header for a target that uses
# MLIR. The dialect headers cost 10 to 25 s a file without it.
function(mxfp4_use_mlir name)
  target_include_directories(${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>)
  # Once installed, MXFP4Config.cmake names the MLIR of that machine.
  target_include_directories(${name} SYSTEM PUBLIC
    "$<BUILD_INTERFACE:${MLIR_INCLUDE_DIRS};${LLVM_INCLUDE_DIRS}>")
  # Whether LLVM was built without assertions, see lib/IR/Pch.h.
  if(NOT LLVM_ENABLE_ASSERTIONS)
    target_compile_definitions(${name} PRIVATE MXFP4_LLVM_NDEBUG)
  endif()
  target_compile_options(${name} PRIVATE
    -fno-exceptions -Wno-unused-parameter "SHELL:-Xclang -fno-pch-timestamp")
  # The sanitizers' presets compile several files as one. What a file costs is to
  # instantiate MLIR's templates: sixteen passes take as long as five alone.
  set_target_properties(${name} PROPERTIES UNITY_BUILD_BATCH_SIZE 16)
  # One precompiled header serves all only if all are compiled alike, and
  # CMake would compile executables with -fPIE.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE -fPIC)
  if(TARGET MXFP4Pch AND NOT name STREQUAL MXFP4Pch)
    target_precompile_headers(${name} REUSE_FROM MXFP4Pch)
  endif()
  target_link_libraries(${name} PUBLIC MLIR LLVM)
endfunction()
