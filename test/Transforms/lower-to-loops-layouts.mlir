// Packs weights into each layout, multiplies with the packed and with the
// checkpoint weights, unpacks, and expects the same bits everywhere. N and K
// leave a partial block on both sides; R is dynamic.
//
// RUN: mxfp4-opt %s --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s

func.func private @printI64(i64)
func.func private @printNewline()

memref.global "private" constant @offsets : memref<5xi32> =
  dense<[0, 3, 3, 8, 9]>
memref.global "private" constant @ids : memref<4xi32> = dense<[2, 0, 1, -1]>

// Bytes below `bound` from a linear congruential generator.
func.func @fill(%bytes: memref<?xi8>, %bound: i32, %seed: i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %factor = arith.constant 1664525 : i32
  %step = arith.constant 1013904223 : i32
  %shift = arith.constant 16 : i32
  %end = memref.dim %bytes, %c0 : memref<?xi8>
  scf.for %i = %c0 to %end step %c1 iter_args(%state = %seed) -> (i32) {
    %product = arith.muli %state, %factor : i32
    %next = arith.addi %product, %step : i32
    %high = arith.shrui %next, %shift : i32
    %value = arith.remui %high, %bound : i32
    %byte = arith.trunci %value : i32 to i8
    memref.store %byte, %bytes[%i] : memref<?xi8>
    scf.yield %next : i32
  }
  return
}

// Activations (k % 7 - 3) * 2^(r - 4).
func.func @activations(%x: memref<?x?xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c7 = arith.constant 7 : index
  %three = arith.constant 3.0 : f32
  %two = arith.constant 2.0 : f32
  %first = arith.constant 0.0625 : f32
  %rows = memref.dim %x, %c0 : memref<?x?xbf16>
  %cols = memref.dim %x, %c1 : memref<?x?xbf16>
  scf.for %r = %c0 to %rows step %c1 iter_args(%power = %first) -> (f32) {
    scf.for %k = %c0 to %cols step %c1 {
      %m = arith.remui %k, %c7 : index
      %i = arith.index_cast %m : index to i32
      %f = arith.sitofp %i : i32 to f32
      %d = arith.subf %f, %three : f32
      %v = arith.mulf %d, %power : f32
      %h = arith.truncf %v : f32 to bf16
      memref.store %h, %x[%r, %k] : memref<?x?xbf16>
    }
    %next = arith.mulf %power, %two : f32
    scf.yield %next : f32
  }
  return
}

// How many bytes differ.
func.func @compare(%a: memref<?xi8>, %b: memref<?xi8>) -> i64 {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %none = arith.constant 0 : i64
  %end = memref.dim %a, %c0 : memref<?xi8>
  %count = scf.for %i = %c0 to %end step %c1 iter_args(%n = %none) -> (i64) {
    %p = memref.load %a[%i] : memref<?xi8>
    %q = memref.load %b[%i] : memref<?xi8>
    %differ = arith.cmpi ne, %p, %q : i8
    %one = arith.extui %differ : i1 to i64
    %sum = arith.addi %n, %one : i64
    scf.yield %sum : i64
  }
  return %count : i64
}

