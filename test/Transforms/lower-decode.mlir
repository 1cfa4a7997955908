// A decode becomes register operations: the bits of each code pair are put in
// their places (and, shift, one multiply), the scales of both rows become a pair
// of bf16, and bf16 multiplications with one half of it give the values.
//
// RUN: mxfp4-opt %s --mxfp4-lower-decode --cse \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode
// RUN: mxfp4-opt %s --mxfp4-lower-decode=sequence=auto --cse | FileCheck %s

// Spread codes: register 0 is a mask, 1 a shift and a mask, 2 a rotation and a
// mask; register 3 gathers the leftover bits of that rotation with a
// multiplication. Folded scales: a shift and a mask make a pair, one multiplication
// decodes.

// CHECK-LABEL: llvm.func @fast
// CHECK-SAME:    %[[C:.*]]: i32, %[[S:.*]]: i32
// CHECK:         %[[K6:.*]] = llvm.mlir.constant(6 : i32)
// CHECK:         %[[ROTATED:.*]] = llvm.intr.fshl(%[[C]], %[[C]], %[[K6]])
// CHECK:         %[[LEFT:.*]] = llvm.and %[[ROTATED]], %{{.*}}
// 0x81C081C0: sign, e1, e0 and m of both halves.
// CHECK:         %[[PLACED:.*]] = llvm.mlir.constant(-2118090304 : i32)
// CHECK:         %[[V0:.*]] = llvm.and %[[C]], %[[PLACED]]
// CHECK:         %[[SHL1:.*]] = llvm.shl %[[C]]
// CHECK:         %[[V1:.*]] = llvm.and %[[SHL1]], %[[PLACED]]
// CHECK:         %[[V2:.*]] = llvm.and %[[ROTATED]], %[[PLACED]]
// CHECK:         %[[MOVED:.*]] = llvm.mul %[[LEFT]]
// CHECK:         %[[V3:.*]] = llvm.and %[[MOVED]], %[[PLACED]]
// The first k32 slice: bytes 0 and 2 of the scales, put into the exponent fields
// of a pair, 0x7F807F80.
// CHECK:         %[[K7:.*]] = llvm.mlir.constant(7 : i32)
// CHECK:         %[[UP:.*]] = llvm.shl %[[S]], %[[K7]]
// CHECK:         %[[FIELDS:.*]] = llvm.mlir.constant(2139127680 : i32)
// CHECK:         %[[SCALES:.*]] = llvm.and %[[UP]], %[[FIELDS]]
// CHECK:         %[[PAIR:.*]] = llvm.bitcast %[[SCALES]] : i32 to vector<2xbf16>
// CHECK:         %[[SCALE0P:.*]] = llvm.shufflevector %[[PAIR]], %{{.*}} [0, 0]
// CHECK:         %[[SCALE1P:.*]] = llvm.shufflevector %[[PAIR]], %{{.*}} [1, 1]
// Registers 0 and 2 belong to one row, 1 and 3 to the other.
// CHECK:         %[[V0P:.*]] = llvm.bitcast %[[V0]] : i32 to vector<2xbf16>
// CHECK:         %[[R0:.*]] = llvm.fmul %[[V0P]], %[[SCALE0P]] : vector<2xbf16>
// CHECK:         %[[V1P:.*]] = llvm.bitcast %[[V1]]
// CHECK:         %[[R1:.*]] = llvm.fmul %[[V1P]], %[[SCALE1P]]
// CHECK:         %[[V2P:.*]] = llvm.bitcast %[[V2]]
// CHECK:         %[[R2:.*]] = llvm.fmul %[[V2P]], %[[SCALE0P]]
// CHECK:         %[[V3P:.*]] = llvm.bitcast %[[V3]]
// CHECK:         %[[R3:.*]] = llvm.fmul %[[V3P]], %[[SCALE1P]]
// CHECK-NOT:     llvm.fmul
// CHECK:         llvm.insertvalue %[[R0]], %{{.*}}[0]
// CHECK:         llvm.insertvalue %[[R1]], %{{.*}}[1]
// CHECK:         llvm.insertvalue %[[R2]], %{{.*}}[2]
// CHECK:         llvm.insertvalue %[[R3]], %{{.*}}[3]
!fragment = !llvm.struct<(vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>)>
llvm.func @fast(%c: i32, %s: i32) -> !fragment {
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<spread, folded>
  %p = llvm.mlir.poison : !fragment
  %0 = llvm.insertvalue %r#0, %p[0] : !fragment
  %1 = llvm.insertvalue %r#1, %0[1] : !fragment
  %2 = llvm.insertvalue %r#2, %1[2] : !fragment
  %3 = llvm.insertvalue %r#3, %2[3] : !fragment
  llvm.return %3 : !fragment
}

