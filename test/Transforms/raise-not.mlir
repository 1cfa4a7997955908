// What looks like a decode or a matmul on decoded weights, but means something
// else, is left alone.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise \
// RUN:   --verify-diagnostics | FileCheck %s

// The decode that the others are variations of does match.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @raised
// CHECK-NOT:     linalg.generic
// CHECK:         mxfp4.dequantize
func.func @raised(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'mxfp4.dequantize' is not raised to mxfp4.grouped_matmul: no matmul takes the decoded weights, which are decoded in memory; mxfp4-to-ptx makes a kernel of the decode alone, and mxfp4-lower-to-linalg}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
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

// One row is zero, whatever its codes.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @a_row_is_zero
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.
func.func @a_row_is_zero(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: 'arith.cmpi' computes with a position, of which a decode may only take digits, to choose a nibble or an element}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x16x2xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %zero = arith.constant 0.0 : f32
      %h = linalg.index 3 : index
      %by8 = arith.index_cast %h : index to i8
      %by = arith.muli %by8, %c4 : i8
      %nibble = arith.shrui %byte, %by : i8
      %code = arith.andi %nibble, %c15 : i8
      %at = arith.index_castui %code : i8 to index
      %value = tensor.extract %table[%at] : tensor<16xf32>
      %wide = arith.extui %scale : i8 to i32
      %bits = arith.shli %wide, %c23 : i32
      %power = arith.bitcast %bits : i32 to f32
      %product = arith.mulf %value, %power : f32
      %n = linalg.index 0 : index
      %row = arith.constant 5 : index
      %is_row = arith.cmpi eq, %n, %row : index
      %kept = arith.select %is_row, %zero, %product : f32
      linalg.yield %kept : f32
  } -> tensor<48x2x16x2xf32>
  return %w : tensor<48x2x16x2xf32>
}

// -----

// Scale byte 0 is 2^-127, not 0.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @scale_zero_is_zero
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.
func.func @scale_zero_is_zero(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: the decode is not exact: code 1 with scale byte 0 must be 2.939E-39, but is 0 (different at codes 14 of 16; at scale bytes 0)}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x16x2xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c0 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %c255 = arith.constant 255 : i32
      %lowest = arith.constant 0 : i32
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

// Both bytes are wrong, as where a scale is shifted into an exponent and no more. The
// remark is about the first input as codes, though the second has as many dimensions.

#codes = affine_map<(n, k) -> (n, k floordiv 2)>
#scales = affine_map<(n, k) -> (n, k floordiv 32)>
#id = affine_map<(n, k) -> (n, k)>

// CHECK-LABEL: func @ranks_are_the_same
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
func.func @ranks_are_the_same(%c: tensor<48x32xi8>, %s: tensor<48x2xi8>) -> tensor<48x64xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x64xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: the decode is not exact: code 1 with scale byte 0 must be 2.939E-39, but is 0 (different at codes 14 of 16; at scale bytes 0, 255); if it holds for the checkpoint, promise that scale bytes are 1 to 254 (scales=1,254)}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #id],
      iterator_types = ["parallel", "parallel"]}
      ins(%c, %s : tensor<48x32xi8>, tensor<48x2xi8>)
      outs(%e : tensor<48x64xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %h = linalg.index 1 : index
      %parity = arith.andi %h, %c1 : index
      %is_odd = arith.cmpi eq, %parity, %c1 : index
      %high = arith.shrui %byte, %c4 : i8
      %nibble = arith.select %is_odd, %high, %byte : i8
      %code = arith.andi %nibble, %c15 : i8
      %at = arith.index_castui %code : i8 to index
      %value = tensor.extract %table[%at] : tensor<16xf32>
      %wide = arith.extui %scale : i8 to i32
      %bits = arith.shli %wide, %c23 : i32
      %power = arith.bitcast %bits : i32 to f32
      %product = arith.mulf %value, %power : f32
      linalg.yield %product : f32
  } -> tensor<48x64xf32>
  return %w : tensor<48x64xf32>
}

// -----

// Each row begins at another code.

