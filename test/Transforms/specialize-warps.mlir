// A kernel for wgmma is split by warps. Threads of the producer run the loop over
// tiles with nothing but copies in it; the consumer warps run the same loop with
// everything else; one more thread, the scheduler, walks the tiles and does
// nothing yet (see mxfp4-share-tiles). Two arrays of barriers pass the slots of
// the stages to and fro: the producer waits until a slot is empty and fills it,
// the consumers wait until it is full, multiply, and give it back. Slot and
// parity run on from step to step and from tile to tile.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --canonicalize --cse --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 128,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 32>

// At the launch the activations become tensor maps, for boxes of 32 to 128 rows.
// Eight consumer warps, and a producer warpgroup.

// CHECK-LABEL: func @plain
// CHECK-SAME:    %[[X:[^:]*]]: memref<?x320xbf16>, %[[W:[^:]*]]: memref<32x4x5x!{{[^:]*}}>, %[[O:[^:]*]]: memref<33xi32>, %[[Y:[^:]*]]: memref<?x256xbf16>, %[[E:[^:]*]]: memref<1xi32>)
// CHECK-DAG:     %[[THREADS:.*]] = arith.constant 384 : index
// CHECK:         %[[MAP:.*]] = mxfp4.make_tensor_map %[[X]] : memref<?x320xbf16> -> <128 by 32>
// CHECK:         gpu.launch_func @mxfp4_plain::@mxfp4_plain
// CHECK-SAME:      threads in (%[[THREADS]],
// CHECK-SAME:      args(%[[MAP]] : !mxfp4.tensor_map<128 by 32>, %[[W]] : {{.*}}, %[[O]] : {{.*}}, %[[Y]] : memref<?x256xbf16>, %[[E]] : memref<1xi32>, %{{.*}} : i32)
func.func @plain(%x: memref<?x320xbf16>,
                 %w: memref<32x4x5x!mxfp4.block<spread, folded>>,
                 %o: memref<33xi32>, %y: memref<?x256xbf16>,
                 %e: memref<1xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x320xbf16>)
      weights(%w : memref<32x4x5x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x256xbf16>)
      error(%e : memref<1xi32>) {schedule = #schedule}
  return
}

// CHECK-LABEL: gpu.func @mxfp4_plain
// CHECK-SAME:    %[[MAP:[^:]*]]: !mxfp4.tensor_map<128 by 32> {mxfp4.arg = #mxfp4.arg<x align 16 maps memref<?x320xbf16>>}, %[[W:[^:]*]]: memref<32x4x5x!{{[^:]*}}> {{{[^:]*}}, %[[O:[^:]*]]: memref<33xi32> {{{[^:]*}}, %[[Y:[^:]*]]: memref<?x256xbf16> {{{[^:]*}}, %{{[^:]*}}: memref<1xi32> {{{[^:]*}}, %{{[^:]*}}: i32 {
// CHECK-SAME:    workgroup(%[[FULL:[^ ]*]] : memref<4xi64, #gpu.address_space<workgroup>>, %[[EMPTY:[^ ]*]] : memref<4xi64, #gpu.address_space<workgroup>>)
// CHECK-SAME:    known_block_size = array<i32: 384, 1, 1>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C5:.*]] = arith.constant 5 : index
// CHECK-DAG:     %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG:     %[[C9:.*]] = arith.constant 9 : index
// CHECK-DAG:     %[[C11:.*]] = arith.constant 11 : index
// CHECK-DAG:     %[[C32:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[STEP:.*]] = arith.constant 32 : i32
// CHECK-DAG:     %[[BOX:.*]] = arith.constant 4096 : i32
// CHECK-DAG:     %[[BLOCKS:.*]] = arith.constant 4352 : i32
// CHECK-DAG:     %[[NONE:.*]] = arith.constant dense<0.000000e+00> : vector<1x16x4xf32>

