// RUN: mxfp4-opt %s --split-input-file --allow-unregistered-dialect --mxfp4-raise --verify-diagnostics | FileCheck %s

// TOSA's operations on blocks, and JAX's ragged dot, stand for programs that are
// matched like any other.

// CHECK-LABEL: func @cast
// CHECK: mxfp4.dequantize {{.*}} -> tensor<4x96x64xf32>
// CHECK-NOT: tosa
func.func @cast(%w: tensor<4x96x64xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x96x64xf32> {
  // expected-remark @below {{no matmul takes the decoded weights}}
  %v = tosa.cast_from_block_scaled %w, %s {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) -> tensor<4x96x64xf32>
  return %v : tensor<4x96x64xf32>
}

// -----

// The factor with fewer rows is decoded in memory, which bf16 holds.
// CHECK-LABEL: func @matmul
// CHECK: mxfp4.dequantize {{.*}} -> tensor<4x8x64xbf16>
// CHECK: mxfp4.grouped_matmul activations({{.*}} : tensor<32x64xbf16>) {{.*}} -> tensor<32x96xf32>
// CHECK-NOT: {{tosa|linalg.generic.*reduction}}
func.func @matmul(%x: tensor<4x8x64xf4E2M1FN>, %xs: tensor<4x8x2xf8E8M0FNU>, %w: tensor<4x96x64xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32> {
  // expected-remark @below {{no matmul takes the decoded weights}}
  %v = tosa.matmul_t_block_scaled %x, %xs, %w, %s {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x8x64xf4E2M1FN>, tensor<4x8x2xf8E8M0FNU>, tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32>
  return %v : tensor<4x8x96xf32>
}

// -----

// One matrix for all is one expert.
// CHECK-LABEL: func @broadcast
// CHECK: mxfp4.grouped_matmul activations({{.*}} : tensor<32x64xbf16>) weights({{.*}} : tensor<1x96x2x16xi8>, tensor<1x96x2xi8>)
func.func @broadcast(%x: tensor<4x8x64xf4E2M1FN>, %xs: tensor<4x8x2xf8E8M0FNU>, %w: tensor<1x96x64xf4E2M1FN>, %s: tensor<1x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32> {
  // expected-remark @below {{no matmul takes the decoded weights}}
  %v = tosa.matmul_t_block_scaled %x, %xs, %w, %s {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x8x64xf4E2M1FN>, tensor<4x8x2xf8E8M0FNU>, tensor<1x96x64xf4E2M1FN>, tensor<1x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32>
  return %v : tensor<4x8x96xf32>
}

// -----

// CHECK-LABEL: func @stays
// CHECK-COUNT-2: tosa.cast_from_block_scaled
func.func @stays(%w: tensor<4x96x64xf8E4M3FN>, %s: tensor<4x96x2xf8E8M0FNU>, %v: tensor<4x96x?xf4E2M1FN>, %t: tensor<4x96x?xf8E8M0FNU>) -> (tensor<4x96x64xf32>, tensor<4x96x?xf32>) {
  // expected-remark @below {{'tosa.cast_from_block_scaled' is not raised: values must be f4E2M1FN and scales f8E8M0FNU}}
  %0 = tosa.cast_from_block_scaled %w, %s {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x96x64xf8E4M3FN>, tensor<4x96x2xf8E8M0FNU>) -> tensor<4x96x64xf32>
  // expected-remark @below {{'tosa.cast_from_block_scaled' is not raised: K must be static and have a scale for each 32 values}}
  %1 = tosa.cast_from_block_scaled %v, %t {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x96x?xf4E2M1FN>, tensor<4x96x?xf8E8M0FNU>) -> tensor<4x96x?xf32>
  return %0, %1 : tensor<4x96x64xf32>, tensor<4x96x?xf32>
}

// -----

// A ragged dot as StableHLO's composite, with its decomposition, on transposed
// weights.
// CHECK-LABEL: func @ragged
// CHECK-SAME: %[[X:.*]]: tensor<8x64xbf16>, %[[C:.*]]: tensor<4x96x2x16xi8>, %[[S:.*]]: tensor<4x96x2xi8>
// CHECK: mxfp4.grouped_matmul activations(%[[X]] : tensor<8x64xbf16>) weights(%[[C]], %[[S]]
// CHECK-SAME: offsets({{.*}} : tensor<6xi32>) expert_ids
// CHECK-SAME: -> tensor<8x96xf32>
// CHECK-NOT: {{stablehlo|linalg.matmul|@ragged_dot}}
func.func @ragged(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: tensor<4xi32>) -> tensor<8x96xf32> {
  %e = tensor.empty() : tensor<4x96x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>) outs(%e : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %et = tensor.empty() : tensor<4x64x96xbf16>
  %wt = linalg.transpose ins(%w : tensor<4x96x64xbf16>) outs(%et : tensor<4x64x96xbf16>) permutation = [0, 2, 1]
  %y = "stablehlo.composite"(%x, %wt, %n) <{composite_attributes = {ragged_dot_dimension_numbers = [dense<> : tensor<0xi64>, dense<> : tensor<0xi64>, dense<1> : tensor<1xi64>, dense<1> : tensor<1xi64>, dense<0> : tensor<1xi64>, dense<0> : tensor<1xi64>]}, decomposition = @ragged_dot, name = "chlo.ragged_dot"}> : (tensor<8x64xbf16>, tensor<4x64x96xbf16>, tensor<4xi32>) -> tensor<8x96xf32>
  return %y : tensor<8x96xf32>
}
func.func private @ragged_dot(tensor<8x64xbf16>, tensor<4x64x96xbf16>, tensor<4xi32>) -> tensor<8x96xf32>

// -----

// As CHLO's operation, to bf16, and with K last.
// CHECK-LABEL: func @chlo
// CHECK: mxfp4.grouped_matmul {{.*}} -> tensor<?x96xbf16>
// CHECK-NOT: {{chlo|linalg.matmul}}
func.func @chlo(%x: tensor<?x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: tensor<4xi64>) -> tensor<?x96xbf16> {
  %e = tensor.empty() : tensor<4x96x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>) outs(%e : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %y = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<?x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi64>) -> tensor<?x96xbf16>
  return %y : tensor<?x96xbf16>
}

// -----

// Rows and weights that are widened first, by arith and by linalg, with K last and
// in front.
// CHECK-LABEL: func @widened
// CHECK-COUNT-2: mxfp4.grouped_matmul activations(%{{.*}} : tensor<8x64xbf16>)
// CHECK-NOT: {{chlo|linalg.matmul}}
func.func @widened(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: tensor<4xi32>) -> (tensor<8x96xf32>, tensor<8x96xf32>) {
  %e = tensor.empty() : tensor<4x96x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>) outs(%e : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %xf = arith.extf %x : tensor<8x64xbf16> to tensor<8x64xf32>
  %wf = arith.extf %w : tensor<4x96x64xbf16> to tensor<4x96x64xf32>
  %y = "chlo.ragged_dot"(%xf, %wf, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xf32>, tensor<4x96x64xf32>, tensor<4xi32>) -> tensor<8x96xf32>
  %xe = tensor.empty() : tensor<8x64xf32>
  %xg = linalg.generic {indexing_maps = [affine_map<(m, k) -> (m, k)>, affine_map<(m, k) -> (m, k)>], iterator_types = ["parallel", "parallel"]}
      ins(%x : tensor<8x64xbf16>) outs(%xe : tensor<8x64xf32>) {
    ^bb0(%a: bf16, %o: f32):
      %v = arith.extf %a : bf16 to f32
      linalg.yield %v : f32
  } -> tensor<8x64xf32>
  %we = tensor.empty() : tensor<4x64x96xf32>
  %wg = linalg.generic {indexing_maps = [affine_map<(e, k, n) -> (e, n, k)>, affine_map<(e, k, n) -> (e, k, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w : tensor<4x96x64xbf16>) outs(%we : tensor<4x64x96xf32>) {
    ^bb0(%a: bf16, %o: f32):
      %v = arith.extf %a : bf16 to f32
      linalg.yield %v : f32
  } -> tensor<4x64x96xf32>
  %z = "chlo.ragged_dot"(%xg, %wg, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xf32>, tensor<4x64x96xf32>, tensor<4xi32>) -> tensor<8x96xf32>
  return %y, %z : tensor<8x96xf32>, tensor<8x96xf32>
}

// -----

// CHECK-LABEL: func @ragged_stays
// CHECK: chlo.ragged_dot
func.func @ragged_stays(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: tensor<4xi32>) -> tensor<4x8x96xf32> {
  %e = tensor.empty() : tensor<4x96x64xbf16>
  // expected-remark @below {{the decoded weights, which are decoded in memory, go into 'chlo.ragged_dot'}}
  %w = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>) outs(%e : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: rows must be ragged in their first dimension and summed over their second, and the first dimension of the weights must be the experts}}
  %y = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [], rhs_batching_dimensions = [], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [1], rhs_group_dimensions = []>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<4x8x96xf32>
  return %y : tensor<4x8x96xf32>
}

// -----

// More dimensions than there is memory.
func.func @huge_ragged_dot(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: tensor<4xi32>) -> tensor<8x96xf32> {
  %e = tensor.empty() : tensor<4x96x64xbf16>
  // expected-remark @below {{the decoded weights, which are decoded in memory, go into 'stablehlo.composite'}}
  %w = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>) outs(%e : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  // expected-remark @below {{'stablehlo.composite' is not raised: rows must be ragged in their first dimension}}
  %y = "stablehlo.composite"(%x, %w, %n) <{composite_attributes = {ragged_dot_dimension_numbers = [dense<> : tensor<0xi64>, dense<> : tensor<0xi64>, dense<1> : tensor<9223372036854775807xi64>, dense<2> : tensor<1xi64>, dense<0> : tensor<1xi64>, dense<0> : tensor<1xi64>]}, decomposition = @ragged_dot, name = "chlo.ragged_dot"}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x96xf32>
  return %y : tensor<8x96xf32>
}
func.func private @ragged_dot(tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x96xf32>

// -----

func.func @odd_ragged_dots(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: tensor<4xi32>, %m: tensor<4xi1>) {
  %e = tensor.empty() : tensor<4x96x64xbf16>
  // expected-remark @below {{'mxfp4.dequantize' is not raised to mxfp4.grouped_matmul: the decoded weights, which are decoded in memory, go into 'chlo.ragged_dot'}}
  %w = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>) outs(%e : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: it must be one dot, not a batch of dots}}
  %0 = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_batching_dimensions = [0], rhs_batching_dimensions = [0], lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x96xf32>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: rows, weights and result must have one K, and the result as many rows}}
  %1 = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<9x96xf32>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: rows, weights and result must have one K, and the result as many rows}}
  %2 = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x95xf32>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: rows, weights and result must have one K, and the result as many rows}}
  %3 = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x96x1xf32>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: there must be a size of type integer for each expert}}
  %4 = "chlo.ragged_dot"(%x, %w, %m) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi1>) -> tensor<8x96xf32>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: rows must be ragged in their first dimension}}
  %5 = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [2, 1], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x96xf32>
  // expected-remark @below {{'chlo.ragged_dot' is not raised: rows must be ragged in their first dimension}}
  %6 = "chlo.ragged_dot"(%x, %w, %n) <{ragged_dot_dimension_numbers = #chlo.ragged_dot<lhs_contracting_dimensions = [1], rhs_contracting_dimensions = [x], lhs_ragged_dimensions = [0], rhs_group_dimensions = [0]>}> : (tensor<8x64xbf16>, tensor<4x96x64xbf16>, tensor<4xi32>) -> tensor<8x96xf32>
  return
}

