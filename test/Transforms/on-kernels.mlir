// Passes run on what is marked, at any depth, and on nothing else.
//
// RUN: mxfp4-opt %s --pass-pipeline="builtin.module(mxfp4-on-kernels{pipeline=canonicalize{max-iterations=3 top-down=true},cse})" | FileCheck %s
// RUN: not mxfp4-opt %s --pass-pipeline="builtin.module(mxfp4-on-kernels{pipeline=no-such-pass})" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ERROR
// The pass prints what it reads: a reproducer of a failure in its pipeline, which
// has options of passes in it, reproduces.
// RUN: not mxfp4-opt %s --mxfp4-to-ptx --mlir-pass-pipeline-crash-reproducer=%t 2>&1 \
// RUN:   | FileCheck %s --check-prefix=FAILS
// RUN: FileCheck %s --check-prefix=PRINTED < %t
// RUN: not mxfp4-opt --run-reproducer %t 2>&1 | FileCheck %s --check-prefix=FAILS

// ERROR: mxfp4-on-kernels cannot read its pipeline 'no-such-pass'
// FAILS: error: failed to legalize operation 'func.func'
// PRINTED: mxfp4-on-kernels{pipeline={{.*}}mxfp4-share-tiles{{.*}}mxfp4-lower-to-nvvm

// CHECK-LABEL: gpu.module @theirs
// CHECK:         arith.constant
gpu.module @theirs {
  func.func @f() {
    %unused = arith.constant 1 : i32
    return
  }
}
// CHECK-LABEL: gpu.module @ours
// CHECK-NOT:     arith.constant
// CHECK:         return
gpu.module @ours attributes {mxfp4.kernels} {
  func.func @f() {
    %unused = arith.constant 1 : i32
    return
  }
}
// CHECK-LABEL: gpu.module @finished
// CHECK:         arith.constant
gpu.module @finished attributes {mxfp4.compiled} {
  func.func @f() {
    %unused = arith.constant 1 : i32
    return
  }
}
module {
  // CHECK-LABEL: gpu.module @nested
  // CHECK-NOT:     arith.constant
  // CHECK:         return
  gpu.module @nested attributes {mxfp4.kernels} {
    func.func @f() {
      %unused = arith.constant 1 : i32
      return
    }
  }
  // CHECK-LABEL: func @host
  // CHECK:         arith.constant
  func.func @host() {
    %unused = arith.constant 1 : i32
    return
  }
}
