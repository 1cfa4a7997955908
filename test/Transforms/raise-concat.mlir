// Nibbles that are joined to codes, as front ends spell it.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise 2>&1 | FileCheck %s

#n = affine_map<(n, j) -> (n, j)>
#h = affine_map<(n, j, h) -> (n, j, h)>
#b = affine_map<(n, b, k) -> (n, b, k)>
#s = affine_map<(n, b, k) -> (n, b)>

// A concatenation of stablehlo-legalize-to-linalg: the branch that is not taken
// reads outside of its tensor.

// CHECK-LABEL: func.func @branches(
// CHECK-SAME:    %[[C:.*]]: tensor<48x32xi8>, %[[S:.*]]: tensor<48x2xf8E8M0FNU>)
// CHECK:         mxfp4.dequantize
func.func @branches(%c: tensor<48x32xi8>, %s: tensor<48x2xf8E8M0FNU>) -> tensor<48x2x32xbf16> {
  %c1 = arith.constant 1 : index
  %four = arith.constant 4 : i8
  %be = tensor.empty() : tensor<48x32xi8>
  %high = linalg.generic {indexing_maps = [#n, #n], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<48x32xi8>) outs(%be : tensor<48x32xi8>) {
  ^bb0(%in: i8, %o: i8):
    %v = arith.shrui %in, %four : i8
    linalg.yield %v : i8
  } -> tensor<48x32xi8>
  %l1 = tensor.expand_shape %c [[0], [1, 2]] output_shape [48, 32, 1]
      : tensor<48x32xi8> into tensor<48x32x1xi8>
  %h1 = tensor.expand_shape %high [[0], [1, 2]] output_shape [48, 32, 1]
      : tensor<48x32xi8> into tensor<48x32x1xi8>
  %e = tensor.empty() : tensor<48x32x2xi8>
  %both = linalg.generic {indexing_maps = [#h],
                          iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%e : tensor<48x32x2xi8>) {
  ^bb0(%o: i8):
    %i = linalg.index 0 : index
    %j = linalg.index 1 : index
    %k = linalg.index 2 : index
    %first = arith.cmpi ult, %k, %c1 : index
    %v = scf.if %first -> (i8) {
      %x = tensor.extract %l1[%i, %j, %k] : tensor<48x32x1xi8>
      scf.yield %x : i8
    } else {
      %k1 = arith.subi %k, %c1 : index
      %x = tensor.extract %h1[%i, %j, %k1] : tensor<48x32x1xi8>
      scf.yield %x : i8
    }
    linalg.yield %v : i8
  } -> tensor<48x32x2xi8>
  %codes = tensor.collapse_shape %both [[0], [1, 2]] : tensor<48x32x2xi8> into tensor<48x64xi8>
  %blocks = tensor.expand_shape %codes [[0], [1, 2]] output_shape [48, 2, 32]
      : tensor<48x64xi8> into tensor<48x2x32xi8>
  %we = tensor.empty() : tensor<48x2x32xbf16>
  %w = linalg.generic {indexing_maps = [#b, #s, #b],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%blocks, %s : tensor<48x2x32xi8>, tensor<48x2xf8E8M0FNU>)
      outs(%we : tensor<48x2x32xbf16>) {
  ^bb0(%in: i8, %t: f8E8M0FNU, %o: bf16):
    %n = arith.trunci %in : i8 to i4
    %f = arith.bitcast %n : i4 to f4E2M1FN
    %v = arith.scaling_extf %f, %t : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<48x2x32xbf16>
  return %w : tensor<48x2x32xbf16>
}

// -----

#n = affine_map<(j, n) -> (j, n)>
#b = affine_map<(b, k, n) -> (b, k, n)>
#s = affine_map<(b, k, n) -> (b, n)>

// K is the first dimension. torch-mlir joins the nibbles along N, and divides
// the result: in which part an element is is known, and where in it is not.

// CHECK-LABEL: func.func @along_n(
// CHECK:         mxfp4.dequantize

// Three parts are not two nibbles.

// CHECK-LABEL: func.func @three_parts(
// CHECK-NOT:     mxfp4.dequantize
func.func @along_n(%c: tensor<32x48xi8>, %s: tensor<2x48xf8E8M0FNU>) -> tensor<2x32x48xbf16> {
  %four = arith.constant 4 : i8
  %be = tensor.empty() : tensor<32x48xi8>
  %high = linalg.generic {indexing_maps = [#n, #n], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<32x48xi8>) outs(%be : tensor<32x48xi8>) {
  ^bb0(%in: i8, %o: i8):
    %v = arith.shrui %in, %four : i8
    linalg.yield %v : i8
  } -> tensor<32x48xi8>
  %both = tensor.concat dim(1) %c, %high : (tensor<32x48xi8>, tensor<32x48xi8>) -> tensor<32x96xi8>
  %split = tensor.expand_shape %both [[0], [1, 2]] output_shape [32, 2, 48]
      : tensor<32x96xi8> into tensor<32x2x48xi8>
  %codes = tensor.collapse_shape %split [[0, 1], [2]] : tensor<32x2x48xi8> into tensor<64x48xi8>
  %blocks = tensor.expand_shape %codes [[0, 1], [2]] output_shape [2, 32, 48]
      : tensor<64x48xi8> into tensor<2x32x48xi8>
  %we = tensor.empty() : tensor<2x32x48xbf16>
  %w = linalg.generic {indexing_maps = [#b, #s, #b],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%blocks, %s : tensor<2x32x48xi8>, tensor<2x48xf8E8M0FNU>)
      outs(%we : tensor<2x32x48xbf16>) {
  ^bb0(%in: i8, %t: f8E8M0FNU, %o: bf16):
    %n = arith.trunci %in : i8 to i4
    %f = arith.bitcast %n : i4 to f4E2M1FN
    %v = arith.scaling_extf %f, %t : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<2x32x48xbf16>
  return %w : tensor<2x32x48xbf16>
}

func.func @three_parts(%c: tensor<32x48xi8>, %s: tensor<3x48xf8E8M0FNU>) -> tensor<3x32x48xbf16> {
  %four = arith.constant 4 : i8
  %be = tensor.empty() : tensor<32x48xi8>
  %high = linalg.generic {indexing_maps = [#n, #n], iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<32x48xi8>) outs(%be : tensor<32x48xi8>) {
  ^bb0(%in: i8, %o: i8):
    %v = arith.shrui %in, %four : i8
    linalg.yield %v : i8
  } -> tensor<32x48xi8>
  %all = tensor.concat dim(1) %c, %high, %c
      : (tensor<32x48xi8>, tensor<32x48xi8>, tensor<32x48xi8>) -> tensor<32x144xi8>
  %split = tensor.expand_shape %all [[0], [1, 2]] output_shape [32, 3, 48]
      : tensor<32x144xi8> into tensor<32x3x48xi8>
  %codes = tensor.collapse_shape %split [[0, 1], [2]] : tensor<32x3x48xi8> into tensor<96x48xi8>
  %blocks = tensor.expand_shape %codes [[0, 1], [2]] output_shape [3, 32, 48]
      : tensor<96x48xi8> into tensor<3x32x48xi8>
  %we = tensor.empty() : tensor<3x32x48xbf16>
  %w = linalg.generic {indexing_maps = [#b, #s, #b],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%blocks, %s : tensor<3x32x48xi8>, tensor<3x48xf8E8M0FNU>)
      outs(%we : tensor<3x32x48xbf16>) {
  ^bb0(%in: i8, %t: f8E8M0FNU, %o: bf16):
    %n = arith.trunci %in : i8 to i4
    %f = arith.bitcast %n : i4 to f4E2M1FN
    %v = arith.scaling_extf %f, %t : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<3x32x48xbf16>
  return %w : tensor<3x32x48xbf16>
}
