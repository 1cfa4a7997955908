// What the options of mxfp4-choose-schedule refuse.
//
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=chip=sm_80 2>&1 \
// RUN:   | FileCheck %s --check-prefix=CHIP
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=placement=constant 2>&1 \
// RUN:   | FileCheck %s --check-prefix=PLACEMENT
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=instruction=hmma 2>&1 \
// RUN:   | FileCheck %s --check-prefix=INSTRUCTION
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=schedule=64x64 2>&1 \
// RUN:   | FileCheck %s --check-prefix=TEXT
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=schedule=i32 2>&1 \
// RUN:   | FileCheck %s --check-prefix=KIND
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule="schedule=#mxfp4.schedule<instruction=mma_sync,rows=64,tokens=0,warps_rows=1,warps_tokens=1,stages=4,placement=register,ctas=1>" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ZERO
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule="schedule=#mxfp4.schedule<instruction=mma_sync,rows=64,tokens=64,warps_rows=1,warps_tokens=1,stages=1,placement=register,ctas=1>" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=STAGES
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=rows-hint=-1 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ROWS
// RUN: not mxfp4-opt %s --mxfp4-tile-routing=rows-hint=-5 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ROUTING
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=device=h201 2>&1 \
// RUN:   | FileCheck %s --check-prefix=DEVICE
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule=device=multiprocessors=0 2>&1 \
// RUN:   | FileCheck %s --check-prefix=FACT
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule="batch-invariant=true schedule=#mxfp4.schedule<instruction=wgmma,rows=64,tokens=32,warps_rows=4,warps_tokens=1,stages=9,placement=register,ctas=1,k_slices=3,copy_warps=3>" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=INVARIANT
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule="placement=shared schedule=#mxfp4.schedule<instruction=mma_sync,rows=64,tokens=8,warps_rows=4,warps_tokens=1,stages=4,placement=register,ctas=1>" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OTHER-PLACEMENT
// RUN: not mxfp4-opt %s --mxfp4-choose-schedule="instruction=wgmma schedule=#mxfp4.schedule<instruction=mma_sync,rows=64,tokens=8,warps_rows=4,warps_tokens=1,stages=4,placement=register,ctas=1>" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=OTHER-INSTRUCTION
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="instruction=mma_sync schedule=#mxfp4.schedule<instruction=mma_sync,rows=64,tokens=8,warps_rows=4,warps_tokens=1,stages=4,placement=register,ctas=1>" \
// RUN:   | mxfp4-opt --mxfp4-choose-schedule="instruction=wgmma placement=shared" | FileCheck %s --check-prefix=KEPT

// OTHER-PLACEMENT: error: 'mxfp4.grouped_matmul' op has a schedule with placement = register, but placement=shared is asked for; leave one of them out
// OTHER-INSTRUCTION: error: 'mxfp4.grouped_matmul' op has a schedule with instruction = mma_sync, but instruction=wgmma is asked for; leave one of them out
// KEPT: instruction = mma_sync, {{.*}}placement = register
// INVARIANT: error: 'mxfp4.grouped_matmul' op has a schedule that requires k_slices = 1 for batch-invariant, so that all kernels of a problem add over K in the same order, but has 3
// CHIP: error: mxfp4-choose-schedule knows no chip 'sm_80'; use sm_90a
// ROWS: error: mxfp4-choose-schedule expects rows-hint= with a number of rows, or 0 where it is not known, but got -1
// ROUTING: error: mxfp4-tile-routing expects rows-hint= with a number of rows, or 0 where it is not known, but got -5
// DEVICE: error: mxfp4-choose-schedule knows no device 'h201'; did you mean 'h200'? The devices are
// FACT: error: mxfp4-choose-schedule expects multiprocessors= with a whole number from 1 to 1024, but got '0'
// PLACEMENT: error: mxfp4-choose-schedule expects placement=register or placement=shared, but got 'constant'
// INSTRUCTION: error: mxfp4-choose-schedule expects instruction=auto, instruction=mma_sync, instruction=wgmma or instruction=wgmma_fp8, but got 'hmma'
// TEXT: error: mxfp4-choose-schedule expects schedule=#mxfp4.schedule<...>, but got '64x64'
// KIND: error: mxfp4-choose-schedule expects schedule=#mxfp4.schedule<...>, but got 'i32'
// ZERO: error: requires tokens from 1 to 1024, but has 0
// STAGES: error: 'mxfp4.grouped_matmul' op has a schedule that cannot run: it requires 2 to 32 stages, but has 1
func.func @f(%x: memref<?x192xbf16>,
             %w: memref<2x1x3x!mxfp4.block<spread, raw>>,
             %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
      weights(%w : memref<2x1x3x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}