// CHECK-LABEL: func @rotated_by_n
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
func.func @rotated_by_n(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: an input is read at a position that no digits describe}}
  %w = linalg.generic {
      indexing_maps = [affine_map<(n, b, j, h) -> (n, b, (j + n) mod 16)>,
                       affine_map<(n, b, j, h) -> (n, b)>,
                       affine_map<(n, b, j, h) -> (n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
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

// Scale byte 0xFF is NaN, not infinity.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @scale_ff_is_infinite
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.
func.func @scale_ff_is_infinite(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: the decode is not exact: code 1 with scale byte 255 must be NaN, but is +Inf (different at codes 14 of 16; at scale bytes 255)}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
      outs(%e : tensor<48x2x16x2xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c0 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %c255 = arith.constant 255 : i32
      %lowest = arith.constant 0x00400000 : i32
      %nan = arith.constant 0x7F800000 : i32
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

// One nibble of a byte is taken twice.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @high_nibble_twice
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.
func.func @high_nibble_twice(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: the decode is not exact: code 1 with scale byte 0 must be 2.939E-39, but is 0 (different at codes 16 of 16; at scale bytes 255 of 256)}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
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
      %high = arith.shrui %byte, %c4 : i8
      %code = arith.andi %high, %c15 : i8
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

// The nibble is chosen by the innermost loop.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @nibble_of_wrong_loop
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.
func.func @nibble_of_wrong_loop(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48x2x16x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x2x16x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: the decode is not exact: code 0 with scale byte 0 must be 0, but is 2.9}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xi8>)
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
      %h = linalg.index 2 : index
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

// One scale for each 16 values is another format.

#codes = affine_map<(n, b, j, h) -> (n, b, j)>
#scales = affine_map<(n, b, j, h) -> (n, b)>
#values = affine_map<(n, b, j, h) -> (n, b, j, h)>

// CHECK-LABEL: func @blocks_of_16
// CHECK-NOT:     mxfp4.
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.
func.func @blocks_of_16(%c: tensor<48x4x8xi8>, %s: tensor<48x4xi8>) -> tensor<48x4x8x2xf32> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<48x4x8x2xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.dequantize: the 32 values of a block must have one scale and codes of their own}}
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x4x8xi8>, tensor<48x4xi8>)
      outs(%e : tensor<48x4x8x2xf32>) {
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
  } -> tensor<48x4x8x2xf32>
  return %w : tensor<48x4x8x2xf32>
}

// -----

// Scale of position k is k mod 2, not k / 32.

// CHECK-LABEL: func @interleaved_scales
// CHECK-NOT:     mxfp4.
// CHECK:         arith.scaling_extf
// CHECK-NOT:     mxfp4.
func.func @interleaved_scales(%c: tensor<48x64xf4E2M1FN>, %s: tensor<48x2xf8E8M0FNU>) -> tensor<48x64xbf16> {
  %e = tensor.empty() : tensor<48x32x2xf8E8M0FNU>
  %b = linalg.broadcast ins(%s : tensor<48x2xf8E8M0FNU>)
      outs(%e : tensor<48x32x2xf8E8M0FNU>) dimensions = [1]
  %bc = tensor.collapse_shape %b [[0], [1, 2]]
      : tensor<48x32x2xf8E8M0FNU> into tensor<48x64xf8E8M0FNU>
  // expected-remark@below {{'arith.scaling_extf' is not raised to mxfp4.dequantize: the 32 values of a block must have one scale and codes of their own}}
  %w = arith.scaling_extf %c, %bc
      : tensor<48x64xf4E2M1FN>, tensor<48x64xf8E8M0FNU> to tensor<48x64xbf16>
  return %w : tensor<48x64xbf16>
}

// -----

// K is not a multiple of 32.

