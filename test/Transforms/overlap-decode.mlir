// Two batches of wgmma are on their way at a time. While one runs, the warpgroup
// decodes the next block of weights and loads the words of the one after that.
//
// RUN: mxfp4-opt %s --mxfp4-insert-decode --mxfp4-overlap-decode --canonicalize --cse \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode --implicit-check-not=mxfp4.load_codes --implicit-check-not="mxfp4.wgmma " --implicit-check-not=mxfp4.wgmma_wait --implicit-check-not=mxfp4.ring_release

#shared = #gpu.address_space<workgroup>
#five_steps = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
#four_steps = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
#two_blocks = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
#one_step = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>

// Each decode, load, wgmma and release that comes out is named below (with placement
// in shared memory, in a run of its own): nothing is lost, and nothing is done twice.

// Five steps are an odd number: one goes ahead of the loop, which then runs twice
// with two steps each. The last decode to run decodes old words, which nobody
// multiplies.

// CHECK-LABEL: func @five_steps(
// CHECK-SAME:    %[[W:[^:]*]]: memref<{{[^%]*}}, %[[X:[^:]*]]: memref<{{[^%]*}}, %[[RING:[^:]*]]: !mxfp4.ring<3>, %[[START:[^:]*]]: !mxfp4.cursor<3>, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]:
// Zeros that are made inside the first batch would serialise it.
// CHECK:         %[[SUMS:.*]] = mxfp4.pin %[[ZERO]] :
// CHECK-NEXT:    %[[SECOND:.*]] = mxfp4.ring_next %[[START]]
// The first step is decoded; the pins hold two sets of fragments apart.
// CHECK-NEXT:    mxfp4.ring_wait %[[RING]][%[[START]]]
// CHECK-NEXT:    %[[SLOT:.*]] = mxfp4.ring_slot %[[START]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE:.*]]] :
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]]
// CHECK-NEXT:    %[[D0:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:    mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:    mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:    %{{.*}}, %{{.*}}, %{{.*}}, %[[D15:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:    %[[A:.*]]:16 = mxfp4.pin %[[D0]], {{.*}}, %[[D15]] :
// CHECK-NEXT:    %[[SPARE:.*]]:16 = mxfp4.pin %[[A]]#0, {{.*}}, %[[A]]#15 :
// The words of the second.
// CHECK-NEXT:    mxfp4.ring_wait %[[RING]][%[[SECOND]]]
// CHECK-NEXT:    %[[SLOT2:.*]] = mxfp4.ring_slot %[[SECOND]]
// CHECK-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT2]], %[[SLICE]]]
// CHECK-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT2]], %[[SLICE]]]
// The step ahead of the loop. No batch is before its own, so that there is nothing
// to wait for and no stage to give back.
// CHECK-NEXT:    %[[PART:.*]] = vector.extract %[[SUMS]][0]
// CHECK-NEXT:    %[[M:.*]] = mxfp4.wgmma %[[PART]] a(%[[A]]#0, {{.*}}, %[[A]]#15) b(%[[X]][%[[SLOT]]]) columns 2 tokens(%[[N]] by 16)
// CHECK-NEXT:    %[[SUMS:.*]] = vector.broadcast %[[M]]
// Behind it the second step is decoded, and the third loaded, in a branch that is
// always taken: a tile without tokens has no steps, but only the run shows it.
// CHECK-NEXT:    %[[ALWAYS:.*]] = arith.cmpi ne, %[[N]], %{{.*}}
// CHECK-NEXT:    %[[THIRD:.*]] = mxfp4.ring_next %[[SECOND]]
// CHECK-NEXT:    %[[AHEAD:.*]]:21 = scf.if %[[ALWAYS]]
// CHECK-NEXT:      %[[D0:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.decode %[[P0]], %[[S]] step 0
// CHECK-NEXT:      mxfp4.decode %[[P1]], %[[S]] step 1
// CHECK-NEXT:      mxfp4.decode %[[P2]], %[[S]] step 2
// CHECK-NEXT:      %{{.*}}, %{{.*}}, %{{.*}}, %[[D15:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
// CHECK-NEXT:      %[[B:.*]]:16 = mxfp4.pin %[[D0]], {{.*}}, %[[D15]] :
// CHECK-NEXT:      mxfp4.ring_wait %[[RING]][%[[THIRD]]]
// CHECK-NEXT:      %[[SLOT3:.*]] = mxfp4.ring_slot %[[THIRD]]
// CHECK-NEXT:      %[[Q0:.*]], %[[Q1:.*]], %[[Q2:.*]], %[[Q3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT3]], %[[SLICE]]]
// CHECK-NEXT:      %[[T:.*]] = mxfp4.load_scales %[[W]][%[[SLOT3]], %[[SLICE]]]
// CHECK-NEXT:      scf.yield %[[B]]#0, {{.*}}, %[[B]]#15, %[[Q0]], %[[T]], %[[Q1]], %[[Q2]], %[[Q3]]
// CHECK-NEXT:    } else {
// CHECK-NEXT:      scf.yield %[[SPARE]]#0, {{.*}}, %[[SPARE]]#15, %[[P0]], %[[S]], %[[P1]], %[[P2]], %[[P3]]
// The loop carries the sums, the cursors of three steps, the fragments to multiply,
// those of the batch before, whose registers are free once it is waited for, and
// the words to decode.
// CHECK:         %[[R:.*]]:41 = scf.for %[[I:.*]] = %{{.*}} to %[[TWICE:.*]] step %{{.*}} iter_args(%[[SUMS_:[^ ]*]] = %[[SUMS]], %[[PREVIOUS:[^ ]*]] = %[[START]], %[[CURRENT:[^ ]*]] = %[[SECOND]], %[[NEXT:[^ ]*]] = %[[THIRD]], %[[F0:[^ ]*]] = %[[AHEAD]]#0,
// CHECK-NEXT:      %[[MORE:.*]] = arith.cmpi ult, %[[I]], %{{.*}}
// CHECK-NEXT:      %[[SLOT:.*]] = mxfp4.ring_slot %[[CURRENT]]
// CHECK-NEXT:      %[[PART:.*]] = vector.extract %[[SUMS_]][0]
// CHECK-NEXT:      %[[M:.*]] = mxfp4.wgmma %[[PART]] a(%[[F0]], {{.*}}) b(%[[X]][%[[SLOT]]])
// CHECK-NEXT:      %[[MW:.*]] = mxfp4.wgmma_wait %[[M]] pending 1
// CHECK-NEXT:      mxfp4.ring_release %[[RING]][%[[PREVIOUS]]]
// CHECK-NEXT:      %[[FOURTH:.*]] = mxfp4.ring_next %[[NEXT]]
// CHECK-NEXT:      %[[AHEAD:.*]]:21 = scf.if %[[ALWAYS]]
// CHECK-COUNT-4:     mxfp4.decode
// CHECK-NEXT:        mxfp4.pin
// CHECK-NEXT:        scf.if %[[MORE]]
// CHECK-NEXT:          mxfp4.ring_wait %[[RING]][%[[FOURTH]]]
// CHECK:               mxfp4.load_codes
// CHECK:               mxfp4.load_scales
// The second of the two steps: its stage is given back whatever the iteration.
// CHECK:           %[[SLOT:.*]] = mxfp4.ring_slot %[[NEXT]]
// CHECK-NEXT:      %[[M2:.*]] = mxfp4.wgmma %[[MW]] a(%[[AHEAD]]#0, {{.*}}, %[[AHEAD]]#15) b(%[[X]][%[[SLOT]]])
// CHECK-NEXT:      %[[MW2:.*]] = mxfp4.wgmma_wait %[[M2]] pending 1
// CHECK-NEXT:      %[[SUMS2:.*]] = vector.broadcast %[[MW2]]
// CHECK-NEXT:      mxfp4.ring_release %[[RING]][%[[CURRENT]]]
// CHECK-NEXT:      %[[FIFTH:.*]] = mxfp4.ring_next %[[FOURTH]]
// CHECK-NEXT:      scf.if %[[ALWAYS]]
// CHECK-COUNT-4:     mxfp4.decode
// CHECK-NEXT:        mxfp4.pin
// CHECK-NEXT:        scf.if %[[MORE]]
// CHECK-NEXT:          mxfp4.ring_wait %[[RING]][%[[FIFTH]]]
// CHECK:               mxfp4.load_codes
// CHECK:               mxfp4.load_scales
// CHECK:           scf.yield %[[SUMS2]], %[[NEXT]], %[[FOURTH]], %[[FIFTH]],
// CHECK-NEXT:    }
// The last batch is waited for, and its stage given back.
// CHECK-NEXT:    %[[SUM:.*]] = mxfp4.wgmma_wait %[[R]]#0 : vector<1x2x4xf32>
// CHECK-NEXT:    mxfp4.ring_release %[[RING]][%[[R]]#1]
// CHECK-NEXT:    return %[[SUM]], %[[R]]#2
func.func @five_steps(%w: memref<3x1x!mxfp4.block<spread, folded>, #shared>,
    %x: memref<3x16x64xbf16, #shared>, %ring: !mxfp4.ring<3>,
    %start: !mxfp4.cursor<3>, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, !mxfp4.cursor<3>) {
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #five_steps} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #five_steps} : vector<1x2x4xf32>,
        memref<3x1x!mxfp4.block<spread, folded>, #shared>,
        memref<3x16x64xbf16, #shared>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return %r#0, %r#1 : vector<1x2x4xf32>, !mxfp4.cursor<3>
}

