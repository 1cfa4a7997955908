// Many sums that are promoted leave registers for two sets of fragments of half a step:
// a step has two groups of wgmma, and while one runs the thread decodes the other half,
// from half of the words. Behind the last step of an interval the sums of the
// instructions are added to those in f32, with the next half decoded.
//
// RUN: mxfp4-opt %s --split-input-file --pass-pipeline="builtin.module(mxfp4-tile,mxfp4-on-kernels{pipeline=mxfp4-specialize-warps,mxfp4-share-tiles,mxfp4-pipeline-copies,mxfp4-insert-decode,mxfp4-overlap-decode,canonicalize,cse})" \
// RUN:   | FileCheck %s --implicit-check-not=mxfp4.decode_row --implicit-check-not=mxfp4.load_codes --implicit-check-not="mxfp4.wgmma " --implicit-check-not=mxfp4.wgmma_wait

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 192,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1, overlap_decode = true>

// The first half of the first step is decoded ahead of the loop, and the words of the
// second are loaded: four of codes, and the scales of both rows again.

// CHECK-LABEL: gpu.func @mxfp4_moe
// CHECK-DAG:     %[[EVERY:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[ALL:.*]] = arith.constant 9 : index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK:         mxfp4.load_codes %[[W:.*]][%[[SLOT:.*]], %[[SLICE:.*]]] :
// CHECK-NEXT:    mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]] :
// CHECK-NEXT:    mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]] part 1
// CHECK-COUNT-2: mxfp4.decode_row {{.*}} step 0
// CHECK-COUNT-2: mxfp4.decode_row {{.*}} step 1
// CHECK-NEXT:    mxfp4.pin
// CHECK-NEXT:    mxfp4.pin
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE]]] part 1
// CHECK-NEXT:    mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]] :
// CHECK-NEXT:    mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]] part 1
// CHECK-NEXT:    %[[LOOP:.*]]:27 = scf.for %[[I:.*]] = %[[C0]] to %[[ALL]] step %[[C1]] iter_args(%[[OWN:[^ ]*]] = %{{[^ ]*}}, %{{[^ ]*}} = %{{[^ ]*}}, %[[AT:[^ ]*]] = %{{[^ ]*}}, %{{[^ ]*}} = %{{[^ ]*}}, %[[SUMS:[^ ]*]] = %{{[^ ]*}},

// The first group of a step begins from zeros where an interval does.

// CHECK:           %[[REST:.*]] = arith.remui %[[I]], %[[EVERY]]
// CHECK-NEXT:      %[[GOESON:.*]] = arith.cmpi ne, %[[REST]], %[[C0]]
// CHECK:           %[[PART:.*]] = vector.extract %[[OWN]][0]
// CHECK-NEXT:      %[[M:.*]] = mxfp4.wgmma %[[PART]] a({{.*}}) b(%{{.*}}) columns 24 tokens(%{{.*}} by 192) accumulate(%[[GOESON]])
// CHECK-NEXT:      %[[MW:.*]] = mxfp4.wgmma_wait %[[M]] pending 1
// CHECK:           scf.if
// CHECK:             mxfp4.ring_release
// CHECK:           %[[SECOND:.*]]:14 = scf.if
// CHECK-COUNT-2:     mxfp4.decode_row {{.*}} step 2
// CHECK-COUNT-2:     mxfp4.decode_row {{.*}} step 3
// CHECK:             mxfp4.ring_wait
// CHECK:             mxfp4.load_codes %[[W]][%[[NEXT:.*]], %[[SLICE]]] :

// The second adds to what the first has begun.

// CHECK:           %[[M2:.*]] = mxfp4.wgmma %[[MW]] a(%[[SECOND]]#0, {{.*}}, %[[SECOND]]#7 : vector<4xf8E5M2>) b(%{{.*}}) step 2 columns 24 tokens(%{{.*}} by 192) : vector
// CHECK-NEXT:      %[[MW2:.*]] = mxfp4.wgmma_wait %[[M2]] pending 1
// CHECK-NEXT:      %[[OWN2:.*]] = vector.broadcast %[[MW2]]
// CHECK:           scf.if
// CHECK-COUNT-2:     mxfp4.decode_row {{.*}} step 0
// CHECK-COUNT-2:     mxfp4.decode_row {{.*}} step 1
// CHECK-NOT:         mxfp4.ring_wait
// CHECK:             mxfp4.load_codes %[[W]][%[[NEXT]], %[[SLICE]]] part 1

