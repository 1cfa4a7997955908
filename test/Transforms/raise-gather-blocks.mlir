// Rows of decoded weights that constants of the program select are taken out of
// codes and scales.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --verify-diagnostics \
// RUN:   | FileCheck %s

#w = affine_map<(e, n, k) -> (e, n, k)>

// Columns in reverse, as torch.flip writes them, with the weights themselves as
// an input.

// CHECK-LABEL: func @reversed_columns(
// CHECK-SAME:    %[[C:[^ ]*]]: tensor<4x48x1x16xi8>, %[[S:[^ ]*]]: tensor<4x48x1xi8>)
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         %[[CODES:.*]] = linalg.generic
// CHECK-DAG:       %[[E:.*]] = linalg.index 0
// CHECK-DAG:       %[[N:.*]] = linalg.index 1
// CHECK:           %[[AT:.*]] = arith.subi %{{.*}}, %[[N]]
// CHECK:           %[[J:.*]] = linalg.index 3
// CHECK:           tensor.extract %[[C]][%[[E]], %[[AT]], %{{.*}}, %[[J]]]
// CHECK:         %[[SCALES:.*]] = linalg.generic
// CHECK:           tensor.extract %[[S]]
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[CODES]], %[[SCALES]]
func.func @reversed_columns(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w : tensor<4x48x32xbf16>) outs(%ge : tensor<4x48x32xbf16>) {
    ^bb0(%in: bf16, %o: bf16):
      %e0 = linalg.index 0 : index
      %n0 = linalg.index 1 : index
      %k0 = linalg.index 2 : index
      %last = arith.constant 47 : index
      %at = arith.subi %last, %n0 : index
      %v = tensor.extract %w[%e0, %at, %k0] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x48xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<4x8x32xbf16>, tensor<4x48x32xbf16>)
      outs(%init : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}

// -----

#n = affine_map<(e, n, k) -> (n)>
#w = affine_map<(e, n, k) -> (e, n, k)>

// Some columns, by a table that the program computes of constants.

// CHECK-LABEL: func @columns_of_a_table(
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         linalg.generic {{.*}} ins(%{{.*}} : tensor<4xi32>) outs(%{{.*}} : tensor<4x4x1x16xi8>)
// CHECK:         linalg.generic {{.*}} ins(%{{.*}} : tensor<4xi32>) outs(%{{.*}} : tensor<4x4x1xi8>)
// CHECK:         mxfp4.grouped_matmul
func.func @columns_of_a_table(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x8x4xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %some = arith.constant dense<[3, 47, 0, 8]> : tensor<4xi32>
  %one = arith.constant dense<1> : tensor<4xi32>
  %table = arith.maxsi %some, %one : tensor<4xi32>
  %ge = tensor.empty() : tensor<4x4x32xbf16>
  %g = linalg.generic {indexing_maps = [#n, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%table : tensor<4xi32>) outs(%ge : tensor<4x4x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %e0 = linalg.index 0 : index
      %k0 = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %v = tensor.extract %w[%e0, %at, %k0] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x4x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x4xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<4x8x32xbf16>, tensor<4x4x32xbf16>)
      outs(%init : tensor<4x8x4xf32>) -> tensor<4x8x4xf32>
  return %y : tensor<4x8x4xf32>
}

// -----

#n = affine_map<(e, n, k) -> (n)>
#w = affine_map<(e, n, k) -> (e, n, k)>

// Numbers that are known when the program runs would have weights packed then.

// CHECK-LABEL: func @columns_of_an_argument(
// CHECK:         mxfp4.dequantize
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @columns_of_an_argument(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<4xi32>) -> tensor<4x8x4xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x4x32xbf16>
  %g = linalg.generic {indexing_maps = [#n, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<4xi32>) outs(%ge : tensor<4x4x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %e0 = linalg.index 0 : index
      %k0 = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %v = tensor.extract %w[%e0, %at, %k0] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x4x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x4xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<4x8x32xbf16>, tensor<4x4x32xbf16>)
      outs(%init : tensor<4x8x4xf32>) -> tensor<4x8x4xf32>
  return %y : tensor<4x8x4xf32>
}

// -----

#w = affine_map<(e, n, k) -> (e, n, k)>

// Reversed along K, a block has its codes and scales elsewhere; and where the
// number depends on k, a row is none of the weights'.

// CHECK-LABEL: func @reversed_along_k(
// CHECK:         mxfp4.dequantize
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @reversed_along_k(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%ge : tensor<4x48x32xbf16>) {
    ^bb0(%o: bf16):
      %e0 = linalg.index 0 : index
      %n0 = linalg.index 1 : index
      %k0 = linalg.index 2 : index
      %last = arith.constant 31 : index
      %at = arith.subi %last, %k0 : index
      %v = tensor.extract %w[%e0, %n0, %at] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<4x8x32xbf16>, tensor<4x48x32xbf16>)
      outs(%init : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}

// CHECK-LABEL: func @row_by_k(
// CHECK:         mxfp4.dequantize
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @row_by_k(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%ge : tensor<4x48x32xbf16>) {
    ^bb0(%o: bf16):
      %e0 = linalg.index 0 : index
      %n0 = linalg.index 1 : index
      %k0 = linalg.index 2 : index
      %at = arith.minsi %n0, %k0 : index
      %v = tensor.extract %w[%e0, %at, %k0] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>]
      ins(%x, %g : tensor<4x8x32xbf16>, tensor<4x48x32xbf16>)
      outs(%init : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}

// -----

#w = affine_map<(e, n, k) -> (e, n, k)>

// The number of blocks is in the type of the values alone.

// CHECK-LABEL: func @unknown_blocks(
// CHECK:         mxfp4.dequantize
// CHECK:         tensor.extract {{.*}} : tensor<4x48x32xbf16>
func.func @unknown_blocks(%c: tensor<4x48x?x16xi8>, %s: tensor<4x48x?xi8>) -> tensor<4x48x32xbf16> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  // expected-remark@below {{go into 'tensor.extract', in which no matmul is known to take them}}
  %w = mxfp4.dequantize codes(%c : tensor<4x48x?x16xi8>) scales(%s : tensor<4x48x?xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%ge : tensor<4x48x32xbf16>) {
    ^bb0(%o: bf16):
      %e0 = linalg.index 0 : index
      %n0 = linalg.index 1 : index
      %k0 = linalg.index 2 : index
      %last = arith.constant 47 : index
      %at = arith.subi %last, %n0 : index
      %v = tensor.extract %w[%e0, %at, %k0] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x48x32xbf16>
  return %g : tensor<4x48x32xbf16>
}
