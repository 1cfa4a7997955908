// A grouped matmul becomes a persistent kernel in which the tile, the loop over
// K, the copies, the multiplication and the store are one operation each.
//
// RUN: mxfp4-opt %s --mxfp4-tile --canonicalize --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// CHECK: module attributes {gpu.container_module}

// The launch: two CTAs for each of the 132 SMs, two warps each, and shared memory
// for three stages (2176 bytes of weights and 1024 of activations) and the table
// of five entries. The number of rows is the last argument.

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
// CHECK:         gpu.module @mxfp4_plain attributes {mxfp4.kernels, mxfp4.target = #mxfp4.target<"sm_90a">}
// CHECK:         gpu.func @mxfp4_plain(%[[X:[^:]*]]: memref<?x96xbf16>{{[^%]*}}, %[[W:[^:]*]]: memref<3x2x2x!mxfp4.block<spread, folded>>{{[^%]*}}, %[[O:[^:]*]]: memref<4xi32>{{[^%]*}}, %[[Y:[^:]*]]: memref<?x100xbf16>
// CHECK-SAME:      known_block_size = array<i32: 64, 1, 1>
// CHECK-SAME:      nvvm.minctasm = 2 : i32
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>
// Nothing is read before the kernels ahead have ended, and the next one may start
// its prologue then.
// CHECK-NOT:     nvvm.griddepcontrol
// CHECK:         nvvm.griddepcontrol wait
// CHECK-NEXT:    nvvm.griddepcontrol launch_dependents
// CHECK-NEXT:    %[[TABLE:.*]] = mxfp4.shared_buffer at 9600 : memref<5xi32, #gpu.address_space<workgroup>>
// No error word: bad offsets are not reported.
// CHECK-NEXT:    mxfp4.build_tile_table %[[TABLE]] offsets(%[[O]]) rows(%{{.*}}) {schedule = #{{.*}}} :
// CHECK-NEXT:    %[[BLOCK:.*]] = gpu.block_id x
// CHECK-NEXT:    %[[GRID:.*]] = gpu.grid_dim x
// Two column tiles for N = 100; any grid walks all tiles.
// CHECK-NEXT:    %[[COUNT:.*]] = mxfp4.tile_count %[[TABLE]] groups 3 columns 2
// CHECK-NEXT:    mxfp4.for_tiles %[[BLOCK]] to %[[COUNT]] step %[[GRID]] in %[[TABLE]] offsets(%[[O]]) experts 3 columns 2 {
// CHECK-NEXT:    ^bb0(%[[EXPERT:.*]]: index, %[[ROW:.*]]: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index):
// Activations lie in front, since their swizzle wants the best-aligned place.
// CHECK-NEXT:      %[[SX:.*]] = mxfp4.shared_buffer at 0 : memref<3x8x64xbf16, #gpu.address_space<workgroup>>
// CHECK-NEXT:      %[[SW:.*]] = mxfp4.shared_buffer at 3072 : memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
// K = 96 takes two k64 steps.
// CHECK-NEXT:      %[[SUM:.*]] = mxfp4.k_loop to 2 init(%[[ZERO]]) {{{.*}}} : vector<2x1x4xf32> {
// CHECK-NEXT:      ^bb0(%[[STEP:.*]]: index, %[[ACC:.*]]: vector<2x1x4xf32>):
// CHECK-NEXT:        mxfp4.copy_weights %[[W]][%[[EXPERT]], %[[COLUMN]], %[[STEP]]] to %[[SW]][%[[C0]]]
// CHECK-NEXT:        mxfp4.copy_activations %[[X]][%[[ROW]], %[[STEP]]] valid(%[[VALID]]) to %[[SX]][%[[C0]]]
// CHECK-NEXT:        %[[NEXT:.*]] = mxfp4.tile_matmul %[[ACC]], %[[SW]], %[[SX]] at[%[[C0]]] tokens(%[[VALID]])
// CHECK-NEXT:        mxfp4.yield %[[NEXT]]
// CHECK-NEXT:      }
// CHECK-NEXT:      mxfp4.store_tile %[[SUM]] to %[[Y]][%[[ROW]], %[[COLUMN]]] valid(%[[VALID]]) {{.*}} memref<?x100xbf16>
// CHECK-NEXT:    }
// CHECK-NEXT:    gpu.return

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 2, stages = 2, placement = register, ctas = 1>

// A list of expert ids: id -1 is no expert; nothing is multiplied, and its rows
// become zeros. Table and search know the error word.

