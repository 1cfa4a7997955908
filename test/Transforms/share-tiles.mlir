// Who copies and who multiplies does not look for tiles: one thread, the
// scheduler, does it for them. It finds the next tile while they are busy with
// this one, and puts it into one of two slots in shared memory. Two arrays of
// barriers say of each slot that a tile is there, and that all have read it. The
// column -1 is the end.
//
// RUN: mxfp4-opt %s --mxfp4-share-tiles --canonicalize --cse --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<3xi64, #gpu.address_space<workgroup>>

// Four warps multiply and one thread copies: five must have read a tile. The
// operation has a workspace, the argument of that name.

// CHECK-LABEL: gpu.func @shared_counter
// CHECK-SAME:    %[[W:[^ ]*]]: memref<2x2x9x{{[^:]*}}>, %[[O:[^ ]*]]: memref<3xi32>, %[[Y:[^ ]*]]: memref<?x128xbf16>, %[[ERROR:[^ ]*]]: memref<1xi32>, %[[SPACE:[^ ]*]]: memref<2xi32> {{[{][^:]*[}]}}, %[[TABLE:[^ ]*]]: memref<4xi32, {{[^ ]*}}>, %[[SW:[^ ]*]]: memref<3x1x{{[^:]*}}>, %[[CTA:[^ ]*]]: index, %[[TILES:[^ ]*]]: index, %[[CTAS:[^ ]*]]: index,
// CHECK-SAME:    workgroup(%{{.*}} : memref<3xi64, {{.*}}>, %[[READY:[^ ]*]] : memref<2xi64, {{.*}}>, %[[FREE:[^ ]*]] : memref<2xi64, {{.*}}>, %[[RING:[^ ]*]] : memref<2x4xi32, #gpu.address_space<workgroup>>)
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[END:.*]] = arith.constant -1 : i32
// CHECK:         mxfp4.init_barriers %{{.*}} count 1 : memref<3xi64
// CHECK-NEXT:    mxfp4.init_barriers %[[READY]] count 1 : memref<2xi64
// CHECK-NEXT:    mxfp4.init_barriers %[[FREE]] count 5 : memref<2xi64
// CHECK-NEXT:    nvvm.fence.mbarrier.init