// Steps of one k32 slice share the expansion of the scales after CSE. Those of the
// second slice, bytes 1 and 3, come down by one bit.

// CHECK-LABEL: llvm.func @shared_scales
// CHECK:         %[[K1:.*]] = llvm.mlir.constant(1 : i32)
// CHECK:         %[[DOWN:.*]] = llvm.lshr %{{.*}}, %[[K1]]
// CHECK:         %[[FIELDS:.*]] = llvm.mlir.constant(2139127680 : i32)
// CHECK:         %[[SCALES:.*]] = llvm.and %[[DOWN]], %[[FIELDS]]
// CHECK:         %[[BOTH:.*]] = llvm.bitcast %[[SCALES]] : i32 to vector<2xbf16>
// CHECK:         %[[PAIR:.*]] = llvm.shufflevector %[[BOTH]], %{{.*}} [0, 0]
// CHECK:         %[[A:.*]] = llvm.fmul %{{.*}}, %[[PAIR]]
// CHECK-NOT:     llvm.and %{{.*}}, %[[FIELDS]]
// CHECK:         %[[B:.*]] = llvm.fmul %{{.*}}, %[[PAIR]]
// CHECK:         llvm.fadd %[[A]], %[[B]]
llvm.func @shared_scales(%c: i32, %d: i32, %s: i32) -> vector<2xbf16> {
  %a:4 = mxfp4.decode %c, %s step 2 : !mxfp4.block<spread, folded>
  %b:4 = mxfp4.decode %d, %s step 3 : !mxfp4.block<spread, folded>
  %sum = llvm.fadd %a#0, %b#0 : vector<2xbf16>
  llvm.return %sum : vector<2xbf16>
}

// Raw scales: two multiplications per register, the first by 2^126 = 0x7E80, and
// a scale takes care of the bytes 0 (2^-127) and 255 (NaN).

// CHECK-LABEL: llvm.func @exact
// CHECK:         llvm.mlir.constant(2122350208 : i32)
// CHECK-COUNT-8: llvm.fmul
// CHECK-NOT:     llvm.fmul
// CHECK:         llvm.return
llvm.func @exact(%c: i32, %s: i32) -> !fragment {
  %r:4 = mxfp4.decode %c, %s step 1 : !mxfp4.block<spread, raw>
  %p = llvm.mlir.poison : !fragment
  %0 = llvm.insertvalue %r#0, %p[0] : !fragment
  %1 = llvm.insertvalue %r#1, %0[1] : !fragment
  %2 = llvm.insertvalue %r#2, %1[2] : !fragment
  %3 = llvm.insertvalue %r#3, %2[3] : !fragment
  llvm.return %3 : !fragment
}

// Nibble order: sign (0x80008000) and magnitude (0x01C001C0) of each register
// move by different distances and are joined.

// CHECK-LABEL: llvm.func @plain_fast
// CHECK:         llvm.mlir.constant(-2147450880 : i32)
// CHECK:         llvm.mlir.constant(29360576 : i32)
// CHECK-COUNT-4: llvm.or
// CHECK-NOT:     llvm.or
// CHECK-COUNT-4: llvm.fmul
// CHECK-NOT:     llvm.fmul
// CHECK:         llvm.return
llvm.func @plain_fast(%c: i32, %s: i32) -> !fragment {
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<nibble, folded>
  %p = llvm.mlir.poison : !fragment
  %0 = llvm.insertvalue %r#0, %p[0] : !fragment
  %1 = llvm.insertvalue %r#1, %0[1] : !fragment
  %2 = llvm.insertvalue %r#2, %1[2] : !fragment
  %3 = llvm.insertvalue %r#3, %2[3] : !fragment
  llvm.return %3 : !fragment
}

