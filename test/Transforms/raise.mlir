// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize | FileCheck %s

//===----------------------------------------------------------------------===//
// arith.scaling_extf on tensors, batch_matmul, rounding behind it
//===----------------------------------------------------------------------===//

// Single codes are packed; scales are found behind their broadcast.

// CHECK-LABEL: func @scaling_extf
// CHECK-SAME:    %[[X:.*]]: tensor<4x8x64xbf16>, %[[C:.*]]: tensor<4x48x64xf4E2M1FN>, %[[S:.*]]: tensor<4x48x2xf8E8M0FNU>
// CHECK-DAG:     %[[O:.*]] = arith.constant dense<[0, 8, 16, 24, 32]> : tensor<5xi32>
// CHECK-DAG:     %[[CE:.*]] = tensor.expand_shape %[[C]] {{\[\[}}0], [1], [2, 3, 4]] output_shape [4, 48, 2, 16, 2]
// CHECK-DAG:     %[[C4:.*]] = arith.bitcast %[[CE]] : tensor<4x48x2x16x2xf4E2M1FN> to tensor<4x48x2x16x2xi4>
// CHECK-DAG:     %[[CB:.*]] = linalg.generic {{.*}} ins(%[[C4]], %[[C4]] :
// CHECK-NEXT:    ^bb0(%[[FIRST:.*]]: i4, %[[SECOND:.*]]: i4, %{{.*}}: i8):
// CHECK-NEXT:      %[[LOW:.*]] = arith.extui %[[FIRST]] : i4 to i8
// CHECK-NEXT:      %[[WIDE:.*]] = arith.extui %[[SECOND]] : i4 to i8
// CHECK-NEXT:      %[[HIGH:.*]] = arith.shli %[[WIDE]], %{{.*}} : i8
// CHECK-NEXT:      arith.ori %[[LOW]], %[[HIGH]] : i8
// CHECK-DAG:     %[[SB:.*]] = arith.bitcast %[[S]] : tensor<4x48x2xf8E8M0FNU> to tensor<4x48x2xi8>
// CHECK-DAG:     %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]] : tensor<4x8x64xbf16> into tensor<32x64xbf16>
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[ROWS]] : tensor<32x64xbf16>)
// CHECK-SAME:      weights(%[[CB]], %[[SB]] : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
// CHECK-SAME:      offsets(%[[O]] : tensor<5xi32>)
// CHECK-SAME:      outs(%{{.*}} : tensor<32x48xbf16>) -> tensor<32x48xbf16>
// CHECK:         %[[R:.*]] = tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]] output_shape [4, 8, 48]
// CHECK:         return %[[R]] : tensor<4x8x48xbf16>
func.func @scaling_extf(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x64xf4E2M1FN>,
                        %s: tensor<4x48x2xf8E8M0FNU>) -> tensor<4x8x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x48x2x32xf8E8M0FNU>
  %b = linalg.broadcast ins(%s : tensor<4x48x2xf8E8M0FNU>)
      outs(%e : tensor<4x48x2x32xf8E8M0FNU>) dimensions = [3]
  %bc = tensor.collapse_shape %b [[0], [1], [2, 3]]
      : tensor<4x48x2x32xf8E8M0FNU> into tensor<4x48x64xf8E8M0FNU>
  %w = arith.scaling_extf %c, %bc
      : tensor<4x48x64xf4E2M1FN>, tensor<4x48x64xf8E8M0FNU> to tensor<4x48x64xbf16>
  %ye = tensor.empty() : tensor<4x8x48xf32>
  %init = linalg.fill ins(%zero : f32) outs(%ye : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                       affine_map<(b, m, n, k) -> (b, n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
      outs(%init : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  %r = arith.truncf %y : tensor<4x8x48xf32> to tensor<4x8x48xbf16>
  return %r : tensor<4x8x48xbf16>
}

// -----

//===----------------------------------------------------------------------===//
// Nibbles of i8 blocks, decoded with a table; transposed and widened weights;
// dynamic rows; f32 result
//===----------------------------------------------------------------------===//

#codes = affine_map<(e, n, b, j, h) -> (e, n, b, j)>
#scales = affine_map<(e, n, b, j, h) -> (e, n, b)>
#values = affine_map<(e, n, b, j, h) -> (e, n, b, j, h)>

// CHECK-LABEL: func @table
// CHECK-SAME:    %[[X:.*]]: tensor<2x?x64xbf16>, %[[C:.*]]: tensor<2x48x2x16xi8>, %[[S:.*]]: tensor<2x48x2xi8>
// CHECK-DAG:     %[[M:.*]] = tensor.dim %[[X]], %c1
// CHECK:         %[[O:.*]] = tensor.generate
// CHECK:           arith.muli %{{.*}}, %[[M]]
// CHECK-NOT:     linalg.generic
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]] : tensor<2x?x64xbf16> into tensor<?x64xbf16>
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[ROWS]] : tensor<?x64xbf16>)
// CHECK-SAME:      weights(%[[C]], %[[S]] : tensor<2x48x2x16xi8>, tensor<2x48x2xi8>)
// CHECK-SAME:      offsets(%[[O]] : tensor<3xi32>)
// CHECK-SAME:      -> tensor<?x48xf32>
// CHECK:         tensor.expand_shape %[[Y]] {{\[\[}}0, 1], [2]]
func.func @table(%x: tensor<2x?x64xbf16>, %c: tensor<2x48x2x16xi8>,
                 %s: tensor<2x48x2xi8>) -> tensor<2x?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<2x48x2x16x2xf32>
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<2x48x2x16xi8>, tensor<2x48x2xi8>)
      outs(%e : tensor<2x48x2x16x2xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c0 = arith.constant 0 : i32
      %c2 = arith.constant 2 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %c255 = arith.constant 255 : i32
      %subnormal = arith.constant 0x00400000 : i32
      %nan = arith.constant 0x7FC00000 : i32
      %h = linalg.index 4 : index
      %parity = arith.remui %h, %c2 : index
      %h8 = arith.index_cast %parity : index to i8
      %shift = arith.muli %h8, %c4 : i8
      %shifted = arith.shrui %byte, %shift : i8
      %code = arith.andi %shifted, %c15 : i8
      %at = arith.index_castui %code : i8 to index
      %value = tensor.extract %table[%at] : tensor<16xf32>
      %wide = arith.extui %scale : i8 to i32
      %exponent = arith.shli %wide, %c23 : i32
      %is_zero = arith.cmpi eq, %wide, %c0 : i32
      %bits0 = arith.select %is_zero, %subnormal, %exponent : i32
      %is_nan = arith.cmpi eq, %wide, %c255 : i32
      %bits = arith.select %is_nan, %nan, %bits0 : i32
      %power = arith.bitcast %bits : i32 to f32
      %product = arith.mulf %value, %power : f32
      linalg.yield %product : f32
  } -> tensor<2x48x2x16x2xf32>
  %wc = tensor.collapse_shape %w [[0], [1], [2, 3, 4]]
      : tensor<2x48x2x16x2xf32> into tensor<2x48x64xf32>
  %te = tensor.empty() : tensor<2x64x48xf32>
  %wt = linalg.transpose ins(%wc : tensor<2x48x64xf32>)
      outs(%te : tensor<2x64x48xf32>) permutation = [0, 2, 1]
  %xf = arith.extf %x : tensor<2x?x64xbf16> to tensor<2x?x64xf32>
  %c1 = arith.constant 1 : index
  %m = tensor.dim %x, %c1 : tensor<2x?x64xbf16>
  %ye = tensor.empty(%m) : tensor<2x?x48xf32>
  %init = linalg.fill ins(%zero : f32) outs(%ye : tensor<2x?x48xf32>) -> tensor<2x?x48xf32>
  %y = linalg.batch_matmul ins(%xf, %wt : tensor<2x?x64xf32>, tensor<2x64x48xf32>)
      outs(%init : tensor<2x?x48xf32>) -> tensor<2x?x48xf32>
  return %y : tensor<2x?x48xf32>
}

