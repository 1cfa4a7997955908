// Loops marked mxfp4.stages that are not as mxfp4-tile builds them.
//
// RUN: mxfp4-opt %s --mxfp4-pipeline-copies --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// The number of stages.

func.func @text(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  // expected-error @below {{requires mxfp4.stages to be a whole number of at least 2}}
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n : vector<2x1x4xf32>
  } {mxfp4.stages = "three"}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @one_stage(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  // expected-error @below {{requires mxfp4.stages to be a whole number of at least 2}}
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n : vector<2x1x4xf32>
  } {mxfp4.stages = 1 : i64}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @slots(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    // expected-error @below {{requires staged buffers of 4 slots, as mxfp4.stages of its loop says, but got 3}}
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n : vector<2x1x4xf32>
  } {mxfp4.stages = 4 : i64}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// What the loop must hold.

func.func @no_copy(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  // expected-error @below {{marked mxfp4.stages requires copies, one mxfp4.tile_matmul and its accumulator}}
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n : vector<2x1x4xf32>
  } {mxfp4.stages = 3 : i64}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @no_matmul(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  // expected-error @below {{marked mxfp4.stages requires copies, one mxfp4.tile_matmul and its accumulator}}
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    scf.yield %acc : vector<2x1x4xf32>
  } {mxfp4.stages = 3 : i64}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

func.func @two_accumulators(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  // expected-error @below {{marked mxfp4.stages requires copies, one mxfp4.tile_matmul and its accumulator}}
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero, %other = %zero) -> (vector<2x1x4xf32>, vector<2x1x4xf32>) {
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n, %other : vector<2x1x4xf32>, vector<2x1x4xf32>
  } {mxfp4.stages = 3 : i64}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// What a copy ahead of its step could not know.

func.func @operand(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    %block = arith.remui %k, %c9 : index
    // expected-error @below {{requires operands from outside its loop, other than step and slot, to be pipelined}}
    mxfp4.copy_weights %w[%c0, %block, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n : vector<2x1x4xf32>
  } {mxfp4.stages = 3 : i64}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// What would be lost.

func.func @store(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
    %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>,
    %log: memref<9xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<2x1x4xf32>) {
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    // expected-error @below {{has no place in a loop marked mxfp4.stages: only copies and one mxfp4.tile_matmul are pipelined}}
    memref.store %k, %log[%k] : memref<9xindex>
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    scf.yield %n : vector<2x1x4xf32>
  } {mxfp4.stages = 3 : i64}
  return
}
