// Runs the loops and compares with results computed by hand and with an
// independent decode in f64.
//
// RUN: mxfp4-opt %s --mxfp4-to-cpu \
// RUN:   | mlir-runner -e main --entry-point-result=void -O0 \
// RUN:       --shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s

func.func private @printMemrefF32(memref<*xf32>) attributes {llvm.emit_c_interface}
func.func private @printMemrefI32(memref<*xi32>) attributes {llvm.emit_c_interface}
func.func private @printI64(i64)
func.func private @printNewline()

//===----------------------------------------------------------------------===//
// Decode: every byte of two codes under every scale
//===----------------------------------------------------------------------===//

memref.global "private" constant @magnitudes : memref<8xf64> =
  dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0]>

// 1 if the value is not the expected one, bit for bit (all NaNs are one).
func.func @differs(%value: f32, %expected: f64) -> i64 {
  %narrow = arith.truncf %expected : f64 to f32
  %a = arith.bitcast %value : f32 to i32
  %b = arith.bitcast %narrow : f32 to i32
  %same = arith.cmpi eq, %a, %b : i32
  %nan_a = arith.cmpf uno, %value, %value : f32
  %nan_b = arith.cmpf uno, %narrow, %narrow : f32
  %nans = arith.andi %nan_a, %nan_b : i1
  %ok = arith.ori %same, %nans : i1
  %zero = arith.constant 0 : i64
  %one = arith.constant 1 : i64
  %result = arith.select %ok, %zero, %one : i64
  return %result : i64
}

// Row s decodes the codes 0, 1, .. 15, 0, .. 15 under scale s.
func.func @decode_everything() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %c255 = arith.constant 255 : index
  %c256 = arith.constant 256 : index
  %codes = memref.alloc() : memref<256x1x16xi8>
  %scales = memref.alloc() : memref<256x1xi8>
  %wide = memref.alloc() : memref<256x32xf32>
  %narrow = memref.alloc() : memref<256x32xbf16>
  scf.for %s = %c0 to %c256 step %c1 {
    %byte = arith.index_cast %s : index to i8
    memref.store %byte, %scales[%s, %c0] : memref<256x1xi8>
    scf.for %j = %c0 to %c16 step %c1 {
      %twice = arith.addi %j, %j : index
      %low = arith.remui %twice, %c16 : index
      %next = arith.addi %low, %c1 : index
      %high = arith.muli %next, %c16 : index
      %pair = arith.addi %low, %high : index
      %pair_byte = arith.index_cast %pair : index to i8
      memref.store %pair_byte, %codes[%s, %c0, %j] : memref<256x1x16xi8>
    }
  }
  mxfp4.dequantize codes(%codes : memref<256x1x16xi8>)
                   scales(%scales : memref<256x1xi8>)
      outs(%wide : memref<256x32xf32>)
  mxfp4.dequantize codes(%codes : memref<256x1x16xi8>)
                   scales(%scales : memref<256x1xi8>)
      outs(%narrow : memref<256x32xbf16>)

  %table = memref.get_global @magnitudes : memref<8xf64>
  %lowest = arith.constant 0x3800000000000000 : f64
  %two = arith.constant 2.0 : f64
  %nan = arith.constant 0x7FF8000000000000 : f64
  %none = arith.constant 0 : i64
  %c8 = arith.constant 8 : index
  %end:2 = scf.for %s = %c0 to %c256 step %c1
      iter_args(%power = %lowest, %wrong = %none) -> (f64, i64) {
    %last = arith.cmpi eq, %s, %c255 : index
    %scale = arith.select %last, %nan, %power : f64
    %row = scf.for %k = %c0 to %c32 step %c1
        iter_args(%count = %wrong) -> (i64) {
      %code = arith.remui %k, %c16 : index
      %index = arith.remui %k, %c8 : index
      %magnitude = memref.load %table[%index] : memref<8xf64>
      %minus = arith.negf %magnitude : f64
      %negative = arith.cmpi uge, %code, %c8 : index
      %value = arith.select %negative, %minus, %magnitude : f64
      %expected = arith.mulf %value, %scale : f64
      %f = memref.load %wide[%s, %k] : memref<256x32xf32>
      %h = memref.load %narrow[%s, %k] : memref<256x32xbf16>
      %hf = arith.extf %h : bf16 to f32
      %d0 = func.call @differs(%f, %expected) : (f32, f64) -> i64
      %d1 = func.call @differs(%hf, %expected) : (f32, f64) -> i64
      %sum = arith.addi %count, %d0 : i64
      %sum1 = arith.addi %sum, %d1 : i64
      scf.yield %sum1 : i64
    }
    %twice = arith.mulf %power, %two : f64
    scf.yield %twice, %row : f64, i64
  }
  // CHECK: {{^}}0{{$}}
  call @printI64(%end#1) : (i64) -> ()
  call @printNewline() : () -> ()
  return
}

