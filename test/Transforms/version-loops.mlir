// Where memory decides, most tiles have no more than one token step. They get a
// loop over K of their own, whose wgmma is that narrow and chooses nothing.
//
// RUN: mxfp4-opt %s --mxfp4-version-loops --split-input-file | FileCheck %s

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 8, k_slices = 3>
!x = memref<9x32x64xbf16, #gpu.address_space<workgroup>>

// Of 45 k64 steps this slice has 15. Neither loop hands its cursor on. What does
// not change from step to step is computed in front of both loops.

// CHECK-LABEL: func @few_tokens
// CHECK-SAME:    %[[N:[^:]*]]: index, %[[RING:[^:]*]]: !mxfp4.ring<9>, %[[START:[^:]*]]: !mxfp4.cursor<9 by 3>, %[[SLICE:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<1x4x4xf32>
// CHECK-NEXT:    %[[PLACE:.*]] = arith.addi %[[SLICE]], %[[SLICE]]
// CHECK-NEXT:    %[[END:.*]] = mxfp4.ring_skip %[[START]] steps 15 : <9 by 3>
// CHECK-NEXT:    %[[C8:.*]] = arith.constant 8 : index
// CHECK-NEXT:    %[[FEW:.*]] = arith.cmpi ule, %[[N]], %[[C8]] : index
// CHECK-NEXT:    %[[R:.*]] = scf.if %[[FEW]] -> (vector<1x4x4xf32>) {
// CHECK-NEXT:      %[[S:.*]]:2 = mxfp4.k_loop to 45 slice(%[[SLICE]]) drains %[[RING]] at %[[START]] init(%[[ZERO]])
// CHECK:             mxfp4.wgmma {{.*}} columns 1 tokens(%[[N]] by 8)
// CHECK:           scf.yield %[[S]]#0
// CHECK-NEXT:    } else {
// CHECK-NEXT:      %[[S:.*]]:2 = mxfp4.k_loop to 45 slice(%[[SLICE]]) drains %[[RING]] at %[[START]] init(%[[ZERO]])
// CHECK:             mxfp4.wgmma {{.*}} columns 4 tokens(%[[N]] by 8)
// CHECK:           scf.yield %[[S]]#0
// CHECK-NEXT:    }
// CHECK-NEXT:    return %[[R]], %[[END]]
func.func @few_tokens(%x: !x, %a: vector<2xbf16>, %n: index, %ring: !mxfp4.ring<9>,
    %start: !mxfp4.cursor<9 by 3>, %slice: index, %zero: vector<1x4x4xf32>)
    -> (vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>) {
  %r:2 = mxfp4.k_loop to 45 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #few} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<1x4x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<1x4x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %place = arith.addi %slice, %slice : index
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<4x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
        mxfp4.yield %m : vector<4x4xf32>
      } : vector<1x4x4xf32>
    mxfp4.yield %next : vector<1x4x4xf32>
  }
  return %r#0, %r#1 : vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>
}

// Tokens that the loop itself finds cannot choose it, and slices with different
// numbers of steps have no cursor to compute.

// CHECK-LABEL: func @tokens_inside
// CHECK-NOT:     scf.if
// CHECK:         return
func.func @tokens_inside(%x: !x, %a: vector<2xbf16>, %n: index, %ring: !mxfp4.ring<9>,
    %start: !mxfp4.cursor<9 by 3>, %slice: index, %zero: vector<1x4x4xf32>)
    -> (vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>) {
  %r:2 = mxfp4.k_loop to 45 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #few} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<1x4x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<1x4x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<4x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 4 tokens(%slot by 8) : vector<4x4xf32>, !x
        mxfp4.yield %m : vector<4x4xf32>
      } : vector<1x4x4xf32>
    mxfp4.yield %next : vector<1x4x4xf32>
  }
  return %r#0, %r#1 : vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>
}

// Of 46 steps the first slice has 14, each other one 16.

