// A kernel that gathers its rows through memory: a warp of each CTA brings rows
// to where TMA reads them, and tiles wait for their rows. Rows in FP8 have half
// the bytes.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-bring-rows --canonicalize | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-bring-rows --mxfp4-lower-program --canonicalize | FileCheck %s --check-prefix=LOWER

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2, bring_bytes = 256>

// CHECK-LABEL: gpu.func @mxfp4_brings
// CHECK-SAME:    %[[X:[^ ]*]]: memref<?x64xbf16>{{[^%]*}}, %{{[^ ]*}}: memref<2x1x1x{{[^%]*}}, %[[O:[^ ]*]]: memref<3xi32>
// CHECK-SAME:    %[[S:[^ ]*]]: memref<1028xi32>{{[^%]*}}, %[[G:[^ ]*]]: memref<?xi32>{{[^%]*}}, %[[T:[^ ]*]]: memref<?x64xbf16>
// CHECK-SAME:    %[[MAP:[^ ]*]]: !mxfp4.tensor_map<8> {mxfp4.arg = #mxfp4.arg<through_maps
// CHECK:         mxfp4.init_barriers %[[BARRIER:.*]] count 1
// CHECK:         nvvm.fence.mbarrier.init
// CHECK:         %[[BUFFER:.*]] = mxfp4.shared_buffer {{.*}} : memref<2x64xbf16, #gpu.address_space<workgroup>>
// CHECK:         mxfp4.role "multiply" warps 4
// CHECK:         mxfp4.role "copy" warps 2
// CHECK:           mxfp4.tensor_copy_activations %[[MAP]]
// CHECK:         mxfp4.role "schedule" warps 1 one_thread {
// CHECK:           mxfp4.hand_out_tiles {{.*}} counter(%[[S]] : memref<1028xi32>) rows %[[ROWS:[^ ]*]]
// CHECK:         mxfp4.role "bring" warps 1 one_thread {
// CHECK:           mxfp4.bring_rows %[[X]][%[[G]]] limit %{{.*}} rows %[[ROWS]] offsets(%[[O]]) to %[[T]] counting %[[S]] by %[[BUFFER]] signal %[[BARRIER]] error(

