// Two decoded blocks in shared memory take turns, as two sets of fragments do.
//
// RUN: mxfp4-opt %s --mxfp4-insert-decode --mxfp4-overlap-decode --canonicalize --cse | FileCheck %s

#shared = #gpu.address_space<workgroup>
#decoded_in_shared = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = shared, ctas = 1>

// With placement=shared two decoded buffers take turns. Behind the decode of the
// next block the warpgroup meets, so that its wgmma may read the block; the wait for
// the batch before stands between the last reading of a buffer and the next block
// in it.

// CHECK-LABEL: func @decoded_in_shared(
// CHECK-SAME:    %[[W:[^:]*]]: memref<{{[^%]*}}, %[[X:[^:]*]]: memref<{{[^%]*}}, %[[RING:[^:]*]]: !mxfp4.ring<3>, %[[START:[^:]*]]: !mxfp4.cursor<3>, %[[N:[^:]*]]: index, %[[ZERO:[^:]*]]:
// CHECK-COUNT-4: mxfp4.store_decoded {{.*}} step {{.}} :
// CHECK-NEXT:    mxfp4.sync_warpgroup
// CHECK:         mxfp4.wgmma {{.*}} shared_a(%{{.*}}) b(
// CHECK-COUNT-4: mxfp4.store_decoded {{.*}} step {{.}} buffer 1 :
// CHECK-NEXT:    mxfp4.sync_warpgroup
// CHECK:         scf.for
// CHECK:           mxfp4.wgmma {{.*}} shared_a(%{{.*}}) buffer 1 b(
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK-COUNT-4:   mxfp4.store_decoded {{.*}} step {{.}} :
// CHECK-NEXT:      mxfp4.sync_warpgroup
// CHECK:           mxfp4.wgmma {{.*}} shared_a(%{{.*}}) b(
// CHECK-NEXT:      mxfp4.wgmma_wait {{.*}} pending 1
// CHECK-COUNT-4:   mxfp4.store_decoded {{.*}} step {{.}} buffer 1 :
// CHECK-NEXT:      mxfp4.sync_warpgroup
// CHECK:         return
func.func @decoded_in_shared(%w: memref<3x1x!mxfp4.block<spread, folded>, #shared>,
    %x: memref<3x16x64xbf16, #shared>, %ring: !mxfp4.ring<3>,
    %start: !mxfp4.cursor<3>, %n: index, %zero: vector<1x2x4xf32>)
    -> (vector<1x2x4xf32>, !mxfp4.cursor<3>) {
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #decoded_in_shared} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #decoded_in_shared} : vector<1x2x4xf32>,
        memref<3x1x!mxfp4.block<spread, folded>, #shared>,
        memref<3x16x64xbf16, #shared>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return %r#0, %r#1 : vector<1x2x4xf32>, !mxfp4.cursor<3>
}
