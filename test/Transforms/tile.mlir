// A grouped matmul becomes a kernel: a table of tiles in shared memory, a
// persistent loop over tiles, which finds out where each lies, a loop over K
// that copies, waits and multiplies, and a store.
//
// RUN: mxfp4-opt %s --mxfp4-tile --canonicalize --cse --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// CHECK: module attributes {gpu.container_module}

// The launch: two CTAs for each of the 132 multiprocessors, two warps each, and
// shared memory for three stages (2176 bytes of weights and 1024 of
// activations) and the table of five entries. The number of rows is the last argument.

// CHECK-LABEL: func @plain
// CHECK-SAME:    %[[X:.*]]: memref<?x96xbf16>, %[[W:.*]]: memref<3x2x2x!mxfp4.block<spread, folded>>, %[[O:.*]]: memref<4xi32>, %[[Y:.*]]: memref<?x100xbf16>
// CHECK-DAG:     %[[CTAS:.*]] = arith.constant 264 : index
// CHECK-DAG:     %[[THREADS:.*]] = arith.constant 64 : index
// CHECK-DAG:     %[[SHARED:.*]] = arith.constant 9632 : i32
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

// Code that names no chip is for sm_90a; passes on the kernel find it here.
// CHECK:         gpu.module @mxfp4_plain attributes {mxfp4.target = #mxfp4.target<"sm_90a">}
// What launches it finds on its arguments what they are.
// CHECK:         gpu.func @mxfp4_plain(%[[X:.*]]: memref<?x96xbf16> {mxfp4.arg = #mxfp4.arg<x align 16>}, %[[W:.*]]: memref<3x2x2x!mxfp4.block<spread, folded>> {mxfp4.arg = #mxfp4.arg<weights align 16>}, %[[O:.*]]: memref<4xi32> {mxfp4.arg = #mxfp4.arg<offsets align 4>}, %[[Y:.*]]: memref<?x100xbf16> {mxfp4.arg = #mxfp4.arg<y align 4>}, %[[ROWS:.*]]: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}) kernel
// CHECK-SAME:      known_block_size = array<i32: 64, 1, 1>
// CHECK-SAME:      mxfp4.schedule = #mxfp4.schedule<
// CHECK-SAME:      nvvm.minctasm = 2 : i32
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[WARP:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[T:.*]] = arith.constant 8 : i32
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>

// Shared memory: activations (their swizzle wants the best-aligned place),
// weights, table.
// CHECK:         %[[ALL:.*]] = gpu.dynamic_shared_memory
// CHECK:         %[[SX:.*]] = memref.view %[[ALL]][%[[C0]]][] : {{.*}} to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
// CHECK:         %[[SW:.*]] = memref.view %[[ALL]][%{{.*}}][] : {{.*}} to memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
// CHECK:         %[[TABLE:.*]] = memref.view %[[ALL]][%{{.*}}][] : {{.*}} to memref<5xi32, #gpu.address_space<workgroup>>

// The next kernel may start its prologue; nothing is read before those ahead of
// this one have ended.
// CHECK-NEXT:    nvvm.griddepcontrol launch_dependents
// CHECK-NEXT:    nvvm.griddepcontrol wait

