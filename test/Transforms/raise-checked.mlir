// torch checks the numbers of F.embedding in the body that reads the table. The
// checks stay where a decode has taken the place of the look-up, and no remark
// says that these operations are no decode.
//
// RUN: mxfp4-opt %s --mxfp4-raise --verify-diagnostics | FileCheck %s

#b = affine_map<(n, b, j) -> (n, b, j)>
#v = affine_map<(n, b, j) -> (n, b)>

// CHECK-LABEL: func @checked_numbers(
// CHECK:         cf.assert
// CHECK:         mxfp4.dequantize
func.func @checked_numbers(%c: tensor<4x2x16xi8>, %s: tensor<4x2xi8>) -> tensor<4x64xf32> {
  %fifteen = arith.constant 15 : i8
  %four = arith.constant 4 : i8
  %c16 = arith.constant 16 : index
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %ne = tensor.empty() : tensor<4x2x16xi8>
  %low = linalg.generic {indexing_maps = [#b, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c : tensor<4x2x16xi8>) outs(%ne : tensor<4x2x16xi8>) {
    ^bb0(%byte: i8, %o: i8):
      %n = arith.andi %byte, %fifteen : i8
      linalg.yield %n : i8
  } -> tensor<4x2x16xi8>
  %high = linalg.generic {indexing_maps = [#b, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c : tensor<4x2x16xi8>) outs(%ne : tensor<4x2x16xi8>) {
    ^bb0(%byte: i8, %o: i8):
      %n = arith.shrui %byte, %four : i8
      linalg.yield %n : i8
  } -> tensor<4x2x16xi8>
  %low1 = tensor.expand_shape %low [[0], [1], [2, 3]] output_shape [4, 2, 16, 1] : tensor<4x2x16xi8> into tensor<4x2x16x1xi8>
  %high1 = tensor.expand_shape %high [[0], [1], [2, 3]] output_shape [4, 2, 16, 1] : tensor<4x2x16xi8> into tensor<4x2x16x1xi8>
  %both = tensor.concat dim(3) %low1, %high1 : (tensor<4x2x16x1xi8>, tensor<4x2x16x1xi8>) -> tensor<4x2x16x2xi8>
  %codes = tensor.collapse_shape %both [[0], [1], [2, 3]] : tensor<4x2x16x2xi8> into tensor<4x2x32xi8>
  %fe = tensor.empty() : tensor<4x2x32xf32>
  %number = linalg.generic {indexing_maps = [#b, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%codes : tensor<4x2x32xi8>) outs(%fe : tensor<4x2x32xf32>) {
    ^bb0(%n: i8, %o: f32):
      %at = arith.index_castui %n : i8 to index
      %inside = arith.cmpi ult, %at, %c16 : index
      cf.assert %inside, "index must be smaller than dim size"
      %v = tensor.extract %table[%at] : tensor<16xf32>
      linalg.yield %v : f32
  } -> tensor<4x2x32xf32>
  // expected-remark@below {{no matmul takes the decoded weights}}
  %w = linalg.generic {indexing_maps = [#b, #v, #b], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%number, %s : tensor<4x2x32xf32>, tensor<4x2xi8>) outs(%fe : tensor<4x2x32xf32>) {
    ^bb0(%v: f32, %byte: i8, %o: f32):
      %t = arith.bitcast %byte : i8 to f8E8M0FNU
      %scale = arith.extf %t : f8E8M0FNU to f32
      %p = arith.mulf %v, %scale : f32
      linalg.yield %p : f32
  } -> tensor<4x2x32xf32>
  %flat = tensor.collapse_shape %w [[0], [1, 2]] : tensor<4x2x32xf32> into tensor<4x64xf32>
  return %flat : tensor<4x64xf32>
}
