/*===- embed.c - The compiler through its C interface -------------*- C -*-===*\
|*                                                                            *|
|* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception                    *|
|*                                                                            *|
|*===----------------------------------------------------------------------===*|
|*                                                                            *|
|* What a program without LLVM headers does: names a problem, compiles it,    *|
|* and has the manifest, which says how to launch, and the PTX.               *|
|*                                                                            *|
\*===----------------------------------------------------------------------===*/

#include "mxfp4-c/mxfp4.h"

#include <stdio.h>

static void report(int severity, const char *message, void *user) {
  static const char *const names[] = {"note", "warning", "error"};
  fprintf(user, "%s: %s\n", names[severity], message);
}

int main(void) {
  if (mxfp4_abi_version() != MXFP4_ABI_VERSION) {
    fprintf(stderr, "libmxfp4 is of another version than its header\n");
    return 1;
  }
  mxfp4_compiler *compiler = mxfp4_compiler_create(report, stderr);
  char *mlir = mxfp4_problem_to_mlir(compiler, "experts=8 n=320 k=512");
  mxfp4_artifact *artifact =
      mlir ? mxfp4_compile(compiler, mlir, "rows-hint=64") : NULL;
  const int failed = artifact == NULL;
  if (!failed) {
    puts(mxfp4_artifact_manifest(artifact));
    puts(mxfp4_artifact_ptx(artifact));
  }
  mxfp4_artifact_destroy(artifact);
  mxfp4_string_free(mlir);
  mxfp4_compiler_destroy(compiler);
  return failed;
}