// Warp 0 looks at the offsets, a lane at each group: they must rise from 0 to the
// number of rows, or no tile is left.
// CHECK:         %[[THREAD:.*]] = gpu.thread_id x
// CHECK:         %[[FIRST:.*]] = arith.cmpi ult, %[[THREAD]], %[[WARP]]
// CHECK:         scf.if %[[FIRST]] {
// CHECK:           %[[BEGIN:.*]] = memref.load %[[O]]
// CHECK:           %[[END:.*]] = memref.load %[[O]]
// CHECK-DAG:       arith.cmpi ne, %[[BEGIN]], %[[NONE]] : i32
// CHECK-DAG:       arith.cmpi ne, %[[END]], %[[ROWS]] : i32
// CHECK-DAG:       arith.cmpi sgt, %[[BEGIN]], %[[END]] : i32
// CHECK:           %[[BAD:.*]] = nvvm.vote.sync any
// It scans the numbers of row tiles of eight tokens, and keeps them, a zero in
// front and the number of all at the end.
// CHECK:           %[[COUNT:.*]] = arith.subi %[[END]], %[[BEGIN]]
// CHECK:           arith.ceildivui %[[COUNT]], %[[T]]
// CHECK-COUNT-5:   gpu.shuffle up
// CHECK:           %[[BEFORE:.*]] = arith.addi
// CHECK-NEXT:      %[[LAST:.*]], %{{.*}} = gpu.shuffle idx %[[BEFORE]]
// CHECK:           %[[EXISTS:.*]] = arith.cmpi ult, %[[THREAD]], %[[C3]]
// CHECK-NEXT:      scf.if %[[EXISTS]] {
// CHECK-NEXT:        memref.store %[[BEFORE]], %[[TABLE]]
// CHECK:           %[[TILES:.*]] = arith.select %[[BAD]], %[[NONE]], %[[LAST]]
// CHECK:             memref.store %[[NONE]], %[[TABLE]][%[[C0]]]
// CHECK-NEXT:        memref.store %[[TILES]], %[[TABLE]][%[[C4]]]
// No error word: bad offsets are not reported.
// CHECK-NOT:       memref.atomic_rmw
// CHECK:         gpu.barrier

// Two column tiles for N = 100; any grid walks all tiles.
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK:         %[[GRID:.*]] = gpu.grid_dim x
// CHECK:         %[[ROWTILES:.*]] = memref.load %[[TABLE]][%[[C4]]]
// CHECK:         %[[ROWTILES2:.*]] = arith.index_cast %[[ROWTILES]]
// CHECK:         %[[ALLTILES:.*]] = arith.muli %[[ROWTILES2]], %[[C2]]
// CHECK:         scf.for %[[TILE:.*]] = %[[BLOCK]] to %[[ALLTILES]] step %[[GRID]] {
// CHECK-NEXT:      %[[EXPERT:.*]], %[[ROW:.*]], %[[VALID:.*]], %[[COLUMN:.*]] = mxfp4.locate_tile %[[TILE]] in %[[TABLE]] offsets(%[[O]]) experts 3 columns 2

// K = 96 takes two k64 steps. One copy is in flight at a time.
// CHECK-NEXT:      %[[SUM:.*]] = scf.for %[[STEP:.*]] = %[[C0]] to %[[C2]] step %[[C1]] iter_args(%[[ACC:.*]] = %[[ZERO]])
// CHECK-NEXT:        mxfp4.copy_weights %[[W]][%[[EXPERT]], %[[COLUMN]], %[[STEP]]] to %[[SW]][%[[C0]]]
// CHECK-NEXT:        mxfp4.copy_activations %[[X]][%[[ROW]], %[[STEP]]] valid(%[[VALID]]) to %[[SX]][%[[C0]]]
// CHECK-NEXT:        nvvm.cp.async.commit.group
// CHECK-NEXT:        nvvm.cp.async.wait.group 0
// CHECK-NEXT:        gpu.barrier
// CHECK-NEXT:        %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %[[SW]], %[[SX]] at[%[[C0]]] tokens(%[[VALID]])
// CHECK-NEXT:        gpu.barrier
// CHECK-NEXT:        scf.yield %[[NEXT]]
// CHECK-NEXT:      } {mxfp4.stages = 3 : i64}
// CHECK-NEXT:      mxfp4.store_tile %[[SUM]] to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]])

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 2, stages = 2, placement = register, ctas = 1>

// A list of expert ids: id -1 is no expert; nothing is multiplied, and its rows
// become zeros. The table sets bit 0 of the error word for bad offsets; the
// search is told where to set bit 1 for a bad id.

// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-SAME:    %[[IDS:[^:]*]]: memref<5xi32> {mxfp4.arg = #mxfp4.arg<expert_ids align 4>}, %[[Y:[^:]*]]: memref<?x64xf32> {mxfp4.arg = #mxfp4.arg<y align 8>}, %[[ERROR:[^:]*]]: memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>}, %{{[^:]*}}: i32 {
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>
// CHECK:         %[[BAD:.*]] = nvvm.vote.sync any
// CHECK:         scf.if %[[BAD]] {
// CHECK-NEXT:      memref.atomic_rmw ori %[[ONE]], %[[ERROR]][%[[C0]]]
// CHECK:         gpu.barrier
// CHECK:         scf.for
// CHECK-NEXT:      %[[EXPERT:.*]], %{{.*}}, %[[VALID:.*]], %{{.*}} = mxfp4.locate_tile {{.*}} expert_ids(%[[IDS]] : memref<5xi32>) error(%[[ERROR]] : memref<1xi32>) experts 2 columns 1
// CHECK-NEXT:      %[[USED:.*]] = arith.cmpi sge, %[[EXPERT]], %[[C0]]
// CHECK-NEXT:      %[[SUM:.*]] = scf.if %[[USED]]
// CHECK:             scf.for
// CHECK:               mxfp4.copy_weights %{{.*}}[%[[EXPERT]],
// CHECK:               mxfp4.tile_matmul {{.*}} : vector<2x1x4xf32>, memref<2x2x!mxfp4.block<nibble, raw>, {{.*}}, memref<2x16x64xbf16,
// CHECK:           } else {
// CHECK-NEXT:        scf.yield %[[ZERO]] :
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

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1,
  token_step = 16, k_slices = 2>

// What wgmma needs room for: behind the activations two decoded blocks for each
// of two warpgroups (they want whole KiB, too), behind the weights the sums of
// one slice. The workspace is for mxfp4-share-tiles;
// mxfp4-tile does nothing with it. There is one loop yet, with
// all steps in it.

