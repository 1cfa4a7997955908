// The warp that hands out tiles counts those that other warps have stored: each
// behind its stores takes the next tile.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-count-groups --canonicalize --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-count-groups --mxfp4-lower-program --canonicalize --split-input-file | FileCheck %s --check-prefix=LOWER

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 32,
  warps_rows = 8, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 8, copy_warps = 1>

// CHECK-LABEL: gpu.func @mxfp4_rows
// CHECK-SAME:    %[[STORED:[^ ]*]]: memref<2xi32> {mxfp4.arg = #mxfp4.arg<stored
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NOT:     mxfp4.hand_out_first
// CHECK:         mxfp4.store_tile
// CHECK-NOT:     stored(
// CHECK:         mxfp4.hand_out_tiles
// CHECK-SAME:      stored(%[[STORED]] : memref<2xi32>) columns %c200_i32 by %c128_i32

// Three tiles may be handed out and not stored. The oldest of them is, when there
// is a slot for the next one. The last two are behind the end of the tiles, as
// soon as all warps have taken what comes behind them.
// LOWER-LABEL: gpu.func @mxfp4_rows
// LOWER-SAME:    %[[STORED:[^ ]*]]: memref<2xi32> {mxfp4.arg = #mxfp4.arg<stored
// LOWER:         scf.while ({{.*}}, %[[G0:.*]] = %c0, %[[N0:.*]] = %c0_i32, %[[G1:.*]] = %c0, %[[N1:.*]] = %c0_i32, %[[G2:.*]] = %c0, %[[N2:.*]] = %c0_i32)
// LOWER:           mxfp4.wait_barrier
// LOWER:           %[[SOME:.*]] = arith.cmpi ne, %[[N2]], %c0_i32
// LOWER-NEXT:      scf.if %[[SOME]] {
// LOWER-NEXT:        mxfp4.raise_count %[[STORED]][%[[G2]]] by %[[N2]] : memref<2xi32>
// LOWER-NEXT:      }
// LOWER:           %[[NEW:.*]]:2 = scf.if %{{.*}} -> (index, i32) {
// LOWER-NEXT:        %[[E:[a-z_0-9]*]], %{{[a-z_0-9]*}}, %[[V:[a-z_0-9]*]], %[[C:[a-z_0-9]*]] = mxfp4.locate_tile
// LOWER:             %[[NUMBER:.*]] = arith.index_cast %[[C]] : index to i32
// LOWER:             %[[BEFORE:.*]] = arith.muli %{{.*}}, %c128_i32
// LOWER-NEXT:        %[[LEFT:.*]] = arith.subi %c200_i32, %[[BEFORE]]
// LOWER-NEXT:        %[[COLUMNS:.*]] = arith.minui %[[LEFT]], %c128_i32
// LOWER-NEXT:        %[[ROWS:.*]] = arith.index_cast %[[V]] : index to i32
// LOWER-NEXT:        %[[ALL:.*]] = arith.muli %[[ROWS]], %[[COLUMNS]]
// LOWER-NEXT:        scf.yield %[[E]], %[[ALL]]
// LOWER:           scf.condition(%{{.*}}) %{{.*}}, %[[NEW]]#0, %[[NEW]]#1, %[[G0]], %[[N0]], %[[G1]], %[[N1]]
// LOWER:         mxfp4.wait_barrier
// LOWER:           mxfp4.raise_count %[[STORED]]
// LOWER:         mxfp4.wait_barrier
// LOWER:           mxfp4.raise_count %[[STORED]]
// LOWER-NOT:     mxfp4.raise_count
// LOWER:         gpu.return
func.func @rows(%x: memref<?x1152xbf16>,
    %w: memref<2x4x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x200xbf16>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    weights(%w : memref<2x4x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x200xbf16>)
    stored(%c : memref<2xi32>) {schedule = #schedule}
  return
}

// An epilogue on pairs stores half as many columns.
// CHECK-LABEL: gpu.func @mxfp4_pairs
// CHECK:         mxfp4.hand_out_tiles
// CHECK-SAME:      stored(%{{[^ ]*}} : memref<2xi32>) columns %c100_i32 by %c64_i32
func.func @pairs(%x: memref<?x1152xbf16>,
    %w: memref<2x4x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x100xbf16>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    weights(%w : memref<2x4x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x100xbf16>)
    stored(%c : memref<2xi32>) epilogue {
    ^bb0(%gate: f32, %up: f32):
      %p = arith.mulf %gate, %up : f32
      mxfp4.yield %p : f32
    } {schedule = #schedule}
  return
}

// -----

// Where no warp hands out tiles, each warp that stores counts.
#together = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

// CHECK-LABEL: gpu.func @mxfp4_together
// CHECK-SAME:    %[[STORED:[^ ]*]]: memref<2xi32> {mxfp4.arg = #mxfp4.arg<stored
// CHECK:         mxfp4.store_tile {{.*}} expert(%{{[^ ]*}}) stored(%[[STORED]] : memref<2xi32>)
func.func @together(%x: memref<?x1152xbf16>,
    %w: memref<2x1x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    weights(%w : memref<2x1x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    stored(%c : memref<2xi32>) {schedule = #together}
  return
}
