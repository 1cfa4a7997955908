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
  gpu.func @no_room(%w: !w, %x: !x, %ring: !mxfp4.ring<3>,
                    %start: !mxfp4.cursor<3>, %n: index,
                    %acc: vector<1x1x4xf32>) kernel {
    %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%acc)
        {schedule = #wgmma} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<1x1x4xf32> {
    ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<1x1x4xf32>):
      %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
      // expected-error @below {{requires a schedule with placement=shared to be decoded so with wgmma: mxfp4-tile leaves no room for decoded blocks without it}}
      %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
          {schedule = #wgmma} : vector<1x1x4xf32>, !w, !x
      mxfp4.yield %next : vector<1x1x4xf32>
    }
    gpu.return
  }
}

// -----

#wgmma = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = shared, ctas = 1>
!w = memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// A warpgroup multiplies in a role of its own.
gpu.module @kernels {
  gpu.func @no_ring(%w: !w, %x: !x, %n: index, %slot: index,
                    %acc: vector<1x1x4xf32>) kernel {
    // expected-error @below {{requires a mxfp4.k_loop around it that drains a ring to be multiplied with wgmma; run mxfp4-specialize-warps first}}
    %next = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #wgmma} : vector<1x1x4xf32>, !w, !x
    gpu.return
  }
}
