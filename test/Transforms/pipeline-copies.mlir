// With three stages two copies run ahead. Before the loop the first two steps are
// started; each iteration waits for all groups but the newest, which is its own
// step, starts the step after the next into the slot that the last step has
// left, and computes. Slots go round: read 0, 1, 2, 0, ..., write 2, 0, 1, ...
//
// RUN: mxfp4-opt %s --mxfp4-pipeline-copies --canonicalize --cse --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @three_stages
// CHECK-SAME:    %[[W:.*]]: memref<2x2x9x!mxfp4.block<spread, folded>>, %[[X:.*]]: memref<?x544xbf16>, %[[SW:.*]]: memref<3x1x!{{.*}}>, %[[SX:.*]]: memref<3x8x64xbf16, {{.*}}>, %[[ZERO:.*]]: vector<2x1x4xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[STEPS:.*]] = arith.constant 9 : index

// A group is closed for each step, whether the step exists or not:
// wait_group counts groups.
// CHECK:         mxfp4.copy_weights %[[W]][%[[C0]], %[[C1]], %[[C0]]] to %[[SW]][%[[C0]]]
// CHECK-NEXT:    mxfp4.copy_activations %[[X]][%[[C0]], %[[C0]]] valid(%[[C1]]) to %[[SX]][%[[C0]]]
// CHECK-NEXT:    nvvm.cp.async.commit.group
// CHECK-NEXT:    mxfp4.copy_weights %[[W]][%[[C0]], %[[C1]], %[[C1]]] to %[[SW]][%[[C1]]]
// CHECK-NEXT:    mxfp4.copy_activations %[[X]][%[[C0]], %[[C1]]] valid(%[[C1]]) to %[[SX]][%[[C1]]]
// CHECK-NEXT:    nvvm.cp.async.commit.group
// CHECK-NOT:     mxfp4.copy

// CHECK:         %[[R:.*]]:3 = scf.for %[[K:.*]] = %[[C0]] to %[[STEPS]] step %[[C1]] iter_args(%[[ACC:.*]] = %[[ZERO]], %[[READ:.*]] = %[[C0]], %[[WRITE:.*]] = %[[C2]])
// CHECK-NEXT:      nvvm.cp.async.wait.group 1
// CHECK-NEXT:      gpu.barrier
// CHECK-NEXT:      %[[AHEAD:.*]] = arith.addi %[[K]], %[[C2]]
// CHECK-NEXT:      %[[EXISTS:.*]] = arith.cmpi ult, %[[AHEAD]], %[[STEPS]]
// CHECK-NEXT:      scf.if %[[EXISTS]] {
// CHECK-NEXT:        mxfp4.copy_weights %[[W]][%[[C0]], %[[C1]], %[[AHEAD]]] to %[[SW]][%[[WRITE]]]
// CHECK-NEXT:        mxfp4.copy_activations %[[X]][%[[C0]], %[[AHEAD]]] valid(%[[C1]]) to %[[SX]][%[[WRITE]]]
// CHECK-NEXT:      }
// CHECK-NEXT:      nvvm.cp.async.commit.group
// CHECK-NEXT:      %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %[[SW]], %[[SX]] at[%[[READ]]] tokens(%[[C1]])
// CHECK-NEXT:      %[[READ1:.*]] = arith.addi %[[READ]], %[[C1]]
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi eq, %[[READ1]], %[[C3]]
// CHECK-NEXT:      %[[READ2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[READ1]]
// CHECK:           %[[WRITE2:.*]] = arith.select
// One barrier an iteration: the next one covers the reads of this one.
// CHECK-NEXT:      scf.yield %[[NEXT]], %[[READ2]], %[[WRITE2]]
// CHECK-NEXT:    }
// The next tile writes the same slots.
// CHECK-NEXT:    gpu.barrier
// CHECK-NEXT:    return %[[R]]#0
func.func @three_stages(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
                        %x: memref<?x544xbf16>, %sw: !w, %sx: !x,
                        %zero: vector<2x1x4xf32>)
    -> vector<2x1x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    mxfp4.copy_activations %x[%c0, %k] valid(%c1) to %sx[%c0]
        : memref<?x544xbf16> to !x
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return %r : vector<2x1x4xf32>
}

// A loop that meets a ring, as those of kernels with wgmma do, is not touched.

#wgmma = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>

