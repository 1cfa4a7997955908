// A grouped matmul becomes a kernel: a table of tiles in shared memory, a
// persistent loop over tiles, a binary search for the tile's group, a loop over
// K that copies, waits and multiplies, and a store.
//
// RUN: mxfp4-opt %s --mxfp4-tile=chip=sm_90a --canonicalize --cse --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// CHECK: module attributes {gpu.container_module}

// The launch: two CTAs for each of the 132 multiprocessors, two warps each, and
// shared memory for three stages (2176 bytes of weights and 1024 of
// activations) and the table. The number of rows is the last argument.

// CHECK-LABEL: func @plain
// CHECK-SAME:    %[[X:.*]]: memref<?x96xbf16>, %[[W:.*]]: memref<3x2x2x!mxfp4.block<spread, folded>>, %[[O:.*]]: memref<4xi32>, %[[Y:.*]]: memref<?x100xbf16>
// CHECK-DAG:     %[[CTAS:.*]] = arith.constant 264 : index
// CHECK-DAG:     %[[THREADS:.*]] = arith.constant 64 : index
// CHECK-DAG:     %[[SHARED:.*]] = arith.constant 9616 : i32
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : index
// CHECK:         %[[DIM:.*]] = memref.dim %[[X]], %{{.*}}
// CHECK:         %[[ROWS:.*]] = arith.index_cast %[[DIM]] : index to i32
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK:         gpu.launch_func @mxfp4_plain::@mxfp4_plain
// CHECK-SAME:      blocks in (%[[CTAS]], %[[ONE]], %[[ONE]]) threads in (%[[THREADS]], %[[ONE]], %[[ONE]])
// CHECK-SAME:      dynamic_shared_memory_size %[[SHARED]]
// CHECK-SAME:      args(%[[X]] : {{.*}}, %[[W]] : {{.*}}, %[[O]] : {{.*}}, %[[Y]] : {{.*}}, %[[ROWS]] : i32)
func.func @plain(%x: memref<?x96xbf16>,
                 %w: memref<3x2x2x!mxfp4.block<spread, folded>>,
                 %o: memref<4xi32>, %y: memref<?x100xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<3x2x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<4xi32>) outs(%y : memref<?x100xbf16>)
      {schedule = #schedule}
  return
}

// CHECK:         gpu.module @mxfp4_plain
// CHECK:         gpu.func @mxfp4_plain(%[[X:.*]]: memref<?x96xbf16>, %[[W:.*]]: memref<3x2x2x!mxfp4.block<spread, folded>>, %[[O:.*]]: memref<4xi32>, %[[Y:.*]]: memref<?x100xbf16>, %[[ROWS:.*]]: i32) kernel
// CHECK-SAME:      known_block_size = array<i32: 64, 1, 1>
// CHECK-SAME:      mxfp4.schedule = #mxfp4.schedule<
// CHECK-SAME:      nvvm.minctasm = 2 : i32
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[T:.*]] = arith.constant 8 : index
// CHECK-DAG:     %[[WARP:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>

// Shared memory: activations (their swizzle wants the best-aligned place),
// weights, table.
// CHECK:         %[[ALL:.*]] = gpu.dynamic_shared_memory
// CHECK:         %[[SX:.*]] = memref.view %[[ALL]][%[[C0]]][] : {{.*}} to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
// CHECK:         %[[SW:.*]] = memref.view %[[ALL]][%{{.*}}][] : {{.*}} to memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
// CHECK:         %[[TABLE:.*]] = memref.view %[[ALL]][%{{.*}}][] : {{.*}} to memref<4xi32, #gpu.address_space<workgroup>>

// Warp 0 checks that the offsets rise from 0 to the number of rows, and scans
// the numbers of row tiles.
// CHECK:         %[[THREAD:.*]] = gpu.thread_id x
// CHECK:         %[[FIRST:.*]] = arith.cmpi ult, %[[THREAD]], %[[WARP]]
// CHECK:         scf.if %[[FIRST]] {
// CHECK:           arith.cmpi sgt
// CHECK:           arith.cmpi ne, %{{.*}}, %[[ROWS]] : i32
// CHECK-COUNT-5:   gpu.shuffle xor
// CHECK:           arith.ceildivui
// CHECK-COUNT-5:   gpu.shuffle up
// CHECK:           memref.store %{{.*}}, %[[TABLE]]
// No error word: bad offsets are not reported.
// CHECK-NOT:       memref.atomic_rmw
// CHECK:         gpu.barrier

// Two column tiles for N = 100; any grid walks all tiles.
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         %[[GRID:.*]] = gpu.grid_dim x
// CHECK:         %[[ROWTILES:.*]] = memref.load %[[TABLE]][%[[C3]]]
// CHECK:         scf.for %[[TILE:.*]] = %[[BLOCK]] to %{{.*}} step %[[GRID]] {
// CHECK:           %[[ROWTILE:.*]] = arith.divui %[[TILE]], %[[C2]]
// CHECK:           %[[COLUMN:.*]] = arith.remui %[[TILE]], %[[C2]]
// Two steps of binary search over three groups.
// CHECK-COUNT-2:   arith.cmpi sle
// CHECK:           %[[GROUP:.*]] = arith.select
// CHECK:           memref.load %[[TABLE]][%[[GROUP]]]
// CHECK:           memref.load %[[O]][%[[GROUP]]]
// CHECK:           %[[AHEAD:.*]] = arith.muli %{{.*}}, %[[T]] : index
// CHECK:           %[[ROW:.*]] = arith.addi %{{.*}}, %[[AHEAD]] : index
// CHECK:           %[[VALID:.*]] = arith.minui %{{.*}}, %[[T]]

