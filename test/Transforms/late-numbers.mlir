// With up to 16 tiles for each CTA the next number is taken when there is a slot
// for its tile, with more ahead of everything that takes time.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-insert-decode --mxfp4-lower-program --canonicalize --cse \
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
