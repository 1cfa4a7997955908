// A tile with few tokens needs few columns of the accumulator, and the tensor
// core's time goes with the instruction's N. An mxfp4.wgmma whose number of tokens
// is known at run time becomes a tree of branches over narrower ones; each adds to
// the first columns of the same accumulator, and leaves the others as they are.
//
// RUN: mxfp4-opt %s --mxfp4-narrow-wgmma | FileCheck %s

!x = memref<3x64x64xbf16, #gpu.address_space<workgroup>>
!x96 = memref<3x96x64xbf16, #gpu.address_space<workgroup>>
!tile = memref<128x64xbf16, #gpu.address_space<workgroup>>

// 64 tokens in steps of 16: four widths, found by the two bits of the number of
// steps that hold all tokens but the first. The fence ahead of the branches leaves
// that of the group with nothing to wait for.

// CHECK-LABEL: func @four_widths
// CHECK-SAME:    %[[ACC:[^ ]*]]: vector<8x4xf32>, %[[A:[^ ]*]]: vector<2xbf16>, %[[X:[^ ]*]]: memref<3x64x64xbf16, {{.*}}>, %[[SLOT:[^ ]*]]: index, %[[N:[^ ]*]]: index)
// CHECK-NEXT:    nvvm.wgmma.fence.aligned
// CHECK-NEXT:    %[[ONE:.*]] = arith.constant 1 : index
// CHECK-NEXT:    %[[SOME:.*]] = arith.maxui %[[N]], %[[ONE]] : index
// CHECK-NEXT:    %[[OTHERS:.*]] = arith.subi %[[SOME]], %[[ONE]] : index
// CHECK-NEXT:    %[[C16:.*]] = arith.constant 16 : index
// CHECK-NEXT:    %[[LAST:.*]] = arith.divui %[[OTHERS]], %[[C16]] : index
// CHECK-NEXT:    %[[C2:.*]] = arith.constant 2 : index
// CHECK-NEXT:    %[[BIT1:.*]] = arith.andi %[[LAST]], %[[C2]] : index
// CHECK-NEXT:    %[[C0:.*]] = arith.constant 0 : index
// CHECK-NEXT:    %[[OVER32:.*]] = arith.cmpi ne, %[[BIT1]], %[[C0]] : index
// CHECK-NEXT:    %[[R:.*]] = scf.if %[[OVER32]] -> (vector<8x4xf32>) {
// CHECK-NEXT:      %[[C1:.*]] = arith.constant 1 : index
// CHECK-NEXT:      %[[BIT0:.*]] = arith.andi %[[LAST]], %[[C1]] : index
// CHECK-NEXT:      %[[C0:.*]] = arith.constant 0 : index
// CHECK-NEXT:      %[[OVER48:.*]] = arith.cmpi ne, %[[BIT0]], %[[C0]] : index
// CHECK-NEXT:      %[[HIGH:.*]] = scf.if %[[OVER48]] -> (vector<8x4xf32>) {
// CHECK-NEXT:        %[[W:.*]] = mxfp4.wgmma %[[ACC]] a(%[[A]], {{.*}}, %[[A]]) b(%[[X]][%[[SLOT]]]) columns 8 : vector<8x4xf32>, memref
// CHECK-NEXT:        scf.yield %[[W]]
// CHECK-NEXT:      } else {
// CHECK-NEXT:        %[[W:.*]] = mxfp4.wgmma %[[ACC]] a({{.*}}) b(%[[X]][%[[SLOT]]]) columns 6 :
// CHECK-NEXT:        scf.yield %[[W]]
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield %[[HIGH]]
// CHECK-NEXT:    } else {
// CHECK-NEXT:      %[[C1:.*]] = arith.constant 1 : index
// CHECK-NEXT:      %[[BIT0:.*]] = arith.andi %[[LAST]], %[[C1]] : index
// CHECK-NEXT:      %[[C0:.*]] = arith.constant 0 : index
// CHECK-NEXT:      %[[OVER16:.*]] = arith.cmpi ne, %[[BIT0]], %[[C0]] : index
// CHECK-NEXT:      %[[LOW:.*]] = scf.if %[[OVER16]] -> (vector<8x4xf32>) {
// CHECK-NEXT:        %[[W:.*]] = mxfp4.wgmma %[[ACC]] a({{.*}}) b(%[[X]][%[[SLOT]]]) columns 4 :
// CHECK-NEXT:        scf.yield %[[W]]
// CHECK-NEXT:      } else {
// CHECK-NEXT:        %[[W:.*]] = mxfp4.wgmma %[[ACC]] a({{.*}}) b(%[[X]][%[[SLOT]]]) columns 2 :
// CHECK-NEXT:        scf.yield %[[W]]
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield %[[LOW]]
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[DONE:.*]] = mxfp4.wgmma_wait %[[R]]
// CHECK-NEXT:    return %[[DONE]]
func.func @four_widths(%acc: vector<8x4xf32>, %a: vector<2xbf16>, %x: !x,
                       %slot: index, %n: index) -> vector<8x4xf32> {
  %r = mxfp4.wgmma %acc
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%slot]) columns 8 tokens(%n by 16) : vector<8x4xf32>, !x
  %done = mxfp4.wgmma_wait %r : vector<8x4xf32>
  return %done : vector<8x4xf32>
}

