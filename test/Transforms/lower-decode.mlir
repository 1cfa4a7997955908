// A decode becomes register operations: the bits of each code pair are put in
// their places (and, shift, one multiply), the two scale bytes become pairs of
// bf16, and bf16 multiplications give the values.
//
// RUN: mxfp4-opt %s --mxfp4-lower-decode --cse \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode
// RUN: mxfp4-opt %s --mxfp4-lower-decode=sequence=auto --cse | FileCheck %s

// Spread codes: register 0 is a mask, 1 and 2 a shift and a mask; register 3
// gathers the leftover bits with a multiplication. Folded scales: one
// multiplication makes a pair, one more decodes.

// CHECK-LABEL: llvm.func @fast
// CHECK-SAME:    %[[C:.*]]: i32, %[[S:.*]]: i32
// CHECK:         %[[K10:.*]] = llvm.mlir.constant(10 : i32)
// CHECK:         %[[REST:.*]] = llvm.lshr %[[C]], %[[K10]]
// CHECK:         %[[LEFT:.*]] = llvm.and %[[REST]], %{{.*}}
// 0x81C081C0: sign, e1, e0 and m of both halves.
// CHECK:         %[[PLACED:.*]] = llvm.mlir.constant(-2118090304 : i32)
// CHECK:         %[[V0:.*]] = llvm.and %[[C]], %[[PLACED]]
// CHECK:         %[[SHL1:.*]] = llvm.shl %[[C]]
// CHECK:         %[[V1:.*]] = llvm.and %[[SHL1]], %[[PLACED]]
// CHECK:         %[[SHL2:.*]] = llvm.shl %[[C]]
// CHECK:         %[[V2:.*]] = llvm.and %[[SHL2]], %[[PLACED]]
// CHECK:         %[[MOVED:.*]] = llvm.mul %[[LEFT]]
// CHECK:         %[[V3:.*]] = llvm.and %[[MOVED]], %[[PLACED]]
// The first k32 slice: bytes 0 and 1 of the scales. 0x00800080 puts the byte
// into both exponent fields.
// CHECK:         %[[BYTE0:.*]] = llvm.and %[[S]], %{{.*}}
// CHECK:         %[[BOTH:.*]] = llvm.mlir.constant(8388736 : i32)
// CHECK:         %[[SCALE0:.*]] = llvm.mul %[[BYTE0]], %[[BOTH]]
// CHECK:         %[[K8:.*]] = llvm.mlir.constant(8 : i32)
// CHECK:         %[[SHIFTED:.*]] = llvm.lshr %[[S]], %[[K8]]
// CHECK:         %[[BYTE1:.*]] = llvm.and %[[SHIFTED]], %{{.*}}
// CHECK:         %[[SCALE1:.*]] = llvm.mul %[[BYTE1]], %[[BOTH]]
// Registers 0 and 2 belong to one row, 1 and 3 to the other.
// CHECK:         %[[V0P:.*]] = llvm.bitcast %[[V0]] : i32 to vector<2xbf16>
// CHECK:         %[[SCALE0P:.*]] = llvm.bitcast %[[SCALE0]] : i32 to vector<2xbf16>
// CHECK:         %[[R0:.*]] = llvm.fmul %[[V0P]], %[[SCALE0P]] : vector<2xbf16>
// CHECK:         %[[V1P:.*]] = llvm.bitcast %[[V1]]
// CHECK:         %[[SCALE1P:.*]] = llvm.bitcast %[[SCALE1]]
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

// Steps of one k32 slice share the expansion of the scales after CSE.

// CHECK-LABEL: llvm.func @shared_scales
// CHECK:         %[[BOTH:.*]] = llvm.mlir.constant(8388736 : i32)
// CHECK:         %[[SCALE:.*]] = llvm.mul %{{.*}}, %[[BOTH]]
// CHECK:         %[[PAIR:.*]] = llvm.bitcast %[[SCALE]] : i32 to vector<2xbf16>
// CHECK:         %[[A:.*]] = llvm.fmul %{{.*}}, %[[PAIR]]
// CHECK-NOT:     llvm.mul %{{.*}}, %[[BOTH]]
// CHECK:         %[[B:.*]] = llvm.fmul %{{.*}}, %[[PAIR]]
// CHECK:         llvm.fadd %[[A]], %[[B]]
llvm.func @shared_scales(%c: i32, %d: i32, %s: i32) -> vector<2xbf16> {
  %a:4 = mxfp4.decode %c, %s step 2 : !mxfp4.block<spread, folded>
  %b:4 = mxfp4.decode %d, %s step 3 : !mxfp4.block<spread, folded>
  %sum = llvm.fadd %a#0, %b#0 : vector<2xbf16>
  llvm.return %sum : vector<2xbf16>
}

// Raw scales: two multiplications a register, the first by 2^126 = 0x7E80, and
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