// The barriers are set up ahead of the barrier that the table of tiles needs
// anyway. A slot is full when the producer and its bytes have arrived, and empty
// when each of the eight consumer warps has.
// CHECK-NEXT:    mxfp4.init_barriers %[[FULL]] count 1 :
// CHECK-NEXT:    mxfp4.init_barriers %[[EMPTY]] count 8 :
// CHECK-NEXT:    nvvm.fence.mbarrier.init
// CHECK-NOT:     mxfp4.init_barriers
// CHECK:         %[[SX:.*]] = memref.view {{.*}} to memref<4x128x64xbf16, #gpu.address_space<workgroup>>
// CHECK:         %[[SW:.*]] = memref.view {{.*}} to memref<4x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
// CHECK:         %[[THREAD:.*]] = gpu.thread_id x
// CHECK:         gpu.barrier
// From here on the roles run apart: no barrier may ask for both.
// CHECK-NOT:     gpu.barrier
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         %[[GRID:.*]] = gpu.grid_dim x

// The warp's number, handed out by lane 0 so that it is the same in all lanes.
// CHECK:         %[[OWN:.*]] = arith.divui %[[THREAD]], %[[C32]]
// CHECK:         %[[OWN32:.*]] = arith.index_cast %[[OWN]]
// CHECK:         %[[SHARED:.*]], %{{.*}} = gpu.shuffle idx %[[OWN32]], %[[ZERO]], %{{.*}}
// CHECK:         %[[WARP:.*]] = arith.index_cast %[[SHARED]]
// CHECK:         %[[PRODUCER:.*]] = arith.cmpi uge, %[[WARP]], %[[C8]]

// The producer's warpgroup keeps 40 registers. A thread of its last warp is the
// scheduler.
// CHECK:         scf.if %[[PRODUCER]] {
// CHECK-NEXT:      nvvm.setmaxregister decrease 40
// CHECK-NEXT:      %[[LAST:.*]] = arith.cmpi eq, %[[WARP]], %[[C11]]
// CHECK-NEXT:      scf.if %[[LAST]] {
// CHECK-NEXT:        %[[ELECTED:.*]] = nvvm.elect.sync
// CHECK-NEXT:        scf.if %[[ELECTED]] {
// CHECK-NEXT:          scf.for %[[TILE:.*]] = %[[BLOCK]] to %{{.*}} step %[[GRID]] {
// CHECK-NEXT:            mxfp4.locate_tile %[[TILE]]
// CHECK-NEXT:          } {mxfp4.role = "schedule"}
// CHECK-NEXT:        }
// CHECK-NEXT:      }

