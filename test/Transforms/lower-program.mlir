// The structure of a kernel becomes loops, branches and barriers. Without roles
// and without a pipeline of copies, the CTA meets at barriers in each step.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-lower-program --canonicalize --cse --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-insert-decode --mxfp4-lower-program --cse --canonicalize --split-input-file \
// RUN:   | FileCheck %s --check-prefix=TWO

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

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
// CHECK:         gpu.func @mxfp4_plain(%[[X:[^:]*]]: memref<?x96xbf16>{{[^%]*}}, %[[W:[^:]*]]: memref<3x2x2x!mxfp4.block<spread, folded>>{{[^%]*}}, %[[O:[^:]*]]: memref<4xi32>{{[^%]*}}, %[[Y:[^:]*]]: memref<?x100xbf16>{{[^%]*}}, %[[ROWS:[^:]*]]: i32
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[WARP:.*]] = arith.constant 32 : index
// CHECK-DAG:     %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[T:.*]] = arith.constant 8 : i32
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>

// CHECK:         %[[ALL:.*]] = gpu.dynamic_shared_memory
// CHECK:         %[[TABLE:.*]] = memref.view %[[ALL]][%{{.*}}][] : {{.*}} to memref<5xi32, #gpu.address_space<workgroup>>

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
// CHECK-NEXT:      %[[SX:.*]] = memref.view %[[ALL]][%[[C0]]][] : {{.*}} to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
// CHECK-NEXT:      %[[SW:.*]] = memref.view %[[ALL]][%{{.*}}][] : {{.*}} to memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
// CHECK-NEXT:      %[[SUM:.*]] = scf.for %[[STEP:.*]] = %[[C0]] to %[[C2]] step %[[C1]] iter_args(%[[ACC:.*]] = %[[ZERO]])
// CHECK-NEXT:        mxfp4.copy_weights %[[W]][%[[EXPERT]], %[[COLUMN]], %[[STEP]]] to %[[SW]][%[[C0]]]
// CHECK-NEXT:        mxfp4.copy_activations %[[X]][%[[ROW]], %[[STEP]]] valid(%[[VALID]]) to %[[SX]][%[[C0]]]
// CHECK-NEXT:        nvvm.cp.async.commit.group
// CHECK-NEXT:        nvvm.cp.async.wait.group 0
// CHECK-NEXT:        gpu.barrier
// CHECK-NEXT:        %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %[[SW]], %[[SX]] at[%[[C0]]] tokens(%[[VALID]])
// CHECK-NEXT:        gpu.barrier
// CHECK-NEXT:        scf.yield %[[NEXT]]
// CHECK-NEXT:      }
// CHECK-NEXT:      mxfp4.store_tile %[[SUM]] to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]])

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 2, stages = 2, placement = register, ctas = 1>

// A list of expert ids: id -1 is no expert; nothing is multiplied, and its rows
// become zeros. The table sets bit 0 of the error word for bad offsets; the
// search is told where to set bit 1 for a bad id.

// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-SAME:    %[[IDS:[^:]*]]: memref<5xi32>{{[^%]*}}, %[[Y:[^:]*]]: memref<?x64xf32>{{[^%]*}}, %[[ERROR:[^:]*]]: memref<1xi32>
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

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 128,
  warps_rows = 8, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
  token_step = 32>
#shared = #gpu.address_space<workgroup>

// Roles are branches on the number of the warp, which lane 0 hands out so that
// it is the same in all lanes. The roles behind the first give up registers,
// which the first takes over; the last comes first.

