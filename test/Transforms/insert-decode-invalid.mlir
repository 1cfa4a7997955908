// What mxfp4-insert-decode refuses.
//
// RUN: not mxfp4-opt %s --mxfp4-insert-decode=placement=nowhere 2>&1 \
// RUN:   | FileCheck %s --check-prefix=PLACEMENT
// RUN: mxfp4-opt %s --mxfp4-insert-decode=placement=shared --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// PLACEMENT: error: mxfp4-insert-decode expects placement=register, placement=shared or placement=schedule, but got 'nowhere'

// A decoded tile in shared memory belongs to a kernel.
func.func @no_kernel(%w: !w, %x: !x, %slot: index, %acc: vector<2x1x4xf32>)
    -> vector<2x1x4xf32> {
  // expected-error @below {{requires to be in a gpu.func to be decoded with placement=shared}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%slot] {schedule = #schedule}
      : vector<2x1x4xf32>, !w, !x
  return %r : vector<2x1x4xf32>
}