// Three widths are no full tree: more than 48 tokens are found by one bit.
// A from shared memory stays there.

// CHECK-LABEL: func @three_widths
// CHECK:         %[[C24:.*]] = arith.constant 24 : index
// CHECK-NEXT:    %[[LAST:.*]] = arith.divui %{{.*}}, %[[C24]] : index
// CHECK-NEXT:    %[[C2:.*]] = arith.constant 2 : index
// CHECK-NEXT:    arith.andi %[[LAST]], %[[C2]] : index
// CHECK:         scf.if
// CHECK-NEXT:      mxfp4.wgmma %{{.*}} shared_a(%{{.*}}[%{{.*}}]) buffer 1 b(%{{.*}}) columns 9 :
// CHECK:         } else {
// CHECK-NEXT:      %[[C1:.*]] = arith.constant 1 : index
// CHECK-NEXT:      arith.andi %[[LAST]], %[[C1]] : index
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.wgmma %{{.*}} shared_a(%{{.*}}[%{{.*}}]) buffer 1 b(%{{.*}}) columns 6 :
// CHECK:           } else {
// CHECK-NEXT:        mxfp4.wgmma %{{.*}} shared_a(%{{.*}}[%{{.*}}]) buffer 1 b(%{{.*}}) columns 3 :
func.func @three_widths(%acc: vector<9x4xf32>, %tile: !tile,
    %x: memref<3x72x64xbf16, #gpu.address_space<workgroup>>, %i: index,
    %n: index) -> vector<9x4xf32> {
  %r = mxfp4.wgmma %acc shared_a(%tile[%i]) buffer 1 b(%x[%i]) columns 9
      tokens(%n by 24) : vector<9x4xf32>,
      memref<3x72x64xbf16, #gpu.address_space<workgroup>>, !tile
  %done = mxfp4.wgmma_wait %r : vector<9x4xf32>
  return %done : vector<9x4xf32>
}

// One width only: nothing to choose, and no fence but the group's own.

// CHECK-LABEL: func @one_width
// CHECK-NEXT:    %[[R:.*]] = mxfp4.wgmma {{.*}} columns 8 : vector<8x4xf32>
// CHECK-NEXT:    mxfp4.wgmma_wait %[[R]]
func.func @one_width(%acc: vector<8x4xf32>, %tile: !tile, %x: !x, %i: index,
                     %n: index) -> vector<8x4xf32> {
  %r = mxfp4.wgmma %acc shared_a(%tile[%i]) b(%x[%i]) columns 8
      tokens(%n by 64) : vector<8x4xf32>, !x, !tile
  %done = mxfp4.wgmma_wait %r : vector<8x4xf32>
  return %done : vector<8x4xf32>
}

// Without a number of tokens all columns are wanted.

// CHECK-LABEL: func @all_tokens
// CHECK-NEXT:    mxfp4.wgmma {{.*}} columns 4 : vector<8x4xf32>
// CHECK-NEXT:    mxfp4.wgmma_wait
func.func @all_tokens(%acc: vector<8x4xf32>, %tile: !tile, %x: !x, %i: index)
    -> vector<8x4xf32> {
  %r = mxfp4.wgmma %acc shared_a(%tile[%i]) b(%x[%i]) columns 4
      : vector<8x4xf32>, !x, !tile
  %done = mxfp4.wgmma_wait %r : vector<8x4xf32>
  return %done : vector<8x4xf32>
}

// 96 tokens in steps of 16: six widths, one instruction for each.

// CHECK-LABEL: func @six_widths
// CHECK:         mxfp4.wgmma {{.*}} columns 12 :
// CHECK:         mxfp4.wgmma {{.*}} columns 10 :
// CHECK:         mxfp4.wgmma {{.*}} columns 8 :
// CHECK:         mxfp4.wgmma {{.*}} columns 6 :
// CHECK:         mxfp4.wgmma {{.*}} columns 4 :
// CHECK:         mxfp4.wgmma {{.*}} columns 2 :
// CHECK-NOT:     mxfp4.wgmma %
// CHECK:         return
func.func @six_widths(%acc: vector<12x4xf32>, %a: vector<2xbf16>, %x: !x96,
                      %slot: index, %n: index) -> vector<12x4xf32> {
  %r = mxfp4.wgmma %acc
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
      b(%x[%slot]) columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96
  %done = mxfp4.wgmma_wait %r : vector<12x4xf32>
  return %done : vector<12x4xf32>
}