// -----

// JAX writes out.at[:, 1::2].set(x) as a scatter to rows that are known.
// CHECK-LABEL: func @scatter
// CHECK-SAME: %[[U:.*]]: tensor<16x1x4xbf16>, %[[Y:.*]]: tensor<32x4xbf16>
// CHECK: %[[S:.*]] = tensor.collapse_shape %[[U]] {{\[\[}}0, 1], [2]]
// CHECK: tensor.insert_slice %[[S]] into %[[Y]][1, 0] [16, 4] [2, 1] : tensor<16x4xbf16> into tensor<32x4xbf16>
// CHECK-NOT: scatter
func.func @scatter(%u: tensor<16x1x4xbf16>, %y: tensor<32x4xbf16>) -> tensor<32x4xbf16> {
  %e = tensor.empty() : tensor<16x1xi32>
  %at = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>], iterator_types = ["parallel", "parallel"]}
      outs(%e : tensor<16x1xi32>) {
    ^bb0(%o: i32):
      %one = arith.constant 1 : i32
      %two = arith.constant 2 : i32
      %i = linalg.index 0 : index
      %n = arith.index_cast %i : index to i32
      %d = arith.muli %n, %two : i32
      %p = arith.addi %d, %one : i32
      linalg.yield %p : i32
  } -> tensor<16x1xi32>
  %r = "iree_linalg_ext.scatter"(%u, %at, %y) <{dimension_map = array<i64: 0>, unique_indices = true}> ({
    ^bb0(%new: bf16, %old: bf16):
      "iree_linalg_ext.yield"(%new) : (bf16) -> ()
  }) : (tensor<16x1x4xbf16>, tensor<16x1xi32>, tensor<32x4xbf16>) -> tensor<32x4xbf16>
  return %r : tensor<32x4xbf16>
}