// CHECK-LABEL: func @k_of_48
// CHECK-NOT:     mxfp4.
// CHECK:         arith.scaling_extf
// CHECK-NOT:     mxfp4.
func.func @k_of_48(%c: tensor<48x48xf4E2M1FN>, %s: tensor<48x3xf8E8M0FNU>) -> tensor<48x48xbf16> {
  %e = tensor.empty() : tensor<48x3x16xf8E8M0FNU>
  %b = linalg.broadcast ins(%s : tensor<48x3xf8E8M0FNU>)
      outs(%e : tensor<48x3x16xf8E8M0FNU>) dimensions = [2]
  %bc = tensor.collapse_shape %b [[0], [1, 2]]
      : tensor<48x3x16xf8E8M0FNU> into tensor<48x48xf8E8M0FNU>
  // expected-remark@below {{'arith.scaling_extf' is not raised to mxfp4.dequantize: the last dimensions of the values must be K, K/32 x 32 or K/32 x 16 x 2, static and with K a}}
  %w = arith.scaling_extf %c, %bc
      : tensor<48x48xf4E2M1FN>, tensor<48x48xf8E8M0FNU> to tensor<48x48xbf16>
  return %w : tensor<48x48xbf16>
}

// -----

// f16 cannot hold every decoded value.

// CHECK-LABEL: func @to_f16
// CHECK-NOT:     mxfp4.
// CHECK:         arith.scaling_extf
// CHECK-NOT:     mxfp4.
func.func @to_f16(%c: tensor<48x64xf4E2M1FN>, %s: tensor<48x2xf8E8M0FNU>) -> tensor<48x64xf16> {
  %e = tensor.empty() : tensor<48x2x32xf8E8M0FNU>
  %b = linalg.broadcast ins(%s : tensor<48x2xf8E8M0FNU>)
      outs(%e : tensor<48x2x32xf8E8M0FNU>) dimensions = [2]
  %bc = tensor.collapse_shape %b [[0], [1, 2]]
      : tensor<48x2x32xf8E8M0FNU> into tensor<48x64xf8E8M0FNU>
  // expected-remark@below {{'arith.scaling_extf' is not raised to mxfp4.dequantize: the decode is not exact: code 1 with scale byte 0 must be 2.939E-39, but is 0 (different at codes 16 of 16; at scale bytes 218 of 256); if it holds for the checkpoint, promise that scale bytes are 104 to 140 (scales=104,140)}}
  %w = arith.scaling_extf %c, %bc
      : tensor<48x64xf4E2M1FN>, tensor<48x64xf8E8M0FNU> to tensor<48x64xf16>
  return %w : tensor<48x64xf16>
}

// -----

// The sum of nothing but -0 would be -0 here, and is +0 there.

// CHECK-LABEL: func @starts_at_minus_zero
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.matmul
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @starts_at_minus_zero(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<-0.0> : tensor<8x48xf32>
  // expected-remark@below {{'linalg.matmul' is not raised to mxfp4.grouped_matmul: the output must start at +0.0, or at other values of f32, which are added behind the sum;}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Every addition is rounded to bf16.

// CHECK-LABEL: func @bf16_accumulator
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.matmul
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @bf16_accumulator(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xbf16> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xbf16>
  // expected-remark@below {{'linalg.matmul' is not raised to mxfp4.grouped_matmul: the body must add to its accumulator, in f32, the f32 product of an activation and a weight,}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xbf16>) -> tensor<8x48xbf16>
  return %y : tensor<8x48xbf16>
}

// -----

// Activations that bf16 does not hold.

// CHECK-LABEL: func @f32_activations
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.matmul
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @f32_activations(%x: tensor<8x32xf32>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{'linalg.matmul' is not raised to mxfp4.grouped_matmul: activations must be bf16, or widened from it, but are f32; round the activations to bf16}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xf32>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Activations that the body computes: they are bf16 nowhere.

// CHECK-LABEL: func @computed_activations
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @computed_activations(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %half = arith.constant 0.5 : f32
  // expected-remark@below {{the body computes the activations; compute them in an operation ahead of the matmul, as bf16}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %sum: f32):
      %aw = arith.extf %a : bf16 to f32
      %scaled = arith.mulf %aw, %half : f32
      %bw = arith.extf %b : bf16 to f32
      %product = arith.mulf %scaled, %bw : f32
      %next = arith.addf %sum, %product : f32
      linalg.yield %next : f32
  } -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Scales run along N: the blocks are not along the sum.

// CHECK-LABEL: func @weights_along_n
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.matmul
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @weights_along_n(%x: tensor<8x48xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x32xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x32xf32>
  // expected-remark@below {{'linalg.matmul' is not raised to mxfp4.grouped_matmul: the blocks of 32 weights with one scale must run along the sum, but run along d1 of the output}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (k, n)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x48xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x32xf32>) -> tensor<8x32xf32>
  return %y : tensor<8x32xf32>
}

// -----

// Products are rounded to bf16.

// CHECK-LABEL: func @product_in_bf16
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @product_in_bf16(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.grouped_matmul: the body must add to its accumulator, in f32, the f32 product of an activation and a weight,}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %acc: f32):
      %p = arith.mulf %a, %b : bf16
      %pf = arith.extf %p : bf16 to f32
      %r = arith.addf %acc, %pf : f32
      linalg.yield %r : f32
  } -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Not a sum.

