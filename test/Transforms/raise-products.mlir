// A sum of a tensor of products is a matmul, if each product is added once.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s

// Named operations, and weights that are copied for each row.

// CHECK-LABEL: func @named
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<8x32xbf16>
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<8x32xbf16>)
// CHECK-NOT:     linalg
func.func @named(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %e3 = tensor.empty() : tensor<8x48x32xbf16>
  %f3 = tensor.empty() : tensor<8x48x32xf32>
  %xs = linalg.broadcast ins(%x : tensor<8x32xbf16>) outs(%e3 : tensor<8x48x32xbf16>) dimensions = [1]
  %ws = linalg.broadcast ins(%w : tensor<48x32xbf16>) outs(%e3 : tensor<8x48x32xbf16>) dimensions = [0]
  %xf = arith.extf %xs : tensor<8x48x32xbf16> to tensor<8x48x32xf32>
  %wf = arith.extf %ws : tensor<8x48x32xbf16> to tensor<8x48x32xf32>
  %p = linalg.mul ins(%xf, %wf : tensor<8x48x32xf32>, tensor<8x48x32xf32>)
      outs(%f3 : tensor<8x48x32xf32>) -> tensor<8x48x32xf32>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.reduce { arith.addf } ins(%p : tensor<8x48x32xf32>)
      outs(%init : tensor<8x48xf32>) dimensions = [2]
  return %y : tensor<8x48xf32>
}

// -----

// Both factors are copied along K: the sum is twice the matmul.

// CHECK-LABEL: func @twice
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @twice(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %xe = tensor.empty() : tensor<8x2x32xbf16>
  %we = tensor.empty() : tensor<48x2x32xbf16>
  %x2 = linalg.broadcast ins(%x : tensor<8x32xbf16>) outs(%xe : tensor<8x2x32xbf16>) dimensions = [1]
  %w2 = linalg.broadcast ins(%w : tensor<48x32xbf16>) outs(%we : tensor<48x2x32xbf16>) dimensions = [1]
  %xk = tensor.collapse_shape %x2 [[0], [1, 2]] : tensor<8x2x32xbf16> into tensor<8x64xbf16>
  %wk = tensor.collapse_shape %w2 [[0], [1, 2]] : tensor<48x2x32xbf16> into tensor<48x64xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the sum must add each product once, but both factors are copied along it}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%xk, %wk : tensor<8x64xbf16>, tensor<48x64xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Each product is there three times, in a dimension that neither factor has.

// CHECK-LABEL: func @thrice
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @thrice(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %pe = tensor.empty() : tensor<8x48x32x3xf32>
  %p = linalg.generic {
      indexing_maps = [affine_map<(m, n, k, q) -> (m, k)>,
                       affine_map<(m, n, k, q) -> (n, k)>,
                       affine_map<(m, n, k, q) -> (m, n, k, q)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%pe : tensor<8x48x32x3xf32>) {
    ^bb0(%a: bf16, %b: bf16, %out: f32):
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %product = arith.mulf %aw, %bw : f32
      linalg.yield %product : f32
  } -> tensor<8x48x32x3xf32>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{what it adds is no f32 product}}
  %y = linalg.reduce { arith.addf } ins(%p : tensor<8x48x32x3xf32>)
      outs(%init : tensor<8x48xf32>) dimensions = [2, 3]
  return %y : tensor<8x48xf32>
}

// -----

// Weights that are rounded to f16, which was promised to keep them.

// CHECK-LABEL: func @rounded
// CHECK:         mxfp4.grouped_matmul
// CHECK-NOT:     linalg.reduce
func.func @rounded(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32>
    attributes {mxfp4.promises = {scales = array<i64: 104, 140>}} {
  %e = tensor.empty() : tensor<48x32xf32>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xf32>) -> tensor<48x32xf32>
  %h = arith.truncf %w : tensor<48x32xf32> to tensor<48x32xf16>
  %e3 = tensor.empty() : tensor<8x48x32xf32>
  %p = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%x, %h : tensor<8x32xbf16>, tensor<48x32xf16>) outs(%e3 : tensor<8x48x32xf32>) {
    ^bb0(%a: bf16, %b: f16, %o: f32):
      %af = arith.extf %a : bf16 to f32
      %bf = arith.extf %b : f16 to f32
      %v = arith.mulf %af, %bf : f32
      linalg.yield %v : f32
  } -> tensor<8x48x32xf32>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.reduce { arith.addf } ins(%p : tensor<8x48x32xf32>)
      outs(%init : tensor<8x48xf32>) dimensions = [2]
  return %y : tensor<8x48xf32>
}