// How many results differ, NaNs equal to NaNs, and how many are NaN.
func.func @compare_results(%a: memref<?x70xf32>, %b: memref<?x70xf32>)
    -> (i64, i64) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c70 = arith.constant 70 : index
  %none = arith.constant 0 : i64
  %rows = memref.dim %a, %c0 : memref<?x70xf32>
  %end:2 = scf.for %r = %c0 to %rows step %c1
      iter_args(%d0 = %none, %n0 = %none) -> (i64, i64) {
    %row:2 = scf.for %n = %c0 to %c70 step %c1
        iter_args(%d1 = %d0, %n1 = %n0) -> (i64, i64) {
      %p = memref.load %a[%r, %n] : memref<?x70xf32>
      %q = memref.load %b[%r, %n] : memref<?x70xf32>
      %pi = arith.bitcast %p : f32 to i32
      %qi = arith.bitcast %q : f32 to i32
      %bits = arith.cmpi ne, %pi, %qi : i32
      %p_nan = arith.cmpf uno, %p, %p : f32
      %q_nan = arith.cmpf uno, %q, %q : f32
      %true = arith.constant true
      %nans = arith.andi %p_nan, %q_nan : i1
      %not_nans = arith.xori %nans, %true : i1
      %differ = arith.andi %bits, %not_nans : i1
      %one_d = arith.extui %differ : i1 to i64
      %one_n = arith.extui %p_nan : i1 to i64
      %d2 = arith.addi %d1, %one_d : i64
      %n2 = arith.addi %n1, %one_n : i64
      scf.yield %d2, %n2 : i64, i64
    }
    scf.yield %row#0, %row#1 : i64, i64
  }
  return %end#0, %end#1 : i64, i64
}

