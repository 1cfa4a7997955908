// A decode in many operations, raised where what it computes is the format's
// value for all codes and all scales, or for those that are promised.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise=scales=1,254 --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s
// RUN: not mxfp4-opt %s --split-input-file --mxfp4-raise=scales=0,256 2>&1 \
// RUN:   | FileCheck %s --check-prefix=RANGE
// RUN: not mxfp4-opt %s --split-input-file --mxfp4-raise=scales=1 2>&1 \
// RUN:   | FileCheck %s --check-prefix=RANGE

// RANGE: error: mxfp4-raise: scales must be the smallest and the largest scale byte, 0 to 255, for example scales=1,254, but got {{0, 256|1}}

// One scale for 32 rows: K is the first dimension of the values.

// CHECK: module attributes {mxfp4.promises = {scales = array<i64: 1, 254>}}
// CHECK-LABEL: func @k_first
// CHECK:         %[[W:.*]] = mxfp4.dequantize
// CHECK-SAME:      {promises = {scales = array<i64: 1, 254>}}
// CHECK:         linalg.transpose ins(%[[W]] : tensor<48x64xbf16>) {{.*}} permutation = [1, 0]
func.func @k_first(%c: tensor<64x48xf4E2M1FN>, %s: tensor<2x48xf8E8M0FNU>) -> tensor<64x48xbf16> {
  %e = tensor.empty() : tensor<2x32x48xf8E8M0FNU>
  %b = linalg.broadcast ins(%s : tensor<2x48xf8E8M0FNU>)
      outs(%e : tensor<2x32x48xf8E8M0FNU>) dimensions = [1]
  %bc = tensor.collapse_shape %b [[0, 1], [2]]
      : tensor<2x32x48xf8E8M0FNU> into tensor<64x48xf8E8M0FNU>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = arith.scaling_extf %c, %bc
      : tensor<64x48xf4E2M1FN>, tensor<64x48xf8E8M0FNU> to tensor<64x48xbf16>
  return %w : tensor<64x48xbf16>
}

// -----

// Nibbles to a table each, interleaved by strided slices; scales as a power of
// two of rounded numbers; all of it on flattened rows.

#two = affine_map<(r, j) -> (r, j)>
#one = affine_map<(r, j) -> (r)>

// CHECK-LABEL: func @interleaved
// CHECK-SAME:    %[[C:.*]]: tensor<4x6x2x16xi8>, %[[S:.*]]: tensor<4x6x2xi8>
// CHECK-DAG:     %[[CF:.*]] = tensor.collapse_shape %[[C]] {{\[\[}}0, 1, 2], [3]]
// CHECK-DAG:     %[[SF:.*]] = tensor.collapse_shape %[[S]] {{\[\[}}0, 1, 2]]
// CHECK-DAG:     %[[CE:.*]] = tensor.expand_shape %[[CF]] {{\[\[}}0, 1], [2]] output_shape [48, 1, 16]
// CHECK-DAG:     %[[SE:.*]] = tensor.expand_shape %[[SF]] {{\[\[}}0, 1]] output_shape [48, 1]
// CHECK:         mxfp4.dequantize codes(%[[CE]] : tensor<48x1x16xi8>) scales(%[[SE]] : tensor<48x1xi8>)
// CHECK-NOT:     linalg
// CHECK:         return
func.func @interleaved(%c: tensor<4x6x2x16xi8>, %s: tensor<4x6x2xi8>) -> tensor<4x6x64xbf16> {
  %table = arith.constant dense_resource<lut> : tensor<16xbf16>
  %c4 = arith.constant 4 : i8
  %c15 = arith.constant 15 : i8
  %two = arith.constant 2.0 : bf16
  %bias = arith.constant 127 : i32
  %cf = tensor.collapse_shape %c [[0, 1, 2], [3]] : tensor<4x6x2x16xi8> into tensor<48x16xi8>
  %sf = tensor.collapse_shape %s [[0, 1, 2]] : tensor<4x6x2xi8> into tensor<48xi8>
  %e = tensor.empty() : tensor<48x16xbf16>
  %low = linalg.generic {indexing_maps = [#two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%cf : tensor<48x16xi8>) outs(%e : tensor<48x16xbf16>) {
    ^bb0(%b: i8, %o: bf16):
      %n = arith.andi %b, %c15 : i8
      %i = arith.index_castui %n : i8 to index
      %v = tensor.extract %table[%i] : tensor<16xbf16>
      linalg.yield %v : bf16
  } -> tensor<48x16xbf16>
  %high = linalg.generic {indexing_maps = [#two, #two], iterator_types = ["parallel", "parallel"]}
      ins(%cf : tensor<48x16xi8>) outs(%e : tensor<48x16xbf16>) {
    ^bb0(%b: i8, %o: bf16):
      %n = arith.shrui %b, %c4 : i8
      %i = arith.index_castui %n : i8 to index
      %v = tensor.extract %table[%i] : tensor<16xbf16>
      linalg.yield %v : bf16
  } -> tensor<48x16xbf16>
  %none = tensor.empty() : tensor<48x32xbf16>
  %half = tensor.insert_slice %low into %none[0, 0] [48, 16] [1, 2] : tensor<48x16xbf16> into tensor<48x32xbf16>
  %both = tensor.insert_slice %high into %half[0, 1] [48, 16] [1, 2] : tensor<48x16xbf16> into tensor<48x32xbf16>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = linalg.generic {indexing_maps = [#two, #one, #two], iterator_types = ["parallel", "parallel"]}
      ins(%both, %sf : tensor<48x32xbf16>, tensor<48xi8>) outs(%none : tensor<48x32xbf16>) {
    ^bb0(%v: bf16, %b: i8, %o: bf16):
      %wide = arith.extui %b : i8 to i32
      %exponent = arith.subi %wide, %bias : i32
      %f = arith.sitofp %exponent : i32 to bf16
      %p = math.powf %two, %f : bf16
      %r = arith.mulf %v, %p : bf16
      linalg.yield %r : bf16
  } -> tensor<48x32xbf16>
  %r = tensor.expand_shape %w [[0, 1, 2], [3]] output_shape [4, 6, 2, 32] : tensor<48x32xbf16> into tensor<4x6x2x32xbf16>
  %k = tensor.collapse_shape %r [[0], [1], [2, 3]] : tensor<4x6x2x32xbf16> into tensor<4x6x64xbf16>
  return %k : tensor<4x6x64xbf16>
}

{-#
  dialect_resources: {
    builtin: {
      lut: "0x020000000000003F803FC03F004040408040C040008000BF80BFC0BF00C040C080C0C0C0"
    }
  }
#-}
