// The program means the same before and after: the bits of its results have one
// hash, whether the linalg operations or the grouped matmul ran.
//
// RUN: mxfp4-opt %s --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-raise -o %t
// RUN: FileCheck %s --check-prefix=RAISED < %t
// RUN: mxfp4-opt %t --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s

func.func private @printI64(i64)

#codes = affine_map<(e, n, b, j, h) -> (e, n, b, j)>
#scales = affine_map<(e, n, b, j, h) -> (e, n, b)>
#values = affine_map<(e, n, b, j, h) -> (e, n, b, j, h)>

// RAISED-LABEL: func.func private @matmul
// RAISED-NOT:     linalg
// RAISED:         mxfp4.grouped_matmul
// RAISED-SAME:      -> tensor<10x7xbf16>
// RAISED-NOT:     linalg
// RAISED:         return
func.func private @matmul(%x: tensor<2x5x96xbf16>, %c: tensor<2x7x3x16xi8>,
                          %s: tensor<2x7x3xi8>) -> tensor<2x5x7xbf16> {
  %zero = arith.constant 0.0 : f32
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0,
      -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<2x7x3x16x2xf32>
  %w = linalg.generic {
      indexing_maps = [#codes, #scales, #values],
      iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<2x7x3x16xi8>, tensor<2x7x3xi8>)
      outs(%e : tensor<2x7x3x16x2xf32>) {
    ^bb0(%byte: i8, %scale: i8, %out: f32):
      %c0 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %c23 = arith.constant 23 : i32
      %c255 = arith.constant 255 : i32
      %subnormal = arith.constant 0x00400000 : i32
      %nan = arith.constant 0x7FC00000 : i32
      %h = linalg.index 4 : index
      %parity = arith.andi %h, %c1 : index
      %odd = arith.cmpi eq, %parity, %c1 : index
      %high = arith.shrui %byte, %c4 : i8
      %nibble = arith.select %odd, %high, %byte : i8
      %code = arith.andi %nibble, %c15 : i8
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
  } -> tensor<2x7x3x16x2xf32>
  %wc = tensor.collapse_shape %w [[0], [1], [2, 3, 4]]
      : tensor<2x7x3x16x2xf32> into tensor<2x7x96xf32>
  %xf = arith.extf %x : tensor<2x5x96xbf16> to tensor<2x5x96xf32>
  %ye = tensor.empty() : tensor<2x5x7xf32>
  %init = linalg.fill ins(%zero : f32) outs(%ye : tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                       affine_map<(b, m, n, k) -> (b, n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%xf, %wc : tensor<2x5x96xf32>, tensor<2x7x96xf32>)
      outs(%init : tensor<2x5x7xf32>) -> tensor<2x5x7xf32>
  %r = arith.truncf %y : tensor<2x5x7xf32> to tensor<2x5x7xbf16>
  return %r : tensor<2x5x7xbf16>
}

// The high byte of a linear congruential generator's state after (i * 31 + j)
// * 31 + k.
func.func private @noise(%i: index, %j: index, %k: index) -> i32 {
  %c31 = arith.constant 31 : index
  %factor = arith.constant 1664525 : i32
  %step = arith.constant 1013904223 : i32
  %c24 = arith.constant 24 : i32
  %a = arith.muli %i, %c31 : index
  %b = arith.addi %a, %j : index
  %c = arith.muli %b, %c31 : index
  %d = arith.addi %c, %k : index
  %n = arith.index_cast %d : index to i32
  %p = arith.muli %n, %factor : i32
  %q = arith.addi %p, %step : i32
  %r = arith.muli %q, %factor : i32
  %s = arith.shrui %r, %c24 : i32
  return %s : i32
}

func.func @main() {
  %x = tensor.generate {
  ^bb0(%i: index, %j: index, %k: index):
    %n = func.call @noise(%i, %j, %k) : (index, index, index) -> i32
    %c128 = arith.constant 128 : i32
    %d = arith.subi %n, %c128 : i32
    %f = arith.sitofp %d : i32 to f32
    %h = arith.truncf %f : f32 to bf16
    tensor.yield %h : bf16
  } : tensor<2x5x96xbf16>
  %c = tensor.generate {
  ^bb0(%e: index, %i: index, %j: index, %k: index):
    %a = arith.addi %e, %i : index
    %n = func.call @noise(%a, %j, %k) : (index, index, index) -> i32
    %b = arith.trunci %n : i32 to i8
    tensor.yield %b : i8
  } : tensor<2x7x3x16xi8>
  // From 2^-15 to 2^16.
  %s = tensor.generate {
  ^bb0(%i: index, %j: index, %k: index):
    %n = func.call @noise(%k, %j, %i) : (index, index, index) -> i32
    %c3 = arith.constant 3 : i32
    %c112 = arith.constant 112 : i32
    %m = arith.shrui %n, %c3 : i32
    %t = arith.addi %m, %c112 : i32
    %b = arith.trunci %t : i32 to i8
    tensor.yield %b : i8
  } : tensor<2x7x3xi8>
  %y = call @matmul(%x, %c, %s)
      : (tensor<2x5x96xbf16>, tensor<2x7x3x16xi8>, tensor<2x7x3xi8>)
      -> tensor<2x5x7xbf16>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c5 = arith.constant 5 : index
  %c7 = arith.constant 7 : index
  %start = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %hash = scf.for %i = %c0 to %c2 step %c1 iter_args(%h0 = %start) -> (i64) {
    %r0 = scf.for %j = %c0 to %c5 step %c1 iter_args(%h1 = %h0) -> (i64) {
      %r1 = scf.for %k = %c0 to %c7 step %c1 iter_args(%h2 = %h1) -> (i64) {
        %v = tensor.extract %y[%i, %j, %k] : tensor<2x5x7xbf16>
        %bits = arith.bitcast %v : bf16 to i16
        %wide = arith.extui %bits : i16 to i64
        %mixed = arith.xori %h2, %wide : i64
        %next = arith.muli %mixed, %prime : i64
        scf.yield %next : i64
      }
      scf.yield %r1 : i64
    }
    scf.yield %r0 : i64
  }
  // CHECK: 588513402776301856
  call @printI64(%hash) : (i64) -> ()
  return
}
