// A program means the same before and after: the bits of its results have one
// hash, with indices of two types, and rows that are gathered often and never.
//
// RUN: mxfp4-opt %s --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so > %t.unfused
// RUN: mxfp4-opt %s --mxfp4-fuse-gather -o %t
// RUN: FileCheck %s --check-prefix=FUSED < %t
// RUN: mxfp4-opt %t --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so > %t.fused
// RUN: diff %t.unfused %t.fused
// RUN: FileCheck %s < %t.fused

func.func private @printI64(i64)
func.func private @printNewline()

// Rows of i32 as an operand, and of i64 in the body.

// FUSED-LABEL: func.func private @gathered
// FUSED-NOT:     linalg.generic
// FUSED:         mxfp4.grouped_matmul{{.*}} gather(
// FUSED:         mxfp4.grouped_matmul{{.*}} gather(
// FUSED-NOT:     linalg.generic
// FUSED:         return
func.func private @gathered(%x: tensor<?x64xbf16>, %rows: tensor<?xi32>,
    %more: tensor<?xi64>, %c: tensor<4x7x2x16xi8>, %s: tensor<4x7x2xi8>,
    %o: tensor<5xi32>) -> (tensor<?x7xbf16>, tensor<?x7xbf16>) {
  %c0 = arith.constant 0 : index
  %r = tensor.dim %rows, %c0 : tensor<?xi32>
  %e = tensor.empty(%r) : tensor<?x64xbf16>
  %ye = tensor.empty(%r) : tensor<?x7xbf16>
  %g = linalg.generic {
      indexing_maps = [affine_map<(r, k) -> (r)>, affine_map<(r, k) -> (r, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<?xi32>) outs(%e : tensor<?x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_cast %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<?x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<?x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x7x2x16xi8>, tensor<4x7x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%ye : tensor<?x7xbf16>) -> tensor<?x7xbf16>
  %g1 = linalg.generic {
      indexing_maps = [affine_map<(k, r) -> (r, k)>],
      iterator_types = ["parallel", "parallel"]} outs(%e : tensor<?x64xbf16>) {
    ^bb0(%out: bf16):
      %r1 = linalg.index 1 : index
      %k = linalg.index 0 : index
      %t = tensor.extract %more[%r1] : tensor<?xi64>
      %row = arith.index_cast %t : i64 to index
      %v = tensor.extract %x[%row, %k] : tensor<?x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<?x64xbf16>
  %z = mxfp4.grouped_matmul activations(%g1 : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x7x2x16xi8>, tensor<4x7x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%ye : tensor<?x7xbf16>) -> tensor<?x7xbf16>
  return %y, %z : tensor<?x7xbf16>, tensor<?x7xbf16>
}

// The high byte of a linear congruential generator's state after n.
func.func private @noise(%n: index) -> i32 {
  %factor = arith.constant 1664525 : i32
  %step = arith.constant 1013904223 : i32
  %c24 = arith.constant 24 : i32
  %i = arith.index_cast %n : index to i32
  %p = arith.muli %i, %factor : i32
  %q = arith.addi %p, %step : i32
  %r = arith.muli %q, %factor : i32
  %s = arith.shrui %r, %c24 : i32
  return %s : i32
}

// From -1 to 1, in steps of 2^-7.
func.func private @number(%i: index, %j: index) -> f32 {
  %c61 = arith.constant 61 : index
  %c128 = arith.constant 128 : i32
  %step = arith.constant 0.0078125 : f32
  %at = arith.muli %i, %c61 : index
  %n = arith.addi %at, %j : index
  %noise = call @noise(%n) : (index) -> i32
  %d = arith.subi %noise, %c128 : i32
  %f = arith.sitofp %d : i32 to f32
  %v = arith.mulf %f, %step : f32
  return %v : f32
}

func.func private @print(%y: tensor<?x7xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %rows = tensor.dim %y, %c0 : tensor<?x7xbf16>
  %start = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %hash = scf.for %i = %c0 to %rows step %c1 iter_args(%h0 = %start) -> (i64) {
    %row = scf.for %j = %c0 to %c7 step %c1 iter_args(%h1 = %h0) -> (i64) {
      %v = tensor.extract %y[%i, %j] : tensor<?x7xbf16>
      %bits = arith.bitcast %v : bf16 to i16
      %wide = arith.extui %bits : i16 to i64
      %mixed = arith.xori %h1, %wide : i64
      %next = arith.muli %mixed, %prime : i64
      scf.yield %next : i64
    }
    scf.yield %row : i64
  }
  call @printI64(%hash) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}

func.func @main() {
  %c29 = arith.constant 29 : index
  %x = tensor.generate %c29 {
  ^bb0(%i: index, %j: index):
    %f = func.call @number(%i, %j) : (index, index) -> f32
    %h = arith.truncf %f : f32 to bf16
    tensor.yield %h : bf16
  } : tensor<?x64xbf16>
  %c = tensor.generate {
  ^bb0(%e: index, %n: index, %b: index, %j: index):
    %c31 = arith.constant 31 : index
    %c17 = arith.constant 17 : index
    %0 = arith.muli %e, %c31 : index
    %1 = arith.addi %0, %n : index
    %2 = arith.muli %1, %c31 : index
    %3 = arith.addi %2, %b : index
    %4 = arith.muli %3, %c17 : index
    %5 = arith.addi %4, %j : index
    %6 = func.call @noise(%5) : (index) -> i32
    %7 = arith.trunci %6 : i32 to i8
    tensor.yield %7 : i8
  } : tensor<4x7x2x16xi8>
  // From 2^-5 to 2^-2.
  %s = tensor.generate {
  ^bb0(%e: index, %n: index, %b: index):
    %c6 = arith.constant 6 : i32
    %c122 = arith.constant 122 : i32
    %c7 = arith.constant 7 : index
    %0 = arith.muli %e, %c7 : index
    %1 = arith.addi %0, %n : index
    %2 = arith.muli %1, %c7 : index
    %3 = arith.addi %2, %b : index
    %4 = func.call @noise(%3) : (index) -> i32
    %5 = arith.shrui %4, %c6 : i32
    %6 = arith.addi %5, %c122 : i32
    %7 = arith.trunci %6 : i32 to i8
    tensor.yield %7 : i8
  } : tensor<4x7x2xi8>
  %o = arith.constant dense<[0, 9, 9, 22, 29]> : tensor<5xi32>
  // Rows r^2 + 3 and 5 r + 1 of 29.
  %rows = tensor.generate %c29 {
  ^bb0(%r: index):
    %c29_0 = arith.constant 29 : index
    %c3 = arith.constant 3 : index
    %square = arith.muli %r, %r : index
    %more = arith.addi %square, %c3 : index
    %row = arith.remui %more, %c29_0 : index
    %t = arith.index_cast %row : index to i32
    tensor.yield %t : i32
  } : tensor<?xi32>
  %more = tensor.generate %c29 {
  ^bb0(%r: index):
    %c29_0 = arith.constant 29 : index
    %c5 = arith.constant 5 : index
    %c1 = arith.constant 1 : index
    %times = arith.muli %r, %c5 : index
    %next = arith.addi %times, %c1 : index
    %row = arith.remui %next, %c29_0 : index
    %t = arith.index_cast %row : index to i64
    tensor.yield %t : i64
  } : tensor<?xi64>
  %y:2 = call @gathered(%x, %rows, %more, %c, %s, %o)
      : (tensor<?x64xbf16>, tensor<?xi32>, tensor<?xi64>, tensor<4x7x2x16xi8>,
         tensor<4x7x2xi8>, tensor<5xi32>) -> (tensor<?x7xbf16>, tensor<?x7xbf16>)
  // CHECK-COUNT-2: {{^-?[0-9]+$}}
  call @print(%y#0) : (tensor<?x7xbf16>) -> ()
  call @print(%y#1) : (tensor<?x7xbf16>) -> ()
  return
}