// K = 96 takes two k64 steps. One copy is in flight at a time.
// CHECK:           %[[SUM:.*]] = scf.for %[[STEP:.*]] = %[[C0]] to %[[C2]] step %[[C1]] iter_args(%[[ACC:.*]] = %[[ZERO]])
// CHECK-NEXT:        mxfp4.copy_weights %[[W]][%[[GROUP]], %[[COLUMN]], %[[STEP]]] to %[[SW]][%[[C0]]]
// CHECK-NEXT:        mxfp4.copy_activations %[[X]][%[[ROW]], %[[STEP]]] valid(%[[VALID]]) to %[[SX]][%[[C0]]]
// CHECK-NEXT:        nvvm.cp.async.commit.group
// CHECK-NEXT:        nvvm.cp.async.wait.group 0
// CHECK-NEXT:        gpu.barrier
// CHECK-NEXT:        %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %[[SW]], %[[SX]] at[%[[C0]]]
// CHECK-NEXT:        gpu.barrier
// CHECK-NEXT:        scf.yield %[[NEXT]]
// CHECK-NEXT:      } {mxfp4.stages = 3 : i64}
// CHECK-NEXT:      mxfp4.store_tile %[[SUM]] to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]])

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 2, stages = 2, placement = register, ctas = 1>

// A list of expert ids: id -1 runs no loop, so that its rows become zeros; a
// bad id stores no row and sets bit 1 of the error word, bad offsets bit 0.

// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-SAME:    %[[IDS:[^:]*]]: memref<5xi32>, %[[Y:[^:]*]]: memref<?x64xf32>, %[[ERROR:[^:]*]]: memref<1xi32>, %{{.*}}: i32)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[BITTWO:.*]] = arith.constant 2 : i32
// CHECK-DAG:     %[[NONE:.*]] = arith.constant -1 : i32
// CHECK:         memref.atomic_rmw ori %[[ONE]], %[[ERROR]][%[[C0]]]
// CHECK:         gpu.barrier
// CHECK:         scf.for
// CHECK:           %[[ID:.*]] = memref.load %[[IDS]]
// CHECK:           %[[USED:.*]] = arith.cmpi ult, %[[ID]], %{{.*}} : i32
// CHECK:           %[[IS_NONE:.*]] = arith.cmpi eq, %[[ID]], %[[NONE]]
// CHECK:           %[[GOOD:.*]] = arith.ori %[[USED]], %[[IS_NONE]]
// CHECK:           %[[VALID:.*]] = arith.select %[[GOOD]], %{{.*}}, %[[C0]] : index
// CHECK:           memref.atomic_rmw ori %[[BITTWO]], %[[ERROR]][%[[C0]]]
// CHECK:           %[[EXPERT:.*]] = arith.index_cast %[[ID]]
// CHECK:           %[[SUM:.*]] = scf.if %[[USED]]
// CHECK:             scf.for
// CHECK:               mxfp4.copy_weights %{{.*}}[%[[EXPERT]],
// CHECK:               mxfp4.tile_matmul {{.*}} : vector<2x1x4xf32>, memref<2x2x!mxfp4.block<nibble, raw>, {{.*}}, memref<2x16x64xbf16,
// CHECK:           } else {
// CHECK-NEXT:        scf.yield %[[ZERO:.*]] :
// CHECK:           mxfp4.store_tile %[[SUM]] to %[[Y]]{{.*}} valid(%[[VALID]])
func.func @ids(%x: memref<?x128xbf16>,
               %w: memref<2x1x2x!mxfp4.block<nibble, raw>>,
               %o: memref<6xi32>, %i: memref<5xi32>, %y: memref<?x64xf32>,
               %e: memref<1xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x128xbf16>)
      weights(%w : memref<2x1x2x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<6xi32>) expert_ids(%i : memref<5xi32>)
      outs(%y : memref<?x64xf32>) error(%e : memref<1xi32>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// Two operations in one function: two kernels with different names.

// CHECK-LABEL: func @twice
// CHECK: gpu.launch_func @[[FIRST:.*]]::@[[FIRST]]
// CHECK: gpu.launch_func @[[SECOND:.*]]::@[[SECOND]]
// CHECK-DAG: gpu.module @[[FIRST]]
// CHECK-DAG: gpu.module @[[SECOND]]
func.func @twice(%x: memref<?x64xbf16>,
                 %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                 %o: memref<3xi32>, %y: memref<?x64xbf16>,
                 %z: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #schedule}
  mxfp4.grouped_matmul activations(%y : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%z : memref<?x64xbf16>)
      {schedule = #schedule}
  return
}