// CHECK-LABEL: func @uneven
// CHECK-SAME:    %[[START:[^:]*]]: !mxfp4.cursor<9 by 3>, %[[SLICE:[^:]*]]: index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[FIRST:.*]] = arith.cmpi eq, %[[SLICE]], %[[C0]] : index
// CHECK-DAG:     %[[MORE:.*]] = arith.select %[[FIRST]], %{{.*}}, %[[C2]] : index
// CHECK:         %[[END:.*]] = mxfp4.ring_skip %[[START]] steps 14 plus %[[MORE]] : <9 by 3>
// CHECK:         scf.if
// CHECK:         return %{{.*}}, %[[END]]
func.func @uneven(%x: !x, %a: vector<2xbf16>, %n: index, %ring: !mxfp4.ring<9>,
    %start: !mxfp4.cursor<9 by 3>, %slice: index, %zero: vector<1x4x4xf32>)
    -> (vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>) {
  %r:2 = mxfp4.k_loop to 46 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #few} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<1x4x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<1x4x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<4x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
        mxfp4.yield %m : vector<4x4xf32>
      } : vector<1x4x4xf32>
    mxfp4.yield %next : vector<1x4x4xf32>
  }
  return %r#0, %r#1 : vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>
}

// Loops that are unrolled by two cannot share five steps.

// CHECK-LABEL: func @unshared
// CHECK-NOT:     scf.if
// CHECK:         return
func.func @unshared(%x: !x, %a: vector<2xbf16>, %n: index, %ring: !mxfp4.ring<9>,
    %start: !mxfp4.cursor<9 by 3>, %slice: index, %zero: vector<1x4x4xf32>)
    -> (vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>) {
  %r:2 = mxfp4.k_loop to 5 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #few} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<1x4x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<1x4x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<4x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
        mxfp4.yield %m : vector<4x4xf32>
      } : vector<1x4x4xf32>
    mxfp4.yield %next : vector<1x4x4xf32>
  }
  return %r#0, %r#1 : vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>
}

// With several CTAs per SM, no registers are left for a second loop.

#two = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 2,
  token_step = 8, k_slices = 3>

// CHECK-LABEL: func @two_ctas
// CHECK-NOT:     scf.if
// CHECK:         return
func.func @two_ctas(%x: !x, %a: vector<2xbf16>, %n: index, %ring: !mxfp4.ring<9>,
    %start: !mxfp4.cursor<9 by 3>, %slice: index, %zero: vector<1x4x4xf32>)
    -> (vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>) {
  %r:2 = mxfp4.k_loop to 45 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #two} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<1x4x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<1x4x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<4x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
        mxfp4.yield %m : vector<4x4xf32>
      } : vector<1x4x4xf32>
    mxfp4.yield %next : vector<1x4x4xf32>
  }
  return %r#0, %r#1 : vector<1x4x4xf32>, !mxfp4.cursor<9 by 3>
}

// Loops that are unrolled have 24 warps in two CTAs, and no register for the
// cursor behind them, which is computed there. Tiles of two token steps are all
// that is left for the other loop: it has no width to choose.

#turns = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 2,
  token_step = 8, k_slices = 3, copy_warps = 3, version_loops = true>
!y = memref<9x16x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @turns
// CHECK-SAME:    %[[N:[^:]*]]: index, %[[RING:[^:]*]]: !mxfp4.ring<9>, %[[START:[^:]*]]: !mxfp4.cursor<9 by 3>, %[[SLICE:[^:]*]]: index, %[[ZERO:[^:]*]]: vector<2x2x4xf32>
// CHECK:         %[[R:.*]] = scf.if %{{.*}} -> (vector<2x2x4xf32>) {
// CHECK:           mxfp4.wgmma {{.*}} columns 1 tokens(%[[N]] by 8)
// CHECK:         } else {
// CHECK:           mxfp4.wgmma {{.*}} columns 2 tokens(%[[N]] by 16)
// CHECK:           scf.yield
// CHECK-NEXT:    }
// CHECK-NEXT:    %[[END:.*]] = mxfp4.ring_skip %[[START]] steps 15 : <9 by 3>
// CHECK-NEXT:    return %[[R]], %[[END]]
func.func @turns(%x: !y, %a: vector<2xbf16>, %n: index, %ring: !mxfp4.ring<9>,
    %start: !mxfp4.cursor<9 by 3>, %slice: index, %zero: vector<2x2x4xf32>)
    -> (vector<2x2x4xf32>, !mxfp4.cursor<9 by 3>) {
  %r:2 = mxfp4.k_loop to 45 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #turns} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<2x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<2x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<2x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 2 tokens(%n by 8) : vector<2x4xf32>, !y
        mxfp4.yield %m : vector<2x4xf32>
      } : vector<2x2x4xf32>
    mxfp4.yield %next : vector<2x2x4xf32>
  }
  return %r#0, %r#1 : vector<2x2x4xf32>, !mxfp4.cursor<9 by 3>
}
