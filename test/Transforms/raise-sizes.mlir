// Sizes of which a constant for each group or row would fill the memory, or
// which no number holds, are left alone with a remark.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --verify-diagnostics \
// RUN:   | FileCheck %s

#x = affine_map<(b, m, n, k) -> (b, m, k)>
#w = affine_map<(b, m, n, k) -> (b, n, k)>
#y = affine_map<(b, m, n, k) -> (b, m, n)>

// CHECK-LABEL: func @groups
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @groups(%x: tensor<4194305x1x32xbf16>, %c: tensor<4194305x8x1x16xi8>,
    %s: tensor<4194305x8x1xi8>) -> tensor<4194305x1x8xf32> {
  %e = tensor.empty() : tensor<4194305x8x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4194305x8x1x16xi8>) scales(%s : tensor<4194305x8x1xi8>)
      outs(%e : tensor<4194305x8x32xbf16>) -> tensor<4194305x8x32xbf16>
  %f = arith.constant dense<0.0> : tensor<4194305x1x8xf32>
  // expected-remark@below {{groups, and rows that several numbers select weights for, must be at most 2^22, because the program gets a constant for each}}
  %y = linalg.generic {indexing_maps = [#x, #w, #y],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4194305x1x32xbf16>, tensor<4194305x8x32xbf16>)
      outs(%f : tensor<4194305x1x8xf32>) {
    ^bb0(%a: bf16, %b: bf16, %sum: f32):
      %left = arith.extf %a : bf16 to f32
      %right = arith.extf %b : bf16 to f32
      %product = arith.mulf %left, %right : f32
      %next = arith.addf %sum, %product : f32
      linalg.yield %next : f32
  } -> tensor<4194305x1x8xf32>
  return %y : tensor<4194305x1x8xf32>
}

// -----

#x = affine_map<(b, m, n, k) -> (b, m, k)>
#w = affine_map<(b, m, n, k) -> (b, n, k)>
#y = affine_map<(b, m, n, k) -> (b, m, n)>

// The product of rows and experts is 2^64, of which a number of 64 bits is 0.

// CHECK-LABEL: func @product
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @product(%x: tensor<4x4611686018427387904x32xbf16>, %c: tensor<4x8x1x16xi8>,
    %s: tensor<4x8x1xi8>, %f: tensor<4x4611686018427387904x8xf32>) -> tensor<4x4611686018427387904x8xf32> {
  %e = tensor.empty() : tensor<4x8x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x8x1x16xi8>) scales(%s : tensor<4x8x1xi8>)
      outs(%e : tensor<4x8x32xbf16>) -> tensor<4x8x32xbf16>
  // expected-remark@below {{all rows together must be at most 2^31 - 1, as offsets are i32}}
  %y = linalg.generic {indexing_maps = [#x, #w, #y],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x4611686018427387904x32xbf16>, tensor<4x8x32xbf16>)
      outs(%f : tensor<4x4611686018427387904x8xf32>) {
    ^bb0(%a: bf16, %b: bf16, %sum: f32):
      %left = arith.extf %a : bf16 to f32
      %right = arith.extf %b : bf16 to f32
      %product = arith.mulf %left, %right : f32
      %next = arith.addf %sum, %product : f32
      linalg.yield %next : f32
  } -> tensor<4x4611686018427387904x8xf32>
  return %y : tensor<4x4611686018427387904x8xf32>
}

// -----

#x = affine_map<(t, s, n, k) -> (t, k)>
#w = affine_map<(t, s, n, k) -> (t, s, n, k)>
#y = affine_map<(t, s, n, k) -> (t, s, n)>

// Of 2^21 tokens with 4 slots each, rows are numbered.

// CHECK-LABEL: func @slots
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @slots(%x: tensor<2097152x32xbf16>, %c: tensor<4x8x1x16xi8>,
    %s: tensor<4x8x1xi8>, %ids: tensor<2097152x4xi32>) -> tensor<2097152x4x8xf32> {
  %e = tensor.empty() : tensor<4x8x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x8x1x16xi8>) scales(%s : tensor<4x8x1xi8>)
      outs(%e : tensor<4x8x32xbf16>) -> tensor<4x8x32xbf16>
  %ge = tensor.empty() : tensor<2097152x4x8x32xbf16>
  %g = linalg.generic {indexing_maps = [affine_map<(t, s, n, k) -> (t, s)>,
                                        affine_map<(t, s, n, k) -> (t, s, n, k)>],
                       iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%ids : tensor<2097152x4xi32>) outs(%ge : tensor<2097152x4x8x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 2 : index
      %k = linalg.index 3 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x8x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<2097152x4x8x32xbf16>
  %f = arith.constant dense<0.0> : tensor<2097152x4x8xf32>
  // expected-remark@below {{groups, and rows that several numbers select weights for, must be at most 2^22}}
  %y = linalg.generic {indexing_maps = [#x, #w, #y],
                       iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %g : tensor<2097152x32xbf16>, tensor<2097152x4x8x32xbf16>)
      outs(%f : tensor<2097152x4x8xf32>) {
    ^bb0(%a: bf16, %b: bf16, %sum: f32):
      %left = arith.extf %a : bf16 to f32
      %right = arith.extf %b : bf16 to f32
      %product = arith.mulf %left, %right : f32
      %next = arith.addf %sum, %product : f32
      linalg.yield %next : f32
  } -> tensor<2097152x4x8xf32>
  return %y : tensor<2097152x4x8xf32>
}
