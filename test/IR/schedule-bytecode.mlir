// Inputs/schedule-version-1.mlirbc holds two schedules as the first format of their
// text spelled them, written by the compiler of that time: it is read, and the
// fields that were inferred then are named. It cannot be written again.
//
// RUN: mxfp4-opt %S/Inputs/schedule-version-1.mlirbc | FileCheck %s
// RUN: mxfp4-opt %S/Inputs/schedule-version-1.mlirbc --emit-bytecode | mxfp4-opt | FileCheck %s

// CHECK: schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 8, k_slices = 3, copy_warps = 3, producer_registers = 24, evict_first = true, full_tiles_first = true, sum_steps = 3, side_by_side = true>
// CHECK: schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1>