// Every fourth step, and the last, ends an interval.

// CHECK:           %[[BEHIND:.*]] = arith.addi %[[I]], %[[C1]]
// CHECK-NEXT:      %[[REST:.*]] = arith.remui %[[BEHIND]], %[[EVERY]]
// CHECK-NEXT:      %[[IS4TH:.*]] = arith.cmpi eq, %[[REST]], %[[C0]]
// CHECK-NEXT:      %[[ISLAST:.*]] = arith.cmpi eq, %[[BEHIND]], %[[ALL]]
// CHECK-NEXT:      %[[ISEND:.*]] = arith.ori %[[IS4TH]], %[[ISLAST]]
// CHECK-NEXT:      %[[SUMS2:.*]] = scf.if %[[ISEND]]
// CHECK-NEXT:        %[[DONE:.*]] = mxfp4.wgmma_wait %[[OWN2]] : vector<1x24x4xf32>
// CHECK-NEXT:        %[[ADDED:.*]] = arith.addf %[[SUMS]], %[[DONE]]
// CHECK-NEXT:        scf.yield %[[ADDED]]
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.yield %[[SUMS]]
// CHECK:           scf.yield %[[OWN2]], %[[AT]], {{.*}}, {{.*}}, %[[SUMS2]],
// CHECK:         mxfp4.wgmma_wait %[[LOOP]]#0
// CHECK-NEXT:    mxfp4.ring_release
// CHECK-NEXT:    mxfp4.store_tile %[[LOOP]]#4
func.func @moe(%x: memref<?x1152xf8E4M3FN>,
               %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
               %o: memref<3xi32>, %y: memref<?x64xf32>,
               %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xf32>)
      workspace(%workspace : memref<2xi32>)
      {schedule = #schedule, accumulation = #mxfp4.accumulation<promoted 512>}
  return
}

// -----

// Sums of 128, which is a step, and two blocks of rows of many sums: each block begins from zeros in
// every step, and every step ends an interval. That is known, but what depends on the
// number of tokens looks to ptxas like what only the run may show.

#often = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 96,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1, overlap_decode = true>

// CHECK-LABEL: gpu.func @mxfp4_often
// CHECK-DAG:     %[[ALL:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index

// The words in hand are those of the first block.

// CHECK:         mxfp4.load_codes %[[W:.*]][%[[SLOT:.*]], %[[FIRST:.*]]] :
// CHECK-COUNT-4: mxfp4.decode_row
// CHECK:         mxfp4.load_codes %[[W]][%[[SLOT]], %[[FIRST]]] part 1
// CHECK:         %[[LOOP:.*]]:27 = scf.for %[[I:.*]] = %[[C0]] to %[[ALL]] step %[[C1]] iter_args(%[[OWN:[^ ]*]] = %{{[^ ]*}}, %{{[^ ]*}} = %{{[^ ]*}}, %{{[^ ]*}} = %{{[^ ]*}}, %[[AT:[^ ]*]] = %{{[^ ]*}}, %[[SUMS:[^ ]*]] = %{{[^ ]*}},
// CHECK-NEXT:      %[[ISNOTLAST:.*]] = arith.cmpi ult, %[[I]], %[[C2]]
// CHECK-NEXT:      %[[ISNOTFIRST:.*]] = arith.cmpi ne, %[[I]], %[[C0]]
// CHECK-NEXT:      %[[GOESON:.*]] = arith.cmpi eq, %[[TOKENS:.*]], %[[C0]]
// CHECK:           %[[PART:.*]] = vector.extract %[[OWN]][0]
// CHECK-NEXT:      %[[M:.*]] = mxfp4.wgmma %[[PART]] a({{.*}}) b(%{{.*}}) columns 12 tokens(%[[TOKENS]] by 96) accumulate(%[[GOESON]])
// CHECK-NEXT:      %[[MW:.*]] = mxfp4.wgmma_wait %[[M]] pending 1
// CHECK-NEXT:      scf.if %[[ISNOTFIRST]] {
// CHECK-NEXT:        mxfp4.ring_release
// CHECK:           %[[HASTOKENS:.*]] = arith.cmpi ne, %[[TOKENS]], %[[C0]]

// Behind each group the next half is decoded, and the words after it are loaded: those of
// the second block from the step at hand.

