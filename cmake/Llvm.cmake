# CMake's toolchain file for the presets: the LLVM that mxfp4 is built with and on.
#
# Its prefix is in `llvm-root` in this folder, and nowhere else; scripts and tests
# read it there, too. The environment variable MXFP4_LLVM names another.

if(DEFINED ENV{MXFP4_LLVM})
  set(mxfp4_llvm "$ENV{MXFP4_LLVM}")
else()
  file(STRINGS "${CMAKE_CURRENT_LIST_DIR}/llvm-root" mxfp4_llvm LIMIT_COUNT 1)
endif()
set(CMAKE_C_COMPILER "${mxfp4_llvm}/bin/clang")
set(CMAKE_CXX_COMPILER "${mxfp4_llvm}/bin/clang++")
list(APPEND CMAKE_PREFIX_PATH "${mxfp4_llvm}")
