// Weights for activations in FP8 are decoded row by row: a thread loads eight words
// of codes and two of scales of its block, and makes four fragments of e5m2 of
// them. The multiplication keeps the accumulation that the program asked for.
//
// RUN: mxfp4-opt %s --pass-pipeline="builtin.module(mxfp4-tile,mxfp4-on-kernels{pipeline=mxfp4-specialize-warps,mxfp4-share-tiles,mxfp4-pipeline-copies,mxfp4-insert-decode})" | FileCheck %s --implicit-check-not="mxfp4.decode " --implicit-check-not=store_decoded
// RUN: sed "s/placement = register/placement = shared/" %s | mxfp4-opt --pass-pipeline="builtin.module(mxfp4-tile,mxfp4-on-kernels{pipeline=mxfp4-specialize-warps,mxfp4-share-tiles,mxfp4-pipeline-copies,mxfp4-insert-decode})" | FileCheck %s --check-prefix=SHARED

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>

// CHECK-LABEL: gpu.func @mxfp4_moe
// CHECK:         mxfp4.block_matmul %{{.*}} at[%{{.*}}] fetch {
// CHECK:         %[[FIRST:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.load_codes %[[W:.*]][%[[SLOT:.*]], %[[SLICE:.*]]] : memref<4x1x!mxfp4.block<bytes, relative>,
// CHECK-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE]]] part 1
// CHECK-NEXT:    %[[S0:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]] :
// CHECK-NEXT:    %[[S1:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]] part 1
// CHECK-NEXT:    mxfp4.yield %[[FIRST]], %[[S0]], %[[S1]],
// CHECK-SAME:    : i32, i32, i32, i32, i32, i32, i32, i32, i32, i32
// CHECK:       decode {
// CHECK-NEXT:  ^bb0(%[[A:[^:]+]]: i32, %[[ROW0:[^:]+]]: i32, %[[ROW8:[^:]+]]: i32, %[[B:[^:]+]]: i32,

// Registers 0 and 2 of a fragment are of the first row, 1 and 3 of the other.

// CHECK-NEXT:    %[[R0:.*]], %[[R2:.*]] = mxfp4.decode_row %[[A]], %[[ROW0]] step 0 : !mxfp4.block<bytes, relative>
// CHECK-NEXT:    %[[R1:.*]], %[[R3:.*]] = mxfp4.decode_row %[[B]], %[[ROW8]] step 0
// CHECK-COUNT-2: mxfp4.decode_row {{.*}} step 1
// CHECK-COUNT-2: mxfp4.decode_row {{.*}} step 2
// CHECK-COUNT-2: mxfp4.decode_row {{.*}} step 3
// CHECK-NEXT:    mxfp4.yield %[[R0]], %[[R1]], %[[R2]], %[[R3]],
// CHECK:       multiply {
// CHECK:         mxfp4.wgmma %{{.*}} a({{.*}} : vector<4xf8E5M2>
// CHECK:       } {accumulation = #mxfp4.accumulation<promoted 128>}

// In shared memory, the warpgroup has two blocks of 64 x 128 bytes, behind four
// stages of activations and in front of those of weights; the multiplication reads
// the first one there.

// SHARED:        mxfp4.block_matmul
// SHARED:        mxfp4.yield %{{.*}} : i32, i32, i32, i32, i32, i32, i32, i32, i32, i32
// SHARED:        %[[R0:.*]], %[[R2:.*]] = mxfp4.decode_row %{{.*}}, %{{.*}} step 0
// SHARED-NEXT:   %[[R1:.*]], %[[R3:.*]] = mxfp4.decode_row %{{.*}}, %{{.*}} step 0
// SHARED-NEXT:   mxfp4.store_decoded %[[R0]], %[[R1]], %[[R2]], %[[R3]] to %[[TILE:.*]][%{{.*}}] step 0 : memref<128x128xf8E5M2,
// SHARED-COUNT-2: mxfp4.decode_row {{.*}} step 1
// SHARED-NEXT:   mxfp4.store_decoded {{.*}} step 1
// SHARED-COUNT-2: mxfp4.decode_row {{.*}} step 2
// SHARED-NEXT:   mxfp4.store_decoded {{.*}} step 2
// SHARED-COUNT-2: mxfp4.decode_row {{.*}} step 3
// SHARED-NEXT:   mxfp4.store_decoded {{.*}} step 3
// SHARED-NEXT:   mxfp4.sync_warpgroup
// SHARED-NEXT:   mxfp4.yield
// SHARED-NEXT:   } multiply {
// SHARED:        mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%{{.*}}]) b({{.*}} memref<128x128xf8E5M2,
// SHARED:        {accumulation = #mxfp4.accumulation<promoted 128>}

func.func @moe(%x: memref<?x256xf8E4M3FN>,
               %w: memref<2x1x2x!mxfp4.block<bytes, relative>>,
               %o: memref<3xi32>, %y: memref<?x64xf32>,
               %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x256xf8E4M3FN>)
      weights(%w : memref<2x1x2x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xf32>)
      workspace(%workspace : memref<2xi32>)
      {schedule = #schedule, accumulation = #mxfp4.accumulation<promoted 128>}
  return
}