// CHECK-LABEL: func @roles
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C8:.*]] = arith.constant 8 : index
// CHECK-DAG:     %[[C10:.*]] = arith.constant 10 : index
// CHECK:         %[[OWN:.*]] = arith.divui %{{.*}}, %{{.*}}
// CHECK:         %[[OWN32:.*]] = arith.index_cast %[[OWN]]
// CHECK:         %[[SAME:.*]], %{{.*}} = gpu.shuffle idx %[[OWN32]]
// CHECK:         %[[WARP:.*]] = arith.index_cast %[[SAME]]
// CHECK:         %[[BEHIND:.*]] = arith.cmpi uge, %[[WARP]], %[[C8]]
// CHECK-NEXT:    scf.if %[[BEHIND]] {
// CHECK-NEXT:      nvvm.setmaxregister decrease 40
// CHECK-NEXT:      %[[LAST:.*]] = arith.cmpi eq, %[[WARP]], %[[C10]]
// CHECK-NEXT:      scf.if %[[LAST]] {
// CHECK-NEXT:        %[[ONE:.*]] = nvvm.elect.sync -> i1
// CHECK-NEXT:        scf.if %[[ONE]] {
// CHECK-NEXT:          %[[ZERO:.*]] = arith.subi %[[WARP]], %[[C10]]
// CHECK-NEXT:          memref.store %[[ZERO]], %{{.*}}[%{{.*}}]
// CHECK:           %[[SECOND:.*]] = arith.cmpi ult, %[[WARP]], %[[C10]]
// CHECK-NEXT:      scf.if %[[SECOND]] {
// CHECK-NEXT:        %[[MINE:.*]] = arith.subi %[[WARP]], %[[C8]]
// CHECK-NEXT:        memref.store %[[MINE]], %{{.*}}[%[[C1]]]
// CHECK:         } else {
// CHECK-NEXT:      nvvm.setmaxregister increase 232
// CHECK-NEXT:      memref.store %[[WARP]], %{{.*}}[%{{.*}}]
func.func @roles(%out: memref<3xindex>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  mxfp4.warp_roles {
    mxfp4.role "multiply" warps 8 registers 232 {
    ^bb0(%warp: index):
      memref.store %warp, %out[%c0] : memref<3xindex>
    }
    mxfp4.role "copy" warps 2 registers 40 {
    ^bb0(%warp: index):
      memref.store %warp, %out[%c1] : memref<3xindex>
    }
    mxfp4.role "schedule" warps 1 one_thread {
    ^bb0(%warp: index):
      memref.store %warp, %out[%c2] : memref<3xindex>
    }
  }
  return
}

// Where all roles have as many registers, the first is alone in front.

// CHECK-LABEL: func @equal_registers
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK:         %[[BEHIND:.*]] = arith.cmpi uge, %[[WARP:.*]], %[[C4]]
// CHECK-NEXT:    scf.if %[[BEHIND]] {
// CHECK:           memref.store %{{.*}}, %{{.*}}[%[[C4]]]
// CHECK:         } else {
// CHECK:           memref.store %[[WARP]], %{{.*}}[%{{.*}}]
func.func @equal_registers(%out: memref<5xindex>) {
  %c0 = arith.constant 0 : index
  %c4 = arith.constant 4 : index
  mxfp4.warp_roles {
    mxfp4.role "multiply" warps 4 registers 128 {
    ^bb0(%warp: index):
      memref.store %warp, %out[%c0] : memref<5xindex>
    }
    mxfp4.role "copy" warps 4 registers 128 {
    ^bb0(%warp: index):
      memref.store %warp, %out[%c4] : memref<5xindex>
    }
  }
  return
}

// -----

#slices = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

// A loop that fills a ring waits until the slot is empty: the other parity of
// `empty` than the cursor's. K slice s goes round the slots s, s + 3, s + 6, and
// has 3, 4 and 4 of 11 steps, since the first slice adds and stores the sums.

