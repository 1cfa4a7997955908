// Where sums are promoted, and instructions therefore begin them anew, registers are
// scarce: the rows that a pin takes are decoded one behind the other.
//
// RUN: mxfp4-opt %s --mxfp4-lower-decode --cse \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode

!tokens = memref<4x16x128xf8E4M3FN, #gpu.address_space<workgroup>>

// CHECK-LABEL: func.func @promoted
// CHECK-SAME:    %[[C0:[^ ]*]]: i32, %[[C1:[^ ]*]]: i32
// CHECK:         llvm.and %[[C0]],
// CHECK-COUNT-2: llvm.or
// CHECK:         llvm.and %[[C1]],
// CHECK-COUNT-2: llvm.or
// CHECK:         mxfp4.pin
// CHECK:         mxfp4.wgmma {{.*}} accumulate(
func.func @promoted(%c0: i32, %c1: i32, %s0: i32, %s1: i32, %sums: vector<2x4xf32>,
                    %x: !tokens, %slot: index, %keep: i1) -> vector<2x4xf32> {
  %r0:2 = mxfp4.decode_row %c0, %s0 step 1 : !mxfp4.block<bytes, relative>
  %r1:2 = mxfp4.decode_row %c1, %s1 step 1 : !mxfp4.block<bytes, relative>
  %p:4 = mxfp4.pin %r0#0, %r1#0, %r0#1, %r1#1
      : vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>
  %0 = mxfp4.wgmma %sums
      a(%p#0, %p#1, %p#2, %p#3, %p#0, %p#1, %p#2, %p#3,
        %p#0, %p#1, %p#2, %p#3, %p#0, %p#1, %p#2, %p#3 : vector<4xf8E5M2>)
      b(%x[%slot]) columns 2 accumulate(%keep) : vector<2x4xf32>, !tokens
  return %0 : vector<2x4xf32>
}

// Another kernel of the module has its own order.

// CHECK-LABEL: func.func @beside
// CHECK-SAME:    %[[C0:[^ ]*]]: i32, %[[C1:[^ ]*]]: i32
// CHECK:         llvm.and %[[C0]],
// CHECK-NOT:     llvm.or
// CHECK:         llvm.and %[[C1]],
// CHECK-COUNT-4: llvm.or
// CHECK:         mxfp4.pin
func.func @beside(%c0: i32, %c1: i32, %s0: i32, %s1: i32) {
  %r0:2 = mxfp4.decode_row %c0, %s0 step 1 : !mxfp4.block<bytes, relative>
  %r1:2 = mxfp4.decode_row %c1, %s1 step 1 : !mxfp4.block<bytes, relative>
  %p:4 = mxfp4.pin %r0#0, %r1#0, %r0#1, %r1#1
      : vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>
  return
}
