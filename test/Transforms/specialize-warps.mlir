// The tiles of a kernel for wgmma are split into roles. One role copies: it runs
// through the tiles with nothing but copies and fills a ring of stages. The other
// multiplies: it drains the ring and stores the sums. Both carry a cursor from
// step to step and from tile to tile, so that copies run ahead across tiles.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --canonicalize --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 128,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 32>

// CHECK-LABEL: gpu.func @mxfp4_plain
// CHECK-SAME:    %[[MAP:[^:]*]]: !mxfp4.tensor_map<128 by 32>{{[^%]*}}, %[[W:[^:]*]]: memref<32x4x5x!{{[^%]*}}, %[[O:[^:]*]]: memref<33xi32>{{[^%]*}}, %[[Y:[^:]*]]: memref<?x256xbf16>
// CHECK-SAME:    workgroup(%[[FULL:[^ ]*]] : memref<4xi64, #gpu.address_space<workgroup>>, %[[EMPTY:[^ ]*]] : memref<4xi64, #gpu.address_space<workgroup>>)
// CHECK-SAME:    known_block_size = array<i32: 384, 1, 1>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[STEP:.*]] = arith.constant 32 : i32
// CHECK-DAG:     %[[BOX:.*]] = arith.constant 4096 : i32
// CHECK-DAG:     %[[BLOCKS:.*]] = arith.constant 4352 : i32
// CHECK-DAG:     %[[NONE:.*]] = arith.constant dense<0.000000e+00> : vector<1x16x4xf32>

// A slot is full when one thread and its bytes have arrived, and empty when each
// of the eight warps that multiply has.
// CHECK:         %[[RING:.*]] = mxfp4.create_ring full(%[[FULL]]) empty(%[[EMPTY]]) fills 1 releases 8
// CHECK-NEXT:    nvvm.fence.mbarrier.init
// CHECK:         mxfp4.build_tile_table
// CHECK:         mxfp4.warp_roles {

// Eight warps multiply. What a copying thread has no use for, they take over.
// CHECK-NEXT:      mxfp4.role "multiply" warps 8 registers 232 {
// CHECK-NEXT:      ^bb0(%{{.*}}: index):
// CHECK-NEXT:        %[[START:.*]] = mxfp4.ring_start : <4>
// CHECK-NEXT:        mxfp4.for_tiles {{.*}} init(%[[START]]) -> !mxfp4.cursor<4>
// CHECK-NEXT:        ^bb0(%{{.*}}: index, %[[ROW:.*]]: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index, %[[AT:.*]]: !mxfp4.cursor<4>):
// CHECK:               %[[CAST:.*]] = arith.index_cast %[[VALID]]
// CHECK-NEXT:          %[[SAME:.*]], %{{.*}} = gpu.shuffle idx %[[CAST]]
// CHECK-NEXT:          %[[TOKENS:.*]] = arith.index_cast %[[SAME]]
// CHECK-NEXT:          %[[SUM:.*]]:2 = mxfp4.k_loop to 5 drains %[[RING]] at %[[AT]] init(%[[NONE]])
// CHECK-NEXT:          ^bb0(%{{.*}}: index, %[[HERE:.*]]: !mxfp4.cursor<4>, %[[ACC:.*]]: vector<1x16x4xf32>):
// CHECK-NEXT:            %[[SLOT:.*]] = mxfp4.ring_slot %[[HERE]]
// CHECK-NEXT:            %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %{{.*}}, %{{.*}} at[%[[SLOT]]] tokens(%[[TOKENS]])
// CHECK-NEXT:            mxfp4.yield %[[NEXT]]
// CHECK:               mxfp4.store_tile %[[SUM]]#0 to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]])
// CHECK-NEXT:          mxfp4.yield %[[SUM]]#1 : !mxfp4.cursor<4>