func.func @spread_folded(%rows: index) {
  %bound = arith.constant 129 : i32
  %all = arith.constant 256 : i32
  %seed = arith.constant 11 : i32
  %flat_codes = memref.alloc() : memref<10080xi8>
  %flat_scales = memref.alloc() : memref<630xi8>
  %any_codes = memref.cast %flat_codes : memref<10080xi8> to memref<?xi8>
  %any_scales = memref.cast %flat_scales : memref<630xi8> to memref<?xi8>
  call @fill(%any_codes, %all, %seed) : (memref<?xi8>, i32, i32) -> ()
  call @fill(%any_scales, %bound, %seed) : (memref<?xi8>, i32, i32) -> ()
  %codes = memref.expand_shape %flat_codes [[0, 1, 2, 3]]
      output_shape [3, 70, 3, 16] : memref<10080xi8> into memref<3x70x3x16xi8>
  %scales = memref.expand_shape %flat_scales [[0, 1, 2]]
      output_shape [3, 70, 3] : memref<630xi8> into memref<3x70x3xi8>
  %x = memref.alloc(%rows) : memref<?x96xbf16>
  %x_any = memref.cast %x : memref<?x96xbf16> to memref<?x?xbf16>
  call @activations(%x_any) : (memref<?x?xbf16>) -> ()

  %packed = memref.alloc() : memref<3x2x2x!mxfp4.block<spread, folded>>
  mxfp4.pack codes(%codes : memref<3x70x3x16xi8>)
             scales(%scales : memref<3x70x3xi8>)
      outs(%packed : memref<3x2x2x!mxfp4.block<spread, folded>>)
  %offsets = memref.get_global @offsets : memref<5xi32>
  %ids = memref.get_global @ids : memref<4xi32>
  %y0 = memref.alloc(%rows) : memref<?x70xf32>
  %y1 = memref.alloc(%rows) : memref<?x70xf32>
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%codes, %scales : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y0 : memref<?x70xf32>)
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%packed : memref<3x2x2x!mxfp4.block<spread, folded>>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y1 : memref<?x70xf32>)
  %results:2 = call @compare_results(%y0, %y1)
      : (memref<?x70xf32>, memref<?x70xf32>) -> (i64, i64)

  %codes_back = memref.alloc() : memref<3x70x3x16xi8>
  %scales_back = memref.alloc() : memref<3x70x3xi8>
  mxfp4.unpack blocks(%packed : memref<3x2x2x!mxfp4.block<spread, folded>>)
      outs(%codes_back, %scales_back
           : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
  %flat_back = memref.collapse_shape %codes_back [[0, 1, 2, 3]]
      : memref<3x70x3x16xi8> into memref<10080xi8>
  %flat_scales_back = memref.collapse_shape %scales_back [[0, 1, 2]]
      : memref<3x70x3xi8> into memref<630xi8>
  %any_back = memref.cast %flat_back : memref<10080xi8> to memref<?xi8>
  %any_scales_back = memref.cast %flat_scales_back
      : memref<630xi8> to memref<?xi8>
  %codes_differ = call @compare(%any_codes, %any_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %scales_differ = call @compare(%any_scales, %any_scales_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %differ = arith.addi %codes_differ, %scales_differ : i64
  call @printI64(%results#0) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%differ) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%results#1) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}

func.func @spread_raw(%rows: index) {
  %bound = arith.constant 256 : i32
  %all = arith.constant 256 : i32
  %seed = arith.constant 12 : i32
  %flat_codes = memref.alloc() : memref<10080xi8>
  %flat_scales = memref.alloc() : memref<630xi8>
  %any_codes = memref.cast %flat_codes : memref<10080xi8> to memref<?xi8>
  %any_scales = memref.cast %flat_scales : memref<630xi8> to memref<?xi8>
  call @fill(%any_codes, %all, %seed) : (memref<?xi8>, i32, i32) -> ()
  call @fill(%any_scales, %bound, %seed) : (memref<?xi8>, i32, i32) -> ()
  %codes = memref.expand_shape %flat_codes [[0, 1, 2, 3]]
      output_shape [3, 70, 3, 16] : memref<10080xi8> into memref<3x70x3x16xi8>
  %scales = memref.expand_shape %flat_scales [[0, 1, 2]]
      output_shape [3, 70, 3] : memref<630xi8> into memref<3x70x3xi8>
  %x = memref.alloc(%rows) : memref<?x96xbf16>
  %x_any = memref.cast %x : memref<?x96xbf16> to memref<?x?xbf16>
  call @activations(%x_any) : (memref<?x?xbf16>) -> ()

  %packed = memref.alloc() : memref<3x2x2x!mxfp4.block<spread, raw>>
  mxfp4.pack codes(%codes : memref<3x70x3x16xi8>)
             scales(%scales : memref<3x70x3xi8>)
      outs(%packed : memref<3x2x2x!mxfp4.block<spread, raw>>)
  %offsets = memref.get_global @offsets : memref<5xi32>
  %ids = memref.get_global @ids : memref<4xi32>
  %y0 = memref.alloc(%rows) : memref<?x70xf32>
  %y1 = memref.alloc(%rows) : memref<?x70xf32>
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%codes, %scales : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y0 : memref<?x70xf32>)
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%packed : memref<3x2x2x!mxfp4.block<spread, raw>>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y1 : memref<?x70xf32>)
  %results:2 = call @compare_results(%y0, %y1)
      : (memref<?x70xf32>, memref<?x70xf32>) -> (i64, i64)

  %codes_back = memref.alloc() : memref<3x70x3x16xi8>
  %scales_back = memref.alloc() : memref<3x70x3xi8>
  mxfp4.unpack blocks(%packed : memref<3x2x2x!mxfp4.block<spread, raw>>)
      outs(%codes_back, %scales_back
           : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
  %flat_back = memref.collapse_shape %codes_back [[0, 1, 2, 3]]
      : memref<3x70x3x16xi8> into memref<10080xi8>
  %flat_scales_back = memref.collapse_shape %scales_back [[0, 1, 2]]
      : memref<3x70x3xi8> into memref<630xi8>
  %any_back = memref.cast %flat_back : memref<10080xi8> to memref<?xi8>
  %any_scales_back = memref.cast %flat_scales_back
      : memref<630xi8> to memref<?xi8>
  %codes_differ = call @compare(%any_codes, %any_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %scales_differ = call @compare(%any_scales, %any_scales_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %differ = arith.addi %codes_differ, %scales_differ : i64
  call @printI64(%results#0) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%differ) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%results#1) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}

func.func @nibble_folded(%rows: index) {
  %bound = arith.constant 129 : i32
  %all = arith.constant 256 : i32
  %seed = arith.constant 13 : i32
  %flat_codes = memref.alloc() : memref<10080xi8>
  %flat_scales = memref.alloc() : memref<630xi8>
  %any_codes = memref.cast %flat_codes : memref<10080xi8> to memref<?xi8>
  %any_scales = memref.cast %flat_scales : memref<630xi8> to memref<?xi8>
  call @fill(%any_codes, %all, %seed) : (memref<?xi8>, i32, i32) -> ()
  call @fill(%any_scales, %bound, %seed) : (memref<?xi8>, i32, i32) -> ()
  %codes = memref.expand_shape %flat_codes [[0, 1, 2, 3]]
      output_shape [3, 70, 3, 16] : memref<10080xi8> into memref<3x70x3x16xi8>
  %scales = memref.expand_shape %flat_scales [[0, 1, 2]]
      output_shape [3, 70, 3] : memref<630xi8> into memref<3x70x3xi8>
  %x = memref.alloc(%rows) : memref<?x96xbf16>
  %x_any = memref.cast %x : memref<?x96xbf16> to memref<?x?xbf16>
  call @activations(%x_any) : (memref<?x?xbf16>) -> ()

  %packed = memref.alloc() : memref<3x2x2x!mxfp4.block<nibble, folded>>
  mxfp4.pack codes(%codes : memref<3x70x3x16xi8>)
             scales(%scales : memref<3x70x3xi8>)
      outs(%packed : memref<3x2x2x!mxfp4.block<nibble, folded>>)
  %offsets = memref.get_global @offsets : memref<5xi32>
  %ids = memref.get_global @ids : memref<4xi32>
  %y0 = memref.alloc(%rows) : memref<?x70xf32>
  %y1 = memref.alloc(%rows) : memref<?x70xf32>
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%codes, %scales : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y0 : memref<?x70xf32>)
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%packed : memref<3x2x2x!mxfp4.block<nibble, folded>>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y1 : memref<?x70xf32>)
  %results:2 = call @compare_results(%y0, %y1)
      : (memref<?x70xf32>, memref<?x70xf32>) -> (i64, i64)

  %codes_back = memref.alloc() : memref<3x70x3x16xi8>
  %scales_back = memref.alloc() : memref<3x70x3xi8>
  mxfp4.unpack blocks(%packed : memref<3x2x2x!mxfp4.block<nibble, folded>>)
      outs(%codes_back, %scales_back
           : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
  %flat_back = memref.collapse_shape %codes_back [[0, 1, 2, 3]]
      : memref<3x70x3x16xi8> into memref<10080xi8>
  %flat_scales_back = memref.collapse_shape %scales_back [[0, 1, 2]]
      : memref<3x70x3xi8> into memref<630xi8>
  %any_back = memref.cast %flat_back : memref<10080xi8> to memref<?xi8>
  %any_scales_back = memref.cast %flat_scales_back
      : memref<630xi8> to memref<?xi8>
  %codes_differ = call @compare(%any_codes, %any_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %scales_differ = call @compare(%any_scales, %any_scales_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %differ = arith.addi %codes_differ, %scales_differ : i64
  call @printI64(%results#0) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%differ) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%results#1) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}

func.func @nibble_raw(%rows: index) {
  %bound = arith.constant 256 : i32
  %all = arith.constant 256 : i32
  %seed = arith.constant 14 : i32
  %flat_codes = memref.alloc() : memref<10080xi8>
  %flat_scales = memref.alloc() : memref<630xi8>
  %any_codes = memref.cast %flat_codes : memref<10080xi8> to memref<?xi8>
  %any_scales = memref.cast %flat_scales : memref<630xi8> to memref<?xi8>
  call @fill(%any_codes, %all, %seed) : (memref<?xi8>, i32, i32) -> ()
  call @fill(%any_scales, %bound, %seed) : (memref<?xi8>, i32, i32) -> ()
  %codes = memref.expand_shape %flat_codes [[0, 1, 2, 3]]
      output_shape [3, 70, 3, 16] : memref<10080xi8> into memref<3x70x3x16xi8>
  %scales = memref.expand_shape %flat_scales [[0, 1, 2]]
      output_shape [3, 70, 3] : memref<630xi8> into memref<3x70x3xi8>
  %x = memref.alloc(%rows) : memref<?x96xbf16>
  %x_any = memref.cast %x : memref<?x96xbf16> to memref<?x?xbf16>
  call @activations(%x_any) : (memref<?x?xbf16>) -> ()

  %packed = memref.alloc() : memref<3x2x2x!mxfp4.block<nibble, raw>>
  mxfp4.pack codes(%codes : memref<3x70x3x16xi8>)
             scales(%scales : memref<3x70x3xi8>)
      outs(%packed : memref<3x2x2x!mxfp4.block<nibble, raw>>)
  %offsets = memref.get_global @offsets : memref<5xi32>
  %ids = memref.get_global @ids : memref<4xi32>
  %y0 = memref.alloc(%rows) : memref<?x70xf32>
  %y1 = memref.alloc(%rows) : memref<?x70xf32>
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%codes, %scales : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y0 : memref<?x70xf32>)
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%packed : memref<3x2x2x!mxfp4.block<nibble, raw>>)
      offsets(%offsets : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y1 : memref<?x70xf32>)
  %results:2 = call @compare_results(%y0, %y1)
      : (memref<?x70xf32>, memref<?x70xf32>) -> (i64, i64)

  %codes_back = memref.alloc() : memref<3x70x3x16xi8>
  %scales_back = memref.alloc() : memref<3x70x3xi8>
  mxfp4.unpack blocks(%packed : memref<3x2x2x!mxfp4.block<nibble, raw>>)
      outs(%codes_back, %scales_back
           : memref<3x70x3x16xi8>, memref<3x70x3xi8>)
  %flat_back = memref.collapse_shape %codes_back [[0, 1, 2, 3]]
      : memref<3x70x3x16xi8> into memref<10080xi8>
  %flat_scales_back = memref.collapse_shape %scales_back [[0, 1, 2]]
      : memref<3x70x3xi8> into memref<630xi8>
  %any_back = memref.cast %flat_back : memref<10080xi8> to memref<?xi8>
  %any_scales_back = memref.cast %flat_scales_back
      : memref<630xi8> to memref<?xi8>
  %codes_differ = call @compare(%any_codes, %any_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %scales_differ = call @compare(%any_scales, %any_scales_back)
      : (memref<?xi8>, memref<?xi8>) -> i64
  %differ = arith.addi %codes_differ, %scales_differ : i64
  call @printI64(%results#0) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%differ) : (i64) -> ()
  call @printNewline() : () -> ()
  call @printI64(%results#1) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}

// Results that differ, bytes that differ, NaN results (so that raw layouts are
// known to have met NaN scales, and folded ones not).
func.func @main() {
  %rows = arith.constant 9 : index
  // CHECK:      {{^}}0{{$}}
  // CHECK-NEXT: {{^}}0{{$}}
  // CHECK-NEXT: {{^}}0{{$}}
  call @spread_folded(%rows) : (index) -> ()
  // CHECK:      {{^}}0{{$}}
  // CHECK-NEXT: {{^}}0{{$}}
  // CHECK-NEXT: {{^[1-9]}}
  call @spread_raw(%rows) : (index) -> ()
  // CHECK:      {{^}}0{{$}}
  // CHECK-NEXT: {{^}}0{{$}}
  // CHECK-NEXT: {{^}}0{{$}}
  call @nibble_folded(%rows) : (index) -> ()
  // CHECK:      {{^}}0{{$}}
  // CHECK-NEXT: {{^}}0{{$}}
  // CHECK-NEXT: {{^[1-9]}}
  call @nibble_raw(%rows) : (index) -> ()
  return
}