// CHECK-LABEL: func @subtracts
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @subtracts(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.grouped_matmul: the body must add to its accumulator, in f32, the f32 product of an activation and a weight,}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %acc: f32):
      %af = arith.extf %a : bf16 to f32
      %bf = arith.extf %b : bf16 to f32
      %p = arith.mulf %af, %bf : f32
      %r = arith.subf %acc, %p : f32
      linalg.yield %r : f32
  } -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Multiplies an operand with itself.

// CHECK-LABEL: func @squares
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         linalg.generic
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @squares(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{'linalg.generic' is not raised to mxfp4.grouped_matmul: no operand is an exact MXFP4 decode, moved or widened at most}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %acc: f32):
      %af = arith.extf %a : bf16 to f32
      %p = arith.mulf %af, %af : f32
      %r = arith.addf %acc, %p : f32
      linalg.yield %r : f32
  } -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// A rounding toward zero stays behind the grouped matmul.

// CHECK-LABEL: func @rounds_toward_zero
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} -> tensor<8x48xf32>
// CHECK:         arith.truncf %[[Y]] toward_zero
func.func @rounds_toward_zero(%x: tensor<8x32xbf16>, %c: tensor<1x48x1x16xi8>,
    %s: tensor<1x48x1xi8>, %o: tensor<2xi32>) -> tensor<8x48xbf16> {
  %init = tensor.empty() : tensor<8x48xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x32xbf16>)
      weights(%c, %s : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
      offsets(%o : tensor<2xi32>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  %r = arith.truncf %y toward_zero : tensor<8x48xf32> to tensor<8x48xbf16>
  return %r : tensor<8x48xbf16>
}

// -----

// Operands of linalg may be scalars.

// CHECK-LABEL: func @scalars
// CHECK-COUNT-2: linalg.generic
// CHECK-NOT:     mxfp4.
func.func @scalars(%c: tensor<48x2x16xi8>, %s: i8, %h: bf16,
                   %a: tensor<8x32xf32>) -> (tensor<48x2x16xf32>, tensor<8x48xf32>) {
  %e = tensor.empty() : tensor<48x2x16xf32>
  %v = linalg.generic {
      indexing_maps = [affine_map<(n, b, j) -> (n, b, j)>,
                       affine_map<(n, b, j) -> ()>,
                       affine_map<(n, b, j) -> (n, b, j)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, i8) outs(%e : tensor<48x2x16xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %sum = arith.addi %byte, %scale : i8
      %f = arith.sitofp %sum : i8 to f32
      linalg.yield %f : f32
  } -> tensor<48x2x16xf32>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %hf = arith.extf %h : bf16 to f32
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> ()>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%a, %hf : tensor<8x32xf32>, f32) outs(%init : tensor<8x48xf32>) {
    ^bb0(%x: f32, %w: f32, %acc: f32):
      %p = arith.mulf %x, %w : f32
      %r = arith.addf %acc, %p : f32
      linalg.yield %r : f32
  } -> tensor<8x48xf32>
  return %v, %y : tensor<48x2x16xf32>, tensor<8x48xf32>
}

// -----

// Rows of the init that nothing is scattered to are rounded, too.

// CHECK-LABEL: func @rounds_kept_rows
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} -> tensor<20x48xf32>
// CHECK:         arith.truncf %[[Y]]
func.func @rounds_kept_rows(%x: tensor<8x32xbf16>, %c: tensor<1x48x1x16xi8>,
    %s: tensor<1x48x1xi8>, %o: tensor<2xi32>, %rows: tensor<8xi32>,
    %init: tensor<20x48xf32>) -> tensor<20x48xbf16> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x32xbf16>)
      weights(%c, %s : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
      offsets(%o : tensor<2xi32>) outs(%init : tensor<20x48xf32>)
      scatter(%rows : tensor<8xi32>) -> tensor<20x48xf32>
  %r = arith.truncf %y : tensor<20x48xf32> to tensor<20x48xbf16>
  return %r : tensor<20x48xbf16>
}