// -----

// Others stay: what adds, rows that are not there, and rows that nobody knows.
// CHECK-LABEL: func @scatter_stays
// CHECK-COUNT-3: iree_linalg_ext.scatter
// CHECK-NOT: tensor.insert_slice
func.func @scatter_stays(%u: tensor<2x1x4xbf16>, %y: tensor<32x4xbf16>, %any: tensor<2x1xi32>) -> (tensor<32x4xbf16>, tensor<32x4xbf16>, tensor<32x4xbf16>) {
  %good = arith.constant dense<[[1], [3]]> : tensor<2x1xi32>
  %far = arith.constant dense<[[31], [33]]> : tensor<2x1xi32>
  %0 = "iree_linalg_ext.scatter"(%u, %good, %y) <{dimension_map = array<i64: 0>, unique_indices = true}> ({
    ^bb0(%new: bf16, %old: bf16):
      %sum = arith.addf %new, %old : bf16
      "iree_linalg_ext.yield"(%sum) : (bf16) -> ()
  }) : (tensor<2x1x4xbf16>, tensor<2x1xi32>, tensor<32x4xbf16>) -> tensor<32x4xbf16>
  %1 = "iree_linalg_ext.scatter"(%u, %far, %y) <{dimension_map = array<i64: 0>, unique_indices = true}> ({
    ^bb0(%new: bf16, %old: bf16):
      "iree_linalg_ext.yield"(%new) : (bf16) -> ()
  }) : (tensor<2x1x4xbf16>, tensor<2x1xi32>, tensor<32x4xbf16>) -> tensor<32x4xbf16>
  %2 = "iree_linalg_ext.scatter"(%u, %any, %y) <{dimension_map = array<i64: 0>, unique_indices = true}> ({
    ^bb0(%new: bf16, %old: bf16):
      "iree_linalg_ext.yield"(%new) : (bf16) -> ()
  }) : (tensor<2x1x4xbf16>, tensor<2x1xi32>, tensor<32x4xbf16>) -> tensor<32x4xbf16>
  return %0, %1, %2 : tensor<32x4xbf16>, tensor<32x4xbf16>, tensor<32x4xbf16>
}