// -----

//===----------------------------------------------------------------------===//
// scaling_extf in a body, K in one loop; one expert; generic contraction with
// the weights first; generic rounding
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @one_expert
// CHECK-SAME:    %[[X:.*]]: tensor<8x64xbf16>, %[[C:.*]]: tensor<48x2x16xi8>, %[[S:.*]]: tensor<48x2xf8E8M0FNU>
// CHECK-DAG:     %[[O:.*]] = arith.constant dense<[0, 8]> : tensor<2xi32>
// CHECK-DAG:     %[[SB:.*]] = arith.bitcast %[[S]] : tensor<48x2xf8E8M0FNU> to tensor<48x2xi8>
// CHECK-DAG:     %[[C1:.*]] = tensor.expand_shape %[[C]] {{.*}} into tensor<1x48x2x16xi8>
// CHECK-DAG:     %[[S1:.*]] = tensor.expand_shape %[[SB]] {{.*}} into tensor<1x48x2xi8>
// CHECK-NOT:     linalg
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[X]] : tensor<8x64xbf16>)
// CHECK-SAME:      weights(%[[C1]], %[[S1]] : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
// CHECK-SAME:      offsets(%[[O]] : tensor<2xi32>)
// CHECK-SAME:      -> tensor<8x48xbf16>
// CHECK-NEXT:    return %[[Y]]
func.func @one_expert(%x: tensor<8x64xbf16>, %c: tensor<48x2x16xi8>,
                      %s: tensor<48x2xf8E8M0FNU>) -> tensor<8x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %ce = tensor.empty() : tensor<48x64xf4E2M1FN>
  %codes = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k floordiv 32, (k mod 32) floordiv 2)>,
                       affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%c : tensor<48x2x16xi8>) outs(%ce : tensor<48x64xf4E2M1FN>) {
    ^bb0(%byte: i8, %out: f4E2M1FN):
      %one = arith.constant 1 : index
      %four = arith.constant 4 : i8
      %k = linalg.index 1 : index
      %parity = arith.andi %k, %one : index
      %odd = arith.cmpi eq, %parity, %one : index
      %high = arith.shrui %byte, %four : i8
      %nibble = arith.select %odd, %high, %byte : i8
      %code = arith.trunci %nibble : i8 to i4
      %value = arith.bitcast %code : i4 to f4E2M1FN
      linalg.yield %value : f4E2M1FN
  } -> tensor<48x64xf4E2M1FN>
  %we = tensor.empty() : tensor<48x64xbf16>
  %w = linalg.generic {
      indexing_maps = [affine_map<(n, k) -> (n, k)>,
                       affine_map<(n, k) -> (n, k floordiv 32)>,
                       affine_map<(n, k) -> (n, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%codes, %s : tensor<48x64xf4E2M1FN>, tensor<48x2xf8E8M0FNU>)
      outs(%we : tensor<48x64xbf16>) {
    ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %out: bf16):
      %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
      linalg.yield %v : bf16
  } -> tensor<48x64xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(k, n, m) -> (n, k)>,
                       affine_map<(k, n, m) -> (m, k)>,
                       affine_map<(k, n, m) -> (m, n)>],
      iterator_types = ["reduction", "parallel", "parallel"]}
      ins(%w, %x : tensor<48x64xbf16>, tensor<8x64xbf16>)
      outs(%init : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %acc: f32):
      %af = arith.extf %a : bf16 to f32
      %bf = arith.extf %b : bf16 to f32
      %p = arith.mulf %bf, %af : f32
      %sum = arith.addf %p, %acc : f32
      linalg.yield %sum : f32
  } -> tensor<8x48xf32>
  %re = tensor.empty() : tensor<8x48xbf16>
  %r = linalg.generic {
      indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x48xf32>) outs(%re : tensor<8x48xbf16>) {
    ^bb0(%wide: f32, %out: bf16):
      %narrow = arith.truncf %wide : f32 to bf16
      linalg.yield %narrow : bf16
  } -> tensor<8x48xbf16>
  return %r : tensor<8x48xbf16>
}

