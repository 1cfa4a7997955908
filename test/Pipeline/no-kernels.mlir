// A pipeline that has no kernel to make says so, and what it leaves.
//
// RUN: not mxfp4-opt %s --mxfp4-to-ptx 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-to-ptx=require-kernels=false | FileCheck %s --check-prefix=SAME
// RUN: mxfp4-opt %s --mxfp4-tile | FileCheck %s --check-prefix=SAME
// RUN: echo "module {}" | not mxfp4-opt --mxfp4-to-ptx 2>&1 | FileCheck %s --check-prefix=EMPTY

// CHECK: error: {{.*}}has no mxfp4.grouped_matmul to make a kernel of, only 1 mxfp4.pack, 2 mxfp4.quantize; run mxfp4-raise first, if it is written in linalg, or allow it with require-kernels=false
// EMPTY: error: {{.*}}has no mxfp4.grouped_matmul to make a kernel of; run mxfp4-raise first
// SAME: mxfp4.quantize
func.func @encode(%c: memref<4x64x2x16xi8>, %s: memref<4x64x2xi8>, %x: memref<4x64x64xf32>,
                  %w: memref<4x1x1x!mxfp4.block<spread, raw>>) {
  mxfp4.quantize ins(%x : memref<4x64x64xf32>)
      outs(%c, %s : memref<4x64x2x16xi8>, memref<4x64x2xi8>)
  mxfp4.quantize ins(%x : memref<4x64x64xf32>)
      outs(%c, %s : memref<4x64x2x16xi8>, memref<4x64x2xi8>)
  mxfp4.pack codes(%c : memref<4x64x2x16xi8>) scales(%s : memref<4x64x2xi8>)
      outs(%w : memref<4x1x1x!mxfp4.block<spread, raw>>)
  return
}
