// What is not raised is told by default, in LLVM's remarks if they are wanted,
// and with the next step in the report.
//
// RUN: mxfp4-opt %s --mxfp4-raise -o /dev/null 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-raise=report -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REPORT
// RUN: mxfp4-opt %s --mxfp4-raise --remark-policy=all --remark-format=emitRemark \
// RUN:     --remarks-filter="mxfp4-raise" -o /dev/null 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ENGINE
// RUN: mxfp4-opt %s --mxfp4-raise --remark-policy=all --remark-format=yaml \
// RUN:     --remarks-output-file=%t.yaml --remarks-filter="mxfp4-raise" -o /dev/null
// RUN: FileCheck %s --check-prefix=YAML < %t.yaml
//
// Remarks that were filtered away, and a program without any, are different:
// RUN: mxfp4-opt %s --mxfp4-raise --remark-policy=all --remark-format=emitRemark \
// RUN:     --remarks-filter="loop-unroll" -o /dev/null 2>&1 | FileCheck %s

// REPORT: raise-report.mlir:[[#@LINE+17]]:{{.*}} remark: is a grouped matmul of 1 groups with 1 experts, N = 48, K = 32; next step: mxfp4-pack-weights
// ENGINE: remark: [Passed] matmul | Category:mxfp4-raise | Function=raised
// ENGINE-SAME: Experts=1, Groups=1, K=32, N=48
// YAML: --- !Passed
// YAML-NEXT: Pass: mxfp4-raise
// YAML: --- !Missed
// YAML: Name: decode
// YAML: Operation: arith.scaling_extf
// YAML: Target: mxfp4.dequantize
// YAML: Reason:
// CHECK-NOT: remark: is a grouped matmul
func.func @raised(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>, %s: tensor<48x1xi8>)
    -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// CHECK: remark: 'arith.scaling_extf' is not raised to mxfp4.dequantize: the last dimensions of the values must be K, K/32 x 32 or K/32 x 16 x 2, static and with K a multiple of 32; make K the last
// REPORT: remark: 'arith.scaling_extf' is not raised to mxfp4.dequantize: the last dimensions of the values must be K
// REPORT: note: next step: make K the last dimension of codes, scales and values; without it, mxfp4-lower-to-linalg and the pipelines for the CPU run the program as it is
// ENGINE: remark: [Missed] decode | Category:mxfp4-raise | Function=k_of_48
// ENGINE-SAME: Operation=arith.scaling_extf, Reason="the last dimensions of the values must be K
// ENGINE-SAME: Suggestion="make K the last dimension
func.func @k_of_48(%c: tensor<48x48xf4E2M1FN>, %s: tensor<48x48xf8E8M0FNU>) -> tensor<48x48xbf16> {
  %w = arith.scaling_extf %c, %s
      : tensor<48x48xf4E2M1FN>, tensor<48x48xf8E8M0FNU> to tensor<48x48xbf16>
  return %w : tensor<48x48xbf16>
}

// A decode in several operations is told once, and at the matmul behind it.

// CHECK: remark: 'linalg.generic' is not raised to mxfp4.dequantize: each value must depend on one code and one scale, but depends on 1 element of tensors
// CHECK-NOT: remark
// CHECK: remark: 'linalg.matmul' is not raised to mxfp4.grouped_matmul: no operand is an exact MXFP4 decode, moved or widened at most; see the remark on the decode
// REPORT: remark: mxfp4-raise: 1 grouped matmuls, and {{[0-9]+}} operations that look like MXFP4 and are not raised
func.func @in_pieces(%x: tensor<8x32xbf16>, %c: tensor<48x16xi8>) -> tensor<8x48xf32> {
  %c4 = arith.constant 4 : i8
  %c15 = arith.constant 15 : i8
  %e = tensor.empty() : tensor<48x16xi8>
  %low = linalg.generic {
      indexing_maps = [affine_map<(n, j) -> (n, j)>, affine_map<(n, j) -> (n, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<48x16xi8>) outs(%e : tensor<48x16xi8>) {
    ^bb0(%b: i8, %o: i8):
      %v = arith.andi %b, %c15 : i8
      linalg.yield %v : i8
  } -> tensor<48x16xi8>
  %high = linalg.generic {
      indexing_maps = [affine_map<(n, j) -> (n, j)>, affine_map<(n, j) -> (n, j)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<48x16xi8>) outs(%e : tensor<48x16xi8>) {
    ^bb0(%b: i8, %o: i8):
      %v = arith.shrui %b, %c4 : i8
      linalg.yield %v : i8
  } -> tensor<48x16xi8>
  %codes = tensor.concat dim(1) %low, %high : (tensor<48x16xi8>, tensor<48x16xi8>) -> tensor<48x32xi8>
  %we = tensor.empty() : tensor<48x32xbf16>
  %w = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%codes : tensor<48x32xi8>) outs(%we : tensor<48x32xbf16>) {
    ^bb0(%b: i8, %o: bf16):
      %v = arith.sitofp %b : i8 to bf16
      linalg.yield %v : bf16
  } -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// What has nothing to do with MXFP4 gets no remark.

// CHECK-NOT: remark
func.func @other(%x: tensor<8x32xbf16>, %w: tensor<48x32xbf16>, %b: tensor<48x32xi8>)
    -> (tensor<8x48xf32>, tensor<48x32xf32>) {
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  %f = arith.sitofp %b : tensor<48x32xi8> to tensor<48x32xf32>
  return %y, %f : tensor<8x48xf32>, tensor<48x32xf32>
}

// Bytes that are moved, scaled and masked are no nibbles: neither a mask of seven
// bits, nor a shift by five, nor the sum of a byte and four or fifteen.

// CHECK-NOT: remark
func.func @bytes(%b: tensor<48x32xi8>, %e: tensor<48x32xi8>) -> tensor<48x32xi8> {
  %r = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>, affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%b : tensor<48x32xi8>) outs(%e : tensor<48x32xi8>) {
    ^bb0(%byte: i8, %out: i8):
      %c4 = arith.constant 4 : i8
      %c5 = arith.constant 5 : i8
      %c15 = arith.constant 15 : i8
      %c127 = arith.constant 127 : i8
      %masked = arith.andi %byte, %c127 : i8
      %shifted = arith.shrui %masked, %c5 : i8
      %more = arith.addi %shifted, %c4 : i8
      %most = arith.addi %more, %c15 : i8
      linalg.yield %most : i8
  } -> tensor<48x32xi8>
  return %r : tensor<48x32xi8>
}
