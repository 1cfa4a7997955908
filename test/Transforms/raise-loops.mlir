// Loops of contractions that run over several things become several, and sums
// over the experts of a row are taken behind the matmul.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s

// torch.matmul of activations with one dimension more than the weights: these
// are copied, and multiplied as a batch.

// CHECK-LABEL: func @batch_of_batches
// CHECK:         %[[O:.*]] = arith.constant dense<[0, 16, 32, 48, 64]> : tensor<5xi32>
// CHECK:         mxfp4.grouped_matmul {{.*}}offsets(%[[O]] : tensor<5xi32>) outs
func.func @batch_of_batches(%x: tensor<2x4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<8x8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %be = tensor.empty() : tensor<2x4x48x32xbf16>
  %b = linalg.broadcast ins(%w : tensor<4x48x32xbf16>) outs(%be : tensor<2x4x48x32xbf16>) dimensions = [0]
  %xf = tensor.collapse_shape %x [[0, 1], [2], [3]] : tensor<2x4x8x32xbf16> into tensor<8x8x32xbf16>
  %bf = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<2x4x48x32xbf16> into tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x8x48xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%xf, %bf : tensor<8x8x32xbf16>, tensor<8x48x32xbf16>)
      outs(%init : tensor<8x8x48xf32>) -> tensor<8x8x48xf32>
  return %y : tensor<8x8x48xf32>
}

// -----

// Each expert twice, one after the other: an expert has the rows of both.

// CHECK-LABEL: func @repeated
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<8x8x32xbf16>,
// CHECK:         %[[O:.*]] = arith.constant dense<[0, 16, 32, 48, 64]> : tensor<5xi32>
// CHECK:         %[[R:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]]
// CHECK:         mxfp4.grouped_matmul activations(%[[R]] : tensor<64x32xbf16>) {{.*}}offsets(%[[O]] : tensor<5xi32>) outs
func.func @repeated(%x: tensor<8x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<8x8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %be = tensor.empty() : tensor<4x2x48x32xbf16>
  %b = linalg.broadcast ins(%w : tensor<4x48x32xbf16>) outs(%be : tensor<4x2x48x32xbf16>) dimensions = [1]
  %bf = tensor.collapse_shape %b [[0, 1], [2], [3]] : tensor<4x2x48x32xbf16> into tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x8x48xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %bf : tensor<8x8x32xbf16>, tensor<8x48x32xbf16>)
      outs(%init : tensor<8x8x48xf32>) -> tensor<8x8x48xf32>
  return %y : tensor<8x8x48xf32>
}

// -----

// Copies along N, of one column each, are no loop of a matmul.

// CHECK-LABEL: func @columns_repeated
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.matmul
func.func @columns_repeated(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x96xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %be = tensor.empty() : tensor<48x2x32xbf16>
  %b = linalg.broadcast ins(%w : tensor<48x32xbf16>) outs(%be : tensor<48x2x32xbf16>) dimensions = [1]
  %bf = tensor.collapse_shape %b [[0, 1], [2]] : tensor<48x2x32xbf16> into tensor<96x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x96xf32>
  // expected-remark@below {{the weights must have experts, N and K, in any order, each once}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %bf : tensor<8x32xbf16>, tensor<96x32xbf16>)
      outs(%init : tensor<8x96xf32>) -> tensor<8x96xf32>
  return %y : tensor<8x96xf32>
}

// -----

// Two experts of a token, over whose results the program sums: the sum over K
// comes first, and behind it the one over experts.

// CHECK-LABEL: func @slots
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<8x2x32xbf16>, {{.*}} %[[IDS:[^ ]*]]: tensor<8x2xi32>
// CHECK-DAG:     %[[INIT:.*]] = arith.constant dense<0.000000e+00> : tensor<8x48xf32>
// CHECK-DAG:     %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]]
// CHECK-DAG:     %[[EACH:.*]] = tensor.collapse_shape %[[IDS]] {{\[\[}}0, 1]]
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[ROWS]] : tensor<16x32xbf16>)
// CHECK-SAME:      expert_ids(%[[EACH]] : tensor<16xi32>)
// CHECK:         %[[Z:.*]] = tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]] output_shape [8, 2, 48]
// CHECK:         linalg.reduce { arith.addf } ins(%[[Z]] : tensor<8x2x48xf32>) outs(%[[INIT]] : tensor<8x48xf32>) dimensions = [1]
func.func @slots(%x: tensor<8x2x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8x2xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x2x32xbf16>
  %g = linalg.generic {
      indexing_maps = [affine_map<(t, n, q, k) -> (t, q)>,
                       affine_map<(t, n, q, k) -> (t, n, q, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8x2xi32>) outs(%ge : tensor<8x48x2x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 3 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x2x32xbf16>
  %gk = tensor.collapse_shape %g [[0], [1], [2, 3]] : tensor<8x48x2x32xbf16> into tensor<8x48x64xbf16>
  %xk = tensor.collapse_shape %x [[0], [1, 2]] : tensor<8x2x32xbf16> into tensor<8x64xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%gk, %xk : tensor<8x48x64xbf16>, tensor<8x64xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Where the matmul is none of ours, the order of the sum stays as it was.

// CHECK-LABEL: func @slots_of_f32
// CHECK-NOT:     linalg.reduce
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @slots_of_f32(%x: tensor<8x2x32xf32>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8x2xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xf32>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xf32>) -> tensor<4x48x32xf32>
  %ge = tensor.empty() : tensor<8x48x2x32xf32>
  %g = linalg.generic {
      indexing_maps = [affine_map<(t, n, q, k) -> (t, q)>,
                       affine_map<(t, n, q, k) -> (t, n, q, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8x2xi32>) outs(%ge : tensor<8x48x2x32xf32>) {
    ^bb0(%id: i32, %o: f32):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 3 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xf32>
      linalg.yield %v : f32
  } -> tensor<8x48x2x32xf32>
  %gk = tensor.collapse_shape %g [[0], [1], [2, 3]] : tensor<8x48x2x32xf32> into tensor<8x48x64xf32>
  %xk = tensor.collapse_shape %x [[0], [1, 2]] : tensor<8x2x32xf32> into tensor<8x64xf32>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{activations must be bf16, or widened from it, but are f32}}
  %y = linalg.batch_matvec ins(%gk, %xk : tensor<8x48x64xf32>, tensor<8x64xf32>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// From -0.0, a sum of zeros may be -0.0, but not behind sums from 0.0.

// CHECK-LABEL: func @slots_from_negative_zero
// CHECK-NOT:     linalg.reduce
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @slots_from_negative_zero(%x: tensor<8x2x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8x2xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x2x32xbf16>
  %g = linalg.generic {
      indexing_maps = [affine_map<(t, n, q, k) -> (t, q)>,
                       affine_map<(t, n, q, k) -> (t, n, q, k)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8x2xi32>) outs(%ge : tensor<8x48x2x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 3 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x2x32xbf16>
  %gk = tensor.collapse_shape %g [[0], [1], [2, 3]] : tensor<8x48x2x32xbf16> into tensor<8x48x64xbf16>
  %xk = tensor.collapse_shape %x [[0], [1, 2]] : tensor<8x2x32xbf16> into tensor<8x64xbf16>
  %init = arith.constant dense<-0.0> : tensor<8x48xf32>
  // expected-remark@below {{the output must start at +0.0, or at other values of f32}}
  %y = linalg.batch_matvec ins(%gk, %xk : tensor<8x48x64xbf16>, tensor<8x64xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}