// Promoted sums whose first interval has a loop of its own: groups that only add, and
// one that may begin from zeros. Each stays one operation, whose lowering chooses
// among its six widths.

!x96b = memref<3x96x128xf8E4M3FN, #gpu.address_space<workgroup>>
!x64b = memref<3x64x128xf8E4M3FN, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @promoted
// CHECK-NEXT:    %[[R0:.*]] = mxfp4.wgmma {{.*}} columns 12 tokens(%{{.*}} by 16) :
// CHECK-NEXT:    %[[R1:.*]] = mxfp4.wgmma %[[R0]] {{.*}} columns 12 tokens(%{{.*}} by 16) :
// CHECK-NEXT:    %[[R2:.*]] = mxfp4.wgmma %[[R1]] {{.*}} columns 12 tokens(%{{.*}} by 16) accumulate(%{{.*}}) :
// CHECK-NEXT:    mxfp4.wgmma_wait %[[R2]]
// CHECK-NEXT:    return
func.func @promoted(%acc: vector<12x4xf32>, %a: vector<4xf8E5M2>, %x: !x96b,
    %slot: index, %n: index, %more: i1) -> vector<12x4xf32> {
  %r0 = mxfp4.wgmma %acc
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %r1 = mxfp4.wgmma %r0
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %r2 = mxfp4.wgmma %r1
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) accumulate(%more)
      : vector<12x4xf32>, !x96b
  %done = mxfp4.wgmma_wait %r2 : vector<12x4xf32>
  return %done : vector<12x4xf32>
}

// Tiles of three heights, as in a kernel with a program for short groups: groups of the
// tallest stay one operation. Of two heights, none does.

!x80 = memref<3x80x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @three_kinds
// CHECK-NOT:     tokens(
// CHECK:         mxfp4.wgmma {{.*}} columns 2 :
// CHECK-NOT:     tokens(
// CHECK:         mxfp4.wgmma {{.*}} columns 10 :
// CHECK-NOT:     tokens(
// CHECK:         mxfp4.wgmma {{.*}} columns 2 :
// CHECK:         mxfp4.wgmma_wait
// CHECK-NEXT:    %[[R:.*]] = mxfp4.wgmma {{.*}} columns 12 tokens(%{{.*}} by 16) :
// CHECK-NEXT:    mxfp4.wgmma_wait %[[R]]
// CHECK-NEXT:    return
func.func @three_kinds(%a8: vector<8x4xf32>, %a10: vector<10x4xf32>,
    %a12: vector<12x4xf32>, %tile: !tile, %x: !x, %x80: !x80, %x96: !x96,
    %i: index, %n: index)
    -> (vector<8x4xf32>, vector<10x4xf32>, vector<12x4xf32>) {
  %r0 = mxfp4.wgmma %a8 shared_a(%tile[%i]) b(%x[%i]) columns 8
      tokens(%n by 16) : vector<8x4xf32>, !x, !tile
  %d0 = mxfp4.wgmma_wait %r0 : vector<8x4xf32>
  %r1 = mxfp4.wgmma %a10 shared_a(%tile[%i]) b(%x80[%i]) columns 10
      tokens(%n by 16) : vector<10x4xf32>, !x80, !tile
  %d1 = mxfp4.wgmma_wait %r1 : vector<10x4xf32>
  %r2 = mxfp4.wgmma %a12 shared_a(%tile[%i]) b(%x96[%i]) columns 12
      tokens(%n by 16) : vector<12x4xf32>, !x96, !tile
  %d2 = mxfp4.wgmma_wait %r2 : vector<12x4xf32>
  return %d0, %d1, %d2 : vector<8x4xf32>, vector<10x4xf32>, vector<12x4xf32>
}

// CHECK-LABEL: func @two_kinds
// CHECK-NOT:     tokens(
// CHECK:         return
func.func @two_kinds(%a8: vector<8x4xf32>, %a10: vector<10x4xf32>,
    %b10: vector<10x4xf32>, %tile: !tile, %x: !x, %x80: !x80,
    %i: index, %n: index)
    -> (vector<8x4xf32>, vector<10x4xf32>, vector<10x4xf32>) {
  %r0 = mxfp4.wgmma %a8 shared_a(%tile[%i]) b(%x[%i]) columns 8
      tokens(%n by 16) : vector<8x4xf32>, !x, !tile
  %d0 = mxfp4.wgmma_wait %r0 : vector<8x4xf32>
  %r1 = mxfp4.wgmma %a10 shared_a(%tile[%i]) b(%x80[%i]) columns 10
      tokens(%n by 16) : vector<10x4xf32>, !x80, !tile
  %d1 = mxfp4.wgmma_wait %r1 : vector<10x4xf32>
  %r2 = mxfp4.wgmma %b10 shared_a(%tile[%i]) b(%x80[%i]) columns 10
      tokens(%n by 16) : vector<10x4xf32>, !x80, !tile
  %d2 = mxfp4.wgmma_wait %r2 : vector<10x4xf32>
  return %d0, %d1, %d2 : vector<8x4xf32>, vector<10x4xf32>, vector<10x4xf32>
}

