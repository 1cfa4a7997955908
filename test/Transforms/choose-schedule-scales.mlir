// Powers and scales of 8-bit numbers are no epilogue of a layer: a matmul alone
// fetches weights of first tiles, of a few rows, too. With anything more, or
// behind a kernel that it does not wait for, it is one of a layer.
//
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="device=h200 rows-hint=4" | FileCheck %s

// CHECK-LABEL: func @scales
// CHECK: mxfp4.grouped_matmul
// CHECK: prefetch_first = true
// CHECK-LABEL: func @activation
// CHECK: mxfp4.grouped_matmul
// CHECK-NOT: prefetch_first
// CHECK: return
func.func @scales(%x: memref<?x2880xf8E4M3FN>,
                  %w: memref<32x45x23x!mxfp4.block<bytes, relative>>,
                  %o: memref<33xi32>, %p: memref<32x2880xf32>,
                  %s: memref<?xf32>, %y: memref<?x2880xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xf8E4M3FN>)
      weights(%w : memref<32x45x23x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x2880xbf16>)
      epilogue(%p, %s : memref<32x2880xf32>, memref<?xf32>) {
  ^bb0(%sum: f32, %power: f32, %scale: f32):
    %scaled = arith.mulf %sum, %scale : f32
    %z = arith.mulf %scaled, %power : f32
    mxfp4.yield %z : f32
  }
  return
}

func.func @activation(%x: memref<?x2880xf8E4M3FN>,
                      %w: memref<32x45x23x!mxfp4.block<bytes, relative>>,
                      %o: memref<33xi32>, %p: memref<32x2880xf32>,
                      %s: memref<?xf32>, %y: memref<?x2880xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xf8E4M3FN>)
      weights(%w : memref<32x45x23x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x2880xbf16>)
      epilogue(%p, %s : memref<32x2880xf32>, memref<?xf32>) {
  ^bb0(%sum: f32, %power: f32, %scale: f32):
    %scaled = arith.mulf %sum, %scale : f32
    %z = arith.maximumf %scaled, %power : f32
    mxfp4.yield %z : f32
  }
  return
}
