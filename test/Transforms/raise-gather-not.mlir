// Gathers that select no whole slices of decoded weights by numbers in a tensor
// are left alone.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s

#w = affine_map<(t, n, k) -> (t, n, k)>

// The first columns of each slice.

// CHECK-LABEL: func @some_columns
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @some_columns(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x24xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x24x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x24x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x24x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x24xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x24x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x24xf32>) -> tensor<8x24xf32>
  return %y : tensor<8x24xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// One column of each.

// CHECK-LABEL: func @one_column
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @one_column(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x1xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x1x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x1x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x1x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x1xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x1x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x1xf32>) -> tensor<8x1xf32>
  return %y : tensor<8x1xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// Of a loop, only the low bits select a column.

// CHECK-LABEL: func @narrow_loop
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @narrow_loop(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  // expected-remark@below {{go into 'tensor.extract'}}
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  // expected-remark@below {{the value depends on more than codes, scales and constants}}
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %low = arith.index_cast %n : index to i4
      %m = arith.index_castui %low : i4 to index
      %v = tensor.extract %w[%at, %m, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// The low bits of numbers are numbers of experts: they are computed in front.

// CHECK-LABEL: func @narrow_numbers
// CHECK:         %[[IDS:.*]] = linalg.generic
// CHECK:           arith.index_cast {{.*}} : index to i8
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[IDS]] : tensor<8xi32>)
func.func @narrow_numbers(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi64>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi64>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i64, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %wide = arith.index_cast %id : i64 to index
      %low = arith.index_cast %wide : index to i8
      %at = arith.index_castui %low : i8 to index
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

// What the result starts at is no number in a tensor.

// CHECK-LABEL: func @number_of_result
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @number_of_result(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %number = arith.fptosi %o : bf16 to i32
      %at = arith.index_cast %number : i32 to index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// The body slices the weights.

// CHECK-LABEL: func @slice_in_body
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @slice_in_body(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %some = tensor.extract_slice %w[1, 0, 0] [2, 48, 32] [1, 1, 1]
          : tensor<4x48x32xbf16> to tensor<2x48x32xbf16>
      %v = tensor.extract %some[%at, %n, %k] : tensor<2x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(t, n, k) -> (t, n, k)>

// The same with numbers that are computed.

// CHECK-LABEL: func @slice_and_sum
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @slice_and_sum(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k) -> (t)>, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %sum = arith.addi %id, %id : i32
      %at = arith.index_cast %sum : i32 to index
      %some = tensor.extract_slice %w[1, 0, 0] [2, 48, 32] [1, 1, 1]
          : tensor<4x48x32xbf16> to tensor<2x48x32xbf16>
      %v = tensor.extract %some[%at, %n, %k] : tensor<2x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Only copies of numbers say how often a loop runs, in which nothing differs.

// CHECK-LABEL: func @copies_have_an_extent
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @copies_have_an_extent(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ne = tensor.empty() : tensor<8x3xi32>
  %copies = linalg.broadcast ins(%ids : tensor<8xi32>) outs(%ne : tensor<8x3xi32>) dimensions = [1]
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, n, k, z) -> (t, z)>, affine_map<(t, n, k, z) -> (t, n, k)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%copies : tensor<8x3xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %at = arith.index_cast %id : i32 to index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are gathered, but not as whole slices that numbers in a tensor select}}
  %y = linalg.batch_matvec ins(%g, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}
