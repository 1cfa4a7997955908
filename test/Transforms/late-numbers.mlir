// When a CTA takes the number of its next tile. With up to 16 tiles for each CTA
// it does so when there is a slot for the tile, with more ahead of everything that
// takes time.
//
// RUN: mxfp4-opt %s --split-input-file --pass-pipeline="builtin.module(mxfp4-tile,mxfp4-on-kernels{pipeline=mxfp4-specialize-warps,mxfp4-share-tiles,mxfp4-pipeline-copies,mxfp4-insert-decode,mxfp4-overlap-decode,mxfp4-lower-program,canonicalize,cse})" \
// RUN:   | FileCheck %s

#full = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 8, copy_warps = 1, full_tiles_first = true>

func.func @few(%x: memref<?x128xbf16>,
               %w: memref<2x1x2x!mxfp4.block<spread, folded>>,
               %o: memref<3xi32>, %y: memref<?x64xbf16>, %e: memref<1xi32>,
               %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x128xbf16>)
      weights(%w : memref<2x1x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      error(%e : memref<1xi32>) workspace(%s : memref<2xi32>)
      {schedule = #full}
  return
}

// CHECK-LABEL: gpu.func @mxfp4_few
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         %[[GRID:.*]] = gpu.grid_dim x
// CHECK:         %[[COUNT:.*]] = arith.index_cast
// CHECK:         %[[MOST:.*]] = arith.muli %[[GRID]], %c16
// CHECK-NEXT:    %[[MANY:.*]] = arith.cmpi ugt, %[[COUNT]], %[[MOST]]
// CHECK-NEXT:    scf.while (%[[NUMBER:[^ ]*]] = %[[BLOCK]],
// CHECK-NEXT:      %[[FOLLOWING:.*]] = scf.if %[[MANY]]
// CHECK-NEXT:        memref.atomic_rmw addi
// CHECK:           } else {
// CHECK-NEXT:        scf.yield %[[NUMBER]]
// CHECK:           mxfp4.wait_barrier
// CHECK:           mxfp4.locate_tile %[[NUMBER]]
// CHECK:           scf.condition(%{{.*}}) %[[FOLLOWING]],
// CHECK:         ^bb0(%[[NEXT:[^ ]*]]: index,
// CHECK:           scf.if %[[MANY]]
// CHECK-NEXT:        scf.yield %[[NEXT]]
// CHECK:           } else {
// CHECK:             mxfp4.wait_barrier
// CHECK-NEXT:        memref.atomic_rmw addi

// -----

// With promoted sums whose first interval has a loop of its own all numbers are
// late, however many tiles there are, where full tiles come first, too: no table's
// warp hands out the first of these.

#promoted = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 16, copy_warps = 1, overlap_decode = true, full_tiles_first = true>

// CHECK-LABEL: gpu.func @mxfp4_promoted
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         scf.while (%[[NUMBER:[^ ]*]] = %[[BLOCK]], %[[SLOT:[^ ]*]] = %c0,
// CHECK-NEXT:      %[[ISTILE:.*]] = arith.cmpi ult, %[[NUMBER]],
// CHECK-NEXT:      scf.if %[[ISTILE]] {
// CHECK-NEXT:        mxfp4.locate_tile %[[NUMBER]]
// CHECK:           scf.condition(%[[ISTILE]]) %[[SLOT]],
// CHECK-NOT:       scf.if
// CHECK:           mxfp4.wait_barrier
// CHECK-NEXT:      memref.atomic_rmw addi
func.func @promoted(%x: memref<?x1152xf8E4M3FN>,
                    %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
                    %o: memref<3xi32>, %y: memref<?x64xbf16>,
                    %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>)
      {accumulation = #mxfp4.accumulation<promoted 512>, schedule = #promoted}
  return
}

// -----

// Without that loop they are taken early: fragments of whole steps are not decoded
// beside a multiplication, or sums are so many that only those of half steps are.

#whole = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 16, copy_warps = 1, full_tiles_first = true>

// CHECK-LABEL: gpu.func @mxfp4_whole
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         scf.while (%[[NUMBER:[^ ]*]] = %[[BLOCK]],
// CHECK-NEXT:      memref.atomic_rmw addi
// CHECK:           mxfp4.wait_barrier
// CHECK:           mxfp4.locate_tile %[[NUMBER]]
func.func @whole(%x: memref<?x1152xf8E4M3FN>,
                 %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
                 %o: memref<3xi32>, %y: memref<?x64xbf16>,
                 %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>)
      {accumulation = #mxfp4.accumulation<promoted 512>, schedule = #whole}
  return
}

// -----

#halves = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 96,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 16, copy_warps = 1, overlap_decode = true, full_tiles_first = true>

// CHECK-LABEL: gpu.func @mxfp4_halves
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         scf.while (%[[NUMBER:[^ ]*]] = %[[BLOCK]],
// CHECK-NEXT:      memref.atomic_rmw addi
// CHECK:           mxfp4.wait_barrier
// CHECK:           mxfp4.locate_tile %[[NUMBER]]
func.func @halves(%x: memref<?x1152xf8E4M3FN>,
                  %w: memref<2x2x9x!mxfp4.block<bytes, relative>>,
                  %o: memref<3xi32>, %y: memref<?x128xbf16>,
                  %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x2x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x128xbf16>)
      workspace(%s : memref<2xi32>)
      {accumulation = #mxfp4.accumulation<promoted 512>, schedule = #halves}
  return
}
