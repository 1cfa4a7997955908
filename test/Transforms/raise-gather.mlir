// Gathers of decoded weights, as front ends spell them.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s

#w = affine_map<(t, n, k) -> (t, n, k)>

// torch.gather takes a number for each element, and torch-mlir checks them all.
// The checks stay, without the weights.

// CHECK-LABEL: func @number_for_each_element
// CHECK-SAME:    %[[IDS:[^ ]*]]: tensor<8xi32>)
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         linalg.generic
// CHECK:           cf.assert
// CHECK-NOT:       tensor.extract
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[IDS]] : tensor<8xi32>)
func.func @number_for_each_element(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %c4 = arith.constant 4 : index
  %ne = tensor.empty() : tensor<8x48x32xi32>
  %numbers = linalg.broadcast ins(%ids : tensor<8xi32>) outs(%ne : tensor<8x48x32xi32>) dimensions = [1, 2]
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%numbers : tensor<8x48x32xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %inside = arith.cmpi slt, %at, %c4 : index
      cf.assert %inside, "index must be smaller than dim size"
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// Numbers that differ from column to column select no whole slices.

// CHECK-LABEL: func @number_for_each_column
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @number_for_each_column(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8x48xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ne = tensor.empty() : tensor<8x48x32xi32>
  %numbers = linalg.broadcast ins(%ids : tensor<8x48xi32>) outs(%ne : tensor<8x48x32xi32>) dimensions = [2]
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%numbers : tensor<8x48x32xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights must have experts, N and K, in any order, each once}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#g = affine_map<(t, n, k) -> (t)>
#w = affine_map<(t, n, k) -> (t, n, k)>

// Weights are widened, and then gathered.

// CHECK-LABEL: func @widened_before
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(

// Numbers along another dimension select no weights of whole experts.

// CHECK-LABEL: func @columns
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @widened_before(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ww = arith.extf %w : tensor<4x48x32xbf16> to tensor<4x48x32xf32>
  %xw = arith.extf %x : tensor<8x32xbf16> to tensor<8x32xf32>
  %ge = tensor.empty() : tensor<8x48x32xf32>
  %g = linalg.generic {indexing_maps = [#g, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xf32>) {
    ^bb0(%id: i32, %o: f32):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %ww[%at, %n, %k] : tensor<4x48x32xf32>
      linalg.yield %v : f32
  } -> tensor<8x48x32xf32>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%g, %xw : tensor<8x48x32xf32>, tensor<8x32xf32>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @columns(%x: tensor<4x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x8x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (n)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<4x8x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %t = linalg.index 0 : index
      %at = arith.index_cast %id : i32 to index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%t, %at, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x8x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select; gather the weights of whole experts}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<4x8x32xbf16>, tensor<4x32xbf16>)
      outs(%init : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %y : tensor<4x8xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// The second expert of each token, and the one on the diagonal: the numbers are
// some of a tensor.

// CHECK-LABEL: func @second
// CHECK-SAME:    %[[IDS:[^ ]*]]: tensor<8x2xi32>)
// CHECK:         %[[SOME:.*]] = linalg.generic {{.*}} ins(%[[IDS]] : tensor<8x2xi32>) outs(%{{.*}} : tensor<8xi32>)
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[SOME]] : tensor<8xi32>)
// CHECK-LABEL: func @diagonal
// CHECK-SAME:    %[[IDS:[^ ]*]]: tensor<8x8xi32>)
// CHECK:         %[[SOME:.*]] = linalg.generic {{.*}} ins(%[[IDS]] : tensor<8x8xi32>) outs(%{{.*}} : tensor<8xi32>)
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[SOME]] : tensor<8xi32>)
func.func @second(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8x2xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t, 1)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8x2xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @diagonal(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8x8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t, t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8x8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(n, k) -> (n, k)>

// One expert, whose number is a scalar or a tensor without dimensions.

// CHECK-LABEL: func @scalar
// CHECK-SAME:    %[[ID:[^ ]*]]: i32)
// CHECK:         %[[T:.*]] = linalg.{{.*}} ins(%[[ID]] : i32)
// CHECK:         %[[IDS:.*]] = tensor.expand_shape %[[T]] [] output_shape [1] : tensor<i32> into tensor<1xi32>
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[IDS]] : tensor<1xi32>)
// CHECK-LABEL: func @without_dimensions
// CHECK-SAME:    %[[ID:[^ ]*]]: tensor<i32>)
// CHECK:         %[[IDS:.*]] = tensor.expand_shape %[[ID]] [] output_shape [1] : tensor<i32> into tensor<1xi32>
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[IDS]] : tensor<1xi32>)
func.func @scalar(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %id: i32) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(n, k) -> ()>, #w],
                       iterator_types = ["parallel", "parallel"]}
      ins(%id : i32) outs(%ge : tensor<48x32xbf16>) {
    ^bb0(%i: i32, %o: bf16):
      %at = arith.index_cast %i : i32 to index
      %n = linalg.index 0 : index
      %k = linalg.index 1 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %g : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @without_dimensions(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %id: tensor<i32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(n, k) -> ()>, #w],
                       iterator_types = ["parallel", "parallel"]}
      ins(%id : tensor<i32>) outs(%ge : tensor<48x32xbf16>) {
    ^bb0(%i: i32, %o: bf16):
      %at = arith.index_cast %i : i32 to index
      %n = linalg.index 0 : index
      %k = linalg.index 1 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %g : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#g = affine_map<(t, n, k) -> (t)>
#w = affine_map<(t, n, k) -> (t, n, k)>

// One layer of all, of which numbers select experts: w[layer][ids].

// CHECK-LABEL: func @layer_then_experts
// CHECK-SAME:    %[[IDS:[^ ]*]]: tensor<8xi32>, %[[L:[^ ]*]]: index)
// CHECK:         %[[C1:.*]] = tensor.extract_slice %{{.*}}[%[[L]], 0, 0, 0, 0] [1, 4, 48, 1, 16]
// CHECK:         %[[C:.*]] = tensor.collapse_shape %[[C1]]
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[C]], {{.*}} expert_ids(%[[IDS]] : tensor<8xi32>)
func.func @layer_then_experts(%x: tensor<8x32xbf16>, %c: tensor<2x4x48x1x16xi8>,
    %s: tensor<2x4x48x1xi8>, %ids: tensor<8xi32>, %l: index) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<2x4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<2x4x48x1x16xi8>) scales(%s : tensor<2x4x48x1xi8>)
      outs(%e : tensor<2x4x48x32xbf16>) -> tensor<2x4x48x32xbf16>
  %one = tensor.extract_slice %w[%l, 0, 0, 0] [1, 4, 48, 32] [1, 1, 1, 1]
      : tensor<2x4x48x32xbf16> to tensor<1x4x48x32xbf16>
  %layer = tensor.collapse_shape %one [[0, 1], [2], [3]]
      : tensor<1x4x48x32xbf16> into tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#g, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %layer[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#g = affine_map<(t, n, k) -> (t)>
