# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# shellcheck shell=bash
# What tools/setup, tools/demo and tools/check share; sourced, from anywhere.

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.venv"
cd "$root"
# The LLVM that is built with; its path is in that file alone.
llvm="${MXFP4_LLVM:-$(cat cmake/llvm-root)}"

# The pinned assembler, unless the user names another: cubins differ in speed
# between versions of ptxas.
export MXFP4_PTXAS="${MXFP4_PTXAS:-$venv/bin/ptxas}"
# The package is used from the source tree, and finds the library in build/lib.
export PYTHONPATH="$root/python${PYTHONPATH:+:$PYTHONPATH}"

say() { printf '\n== %s\n' "$*"; }

build() {
  say "Build"
  mkdir -p build
  cmake --preset release >build/configure.log 2>&1 ||
    { cat build/configure.log; return 1; }
  cmake --build --preset release
}