// -----

// A wide result with another user stays f32; the rounding stays.

// CHECK-LABEL: func @f32_used
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} -> tensor<8x48xf32>
// CHECK:         %[[R:.*]] = arith.truncf %[[Y]]
// CHECK:         return %[[Y]], %[[R]]
func.func @f32_used(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
                    %s: tensor<48x1xi8>) -> (tensor<8x48xf32>, tensor<8x48xbf16>) {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>)
                        scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  %r = arith.truncf %y : tensor<8x48xf32> to tensor<8x48xbf16>
  return %y, %r : tensor<8x48xf32>, tensor<8x48xbf16>
}

// -----

// A loop of two over the nibbles of a byte: its index is the parity.

// CHECK-LABEL: func @two_nibbles
// CHECK-SAME:    %[[C:.*]]: tensor<48x2x16xi8>, %[[S:.*]]: tensor<48x2xf8E8M0FNU>
// CHECK-NOT:     linalg
// CHECK:         mxfp4.dequantize codes(%[[C]] : tensor<48x2x16xi8>)
func.func @two_nibbles(%c: tensor<48x2x16xi8>, %s: tensor<48x2xf8E8M0FNU>)
    -> tensor<48x2x16x2xbf16> {
  %ce = tensor.empty() : tensor<48x2x16x2xf4E2M1FN>
  %codes = linalg.generic {
      indexing_maps = [affine_map<(n, b, j, h) -> (n, b, j)>,
                       affine_map<(n, b, j, h) -> (n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c : tensor<48x2x16xi8>) outs(%ce : tensor<48x2x16x2xf4E2M1FN>) {
    ^bb0(%byte: i8, %out: f4E2M1FN):
      %one = arith.constant 1 : index
      %four = arith.constant 4 : i8
      %h = linalg.index 3 : index
      %odd = arith.cmpi eq, %h, %one : index
      %high = arith.shrui %byte, %four : i8
      %nibble = arith.select %odd, %high, %byte : i8
      %code = arith.trunci %nibble : i8 to i4
      %value = arith.bitcast %code : i4 to f4E2M1FN
      linalg.yield %value : f4E2M1FN
  } -> tensor<48x2x16x2xf4E2M1FN>
  %se = tensor.empty() : tensor<48x2x16x2xf8E8M0FNU>
  %scales = linalg.broadcast ins(%s : tensor<48x2xf8E8M0FNU>)
      outs(%se : tensor<48x2x16x2xf8E8M0FNU>) dimensions = [2, 3]
  %w = arith.scaling_extf %codes, %scales
      : tensor<48x2x16x2xf4E2M1FN>, tensor<48x2x16x2xf8E8M0FNU>
      to tensor<48x2x16x2xbf16>
  return %w : tensor<48x2x16x2xbf16>
}

// -----

//===----------------------------------------------------------------------===//
// The output is N x M: transposed behind the grouped matmul
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @transposed_result
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} -> tensor<8x48xf32>
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[Y]] : tensor<8x48xf32>)
// CHECK-SAME:      permutation = [1, 0]
// CHECK:         return %[[T]]
func.func @transposed_result(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<48x8xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<48x8xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (n, m)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<48x8xf32>) {
    ^bb0(%a: bf16, %b: bf16, %acc: f32):
      %af = arith.extf %a : bf16 to f32
      %bf = arith.extf %b : bf16 to f32
      %p = arith.mulf %af, %bf : f32
      %r = arith.addf %acc, %p : f32
      linalg.yield %r : f32
  } -> tensor<48x8xf32>
  return %y : tensor<48x8xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Decode in the body, K in blocks of 32; codes of all experts, packed where they
