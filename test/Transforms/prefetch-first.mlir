// One thread asks for weights of the tile that has the CTA's number, if each group
// has one tile of rows, before the kernel ahead has ended.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-halve-tiles --mxfp4-prefetch-first --canonicalize --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, prefetch_first = true>

// Two K slices have one step and two; of the fourth expert on there is none.
// CHECK-LABEL: gpu.func @mxfp4_first
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[THREAD:.*]] = arith.constant 320 : index
// CHECK:         %[[CTA:.*]] = gpu.block_id x
// CHECK-NEXT:    %[[EXPERT:.*]] = arith.divui %[[CTA]], %[[C3]]
// CHECK-NEXT:    %[[ME:.*]] = gpu.thread_id x
// CHECK-NEXT:    %[[ONE:.*]] = arith.cmpi eq, %[[ME]], %[[THREAD]]
// CHECK-NEXT:    %[[EXISTS:.*]] = arith.cmpi ult, %[[EXPERT]], %[[C2]]
// CHECK-NEXT:    %[[BOTH:.*]] = arith.andi %[[ONE]], %[[EXISTS]]
// CHECK-NEXT:    scf.if %[[BOTH]] {
// CHECK-NEXT:      %[[ROW:.*]] = arith.remui %[[CTA]], %[[C3]]
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[ROW]]] step 0 steps 1 : memref<2x3x3x!mxfp4.block<bytes, relative>>
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[ROW]]] step 1 steps 2
// CHECK-NEXT:    }
// CHECK-NEXT:    nvvm.griddepcontrol wait
func.func @first(%x: memref<?x384xf8E4M3FN>,
                 %w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
                 %o: memref<3xi32>, %y: memref<?x192xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x3x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true, prefetch_first = true>

// Halves that have no other one are the last: an expert has one first tile, of
// two blocks.
// CHECK-LABEL: gpu.func @mxfp4_halves
// CHECK:         %[[CTA:.*]] = gpu.block_id x
// CHECK:         scf.if
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[CTA]], %c0] step 0 steps 1
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[CTA]], %c1] step 0 steps 1
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[CTA]], %c0] step 1 steps 2
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[CTA]], %c1] step 1 steps 2
// CHECK-NEXT:    }
// CHECK-NEXT:    nvvm.griddepcontrol wait
func.func @halves(%x: memref<?x384xf8E4M3FN>,
                  %w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
                  %o: memref<3xi32>, %y: memref<?x192xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x3x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, prefetch_first = true>

// Which expert a group has is known behind the wait.
// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-NOT:     mxfp4.prefetch_weights
func.func @ids(%x: memref<?x384xf8E4M3FN>,
               %w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
               %o: memref<3xi32>, %ids: memref<2xi32>, %y: memref<?x192xbf16>,
               %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x3x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<?x192xbf16>) workspace(%s : memref<2xi32>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2>

// CHECK-LABEL: gpu.func @mxfp4_without
// CHECK-NOT:     mxfp4.prefetch_weights
func.func @without(%x: memref<?x384xf8E4M3FN>,
                   %w: memref<2x3x3x!mxfp4.block<bytes, relative>>,
                   %o: memref<3xi32>, %y: memref<?x192xbf16>,
                   %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xf8E4M3FN>)
      weights(%w : memref<2x3x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}