// A thread of each of the other three copies: the first activations, two others
// a block of weights each. None multiplies or stores.
// CHECK-NEXT:      %[[COPIES:.*]] = arith.cmpi ult, %[[WARP]], %[[C11]]
// CHECK-NEXT:      scf.if %[[COPIES]] {
// CHECK-NEXT:        %[[ELECTED:.*]] = nvvm.elect.sync
// CHECK-NEXT:        scf.if %[[ELECTED]] {
// CHECK-NEXT:          %[[COPIER:.*]] = arith.subi %[[WARP]], %[[C8]]
// CHECK-NEXT:          scf.for %[[TILE:.*]] = %[[BLOCK]] to %{{.*}} step %[[GRID]] iter_args(%[[TSLOT:.*]] = %[[C0]], %[[TPARITY:.*]] = %[[ZERO]])
// CHECK-NEXT:            %[[EXPERT:.*]], %[[ROW:.*]], %[[VALID:.*]], %[[COLUMN:.*]] = mxfp4.locate_tile %[[TILE]]
// CHECK-NOT:             mxfp4.{{tile_matmul|store_tile|copy|init}}
// CHECK:                 %[[STEPS:.*]]:2 = scf.for %[[K:.*]] = %[[C0]] to %[[C5]] step %[[C1]] iter_args(%[[SLOT:.*]] = %[[TSLOT]], %[[PARITY:.*]] = %[[TPARITY]])
// A fresh barrier passes for parity 1, so the first round does not wait.
// CHECK-NEXT:              %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:              mxfp4.wait_barrier %[[EMPTY]][%[[SLOT]]] parity %[[FLIPPED]]
// CHECK-NEXT:              %[[ISFIRST:.*]] = arith.cmpi eq, %[[COPIER]], %[[C0]]
// CHECK-NEXT:              scf.if %[[ISFIRST]] {
// One arrival announces the bytes of all: two blocks of 2176, and whole boxes of
// 32 rows of 128 bytes.
// CHECK-NEXT:                %[[ROWS:.*]] = arith.index_cast %[[VALID]]
// CHECK-NEXT:                %[[BOXES:.*]] = arith.ceildivui %[[ROWS]], %[[STEP]]
// CHECK-NEXT:                %[[BOXBYTES:.*]] = arith.muli %[[BOXES]], %[[BOX]]
// CHECK-NEXT:                %[[BYTES:.*]] = arith.addi %[[BOXBYTES]], %[[BLOCKS]]
// CHECK-NEXT:                mxfp4.expect_bytes %[[FULL]][%[[SLOT]]] bytes(%[[BYTES]])
// CHECK-NEXT:                mxfp4.tensor_copy_activations %[[MAP]][%[[ROW]], %[[K]]] valid(%[[VALID]]) to %[[SX]][%[[SLOT]]] signal %[[FULL]]
// CHECK-NEXT:              } else {
// CHECK-NEXT:                %[[PART:.*]] = arith.subi %[[WARP]], %[[C9]]
// A tile of 128 tokens: others will read the weights, so they stay in the cache.
// CHECK-NEXT:                mxfp4.bulk_copy_weights %[[W]][%[[EXPERT]], %{{.*}}, %[[K]]] to %[[SW]][%[[SLOT]]] signal %[[FULL]] part %[[PART]] of 2 : memref
// CHECK-NEXT:              }
// The next slot; after the last one the first, in the other phase.
// CHECK-NEXT:              %[[SLOT1:.*]] = arith.addi %[[SLOT]], %[[C1]]
// CHECK-NEXT:              %[[WRAPS:.*]] = arith.cmpi uge, %[[SLOT1]], %[[C4]]
// CHECK-NEXT:              %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[SLOT1]]
// CHECK-NEXT:              %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY]]
// CHECK-NEXT:              scf.yield %[[SLOT2]], %[[PARITY2]]
// CHECK-NEXT:            }
// CHECK-NEXT:            scf.yield %[[STEPS]]#0, %[[STEPS]]#1
// CHECK-NEXT:          } {mxfp4.role = "copy"}
// CHECK-NEXT:        }
// CHECK-NEXT:      }

// The consumers take the registers over, and copy nothing. wgmma must not stand
// in a branch that could diverge, so the number of tokens comes from lane 0.
// CHECK-NEXT:    } else {
// CHECK-NEXT:      nvvm.setmaxregister increase 232
// CHECK-NEXT:      scf.for %[[TILE:.*]] = %[[BLOCK]] to %{{.*}} step %[[GRID]] iter_args(%[[TSLOT:.*]] = %[[C0]], %[[TPARITY:.*]] = %[[ZERO]])
// CHECK-NEXT:        %{{.*}}, %[[ROW:.*]], %[[VALID:.*]], %[[COLUMN:.*]] = mxfp4.locate_tile %[[TILE]]
// CHECK-NOT:         mxfp4.{{[a-z_]*}}copy
// CHECK:             %[[ROWS:.*]] = arith.index_cast %[[VALID]]
// CHECK-NEXT:        %[[ALIKE:.*]], %{{.*}} = gpu.shuffle idx %[[ROWS]], %[[ZERO]]
// CHECK-NEXT:        %[[TOKENS:.*]] = arith.index_cast %[[ALIKE]]
// CHECK-NEXT:        %[[STEPS:.*]]:3 = scf.for %{{.*}} = %[[C0]] to %[[C5]] step %[[C1]] iter_args(%[[ACC:.*]] = %[[NONE]], %[[SLOT:.*]] = %[[TSLOT]], %[[PARITY:.*]] = %[[TPARITY]])
// CHECK-NEXT:          mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:          %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %[[SW]], %[[SX]] at[%[[SLOT]]] tokens(%[[TOKENS]])
// CHECK-NEXT:          mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT]]]
// CHECK-NEXT:          %[[SLOT1:.*]] = arith.addi %[[SLOT]], %[[C1]]
// CHECK-NEXT:          %[[WRAPS:.*]] = arith.cmpi uge, %[[SLOT1]], %[[C4]]
// CHECK-NEXT:          %[[FLIPPED:.*]] = arith.xori %[[PARITY]], %[[ONE]]
// CHECK-NEXT:          %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[C0]], %[[SLOT1]]
// CHECK-NEXT:          %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY]]
// CHECK-NEXT:          scf.yield %[[NEXT]], %[[SLOT2]], %[[PARITY2]]
// For mxfp4-overlap-decode; mxfp4-pipeline-copies has nothing left to do.
// CHECK-NEXT:        } {mxfp4.overlap}
// CHECK-NEXT:        mxfp4.store_tile %[[STEPS]]#0 to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]])
// CHECK-NEXT:        scf.yield %[[STEPS]]#1, %[[STEPS]]#2
// CHECK-NEXT:      } {mxfp4.role = "multiply"}
// CHECK-NEXT:    }
// CHECK-NEXT:    gpu.return

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>