// -----

// Where another operation takes the weights, the remark names it.

// CHECK-LABEL: func.func private @other
// CHECK-LABEL: func.func @taken_by_a_call
func.func private @other(tensor<3072xbf16>) -> tensor<48xbf16>

func.func @taken_by_a_call(%c: tensor<48x2x16xi8>, %s: tensor<48x2xi8>) -> tensor<48xbf16> {
  %e = tensor.empty() : tensor<48x64xbf16>
  // expected-remark@below {{'mxfp4.dequantize' is not raised to mxfp4.grouped_matmul: the decoded weights, which are decoded in memory, go into 'func.call', in which no matmul is known to take them}}
  %w = mxfp4.dequantize codes(%c : tensor<48x2x16xi8>) scales(%s : tensor<48x2xi8>)
      outs(%e : tensor<48x64xbf16>) -> tensor<48x64xbf16>
  %f = tensor.collapse_shape %w [[0, 1]] : tensor<48x64xbf16> into tensor<3072xbf16>
  %y = func.call @other(%f) : (tensor<3072xbf16>) -> tensor<48xbf16>
  return %y : tensor<48xbf16>
}

// -----

// A check in the body would be gone with it.

// CHECK-LABEL: func @checks_activations
// CHECK:         cf.assert
func.func @checks_activations(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %zero = arith.constant 0.0 : f32
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the body has 'cf.assert', which a matmul does not do}}
  %y = linalg.generic {indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                                        affine_map<(m, n, k) -> (n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>],
                       iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>) outs(%init : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %o: f32):
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %is_positive = arith.cmpf oge, %aw, %zero : f32
      cf.assert %is_positive, "activations must not be negative"
      %p = arith.mulf %aw, %bw : f32
      %t = arith.addf %o, %p : f32
      linalg.yield %t : f32
  } -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// No rows, of which a reshape says how many there are.

// CHECK-LABEL: func @no_rows
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @no_rows(%x: tensor<0x2x16x2xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<0x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %rows = tensor.collapse_shape %x [[0, 1], [2, 3]] : tensor<0x2x16x2xbf16> into tensor<0x32xbf16>
  %init = arith.constant dense<0.0> : tensor<0x48xf32>
  // expected-remark@below {{loops without iterations multiply nothing}}
  %y = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                                      affine_map<(m, n, k) -> (n, k)>,
                                      affine_map<(m, n, k) -> (m, n)>]
      ins(%rows, %w : tensor<0x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<0x48xf32>) -> tensor<0x48xf32>
  return %y : tensor<0x48xf32>
}

// -----

// Weights that the body of the sum scales, each by three.

// CHECK-LABEL: func @scaled_in_the_body
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @scaled_in_the_body(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x8x48xf32>
  // expected-remark@below {{decoded weights are computed with before a sum takes them, which may round them; compute with the result of the matmul instead}}
  %y = linalg.generic {
      indexing_maps = [affine_map<(e, m, n, k) -> (e, m, k)>,
                       affine_map<(e, m, n, k) -> (e, n, k)>,
                       affine_map<(e, m, n, k) -> (e, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<4x8x32xbf16>, tensor<4x48x32xbf16>)
      outs(%init : tensor<4x8x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %sum: f32):
      %three = arith.constant 3.0 : f32
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %scaled = arith.mulf %bw, %three : f32
      %ab = arith.mulf %aw, %scaled : f32
      %next = arith.addf %sum, %ab : f32
      linalg.yield %next : f32
  } -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}