// CHECK:           scf.if %[[HASTOKENS]]
// CHECK-COUNT-4:     mxfp4.decode_row
// CHECK-NOT:         mxfp4.ring_wait
// CHECK:             mxfp4.load_codes %[[W]][%[[HERE:.*]], %[[SECOND:.*]]] :
// CHECK:           %[[M2:.*]] = mxfp4.wgmma %[[MW]] a({{.*}}) b(%{{.*}}) step 2 columns 12 tokens(%[[TOKENS]] by 96) : vector
// CHECK-NEXT:      %[[MW2:.*]] = mxfp4.wgmma_wait %[[M2]] pending 1
// CHECK:           scf.if %[[HASTOKENS]]
// CHECK-COUNT-4:     mxfp4.decode_row
// CHECK:             mxfp4.load_codes %[[W]][%[[HERE]], %[[SECOND]]] part 1
// CHECK:           %[[PART2:.*]] = vector.extract %[[OWN]][1]
// CHECK-NEXT:      %[[N:.*]] = mxfp4.wgmma %[[PART2]] a({{.*}}) b(%{{.*}}) columns 12 tokens(%[[TOKENS]] by 96) accumulate(%[[GOESON]])
// CHECK-NEXT:      %[[NW:.*]] = mxfp4.wgmma_wait %[[N]] pending 1

// The first block's next words are another step's, which the last step does not wait for.

// CHECK:           scf.if %[[HASTOKENS]]
// CHECK-COUNT-4:     mxfp4.decode_row
// CHECK:             scf.if %[[ISNOTLAST]]
// CHECK-NEXT:          mxfp4.ring_wait %{{.*}}[%[[AT]]]
// CHECK:               mxfp4.load_codes %[[W]][%{{.*}}, %[[FIRST]]] :
// CHECK:           %[[N2:.*]] = mxfp4.wgmma %[[NW]] a({{.*}}) b(%{{.*}}) step 2 columns 12 tokens(%[[TOKENS]] by 96) : vector
// CHECK-NEXT:      %[[NW2:.*]] = mxfp4.wgmma_wait %[[N2]] pending 1
// CHECK-NEXT:      %[[E1:.*]]:48 = vector.to_elements %[[MW2]]
// CHECK-NEXT:      %[[E2:.*]]:48 = vector.to_elements %[[NW2]]
// CHECK-NEXT:      %[[OWN2:.*]] = vector.from_elements %[[E1]]#0, {{.*}}, %[[E1]]#47, %[[E2]]#0, {{.*}}, %[[E2]]#47
// CHECK:           scf.if %[[HASTOKENS]]
// CHECK-COUNT-4:     mxfp4.decode_row
// CHECK:             scf.if %[[ISNOTLAST]]
// CHECK-NOT:           mxfp4.ring_wait
// CHECK:               mxfp4.load_codes %[[W]][%{{.*}}, %[[FIRST]]] part 1

// Sums of both blocks at once.

// CHECK:           %[[SUMS2:.*]] = scf.if %[[HASTOKENS]] -> (vector<2x12x4xf32>)
// CHECK-NEXT:        %[[DONE:.*]] = mxfp4.wgmma_wait %[[OWN2]] : vector<2x12x4xf32>
// CHECK-NEXT:        %[[ADDED:.*]] = arith.addf %[[SUMS]], %[[DONE]]
// CHECK-NEXT:        scf.yield %[[ADDED]]
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.yield %[[SUMS]]
// CHECK:           %[[NEXT:.*]] = mxfp4.ring_next %[[AT]]
// CHECK-NEXT:      scf.yield %[[OWN2]], %{{[^ ]*}}, %[[AT]], %[[NEXT]], %[[SUMS2]],
// CHECK:         mxfp4.wgmma_wait %[[LOOP]]#0
// CHECK-NEXT:    mxfp4.ring_release
// CHECK-NEXT:    mxfp4.store_tile %[[LOOP]]#4
func.func @often(%x: memref<?x384xf8E4M3FN>,
                 %w: memref<2x2x3x!mxfp4.block<bytes, relative>>,
                 %o: memref<3xi32>, %y: memref<?x128xf32>,
                 %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x2x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x128xf32>)
      workspace(%workspace : memref<2xi32>)
      {schedule = #often, accumulation = #mxfp4.accumulation<promoted 128>}
  return
}

// -----

// Fewer sums leave registers for fragments of whole steps, two of them in an iteration.
// Such tiles have a loop for the first interval: nothing is added to its sums
// before they are complete, and then they are what later intervals are added to, with sums
// of which nobody has read. The interval of four steps leaves five, which are in a loop
// that is left behind the first of two steps. An interval never ends with that one, but
// for the last of all, which is added behind the loop.

