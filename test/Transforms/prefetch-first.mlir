// A warp guesses which tile its CTA begins with, and a lane asks for that tile's
// weights, before the kernel ahead has ended.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-halve-tiles --mxfp4-prefetch-first --canonicalize --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, prefetch_first = true>

// Two K slices have one step and two. The CTA has met before.
// CHECK-LABEL: gpu.func @mxfp4_first
// CHECK-SAME:    %[[W:[^:]*]]: memref<2x3x3x!mxfp4.block<bytes, relative>> {{{[^}]*}}}, %[[O:[^:]*]]: memref<3xi32>
// CHECK-DAG:     %[[BEFORE:.*]] = arith.constant 320 : index
// CHECK:         nvvm.fence.mbarrier.init
// CHECK:         %[[CTA:.*]] = gpu.block_id x
// CHECK-NEXT:    %[[THREAD:.*]] = gpu.thread_id x
// CHECK-NEXT:    %[[LAST:.*]] = arith.cmpi uge, %[[THREAD]], %[[BEFORE]]
// CHECK-NEXT:    scf.if %[[LAST]] {
// CHECK-NEXT:      %[[LANE:.*]] = arith.subi %[[THREAD]], %[[BEFORE]]
// CHECK-NEXT:      %[[FOUND:.*]], %[[EXPERT:.*]], %[[COLUMN:.*]] = mxfp4.guess_first %[[CTA]] lane %[[LANE]] offsets(%[[O]]) columns 3
// CHECK-NEXT:      scf.if %[[FOUND]] {
// CHECK-NEXT:        mxfp4.prefetch_weights %[[W]][%[[EXPERT]], %[[COLUMN]]] step 0 steps 1 : memref<2x3x3x!mxfp4.block<bytes, relative>>
// CHECK-NEXT:        mxfp4.prefetch_weights %[[W]][%[[EXPERT]], %[[COLUMN]]] step 1 steps 2
// CHECK-NEXT:      }
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

// A half begins with a block of its own, and may be alone.
// CHECK-LABEL: gpu.func @mxfp4_halves
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK:         %{{.*}}, %[[EXPERT:.*]], %[[COLUMN:.*]] = mxfp4.guess_first {{.*}} columns 3
// CHECK-NEXT:    scf.if
// CHECK-NEXT:      %[[BLOCK:.*]] = arith.shrui %[[COLUMN]], %[[C1]]
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[BLOCK]]] step 0 steps 1
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[BLOCK]]] step 1 steps 2
// CHECK-NEXT:      %[[HALF:.*]] = arith.andi %[[COLUMN]], %[[C1]]
// CHECK-NEXT:      %[[WHOLE:.*]] = arith.cmpi eq, %[[HALF]], %[[C0]]
// CHECK-NEXT:      scf.if %[[WHOLE]] {
// CHECK-NEXT:        %[[OTHER:.*]] = arith.addi %[[BLOCK]], %[[C1]]
// CHECK-NEXT:        mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[OTHER]]] step 0 steps 1
// CHECK-NEXT:        mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[OTHER]]] step 1 steps 2
// CHECK-NEXT:      }
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

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, prefetch_first = true>

// Of the last whole tile, one block is there.
// CHECK-LABEL: gpu.func @mxfp4_edge
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK:         %{{.*}}, %[[EXPERT:.*]], %[[COLUMN:.*]] = mxfp4.guess_first {{.*}} columns 2
// CHECK-NEXT:    scf.if
// CHECK-NEXT:      %[[FIRST:.*]] = arith.muli %[[COLUMN]], %[[C2]]
// CHECK-NEXT:      %[[BLOCK:.*]] = arith.minui %[[FIRST]], %[[C2]]
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[BLOCK]]] step 0 steps 1
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[BLOCK]]] step 1 steps 2
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addi %[[FIRST]], %[[C1]]
// CHECK-NEXT:      %[[OTHER:.*]] = arith.minui %[[NEXT]], %[[C2]]
// CHECK-NEXT:      mxfp4.prefetch_weights %{{.*}}[%[[EXPERT]], %[[OTHER]]] step 0 steps 1
func.func @edge(%x: memref<?x384xf8E4M3FN>,
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
