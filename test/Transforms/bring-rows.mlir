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
// Rows are claimed ahead of the copies of those before, stored, and counted
// behind a fence.
// LOWER:         %[[CLAIMED:.*]] = memref.atomic_rmw addi %[[TWO:.*]], %[[S:[^ ]*]][%[[WORD:.*]]]
// LOWER:         scf.while (%{{.*}} = %[[CLAIMED]],
// LOWER:           scf.condition
// LOWER:           memref.atomic_rmw addi %[[TWO]], %[[S]][%[[WORD]]]
// LOWER:           mxfp4.expect_bytes
// LOWER:           mxfp4.bulk_copy_row
// LOWER:           mxfp4.bulk_copy_row
// LOWER:           mxfp4.wait_barrier
// LOWER:           mxfp4.bulk_store_rows
// LOWER-NEXT:      llvm.fence syncscope("device") acq_rel
// LOWER:           memref.atomic_rmw addi
// LOWER:           scf.yield
// The scheduler waits before it hands a tile out.
// LOWER:         mxfp4.locate_tile
// LOWER:         scf.for
// LOWER:           mxfp4.wait_count %[[S]][%{{.*}}] reaches
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