// The scheduler. The first tile is the CTA's number; the next is the first that no
// CTA has taken, asked for before anything else, since the answer takes time.
// CHECK:         scf.while (%[[NUMBER:.*]] = %[[CTA]], %[[SLOT:.*]] = %[[C0]], %[[PARITY:.*]] = %[[ZERO]])
// CHECK-NEXT:      %[[TAKEN32:.*]] = memref.atomic_rmw addi %[[ONE]], %[[SPACE]][%[[C0]]]
// CHECK-NEXT:      %[[TAKEN:.*]] = arith.index_cast %[[TAKEN32]]
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addi %[[TAKEN]], %[[CTAS]]
// CHECK-NEXT:      %[[ISTILE:.*]] = arith.cmpi ult, %[[NUMBER]], %[[TILES]]
// Parity 1 of a fresh barrier is complete: nobody has to read an empty slot.
// CHECK-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:      mxfp4.wait_barrier %[[FREE]][%[[SLOT]]] parity %[[FLIPPED]]
// CHECK-NEXT:      scf.if %[[ISTILE]] {
// CHECK-NEXT:        %[[EXPERT:.*]], %[[ROW:.*]], %[[VALID:.*]], %[[COLUMN:.*]] = mxfp4.locate_tile %[[NUMBER]] in %[[TABLE]] offsets(%[[O]]) error(%[[ERROR]] : memref<1xi32>)
// CHECK-NEXT:        %[[F0:.*]] = arith.index_cast %[[EXPERT]]
// CHECK-NEXT:        memref.store %[[F0]], %[[RING]][%[[SLOT]], %[[C0]]]
// CHECK-NEXT:        %[[F1:.*]] = arith.index_cast %[[ROW]]
// CHECK-NEXT:        memref.store %[[F1]], %[[RING]][%[[SLOT]], %[[C1]]]
// CHECK-NEXT:        %[[F2:.*]] = arith.index_cast %[[VALID]]
// CHECK-NEXT:        memref.store %[[F2]], %[[RING]][%[[SLOT]], %[[C2]]]
// CHECK-NEXT:        %[[F3:.*]] = arith.index_cast %[[COLUMN]]
// CHECK-NEXT:        memref.store %[[F3]], %[[RING]][%[[SLOT]], %[[C3]]]
// CHECK-NEXT:      } else {
// CHECK-COUNT-4:     memref.store %[[END]], %[[RING]][%[[SLOT]],
// CHECK-NEXT:      }
// One arrival, of no bytes: the tile is there. The loop ends behind the end.
// CHECK-NEXT:      mxfp4.expect_bytes %[[READY]][%[[SLOT]]] bytes(%[[ZERO]])
// CHECK-NEXT:      scf.condition(%[[ISTILE]]) %[[NEXT]], %[[SLOT]], %[[PARITY]]
// CHECK:         } do {
// The other slot; after the second one in the other phase.
// CHECK-NEXT:    ^bb0(%[[NUMBER:.*]]: index, %[[SLOT:.*]]: index, %[[PARITY:.*]]: i32):
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi eq, %[[SLOT]], %[[C1]]
// CHECK-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:      %[[OTHER:.*]] = arith.subi %[[C1]], %[[SLOT]]
// CHECK-NEXT:      %[[PHASE:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY]]
// CHECK-NEXT:      scf.yield %[[NUMBER]], %[[OTHER]], %[[PHASE]]
// CHECK-NEXT:    }
// The last CTA to end, by the count of those that have, puts both words back:
// nobody takes a number any more.
// CHECK-NEXT:    llvm.fence syncscope("device") acq_rel
// CHECK-NEXT:    %[[BEFORE:.*]] = memref.atomic_rmw addi %[[ONE]], %[[SPACE]][%[[C1]]]
// CHECK-NEXT:    llvm.fence syncscope("device") acq_rel
// CHECK-NEXT:    %[[GRID:.*]] = gpu.grid_dim x
// CHECK-NEXT:    %[[GRID32:.*]] = arith.index_cast %[[GRID]]
// CHECK-NEXT:    %[[LAST:.*]] = arith.subi %[[GRID32]], %[[ONE]]
// CHECK-NEXT:    %[[ISLAST:.*]] = arith.cmpi eq, %[[BEFORE]], %[[LAST]]
// CHECK-NEXT:    scf.if %[[ISLAST]] {
// CHECK-NEXT:      memref.store %[[ZERO]], %[[SPACE]][%[[C0]]]
// CHECK-NEXT:      memref.store %[[ZERO]], %[[SPACE]][%[[C1]]]
// CHECK-NEXT:    }

// Who copies: one thread, which arrives as one. What the loop carries comes
// first, then slot and parity, then the tile.
// CHECK:         scf.while (%[[STAGE:.*]] = %[[C2]], %[[SLOT:.*]] = %[[C0]], %[[PARITY:.*]] = %[[ZERO]])
// CHECK-NEXT:      mxfp4.wait_barrier %[[READY]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:      %[[F0:.*]] = memref.load %[[RING]][%[[SLOT]], %[[C0]]]
// CHECK-NEXT:      %[[EXPERT:.*]] = arith.index_cast %[[F0]]
// CHECK:           %[[F3:.*]] = memref.load %[[RING]][%[[SLOT]], %[[C3]]]
// CHECK-NEXT:      %[[COLUMN:.*]] = arith.index_cast %[[F3]]
// CHECK-NEXT:      mxfp4.expect_bytes %[[FREE]][%[[SLOT]]] bytes(%[[ZERO]])
// CHECK-NEXT:      %[[ISTILE:.*]] = arith.cmpi sge, %[[COLUMN]], %[[C0]]
// CHECK-NEXT:      scf.condition(%[[ISTILE]]) %[[STAGE]], %[[SLOT]], %[[PARITY]], %[[EXPERT]], %[[COLUMN]] :
// CHECK-NEXT:    } do {
// CHECK-NEXT:    ^bb0(%[[STAGE:.*]]: index, %[[SLOT:.*]]: index, %[[PARITY:.*]]: i32, %[[EXPERT:.*]]: index, %[[COLUMN:.*]]: index):
// CHECK-NEXT:      mxfp4.copy_weights %[[W]][%[[EXPERT]], %[[COLUMN]], %[[C0]]] to %[[SW]][%[[STAGE]]]
// CHECK-NEXT:      %[[STAGE1:.*]] = arith.subi %[[C2]], %[[STAGE]]
// CHECK:           scf.yield %[[STAGE1]], %{{.*}}, %{{.*}} : index, index, i32

