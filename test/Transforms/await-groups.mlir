// A kernel with counts of the rows that the kernel ahead stores: the warp that
// hands out tiles waits for the groups of each tile, and for the whole of the
// kernel ahead behind its last tile. The table is built before, from offsets
// that are older than the kernel ahead: a fence is ahead of their loads.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-await-groups --canonicalize --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-await-groups --mxfp4-lower-program --canonicalize --split-input-file | FileCheck %s --check-prefix=LOWER

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 8, copy_warps = 1>

// Its first tile waits, too: no other warp hands it out.
// CHECK-LABEL: gpu.func @mxfp4_rows
// CHECK-SAME:    %[[AWAITED:[^ ]*]]: memref<2xi32> {mxfp4.arg = #mxfp4.arg<awaited
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK:         mxfp4.build_tile_table
// CHECK-NOT:     mxfp4.hand_out_first
// CHECK:         mxfp4.role "schedule"
// CHECK:           mxfp4.hand_out_tiles
// CHECK-SAME:        awaited(%[[AWAITED]] : memref<2xi32>) columns %c1152_i32
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK:         gpu.return

// A tile copies rows in steps of 8, the last of which may have rows of groups
// behind its own: it waits for these groups, too.
// LOWER-LABEL: gpu.func @mxfp4_rows
// LOWER-SAME:    %[[AWAITED:[^ ]*]]: memref<2xi32> {mxfp4.arg = #mxfp4.arg<awaited
// LOWER-NOT:     nvvm.griddepcontrol
// LOWER:         scf.if
// LOWER-NEXT:      llvm.fence syncscope("device") acq_rel
// LOWER:           memref.load
// LOWER:           gpu.barrier
// LOWER-NOT:     nvvm.griddepcontrol
// LOWER:         %[[E:.*]], %[[R:.*]], %[[V:.*]], %{{.*}} = mxfp4.locate_tile
// LOWER:         %[[STEPS:.*]] = arith.ceildivui %[[V]], %c8
// LOWER-NEXT:    %[[PADDED:.*]] = arith.muli %[[STEPS]], %c8
// LOWER-NEXT:    %[[END:.*]] = arith.addi %[[R]], %[[PADDED]]
// LOWER-NEXT:    %[[LAST:.*]] = arith.index_cast %[[END]] : index to i32
// LOWER-NEXT:    %[[START:.*]] = memref.load %{{.*}}[%[[E]]] : memref<3xi32>
// LOWER-NEXT:    scf.while (%[[GROUP:.*]] = %[[E]], %[[FROM:.*]] = %[[START]])
// LOWER-NEXT:      %[[NEXT:.*]] = arith.addi %[[GROUP]], %c1
// LOWER-NEXT:      %[[TO:.*]] = memref.load %{{.*}}[%[[NEXT]]] : memref<3xi32>
// LOWER-NEXT:      %[[ROWS:.*]] = arith.subi %[[TO]], %[[FROM]]
// LOWER-NEXT:      %[[ALL:.*]] = arith.muli %[[ROWS]], %c1152_i32
// LOWER-NEXT:      mxfp4.wait_count %[[AWAITED]][%[[GROUP]]] reaches %[[ALL]]
// LOWER-NEXT:      %[[COPIED:.*]] = arith.cmpi ult, %[[TO]], %[[LAST]]
// LOWER-NEXT:      %[[EXISTS:.*]] = arith.cmpi ult, %[[NEXT]], %c2
// LOWER-NEXT:      %[[MORE:.*]] = arith.andi %[[COPIED]], %[[EXISTS]]
// LOWER-NEXT:      scf.condition(%[[MORE]]) %[[NEXT]], %[[TO]]
// LOWER:         nvvm.griddepcontrol wait
// LOWER-NEXT:    nvvm.griddepcontrol launch_dependents
// LOWER-NEXT:    llvm.fence
// LOWER-NEXT:    memref.atomic_rmw addi
// LOWER-NOT:     nvvm.griddepcontrol
// LOWER:         gpu.return
func.func @rows(%x: memref<?x1152xbf16>,
    %w: memref<2x1x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %s: memref<2xi32>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    awaited(%c : memref<2xi32>)
    weights(%w : memref<2x1x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    workspace(%s : memref<2xi32>) {schedule = #schedule, older_inputs}
  return
}

// -----

// Of two kinds of tiles both wait.
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 8, copy_warps = 1, wide_from = 49, wide_stages = 6>

// CHECK-LABEL: gpu.func @mxfp4_kinds
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK-COUNT-2: mxfp4.hand_out_tiles {{.*}} awaited(%{{.*}} : memref<2xi32>) columns %c1152_i32
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK:         gpu.return
func.func @kinds(%x: memref<?x1152xbf16>,
    %w: memref<2x2x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x128xbf16>, %s: memref<2xi32>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    awaited(%c : memref<2xi32>)
    weights(%w : memref<2x2x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x128xbf16>)
    workspace(%s : memref<2xi32>) {schedule = #schedule, older_inputs}
  return
}

// -----

// Kernels of other schedules wait for the kernel ahead as a whole: those that
// copy weights ahead, and those without warps that hand out tiles.
#ahead = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 1, copies_ahead = true>
#together = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

// CHECK-LABEL: gpu.func @mxfp4_ahead
// CHECK:         nvvm.griddepcontrol wait
// CHECK:         mxfp4.hand_out_tiles
// CHECK-NOT:     awaited
// CHECK:         gpu.return
func.func @ahead(%x: memref<?x1152xbf16>,
    %w: memref<2x1x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    awaited(%c : memref<2xi32>)
    weights(%w : memref<2x1x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    {schedule = #ahead, older_inputs}
  return
}

// CHECK-LABEL: gpu.func @mxfp4_together
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NOT:     nvvm.griddepcontrol wait
// CHECK:         gpu.return
func.func @together(%x: memref<?x1152xbf16>,
    %w: memref<2x1x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %c: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    awaited(%c : memref<2xi32>)
    weights(%w : memref<2x1x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    {schedule = #together, older_inputs}
  return
}