// CHECK-LABEL: gpu.func @mxfp4_ids
// CHECK-SAME:    %[[IDS:[^:]*]]: memref<5xi32>{{[^%]*}}, %[[Y:[^:]*]]: memref<?x64xf32>{{[^%]*}}, %[[ERROR:[^:]*]]: memref<1xi32>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0.000000e+00> : vector<2x1x4xf32>
// CHECK:         mxfp4.build_tile_table {{.*}} error(%[[ERROR]] : memref<1xi32>)
// CHECK:         mxfp4.for_tiles {{.*}} expert_ids(%[[IDS]] : memref<5xi32>) error(%[[ERROR]] : memref<1xi32>) experts 2 columns 1
// CHECK-NEXT:    ^bb0(%[[EXPERT:.*]]: index, %{{.*}}: index, %[[VALID:.*]]: index, %{{.*}}: index):
// CHECK-NEXT:      %[[USED:.*]] = arith.cmpi sge, %[[EXPERT]], %[[C0]]
// CHECK-NEXT:      %[[SUM:.*]] = scf.if %[[USED]]
// CHECK:             mxfp4.k_loop to 2
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
// one slice. 6 stages of 32 rows of 128 bytes; 4 blocks of 64 rows of 128 bytes; 6
// blocks of 2176 bytes; 64 x 32 sums. Activations come through TMA, in boxes of 16
// and 32 rows.

// CHECK-LABEL: func @room
// CHECK-DAG:     %[[SHARED:.*]] = arith.constant 78608 : i32
// CHECK-DAG:     %[[THREADS:.*]] = arith.constant 352 : index
// CHECK:         %[[MAP:.*]] = mxfp4.make_tensor_map %{{.*}} : memref<?x384xbf16> -> <32 by 16>
// CHECK:         gpu.launch_func {{.*}} threads in (%[[THREADS]], {{.*}} dynamic_shared_memory_size %[[SHARED]] args(%[[MAP]] : !mxfp4.tensor_map<32 by 16>,
// CHECK-LABEL: gpu.func @mxfp4_room
// CHECK-SAME:    %[[X:[^ ]*]]: !mxfp4.tensor_map<32 by 16>
// CHECK:         mxfp4.shared_buffer at 78592 : memref<4xi32,
// CHECK:         mxfp4.shared_buffer at 0 : memref<6x32x64xbf16,
// CHECK:         mxfp4.shared_buffer at 57344 : memref<6x1x!mxfp4.block
// CHECK:         mxfp4.k_loop to 6
// CHECK:           mxfp4.copy_activations %[[X]][{{.*}} : !mxfp4.tensor_map<32 by 16> to memref<6x32x64xbf16,
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

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 16, k_slices = 3>

// Where K slices can have tiles of their own side by side, a kernel has a second
// program for that: tiles of 3 x 128 rows, all of K, six stages in the same memory
// in front of the same table. The kernel runs it where three times its waves are
// no more than 17/16 of those of tiles that the slices share: two columns against
// four.

// CHECK-LABEL: gpu.func @mxfp4_side_by_side
// CHECK-SAME:    known_block_size = array<i32: 896, 1, 1>
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C16:.*]] = arith.constant 16 : index
// CHECK:         %[[TABLE:.*]] = mxfp4.shared_buffer at {{.*}} : memref<7xi32,
// CHECK:         %[[CTAS:.*]] = gpu.grid_dim x
// CHECK-NEXT:    %[[TALL:.*]] = mxfp4.tile_count %[[TABLE]] groups 2 columns 2
// CHECK-NEXT:    %[[WAVES:.*]] = arith.ceildivui %[[TALL]], %[[CTAS]]
// CHECK-NEXT:    %[[TIME:.*]] = arith.muli %[[WAVES]], %[[C3]]
// CHECK-NEXT:    %[[TILES:.*]] = mxfp4.tile_count %[[TABLE]] groups 2 columns 4
// CHECK-NEXT:    %[[SHARED:.*]] = arith.ceildivui %[[TILES]], %[[CTAS]]
// CHECK-NEXT:    %[[MORE:.*]] = arith.divui %[[SHARED]], %[[C16]]
// CHECK-NEXT:    %[[MOST:.*]] = arith.addi %[[SHARED]], %[[MORE]]
// CHECK-NEXT:    %[[NOTMORE:.*]] = arith.cmpi ule, %[[TIME]], %[[MOST]]
// CHECK-NEXT:    scf.if %[[NOTMORE]] {
// CHECK:           mxfp4.for_tiles {{.*}} in %[[TABLE]] {{.*}} columns 2 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 384, tokens = 64, warps_rows = 24, warps_tokens = 1,
// CHECK:             mxfp4.shared_buffer at {{.*}} : memref<6x64x64xbf16,
// CHECK:             mxfp4.shared_buffer at {{.*}} : memref<6x6x!mxfp4.block
// CHECK:             mxfp4.k_loop to 7
// CHECK:             mxfp4.store_tile
// CHECK:         } else {
// CHECK:           mxfp4.for_tiles {{.*}} in %[[TABLE]] {{.*}} columns 4 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 128,
// CHECK:             mxfp4.shared_buffer at {{.*}} : memref<9x64x64xbf16,
// CHECK:             mxfp4.shared_buffer at {{.*}} : memref<9x2x!mxfp4.block
// CHECK:             mxfp4.k_loop to 7
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

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 2,
  token_step = 8, k_slices = 3, copy_warps = 3, evict_first = true,
  wide_from = 17, wide_stages = 12>

