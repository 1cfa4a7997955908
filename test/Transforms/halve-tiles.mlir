// The last tiles of a launch are halves, and so is the third half along N, which
// has no other one: each role has two bodies.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-copy-ahead --mxfp4-halve-tiles --canonicalize --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-copy-ahead --mxfp4-halve-tiles --mxfp4-lower-program --cse --canonicalize --split-input-file | FileCheck %s --check-prefix=LOWER
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-copy-ahead --canonicalize --split-input-file \
// RUN:   | sed "s/dense<0.000000e+00> : vector<2x1x4xf32>/dense<1.000000e+00> : vector<2x1x4xf32>/" \
// RUN:   | mxfp4-opt --mxfp4-halve-tiles --split-input-file | FileCheck %s --check-prefix=ONES
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-copy-ahead --canonicalize --mxfp4-halve-tiles --canonicalize --split-input-file \
// RUN:   | FileCheck %s --check-prefix=CANON

// Canonicalized copies of one step ahead of the loop over tiles are in no loop.
// CANON-LABEL: gpu.func @mxfp4_ahead
// CANON:         mxfp4.role "copy"
// CANON-NOT:       scf.for
// CANON:           mxfp4.ring_fill
// CANON:           mxfp4.bulk_copy_weights {{.*}} part %{{.*}} of 2
// CANON:           mxfp4.bulk_copy_weights
// CANON:           nvvm.griddepcontrol wait
// CANON:         mxfp4.hand_out_tiles {{.*}} columns 3 to

// Sums that begin from other numbers than zeros are not halved.
// ONES-LABEL: gpu.func @mxfp4_halves
// ONES:         dense<1.000000e+00> : vector<2x1x4xf32>
// ONES-NOT:     arith.shrui
// ONES:         mxfp4.hand_out_tiles {{.*}} columns 2 to

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>

// CHECK-LABEL: gpu.func @mxfp4_halves
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<1x1x4xf32>
// CHECK-DAG:     %[[ZEROS:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>
// CHECK-DAG:     %[[BYTES:.*]] = arith.constant 5376 : i32
// CHECK-DAG:     %[[LESS:.*]] = arith.constant 3200 : i32
// Whoever hands out tiles counts halves.
// CHECK:         mxfp4.hand_out_first {{.*}} columns 3 to {{.*}} rows = 128, {{.*}} half_tiles = true>}
// Both bodies end at the same place of the ring.
// CHECK:         mxfp4.role "multiply"
// CHECK:           ^bb0(%{{.*}}: index, %[[ROW:[^:]*]]: index, %[[ROWS:[^:]*]]: index, %[[FIELD:[^:]*]]: index, %[[AT:[^:]*]]: !mxfp4.cursor<6 by 2>)
// CHECK-NEXT:        %[[END:.*]] = mxfp4.ring_skip %[[AT]] steps 1 plus
// CHECK:             gpu.shuffle idx
// CHECK-NEXT:        %[[KNOWN:.*]] = arith.index_cast
// CHECK-NEXT:        %[[COLUMN:.*]] = arith.shrui %[[KNOWN]], %[[C2]]
// CHECK-NEXT:        %[[NUMBER:.*]] = arith.shrui %[[KNOWN]], %[[C1]]
// CHECK-NEXT:        %[[BIT:.*]] = arith.andi %[[KNOWN]], %[[C1]]
// CHECK-NEXT:        %[[ISHALF:.*]] = arith.cmpi ne, %[[BIT]], %[[C0]]
// CHECK-NEXT:        scf.if %[[ISHALF]] {
// CHECK:               mxfp4.k_loop to 3 {{.*}} at %[[AT]] init(%[[ZERO]]) {{.*}} rows = 64, {{.*}} half_tiles = true>}
// CHECK:                 mxfp4.tile_matmul {{.*}} rows = 64, {{.*}} half_tiles = true>} : vector<1x1x4xf32>, memref<6x2x!mxfp4.block
// CHECK:               mxfp4.shared_buffer at 32256 : memref<4x128xf32,
// CHECK-NEXT:          mxfp4.reduce_slices {{.*}} : vector<1x1x4xf32>
// CHECK:               mxfp4.store_tile {{.*}}[%[[ROW]], %[[NUMBER]]] valid(%[[ROWS]]) {{.*}} rows = 64, {{.*}} half_tiles = true>}
// CHECK:             } else {
// CHECK:               mxfp4.k_loop to 3 {{.*}} at %[[AT]] init(%[[ZEROS]]) {{.*}} rows = 128, {{.*}} half_tiles = true>}
// CHECK:                 mxfp4.tile_matmul {{.*}} rows = 128, {{.*}} half_tiles = true>} : vector<2x1x4xf32>
// CHECK:               mxfp4.shared_buffer at 32256 : memref<8x128xf32,
// CHECK:               mxfp4.store_tile {{.*}}[%[[ROW]], %[[COLUMN]]] valid(%[[ROWS]]) {{.*}} rows = 128, {{.*}} half_tiles = true>}
// CHECK:             mxfp4.yield %[[END]]
// One thread copies the first block of a stage, and announces as many bytes.
// CHECK:         mxfp4.role "copy"
// CHECK:           ^bb0(%[[E:[^:]*]]: index, {{.*}} %[[FIELD:[^:]*]]: index, %{{.*}}: !mxfp4.cursor<6 by 2>)
// CHECK:             %[[COLUMN:.*]] = arith.shrui %[[FIELD]], %[[C2]]
// CHECK-NEXT:        %[[NUMBER:.*]] = arith.shrui %[[FIELD]], %[[C1]]
// CHECK:             scf.if
// CHECK:               mxfp4.ring_fill {{.*}} bytes(%[[LESS]])
// CHECK:               mxfp4.bulk_copy_weights {{.*}}[%[[E]], %[[NUMBER]], {{.*}} part %[[C0]] of 2
// CHECK:             } else {
// CHECK:               %[[BLOCK:.*]] = arith.muli %[[COLUMN]], %[[C2]]
// CHECK:               mxfp4.ring_fill {{.*}} bytes(%[[BYTES]])
// CHECK:               mxfp4.bulk_copy_weights {{.*}}[%[[E]], %[[BLOCK]],
// CHECK-NOT:           part
// CHECK:         mxfp4.role "schedule"
// CHECK:           mxfp4.hand_out_tiles {{.*}} columns 3 to {{.*}} rows = 128, {{.*}} half_tiles = true>}

