// Inputs/version-1.mlirbc is this file as version 1 of the dialect's bytecode; all
// later versions read it. Where an operation changes so that it cannot be read,
// raise kBytecodeVersion and upgrade it (lib/IR/Bytecode.cpp); until the first
// release, it may be written again instead:
//   mxfp4-opt bytecode.mlir --emit-bytecode --strip-debuginfo -o Inputs/version-1.mlirbc
//
// RUN: mxfp4-opt %s | FileCheck %s
// RUN: mxfp4-opt %S/Inputs/version-1.mlirbc | FileCheck %s
// RUN: mxfp4-opt %S/Inputs/version-1.mlirbc > %t.old
// RUN: mxfp4-opt %s > %t.now
// RUN: diff %t.old %t.now

// CHECK-LABEL: func @checkpoint
// CHECK: mxfp4.pack codes
// CHECK: mxfp4.grouped_matmul
// CHECK-SAME: !mxfp4.block<spread, folded>
func.func @checkpoint(%x: tensor<?x64xbf16>, %c: tensor<2x128x2x16xi8>,
                      %s: tensor<2x128x2xi8>, %o: tensor<3xi32>,
                      %wi: tensor<2x2x1x!mxfp4.block<spread, folded>>,
                      %yi: tensor<?x128xbf16>) -> tensor<?x128xbf16> {
  %w = mxfp4.pack codes(%c : tensor<2x128x2x16xi8>)
                  scales(%s : tensor<2x128x2xi8>)
      outs(%wi : tensor<2x2x1x!mxfp4.block<spread, folded>>)
      -> tensor<2x2x1x!mxfp4.block<spread, folded>>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x2x1x!mxfp4.block<spread, folded>>)
      offsets(%o : tensor<3xi32>) outs(%yi : tensor<?x128xbf16>)
      -> tensor<?x128xbf16>
  return %y : tensor<?x128xbf16>
}

// CHECK-LABEL: func @convert
// CHECK: mxfp4.quantize
// CHECK: mxfp4.dequantize
func.func @convert(%v: memref<8x64xf32>, %c: memref<8x2x16xi8>,
                   %s: memref<8x2xi8>) {
  mxfp4.quantize ins(%v : memref<8x64xf32>)
      outs(%c, %s : memref<8x2x16xi8>, memref<8x2xi8>)
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x2xi8>)
      outs(%v : memref<8x64xf32>)
  return
}
