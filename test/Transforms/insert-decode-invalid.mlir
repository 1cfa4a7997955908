// What mxfp4-insert-decode refuses.
//
// RUN: not mxfp4-opt %s --mxfp4-insert-decode=placement=nowhere --split-input-file 2>&1 \
// RUN:   | FileCheck %s --check-prefix=PLACEMENT
// RUN: mxfp4-opt %s --mxfp4-insert-decode=placement=shared --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// PLACEMENT: error: mxfp4-insert-decode expects placement=register, placement=shared or placement=schedule, but got 'nowhere'

// A decoded tile in shared memory belongs to a kernel.
func.func @no_kernel(%w: !w, %x: !x, %slot: index, %acc: vector<2x1x4xf32>)
    -> vector<2x1x4xf32> {
  // expected-error @below {{requires to be in a gpu.func to be decoded with placement=shared}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%slot)
      {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
  return %r : vector<2x1x4xf32>
}

// -----

#wgmma = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// Decoded blocks of wgmma lie in dynamic shared memory, which mxfp4-tile has laid
// out.
gpu.module @kernels {
  gpu.func @no_room(%w: !w, %x: !x, %slot: index, %acc: vector<1x1x4xf32>,
                    %out: memref<1xvector<1x1x4xf32>>) kernel {
    // expected-error @below {{requires a schedule with placement=shared to be decoded so with wgmma: mxfp4-tile leaves no room for decoded blocks without it}}
    %r = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%slot)
        {schedule = #wgmma} : vector<1x1x4xf32>, !w, !x
    memref.store %r, %out[%slot] : memref<1xvector<1x1x4xf32>>
    gpu.return
  }
}
