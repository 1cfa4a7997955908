// The tool says what it can do, and knows no dialect whose operations crash it
// on malformed input.
//
// RUN: mxfp4-opt --help | FileCheck %s --check-prefix=HELP
// RUN: mxfp4-opt --show-dialects | FileCheck %s --check-prefix=DIALECTS
//
// HELP-DAG: mxfp4-opt: ragged matrix multiplication with MXFP4 weights
// HELP-DAG: --mxfp4-raise
// HELP-DAG: --mxfp4-lower-to-linalg
// HELP-DAG: --mxfp4-lower-to-loops
// HELP-DAG: --mxfp4-to-cpu
// HELP-DAG: --one-shot-bufferize
// HELP-DAG: --generate-runtime-verification
// HELP-DAG: --convert-to-llvm
//
// DIALECTS-NOT: nvgpu
// DIALECTS:     mxfp4
// DIALECTS-NOT: nvgpu
