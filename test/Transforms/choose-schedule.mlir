// The chooser's answer is attached with the sentence that explains it; what the
// user attached stays; what can have no schedule is left alone.
//
// RUN: mxfp4-opt %s --mxfp4-choose-schedule \
// RUN:   | FileCheck %s --check-prefixes=CHECK,UNKNOWN
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="chip=sm_90a rows-hint=64" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,FEW
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="rows-hint=65536 placement=register" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,MANY
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="rows-hint=65536 instruction=mma_sync" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,MMA
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="rows-hint=64 instruction=wgmma" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,WGMMA
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="rows-hint=65536 placement=shared" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,SHARED
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="chip=sm_90a rows-hint=64 batch-invariant=true" \
// RUN:   | FileCheck %s --check-prefixes=CHECK,INVARIANT --implicit-check-not=k_slices
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="schedule=#mxfp4.schedule<instruction=mma_sync,rows=128,tokens=16,warps_rows=4,warps_tokens=1,stages=3,placement=shared,ctas=1>" \
// RUN:   | FileCheck %s --check-prefix=GIVEN
// RUN: mxfp4-opt %s --mxfp4-choose-schedule="device=h200 rows-hint=256" \
// RUN:   | FileCheck %s --check-prefix=H200

#mine = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 2, placement = register, ctas = 1>

// Without a hint of the number of rows, a tile for a middling number.
// Two rows for each of the 32 groups: one n8 column of tokens, and three slices
// of K that share its 45 steps. Two thousand rows per group: three warpgroups. The
// baseline has room for fewer stages. The instruction can be insisted on. Rows
// whose bits must not depend on others get no slices of K.
// Verifiers and later passes ask for the chip, which stands beside the schedule.

// CHECK-LABEL: func @plain
// UNKNOWN: schedule = #mxfp4.schedule<{{.*}} placement = register
// UNKNOWN-SAME: schedule_reason = "{{.+}} (no hint of the number of rows)"
// FEW: schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, {{.*}} placement = register, ctas = 1, token_step = 8, k_slices = 3, copy_warps = 3, overlap_decode = true, version_loops = true, evict_first = true>
// FEW-SAME: schedule_reason = "up to about ten rows per group: {{.+}}; wgmma because K has at least 8 steps of 64 (2 expected per group)"
// INVARIANT: schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = {{.*}}, placement = register, ctas = 4, copy_warps = 1, overlap_decode = true, evict_first = true>
// MANY: schedule = #mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 192, warps_rows = 12, warps_tokens = 1, stages = 7, placement = register, ctas = 1, token_step = 16, copy_warps = 3, producer_registers = 32, overlap_decode = true, full_tiles_first = true>
// MANY-SAME: schedule_reason = "many rows per group: {{.+}} (2048 expected per group)"
// MMA: schedule = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 64, {{.*}} placement = register
// SHARED: schedule = #mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 192, {{.*}} stages = 5, placement = shared
// SHARED-SAME: schedule_reason = "many rows per group: {{.+}} (2048 expected per group)"
// CHECK: , target = #mxfp4.target<"sm_90a">
// GIVEN-LABEL: func @plain
// GIVEN: schedule = #mxfp4.schedule<{{.*}}rows = 128, tokens = 16, {{.*}} stages = 3, placement = shared, ctas = 1>
// GIVEN-NOT: schedule_reason
// GIVEN-SAME: , target = #mxfp4.target<"sm_90a">
func.func @plain(%x: memref<?x2880xbf16>,
                 %w: memref<32x90x45x!mxfp4.block<spread, folded>>,
                 %o: memref<33xi32>, %y: memref<?x5760xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x5760xbf16>)
  return
}

// An H200's memory is faster than 12 warps decode: 24 do.

// H200-LABEL: func @plain
// H200: schedule = #mxfp4.schedule<instruction = wgmma, rows = 128,
// H200-SAME: k_slices = 3
// H200-SAME: schedule_reason = "{{.*}}decod
// H200-SAME: target = #mxfp4.target<"sm_90a", device = "h200">

// A target around the operation says for which device to choose.

// CHECK-LABEL: func @inside
// CHECK: mxfp4.grouped_matmul
module @around attributes {
    mxfp4.target = #mxfp4.target<"sm_90a", device = "h20,power=500">} {
  // FEW: schedule = #mxfp4.schedule<
  // CHECK: , target = #mxfp4.target<"sm_90a", device = "multiprocessors=78,clock=1980,tensor-ops=1024,bandwidth=4000,l2=60,power=500">
  // H200-LABEL: func @inside
  // H200: device = "h200"
  func.func @inside(%x: memref<?x2880xbf16>,
                    %w: memref<32x90x45x!mxfp4.block<spread, folded>>,
                    %o: memref<33xi32>, %y: memref<?x5760xbf16>) {
    mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
        weights(%w : memref<32x90x45x!mxfp4.block<spread, folded>>)
        offsets(%o : memref<33xi32>) outs(%y : memref<?x5760xbf16>)
    return
  }
}

// A schedule that is there is kept, unless the pass is given one.

// CHECK-LABEL: func @mine
// CHECK: schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64, warps_rows = 1, warps_tokens = 1, stages = 2, placement = register, ctas = 1>
// CHECK-NOT: schedule_reason
// CHECK: return
// GIVEN-LABEL: func @mine
// GIVEN: schedule = #mxfp4.schedule<{{.*}}rows = 128, tokens = 16
func.func @mine(%x: memref<?x64xbf16>,
                %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #mine}
  return
}

// Tensors can have a schedule too: they are memrefs by the time of mxfp4-tile.
// One step of K leaves wgmma nothing to overlap; who insists on it gets it.

// CHECK-LABEL: func @tensors
// UNKNOWN: schedule = #mxfp4.schedule<instruction = mma_sync
// WGMMA: schedule = #mxfp4.schedule<instruction = wgmma
// CHECK: , target = #mxfp4.target<"sm_90a">
func.func @tensors(%x: tensor<?x64xbf16>,
                   %w: tensor<2x1x1x!mxfp4.block<nibble, raw>>,
                   %o: tensor<3xi32>, %y: tensor<?x64xbf16>)
    -> tensor<?x64xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<nibble, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x64xbf16>)
      -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// Left alone: weights in the checkpoint layout ...

// CHECK-LABEL: func @checkpoint
// CHECK-NOT: schedule
// CHECK: return
func.func @checkpoint(%x: memref<?x64xbf16>, %c: memref<2x64x2x16xi8>,
                      %s: memref<2x64x2xi8>, %o: memref<3xi32>,
                      %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%c, %s : memref<2x64x2x16xi8>, memref<2x64x2xi8>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// ... and sizes that are not known.

// CHECK-LABEL: func @dynamic
// CHECK-NOT: schedule
// CHECK: return
func.func @dynamic(%x: memref<?x64xbf16>,
                   %w: memref<2x?x1x!mxfp4.block<spread, raw>>,
                   %o: memref<3xi32>, %y: memref<?x?xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x?x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x?xbf16>)
  return
}