// CHECK-LABEL: llvm.func @plain
// CHECK-COUNT-4: llvm.or
// CHECK-COUNT-8: llvm.fmul
// CHECK-NOT:     llvm.fmul
// CHECK:         llvm.return
llvm.func @plain(%c: i32, %s: i32) -> !fragment {
  %r:4 = mxfp4.decode %c, %s step 0 : !mxfp4.block<nibble, raw>
  %p = llvm.mlir.poison : !fragment
  %0 = llvm.insertvalue %r#0, %p[0] : !fragment
  %1 = llvm.insertvalue %r#1, %0[1] : !fragment
  %2 = llvm.insertvalue %r#2, %1[2] : !fragment
  %3 = llvm.insertvalue %r#3, %2[3] : !fragment
  llvm.return %3 : !fragment
}

// Weights of a row to e5m2. The byte of the third k32 step is in all four bytes of
// a word (the selector is 0x4442), and two multiplications make the table of the
// eight magnitudes at that scale: bytes 0, .5, 1, 1.5 and 2, 3, 4, 6. The codes
// without their bits 3, which hold signs, select bytes of the table. The signs of
// the first four weights are in place, and those of the others 4 bits lower.

// CHECK-LABEL: func.func @to_e5m2
// CHECK-SAME:    %[[C:.*]]: i32, %[[S:.*]]: i32
// CHECK-DAG:     %[[ZERO:.*]] = llvm.mlir.constant(0 : i32)
// CHECK-DAG:     %[[THIRD:.*]] = llvm.mlir.constant(17474 : i32)
// CHECK:         %[[SCALE:.*]] = nvvm.prmt <default> %[[THIRD]], %[[S]], %[[ZERO]]
// 0x04040400 and 0x0A080400, then 0x04040404 and 0x12100E0C.
// CHECK:         %[[BY0:.*]] = llvm.mlir.constant(67372032 : i32)
// CHECK:         %[[UP0:.*]] = llvm.mul %[[SCALE]], %[[BY0]]
// CHECK:         %[[AT0:.*]] = llvm.mlir.constant(168297472 : i32)
// CHECK:         %[[LOW:.*]] = llvm.add %[[UP0]], %[[AT0]]
// CHECK:         %[[BY1:.*]] = llvm.mlir.constant(67372036 : i32)
// CHECK:         %[[UP1:.*]] = llvm.mul %[[SCALE]], %[[BY1]]
// CHECK:         %[[AT1:.*]] = llvm.mlir.constant(303042060 : i32)
// CHECK:         %[[HIGH:.*]] = llvm.add %[[UP1]], %[[AT1]]
// CHECK:         %[[MAGNITUDES:.*]] = llvm.mlir.constant(2004318071 : i32)
// CHECK:         %[[SELECT:.*]] = llvm.and %[[C]], %[[MAGNITUDES]]
// CHECK:         %[[BYTES:.*]] = nvvm.prmt <default> %[[SELECT]], %[[LOW]], %[[HIGH]]
// CHECK:         %[[SIGNS:.*]] = llvm.mlir.constant(-2139062144 : i32)
// CHECK:         %[[SIGN:.*]] = llvm.and %[[C]], %[[SIGNS]]
// CHECK:         %[[FIRST:.*]] = llvm.or %[[BYTES]], %[[SIGN]]
// CHECK:         %[[REST:.*]] = llvm.lshr %[[SELECT]]
// CHECK:         %[[MORE:.*]] = nvvm.prmt <default> %[[REST]], %[[LOW]], %[[HIGH]]
// CHECK:         %[[SHIFTED:.*]] = llvm.shl %[[C]]
// CHECK:         %[[OTHERS:.*]] = llvm.and %[[SHIFTED]], %[[SIGNS]]
// CHECK:         %[[SECOND:.*]] = llvm.or %[[MORE]], %[[OTHERS]]
// CHECK:         llvm.bitcast %[[FIRST]] : i32 to vector<4xi8>
// CHECK:         llvm.bitcast %[[SECOND]] : i32 to vector<4xi8>
func.func @to_e5m2(%codes: i32, %scales: i32)
    -> (vector<4xf8E5M2>, vector<4xf8E5M2>) {
  %low, %high = mxfp4.decode_row %codes, %scales step 2
      : !mxfp4.block<bytes, relative>
  return %low, %high : vector<4xf8E5M2>, vector<4xf8E5M2>
}

