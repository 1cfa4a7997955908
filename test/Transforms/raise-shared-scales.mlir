// Weights of which neighbouring blocks along K have one scale.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize --verify-diagnostics \
// RUN:   | FileCheck %s

// One scale for 64 values. The scales are repeated for the blocks.

// CHECK-LABEL: func @sixty_four(
// CHECK-SAME:    %[[C:[^ ]*]]: tensor<8x4x16xi8>, %[[S:[^ ]*]]: tensor<8x2xf8E8M0FNU>
// CHECK-DAG:     %[[CODES:.*]] = arith.bitcast %[[S]] : tensor<8x2xf8E8M0FNU> to tensor<8x2xi8>
// CHECK:         %[[COPIES:.*]] = linalg.broadcast ins(%[[CODES]] : tensor<8x2xi8>) outs(%{{.*}} : tensor<8x2x2xi8>) dimensions = [2]
// CHECK:         %[[SCALES:.*]] = tensor.collapse_shape %[[COPIES]] {{.*}}[0], [1, 2]{{.*}} into tensor<8x4xi8>
// CHECK:         mxfp4.dequantize codes(%[[C]] : tensor<8x4x16xi8>) scales(%[[SCALES]] : tensor<8x4xi8>)
func.func @sixty_four(%c: tensor<8x4x16xi8>, %s: tensor<8x2xf8E8M0FNU>) -> tensor<8x128xbf16> {
  %e = tensor.empty() : tensor<8x128xbf16>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = linalg.generic {indexing_maps = [affine_map<(n, k) -> (n, k floordiv 32, (k mod 32) floordiv 2)>,
                                        affine_map<(n, k) -> (n, k floordiv 64)>, affine_map<(n, k) -> (n, k)>],
                       iterator_types = ["parallel", "parallel"]}
      ins(%c, %s : tensor<8x4x16xi8>, tensor<8x2xf8E8M0FNU>) outs(%e : tensor<8x128xbf16>) {
  ^bb0(%byte: i8, %scale: f8E8M0FNU, %o: bf16):
    %k = linalg.index 1 : index
    %k8 = arith.index_cast %k : index to i8
    %one = arith.constant 1 : i8
    %two = arith.constant 2 : i8
    %half = arith.andi %k8, %one : i8
    %by = arith.shli %half, %two : i8
    %shifted = arith.shrui %byte, %by : i8
    %n = arith.trunci %shifted : i8 to i4
    %f = arith.bitcast %n : i4 to f4E2M1FN
    %v = arith.scaling_extf %f, %scale : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<8x128xbf16>
  return %w : tensor<8x128xbf16>
}

// -----

#b = affine_map<(n, s, k) -> (n, s, k)>
#s = affine_map<(n, s, k) -> (n, s)>

// One scale for 128 values, which are a dimension.

// CHECK-LABEL: func @blocks_of_128(
// CHECK:         linalg.broadcast ins(%{{.*}} : tensor<8x2xi8>) outs(%{{.*}} : tensor<8x2x4xi8>)
// CHECK:         mxfp4.dequantize {{.*}} scales(%{{.*}} : tensor<8x8xi8>)
func.func @blocks_of_128(%c: tensor<8x2x128xf4E2M1FN>, %s: tensor<8x2xf8E8M0FNU>) -> tensor<8x256xbf16> {
  %e = tensor.empty() : tensor<8x2x128xbf16>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = linalg.generic {indexing_maps = [#b, #s, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<8x2x128xf4E2M1FN>, tensor<8x2xf8E8M0FNU>) outs(%e : tensor<8x2x128xbf16>) {
  ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<8x2x128xbf16>
  %flat = tensor.collapse_shape %w [[0], [1, 2]] : tensor<8x2x128xbf16> into tensor<8x256xbf16>
  return %flat : tensor<8x256xbf16>
}

// -----

#b = affine_map<(n, b, k) -> (n, b, k)>

// One scale for a whole row, in a dimension of one; and scales whose last
// dimension has one element and is not K, which each block has.

// CHECK-LABEL: func @row(
// CHECK:         linalg.broadcast ins(%{{.*}} : tensor<8x1xi8>) outs(%{{.*}} : tensor<8x1x2xi8>)
// CHECK:         mxfp4.dequantize {{.*}} scales(%{{.*}} : tensor<8x2xi8>)
func.func @row(%c: tensor<8x2x32xf4E2M1FN>, %s: tensor<8x1xf8E8M0FNU>) -> tensor<8x2x32xbf16> {
  %e = tensor.empty() : tensor<8x2x32xbf16>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = linalg.generic {indexing_maps = [#b, affine_map<(n, b, k) -> (n, 0)>, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<8x2x32xf4E2M1FN>, tensor<8x1xf8E8M0FNU>) outs(%e : tensor<8x2x32xbf16>) {
  ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<8x2x32xbf16>
  return %w : tensor<8x2x32xbf16>
}

// CHECK-LABEL: func @blocks_first(
// CHECK-NOT:     linalg.broadcast
// CHECK:         mxfp4.dequantize {{.*}} scales(%{{.*}} : tensor<8x2x1xi8>)
func.func @blocks_first(%c: tensor<8x2x32xf4E2M1FN>, %s: tensor<2x8x1xf8E8M0FNU>) -> tensor<8x2x32xbf16> {
  %e = tensor.empty() : tensor<8x2x32xbf16>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = linalg.generic {indexing_maps = [#b, affine_map<(n, b, k) -> (b, n, 0)>, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<8x2x32xf4E2M1FN>, tensor<2x8x1xf8E8M0FNU>) outs(%e : tensor<8x2x32xbf16>) {
  ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<8x2x32xbf16>
  return %w : tensor<8x2x32xbf16>
}

// -----

#b = affine_map<(n, s, k) -> (n, s, k)>
#s = affine_map<(n, s, k) -> (n, s)>

// One scale for 96 values, and one for two rows.

// CHECK-LABEL: func @ninety_six(
// CHECK-NOT:     mxfp4.dequantize
func.func @ninety_six(%c: tensor<8x2x96xf4E2M1FN>, %s: tensor<8x2xf8E8M0FNU>) -> tensor<8x2x96xbf16> {
  %e = tensor.empty() : tensor<8x2x96xbf16>
  // expected-remark@below {{each once, or one scale for 2, 4, 8, 16 or 32 neighbouring blocks along K}}
  %w = linalg.generic {indexing_maps = [#b, #s, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<8x2x96xf4E2M1FN>, tensor<8x2xf8E8M0FNU>) outs(%e : tensor<8x2x96xbf16>) {
  ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<8x2x96xbf16>
  return %w : tensor<8x2x96xbf16>
}

// CHECK-LABEL: func @two_rows(
// CHECK-NOT:     mxfp4.dequantize
func.func @two_rows(%c: tensor<8x2x32xf4E2M1FN>, %s: tensor<4x2xf8E8M0FNU>) -> tensor<8x2x32xbf16> {
  %e = tensor.empty() : tensor<8x2x32xbf16>
  // expected-remark@below {{each once, or one scale for 2, 4, 8, 16 or 32 neighbouring blocks along K}}
  %w = linalg.generic {indexing_maps = [#b, affine_map<(n, s, k) -> (n floordiv 2, s)>, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<8x2x32xf4E2M1FN>, tensor<4x2xf8E8M0FNU>) outs(%e : tensor<8x2x32xbf16>) {
  ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<8x2x32xbf16>
  return %w : tensor<8x2x32xbf16>
}