#whole = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 112,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1, overlap_decode = true>

// CHECK-LABEL: gpu.func @mxfp4_whole
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[EVERY:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C5:.*]] = arith.constant 5 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-COUNT-2: mxfp4.load_codes
// CHECK-COUNT-8: mxfp4.decode_row
// CHECK-COUNT-2: mxfp4.load_codes
// CHECK:         %[[FIRST:.*]]:46 = scf.for %{{.*}} = %[[C0]] to %[[C2]] step %[[C1]]
// CHECK:           mxfp4.wgmma %{{.*}} columns 14 tokens(%{{.*}} by 112) :
// CHECK-NEXT:      mxfp4.wgmma_wait %{{.*}} pending 1
// CHECK-COUNT-8:   mxfp4.decode_row
// CHECK-COUNT-2:   mxfp4.load_codes
// CHECK:           mxfp4.wgmma %{{.*}} columns 14 tokens(%{{.*}} by 112) :
// CHECK-NEXT:      mxfp4.wgmma_wait %{{.*}} pending 1
// CHECK-COUNT-8:   mxfp4.decode_row
// CHECK-COUNT-2:   mxfp4.load_codes
// CHECK-NOT:       arith.addf
// CHECK:         %[[BEGIN:.*]] = mxfp4.wgmma_wait %[[FIRST]]#0
// CHECK-NEXT:    %[[NONE:.*]] = mxfp4.pin %{{.*}} : vector<1x14x4xf32>
// CHECK-NEXT:    %[[LOOP:.*]]:48 = scf.while (%[[I:[^ ]*]] = %[[C0]], %[[OWN:[^ ]*]] = %[[NONE]], %[[PREVIOUS:[^ ]*]] = %[[FIRST]]#1, %[[AT:[^ ]*]] = %[[FIRST]]#2, %{{[^ ]*}} = %[[FIRST]]#3, %[[SUMS:[^ ]*]] = %[[BEGIN]],
// CHECK-NEXT:      %[[ISNOTLAST:.*]] = arith.cmpi ult, %[[I]], %[[C2]]
// CHECK-NEXT:      %[[TWICE:.*]] = arith.muli %[[I]], %[[C2]]
// CHECK-NEXT:      %[[NUMBER:.*]] = arith.addi %[[TWICE]], %[[EVERY]]
// CHECK-NEXT:      %[[REST:.*]] = arith.remui %[[NUMBER]], %[[EVERY]]
// CHECK-NEXT:      %[[GOESON:.*]] = arith.cmpi ne, %[[REST]], %[[C0]]
// CHECK:           %[[PART:.*]] = vector.extract %[[OWN]][0]
// CHECK-NEXT:      mxfp4.wgmma %[[PART]] {{.*}} accumulate(%[[GOESON]])
// CHECK-NEXT:      mxfp4.wgmma_wait %{{.*}} pending 1
// CHECK:           mxfp4.ring_release %{{.*}}[%[[PREVIOUS]]]
// CHECK-COUNT-8:   mxfp4.decode_row
// CHECK:           scf.if %[[ISNOTLAST]]
// CHECK-NEXT:        mxfp4.ring_wait
// CHECK-COUNT-2:     mxfp4.load_codes
// CHECK-NOT:       arith.addf
// CHECK:           scf.condition(%[[ISNOTLAST]]) %[[I]], %{{[^ ]*}}, %[[AT]], %{{[^ ]*}}, %{{[^ ]*}}, %[[SUMS]],
// CHECK:         } do {
// CHECK-NEXT:    ^bb0(%[[I:[^:]*]]: index, %{{[^:]*}}: vector<1x14x4xf32>, %[[PREVIOUS:[^:]*]]: !mxfp4.cursor<4>, %[[AT:[^:]*]]: !mxfp4.cursor<4>, %{{[^:]*}}: !mxfp4.cursor<4>, %[[SUMS:[^:]*]]: vector<1x14x4xf32>,
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addi %[[I]], %[[C1]]
// CHECK-NEXT:      %[[MORE:.*]] = arith.cmpi ult, %[[NEXT]], %[[C2]]
// CHECK-NEXT:      %[[TWICE:.*]] = arith.muli %[[I]], %[[C2]]
// CHECK-NEXT:      %[[NUMBER:.*]] = arith.addi %[[TWICE]], %[[C5]]
// CHECK-NEXT:      %[[REST:.*]] = arith.remui %[[NUMBER]], %[[EVERY]]
// CHECK-NEXT:      %[[GOESON:.*]] = arith.cmpi ne, %[[REST]], %[[C0]]
// CHECK:           mxfp4.wgmma %{{.*}} accumulate(%[[GOESON]])
// CHECK-NEXT:      mxfp4.wgmma_wait %{{.*}} pending 1
// CHECK:           mxfp4.ring_release %{{.*}}[%[[PREVIOUS]]]
// CHECK-COUNT-8:   mxfp4.decode_row
// CHECK:           scf.if %[[MORE]]
// CHECK-NEXT:        mxfp4.ring_wait
// CHECK-COUNT-2:     mxfp4.load_codes
// CHECK:           %[[BEHIND:.*]] = arith.addi %[[TWICE]], %[[C6]]
// CHECK-NEXT:      %[[REST:.*]] = arith.remui %[[BEHIND]], %[[EVERY]]
// CHECK-NEXT:      %[[ISEND:.*]] = arith.cmpi eq, %[[REST]], %[[C0]]
// CHECK-NEXT:      %[[SUMS2:.*]] = scf.if %[[ISEND]]
// CHECK-NEXT:        %[[DONE:.*]] = mxfp4.wgmma_wait
// CHECK-NEXT:        %[[ADDED:.*]] = arith.addf %[[SUMS]], %[[DONE]]
// CHECK-NEXT:        scf.yield %[[ADDED]]
// CHECK:             scf.yield %[[SUMS]]
// CHECK:           scf.yield %[[NEXT]], %{{[^ ]*}}, %[[AT]], %{{[^ ]*}}, %{{[^ ]*}}, %[[SUMS2]],
// CHECK:         %[[LAST:.*]] = mxfp4.wgmma_wait %[[LOOP]]#1
// CHECK-NEXT:    arith.addf %[[LOOP]]#5, %[[LAST]]
// CHECK:         mxfp4.ring_release %{{.*}}[%[[LOOP]]#2]
// CHECK:         mxfp4.store_tile
func.func @whole(%x: memref<?x1152xf8E4M3FN>,
                 %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
                 %o: memref<3xi32>, %y: memref<?x64xf32>,
                 %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xf32>)
      workspace(%workspace : memref<2xi32>)
      {schedule = #whole, accumulation = #mxfp4.accumulation<promoted 512>}
  return
}