// LOWER-LABEL: gpu.func @mxfp4_brings
// Rows up to the last offset, in whole steps of eight, are claimed ahead of the
// copies of those before, stored, and counted behind a fence. A row that does not
// exist is reported if it is multiplied.
// LOWER:         %[[LAST:.*]] = memref.load %{{.*}}[%c2] : memref<3xi32>
// LOWER-NEXT:    %[[PAST:.*]] = arith.addi %[[LAST]], %c7_i32
// LOWER-NEXT:    %[[END:.*]] = arith.minui %[[PAST]], %{{.*}} : i32
// LOWER:         %[[ROWS:.*]] = arith.select %{{.*}}, %c0_i32, %[[END]]
// LOWER:         %[[CLAIMED:.*]] = memref.atomic_rmw addi %c2_i32, %[[S:[^ ]*]][%c2]
// LOWER-NEXT:    scf.while (%[[FIRST:.*]] = %[[CLAIMED]], %[[PARITY:.*]] = %c0_i32)
// LOWER-NEXT:      %[[LEFT:.*]] = arith.cmpi ult, %[[FIRST]], %[[ROWS]]
// LOWER-NEXT:      scf.condition(%[[LEFT]])
// LOWER:           %[[NEXT:.*]] = memref.atomic_rmw addi %c2_i32, %[[S]][%c2]
// LOWER-NEXT:      %[[REST:.*]] = arith.subi %[[ROWS]], %[[FIRST]]
// LOWER-NEXT:      %[[SOME:.*]] = arith.minui %[[REST]], %c2_i32
// LOWER-NEXT:      %[[BYTES:.*]] = arith.muli %[[SOME]], %c128_i32
// LOWER-NEXT:      mxfp4.expect_bytes %{{.*}}[%c0] bytes(%[[BYTES]])
// LOWER:           %[[ROW:.*]] = memref.load
// LOWER-NEXT:      %[[MISSING:.*]] = arith.cmpi uge, %[[ROW]], %{{.*}} : i32
// LOWER-NEXT:      scf.if %[[MISSING]] {
// LOWER-NEXT:        %[[OFFSET:.*]] = memref.load %{{.*}}[%c2] : memref<3xi32>
// LOWER-NEXT:        %[[USED:.*]] = arith.cmpi ult, %[[FIRST]], %[[OFFSET]]
// LOWER-NEXT:        scf.if %[[USED]] {
// LOWER-NEXT:          memref.atomic_rmw ori %c4_i32, %{{.*}}[%c0]
// LOWER:           mxfp4.bulk_copy_row %{{.*}} to %{{.*}}[%c0]
// LOWER-NEXT:      %[[TWO:.*]] = arith.cmpi ugt, %[[SOME]], %c1_i32
// LOWER-NEXT:      scf.if %[[TWO]] {
// LOWER-NEXT:        arith.addi %[[FIRST]], %c1_i32
// LOWER:             mxfp4.bulk_copy_row %{{.*}} to %{{.*}}[%c1]
// LOWER:           mxfp4.wait_barrier %{{.*}}[%c0] parity %[[PARITY]]
// LOWER:           mxfp4.bulk_store_rows %{{.*}} count %[[SOME]]
// LOWER-NEXT:      llvm.fence syncscope("device") acq_rel
// LOWER-NEXT:      %[[BLOCK:.*]] = arith.shrui %[[FIRST]],
// LOWER-NEXT:      %[[NUMBER:.*]] = arith.index_cast %[[BLOCK]]
// LOWER-NEXT:      %[[WORD:.*]] = arith.addi %[[NUMBER]], %c4
// LOWER-NEXT:      memref.atomic_rmw addi %[[SOME]], %[[S]][%[[WORD]]]
// LOWER-NEXT:      %[[OTHER:.*]] = arith.xori %[[PARITY]], %c1_i32
// LOWER-NEXT:      scf.yield %[[NEXT]], %[[OTHER]]
// The scheduler waits for all blocks that have rows of a tile before it hands the
// tile out. The last block may have fewer rows.
// LOWER:         mxfp4.locate_tile
// LOWER:         %[[STEPS:.*]] = arith.ceildivui %{{.*}}, %c8
// LOWER-NEXT:    %[[HIGH:.*]] = arith.muli %[[STEPS]], %c8
// LOWER-NEXT:    arith.addi %{{.*}}, %[[HIGH]] : index
// LOWER:         %[[SIZE:.*]] = arith.shli %c1_i32
// LOWER-NEXT:    %[[SUM:.*]] = arith.addi %{{.*}}, %[[SIZE]]
// LOWER-NEXT:    %[[UP:.*]] = arith.subi %[[SUM]], %c1_i32
// LOWER:         scf.for %[[AT:.*]] = %{{.*}} to %{{.*}} step %c1 {
// LOWER:           %[[BEFORE:.*]] = arith.shli
// LOWER-NEXT:      %[[BEHIND:.*]] = arith.subi %{{.*}}, %[[BEFORE]]
// LOWER-NEXT:      %[[LEAST:.*]] = arith.minui %[[SIZE]], %[[BEHIND]]
// LOWER-NEXT:      %[[READY:.*]] = arith.addi %[[AT]], %c4
// LOWER-NEXT:      mxfp4.wait_count %[[S]][%[[READY]]] reaches %[[LEAST]]
// LOWER:         memref.store
func.func @brings(%x: memref<?x64xbf16>, %g: memref<?xi32>,
    %t: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %e: memref<1xi32>, %s: memref<1028xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%g : memref<?xi32>) through(%t : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      error(%e : memref<1xi32>) workspace(%s : memref<1028xi32>)
      {schedule = #schedule}
  return
}

// Of three groups, the one of a row is looked up in two steps, of two and of one.
// LOWER-LABEL: gpu.func @mxfp4_ids
// LOWER:         mxfp4.expect_bytes
// LOWER:         %[[ROW:.*]] = memref.load
// LOWER:         scf.if
// LOWER-NEXT:      %[[LAST:.*]] = memref.load %[[O:.*]][%c3] : memref<4xi32>
// LOWER-NEXT:      %[[USED:.*]] = arith.cmpi ult, %[[NUMBER:.*]], %[[LAST]]
// LOWER-NEXT:      %[[THIRD:.*]] = memref.load %[[O]][%c2]
// LOWER-NEXT:      %[[IS_THIRD:.*]] = arith.cmpi ule, %[[THIRD]], %[[NUMBER]]
// LOWER-NEXT:      %[[G:.*]] = arith.select %[[IS_THIRD]], %c2, %c0
// LOWER-NEXT:      %[[AND:.*]] = arith.addi %[[G]], %c1
// LOWER-NEXT:      %[[NEXT:.*]] = arith.minui %[[AND]], %c2
// LOWER-NEXT:      %[[BEGIN:.*]] = memref.load %[[O]][%[[NEXT]]]
// LOWER-NEXT:      %[[IS_NEXT:.*]] = arith.cmpi ule, %[[BEGIN]], %[[NUMBER]]
// LOWER-NEXT:      %[[GROUP:.*]] = arith.select %[[IS_NEXT]], %[[NEXT]], %[[G]]
// LOWER-NEXT:      %[[ID:.*]] = memref.load %{{.*}}[%[[GROUP]]] : memref<3xi32>
// LOWER-NEXT:      %[[HAS:.*]] = arith.cmpi ult, %[[ID]], %c2_i32
// LOWER-NEXT:      arith.andi %[[USED]], %[[HAS]]
func.func @ids(%x: memref<?x64xbf16>, %g: memref<?xi32>,
    %t: memref<?x64xbf16>, %ids: memref<3xi32>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<4xi32>,
    %y: memref<?x64xbf16>, %e: memref<1xi32>, %s: memref<1028xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%g : memref<?xi32>) through(%t : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<4xi32>) expert_ids(%ids : memref<3xi32>)
      outs(%y : memref<?x64xbf16>)
      error(%e : memref<1xi32>) workspace(%s : memref<1028xi32>)
      {schedule = #schedule}
  return
}

#fp8 = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2, bring_bytes = 256>

// CHECK-LABEL: gpu.func @mxfp4_brings_fp8
// CHECK-SAME:    %[[X:[^ ]*]]: memref<?x128xf8E4M3FN>
// CHECK-SAME:    %[[SCALES:[^ ]*]]: memref<?xf32> {mxfp4.arg = #mxfp4.arg<epilogue0
// CHECK:         %[[BUFFER:.*]] = mxfp4.shared_buffer {{.*}} : memref<2x128xf8E4M3FN, #gpu.address_space<workgroup>>
// CHECK:         mxfp4.role "bring" warps 1 one_thread {
// CHECK:           mxfp4.bring_rows %[[X]][{{.*}} by %[[BUFFER]] signal
func.func @brings_fp8(%x: memref<?x128xf8E4M3FN>, %g: memref<?xi32>,
    %t: memref<?x128xf8E4M3FN>,
    %w: memref<2x1x1x!mxfp4.block<bytes, relative>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %e: memref<1xi32>, %s: memref<1028xi32>,
    %scales: memref<?xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x128xf8E4M3FN>)
      gather(%g : memref<?xi32>) through(%t : memref<?x128xf8E4M3FN>)
      weights(%w : memref<2x1x1x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      error(%e : memref<1xi32>) workspace(%s : memref<1028xi32>)
      epilogue(%scales : memref<?xf32>) {
      ^bb0(%sum: f32, %scale: f32):
        %0 = arith.mulf %sum, %scale : f32
        mxfp4.yield %0 : f32
      } {schedule = #fp8, accumulation = #mxfp4.accumulation<fast>}
  return
}