// A row tile has one whole tile and a half. Of R whole tiles the first W waves of
// the grid are handed out whole, then both halves of the others, then R halves.
// LOWER-LABEL: gpu.func @mxfp4_halves
// LOWER-DAG:     %[[C0:.*]] = arith.constant 0 : index
// LOWER-DAG:     %[[C1:.*]] = arith.constant 1 : index
// LOWER-DAG:     %[[C2:.*]] = arith.constant 2 : index
// LOWER-DAG:     %[[C3:.*]] = arith.constant 3 : index
// LOWER-DAG:     %[[C32:.*]] = arith.constant 32 : index
// LOWER-DAG:     %[[ALONE:.*]] = arith.constant 5 : index
// LOWER:         %[[N:.*]] = gpu.block_id x
// LOWER:         %[[R:.*]] = arith.index_cast %{{.*}} : i32 to index
// LOWER-NEXT:    %[[CTAS:.*]] = gpu.grid_dim x
// LOWER-NEXT:    %[[HALVES:.*]] = arith.muli %[[R]], %[[C3]]
// LOWER-NEXT:    %[[FREE:.*]] = arith.divui %[[CTAS]], %[[C32]] : index
// LOWER-NEXT:    %[[ALL:.*]] = arith.addi %[[HALVES]], %[[FREE]]
// LOWER-NEXT:    %[[HALFWAVES:.*]] = arith.ceildivui %[[ALL]], %[[CTAS]]
// LOWER-NEXT:    %[[W:.*]] = arith.divui %[[HALFWAVES]], %[[C2]]
// LOWER-NEXT:    %[[FILLED:.*]] = arith.muli %[[W]], %[[CTAS]]
// LOWER-NEXT:    %[[WHOLE:.*]] = arith.minui %[[R]], %[[FILLED]]
// LOWER-NEXT:    %[[TWICE:.*]] = arith.muli %[[R]], %[[C2]]
// LOWER-NEXT:    %[[PAIRED:.*]] = arith.subi %[[TWICE]], %[[WHOLE]]
// LOWER:         %[[ISWHOLE:.*]] = arith.cmpi ult, %[[N]], %[[WHOLE]]
// LOWER-NEXT:    %[[BEHIND:.*]] = arith.subi %[[N]], %[[WHOLE]]
// LOWER-NEXT:    %[[PAIR:.*]] = arith.divui %[[BEHIND]], %[[C2]]
// LOWER-NEXT:    %[[TILE:.*]] = arith.addi %[[WHOLE]], %[[PAIR]]
// LOWER-NEXT:    %[[ROWTILE:.*]] = arith.select %[[ISWHOLE]], %[[N]], %[[TILE]]
// LOWER-NEXT:    %[[SECOND:.*]] = arith.remui %[[BEHIND]], %[[C2]]
// LOWER-NEXT:    %[[BOTH:.*]] = arith.muli %[[SECOND]], %[[C2]]
// LOWER-NEXT:    %[[HALF:.*]] = arith.addi %[[BOTH]], %[[C1]]
// LOWER-NEXT:    %[[COLUMN:.*]] = arith.select %[[ISWHOLE]], %[[C0]], %[[HALF]]
// LOWER-NEXT:    %[[ISALONE:.*]] = arith.cmpi uge, %[[N]], %[[PAIRED]]
// LOWER:         arith.select %[[ISALONE]], %[[ALONE]], %[[COLUMN]]
func.func @halves(%x: memref<?x192xbf16>,
                  %w: memref<2x3x3x!mxfp4.block<spread, raw>>,
                  %o: memref<3xi32>, %y: memref<?x192xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
      weights(%w : memref<2x3x3x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>

// With expert ids the loop over K is in a branch. What follows it is in either
// side of the branch, so that sums are no results of it, and a tile without an
// expert stores zeros without adding those of slices. The place in the ring is
// known behind the branch.
// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-DAG:     %[[HALFZEROS:.*]] = arith.constant dense<0.000000e+00> : vector<1x1x4xf32>
// CHECK-DAG:     %[[ZEROS:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>
// CHECK:         mxfp4.role "multiply"
// CHECK:           ^bb0(%[[E:[^:]*]]: index, {{.*}}: index, %[[AT:[^:]*]]: !mxfp4.cursor<6 by 2>)
// CHECK-NOT:         mxfp4.ring_skip
// CHECK:             scf.if %{{.*}} {
// CHECK-NEXT:          %[[ISUSED:.*]] = arith.cmpi sge, %[[E]],
// CHECK-NEXT:          scf.if %[[ISUSED]] {
// CHECK:                 mxfp4.k_loop {{.*}} at %[[AT]] init(%[[HALFZEROS]]) {{.*}} rows = 64, {{.*}}
// CHECK:                 mxfp4.reduce_slices {{.*}} : vector<1x1x4xf32>
// CHECK:                 mxfp4.store_tile {{.*}} rows = 64,
// CHECK:               } else {
// CHECK-NOT:             mxfp4.reduce_slices
// CHECK:                 mxfp4.store_tile %[[HALFZEROS]] {{.*}} rows = 64,
// CHECK:             } else {
// CHECK:                 mxfp4.k_loop {{.*}} at %[[AT]] init(%[[ZEROS]]) {{.*}} rows = 128, {{.*}}
// CHECK:                 mxfp4.store_tile {{.*}} rows = 128,
// CHECK:               } else {
// CHECK-NOT:             mxfp4.reduce_slices
// CHECK:                 mxfp4.store_tile %[[ZEROS]] {{.*}} rows = 128,
// CHECK:             %[[HASEXPERT:.*]] = arith.cmpi sge, %[[E]],
// CHECK-NEXT:        %[[END:.*]] = scf.if %[[HASEXPERT]] -> (!mxfp4.cursor<6 by 2>) {
// CHECK-NEXT:          %[[SKIPPED:.*]] = mxfp4.ring_skip %[[AT]] steps 1 plus
// CHECK-NEXT:          scf.yield %[[SKIPPED]]
// CHECK-NEXT:        } else {
// CHECK-NEXT:          scf.yield %[[AT]]
// CHECK:             mxfp4.yield %[[END]]
// CHECK:         mxfp4.role "copy"
// CHECK:           mxfp4.bulk_copy_weights {{.*}} part %{{.*}} of 2
// CHECK:         mxfp4.hand_out_tiles {{.*}} columns 3 to

// LOWER-LABEL: gpu.func @mxfp4_ids
func.func @ids(%x: memref<?x192xbf16>,
               %w: memref<2x3x3x!mxfp4.block<spread, raw>>,
               %o: memref<3xi32>, %ids: memref<2xi32>, %y: memref<?x192xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
      weights(%w : memref<2x3x3x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<?x192xbf16>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>

// Only a tile with an expert has an epilogue, which need not ask for one; one
// that makes a column of two stays, because it says how many columns there are.
// CHECK-LABEL: gpu.func @mxfp4_ids_epilogue
// CHECK:         mxfp4.role "multiply"
// CHECK:           mxfp4.store_tile {{.*}} expert(%{{.*}}) epilogue
// CHECK:           mxfp4.store_tile %{{[^ ]*}} to %{{.*}}] valid(%{{[^ ]*}}) {schedule
// CHECK:           mxfp4.store_tile {{.*}} expert(%{{.*}}) epilogue
// CHECK:           mxfp4.store_tile %{{[^ ]*}} to %{{.*}}] valid(%{{[^ ]*}}) {schedule

// LOWER-LABEL: gpu.func @mxfp4_ids_epilogue
func.func @ids_epilogue(%x: memref<?x384xf8E4M3FN>,
                        %w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
                        %o: memref<3xi32>, %ids: memref<2xi32>,
                        %p: memref<2x192xf32>, %y: memref<?x192xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x3x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<?x192xbf16>) epilogue(%p : memref<2x192xf32>) {
  ^bb0(%sum: f32, %power: f32):
    %z = arith.mulf %sum, %power : f32
    mxfp4.yield %z : f32
  } {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, copies_ahead = true, half_tiles = true>

// Weights that are copied ahead are those of the first tile, which may be a half.
// Whether there is one follows from the number of tiles and halves.
// CHECK-LABEL: gpu.func @mxfp4_ahead
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[LAST:.*]] = arith.constant 5 : index
// CHECK:         %[[FIRST:.*]] = gpu.block_id x
// CHECK:         %[[ROWTILES:.*]] = mxfp4.tile_count {{.*}} columns 1 :
// CHECK:         %[[WHOLE:.*]] = arith.minui %[[ROWTILES]],
// CHECK:         %[[PAIRED:.*]] = arith.subi %{{.*}}, %[[WHOLE]]
// CHECK-NEXT:    %[[COUNT:.*]] = arith.addi %[[PAIRED]], %[[ROWTILES]]
// CHECK:         mxfp4.role "copy"
// CHECK:           arith.cmpi ult, %[[FIRST]], %[[COUNT]]
// CHECK:           scf.if
// CHECK:             %[[FIELD:.*]] = arith.select %{{.*}}, %[[LAST]],
// CHECK:             %[[E:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.locate_tile {{.*}} columns 1 {
// CHECK:             %[[NUMBER:.*]] = arith.shrui %[[FIELD]], %[[C1]]
// CHECK:             scf.if
// CHECK:               mxfp4.ring_fill
// CHECK:               mxfp4.bulk_copy_weights {{.*}}[%[[E]], %[[NUMBER]], {{.*}} part %[[C0]] of 2
// CHECK:             } else {
// CHECK:               mxfp4.bulk_copy_weights
// CHECK-NOT:             part
// CHECK:           nvvm.griddepcontrol wait
// CHECK:           mxfp4.take_tiles
// CHECK:             scf.if
// CHECK:               mxfp4.k_loop
// CHECK:                 scf.if
// CHECK:                   mxfp4.bulk_copy_weights {{.*}} part %[[C0]] of 2
// CHECK:         mxfp4.hand_out_tiles %[[FIRST]] to %[[COUNT]] {{.*}} columns 3 to

// LOWER-LABEL: gpu.func @mxfp4_ahead
func.func @ahead(%x: memref<?x192xbf16>,
                 %w: memref<2x3x3x!mxfp4.block<spread, raw>>,
                 %o: memref<3xi32>, %y: memref<?x192xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
      weights(%w : memref<2x3x3x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule, older_inputs}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>

// All threads of a warp gather rows, and know that the tile is a half.
// CHECK-LABEL: gpu.func @mxfp4_gather
// CHECK:         mxfp4.role "copy"
// CHECK:           gpu.shuffle idx
// CHECK:           scf.if
// CHECK:             mxfp4.k_loop
// CHECK:               mxfp4.bulk_copy_weights {{.*}} part
// CHECK:               mxfp4.gather_activations
// CHECK:           } else {
// CHECK:             mxfp4.k_loop
// CHECK:               mxfp4.bulk_copy_weights
// CHECK-NOT:           part
// CHECK:               mxfp4.gather_activations

// LOWER-LABEL: gpu.func @mxfp4_gather
func.func @gather(%x: memref<?x192xbf16>, %g: memref<?xi32>,
                  %w: memref<2x3x3x!mxfp4.block<spread, raw>>,
                  %o: memref<3xi32>, %y: memref<?x192xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
      gather(%g : memref<?xi32>)
      weights(%w : memref<2x3x3x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>

// 8-bit numbers have halves, too.
// CHECK-LABEL: gpu.func @mxfp4_fp8
// CHECK:         mxfp4.role "multiply"
// CHECK:           scf.if
// CHECK:             mxfp4.k_loop {{.*}} rows = 64, {{.*}} half_tiles = true>}
// CHECK:               mxfp4.tile_matmul {{.*}} #mxfp4.accumulation<fast>
// CHECK:           } else {
// CHECK:             mxfp4.k_loop {{.*}} rows = 128, {{.*}} half_tiles = true>}
// CHECK:         mxfp4.hand_out_tiles {{.*}} columns 3 to

// LOWER-LABEL: gpu.func @mxfp4_fp8
func.func @fp8(%x: memref<?x384xf8E4M3FN>,
               %w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
               %o: memref<3xi32>, %y: memref<?x192xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x3x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}
