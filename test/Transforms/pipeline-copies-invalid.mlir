// Loops over K whose copies cannot run ahead.
//
// RUN: mxfp4-opt %s --mxfp4-pipeline-copies --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @no_matmul(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w, %sx: !x,
    %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{requires one mxfp4.tile_matmul and its sums to be pipelined}}
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c0, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    mxfp4.yield %acc : vector<2x1x4xf32>
  }
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @no_copies(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w, %sx: !x,
    %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{requires copies to be pipelined}}
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c0)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @two_sums(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w, %sx: !x,
    %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  // expected-error @below {{requires one mxfp4.tile_matmul and its sums to be pipelined}}
  %r:2 = mxfp4.k_loop to 9 init(%zero, %zero) {schedule = #schedule}
      : vector<2x1x4xf32>, vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>, %other: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c0, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c0)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n, %other : vector<2x1x4xf32>, vector<2x1x4xf32>
  }
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @operands(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w, %sx: !x,
    %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    %e = arith.addi %k, %c0 : index
    // expected-error @below {{requires operands from outside its loop, other than step and slot, to be pipelined}}
    mxfp4.copy_weights %w[%e, %c0, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c0)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @effects(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w, %sx: !x,
    %zero: vector<2x1x4xf32>, %out: memref<index>) {
  %c0 = arith.constant 0 : index
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c0, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    // expected-error @below {{has no place in a mxfp4.k_loop that is pipelined: only copies and one mxfp4.tile_matmul have}}
    memref.store %k, %out[] : memref<index>
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c0)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<1x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<1x8x64xbf16, #gpu.address_space<workgroup>>

func.func @one_slot(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w, %sx: !x,
    %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c0, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    // expected-error @below {{requires staged buffers of at least 2 slots to be pipelined}}
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c0)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return
}