// Groups from 17 rows on have tiles of 64 x 32, in a table and a loop of their
// own in front of the others; without such groups no warp waits between the two.
// Boxes of the tensor map are as high as the higher tiles.

// CHECK-LABEL: gpu.func @mxfp4_two_kinds
// CHECK-SAME:    !mxfp4.tensor_map<32 by 8>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK:         %[[TABLE:.*]] = mxfp4.shared_buffer at [[#AT:]] : memref<4xi32,
// CHECK:         %[[WIDE:.*]] = mxfp4.shared_buffer at [[#AT+16]] : memref<4xi32,
// CHECK:         mxfp4.build_tile_table %[[WIDE]] {{.*}} rows = 64, tokens = 32, {{.*}} wide_from = 17
// CHECK-NEXT:    mxfp4.build_tile_table %[[TABLE]] {{.*}} rows = 128, tokens = 16, {{.*}} wide_from = 17
// CHECK:         %[[COUNT:.*]] = mxfp4.tile_count %[[WIDE]] groups 2 columns 8
// CHECK:         %[[CROWDED:.*]] = arith.cmpi ugt, %[[COUNT]], %[[C0]]
// CHECK:         scf.if %[[CROWDED]] {
// CHECK:           mxfp4.for_tiles {{.*}} in %[[WIDE]] {{.*}} columns 8 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
// CHECK:             mxfp4.shared_buffer at {{.*}} : memref<12x32x64xbf16,
// CHECK:             mxfp4.shared_buffer at {{.*}} : memref<12x1x!mxfp4.block
// CHECK:             mxfp4.store_tile
// CHECK:           nvvm.fence.proxy {kind = #nvvm.proxy_kind<async.shared>, space = #nvvm.shared_space<cta>}
// CHECK-NEXT:      gpu.barrier
// CHECK-NEXT:    }
// CHECK:         mxfp4.for_tiles {{.*}} in %[[TABLE]] {{.*}} columns 4 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
// CHECK:           mxfp4.shared_buffer at {{.*}} : memref<9x16x64xbf16,
// CHECK:           mxfp4.shared_buffer at {{.*}} : memref<9x2x!mxfp4.block
// CHECK:         gpu.return
func.func @two_kinds(%x: memref<?x448xbf16>,
                     %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                     %o: memref<3xi32>, %y: memref<?x512xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 16,
  warps_rows = 2, warps_tokens = 1, stages = 3, placement = register, ctas = 2>

// An epilogue and maps of rows: their operands become arguments behind those that
// all kernels have, and the rows of activations and output, which the maps go to,
// numbers behind the number of rows, which is that of the map. Offsets may end
// early; without a row to gather from no row may be asked for. Rows are looked up
// before the loop over K, in a tile that has an expert; the store finishes the
// sums, or stores zeros for no expert.

// CHECK-LABEL: func @fused
// CHECK-SAME:    %[[X:[^ :]*]]: memref<?x96xbf16>, %[[MAP:[^ :]*]]: memref<?xi32>, {{.*}}, %[[Y:[^ :]*]]: memref<?x50xbf16>, %[[TO:[^ :]*]]: memref<?xi32>, %[[E:[^ :]*]]: memref<1xi32>, %[[BIAS:[^ :]*]]: memref<3x100xbf16>, %[[A:[^ :]*]]: memref<?xf32>, %[[F:[^ :]*]]: memref<f32>
// CHECK:         %[[R:.*]] = memref.dim %[[MAP]], %{{.*}}
// CHECK:         %[[ROWS:.*]] = arith.index_cast %[[R]]
// CHECK:         %[[T:.*]] = memref.dim %[[X]], %{{.*}}
// CHECK:         %[[SOURCES:.*]] = arith.index_cast %[[T]]
// CHECK:         %[[Q:.*]] = memref.dim %[[Y]], %{{.*}}
// CHECK:         %[[PLACES:.*]] = arith.index_cast %[[Q]]
// CHECK:         gpu.launch_func {{.*}} args(%[[X]] : {{.*}} %[[E]] : memref<1xi32>, %[[MAP]] : memref<?xi32>, %[[TO]] : memref<?xi32>, %[[BIAS]] : memref<3x100xbf16>, %[[A]] : memref<?xf32>, %[[F]] : memref<f32>, %[[ROWS]] : i32, %[[SOURCES]] : i32, %[[PLACES]] : i32)
// CHECK:         gpu.func @mxfp4_fused(%[[X:[^:]*]]: memref<?x96xbf16>
// CHECK-SAME:      %[[E:[^:]*]]: memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>},
// CHECK-SAME:      %[[MAP:[^:]*]]: memref<?xi32> {mxfp4.arg = #mxfp4.arg<gather align 4>},
// CHECK-SAME:      %[[TO:[^:]*]]: memref<?xi32> {mxfp4.arg = #mxfp4.arg<scatter align 4>},
// CHECK-SAME:      %[[BIAS:[^:]*]]: memref<3x100xbf16> {mxfp4.arg = #mxfp4.arg<epilogue0 align 4>},
// CHECK-SAME:      %[[A:[^:]*]]: memref<?xf32> {mxfp4.arg = #mxfp4.arg<epilogue1 align 4>},
// CHECK-SAME:      %[[F:[^:]*]]: memref<f32> {mxfp4.arg = #mxfp4.arg<epilogue2 align 4>},
// CHECK-SAME:      %[[ROWS:[^:]*]]: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>},
// CHECK-SAME:      %[[SOURCES:[^:]*]]: i32 {mxfp4.arg = #mxfp4.arg<x_rows>},
// CHECK-SAME:      %[[PLACES:[^:]*]]: i32 {mxfp4.arg = #mxfp4.arg<y_rows>})
// CHECK-DAG:     %[[NONE:.*]] = arith.constant 0 : i32
// CHECK-DAG:     %[[C16:.*]] = arith.constant 16 : index
// CHECK:         %[[EMPTY:.*]] = arith.cmpi eq, %[[SOURCES]], %[[NONE]] : i32
// CHECK-NEXT:    %[[MOST:.*]] = arith.select %[[EMPTY]], %[[NONE]], %[[ROWS]] : i32
// CHECK-NEXT:    mxfp4.build_tile_table %{{.*}} offsets(%{{.*}}) rows(%[[MOST]]) or_less error(%[[E]] : memref<1xi32>)
// CHECK:         mxfp4.for_tiles
// CHECK-NEXT:    ^bb0(%[[EXPERT:.*]]: index, %[[ROW:.*]]: index, %[[VALID:.*]]: index, %[[COLUMN:.*]]: index):
// CHECK:           %[[SUMS:.*]] = scf.if
// CHECK:             %[[R:.*]] = mxfp4.load_rows %[[MAP]][%[[ROW]]] valid(%[[VALID]]) limit(%[[SOURCES]]) error(%[[E]] : memref<1xi32>) : memref<?xi32> -> vector<2xi32>
// CHECK-NEXT:        %[[STEPS:.*]] = arith.ceildivui %[[VALID]], %[[C16]]
// CHECK-NEXT:        %[[MULTIPLIED:.*]] = arith.muli %[[STEPS]], %[[C16]]
// CHECK-NEXT:        mxfp4.k_loop to 2
// CHECK-NEXT:        ^bb0(%[[K:.*]]: index, %{{.*}}):
// CHECK-NEXT:          mxfp4.copy_weights
// CHECK-NEXT:          mxfp4.gather_activations %[[X]][%[[R]], %[[K]]] valid(%[[MULTIPLIED]]) to
// CHECK-NEXT:          mxfp4.tile_matmul {{.*}} tokens(%[[VALID]])
// CHECK:           mxfp4.store_tile %[[SUMS]] to %{{.*}}[%[[ROW]], %[[COLUMN]]] valid(%[[VALID]]) expert(%[[EXPERT]]) or_none scatter(%[[TO]] : memref<?xi32>) limit(%[[PLACES]]) error(%[[E]] : memref<1xi32>) epilogue (%[[BIAS]], %[[A]], %[[F]] : memref<3x100xbf16>, memref<?xf32>, memref<f32>) {
// CHECK-NEXT:      ^bb0(%[[GATE:.*]]: f32, %[[UP:.*]]: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
// CHECK-NEXT:        %[[P:.*]] = arith.mulf %[[GATE]], %[[UP]] : f32
// CHECK-NEXT:        mxfp4.yield %[[P]] : f32
func.func @fused(%x: memref<?x96xbf16>, %rows: memref<?xi32>,
                 %w: memref<3x2x2x!mxfp4.block<spread, folded>>,
                 %o: memref<5xi32>, %ids: memref<4xi32>, %y: memref<?x50xbf16>,
                 %to: memref<?xi32>, %e: memref<1xi32>,
                 %bias: memref<3x100xbf16>, %weight: memref<?xf32>,
                 %factor: memref<f32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      gather(%rows : memref<?xi32>)
      weights(%w : memref<3x2x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<5xi32>) expert_ids(%ids : memref<4xi32>)
      outs(%y : memref<?x50xbf16>) scatter(%to : memref<?xi32>)
      error(%e : memref<1xi32>)
      epilogue(%bias, %weight, %factor
               : memref<3x100xbf16>, memref<?xf32>, memref<f32>) {
      ^bb0(%gate: f32, %up: f32, %b0: f32, %b1: f32, %a: f32, %f: f32):
        %p = arith.mulf %gate, %up : f32
        mxfp4.yield %p : f32
      } {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 64,
  warps_rows = 12, warps_tokens = 1, stages = 8, placement = register, ctas = 1,
  token_step = 16, copy_warps = 3, producer_registers = 32, full_tiles_first = true,
  short_to = 32, short_stages = 4, beside_tokens = 80, beside_stages = 6>

// Short groups have tiles of their own where they have more than a third as many row
// tiles as the others, which come first in a table for both, and where one counter
// can count all tiles in its halves: four columns, and less than 60000 tiles.

// CHECK-LABEL: gpu.func @mxfp4_short
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C15000:.*]] = arith.constant 15000 : index
// CHECK:         %[[ALL:.*]] = mxfp4.tile_count %[[TABLE:.*]] groups 2 columns 1
// CHECK:         %[[OTHERS:.*]] = arith.minui %{{.*}}, %[[ALL]]
// CHECK:         %[[FEW:.*]] = arith.subi %[[ALL]], %[[OTHERS]]
// CHECK-NEXT:    %[[TIMES:.*]] = arith.muli %[[FEW]], %[[C3]]
// CHECK-NEXT:    %[[WORTH:.*]] = arith.cmpi ugt, %[[TIMES]], %[[OTHERS]]
// CHECK-NEXT:    %[[FITS:.*]] = arith.cmpi ult, %[[ALL]], %[[C15000]]
// CHECK-NEXT:    %[[BESIDE:.*]] = arith.andi %[[WORTH]], %[[FITS]]
// CHECK-NEXT:    scf.if %[[BESIDE]] {
// CHECK:           mxfp4.for_tiles {{.*}} in %[[TABLE]] {{.*}} tokens = 80, warps_rows = 8,
// CHECK:           mxfp4.for_tiles {{.*}} in %[[TABLE]] {{.*}} tokens = 32, warps_rows = 4,
// CHECK:         } else {
// CHECK:           mxfp4.for_tiles {{.*}} tokens = 64, warps_rows = 12,
func.func @short(%x: memref<?x448xbf16>,
                 %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                 %o: memref<3xi32>, %y: memref<?x512xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      {schedule = #schedule}
  return
}

// With an epilogue, more than 9 / 20 as many.

// CHECK-LABEL: gpu.func @mxfp4_short_fused
// CHECK-DAG:     %[[C9:.*]] = arith.constant 9 : index
// CHECK-DAG:     %[[C20:.*]] = arith.constant 20 : index
// CHECK:         %[[ALL:.*]] = mxfp4.tile_count %{{.*}} groups 2 columns 1
// CHECK:         %[[OTHERS:.*]] = arith.minui %{{.*}}, %[[ALL]]
// CHECK:         %[[FEW:.*]] = arith.subi %[[ALL]], %[[OTHERS]]
// CHECK-DAG:     %[[LEFT:.*]] = arith.muli %[[FEW]], %[[C20]]
// CHECK-DAG:     %[[RIGHT:.*]] = arith.muli %[[OTHERS]], %[[C9]]
// CHECK:         arith.cmpi ugt, %[[LEFT]], %[[RIGHT]]
func.func @short_fused(%x: memref<?x448xbf16>,
                       %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                       %o: memref<3xi32>, %y: memref<?x512xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      epilogue {
      ^bb0(%sum: f32):
        %d = arith.addf %sum, %sum : f32
        mxfp4.yield %d : f32
      } {schedule = #schedule}
  return
}