// Who multiplies: all lanes read before one arrives for its warp.
// CHECK:         scf.while (%[[SLOT:.*]] = %[[C0]], %[[PARITY:.*]] = %[[ZERO]])
// CHECK-NEXT:      mxfp4.wait_barrier %[[READY]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-COUNT-3:   memref.load %[[RING]]
// CHECK:           mxfp4.arrive_barrier %[[FREE]][%[[SLOT]]]
// CHECK:           scf.condition
// CHECK:         ^bb0(%[[SLOT:.*]]: index, %[[PARITY:.*]]: i32, %[[ROW:.*]]: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index):
// CHECK-NEXT:      mxfp4.store_tile %{{.*}} to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]])
// CHECK-NOT:     mxfp4.role
// CHECK:         gpu.return
gpu.module @kernels {
  gpu.func @shared_counter(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %error: memref<1xi32>,
      %workspace: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher>},
      %table: !table, %sw: !w, %cta: index,
      %tiles: index, %ctas: index, %sums: vector<1x2x4xf32>, %schedules: i1,
      %copies: i1) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c2 = arith.constant 2 : index
    mxfp4.init_barriers %full count 1 : !barriers
    nvvm.fence.mbarrier.init
    scf.if %schedules {
      scf.for %tile = %cta to %tiles step %ctas {
        %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
            error(%error : memref<1xi32>)
            experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      } {mxfp4.role = "schedule"}
    }
    scf.if %copies {
      %last = scf.for %tile = %cta to %tiles step %ctas
          iter_args(%stage = %c2) -> (index) {
        %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
            error(%error : memref<1xi32>)
            experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
        mxfp4.copy_weights %w[%e, %column, %c0] to %sw[%stage]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        %next = arith.subi %c2, %stage : index
        scf.yield %next : index
      } {mxfp4.role = "copy"}
    } else {
      scf.for %tile = %cta to %tiles step %ctas {
        %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
            error(%error : memref<1xi32>)
            experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
        mxfp4.store_tile %sums to %y[%row, %column] valid(%n)
            {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
      } {mxfp4.role = "multiply"}
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2>

!table = memref<4xi32, #gpu.address_space<workgroup>>
!barriers = memref<6xi64, #gpu.address_space<workgroup>>

// Without a workspace CTA c has the tiles c, c + gridDim, ..., and nothing is put
// back. Two K slices: eight warps that multiply and two threads that copy read
// a tile.

// CHECK-LABEL: gpu.func @fixed_order
// CHECK-SAME:    %[[CTA:[^ ]*]]: index, %[[TILES:[^ ]*]]: index, %[[CTAS:[^ ]*]]: index,
// CHECK-NOT:     memref.atomic_rmw
// CHECK:         mxfp4.init_barriers %{{.*}} count 10 : memref<2xi64
// CHECK:         scf.while (%[[NUMBER:.*]] = %[[CTA]], {{.*}})
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addi %[[NUMBER]], %[[CTAS]]
// CHECK-NEXT:      arith.cmpi ult, %[[NUMBER]], %[[TILES]]
// CHECK:           mxfp4.locate_tile %[[NUMBER]]
// CHECK:           scf.condition(%{{.*}}) %[[NEXT]],
// CHECK-NOT:     {{memref.atomic_rmw|llvm.fence|mxfp4.locate_tile}}
// CHECK:         gpu.return
gpu.module @kernels {
  gpu.func @fixed_order(%o: memref<3xi32>, %y: memref<?x128xbf16>,
      %table: !table, %cta: index, %tiles: index, %ctas: index,
      %sums: vector<1x2x4xf32>, %schedules: i1) workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.if %schedules {
      scf.for %tile = %cta to %tiles step %ctas {
        %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
            experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      } {mxfp4.role = "schedule"}
    } else {
      scf.for %tile = %cta to %tiles step %ctas {
        %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
            experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
        mxfp4.store_tile %sums to %y[%row, %column] valid(%n)
            {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
      } {mxfp4.role = "multiply"}
    }
    gpu.return
  }

  // Kernels that are not split are left alone.

  // CHECK-LABEL: gpu.func @not_split
  // CHECK-NOT:     mxfp4.{{.*}}barrier
  // CHECK:         scf.for
  // CHECK-NEXT:      mxfp4.locate_tile
  // CHECK-NOT:     mxfp4.{{.*}}barrier
  // CHECK:         gpu.return
  gpu.func @not_split(%o: memref<3xi32>, %y: memref<?x128xbf16>,
      %table: !table, %cta: index, %tiles: index, %ctas: index,
      %sums: vector<1x2x4xf32>) kernel attributes {mxfp4.schedule = #schedule} {
    scf.for %tile = %cta to %tiles step %ctas {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      mxfp4.store_tile %sums to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 16, k_slices = 3>
!table = memref<7xi32, #gpu.address_space<workgroup>>
!barriers = memref<9xi64, #gpu.address_space<workgroup>>

// A kernel of two programs: each has a ring of its own.

// CHECK-LABEL: gpu.func @two_programs
// CHECK-SAME:    workgroup(%{{.*}} : memref<9xi64, {{.*}}>, %[[READY0:[^ ]*]] : memref<2xi64, {{.*}}>, %[[FREE0:[^ ]*]] : memref<2xi64, {{.*}}>, %[[RING0:[^ ]*]] : memref<2x4xi32, {{.*}}>, %[[READY1:[^ ]*]] : memref<2xi64, {{.*}}>, %[[FREE1:[^ ]*]] : memref<2xi64, {{.*}}>, %[[RING1:[^ ]*]] : memref<2x4xi32, #gpu.address_space<workgroup>>)
// CHECK-DAG:     mxfp4.init_barriers %[[FREE0]] count 27
// CHECK-DAG:     mxfp4.init_barriers %[[FREE1]] count 27
// CHECK:         scf.if
// CHECK:           mxfp4.wait_barrier %[[FREE0]]
// CHECK:           mxfp4.locate_tile {{.*}} columns 1
// CHECK:           mxfp4.wait_barrier %[[READY0]]
// CHECK:           memref.load %[[RING0]]
// CHECK:         } else {
// CHECK:           mxfp4.wait_barrier %[[FREE1]]
// CHECK:           mxfp4.locate_tile {{.*}} columns 2
// CHECK:           mxfp4.wait_barrier %[[READY1]]
// CHECK:           memref.load %[[RING1]]
// CHECK:         gpu.return
gpu.module @kernels {
  gpu.func @two_programs(%o: memref<3xi32>, %y: memref<?x256xbf16>,
      %table: !table, %cta: index, %tiles: index, %ctas: index,
      %sums: vector<1x8x4xf32>, %schedules: i1, %tall: i1)
      workgroup(%full: !barriers)
      kernel attributes {mxfp4.schedule = #schedule} {
    mxfp4.init_barriers %full count 1 : !barriers
    scf.if %tall {
      scf.if %schedules {
        scf.for %tile = %cta to %tiles step %ctas {
          %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
              experts 2 columns 1 {schedule = #schedule} : !table, memref<3xi32>
        } {mxfp4.role = "schedule"}
      } else {
        scf.for %tile = %cta to %tiles step %ctas {
          %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
              experts 2 columns 1 {schedule = #schedule} : !table, memref<3xi32>
          mxfp4.store_tile %sums to %y[%row, %column] valid(%n)
              {schedule = #schedule} : vector<1x8x4xf32> to memref<?x256xbf16>
        } {mxfp4.role = "multiply"}
      }
    } else {
      scf.if %schedules {
        scf.for %tile = %cta to %tiles step %ctas {
          %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
              experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
        } {mxfp4.role = "schedule", mxfp4.program = 1 : i64}
      } else {
        scf.for %tile = %cta to %tiles step %ctas {
          %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
              experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
          mxfp4.store_tile %sums to %y[%row, %column] valid(%n)
              {schedule = #schedule} : vector<1x8x4xf32> to memref<?x256xbf16>
        } {mxfp4.role = "multiply", mxfp4.program = 1 : i64}
      }
    }
    gpu.return
  }
}
