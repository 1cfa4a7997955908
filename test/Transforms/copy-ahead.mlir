// A kernel of inputs that are older than the kernel ahead builds its table, hands
// out its first tile and copies the weights of this tile's first steps before it
// waits.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-copy-ahead --canonicalize --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-copy-ahead --mxfp4-lower-program --canonicalize --split-input-file | FileCheck %s --check-prefix=LOWER

// Two K slices share 18 steps and 6 stages: each copies weights of 3 steps.
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, copies_ahead = true>

// CHECK-LABEL: gpu.func @mxfp4_slices
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK:         mxfp4.build_tile_table
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK:         mxfp4.role "multiply"
// CHECK-NEXT:    ^bb0
// CHECK-NEXT:      nvvm.griddepcontrol wait
// CHECK-NEXT:      nvvm.griddepcontrol launch_dependents
// CHECK:         mxfp4.role "copy"
// CHECK:           scf.if
// CHECK-NEXT:        %[[E:.*]], %[[R:.*]], %[[V:.*]], %[[C:.*]] = mxfp4.locate_tile
// CHECK:             scf.for %{{.*}} = %c0 to %c3 step %c1
// CHECK:               mxfp4.ring_fill
// CHECK-NOT:           mxfp4.tensor_copy_activations
// CHECK:               mxfp4.bulk_copy_weights %{{.*}}[%[[E]],
// CHECK:               mxfp4.ring_next
// CHECK:           nvvm.griddepcontrol wait
// CHECK:           %[[FROM:.*]] = arith.addi %{{.*}}, %c3
// CHECK:           mxfp4.take_tiles {{.*}} init(%{{.*}}, %[[FROM]])
// CHECK:             mxfp4.k_loop
// CHECK:               %[[NEW:.*]] = arith.cmpi uge, %{{.*}}, %[[OF:.*]] : index
// CHECK-NEXT:          scf.if %[[NEW]] {
// CHECK-NEXT:            mxfp4.ring_fill
// CHECK-NEXT:            mxfp4.bulk_copy_weights
// CHECK-NEXT:          }
// CHECK-NEXT:          mxfp4.tensor_copy_activations
// CHECK:             mxfp4.yield %{{.*}}, %c0 :
// CHECK:         mxfp4.role "schedule"
// CHECK-NOT:       nvvm.griddepcontrol

// The scheduler waits before it takes a number from the counter that launches
// ahead may use, and before it puts the counter back.
// LOWER-LABEL: gpu.func @mxfp4_slices
// LOWER:         llvm.fence syncscope("device") acq_rel
// LOWER:         scf.if
// LOWER:           nvvm.griddepcontrol wait
// LOWER-NEXT:      memref.atomic_rmw ori
// LOWER:         gpu.barrier
// LOWER-NOT:     memref.atomic_rmw addi
// LOWER:         scf.condition
// LOWER:           nvvm.griddepcontrol wait
// LOWER:           mxfp4.wait_barrier
// LOWER:           memref.atomic_rmw addi
// LOWER:         nvvm.griddepcontrol wait
// LOWER-NEXT:    llvm.fence
// LOWER-NEXT:    memref.atomic_rmw addi
func.func @slices(%x: memref<?x1152xbf16>,
    %w: memref<2x1x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %e: memref<1xi32>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    weights(%w : memref<2x1x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    error(%e : memref<1xi32>) workspace(%s : memref<2xi32>)
    {schedule = #schedule, older_inputs}
  return
}

// -----

// One warp copies weights of as many steps as there are stages, or of all.
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 1, copies_ahead = true>

// CHECK-LABEL: gpu.func @mxfp4_alone
// CHECK:         mxfp4.role "copy"
// CHECK:           scf.for %{{.*}} = %c0 to %c6 step %c1
// CHECK:           nvvm.griddepcontrol wait
// CHECK:           mxfp4.take_tiles {{.*}} init(%{{.*}}, %c6)
func.func @alone(%x: memref<?x1152xbf16>,
    %w: memref<2x1x18x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xbf16>)
    weights(%w : memref<2x1x18x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    {schedule = #schedule, older_inputs}
  return
}

// CHECK-LABEL: gpu.func @mxfp4_short
// CHECK:         mxfp4.role "copy"
// CHECK:           scf.for %{{.*}} = %c0 to %c3 step %c1
// CHECK:           mxfp4.take_tiles {{.*}} init(%{{.*}}, %c3)
func.func @short(%x: memref<?x192xbf16>,
    %w: memref<2x1x3x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
    weights(%w : memref<2x1x3x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    {schedule = #schedule, older_inputs}
  return
}

// -----

// Where several warps fill a slot, those that copy weights do not wait at all.
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2, copies_ahead = true>

// CHECK-LABEL: gpu.func @mxfp4_warps
// CHECK:         mxfp4.role "copy"
// CHECK-NEXT:    ^bb0(%[[WARP:.*]]: index):
// CHECK-NEXT:      %[[FIRST:.*]] = arith.cmpi eq, %[[WARP]], %c0
// CHECK-NEXT:      scf.if %[[FIRST]] {
// CHECK-NEXT:        nvvm.griddepcontrol wait
// CHECK-NEXT:      }
// CHECK-NOT:       nvvm.griddepcontrol
func.func @warps(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
    weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    {schedule = #schedule, older_inputs}
  return
}

// -----

// Other schedules wait first of all.
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2>

// CHECK-LABEL: gpu.func @mxfp4_late
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NEXT:    nvvm.griddepcontrol launch_dependents
// CHECK:         mxfp4.build_tile_table
// CHECK-NOT:     nvvm.griddepcontrol
func.func @late(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
    weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
    {schedule = #schedule, older_inputs}
  return
}

// -----

// Bad expert ids are reported behind the wait.
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2, copies_ahead = true>

// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NEXT:    nvvm.griddepcontrol launch_dependents
// CHECK:         mxfp4.build_tile_table
// CHECK-NOT:     nvvm.griddepcontrol
func.func @ids(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<4xi32>,
    %i: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
    weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
    offsets(%o : memref<4xi32>) expert_ids(%i : memref<3xi32>)
    outs(%y : memref<?x64xbf16>) {schedule = #schedule, older_inputs}
  return
}