// CHECK-LABEL: func @fill
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<9xi64, {{[^%]*}}%[[EMPTY:[^:]*]]: memref<9xi64, {{[^%]*}}%[[S:[^:]*]]: index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C9:.*]] = arith.constant 9 : index
// CHECK-DAG:     %[[EVEN:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[ODD:.*]] = arith.constant 1 : i32
// CHECK:         mxfp4.init_barriers %[[FULL]] count 1 :
// CHECK-NEXT:    mxfp4.init_barriers %[[EMPTY]] count 8 :
// CHECK:         %[[ISFIRST:.*]] = arith.cmpi eq, %[[S]], %[[C0]]
// CHECK-NEXT:    %[[COUNT:.*]] = arith.select %[[ISFIRST]], %{{.*}}, %{{.*}} : index
// CHECK:         %[[BEGIN:.*]] = arith.select %[[ISFIRST]], %[[C0]], %{{.*}} : index
// CHECK:         %[[R:.*]]:2 = scf.for %[[I:.*]] = %[[C0]] to %[[COUNT]] step %[[C1]] iter_args(%[[SLOT:.*]] = %[[S]], %[[PARITY:.*]] = %[[EVEN]]) -> (index, i32) {
// CHECK-NEXT:      %[[STEP:.*]] = arith.addi %[[I]], %[[BEGIN]]
// CHECK-NEXT:      %[[OTHER:.*]] = arith.xori %[[PARITY]], %[[ODD]]
// CHECK-NEXT:      mxfp4.wait_barrier %[[EMPTY]][%[[SLOT]]] parity %[[OTHER]]
// CHECK-NEXT:      mxfp4.expect_bytes %[[FULL]][%[[SLOT]]] bytes(%{{.*}})
// CHECK-NEXT:      memref.store %[[STEP]], %{{.*}}[%[[SLOT]]]
// CHECK-NEXT:      %[[NEXT:.*]] = arith.addi %[[SLOT]], %[[C3]]
// CHECK-NEXT:      %[[WRAPS:.*]] = arith.cmpi uge, %[[NEXT]], %[[C9]]
// CHECK-NEXT:      %[[SLOT2:.*]] = arith.select %[[WRAPS]], %[[S]], %[[NEXT]]
// CHECK-NEXT:      %[[PARITY2:.*]] = arith.select %[[WRAPS]], %[[OTHER]], %[[PARITY]]
// CHECK-NEXT:      scf.yield %[[SLOT2]], %[[PARITY2]]
// The cursor 11 steps on, computed at once.
// CHECK:         %[[FAR:.*]] = arith.addi %[[R]]#0, %{{.*}}
// CHECK:         %[[ROUNDS:.*]] = arith.divui %[[FAR]], %[[C9]]
// CHECK:         %[[FLIPS:.*]] = arith.andi %{{.*}}, %[[ODD]]
// CHECK-NEXT:    %[[SLOT3:.*]] = arith.remui %[[FAR]], %[[C9]]
// CHECK-NEXT:    %[[PARITY3:.*]] = arith.xori %[[R]]#1, %[[FLIPS]]
// CHECK-NEXT:    mxfp4.wait_barrier %[[FULL]][%[[SLOT3]]] parity %[[PARITY3]]
func.func @fill(%full: memref<9xi64, #shared>, %empty: memref<9xi64, #shared>,
                %s: index, %bytes: i32, %out: memref<9xindex>) {
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 8
      : memref<9xi64, #shared> -> !mxfp4.ring<9>
  %start = mxfp4.ring_start slice(%s) : !mxfp4.cursor<9 by 3>
  %end = mxfp4.k_loop to 11 slice(%s) fills %ring at %start
      {schedule = #slices} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3> {
  ^bb0(%step: index, %at: !mxfp4.cursor<9 by 3>):
    mxfp4.ring_fill %ring[%at] bytes(%bytes)
        : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    memref.store %step, %out[%slot] : memref<9xindex>
  }
  %far = mxfp4.ring_skip %end steps 11 : !mxfp4.cursor<9 by 3>
  mxfp4.ring_wait %ring[%far] : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  return
}

// A number of steps that only the run knows comes on top.