//===----------------------------------------------------------------------===//
// grouped_matmul by hand: three experts of 2 x 32, all codes 1.0 but in the
// second row, where they are alternately -0.5 and 6
//===----------------------------------------------------------------------===//

memref.global "private" constant @codes : memref<3x2x1x16xi8> =
  dense<[[[[0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
            0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22]],
          [[0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79,
            0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79]]],
         [[[0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
            0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22]],
          [[0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79,
            0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79]]],
         [[[0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
            0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22]],
          [[0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79,
            0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79, 0x79]]]]>
// 2^0 and 2^1; NaN and 2^-127; the largest, whose 6.0 is infinite, and 2^0.
memref.global "private" constant @scales : memref<3x2x1xi8> =
  dense<[[[127], [128]], [[0xFF], [0]], [[127], [0xFE]]]>
memref.global "private" constant @offsets : memref<6xi32> =
  dense<[0, 2, 2, 3, 4, 6]>
memref.global "private" constant @ids : memref<5xi32> =
  dense<[0, 1, 2, 1, -1]>
memref.global "private" constant @bad_ids : memref<5xi32> =
  dense<[3, 7, 0, -2, -1]>
memref.global "private" constant @bad_offsets : memref<6xi32> =
  dense<[0, 2, 1, 3, 4, 6]>
memref.global "private" constant @short_offsets : memref<6xi32> =
  dense<[0, 2, 2, 3, 4, 5]>

func.func @run(%ids: memref<5xi32>, %offsets: memref<6xi32>) {
  %codes = memref.get_global @codes : memref<3x2x1x16xi8>
  %scales = memref.get_global @scales : memref<3x2x1xi8>
  %one = arith.constant 1.0 : bf16
  %mark = arith.constant 42.0 : f32
  %none = arith.constant 0 : i32
  %x = memref.alloc() : memref<6x32xbf16>
  %y = memref.alloc() : memref<6x2xf32>
  %error = memref.alloc() : memref<1xi32>
  linalg.fill ins(%one : bf16) outs(%x : memref<6x32xbf16>)
  linalg.fill ins(%mark : f32) outs(%y : memref<6x2xf32>)
  linalg.fill ins(%none : i32) outs(%error : memref<1xi32>)
  mxfp4.grouped_matmul activations(%x : memref<6x32xbf16>)
      weights(%codes, %scales : memref<3x2x1x16xi8>, memref<3x2x1xi8>)
      offsets(%offsets : memref<6xi32>) expert_ids(%ids : memref<5xi32>)
      outs(%y : memref<6x2xf32>) error(%error : memref<1xi32>)
  %y_any = memref.cast %y : memref<6x2xf32> to memref<*xf32>
  %error_any = memref.cast %error : memref<1xi32> to memref<*xi32>
  call @printMemrefF32(%y_any) : (memref<*xf32>) -> ()
  call @printMemrefI32(%error_any) : (memref<*xi32>) -> ()
  return
}

