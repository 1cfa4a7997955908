// Codes that have a byte each are not raised, and a remark says what to do,
// also where they are looked up in an operation without inputs.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise="scales=2,254" \
// RUN:   --verify-diagnostics | FileCheck %s

#codes = affine_map<(e, n, b, j) -> (e, n, b, j)>
#scales = affine_map<(e, n, b, j) -> (e, n, b)>

// CHECK-LABEL: func @one_body(
// CHECK-NOT:     mxfp4.{{dequantize|grouped_matmul}}
func.func @one_body(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x2x32xi8>,
    %s: tensor<4x48x2xf8E8M0FNU>) -> tensor<4x8x48xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xbf16>
  %we = tensor.empty() : tensor<4x48x2x32xbf16>
  // expected-remark@below {{the 32 codes of a block must be in 16 bytes, two in each, but are in 32 bytes; pack two neighbouring codes in a byte, the first one in the low nibble, or pass codes as i4}}
  %w = linalg.generic {indexing_maps = [#codes, #scales, #codes],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<4x48x2x32xi8>, tensor<4x48x2xf8E8M0FNU>)
      outs(%we : tensor<4x48x2x32xbf16>) {
    ^bb0(%byte: i8, %scale: f8E8M0FNU, %o: bf16):
      %fifteen = arith.constant 15 : i8
      %code = arith.andi %byte, %fifteen : i8
      %at = arith.index_castui %code : i8 to index
      %number = tensor.extract %table[%at] : tensor<16xbf16>
      %power = arith.extf %scale : f8E8M0FNU to bf16
      %value = arith.mulf %number, %power : bf16
      linalg.yield %value : bf16
  } -> tensor<4x48x2x32xbf16>
  %flat = tensor.collapse_shape %w [[0], [1], [2, 3]]
      : tensor<4x48x2x32xbf16> into tensor<4x48x64xbf16>
  %zeros = arith.constant dense<0.0> : tensor<4x8x48xf32>
  // expected-remark@below {{no operand is an exact MXFP4 decode}}
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                       affine_map<(b, m, n, k) -> (b, n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %flat : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
      outs(%zeros : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}

// -----

#codes = affine_map<(e, n, b, j) -> (e, n, b, j)>
#scales = affine_map<(e, n, b, j) -> (e, n, b)>

// A gather of stablehlo-legalize-to-linalg, which keeps bytes within the table.

// CHECK-LABEL: func @gather(
// CHECK-NOT:     mxfp4.{{dequantize|grouped_matmul}}
func.func @gather(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x2x32xi8>,
    %s: tensor<4x48x2xf8E8M0FNU>) -> tensor<4x8x48xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xbf16>
  %we = tensor.empty() : tensor<4x48x2x32xbf16>
  %numbers = linalg.generic {indexing_maps = [#codes],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      outs(%we : tensor<4x48x2x32xbf16>) {
    ^bb0(%o: bf16):
      %e = linalg.index 0 : index
      %n = linalg.index 1 : index
      %b = linalg.index 2 : index
      %j = linalg.index 3 : index
      %c0 = arith.constant 0 : index
      %c15 = arith.constant 15 : index
      %byte = tensor.extract %c[%e, %n, %b, %j] : tensor<4x48x2x32xi8>
      %code = arith.index_castui %byte : i8 to index
      %low = arith.maxsi %code, %c0 : index
      %at = arith.minsi %low, %c15 : index
      %number = tensor.extract %table[%at] : tensor<16xbf16>
      linalg.yield %number : bf16
  } -> tensor<4x48x2x32xbf16>
  // expected-remark@below {{the 32 codes of a block must be in 16 bytes, two in each, but are in 32 bytes}}
  %w = linalg.generic {indexing_maps = [#codes, #scales, #codes],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%numbers, %s : tensor<4x48x2x32xbf16>, tensor<4x48x2xf8E8M0FNU>)
      outs(%we : tensor<4x48x2x32xbf16>) {
    ^bb0(%number: bf16, %scale: f8E8M0FNU, %o: bf16):
      %power = arith.extf %scale : f8E8M0FNU to bf16
      %value = arith.mulf %number, %power : bf16
      linalg.yield %value : bf16
  } -> tensor<4x48x2x32xbf16>
  %flat = tensor.collapse_shape %w [[0], [1], [2, 3]]
      : tensor<4x48x2x32xbf16> into tensor<4x48x64xbf16>
  %zeros = arith.constant dense<0.0> : tensor<4x8x48xf32>
  // expected-remark@below {{no operand is an exact MXFP4 decode}}
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                       affine_map<(b, m, n, k) -> (b, n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %flat : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
      outs(%zeros : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}