// CHECK-LABEL: func @skip_more
// CHECK-SAME:    %{{[^:]*}}: memref<9xi64, {{[^%]*}}%{{[^:]*}}: memref<9xi64, {{[^%]*}}%[[S:[^:]*]]: index, %[[MORE:[^:]*]]: index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C33:.*]] = arith.constant 33 : index
// CHECK:         %[[KNOWN:.*]] = arith.addi %[[S]], %[[C33]]
// CHECK:         %[[THRICE:.*]] = arith.muli %[[MORE]], %[[C3]]
// CHECK:         %[[FAR:.*]] = arith.addi %[[KNOWN]], %[[THRICE]]
// CHECK:         arith.divui %[[FAR]]
func.func @skip_more(%full: memref<9xi64, #shared>,
                     %empty: memref<9xi64, #shared>, %s: index, %more: index) {
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 8
      : memref<9xi64, #shared> -> !mxfp4.ring<9>
  %start = mxfp4.ring_start slice(%s) : !mxfp4.cursor<9 by 3>
  %far = mxfp4.ring_skip %start steps 11 plus %more : !mxfp4.cursor<9 by 3>
  mxfp4.ring_wait %ring[%far] : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!weights = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!rows = memref<6x8x64xbf16, #shared>

// A loop that drains a ring waits until the slot is full and releases it for
// its warp.

// CHECK-LABEL: func @drain
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<6xi64, {{[^%]*}}%[[EMPTY:[^:]*]]: memref<6xi64,
// CHECK:         %{{.*}}:3 = scf.for {{.*}} iter_args(%[[SUMS:.*]] = %{{.*}}, %[[SLOT:.*]] = %{{.*}}, %[[PARITY:.*]] = %{{.*}}) -> (vector<1x1x4xf32>, index, i32) {
// CHECK-NEXT:      mxfp4.wait_barrier %[[FULL]][%[[SLOT]]] parity %[[PARITY]]
// CHECK-NEXT:      %[[NEW:.*]] = mxfp4.tile_matmul %[[SUMS]], %{{.*}}, %{{.*}} at[%[[SLOT]]]
// CHECK-NEXT:      mxfp4.arrive_barrier %[[EMPTY]][%[[SLOT]]]
// CHECK:           scf.yield %[[NEW]], %{{.*}}, %{{.*}} : vector<1x1x4xf32>, index, i32
func.func @drain(%full: memref<6xi64, #shared>, %empty: memref<6xi64, #shared>,
                 %w: !weights, %x: !rows, %n: index) -> vector<1x1x4xf32> {
  %zero = arith.constant dense<0.0> : vector<1x1x4xf32>
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 4
      : memref<6xi64, #shared> -> !mxfp4.ring<6>
  %start = mxfp4.ring_start : !mxfp4.cursor<6>
  %sum:2 = mxfp4.k_loop to 45 drains %ring at %start init(%zero)
      {schedule = #few} : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
  ^bb0(%step: index, %at: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<6>
    %new = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #few} : vector<1x1x4xf32>, !weights, !rows
    mxfp4.yield %new : vector<1x1x4xf32>
  }
  return %sum#0 : vector<1x1x4xf32>
}

// -----

// Two blocks per step: the words of both are loaded ahead, so that those of the
// second arrive while the first is decoded.

#two = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 12, placement = register,
  ctas = 2, token_step = 8, k_slices = 3, copy_warps = 3, evict_first = true>

func.func @two_blocks(%x: memref<?x512xbf16>,
                      %w: memref<3x4x8x!mxfp4.block<spread, folded>>,
                      %o: memref<4xi32>, %y: memref<?x256xbf16>,
                      %ws: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x512xbf16>)
      weights(%w : memref<3x4x8x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<4xi32>) outs(%y : memref<?x256xbf16>)
      workspace(%ws : memref<2xi32>) {schedule = #two}
  return
}

// TWO-LABEL:     gpu.func @mxfp4_two_blocks
// TWO:           mxfp4.wait_barrier
// TWO:           mxfp4.load_codes
// TWO-NEXT:      mxfp4.load_scales
// TWO-NOT:       mxfp4.decode
// TWO:           mxfp4.load_codes
// TWO-NEXT:      mxfp4.load_scales
// TWO-COUNT-4:   mxfp4.decode
// TWO:           mxfp4.wgmma
// TWO:           mxfp4.wgmma_wait
// TWO-NOT:       mxfp4.load_codes
// TWO-COUNT-4:   mxfp4.decode
// TWO:           mxfp4.wgmma
// TWO:           mxfp4.wgmma_wait

// -----

// Where 24 warps decode in two CTAs, an iteration is a turn of the ring, whose
// slots are known ahead of the loop. Of 45 steps a slice has 15, five turns.

#turns = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 2,
  token_step = 8, k_slices = 3, copy_warps = 3, version_loops = true>
#shared = #gpu.address_space<workgroup>
!rows = memref<9x16x64xbf16, #shared>

// CHECK-LABEL: func @whole_turns
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<9xi64, {{[^%]*}}%[[EMPTY:[^:]*]]: memref<9xi64, {{[^%]*}}%[[SLICE:[^:]*]]: index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-DAG:     %[[C15:.*]] = arith.constant 15 : index
// CHECK:         scf.for %{{.*}} = %[[C0]] to %[[C15]] step %[[C3]] iter_args(%{{.*}} = %{{.*}}, %[[PARITY:.*]] = %{{.*}}) -> (vector<2x2x4xf32>, i32) {
// CHECK-NOT:       scf.if
// CHECK:           mxfp4.wait_barrier %[[FULL]][%[[SLICE]]] parity %[[PARITY]]
// CHECK:           mxfp4.arrive_barrier %[[EMPTY]][%[[SLICE]]]
// CHECK:           %[[SECOND:.*]] = arith.addi %[[SLICE]], %[[C3]]
// CHECK:           mxfp4.wait_barrier %[[FULL]][%[[SECOND]]] parity %[[PARITY]]
// CHECK:           mxfp4.arrive_barrier %[[EMPTY]][%[[SECOND]]]
// CHECK:           %[[THIRD:.*]] = arith.addi %[[SLICE]], %[[C6]]
// CHECK:           mxfp4.wait_barrier %[[FULL]][%[[THIRD]]] parity %[[PARITY]]
// CHECK:           mxfp4.wgmma {{.*}} b(%{{.*}}[%[[THIRD]]])
// CHECK:           mxfp4.arrive_barrier %[[EMPTY]][%[[THIRD]]]
// CHECK:           %[[OTHER:.*]] = arith.xori %[[PARITY]], %{{.*}} : i32
// CHECK:           scf.yield %{{.*}}, %[[OTHER]]
func.func @whole_turns(%full: memref<9xi64, #shared>, %empty: memref<9xi64, #shared>,
    %slice: index, %a: vector<2xbf16>, %x: !rows,
    %zero: vector<2x2x4xf32>) -> vector<2x2x4xf32> {
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 4
      : memref<9xi64, #shared> -> !mxfp4.ring<9>
  %start = mxfp4.ring_start slice(%slice) : !mxfp4.cursor<9 by 3>
  %sum:2 = mxfp4.k_loop to 45 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #turns} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<2x2x4xf32> {
  ^bb0(%step: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<2x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<2x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 2 : vector<2x4xf32>, !rows
        mxfp4.yield %m : vector<2x4xf32>
      } : vector<2x2x4xf32>
    mxfp4.yield %next : vector<2x2x4xf32>
  }
  mxfp4.ring_wait %ring[%sum#1] : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  return %sum#0 : vector<2x2x4xf32>
}

// Of 46 steps the first slice has 14, and others 16: tiles begin and end within
// turns, and a step of a turn may be one of another tile.

// CHECK-LABEL: func @parts_of_turns
// CHECK-SAME:    %[[FULL:[^:]*]]: memref<9xi64, {{[^%]*}}%[[EMPTY:[^:]*]]: memref<9xi64, {{[^%]*}}%[[SLICE:[^:]*]]: index
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK:         %[[SLOT:.*]] = arith.remui
// CHECK:         %[[DISTANCE:.*]] = arith.subi %[[SLOT]], %[[SLICE]]
// CHECK:         %[[DONE:.*]] = arith.divui %[[DISTANCE]], %[[C3]]
// CHECK:         %[[BEGIN:.*]] = arith.subi %[[C0]], %[[DONE]]
// CHECK:         scf.for %[[I:.*]] = %[[BEGIN]] to %[[COUNT:.*]] step %[[C3]] iter_args(%[[SUMS:.*]] = %{{.*}}, %[[PARITY:.*]] = %{{.*}}) -> (vector<2x2x4xf32>, i32) {
// CHECK:           %[[IS:.*]] = arith.cmpi ult, %[[I]], %[[COUNT]]
// CHECK-NEXT:      %[[ONE:.*]] = scf.if %[[IS]] -> (vector<2x2x4xf32>) {
// CHECK:             mxfp4.wait_barrier %[[FULL]][%[[SLICE]]] parity %[[PARITY]]
// CHECK:             mxfp4.arrive_barrier %[[EMPTY]][%[[SLICE]]]
// CHECK:           } else {
// CHECK-NEXT:        scf.yield %[[SUMS]]
// CHECK:           %[[NEXT:.*]] = arith.addi %[[I]], %{{.*}} : index
// CHECK:           arith.cmpi ult, %[[NEXT]], %[[COUNT]]
// CHECK:           } else {
// CHECK-NEXT:        scf.yield %[[ONE]]
// CHECK:         arith.remui
func.func @parts_of_turns(%full: memref<9xi64, #shared>, %empty: memref<9xi64, #shared>,
    %slice: index, %a: vector<2xbf16>, %x: !rows,
    %zero: vector<2x2x4xf32>) -> vector<2x2x4xf32> {
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 4
      : memref<9xi64, #shared> -> !mxfp4.ring<9>
  %first = mxfp4.ring_start slice(%slice) : !mxfp4.cursor<9 by 3>
  %start = mxfp4.ring_skip %first steps 11 : !mxfp4.cursor<9 by 3>
  %sum:2 = mxfp4.k_loop to 46 slice(%slice) drains %ring at %start init(%zero)
      {schedule = #turns} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<2x2x4xf32> {
  ^bb0(%step: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<2x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
      ^bb0(%s: index, %block: index):
        mxfp4.yield %s : index
      } decode {
      ^bb0(%raw: index):
        mxfp4.yield
      } multiply {
      ^bb0(%s: index, %part: vector<2x4xf32>):
        %m = mxfp4.wgmma %part
            a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
            b(%x[%s]) columns 2 : vector<2x4xf32>, !rows
        mxfp4.yield %m : vector<2x4xf32>
      } : vector<2x2x4xf32>
    mxfp4.yield %next : vector<2x2x4xf32>
  }
  mxfp4.ring_wait %ring[%sum#1] : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  return %sum#0 : vector<2x2x4xf32>
}
