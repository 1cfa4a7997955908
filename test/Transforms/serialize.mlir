// What is marked becomes a binary where it is; the rest stays.
//
// Times of the compiler are no part of the output.
// RUN: mxfp4-opt %s --mxfp4-serialize | FileCheck %s --check-prefixes=CHECK,ISA --implicit-check-not=TimeInMs
// RUN: mxfp4-opt %s --mxfp4-serialize="format=none" | FileCheck %s --check-prefixes=CHECK,NONE
// RUN: mxfp4-opt %s --mxfp4-serialize="ptx-version=83 opt-level=0" | FileCheck %s --check-prefix=OLDER
//
// Options that LLVM would end the process for, or take for others:
// RUN: not mxfp4-opt %s --mxfp4-serialize="chip=sm_80" 2>&1 | FileCheck %s --check-prefix=CHIP
// RUN: not mxfp4-opt %s --mxfp4-serialize="ptx-version=60" 2>&1 | FileCheck %s --check-prefix=VERSION
// RUN: not mxfp4-opt %s --mxfp4-serialize="opt-level=4" 2>&1 | FileCheck %s --check-prefix=LEVEL
// RUN: not mxfp4-opt %s --mxfp4-serialize="format=fatbin" 2>&1 | FileCheck %s --check-prefix=FORMAT
// They are refused before anything of the pipeline runs:
// RUN: not mxfp4-opt %s --pass-pipeline="builtin.module(mxfp4-to-ptx{ptx-version=-1 require-kernels=false})" --mlir-print-ir-before-all 2>&1 \
// RUN:   | FileCheck %s --check-prefix=EARLY

// CHIP: error: mxfp4-serialize knows no chip 'sm_80'; use sm_90a
// VERSION: error: mxfp4-serialize expects a PTX version from 80 to 90 for sm_90a, but got 60
// LEVEL: error: mxfp4-serialize expects an optimisation level from 0 to 3, but got 4
// FORMAT: error: mxfp4-serialize expects format=isa, format=bin or format=none, but got 'fatbin'
// EARLY-NOT: IR Dump
// EARLY: error: mxfp4-serialize expects a PTX version from 80 to 90 for sm_90a, but got -1

// CHECK-LABEL: gpu.module @theirs [#nvvm.target<chip = "sm_80">]
// CHECK-NEXT:    llvm.func @k
gpu.module @theirs [#nvvm.target<chip = "sm_80">] {
  llvm.func @k() attributes {nvvm.kernel} {
    llvm.return
  }
}
// ISA: gpu.binary @ours {mxfp4.compiled}
// ISA-SAME: .version 8.
// ISA-SAME: .visible .entry k()
// NONE: gpu.module @ours attributes {mxfp4.compiled}
// OLDER: .version 8.3
gpu.module @ours attributes {mxfp4.kernels} {
  llvm.func @k() attributes {nvvm.kernel} {
    llvm.return
  }
}
// CHECK: func.func @behind
func.func @behind() {
  return
}
