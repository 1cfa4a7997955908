// RUN: env -u CUDA_HOME -u CUDA_ROOT -u CUDA_PATH mxfp4-compile %s -o %t
// RUN: FileCheck %s --input-file %t/kernel.ptx

// Smaller and larger numbers in an epilogue are instructions, too.

// CHECK-NOT: __nv_
// CHECK-DAG: min.f32
// CHECK-DAG: max.f32
// CHECK-NOT: __nv_

!block = !mxfp4.block<spread, folded>

func.func @clipped(%x: memref<?x64xbf16>, %w: memref<1x1x1x!block>,
                   %o: memref<2xi32>, %y: memref<?x64xf32>, %e: memref<1xi32>,
                   %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
    weights(%w : memref<1x1x1x!block>) offsets(%o : memref<2xi32>)
    outs(%y : memref<?x64xf32>) error(%e : memref<1xi32>)
    workspace(%s : memref<2xi32>) epilogue {
    ^bb0(%sum: f32):
      %low = arith.constant -3.0 : f32
      %high = arith.constant 7.0 : f32
      %up = arith.maxnumf %sum, %low : f32
      %result = arith.minnumf %up, %high : f32
      mxfp4.yield %result : f32
    }
  return
}