// are known
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @one_body
// CHECK-SAME:    %[[X:.*]]: tensor<?x2x32xbf16>, %[[C:.*]]: tensor<48x2x32xf4E2M1FN>, %[[S:.*]]: tensor<48x2xf8E8M0FNU>, %[[E:.*]]: tensor<?x48xf32>
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0], [1, 2]] : tensor<?x2x32xbf16> into tensor<?x64xbf16>
// CHECK:         mxfp4.grouped_matmul activations(%[[ROWS]] : tensor<?x64xbf16>)
// CHECK-SAME:      weights(%{{.*}} : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
// CHECK-SAME:      outs(%[[E]] : tensor<?x48xf32>)
func.func @one_body(%x: tensor<?x2x32xbf16>, %w: tensor<48x2x32xf4E2M1FN>,
                    %s: tensor<48x2xf8E8M0FNU>, %e: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(m, n, b, k) -> (m, b, k)>,
                       affine_map<(m, n, b, k) -> (n, b, k)>,
                       affine_map<(m, n, b, k) -> (n, b)>,
                       affine_map<(m, n, b, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w, %s : tensor<?x2x32xbf16>, tensor<48x2x32xf4E2M1FN>, tensor<48x2xf8E8M0FNU>)
      outs(%z : tensor<?x48xf32>) {
  ^bb0(%a: bf16, %c: f4E2M1FN, %t: f8E8M0FNU, %acc: f32):
    %v = arith.scaling_extf %c, %t : f4E2M1FN, f8E8M0FNU to f32
    %u = arith.extf %a : bf16 to f32
    %p = arith.mulf %u, %v : f32
    %q = arith.addf %acc, %p : f32
    linalg.yield %q : f32
  } -> tensor<?x48xf32>
  return %r : tensor<?x48xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Blocks in one flat dimension of experts, rows and K
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @flat_blocks
// CHECK-SAME:    %[[C:[^:]*]]: tensor<384x16xi8>, %[[S:[^:]*]]: tensor<384xi8>
// CHECK:         tensor.expand_shape %[[C]] {{.*}} into tensor<4x48x2x16xi8>
// CHECK:         tensor.expand_shape %[[S]] {{.*}} into tensor<4x48x2xi8>
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%{{.*}} : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
func.func @flat_blocks(%x: tensor<4x8x64xbf16>, %c: tensor<384x16xi8>,
                       %s: tensor<384xi8>) -> tensor<4x8x48xf32> {
  %we = tensor.empty() : tensor<12288xbf16>
  %w0 = mxfp4.dequantize codes(%c : tensor<384x16xi8>) scales(%s : tensor<384xi8>)
      outs(%we : tensor<12288xbf16>) -> tensor<12288xbf16>
  %w = tensor.expand_shape %w0 [[0, 1, 2]] output_shape [4, 48, 64]
      : tensor<12288xbf16> into tensor<4x48x64xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x48xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                       affine_map<(b, m, n, k) -> (b, n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
      outs(%init : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}

// -----

//===----------------------------------------------------------------------===//
// One row per expert; one row without a dimension; several dimensions of rows
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @dimensions
// CHECK:         mxfp4.grouped_matmul activations(%{{.*}} : tensor<4x32xbf16>) {{.*}} -> tensor<4x48xf32>
// CHECK:         mxfp4.grouped_matmul activations(%{{.*}} : tensor<1x32xbf16>) {{.*}} -> tensor<1x48xf32>
// CHECK:         mxfp4.grouped_matmul activations(%{{.*}} : tensor<?x32xbf16>) {{.*}} -> tensor<?x48xf32>
func.func @dimensions(%x: tensor<4x32xbf16>, %v: tensor<32xbf16>, %h: tensor<2x?x32xbf16>,
                      %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>,
                      %d: tensor<48x1x16xi8>, %t: tensor<48x1xi8>, %r: tensor<2x?x48xf32>)
    -> (tensor<4x48xf32>, tensor<48xf32>, tensor<2x?x48xf32>) {
  %e0 = tensor.empty() : tensor<4x48x32xbf16>
  %w0 = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e0 : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %e1 = tensor.empty() : tensor<48x32xbf16>
  %w1 = mxfp4.dequantize codes(%d : tensor<48x1x16xi8>) scales(%t : tensor<48x1xi8>)
      outs(%e1 : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %i0 = arith.constant dense<0.0> : tensor<4x48xf32>
  %y0 = linalg.contract
      indexing_maps = [affine_map<(e, n, k) -> (e, k)>, affine_map<(e, n, k) -> (e, n, k)>,
                       affine_map<(e, n, k) -> (e, n)>]
      ins(%x, %w0 : tensor<4x32xbf16>, tensor<4x48x32xbf16>)
      outs(%i0 : tensor<4x48xf32>) -> tensor<4x48xf32>
  %i1 = arith.constant dense<0.0> : tensor<48xf32>
  %y1 = linalg.matvec ins(%w1, %v : tensor<48x32xbf16>, tensor<32xbf16>)
      outs(%i1 : tensor<48xf32>) -> tensor<48xf32>
  %zero = arith.constant 0.0 : f32
  %i2 = linalg.fill ins(%zero : f32) outs(%r : tensor<2x?x48xf32>) -> tensor<2x?x48xf32>
  %y2 = linalg.contract
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%h, %w1 : tensor<2x?x32xbf16>, tensor<48x32xbf16>)
      outs(%i2 : tensor<2x?x48xf32>) -> tensor<2x?x48xf32>
  return %y0, %y1, %y2 : tensor<4x48xf32>, tensor<48xf32>, tensor<2x?x48xf32>
}

// -----

// Bytes whose place in a row is computed.

#computed = affine_map<(n, b, j, h) -> (n, b * 16 + j)>
#block = affine_map<(n, b, j, h) -> (n, b)>
#all = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @computed_place
// CHECK-NOT:     linalg.generic
// CHECK:         mxfp4.dequantize
func.func @computed_place(%c: tensor<48x32xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  %w = linalg.generic {
      indexing_maps = [#computed, #block, #all],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x32xi8>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x16x2xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c0 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %c255 = arith.constant 255 : i32
      %lowest = arith.constant 0x00400000 : i32
      %nan = arith.constant 0x7FC00000 : i32
      %h = linalg.index 3 : index
      %parity = arith.andi %h, %c1 : index
      %is_odd = arith.cmpi eq, %parity, %c1 : index
      %high = arith.shrui %byte, %c4 : i8
      %nibble = arith.select %is_odd, %high, %byte : i8
      %code = arith.andi %nibble, %c15 : i8
      %at = arith.index_castui %code : i8 to index
      %value = tensor.extract %table[%at] : tensor<16xf32>
      %wide = arith.extui %scale : i8 to i32
      %exponent = arith.shli %wide, %c23 : i32
      %is_zero = arith.cmpi eq, %wide, %c0 : i32
      %bits0 = arith.select %is_zero, %lowest, %exponent : i32
      %is_nan = arith.cmpi eq, %wide, %c255 : i32
      %bits = arith.select %is_nan, %nan, %bits0 : i32
      %power = arith.bitcast %bits : i32 to f32
      %product = arith.mulf %value, %power : f32
      linalg.yield %product : f32
  } -> tensor<48x2x16x2xf32>
  return %w : tensor<48x2x16x2xf32>
}

// -----

//===----------------------------------------------------------------------===//
// A decode that is written an operation at a time, with a reshape in it
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @in_steps
// CHECK-SAME:    %[[X:.*]]: tensor<8x64xbf16>, %[[C:.*]]: tensor<48x2x16xi8>, %[[S:.*]]: tensor<48x2xi8>
// CHECK-NOT:     linalg.generic
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<8x64xbf16>)
// CHECK-NOT:     linalg.generic
func.func @in_steps(%x: tensor<8x64xbf16>, %c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>)
    -> tensor<8x48xf32> {
  %c4 = arith.constant 4 : i8
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<48x2x16x2xf4E2M1FN>
  %codes = linalg.generic {
      indexing_maps = [affine_map<(n, b, j, h) -> (n, b, j)>,
                       affine_map<(n, b, j, h) -> (n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c : tensor<48x2x16xi8>) outs(%e0 : tensor<48x2x16x2xf4E2M1FN>) {
    ^bb0(%byte: i8, %o: f4E2M1FN):
      %h = linalg.index 3 : index
      %h8 = arith.index_cast %h : index to i8
      %shift = arith.muli %h8, %c4 : i8
      %shifted = arith.shrui %byte, %shift : i8
      %nibble = arith.trunci %shifted : i8 to i4
      %code = arith.bitcast %nibble : i4 to f4E2M1FN
      linalg.yield %code : f4E2M1FN
  } -> tensor<48x2x16x2xf4E2M1FN>
  %e1 = tensor.empty() : tensor<48x2x16x2xbf16>
  %values = linalg.generic {
      indexing_maps = [affine_map<(n, b, j, h) -> (n, b, j, h)>,
                       affine_map<(n, b, j, h) -> (n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%codes : tensor<48x2x16x2xf4E2M1FN>) outs(%e1 : tensor<48x2x16x2xbf16>) {
    ^bb0(%code: f4E2M1FN, %o: bf16):
      %v = arith.extf %code : f4E2M1FN to bf16
      linalg.yield %v : bf16
  } -> tensor<48x2x16x2xbf16>
  %blocks = tensor.collapse_shape %values [[0], [1], [2, 3]]
      : tensor<48x2x16x2xbf16> into tensor<48x2x32xbf16>
  %e2 = tensor.empty() : tensor<48x2xbf16>
  %powers = linalg.generic {
      indexing_maps = [affine_map<(n, b) -> (n, b)>, affine_map<(n, b) -> (n, b)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%s : tensor<48x2xi8>) outs(%e2 : tensor<48x2xbf16>) {
    ^bb0(%byte: i8, %o: bf16):
      %t = arith.bitcast %byte : i8 to f8E8M0FNU
      %v = arith.extf %t : f8E8M0FNU to bf16
      linalg.yield %v : bf16
  } -> tensor<48x2xbf16>
  %e3 = tensor.empty() : tensor<48x2x32xbf16>
  %scales = linalg.broadcast ins(%powers : tensor<48x2xbf16>)
      outs(%e3 : tensor<48x2x32xbf16>) dimensions = [2]
  %scaled = linalg.mul ins(%blocks, %scales : tensor<48x2x32xbf16>, tensor<48x2x32xbf16>)
      outs(%e3 : tensor<48x2x32xbf16>) -> tensor<48x2x32xbf16>
  %w = tensor.collapse_shape %scaled [[0], [1, 2]]
      : tensor<48x2x32xbf16> into tensor<48x64xbf16>
  %e4 = tensor.empty() : tensor<8x48xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e4 : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x64xbf16>, tensor<48x64xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

//===----------------------------------------------------------------------===//
// Dimensions: N in two that are merged, activations of another order, any N
//===----------------------------------------------------------------------===//

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
#xt = affine_map<(m, n, k) -> (k, m)>

// CHECK-LABEL: func @split_n
// CHECK-SAME:    %[[X:.*]]: tensor<8x64xbf16>, %[[C:.*]]: tensor<4x12x2x16xi8>, %[[S:.*]]: tensor<4x12x2xi8>
// CHECK-DAG:     %[[CE:.*]] = tensor.collapse_shape %[[C]] {{\[\[}}0, 1], [2], [3]] : tensor<4x12x2x16xi8> into tensor<48x2x16xi8>
// CHECK-DAG:     %[[SE:.*]] = tensor.collapse_shape %[[S]] {{\[\[}}0, 1], [2]] : tensor<4x12x2xi8> into tensor<48x2xi8>
// CHECK-DAG:     %[[CW:.*]] = tensor.expand_shape %[[CE]] {{\[\[}}0, 1], [2], [3]] output_shape [1, 48, 2, 16]
// CHECK-DAG:     %[[SW:.*]] = tensor.expand_shape %[[SE]] {{\[\[}}0, 1], [2]] output_shape [1, 48, 2]
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<8x64xbf16>)
// CHECK-SAME:      weights(%[[CW]], %[[SW]] : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
func.func @split_n(%x: tensor<8x64xbf16>, %c: tensor<4x12x2x16xi8>, %s: tensor<4x12x2xi8>) -> tensor<8x48xf32> {
  %zero = arith.constant 0.0 : f32
  %we = tensor.empty() : tensor<4x12x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x12x2x16xi8>) scales(%s : tensor<4x12x2xi8>)
      outs(%we : tensor<4x12x64xbf16>) -> tensor<4x12x64xbf16>
  %flat = tensor.collapse_shape %w [[0, 1], [2]] : tensor<4x12x64xbf16> into tensor<48x64xbf16>
  %e = tensor.empty() : tensor<8x48xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%x, %flat : tensor<8x64xbf16>, tensor<48x64xbf16>) outs(%z : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// CHECK-LABEL: func @transposed
// CHECK-SAME:    %[[X:.*]]: tensor<64x8xbf16>
// CHECK:         %[[XT:.*]] = linalg.transpose ins(%[[X]] : tensor<64x8xbf16>) outs(%{{.*}} : tensor<8x64xbf16>) permutation = [1, 0]
// CHECK:         mxfp4.grouped_matmul activations(%[[XT]] : tensor<8x64xbf16>)
func.func @transposed(%x: tensor<64x8xbf16>, %c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<8x48xf32> {
  %zero = arith.constant 0.0 : f32
  %we = tensor.empty() : tensor<48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x2x16xi8>) scales(%s : tensor<48x2xi8>)
      outs(%we : tensor<48x64xbf16>) -> tensor<48x64xbf16>
  %e = tensor.empty() : tensor<8x48xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y = linalg.matmul indexing_maps = [#xt, #w, #y]
      ins(%x, %w : tensor<64x8xbf16>, tensor<48x64xbf16>) outs(%z : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#x = affine_map<(e, m, n, k) -> (e, m, k)>
#w = affine_map<(e, m, n, k) -> (e, n, k)>
#y = affine_map<(e, m, n, k) -> (e, m, n)>

// CHECK-LABEL: func @dynamic_n
// CHECK-SAME:    %[[X:.*]]: tensor<4x8x64xbf16>, %[[C:.*]]: tensor<4x?x2x16xi8>, %[[S:.*]]: tensor<4x?x2xi8>
// CHECK-DAG:     %[[ROWS:.*]] = tensor.collapse_shape %[[X]] {{\[\[}}0, 1], [2]] : tensor<4x8x64xbf16> into tensor<32x64xbf16>
// CHECK:         mxfp4.grouped_matmul activations(%[[ROWS]] : tensor<32x64xbf16>)
// CHECK-SAME:      weights(%[[C]], %[[S]] : tensor<4x?x2x16xi8>, tensor<4x?x2xi8>)
func.func @dynamic_n(%x: tensor<4x8x64xbf16>, %c: tensor<4x?x2x16xi8>, %s: tensor<4x?x2xi8>) -> tensor<4x8x?xf32> {
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %n = tensor.dim %c, %c1 : tensor<4x?x2x16xi8>
  %we = tensor.empty(%n) : tensor<4x?x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x?x2x16xi8>) scales(%s : tensor<4x?x2xi8>)
      outs(%we : tensor<4x?x64xbf16>) -> tensor<4x?x64xbf16>
  %e = tensor.empty(%n) : tensor<4x8x?xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8x?xf32>) -> tensor<4x8x?xf32>
  %y = linalg.batch_matmul indexing_maps = [#x, #w, #y]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x?x64xbf16>) outs(%z : tensor<4x8x?xf32>) -> tensor<4x8x?xf32>
  return %y : tensor<4x8x?xf32>
}

// -----

// A loop whose pieces were taken apart and put together again is whole.

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: func @rows_apart_and_together
// CHECK-SAME:    %[[X:.*]]: tensor<8x64xbf16>, %[[C:.*]]: tensor<48x2x16xi8>, %[[S:.*]]: tensor<48x2xi8>
// CHECK-DAG:     %[[CW:.*]] = tensor.expand_shape %[[C]] {{\[\[}}0, 1], [2], [3]] output_shape [1, 48, 2, 16]
// CHECK-DAG:     %[[SW:.*]] = tensor.expand_shape %[[S]] {{\[\[}}0, 1], [2]] output_shape [1, 48, 2]
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<8x64xbf16>)
// CHECK-SAME:      weights(%[[CW]], %[[SW]] : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
func.func @rows_apart_and_together(%x: tensor<8x64xbf16>, %c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<8x48xf32> {
  %zero = arith.constant 0.0 : f32
  %we = tensor.empty() : tensor<48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x2x16xi8>) scales(%s : tensor<48x2xi8>)
      outs(%we : tensor<48x64xbf16>) -> tensor<48x64xbf16>
  %moved = tensor.expand_shape %w [[0, 1], [2]] output_shape [4, 12, 64]
      : tensor<48x64xbf16> into tensor<4x12x64xbf16>
  %te = tensor.empty() : tensor<4x12x64xf32>
  %wide = linalg.generic {
      indexing_maps = [affine_map<(a, b, k) -> (a, b, k)>, affine_map<(a, b, k) -> (a, b, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%moved : tensor<4x12x64xbf16>) outs(%te : tensor<4x12x64xf32>) {
  ^bb0(%a: bf16, %o: f32):
    %v = arith.extf %a : bf16 to f32
    linalg.yield %v : f32
  } -> tensor<4x12x64xf32>
  %flat = tensor.collapse_shape %wide [[0, 1], [2]] : tensor<4x12x64xf32> into tensor<48x64xf32>
  %xw = arith.extf %x : tensor<8x64xbf16> to tensor<8x64xf32>
  %e = tensor.empty() : tensor<8x48xf32>
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y = linalg.matmul indexing_maps = [#x, #w, #y]
      ins(%xw, %flat : tensor<8x64xf32>, tensor<48x64xf32>) outs(%z : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}