// CHECK-LABEL: func @room
// CHECK-DAG:     %[[SHARED:.*]] = arith.constant 78608 : i32
// CHECK-DAG:     %[[THREADS:.*]] = arith.constant 352 : index
// CHECK:         gpu.launch_func {{.*}} threads in (%[[THREADS]], {{.*}} dynamic_shared_memory_size %[[SHARED]]
// CHECK-LABEL: gpu.func @mxfp4_room
// CHECK-SAME:    %[[S:[^ ]*]]: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>}, %{{[^:]*}}: i32 {
// 6 stages of 32 rows of 128 bytes; 4 blocks of 64 rows of 128 bytes; 6 blocks of
// 2176 bytes; 64 x 32 sums.
// CHECK-DAG:     %[[WEIGHTS:.*]] = arith.constant 57344 : index
// CHECK-DAG:     %[[TABLE:.*]] = arith.constant 78592 : index
// CHECK-DAG:     %[[STEPS:.*]] = arith.constant 6 : index
// CHECK:         memref.view %{{.*}}[%{{.*}}][] : {{.*}} to memref<6x32x64xbf16,
// CHECK:         memref.view %{{.*}}[%[[WEIGHTS]]][] : {{.*}} to memref<6x1x!mxfp4.block
// CHECK:         memref.view %{{.*}}[%[[TABLE]]][] : {{.*}} to memref<4xi32,
// CHECK-NOT:     %[[S]]
// CHECK:         scf.for %{{.*}} = %{{.*}} to %[[STEPS]]
// CHECK:         gpu.return
func.func @room(%x: memref<?x384xbf16>,
                %w: memref<2x1x6x!mxfp4.block<spread, raw>>,
                %o: memref<3xi32>, %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x384xbf16>)
      weights(%w : memref<2x1x6x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// 300 groups: two rounds of 32 lanes with eight groups each, whose nine bounds a
// lane loads at once. Tiles so far and bad bounds go on from round to round.

// CHECK-LABEL: gpu.func @mxfp4_many_groups
// CHECK-SAME:    %[[O:[^ ]*]]: memref<301xi32>
// CHECK-DAG:     %[[ROUND:.*]] = arith.constant 256 : index
// CHECK-DAG:     %[[GROUPS:.*]] = arith.constant 300 : index
// CHECK:         %[[R:.*]]:2 = scf.for %[[BASE:.*]] = %{{.*}} to %[[GROUPS]] step %[[ROUND]] iter_args(%[[BAD:.*]] = %{{.*}}, %[[TILES:.*]] = %{{.*}}) -> (i1, i32) {
// CHECK-COUNT-9:   memref.load %[[O]]
// CHECK-NOT:       memref.load
// CHECK:           %[[ANY:.*]] = nvvm.vote.sync any
// CHECK:           %[[BAD2:.*]] = arith.ori %[[BAD]], %[[ANY]]
// CHECK:           gpu.shuffle idx
// CHECK-COUNT-8:   memref.store
// CHECK-NOT:       memref.store
// CHECK:           %[[TILES2:.*]] = arith.addi %[[TILES]],
// CHECK:           scf.yield %[[BAD2]], %[[TILES2]]
// CHECK:         }
// CHECK:         arith.select %[[R]]#0, %{{.*}}, %[[R]]#1
// CHECK:         gpu.barrier
func.func @many_groups(%x: memref<?x64xbf16>,
                       %w: memref<300x1x1x!mxfp4.block<spread, raw>>,
                       %o: memref<301xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<300x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<301xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 16>

// Groups with more than 24 rows come first: the table has two lists of 300
// groups, which count the tiles of these and of the others. Behind the first one
// lies the number of all tiles, or 0.

// CHECK-LABEL: gpu.func @mxfp4_full_first
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[HALF:.*]] = arith.constant 24 : i32
// CHECK-DAG:     %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[ALL:.*]] = arith.constant 301 : index
// CHECK-DAG:     %[[LIST:.*]] = arith.constant 302 : index
// CHECK-DAG:     %[[ENTRY:.*]] = arith.constant 303 : index
// CHECK:         %[[TABLE:.*]] = memref.view {{.*}} to memref<603xi32,
// CHECK:         %[[R:.*]]:3 = scf.for {{.*}} iter_args(%[[BAD:.*]] = %{{.*}}, %[[FULL:.*]] = %[[NONE]], %[[REST:.*]] = %[[NONE]]) -> (i1, i32, i32) {
// CHECK:           %[[TILES:.*]] = arith.ceildivui %[[ROWS:.*]], %
// CHECK-NEXT:      %[[ISFULL:.*]] = arith.cmpi ugt, %[[ROWS]], %[[HALF]]
// CHECK-NEXT:      arith.select %[[ISFULL]], %[[TILES]], %[[NONE]]
// CHECK-COUNT-8:   memref.store %{{.*}}, %[[TABLE]][
// CHECK:           %[[FULL2:.*]] = arith.addi %[[FULL]],
// CHECK:           %[[ISREST:.*]] = arith.cmpi ule, %[[ROWS]], %[[HALF]]
// CHECK-NEXT:      arith.select %[[ISREST]], %[[TILES]], %[[NONE]]
// CHECK:           %[[AT:.*]] = arith.addi %{{.*}}, %[[ENTRY]]
// CHECK:           memref.store %{{.*}}, %[[TABLE]][%[[AT]]]
// CHECK-COUNT-7:   memref.store %{{.*}}, %[[TABLE]][
// CHECK-NOT:       memref.store
// CHECK:           %[[REST2:.*]] = arith.addi %[[REST]],
// CHECK:           scf.yield %{{.*}}, %[[FULL2]], %[[REST2]]
// CHECK:         %[[SUM:.*]] = arith.addi %[[R]]#1, %[[R]]#2
// CHECK:         %[[COUNT:.*]] = arith.select %[[R]]#0, %[[NONE]], %[[SUM]]
// CHECK:         memref.store %[[NONE]], %[[TABLE]][%[[C0]]]
// CHECK:         memref.store %[[NONE]], %[[TABLE]][%[[LIST]]]
// CHECK:         memref.store %[[COUNT]], %[[TABLE]][%[[ALL]]]
// CHECK:         mxfp4.locate_tile
// CHECK-SAME:      memref<603xi32,
func.func @full_first(%x: memref<?x64xbf16>,
                      %w: memref<300x1x1x!mxfp4.block<spread, raw>>,
                      %o: memref<301xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<300x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<301xi32>) outs(%y : memref<?x64xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 16, k_slices = 3>

// Where K slices can have tiles of their own side by side, a kernel has a second
// program for that: tiles of 3 x 128 rows, all of K, six stages in the same memory
// in front of the same table. It runs where three times its rounds of tiles are no
// more than those of tiles that the slices share: two columns against four.

// CHECK-LABEL: gpu.func @mxfp4_side_by_side
// CHECK-SAME:    known_block_size = array<i32: 896, 1, 1>
// CHECK-SAME:    mxfp4.schedule = #mxfp4.schedule<instruction = wgmma, rows = 128,
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C7:.*]] = arith.constant 7 : index
// CHECK:         %[[ALL:.*]] = gpu.dynamic_shared_memory
// CHECK:         %[[SX:.*]] = memref.view %[[ALL]][%[[C0]]][] : {{.*}} to memref<9x64x64xbf16,
// CHECK:         %[[SW:.*]] = memref.view %[[ALL]]{{.*}} to memref<9x2x!mxfp4.block
// CHECK:         %[[TABLE:.*]] = memref.view %[[ALL]]{{.*}} to memref<7xi32,
// CHECK:         %[[CTAS:.*]] = gpu.grid_dim x
// CHECK-NEXT:    %[[R:.*]] = memref.load %[[TABLE]][%[[C3]]]
// CHECK-NEXT:    %[[ROWTILES:.*]] = arith.index_cast %[[R]]
// CHECK-NEXT:    %[[TALL:.*]] = arith.muli %[[ROWTILES]], %[[C2]]
// CHECK-NEXT:    %[[ROUNDS:.*]] = arith.ceildivui %[[TALL]], %[[CTAS]]
// CHECK-NEXT:    %[[TIME:.*]] = arith.muli %[[ROUNDS]], %[[C3]]
// CHECK:         %[[TILES:.*]] = arith.muli %{{.*}}, %[[C4]]
// CHECK-NEXT:    %[[SHARED:.*]] = arith.ceildivui %[[TILES]], %[[CTAS]]
// CHECK-NEXT:    %[[NOTMORE:.*]] = arith.cmpi ule, %[[TIME]], %[[SHARED]]
// CHECK-NEXT:    scf.if %[[NOTMORE]] {
// CHECK-NEXT:      %[[TX:.*]] = memref.view %[[ALL]][%[[C0]]][] : {{.*}} to memref<6x64x64xbf16,
// CHECK-NEXT:      %[[TW:.*]] = memref.view %[[ALL]]{{.*}} to memref<6x6x!mxfp4.block
// CHECK:           scf.for %[[TILE:.*]] =
// CHECK-NEXT:        mxfp4.locate_tile %[[TILE]] in %[[TABLE]] {{.*}} columns 2 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 384, tokens = 64, warps_rows = 24, warps_tokens = 1, stages = 6,
// CHECK:             scf.for %{{.*}} = %[[C0]] to %[[C7]] step %[[C1]]
// CHECK:               mxfp4.tile_matmul %{{.*}}, %[[TW]], %[[TX]]
// CHECK:             } {mxfp4.stages = 6 : i64}
// CHECK-NEXT:        mxfp4.store_tile
// CHECK:         } else {
// CHECK:           scf.for %[[TILE:.*]] =
// CHECK-NEXT:        mxfp4.locate_tile %[[TILE]] in %[[TABLE]] {{.*}} columns 4 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 128,
// CHECK:               mxfp4.tile_matmul %{{.*}}, %[[SW]], %[[SX]]
// CHECK:             } {mxfp4.stages = 9 : i64}
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
