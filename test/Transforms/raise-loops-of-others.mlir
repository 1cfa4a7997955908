// Loops that are none over experts, such as those of lax.scan, are not spoken
// of where their matmuls are raised.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --verify-diagnostics \
// RUN:   | FileCheck %s

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Over time steps, whose weights are the same.

// CHECK-LABEL: func @steps
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
func.func @steps(%xs: tensor<6x8x32xbf16>, %c: tensor<48x1x16xi8>, %s: tensor<48x1xi8>,
    %init: tensor<6x8x48xf32>) -> tensor<6x8x48xf32> {
  %we = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%we : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %zeros = arith.constant dense<0.0> : tensor<8x48xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %all = scf.for %i = %c0 to %c6 step %c1 iter_args(%out = %init) -> tensor<6x8x48xf32> {
    %x = tensor.extract_slice %xs[%i, 0, 0] [1, 8, 32] [1, 1, 1]
        : tensor<6x8x32xbf16> to tensor<8x32xbf16>
    %y = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>) outs(%zeros : tensor<8x48xf32>)
        -> tensor<8x48xf32>
    %next = tensor.insert_slice %y into %out[%i, 0, 0] [1, 8, 48] [1, 1, 1]
        : tensor<8x48xf32> into tensor<6x8x48xf32>
    scf.yield %next : tensor<6x8x48xf32>
  }
  return %all : tensor<6x8x48xf32>
}

// -----

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Over layers, each of which takes what the one before computed.

// CHECK-LABEL: func @layers
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
func.func @layers(%first: tensor<8x32xbf16>, %c: tensor<6x32x1x16xi8>, %s: tensor<6x32x1xi8>)
    -> tensor<8x32xbf16> {
  %we = tensor.empty() : tensor<6x32x32xbf16>
  %ws = mxfp4.dequantize codes(%c : tensor<6x32x1x16xi8>) scales(%s : tensor<6x32x1xi8>)
      outs(%we : tensor<6x32x32xbf16>) -> tensor<6x32x32xbf16>
  %zeros = arith.constant dense<0.0> : tensor<8x32xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c6 = arith.constant 6 : index
  %last = scf.for %i = %c0 to %c6 step %c1 iter_args(%x = %first) -> tensor<8x32xbf16> {
    %w = tensor.extract_slice %ws[%i, 0, 0] [1, 32, 32] [1, 1, 1]
        : tensor<6x32x32xbf16> to tensor<32x32xbf16>
    %y = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%x, %w : tensor<8x32xbf16>, tensor<32x32xbf16>) outs(%zeros : tensor<8x32xf32>)
        -> tensor<8x32xf32>
    %next = arith.truncf %y : tensor<8x32xf32> to tensor<8x32xbf16>
    scf.yield %next : tensor<8x32xbf16>
  }
  return %last : tensor<8x32xbf16>
}