// An operation for each width of sums that are not promoted, of those that have one
// loop for all intervals, and of fewer tokens.

// CHECK-LABEL: func @not_promoted
// CHECK:         scf.if
// CHECK:         mxfp4.wgmma {{.*}} columns 12 :
// CHECK:         mxfp4.wgmma {{.*}} columns 2 :
func.func @not_promoted(%acc: vector<12x4xf32>, %a: vector<4xf8E5M2>, %x: !x96b,
    %slot: index, %n: index, %more: i1) -> vector<12x4xf32> {
  %r0 = mxfp4.wgmma %acc
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %r1 = mxfp4.wgmma %r0
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %done = mxfp4.wgmma_wait %r1 : vector<12x4xf32>
  return %done : vector<12x4xf32>
}

// Two blocks of rows have two second halves of steps, which only add in a loop for
// all intervals.

// CHECK-LABEL: func @half_steps
// CHECK:         scf.if
// CHECK:         mxfp4.wgmma {{.*}} columns 12 accumulate(%{{.*}}) :
// CHECK:         mxfp4.wgmma {{.*}} step 2 columns 2 :
func.func @half_steps(%acc: vector<12x4xf32>, %a: vector<4xf8E5M2>, %x: !x96b,
    %slot: index, %n: index, %more: i1)
    -> (vector<12x4xf32>, vector<12x4xf32>) {
  %r0 = mxfp4.wgmma %acc a(%a, %a, %a, %a, %a, %a, %a, %a : vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) accumulate(%more)
      : vector<12x4xf32>, !x96b
  %r1 = mxfp4.wgmma %r0 a(%a, %a, %a, %a, %a, %a, %a, %a : vector<4xf8E5M2>)
      b(%x[%slot]) step 2 columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %s0 = mxfp4.wgmma %acc a(%a, %a, %a, %a, %a, %a, %a, %a : vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) accumulate(%more)
      : vector<12x4xf32>, !x96b
  %s1 = mxfp4.wgmma %s0 a(%a, %a, %a, %a, %a, %a, %a, %a : vector<4xf8E5M2>)
      b(%x[%slot]) step 2 columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %r = mxfp4.wgmma_wait %r1 : vector<12x4xf32>
  %s = mxfp4.wgmma_wait %s1 : vector<12x4xf32>
  return %r, %s : vector<12x4xf32>, vector<12x4xf32>
}

// CHECK-LABEL: func @one_loop
// CHECK:         scf.if
// CHECK:         mxfp4.wgmma {{.*}} columns 12 accumulate(%{{.*}}) :
// CHECK:         mxfp4.wgmma {{.*}} columns 2 accumulate(%{{.*}}) :
func.func @one_loop(%acc: vector<12x4xf32>, %a: vector<4xf8E5M2>, %x: !x96b,
    %slot: index, %n: index, %more: i1) -> vector<12x4xf32> {
  %r0 = mxfp4.wgmma %acc
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) : vector<12x4xf32>, !x96b
  %r1 = mxfp4.wgmma %r0
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 12 tokens(%n by 16) accumulate(%more)
      : vector<12x4xf32>, !x96b
  %done = mxfp4.wgmma_wait %r1 : vector<12x4xf32>
  return %done : vector<12x4xf32>
}

// CHECK-LABEL: func @low_promoted
// CHECK:         scf.if
// CHECK:         mxfp4.wgmma {{.*}} columns 8 accumulate(%{{.*}}) :
// CHECK:         mxfp4.wgmma {{.*}} columns 2 accumulate(%{{.*}}) :
func.func @low_promoted(%acc: vector<8x4xf32>, %a: vector<4xf8E5M2>, %x: !x64b,
    %slot: index, %n: index, %more: i1) -> vector<8x4xf32> {
  %r0 = mxfp4.wgmma %acc
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 8 tokens(%n by 16) : vector<8x4xf32>, !x64b
  %r1 = mxfp4.wgmma %r0
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 8 tokens(%n by 16) : vector<8x4xf32>, !x64b
  %r2 = mxfp4.wgmma %r1
      a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a :
        vector<4xf8E5M2>)
      b(%x[%slot]) columns 8 tokens(%n by 16) accumulate(%more)
      : vector<8x4xf32>, !x64b
  %done = mxfp4.wgmma_wait %r2 : vector<8x4xf32>
  return %done : vector<8x4xf32>
}