// Four CTAs share a multiprocessor: one warp of the producer copies, and
// registers stay where they are. With a list of expert ids a tile may have no
// expert and so no loop over K; the branch then hands slot and parity on as they
// were, in both roles, or producer and consumers would lose each other.

// CHECK-LABEL: func @ids
// CHECK-DAG:     %[[THREADS:.*]] = arith.constant 192 : index
// CHECK:         %[[MAP:.*]] = mxfp4.make_tensor_map %{{.*}} : memref<?x128xbf16> -> <16>
// CHECK:         gpu.launch_func {{.*}} threads in (%[[THREADS]], {{.*}} args(%[[MAP]] :
// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-SAME:    workgroup(%[[FULL:[^ ]*]] : memref<3xi64, {{.*}}>, %[[EMPTY:[^ ]*]] : memref<3xi64,
// CHECK-NOT:     nvvm.setmaxregister
// One block of 2176 bytes, and 16 rows of 128, always.
// CHECK-DAG:     %[[BYTES:.*]] = arith.constant 4224 : i32
// CHECK-DAG:     %[[NONE:.*]] = arith.constant dense<0.000000e+00> : vector<1x2x4xf32>
// CHECK-NOT:     nvvm.setmaxregister
// CHECK:         mxfp4.init_barriers %[[FULL]] count 1
// CHECK-NEXT:    mxfp4.init_barriers %[[EMPTY]] count 4
// CHECK-NOT:     nvvm.setmaxregister
// CHECK:         mxfp4.role = "schedule"
// CHECK:         nvvm.elect.sync
// CHECK:         scf.for {{.*}} iter_args(%[[TSLOT:.*]] = %{{.*}}, %[[TPARITY:.*]] = %{{.*}}) -> (index, i32)
// CHECK-NEXT:      %[[EXPERT:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.locate_tile
// CHECK-NEXT:      %[[USED:.*]] = arith.cmpi sge, %[[EXPERT]], %{{.*}}
// CHECK-NEXT:      %[[AFTER:.*]]:2 = scf.if %[[USED]] -> (index, i32) {
// CHECK-NEXT:        %[[STEPS:.*]]:2 = scf.for {{.*}} iter_args(%{{.*}} = %[[TSLOT]], %{{.*}} = %[[TPARITY]])
// CHECK:               mxfp4.wait_barrier %[[EMPTY]]
// CHECK-NEXT:          mxfp4.expect_bytes %[[FULL]]{{.*}} bytes(%[[BYTES]])
// CHECK-NEXT:          mxfp4.tensor_copy_activations
// A tile holds a group's tokens, mostly: nobody else reads these weights.
// CHECK-NEXT:          mxfp4.bulk_copy_weights {{.*}} signal %[[FULL]] once
// CHECK:             scf.yield %[[STEPS]]#0, %[[STEPS]]#1
// CHECK-NEXT:      } else {
// CHECK-NEXT:        scf.yield %[[TSLOT]], %[[TPARITY]]
// CHECK-NEXT:      }
// CHECK-NEXT:      scf.yield %[[AFTER]]#0, %[[AFTER]]#1