// -----

// Four steps and one more: the step behind the next one, which the first loop would fetch
// last, does not exist, so that one loop has all of them.

#short = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1, overlap_decode = true>

// CHECK-LABEL: gpu.func @mxfp4_short
// CHECK-COUNT-2: mxfp4.load_codes
// CHECK-COUNT-8: mxfp4.decode_row
// CHECK-COUNT-2: mxfp4.load_codes
// CHECK:         mxfp4.wgmma %{{.*}} columns 2 tokens(%{{.*}} by 16) :
// CHECK-COUNT-8: mxfp4.decode_row
// CHECK-COUNT-2: mxfp4.load_codes
// CHECK:         scf.for
// CHECK:           mxfp4.wgmma %{{.*}} accumulate(
// CHECK-NEXT:      mxfp4.wgmma_wait %{{.*}} pending 1
// CHECK-COUNT-8:   mxfp4.decode_row
// CHECK-COUNT-2:   mxfp4.load_codes
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.wgmma_wait
// CHECK-NEXT:        arith.addf
// CHECK:           mxfp4.wgmma %{{.*}} accumulate(
// CHECK-NEXT:      mxfp4.wgmma_wait %{{.*}} pending 1
// CHECK-COUNT-8:   mxfp4.decode_row
// CHECK-COUNT-2:   mxfp4.load_codes
// CHECK:           scf.if
// CHECK-NEXT:        mxfp4.wgmma_wait
// CHECK-NEXT:        arith.addf
// CHECK:         mxfp4.wgmma_wait
// CHECK:         mxfp4.store_tile
func.func @short(%x: memref<?x640xf8E4M3FN>,
                 %w: memref<2x1x5x!mxfp4.block<bytes, relative>>,
                 %o: memref<3xi32>, %y: memref<?x64xf32>,
                 %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x640xf8E4M3FN>)
      weights(%w : memref<2x1x5x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xf32>)
      workspace(%workspace : memref<2xi32>)
      {schedule = #short, accumulation = #mxfp4.accumulation<promoted 512>}
  return
}