// The rows that a pin takes are decoded stage by stage: bytes of scales, magnitudes
// and signs, signs of the second register, tables with the first permutation, the second
// permutation, unions.

// CHECK-LABEL: func.func @interleaved
// CHECK-SAME:    %[[C0:[^ ]*]]: i32, %[[C1:[^ ]*]]: i32, %[[S0:[^ ]*]]: i32, %[[S1:[^ ]*]]: i32)
// CHECK:         %[[Q0:.*]] = nvvm.prmt <default> %{{.*}}, %[[S0]], %{{.*}}
// CHECK:         %[[Q1:.*]] = nvvm.prmt <default> %{{.*}}, %[[S1]], %{{.*}}
// CHECK:         %[[M0:.*]] = llvm.and %[[C0]],
// CHECK:         %[[G0:.*]] = llvm.and %[[C0]],
// CHECK:         %[[M1:.*]] = llvm.and %[[C1]],
// CHECK:         %[[G1:.*]] = llvm.and %[[C1]],
// CHECK:         %[[L0:.*]] = llvm.shl %[[C0]],
// CHECK:         %[[H0:.*]] = llvm.and %[[L0]],
// CHECK:         %[[L1:.*]] = llvm.shl %[[C1]],
// CHECK:         %[[H1:.*]] = llvm.and %[[L1]],
// CHECK-COUNT-2: llvm.mul %[[Q0]],
// CHECK:         %[[A0:.*]] = nvvm.prmt <default> %[[M0]],
// CHECK-COUNT-2: llvm.mul %[[Q1]],
// CHECK:         %[[A1:.*]] = nvvm.prmt <default> %[[M1]],
// CHECK:         %[[R0:.*]] = llvm.lshr %[[M0]],
// CHECK:         %[[B0:.*]] = nvvm.prmt <default> %[[R0]],
// CHECK:         %[[R1:.*]] = llvm.lshr %[[M1]],
// CHECK:         %[[B1:.*]] = nvvm.prmt <default> %[[R1]],
// CHECK:         llvm.or %[[A0]], %[[G0]]
// CHECK-NEXT:    llvm.or %[[B0]], %[[H0]]
// CHECK-NEXT:    llvm.or %[[A1]], %[[G1]]
// CHECK-NEXT:    llvm.or %[[B1]], %[[H1]]
// CHECK:         mxfp4.pin
func.func @interleaved(%c0: i32, %c1: i32, %s0: i32, %s1: i32) {
  %r0:2 = mxfp4.decode_row %c0, %s0 step 1 : !mxfp4.block<bytes, relative>
  %r1:2 = mxfp4.decode_row %c1, %s1 step 1 : !mxfp4.block<bytes, relative>
  %p:4 = mxfp4.pin %r0#0, %r1#0, %r0#1, %r1#1
      : vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>
  return
}

// A row that others use too, and one that no pin takes, are decoded in their places.

// CHECK-LABEL: func.func @behind
// CHECK-SAME:    %[[C0:[^ ]*]]: i32, %[[C1:[^ ]*]]: i32, %[[C2:[^ ]*]]: i32
// CHECK:         llvm.and %[[C0]],
// CHECK-COUNT-2: llvm.or
// CHECK:         llvm.and %[[C1]],
// CHECK-COUNT-2: llvm.or
// CHECK:         llvm.and %[[C2]],
// CHECK-COUNT-2: llvm.or
// CHECK:         mxfp4.pin
func.func @behind(%c0: i32, %c1: i32, %c2: i32, %s: i32)
    -> (vector<4xf8E5M2>, vector<4xf8E5M2>) {
  %r0:2 = mxfp4.decode_row %c0, %s step 1 : !mxfp4.block<bytes, relative>
  %r1:2 = mxfp4.decode_row %c1, %s step 1 : !mxfp4.block<bytes, relative>
  %r2:2 = mxfp4.decode_row %c2, %s step 1 : !mxfp4.block<bytes, relative>
  %p:2 = mxfp4.pin %r0#0, %r2#0 : vector<4xf8E5M2>, vector<4xf8E5M2>
  return %r0#1, %r1#0 : vector<4xf8E5M2>, vector<4xf8E5M2>
}