// CHECK:         } else {
// CHECK-NOT:       nvvm.setmaxregister
// CHECK:           scf.for {{.*}} iter_args(%[[TSLOT:.*]] = %{{.*}}, %[[TPARITY:.*]] = %{{.*}}) -> (index, i32)
// CHECK:             %[[AFTER:.*]]:3 = scf.if %{{.*}} -> (vector<1x2x4xf32>, index, i32) {
// CHECK:               %[[STEPS:.*]]:3 = scf.for {{.*}} iter_args(%{{.*}} = %[[NONE]], %{{.*}} = %[[TSLOT]], %{{.*}} = %[[TPARITY]])
// CHECK-NEXT:            mxfp4.wait_barrier %[[FULL]]
// CHECK-NEXT:            mxfp4.tile_matmul
// CHECK-NEXT:            mxfp4.arrive_barrier %[[EMPTY]]
// CHECK:               scf.yield %[[STEPS]]#0, %[[STEPS]]#1, %[[STEPS]]#2
// CHECK-NEXT:        } else {
// CHECK-NEXT:          scf.yield %[[NONE]], %[[TSLOT]], %[[TPARITY]]
// CHECK-NEXT:        }
// CHECK-NEXT:        mxfp4.store_tile %[[AFTER]]#0
// CHECK-NEXT:        scf.yield %[[AFTER]]#1, %[[AFTER]]#2
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

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2>

// Two K slices: each has a warpgroup, a thread that copies, half of the steps and
// every other slot. At the end of a tile the first slice adds the sums, and
// stores them. K = 384: three steps each.

// CHECK-LABEL: gpu.func @mxfp4_slices
// CHECK-SAME:    workgroup(%[[FULL:[^ ]*]] : memref<6xi64, {{.*}}>, %[[EMPTY:[^ ]*]] : memref<6xi64,
// Eight warps that multiply, two that copy, one that schedules.
// CHECK-SAME:    known_block_size = array<i32: 352, 1, 1>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-DAG:     %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : i32
// Behind six stages of 16 x 128 bytes and of 2176.
// CHECK-DAG:     %[[SUMS:.*]] = arith.constant 25344 : index
// A slot belongs to one slice: four warps give it back.
// CHECK:         mxfp4.init_barriers %[[EMPTY]] count 4

// CHECK:         %{{.*}} = arith.cmpi uge, %[[WARP:.*]], %[[C8]]
// CHECK:         %[[SLICE:.*]] = arith.subi %[[WARP]], %[[C8]]
// CHECK-NEXT:    scf.for {{.*}} iter_args(%[[TSLOT:.*]] = %[[SLICE]], %{{.*}} = %[[ZERO]])
// CHECK:           %[[BEGIN:.*]] = arith.muli %[[SLICE]], %[[C3]]
// CHECK-NEXT:      scf.for %[[NUMBER:.*]] = %[[C0]] to %[[C3]] step %[[C1]] iter_args(%[[SLOT:.*]] = %[[TSLOT]],
// CHECK-NEXT:        %[[K:.*]] = arith.addi %[[NUMBER]], %[[BEGIN]]
// CHECK:             mxfp4.tensor_copy_activations %{{.*}}[%{{.*}}, %[[K]]]
// CHECK-NEXT:        mxfp4.bulk_copy_weights %{{.*}}[%{{.*}}, %{{.*}}, %[[K]]] to %{{.*}}[%[[SLOT]]] signal %[[FULL]] once
// CHECK-NEXT:        %[[SLOT1:.*]] = arith.addi %[[SLOT]], %[[C2]]
// CHECK-NEXT:        %[[WRAPS:.*]] = arith.cmpi uge, %[[SLOT1]], %[[C6]]
// CHECK-NEXT:        arith.select %[[WRAPS]], %[[SLICE]], %[[SLOT1]]