// Three warps copy, with one thread each: the first announces the bytes of a
// stage, whole boxes of 32 rows, and copies activations; the others copy a block
// of weights each.
// CHECK:           mxfp4.role "copy" warps 3 registers 40 one_thread {
// CHECK-NEXT:      ^bb0(%[[WARP:.*]]: index):
// CHECK:             mxfp4.for_tiles
// CHECK-NEXT:        ^bb0(%[[EXPERT:.*]]: index, %[[ROW:.*]]: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index, %[[AT:.*]]: !mxfp4.cursor<4>):
// CHECK:               %[[END:.*]] = mxfp4.k_loop to 5 fills %[[RING]] at %[[AT]] {
// CHECK-NEXT:          ^bb0(%[[K:.*]]: index, %[[HERE:.*]]: !mxfp4.cursor<4>):
// CHECK-NEXT:            %[[SLOT:.*]] = mxfp4.ring_slot %[[HERE]]
// CHECK-NEXT:            %[[FIRST:.*]] = arith.cmpi eq, %[[WARP]], %[[C0]]
// CHECK-NEXT:            scf.if %[[FIRST]] {
// CHECK-NEXT:              %[[ROWS:.*]] = arith.index_cast %[[VALID]]
// CHECK-NEXT:              %[[BOXES:.*]] = arith.ceildivui %[[ROWS]], %[[STEP]]
// CHECK-NEXT:              %[[BYTES:.*]] = arith.muli %[[BOXES]], %[[BOX]]
// CHECK-NEXT:              %[[ALL:.*]] = arith.addi %[[BYTES]], %[[BLOCKS]]
// CHECK-NEXT:              mxfp4.ring_fill %[[RING]][%[[HERE]]] bytes(%[[ALL]])
// CHECK-NEXT:              mxfp4.tensor_copy_activations %[[MAP]][%[[ROW]], %[[K]]] valid(%[[VALID]]) to %{{.*}}[%[[SLOT]]] signal %[[FULL]]
// CHECK-NEXT:            } else {
// CHECK-NEXT:              %[[PART:.*]] = arith.subi %[[WARP]], %[[C1]]
// CHECK-NEXT:              mxfp4.bulk_copy_weights %[[W]][%[[EXPERT]], %{{.*}}, %[[K]]] to %{{.*}}[%[[SLOT]]] signal %[[FULL]] part %[[PART]] of 2 :
// CHECK-NEXT:            }
// CHECK-NEXT:            mxfp4.yield
// CHECK-NEXT:          }
// CHECK-NEXT:          mxfp4.yield %[[END]] : !mxfp4.cursor<4>
// CHECK-NOT:       mxfp4.store_tile
// CHECK:         gpu.return
func.func @plain(%x: memref<?x320xbf16>,
                 %w: memref<32x4x5x!mxfp4.block<spread, folded>>,
                 %o: memref<33xi32>, %y: memref<?x256xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x320xbf16>)
      weights(%w : memref<32x4x5x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x256xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>

// K slices: each has four warps that multiply and one that copies, and goes round
// slots of its own. A slot is empty when the warps of its slice have released it.
// The first slice adds the sums of all and stores them. Few tokens: all are
// multiplied, and the weights leave the L2 cache first. A tile without an expert
// has no steps: its cursor stays where it is.

// CHECK-LABEL: gpu.func @mxfp4_slices
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK:         mxfp4.create_ring {{.*}} fills 1 releases 4
// CHECK:         mxfp4.role "multiply" warps 12 {
// CHECK-NEXT:    ^bb0(%[[WARP:.*]]: index):
// CHECK-NEXT:      %[[SLICE:.*]] = arith.divui %[[WARP]], %[[C4]]
// CHECK-NEXT:      mxfp4.ring_start slice(%[[SLICE]]) : <9 by 3>
// CHECK:             %[[R:.*]]:2 = scf.if %{{.*}} -> (vector<1x1x4xf32>, !mxfp4.cursor<9 by 3>) {
// CHECK:               %[[L:.*]]:2 = mxfp4.k_loop to 6 slice(%[[SLICE]]) drains
// CHECK:               scf.yield %[[L]]#0, %[[L]]#1
// CHECK-NEXT:        } else {
// CHECK-NEXT:          scf.yield %{{.*}}, %{{.*}} : vector<1x1x4xf32>, !mxfp4.cursor<9 by 3>
// CHECK:             %[[BUFFER:.*]] = mxfp4.shared_buffer at {{.*}} : memref<4x128xf32,
// CHECK-NEXT:        %[[TOTAL:.*]] = mxfp4.reduce_slices %[[R]]#0 slice(%[[SLICE]] of 3) through %[[BUFFER]] :
// CHECK-NEXT:        %[[FIRST:.*]] = arith.cmpi eq, %[[SLICE]], %[[C0]]
// CHECK-NEXT:        scf.if %[[FIRST]] {
// CHECK-NEXT:          mxfp4.store_tile %[[TOTAL]]
// CHECK:             mxfp4.yield %[[R]]#1
// CHECK:         mxfp4.role "copy" warps 3 one_thread {
// CHECK-NEXT:    ^bb0(%[[WARP:.*]]: index):
// CHECK-NEXT:      mxfp4.ring_start slice(%[[WARP]]) : <9 by 3>
// CHECK:             mxfp4.k_loop to 6 slice(%[[WARP]]) fills
// CHECK:               mxfp4.ring_fill
// CHECK-NEXT:          mxfp4.tensor_copy_activations
// CHECK-NEXT:          mxfp4.bulk_copy_weights {{.*}} once :
// CHECK:         gpu.return
func.func @slices(%x: memref<?x384xbf16>,
                  %w: memref<2x1x6x!mxfp4.block<spread, raw>>,
                  %o: memref<3xi32>, %i: memref<2xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xbf16>)
      weights(%w : memref<2x1x6x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) expert_ids(%i : memref<2xi32>)
      outs(%y : memref<?x64xbf16>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 8, k_slices = 3>

// With a token step not all sums are moved.

// CHECK-LABEL: gpu.func @mxfp4_some_tokens
// CHECK:       mxfp4.reduce_slices {{.*}} tokens(%{{.*}}) :
func.func @some_tokens(%x: memref<?x384xbf16>,
                       %w: memref<2x1x6x!mxfp4.block<spread, raw>>,
                       %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xbf16>)
      weights(%w : memref<2x1x6x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 16, k_slices = 3>

// Of two loops over tiles in the branches of a choice, each becomes roles of its
// own, with a ring of its own.

// CHECK-LABEL: gpu.func @mxfp4_side_by_side
// CHECK-SAME:    workgroup(%[[A:[^ ]*]] : memref<6xi64, {{[^%]*}} %[[B:[^ ]*]] : memref<6xi64, {{[^%]*}} %[[C:[^ ]*]] : memref<9xi64, {{[^%]*}} %[[D:[^ ]*]] : memref<9xi64,
// CHECK:         %[[SHARED:.*]] = mxfp4.create_ring full(%[[C]]) empty(%[[D]]) fills 1 releases 8
// CHECK:         %[[TALL:.*]] = mxfp4.create_ring full(%[[A]]) empty(%[[B]]) fills 1 releases 24
// CHECK:         scf.if
// CHECK-NEXT:      mxfp4.tile_count
// CHECK-NEXT:      mxfp4.warp_roles {
// CHECK:             mxfp4.k_loop to 7 drains %[[TALL]]
// CHECK:             mxfp4.k_loop to 7 fills %[[TALL]]
// CHECK:         } else {
// CHECK:           mxfp4.warp_roles {
// CHECK:             mxfp4.k_loop to 7 slice(%{{.*}}) drains %[[SHARED]]
// CHECK:             mxfp4.k_loop to 7 slice(%{{.*}}) fills %[[SHARED]]
// CHECK:         gpu.return
func.func @side_by_side(%x: memref<?x448xbf16>,
                        %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                        %o: memref<3xi32>, %y: memref<?x512xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// Kernels with mma.sync have no roles.

// CHECK-LABEL: gpu.func @mxfp4_mma_sync
// CHECK-NOT:     mxfp4.warp_roles
// CHECK:         gpu.return
func.func @mma_sync(%x: memref<?x64xbf16>,
                    %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                    %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 32>

// Rows are gathered by all threads of the copy role, which looks them up for each
// tile in front of its loop. A slot is full when all of these threads' copies have
// landed, and the bytes of the weights, which one thread of the first warp
// announces: each warp copies a part of them. What threads write wgmma sees behind
// a fence. The role that multiplies neither looks rows up nor announces them.

// CHECK-LABEL: gpu.func @mxfp4_gathers
// CHECK-SAME:    %[[X:[^:]*]]: memref<?x320xbf16>{{[^%]*}}, %[[W:[^:]*]]: memref<32x4x5x!{{[^%]*}}, %{{[^:]*}}: memref<33xi32>{{[^%]*}}, %[[Y:[^:]*]]: memref<?x256xbf16>{{[^%]*}}, %[[E:[^:]*]]: memref<1xi32>{{[^%]*}}, %[[MAP:[^:]*]]: memref<?xi32>{{[^%]*}}, %{{[^:]*}}: i32{{[^%]*}}, %[[SOURCES:[^:]*]]: i32
// CHECK-SAME:    workgroup(%[[FULL:[^ ]*]] : memref<4xi64,
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[STEP:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[BLOCKS:.*]] = arith.constant 4352 : i32
// CHECK:         %[[RING:.*]] = mxfp4.create_ring {{.*}} fills 97 releases 8 : {{.*}} -> <4 fenced>
// CHECK:         mxfp4.role "multiply" warps 8 {
// CHECK-NOT:       mxfp4.load_rows
// CHECK-NOT:       mxfp4.gather_activations
// CHECK:           mxfp4.k_loop to 5 drains %[[RING]] {{.*}} : !mxfp4.ring<4 fenced>
// CHECK:           mxfp4.store_tile
// CHECK:         mxfp4.role "copy" warps 3 {
// CHECK-NEXT:    ^bb0(%[[WARP:.*]]: index):
// CHECK:           mxfp4.for_tiles
// CHECK-NEXT:      ^bb0(%[[EXPERT:.*]]: index, %[[ROW:.*]]: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index, %[[AT:.*]]: !mxfp4.cursor<4>):
// CHECK:             %[[STEPS:.*]] = arith.ceildivui %[[VALID]], %[[STEP]]
// CHECK-NEXT:        %[[MULTIPLIED:.*]] = arith.muli %[[STEPS]], %[[STEP]]
// CHECK-NEXT:        %[[ROWS:.*]] = mxfp4.load_rows %[[MAP]][%[[ROW]]] valid(%[[VALID]]) limit(%[[SOURCES]]) error(%[[E]] : memref<1xi32>) warp(%[[WARP]] of 3) : memref<?xi32> -> vector<6xi32>
// CHECK-NEXT:        mxfp4.k_loop to 5 fills %[[RING]] at %[[AT]]
// CHECK-NEXT:        ^bb0(%[[K:.*]]: index, %[[HERE:.*]]: !mxfp4.cursor<4>):
// CHECK-NEXT:          %[[SLOT:.*]] = mxfp4.ring_slot %[[HERE]]
// CHECK-NEXT:          %[[ELECTED:.*]] = nvvm.elect.sync
// CHECK-NEXT:          scf.if %[[ELECTED]] {
// CHECK-NEXT:            %[[FIRST:.*]] = arith.cmpi eq, %[[WARP]], %[[C0]]
// CHECK-NEXT:            scf.if %[[FIRST]] {
// CHECK-NEXT:              mxfp4.ring_fill %[[RING]][%[[HERE]]] bytes(%[[BLOCKS]])
// CHECK-NEXT:            }
// CHECK-NEXT:            mxfp4.bulk_copy_weights %[[W]][%[[EXPERT]], %{{.*}}, %[[K]]] to %{{.*}}[%[[SLOT]]] signal %[[FULL]] part %[[WARP]] of 3
// CHECK-NEXT:          }
// CHECK-NEXT:          mxfp4.gather_activations %[[X]][%[[ROWS]], %[[K]]] valid(%[[MULTIPLIED]]) to %{{.*}}[%[[SLOT]]] warp(%[[WARP]] of 3) signal(%[[FULL]] :
// CHECK-NEXT:          mxfp4.yield
// CHECK-NOT:       mxfp4.store_tile
func.func @gathers(%x: memref<?x320xbf16>, %rows: memref<?xi32>,
                   %w: memref<32x4x5x!mxfp4.block<spread, folded>>,
                   %o: memref<33xi32>, %y: memref<?x256xbf16>,
                   %e: memref<1xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x320xbf16>)
      gather(%rows : memref<?xi32>)
      weights(%w : memref<32x4x5x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x256xbf16>)
      error(%e : memref<1xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>

// K slices: the one warp of each gathers all rows and copies all weights of its
// slots, which wait for no other warp. The first slice finishes the sums of all:
// the epilogue and the map of rows go with its store.

// CHECK-LABEL: gpu.func @mxfp4_gathering_slices
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK:         mxfp4.create_ring {{.*}} fills 33 releases 4 : {{.*}} -> <9 fenced>
// CHECK:         mxfp4.role "multiply" warps 12 {
// CHECK:             %[[TOTAL:.*]] = mxfp4.reduce_slices
// CHECK:             scf.if
// CHECK-NEXT:          mxfp4.store_tile %[[TOTAL]] {{.*}} scatter(%{{.*}} : memref<?xi32>) limit(%{{.*}}) epilogue (%{{.*}} : memref<f32>) {
// CHECK-NEXT:          ^bb0(%[[SUM:.*]]: f32, %[[F:.*]]: f32):
// CHECK-NEXT:            arith.mulf %[[SUM]], %[[F]]
// CHECK:         mxfp4.role "copy" warps 3 {
// CHECK-NEXT:    ^bb0(%[[WARP:.*]]: index):
// CHECK:             %[[ROWS:.*]] = mxfp4.load_rows {{.*}} warp(%[[C0]] of 1) : memref<?xi32> -> vector<2xi32>
// CHECK-NEXT:        mxfp4.k_loop to 6 slice(%[[WARP]]) fills
// CHECK:               scf.if
// CHECK-NEXT:            mxfp4.ring_fill
// CHECK-NEXT:            mxfp4.bulk_copy_weights
// CHECK-NOT:             part
// CHECK:               mxfp4.gather_activations %{{.*}}[%[[ROWS]], %{{.*}} warp(%[[C0]] of 1) signal(
func.func @gathering_slices(%x: memref<?x384xbf16>, %rows: memref<?xi32>,
                            %w: memref<32x4x6x!mxfp4.block<spread, folded>>,
                            %o: memref<33xi32>, %y: memref<?x256xbf16>,
                            %to: memref<?xi32>, %factor: memref<f32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xbf16>)
      gather(%rows : memref<?xi32>)
      weights(%w : memref<32x4x6x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x256xbf16>)
      scatter(%to : memref<?xi32>) epilogue(%factor : memref<f32>) {
      ^bb0(%sum: f32, %f: f32):
        %r = arith.mulf %sum, %f : f32
        mxfp4.yield %r : f32
      } {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 176,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 16, copy_warps = 2, overlap_decode = true>

// Of three blocks along N, the second tile has one: its other warpgroup multiplies
// a single token in place of all, where sums are promoted every 512 in tall tiles.

// CHECK-LABEL: gpu.func @mxfp4_missing
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK:         mxfp4.role "multiply" warps 8 {
// CHECK-NEXT:    ^bb0(%[[WARP:.*]]: index):
// CHECK:           ^bb0(%{{.*}}: index, %{{.*}}: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index, %{{.*}}: !mxfp4.cursor<4>):
// CHECK:             %[[FIRST:.*]] = arith.muli %[[COLUMN]], %[[C2]]
// CHECK-NEXT:        %[[GROUP:.*]] = arith.divui %[[WARP]], %[[C4]]
// CHECK-NEXT:        %[[BLOCK:.*]] = arith.addi %[[FIRST]], %[[GROUP]]
// CHECK-NEXT:        %[[ISTHERE:.*]] = arith.cmpi ult, %[[BLOCK]], %[[C3]]
// CHECK-NEXT:        %[[TOKENS:.*]] = arith.select %[[ISTHERE]], %[[VALID]], %[[C1]]
// CHECK-NEXT:        arith.index_cast %[[TOKENS]]
// CHECK-NEXT:        gpu.shuffle
// CHECK:         mxfp4.role "copy"
func.func @missing(%x: memref<?x768xf8E4M3FN>,
                   %w: memref<2x3x6x!mxfp4.block<bytes, relative>>,
                   %o: memref<3xi32>, %y: memref<?x192xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x768xf8E4M3FN>)
      weights(%w : memref<2x3x6x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      {accumulation = #mxfp4.accumulation<promoted 512>, schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 128, tokens = 160,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 16, copy_warps = 2, overlap_decode = true>

// Lower tiles take longer then.

// CHECK-LABEL: gpu.func @mxfp4_lower
// CHECK:         mxfp4.role "multiply" warps 8 {
// CHECK-NOT:       arith.select
// CHECK:         mxfp4.role "copy"
func.func @lower(%x: memref<?x768xf8E4M3FN>,
                 %w: memref<2x3x6x!mxfp4.block<bytes, relative>>,
                 %o: memref<3xi32>, %y: memref<?x192xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x768xf8E4M3FN>)
      weights(%w : memref<2x3x6x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x192xbf16>)
      {accumulation = #mxfp4.accumulation<promoted 512>, schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, evict_first = true>

// Where K ends in the first half of the last step's blocks, codes of the other half
// are not read; where it ends in the second half, all are.

// CHECK-LABEL: gpu.func @mxfp4_half_of_last
// CHECK:         mxfp4.role "copy"
// CHECK:             mxfp4.bulk_copy_weights {{.*}} once half_last :
func.func @half_of_last(%x: memref<?x320xf8E4M3FN>,
    %w: memref<2x1x3x!mxfp4.block<bytes, relative>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x320xf8E4M3FN>)
      weights(%w : memref<2x1x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {accumulation = #mxfp4.accumulation<fast>, schedule = #schedule}
  return
}

// CHECK-LABEL: gpu.func @mxfp4_more_of_last
// CHECK:         mxfp4.role "copy"
// CHECK:             mxfp4.bulk_copy_weights
// CHECK-NOT:         half_last
// CHECK:           mxfp4.yield
func.func @more_of_last(%x: memref<?x352xf8E4M3FN>,
    %w: memref<2x1x3x!mxfp4.block<bytes, relative>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x352xf8E4M3FN>)
      weights(%w : memref<2x1x3x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {accumulation = #mxfp4.accumulation<fast>, schedule = #schedule}
  return
}