// CHECK-LABEL: func @ring
// CHECK-NOT:     nvvm.cp.async
// CHECK:         mxfp4.k_loop
// CHECK:         return
func.func @ring(%w: memref<2x2x9x!mxfp4.block<spread, folded>>, %sw: !w,
                %ring: !mxfp4.ring<3>, %start: !mxfp4.cursor<3>) {
  %c0 = arith.constant 0 : index
  %end = mxfp4.k_loop to 9 fills %ring at %start {schedule = #wgmma}
      : !mxfp4.ring<3>, !mxfp4.cursor<3> {
  ^bb0(%k: index, %at: !mxfp4.cursor<3>):
    mxfp4.copy_weights %w[%c0, %c0, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
  }
  return
}

// -----

// Two stages, the fewest: one copy ahead, and every wait is for all groups.

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 2, placement = register, ctas = 2>
!w = memref<2x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<2x8x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @two_stages
// CHECK-COUNT-1: nvvm.cp.async.commit.group
// CHECK:         scf.for
// CHECK-NEXT:      nvvm.cp.async.wait.group 0
// CHECK-NEXT:      gpu.barrier
func.func @two_stages(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
                      %sw: !w, %sx: !x,
                      %zero: vector<2x1x4xf32>) -> vector<2x1x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return %r : vector<2x1x4xf32>
}

// -----

// Copies of gathered rows run ahead like others; where the rows are is found once,
// before the loop.

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 2, placement = register, ctas = 2>
!w = memref<2x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<2x8x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @gather
// CHECK-SAME:    %[[W:.*]]: memref<2x2x9x!{{.*}}>, %[[X:.*]]: memref<?x544xbf16>, %{{.*}}: memref<?xi32>, %{{.*}}: i32, %[[SW:.*]]: memref<2x1x!{{.*}}>, %[[SX:.*]]: memref<2x8x64xbf16, {{.*}}>, %{{.*}}: vector<2x1x4xf32>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C8:.*]] = arith.constant 8 : index
// CHECK:         %[[R:.*]] = mxfp4.load_rows
// CHECK:         mxfp4.copy_weights %[[W]][%[[C0]], %[[C1]], %[[C0]]] to %[[SW]][%[[C0]]]
// CHECK-NEXT:    mxfp4.gather_activations %[[X]][%[[R]], %[[C0]]] valid(%[[C8]]) to %[[SX]][%[[C0]]]
// CHECK-NEXT:    nvvm.cp.async.commit.group
// CHECK-NOT:     mxfp4.load_rows
// CHECK:         scf.for %[[K:.*]] = %[[C0]] to
// CHECK-NEXT:      nvvm.cp.async.wait.group 0
// CHECK-NEXT:      gpu.barrier
// CHECK-NEXT:      %[[AHEAD:.*]] = arith.addi %[[K]], %[[C1]]
// CHECK-NEXT:      %[[EXISTS:.*]] = arith.cmpi ult, %[[AHEAD]]
// CHECK-NEXT:      scf.if %[[EXISTS]] {
// CHECK-NEXT:        mxfp4.copy_weights %[[W]][%[[C0]], %[[C1]], %[[AHEAD]]] to %[[SW]][%[[WRITE:.*]]] :
// CHECK-NEXT:        mxfp4.gather_activations %[[X]][%[[R]], %[[AHEAD]]] valid(%[[C8]]) to %[[SX]][%[[WRITE]]]
// CHECK-NEXT:      }
// CHECK-NEXT:      nvvm.cp.async.commit.group
// CHECK-NEXT:      mxfp4.tile_matmul
func.func @gather(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
                  %x: memref<?x544xbf16>, %map: memref<?xi32>, %t: i32,
                  %sw: !w, %sx: !x, %zero: vector<2x1x4xf32>)
    -> vector<2x1x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %rows = mxfp4.load_rows %map[%c0] valid(%c1) limit(%t)
      : memref<?xi32> -> vector<1xi32>
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<2x1x4xf32> {
  ^bb0(%k: index, %acc: vector<2x1x4xf32>):
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    mxfp4.gather_activations %x[%rows, %k] valid(%c8) to %sx[%c0]
        : memref<?x544xbf16>, vector<1xi32> to !x
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<2x1x4xf32>, !w, !x
    mxfp4.yield %n : vector<2x1x4xf32>
  }
  return %r : vector<2x1x4xf32>
}

// -----

// A loop of wgmma stays as it is: other warps will copy for it, through a ring.

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 128,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 32>
!w = memref<4x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<4x128x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @asynchronous
// CHECK-NOT:     nvvm.cp.async
// CHECK:         mxfp4.k_loop to 9
// CHECK-NOT:     nvvm.cp.async
// CHECK:         return
func.func @asynchronous(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
                        %x: !mxfp4.tensor_map<128 by 32>, %sw: !w, %sx: !x,
                        %zero: vector<1x16x4xf32>)
    -> vector<1x16x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
      : vector<1x16x4xf32> {
  ^bb0(%k: index, %acc: vector<1x16x4xf32>):
    mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
        : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
    mxfp4.copy_activations %x[%c0, %k] valid(%c1) to %sx[%c0]
        : !mxfp4.tensor_map<128 by 32> to !x
    %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%c1)
        {schedule = #schedule} : vector<1x16x4xf32>, !w, !x
    mxfp4.yield %n : vector<1x16x4xf32>
  }
  return %r : vector<1x16x4xf32>
}