// CHECK:         } else {
// CHECK-NEXT:      %[[SLICE:.*]] = arith.divui %[[WARP]], %[[C4]]
// CHECK-NEXT:      scf.for {{.*}} iter_args(%[[TSLOT:.*]] = %[[SLICE]], %{{.*}} = %[[ZERO]])
// CHECK:             %[[STEPS:.*]]:3 = scf.for %{{.*}} = %[[C0]] to %[[C3]] step %[[C1]] iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %[[TSLOT]],
// CHECK:             %[[BUFFER:.*]] = memref.view %{{.*}}[%[[SUMS]]][] : {{.*}} to memref<8x128xf32, #gpu.address_space<workgroup>>
// CHECK-NEXT:        %[[SUM:.*]] = mxfp4.reduce_slices %[[STEPS]]#0 slice(%[[SLICE]] of 2) through %[[BUFFER]]
// CHECK-NEXT:        %[[FIRST:.*]] = arith.cmpi eq, %[[SLICE]], %[[C0]]
// CHECK-NEXT:        scf.if %[[FIRST]] {
// CHECK-NEXT:          mxfp4.store_tile %[[SUM]] to {{.*}} memref<?x64xbf16>
// CHECK-NEXT:        }
// CHECK-NEXT:        scf.yield %[[STEPS]]#1, %[[STEPS]]#2
func.func @slices(%x: memref<?x384xbf16>,
                  %w: memref<2x1x6x!mxfp4.block<spread, folded>>,
                  %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xbf16>)
      weights(%w : memref<2x1x6x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 16, k_slices = 3>

// Six warpgroups of consumers do not decode behind their own multiplications,
// and get registers for one fragment. The kernel has a second program, for tiles
// that the K slices have side by side (see mxfp4-tile): both are split, each with
// barriers of its own, and the roles of the other are marked as its.

// CHECK-LABEL: func @six_warpgroups
// CHECK-COUNT-1: mxfp4.make_tensor_map
// CHECK-NOT:     mxfp4.make_tensor_map
// CHECK-LABEL: gpu.func @mxfp4_six_warpgroups
// CHECK-SAME:    known_block_size = array<i32: 896, 1, 1>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C7:.*]] = arith.constant 7 : index
// CHECK:         mxfp4.init_barriers %[[FULL:.*]] count 1 : memref<9xi64
// CHECK-NEXT:    mxfp4.init_barriers %[[EMPTY:.*]] count 8 : memref<9xi64
// CHECK-NEXT:    nvvm.fence.mbarrier.init
// CHECK-NEXT:    mxfp4.init_barriers %[[TALLFULL:.*]] count 1 : memref<6xi64
// CHECK-NEXT:    mxfp4.init_barriers %[[TALLEMPTY:.*]] count 24 : memref<6xi64
// CHECK-NEXT:    nvvm.fence.mbarrier.init

// Side by side: no slices.
// CHECK:         nvvm.setmaxregister decrease 24
// CHECK:         mxfp4.wait_barrier %[[TALLEMPTY]]
// CHECK:         {mxfp4.role = "copy"}
// CHECK:         nvvm.setmaxregister increase 80
// CHECK:         scf.for %{{.*}} to %[[C7]] step %[[C1]]
// CHECK:         mxfp4.wait_barrier %[[TALLFULL]]
// CHECK-NEXT:    mxfp4.tile_matmul {{.*}} {schedule = #mxfp4.schedule<instruction = wgmma, rows = 384,
// CHECK-NOT:     mxfp4.reduce_slices
// CHECK:         {mxfp4.role = "multiply"}

// Of seven steps the first slice, which adds the sums, has one, and the others
// three. A tile of fewer tokens adds fewer sums.
// CHECK:         nvvm.setmaxregister decrease 24
// CHECK:         %[[ISFIRST:.*]] = arith.cmpi eq, %[[SLICE:.*]], %[[C0]] : index
// CHECK-NEXT:    %[[SHARE:.*]] = arith.select %[[ISFIRST]], %[[C1]], %[[C3]]
// CHECK-NEXT:    %[[ISNEXT:.*]] = arith.cmpi eq, %[[SLICE]], %[[C1]] : index
// CHECK-NEXT:    %[[BEGINS:.*]] = arith.select %[[ISNEXT]], %[[C1]], %[[C4]]
// CHECK-NEXT:    %[[BEGIN:.*]] = arith.select %[[ISFIRST]], %[[C0]], %[[BEGINS]]
// CHECK-NEXT:    scf.for %[[NUMBER:.*]] = %[[C0]] to %[[SHARE]] step %[[C1]]
// CHECK-NEXT:      arith.addi %[[NUMBER]], %[[BEGIN]]
// CHECK:         {mxfp4.program = 1 : i64, mxfp4.role = "copy"}
// CHECK:         nvvm.setmaxregister increase 80
// CHECK:         %{{.*}}, %{{.*}}, %[[VALID:.*]], %{{.*}} = mxfp4.locate_tile
// CHECK:         %[[ISFIRST:.*]] = arith.cmpi eq, %{{.*}}, %[[C0]] : index
// CHECK-NEXT:    %[[SHARE:.*]] = arith.select %[[ISFIRST]], %[[C1]], %[[C3]]
// CHECK-NOT:     mxfp4.overlap
// CHECK:         scf.for %{{.*}} to %[[SHARE]] step
// CHECK-NOT:     mxfp4.overlap
// CHECK:         mxfp4.tile_matmul
// CHECK-NOT:     mxfp4.overlap
// CHECK:         mxfp4.reduce_slices %{{.*}} slice(%{{.*}} of 3) through %{{.*}} tokens(%[[VALID]])
// CHECK:         {mxfp4.program = 1 : i64, mxfp4.role = "multiply"}
// CHECK:         gpu.return
func.func @six_warpgroups(%x: memref<?x448xbf16>,
                          %w: memref<2x4x7x!mxfp4.block<spread, folded>>,
                          %o: memref<3xi32>, %y: memref<?x256xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x4x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x256xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

// One consumer warpgroup has registers enough: nothing is handed over, and the
// producer need not be a whole warpgroup. Three warps copy.

// CHECK-LABEL: gpu.func @mxfp4_one_warpgroup
// CHECK-SAME:    known_block_size = array<i32: 256, 1, 1>
// CHECK-NOT:     nvvm.setmaxregister
// CHECK:         mxfp4.arrive_barrier
// CHECK-NOT:     nvvm.setmaxregister
// CHECK:         gpu.return
func.func @one_warpgroup(%x: memref<?x320xbf16>,
                         %w: memref<2x4x5x!mxfp4.block<spread, folded>>,
                         %o: memref<3xi32>, %y: memref<?x256xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x320xbf16>)
      weights(%w : memref<2x4x5x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x256xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// A kernel for mma.sync is left alone: mxfp4-pipeline-copies takes it.

// CHECK-LABEL: func @mma_sync
// CHECK-SAME:    %[[X:[^:]*]]: memref<?x320xbf16>
// CHECK-NOT:     mxfp4.make_tensor_map
// CHECK:         gpu.launch_func {{.*}} args(%[[X]] : memref<?x320xbf16>
// CHECK-LABEL: gpu.func @mxfp4_mma_sync(%{{.*}}: memref<?x320xbf16> {mxfp4.arg = #mxfp4.arg<x align 16>},
// CHECK-NOT:     workgroup(
// CHECK-NOT:     mxfp4.init_barriers
// CHECK:         mxfp4.copy_weights
// CHECK-NEXT:    mxfp4.copy_activations
// CHECK-NEXT:    nvvm.cp.async.commit.group
// CHECK:         mxfp4.tile_matmul
// CHECK:         {mxfp4.stages = 3 : i64}
func.func @mma_sync(%x: memref<?x320xbf16>,
                    %w: memref<2x4x5x!mxfp4.block<spread, folded>>,
                    %o: memref<3xi32>, %y: memref<?x256xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x320xbf16>)
      weights(%w : memref<2x4x5x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x256xbf16>)
      {schedule = #schedule}
  return
}
