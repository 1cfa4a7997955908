// A loop over experts means the same before and after: the bits of its results
// have one hash, with rows that no expert has in front and behind, and an expert
// without rows.
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

// RAISED-LABEL: func.func private @sizes
// RAISED:         mxfp4.grouped_matmul
// RAISED-LABEL: func.func private @offsets
// RAISED-NOT:     scf.for
// RAISED:         mxfp4.grouped_matmul
// RAISED:         return
func.func private @sizes(%x: tensor<?x64xbf16>, %c: tensor<4x7x2x16xi8>,
    %s: tensor<4x7x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x7xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x7x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x7x2x16xi8>)
                        scales(%s : tensor<4x7x2xi8>)
      outs(%we : tensor<4x7x64xbf16>) -> tensor<4x7x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x7xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x7xbf16>)
      -> tensor<?x7xbf16>
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x7xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 7, 64] [1, 1, 1]
        : tensor<4x7x64xbf16> to tensor<7x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x7xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x7xf32>)
        -> tensor<?x7xf32>
    %p = linalg.generic {
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                         affine_map<(m, n, k) -> (n, k)>,
                         affine_map<(m, n, k) -> (m, n)>],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<7x64xbf16>)
        outs(%pz : tensor<?x7xf32>) {
      ^bb0(%a: bf16, %b: bf16, %acc: f32):
        %af = arith.extf %a : bf16 to f32
        %bf = arith.extf %b : bf16 to f32
        %product = arith.mulf %af, %bf : f32
        %sum = arith.addf %acc, %product : f32
        linalg.yield %sum : f32
    } -> tensor<?x7xf32>
    %r = arith.truncf %p : tensor<?x7xf32> to tensor<?x7xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 7] [1, 1]
        : tensor<?x7xbf16> into tensor<?x7xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x7xbf16>, index
  }
  return %y#0 : tensor<?x7xbf16>
}

func.func private @offsets(%x: tensor<?x64xbf16>, %c: tensor<4x7x2x16xi8>,
    %s: tensor<4x7x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x7xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x7x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x7x2x16xi8>)
                        scales(%s : tensor<4x7x2xi8>)
      outs(%we : tensor<4x7x64xbf16>) -> tensor<4x7x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x7xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x7xbf16>)
      -> tensor<?x7xbf16>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init)
      -> tensor<?x7xbf16> {
    %after = arith.addi %e, %c1 : index
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %size32 = arith.subi %end32, %start32 : i32
    %start = arith.index_cast %start32 : i32 to index
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 7, 64] [1, 1, 1]
        : tensor<4x7x64xbf16> to tensor<7x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x7xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x7xf32>)
        -> tensor<?x7xf32>
    %p = linalg.generic {
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                         affine_map<(m, n, k) -> (n, k)>,
                         affine_map<(m, n, k) -> (m, n)>],
        iterator_types = ["parallel", "parallel", "reduction"]}
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<7x64xbf16>)
        outs(%pz : tensor<?x7xf32>) {
      ^bb0(%a: bf16, %b: bf16, %acc: f32):
        %af = arith.extf %a : bf16 to f32
        %bf = arith.extf %b : bf16 to f32
        %product = arith.mulf %af, %bf : f32
        %sum = arith.addf %acc, %product : f32
        linalg.yield %sum : f32
    } -> tensor<?x7xf32>
    %r = arith.truncf %p : tensor<?x7xf32> to tensor<?x7xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 7] [1, 1]
        : tensor<?x7xbf16> into tensor<?x7xbf16>
    scf.yield %next : tensor<?x7xbf16>
  }
  return %y : tensor<?x7xbf16>
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

func.func private @hash(%y: tensor<?x7xbf16>) -> i64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %rows = tensor.dim %y, %c0 : tensor<?x7xbf16>
  %start = arith.constant 17 : i64
  %prime = arith.constant 1099511628211 : i64
  %hash = scf.for %i = %c0 to %rows step %c1 iter_args(%h0 = %start) -> (i64) {
    %r = scf.for %j = %c0 to %c7 step %c1 iter_args(%h1 = %h0) -> (i64) {
      %v = tensor.extract %y[%i, %j] : tensor<?x7xbf16>
      %bits = arith.bitcast %v : bf16 to i16
      %wide = arith.extui %bits : i16 to i64
      %mixed = arith.xori %h1, %wide : i64
      %next = arith.muli %mixed, %prime : i64
      scf.yield %next : i64
    }
    scf.yield %r : i64
  }
  return %hash : i64
}

func.func @main() {
  %c11 = arith.constant 11 : index
  %c0 = arith.constant 0 : index
  %x = tensor.generate %c11 {
  ^bb0(%i: index, %j: index):
    %n = func.call @noise(%i, %j, %c0) : (index, index, index) -> i32
    %c128 = arith.constant 128 : i32
    %d = arith.subi %n, %c128 : i32
    %f = arith.sitofp %d : i32 to f32
    %h = arith.truncf %f : f32 to bf16
    tensor.yield %h : bf16
  } : tensor<?x64xbf16>
  %c = tensor.generate {
  ^bb0(%e: index, %i: index, %j: index, %k: index):
    %a = arith.addi %e, %i : index
    %n = func.call @noise(%a, %j, %k) : (index, index, index) -> i32
    %b = arith.trunci %n : i32 to i8
    tensor.yield %b : i8
  } : tensor<4x7x2x16xi8>
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
  } : tensor<4x7x2xi8>
  %sizes = arith.constant dense<[3, 0, 4, 2]> : tensor<4xi32>
  %offsets = arith.constant dense<[1, 4, 4, 8, 10]> : tensor<5xi32>
  %a = call @sizes(%x, %c, %s, %sizes)
      : (tensor<?x64xbf16>, tensor<4x7x2x16xi8>, tensor<4x7x2xi8>,
         tensor<4xi32>) -> tensor<?x7xbf16>
  %b = call @offsets(%x, %c, %s, %offsets)
      : (tensor<?x64xbf16>, tensor<4x7x2x16xi8>, tensor<4x7x2xi8>,
         tensor<5xi32>) -> tensor<?x7xbf16>
  %ha = call @hash(%a) : (tensor<?x7xbf16>) -> i64
  %hb = call @hash(%b) : (tensor<?x7xbf16>) -> i64
  // CHECK: -67952317705166996621493224633226415756
  call @printI64(%ha) : (i64) -> ()
  call @printI64(%hb) : (i64) -> ()
  return
}