#w = affine_map<(t, n, k) -> (t, n, k)>

// Two numbers for each row, of a layer and of an expert: w[layers, ids].

// CHECK-LABEL: func @layer_and_expert
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK:         %[[NUMBERS:.*]] = linalg.generic
// CHECK:           %[[FIRST:.*]] = arith.muli %{{.*}}, %[[C4]]
// CHECK:           arith.addi %[[FIRST]],
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%{{.*}} : tensor<8x48x1x16xi8>, {{.*}} expert_ids(%[[NUMBERS]] : tensor<8xi32>)
func.func @layer_and_expert(%x: tensor<8x32xbf16>, %c: tensor<2x4x48x1x16xi8>,
    %s: tensor<2x4x48x1xi8>, %ls: tensor<8xi32>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<2x4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<2x4x48x1x16xi8>) scales(%s : tensor<2x4x48x1xi8>)
      outs(%e : tensor<2x4x48x32xbf16>) -> tensor<2x4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#g, #g, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ls, %ids : tensor<8xi32>, tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%l: i32, %id: i32, %o: bf16):
      %layer = arith.index_cast %l : i32 to index
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%layer, %at, %n, %k] : tensor<2x4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// Experts in reverse: the weights themselves are an input that the body does
// not read.

// CHECK-LABEL: func @reversed_experts
// CHECK:         %[[NUMBERS:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<4xi32>)
// CHECK-NOT:     mxfp4.dequantize
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[NUMBERS]] : tensor<4xi32>)
func.func @reversed_experts(%x: tensor<4x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<4x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w : tensor<4x48x32xbf16>) outs(%ge : tensor<4x48x32xbf16>) {
    ^bb0(%in: bf16, %o: bf16):
      %t = linalg.index 0 : index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %last = arith.constant 3 : index
      %at = arith.subi %last, %t : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x48xf32>
  %y = linalg.batch_matvec ins(%g, %x : tensor<4x48x32xbf16>, tensor<4x32xbf16>)
      outs(%init : tensor<4x48xf32>) -> tensor<4x48xf32>
  return %y : tensor<4x48xf32>
}
