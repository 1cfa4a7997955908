// A program means the same before and after: the bits of its results have one
// hash, on numbers that are rounded at each step. An expert has no rows.
//
// RUN: mxfp4-opt %s --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so > %t.unfused
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue -o %t
// RUN: FileCheck %s --check-prefix=FUSED < %t
// RUN: mxfp4-opt %t --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so > %t.fused
// RUN: diff %t.unfused %t.fused
// RUN: FileCheck %s < %t.fused
//
// Leaving roundings out is noticed.
//
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue=allow-contract-rounding --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_c_runner_utils.so > %t.contract
// RUN: not diff %t.unfused %t.contract

func.func private @printI64(i64)
func.func private @printNewline()

#id = affine_map<(r, n) -> (r, n)>
#row = affine_map<(r, n) -> (r)>
#column = affine_map<(r, n) -> (n)>
#even = affine_map<(r, n) -> (r, 2 * n)>
#odd = affine_map<(r, n) -> (r, 2 * n + 1)>

// A bf16 result, a bias, a gated activation, and a weight of each row.

// FUSED-LABEL: func.func private @gated
// FUSED-NOT:     linalg.generic
// FUSED:         mxfp4.grouped_matmul
// FUSED-NOT:     linalg
// FUSED:         return
func.func private @gated(%x: tensor<?x64xbf16>, %c: tensor<4x14x2x16xi8>,
    %s: tensor<4x14x2xi8>, %o: tensor<5xi32>, %bias: tensor<14xbf16>,
    %weight: tensor<?xf32>) -> tensor<?x7xbf16> {
  %c0 = arith.constant 0 : index
  %seven = arith.constant 7.0 : f32
  %alpha = arith.constant 1.702 : f32
  %one = arith.constant 1.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x14xbf16>
  %e7 = tensor.empty(%rows) : tensor<?x7xbf16>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x14x2x16xi8>, tensor<4x14x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<?x14xbf16>) -> tensor<?x14xbf16>
  %biased = linalg.generic {indexing_maps = [#id, #column, #id],
                            iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias : tensor<?x14xbf16>, tensor<14xbf16>) outs(%e : tensor<?x14xbf16>) {
    ^bb0(%a: bf16, %b: bf16, %out: bf16):
      %v = arith.addf %a, %b : bf16
      linalg.yield %v : bf16
  } -> tensor<?x14xbf16>
  %gated = linalg.generic {indexing_maps = [#even, #odd, #id],
                           iterator_types = ["parallel", "parallel"]}
      ins(%biased, %biased : tensor<?x14xbf16>, tensor<?x14xbf16>)
      outs(%e7 : tensor<?x7xbf16>) {
    ^bb0(%gate16: bf16, %up16: bf16, %out: bf16):
      %gate = arith.extf %gate16 : bf16 to f32
      %up = arith.extf %up16 : bf16 to f32
      %top = arith.minimumf %gate, %seven : f32
      %scaled = arith.mulf %top, %alpha : f32
      %negative = arith.negf %scaled : f32
      %power = math.exp %negative : f32
      %under = arith.addf %power, %one : f32
      %silu = arith.divf %top, %under : f32
      %more = arith.addf %up, %one : f32
      %product = arith.mulf %silu, %more : f32
      %h = arith.truncf %product : f32 to bf16
      linalg.yield %h : bf16
  } -> tensor<?x7xbf16>
  %z = linalg.generic {indexing_maps = [#id, #row, #id],
                       iterator_types = ["parallel", "parallel"]}
      ins(%gated, %weight : tensor<?x7xbf16>, tensor<?xf32>) outs(%e7 : tensor<?x7xbf16>) {
    ^bb0(%a: bf16, %w: f32, %out: bf16):
      %af = arith.extf %a : bf16 to f32
      %v = arith.mulf %af, %w : f32
      %h = arith.truncf %v : f32 to bf16
      linalg.yield %h : bf16
  } -> tensor<?x7xbf16>
  return %z : tensor<?x7xbf16>
}

// relu^2 of slices of an f32 result, by named operations of bf16 with one scalar.

// FUSED-LABEL: func.func private @named
// FUSED-NOT:     linalg
// FUSED:         mxfp4.grouped_matmul
// FUSED-NOT:     linalg
// FUSED:         return
func.func private @named(%x: tensor<?x64xbf16>, %c: tensor<4x14x2x16xi8>,
    %s: tensor<4x14x2xi8>, %o: tensor<5xi32>, %scale: bf16) -> tensor<?x7xbf16> {
  %c0 = arith.constant 0 : index
  %zero = arith.constant 0.0 : bf16
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x14xbf16>
  %e7 = tensor.empty(%rows) : tensor<?x7xbf16>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x14x2x16xi8>, tensor<4x14x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<?x14xbf16>) -> tensor<?x14xbf16>
  %gate = tensor.extract_slice %y[0, 0] [%rows, 7] [1, 2]
      : tensor<?x14xbf16> to tensor<?x7xbf16>
  %up = tensor.extract_slice %y[0, 1] [%rows, 7] [1, 2]
      : tensor<?x14xbf16> to tensor<?x7xbf16>
  %product = linalg.mul ins(%gate, %up : tensor<?x7xbf16>, tensor<?x7xbf16>)
      outs(%e7 : tensor<?x7xbf16>) -> tensor<?x7xbf16>
  %zeros = tensor.splat %zero[%rows] : tensor<?x7xbf16>
  %relu = linalg.max ins(%product, %zeros : tensor<?x7xbf16>, tensor<?x7xbf16>)
      outs(%e7 : tensor<?x7xbf16>) -> tensor<?x7xbf16>
  %square = linalg.square ins(%relu : tensor<?x7xbf16>) outs(%e7 : tensor<?x7xbf16>)
      -> tensor<?x7xbf16>
  %scales = tensor.splat %scale[%rows] : tensor<?x7xbf16>
  %z = linalg.mul ins(%square, %scales : tensor<?x7xbf16>, tensor<?x7xbf16>)
      outs(%e7 : tensor<?x7xbf16>) -> tensor<?x7xbf16>
  return %z : tensor<?x7xbf16>
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
  } : tensor<4x14x2x16xi8>
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
  } : tensor<4x14x2xi8>
  %o = arith.constant dense<[0, 9, 9, 22, 29]> : tensor<5xi32>
  %bias = tensor.generate {
  ^bb0(%n: index):
    %c3 = arith.constant 3 : index
    %f = func.call @number(%n, %c3) : (index, index) -> f32
    %h = arith.truncf %f : f32 to bf16
    tensor.yield %h : bf16
  } : tensor<14xbf16>
  %weight = tensor.generate %c29 {
  ^bb0(%r: index):
    %third = arith.constant 0.3333333 : f32
    %c5 = arith.constant 5 : index
    %f = func.call @number(%c5, %r) : (index, index) -> f32
    %w = arith.mulf %f, %third : f32
    tensor.yield %w : f32
  } : tensor<?xf32>
  %scale = arith.constant 0.65625 : bf16
  %y0 = call @gated(%x, %c, %s, %o, %bias, %weight)
      : (tensor<?x64xbf16>, tensor<4x14x2x16xi8>, tensor<4x14x2xi8>, tensor<5xi32>,
         tensor<14xbf16>, tensor<?xf32>) -> tensor<?x7xbf16>
  %y1 = call @named(%x, %c, %s, %o, %scale)
      : (tensor<?x64xbf16>, tensor<4x14x2x16xi8>, tensor<4x14x2xi8>, tensor<5xi32>,
         bf16) -> tensor<?x7xbf16>
  // CHECK-COUNT-2: {{^-?[0-9]+$}}
  call @print(%y0) : (tensor<?x7xbf16>) -> ()
  call @print(%y1) : (tensor<?x7xbf16>) -> ()
  return
}
