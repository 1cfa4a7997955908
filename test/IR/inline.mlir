// Functions with operations of the dialect are inlined.
//
// RUN: mxfp4-opt %s --inline | FileCheck %s

// CHECK-LABEL: func @caller
// CHECK-NOT:     call
// CHECK:         mxfp4.dequantize
// CHECK:         mxfp4.quantize
// CHECK-NOT:     call
// CHECK:         return
func.func private @decode(%c: tensor<8x2x16xi8>, %s: tensor<8x2xi8>) -> tensor<8x64xbf16> {
  %e = tensor.empty() : tensor<8x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<8x2x16xi8>) scales(%s : tensor<8x2xi8>)
      outs(%e : tensor<8x64xbf16>) -> tensor<8x64xbf16>
  return %w : tensor<8x64xbf16>
}
func.func private @encode(%v: tensor<8x64xbf16>) -> (tensor<8x2x16xi8>, tensor<8x2xi8>) {
  %ce = tensor.empty() : tensor<8x2x16xi8>
  %se = tensor.empty() : tensor<8x2xi8>
  %c, %s = mxfp4.quantize ins(%v : tensor<8x64xbf16>)
      outs(%ce, %se : tensor<8x2x16xi8>, tensor<8x2xi8>)
      -> tensor<8x2x16xi8>, tensor<8x2xi8>
  return %c, %s : tensor<8x2x16xi8>, tensor<8x2xi8>
}
func.func @caller(%c: tensor<8x2x16xi8>, %s: tensor<8x2xi8>) -> (tensor<8x2x16xi8>, tensor<8x2xi8>) {
  %w = call @decode(%c, %s) : (tensor<8x2x16xi8>, tensor<8x2xi8>) -> tensor<8x64xbf16>
  %r:2 = call @encode(%w) : (tensor<8x64xbf16>) -> (tensor<8x2x16xi8>, tensor<8x2xi8>)
  return %r#0, %r#1 : tensor<8x2x16xi8>, tensor<8x2xi8>
}

// Kernels' parts, too.

// CHECK-LABEL: func @kernel_caller
// CHECK-NOT:     call
// CHECK:         mxfp4.block_bytes
func.func private @bytes(%w: memref<1x1x1x!mxfp4.block<spread, raw>>) -> memref<1x1x1x2176xi8> {
  %b = mxfp4.block_bytes %w : memref<1x1x1x!mxfp4.block<spread, raw>> -> memref<1x1x1x2176xi8>
  return %b : memref<1x1x1x2176xi8>
}
func.func @kernel_caller(%w: memref<1x1x1x!mxfp4.block<spread, raw>>) -> memref<1x1x1x2176xi8> {
  %b = call @bytes(%w) : (memref<1x1x1x!mxfp4.block<spread, raw>>) -> memref<1x1x1x2176xi8>
  return %b : memref<1x1x1x2176xi8>
}