// Two steps, or one of two blocks, are no loop in the end: the last batch waits for
// all, because ptxas would move what reads its sums ahead of a second wait.

// CHECK-LABEL: func @two_steps(
// CHECK:         mxfp4.load_codes
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         mxfp4.load_codes
// CHECK:         mxfp4.wgmma {{.*}}
// CHECK-NEXT:    mxfp4.wgmma_wait {{.*}} pending 1 :
// CHECK:         scf.if
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         mxfp4.wgmma {{.*}}
// CHECK-NEXT:    mxfp4.wgmma_wait %{{[^ ]*}} : vector<2x4xf32>
// CHECK:         mxfp4.ring_release
// The step behind the last one is decoded in a branch that is not taken.
// CHECK:         scf.if
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         mxfp4.wgmma_wait %{{[^ ]*}} : vector<1x2x4xf32>
// CHECK-NEXT:    mxfp4.ring_release
// CHECK-NEXT:    return
func.func @two_steps(%w: memref<3x1x!mxfp4.block<spread, folded>, #shared>,
    %x: memref<3x16x64xbf16, #shared>, %ring: !mxfp4.ring<3>,
    %start: !mxfp4.cursor<3>, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, !mxfp4.cursor<3>) {
  %r:2 = mxfp4.k_loop to 2 drains %ring at %start init(%zero)
      {schedule = #five_steps} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #five_steps} : vector<1x2x4xf32>,
        memref<3x1x!mxfp4.block<spread, folded>, #shared>,
        memref<3x16x64xbf16, #shared>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return %r#0, %r#1 : vector<1x2x4xf32>, !mxfp4.cursor<3>
}

// An even number of steps: the loop begins with the first, and gives the stage
// before it back only if there is one.

// CHECK-LABEL: func @four_steps(
// CHECK-SAME:    %[[W:[^:]*]]: memref<{{[^%]*}}, %[[X:[^:]*]]: memref<{{[^%]*}}, %[[RING:[^:]*]]: !mxfp4.ring<3>, %[[START:[^:]*]]: !mxfp4.cursor<3>, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]:
// CHECK:         mxfp4.load_codes
// CHECK:         mxfp4.load_scales
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         mxfp4.load_codes
// CHECK:         mxfp4.load_scales
// CHECK:         scf.for %[[I:.*]] = %[[C0:.*]] to %{{.*}} step %{{.*}} iter_args(%{{[^ ]*}} = %{{[^ ]*}}, %[[PREVIOUS:[^ ]*]] = %[[START]], %[[CURRENT:[^ ]*]] = %[[START]],
// CHECK-NEXT:      arith.cmpi ult, %[[I]],
// CHECK-NEXT:      %[[NOTFIRST:.*]] = arith.cmpi ne, %[[I]], %[[C0]]
// CHECK:           mxfp4.wgmma
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK-NEXT:      scf.if %[[NOTFIRST]] {
// CHECK-NEXT:        mxfp4.ring_release %[[RING]][%[[PREVIOUS]]]
// CHECK-NEXT:      }
// CHECK-COUNT-4:   mxfp4.decode
// CHECK:           mxfp4.load_codes
// CHECK:           mxfp4.load_scales
// CHECK:           mxfp4.wgmma
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK:           mxfp4.ring_release %[[RING]][%[[CURRENT]]]
// CHECK-COUNT-4:   mxfp4.decode
// CHECK:           mxfp4.load_codes
// CHECK:           mxfp4.load_scales
// CHECK:         mxfp4.wgmma_wait {{.*}} : vector<1x2x4xf32>
// CHECK-NEXT:    mxfp4.ring_release
// CHECK-NEXT:    return
func.func @four_steps(%w: memref<3x1x!mxfp4.block<spread, folded>, #shared>,
    %x: memref<3x16x64xbf16, #shared>, %ring: !mxfp4.ring<3>,
    %start: !mxfp4.cursor<3>, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, !mxfp4.cursor<3>) {
  %r:2 = mxfp4.k_loop to 4 drains %ring at %start init(%zero)
      {schedule = #four_steps} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #four_steps} : vector<1x2x4xf32>,
        memref<3x1x!mxfp4.block<spread, folded>, #shared>,
        memref<3x16x64xbf16, #shared>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return %r#0, %r#1 : vector<1x2x4xf32>, !mxfp4.cursor<3>
}

// Two blocks per step take turns without unrolling. The first block of a step waits
// for its stage, and the batch of the first block gives the stage of the step
// before back: nothing reads that stage any more.

// CHECK-LABEL: func @two_blocks(
// CHECK-SAME:    %[[W:[^:]*]]: memref<{{[^%]*}}, %[[X:[^:]*]]: memref<{{[^%]*}}, %[[RING:[^:]*]]: !mxfp4.ring<3>, %[[START:[^:]*]]: !mxfp4.cursor<3>, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]:
// CHECK:         %[[FIRST:.*]] = arith.addi
// CHECK-NEXT:    %[[OTHER:.*]] = arith.addi %[[FIRST]], %{{.*}}
// CHECK:         mxfp4.ring_wait %[[RING]][%[[START]]]
// CHECK:         mxfp4.load_codes %[[W]][%[[SLOT:.*]], %[[FIRST]]]
// CHECK:         mxfp4.load_scales
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         mxfp4.load_codes %[[W]][%[[SLOT]], %[[OTHER]]]
// CHECK:         mxfp4.load_scales
// CHECK:         scf.for
// CHECK:           mxfp4.wgmma
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK:             mxfp4.ring_release
// CHECK-COUNT-4:   mxfp4.decode
// CHECK:             mxfp4.ring_wait
// CHECK:             mxfp4.load_codes %[[W]][%{{.*}}, %[[FIRST]]]
// CHECK:             mxfp4.load_scales
// CHECK:           mxfp4.wgmma
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK-COUNT-4:   mxfp4.decode
// CHECK:             mxfp4.load_codes %[[W]][%{{.*}}, %[[OTHER]]]
// CHECK:             mxfp4.load_scales
// CHECK:         mxfp4.wgmma_wait {{.*}} : vector<2x2x4xf32>
// CHECK-NEXT:    mxfp4.ring_release
// CHECK-NEXT:    return
func.func @two_blocks(%w: memref<3x2x!mxfp4.block<spread, folded>, #shared>,
    %x: memref<3x16x64xbf16, #shared>, %ring: !mxfp4.ring<3>,
    %start: !mxfp4.cursor<3>, %n: index, %zero: vector<2x2x4xf32>)
    -> (vector<2x2x4xf32>, !mxfp4.cursor<3>) {
  %r:2 = mxfp4.k_loop to 3 drains %ring at %start init(%zero)
      {schedule = #two_blocks} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<2x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<2x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #two_blocks} : vector<2x2x4xf32>,
        memref<3x2x!mxfp4.block<spread, folded>, #shared>,
        memref<3x16x64xbf16, #shared>
    mxfp4.yield %next : vector<2x2x4xf32>
  }
  return %r#0, %r#1 : vector<2x2x4xf32>, !mxfp4.cursor<3>
}

// A single step has nothing to overlap: the words that are fetched and decoded
// behind its batch are its own once more.

// CHECK-LABEL: func @one_step(
// CHECK-SAME:    %[[W:[^:]*]]: memref<{{[^%]*}}, %[[X:[^:]*]]: memref<{{[^%]*}}, %[[RING:[^:]*]]: !mxfp4.ring<3>, %[[START:[^:]*]]: !mxfp4.cursor<3>, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]:
// CHECK-NOT:     scf.for
// CHECK:         mxfp4.ring_wait %[[RING]][%[[START]]]
// CHECK:         mxfp4.load_codes
// CHECK:         mxfp4.load_scales
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         mxfp4.ring_wait %[[RING]][%[[START]]]
// CHECK:         mxfp4.load_codes
// CHECK:         mxfp4.load_scales
// CHECK:         mxfp4.wgmma
// CHECK-COUNT-4: mxfp4.decode
// CHECK:         %[[SUM:.*]] = mxfp4.wgmma_wait
// CHECK-NEXT:    mxfp4.ring_release %[[RING]][%[[START]]]
// CHECK-NEXT:    return %[[SUM]], %{{.*}}
func.func @one_step(%w: memref<3x1x!mxfp4.block<spread, folded>, #shared>,
    %x: memref<3x16x64xbf16, #shared>, %ring: !mxfp4.ring<3>,
    %start: !mxfp4.cursor<3>, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, !mxfp4.cursor<3>) {
  %r:2 = mxfp4.k_loop to 1 drains %ring at %start init(%zero)
      {schedule = #one_step} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #one_step} : vector<1x2x4xf32>,
        memref<3x1x!mxfp4.block<spread, folded>, #shared>,
        memref<3x16x64xbf16, #shared>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return %r#0, %r#1 : vector<1x2x4xf32>, !mxfp4.cursor<3>
}