func.func @by_hand() {
  %ids = memref.get_global @ids : memref<5xi32>
  %offsets = memref.get_global @offsets : memref<6xi32>
  // 32 * 1 and 16 * (6 - 0.5) * 2; then infinity; NaN, 88 * 2^-127; zeros.
  // CHECK:      [32, 176],
  // CHECK-NEXT: [32, 176],
  // CHECK-NEXT: [32, inf],
  // CHECK-NEXT: [nan, 5.17218e-37],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [0, 0]]
  // CHECK:      [0]
  call @run(%ids, %offsets) : (memref<5xi32>, memref<6xi32>) -> ()
  // An empty group's id is not looked at; a bad id's rows are not stored.
  // CHECK:      [42, 42],
  // CHECK-NEXT: [42, 42],
  // CHECK-NEXT: [32, 176],
  // CHECK-NEXT: [42, 42],
  // CHECK-NEXT: [0, 0],
  // CHECK-NEXT: [0, 0]]
  // CHECK:      [2]
  %bad_ids = memref.get_global @bad_ids : memref<5xi32>
  call @run(%bad_ids, %offsets) : (memref<5xi32>, memref<6xi32>) -> ()
  // CHECK-COUNT-6: [42, 42]
  // CHECK: [1]
  %bad_offsets = memref.get_global @bad_offsets : memref<6xi32>
  call @run(%ids, %bad_offsets) : (memref<5xi32>, memref<6xi32>) -> ()
  // CHECK-COUNT-6: [42, 42]
  // CHECK: [1]
  %short_offsets = memref.get_global @short_offsets : memref<6xi32>
  call @run(%ids, %short_offsets) : (memref<5xi32>, memref<6xi32>) -> ()
  return
}

//===----------------------------------------------------------------------===//
// quantize, and back
//===----------------------------------------------------------------------===//

// Rows: the eight magnitudes and ties between them under scale 2^0 and 2^-1;
// zeros; a NaN among ones; subnormals.
func.func @quantize() {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %c8 = arith.constant 8 : index
  %zero = arith.constant 0.0 : f32
  %ones = arith.constant 1.0 : f32
  %nan = arith.constant 0x7FC00000 : f32
  %values = memref.alloc() : memref<4x32xf32>
  %back = memref.alloc() : memref<4x32xf32>
  %codes = memref.alloc() : memref<4x1x16xi8>
  %scales = memref.alloc() : memref<4x1xi8>
  linalg.fill ins(%zero : f32) outs(%values : memref<4x32xf32>)
  // Row 0: -k/4 for k = 0..31, that is up to 7.75, which saturates at 6.
  %c32 = arith.constant 32 : index
  %minus_quarter = arith.constant -0.25 : f32
  scf.for %k = %c0 to %c32 step %c1 {
    %i = arith.index_cast %k : index to i32
    %f = arith.sitofp %i : i32 to f32
    %v = arith.mulf %f, %minus_quarter : f32
    memref.store %v, %values[%c0, %k] : memref<4x32xf32>
    memref.store %ones, %values[%c1, %k] : memref<4x32xf32>
  }
  memref.store %nan, %values[%c1, %c8] : memref<4x32xf32>
  // Row 3: 2^-126 is 2 units of 2^-127, and 2^-128 half a unit.
  %smallest = arith.constant 0x00800000 : f32
  %half = arith.constant 0x00200000 : f32
  memref.store %smallest, %values[%c3, %c0] : memref<4x32xf32>
  memref.store %half, %values[%c3, %c1] : memref<4x32xf32>
  mxfp4.quantize ins(%values : memref<4x32xf32>)
      outs(%codes, %scales : memref<4x1x16xi8>, memref<4x1xi8>)
  mxfp4.dequantize codes(%codes : memref<4x1x16xi8>)
                   scales(%scales : memref<4x1xi8>)
      outs(%back : memref<4x32xf32>)
  %any = memref.cast %back : memref<4x32xf32> to memref<*xf32>
  // CHECK:      [-0, -0, -0.5, -1, -1, -1, -1.5, -2, -2, -2, -2, -3, -3, -3, -4, -4, -4, -4, -4, -4, -4, -6, -6, -6, -6, -6, -6, -6, -6, -6, -6, -6]
  // CHECK-NEXT: [nan, nan
  // CHECK-NEXT: [0, 0
  // CHECK-NEXT: [1.17549e-38, 2.93874e-39, 0
  call @printMemrefF32(%any) : (memref<*xf32>) -> ()
  return
}

func.func @main() {
  call @decode_everything() : () -> ()
  call @by_hand() : () -> ()
  call @quantize() : () -> ()
  return
}
