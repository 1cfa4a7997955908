// A warp of its own finds the tiles and hands them out to the other roles
// through a queue of two. With a workspace it takes them from a counter that all
// CTAs share.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --canonicalize --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-lower-program --canonicalize --split-input-file | FileCheck %s --check-prefix=LOWER

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>

// CHECK-LABEL: gpu.func @mxfp4_counter
// CHECK-SAME:    %[[O:[^ ]*]]: memref<3xi32>{{[^%]*}}, %{{[^ ]*}}: memref<?x64xbf16>{{[^%]*}}, %[[S:[^ ]*]]: memref<2xi32>
// CHECK-SAME:    workgroup(%{{[^%]*}} %{{[^%]*}} %[[READY:[^ ]*]] : memref<2xi64, {{[^%]*}} %[[FREE:[^ ]*]] : memref<2xi64, {{[^%]*}} %[[FIELDS:[^ ]*]] : memref<2x4xi32, #gpu.address_space<workgroup>>)
// The queue is set up with the other rings. A slot of it is free when each of the
// four warps that multiply and the two that copy has read it.
// CHECK:         mxfp4.create_ring
// CHECK-NEXT:    %[[QUEUE:.*]] = mxfp4.create_ring full(%[[READY]]) empty(%[[FREE]]) fills 1 releases 6 : memref<2xi64, {{.*}}> -> <2>
// CHECK-NEXT:    nvvm.fence.mbarrier.init
// The table's warp hands out the first tile.
// CHECK:         %[[TABLE:.*]] = mxfp4.shared_buffer {{.*}} : memref<4xi32,
// CHECK:         %[[BLOCK:.*]] = gpu.block_id x
// CHECK-NEXT:    mxfp4.build_tile_table %[[TABLE]]
// CHECK-NEXT:    mxfp4.hand_out_first %[[BLOCK]] in %[[TABLE]] offsets(%[[O]]) columns 1 to %[[QUEUE]][%[[FIELDS]]]
// CHECK:         %[[GRID:.*]] = gpu.grid_dim x
// CHECK:         %[[COUNT:.*]] = mxfp4.tile_count
// CHECK:         mxfp4.role "multiply"
// CHECK:           mxfp4.take_tiles %[[QUEUE]][%[[FIELDS]]] init(
// CHECK:         mxfp4.role "copy" warps 2
// CHECK:           mxfp4.take_tiles %[[QUEUE]][%[[FIELDS]]] init(
// CHECK:         mxfp4.role "schedule" warps 1 one_thread {
// CHECK-NEXT:    ^bb0(%{{.*}}: index):
// CHECK-NEXT:      mxfp4.hand_out_tiles %[[BLOCK]] to %[[COUNT]] step %[[GRID]] in %[[TABLE]] offsets(%[[O]]) experts 2 columns 1 to %[[QUEUE]][%[[FIELDS]]] counter(%[[S]] : memref<2xi32>)

// LOWER-LABEL: gpu.func @mxfp4_counter
// LOWER-SAME:    %[[S:[^ ]*]]: memref<2xi32>
// LOWER-SAME:    workgroup(%{{[^%]*}} %{{[^%]*}} %[[READY:[^ ]*]] : memref<2xi64, {{[^%]*}} %[[FREE:[^ ]*]] : memref<2xi64, {{[^%]*}} %[[FIELDS:[^ ]*]] : memref<2x4xi32, #gpu.address_space<workgroup>>)
// LOWER-DAG:     %[[C0:.*]] = arith.constant 0 : index
// LOWER-DAG:     %[[C1:.*]] = arith.constant 1 : index
// LOWER-DAG:     %[[C3:.*]] = arith.constant 3 : index
// LOWER-DAG:     %[[NONE:.*]] = arith.constant 0 : i32
// LOWER-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// LOWER-DAG:     %[[END:.*]] = arith.constant -1 : i32
// All meet when the barriers are there, while the kernel ahead may still run.
// LOWER:         nvvm.fence.mbarrier.init
// LOWER-NEXT:    gpu.barrier
// LOWER-NEXT:    nvvm.griddepcontrol wait
// LOWER:         %[[BLOCK:.*]] = gpu.block_id x
// The lane that looks after the group of the CTA's first tile puts this into the
// queue, or the first lane the end, and the first lane says so.
// LOWER:         %[[N32:.*]] = arith.index_cast %[[BLOCK]] : index to i32
// LOWER-NEXT:    %[[FROM:.*]] = arith.cmpi uge, %[[N32]],
// LOWER-NEXT:    %[[TO:.*]] = arith.cmpi ult, %[[N32]],
// LOWER-NEXT:    %[[MINE:.*]] = arith.andi %[[FROM]], %[[TO]]
// LOWER-NEXT:    scf.if %[[MINE]] {
// LOWER-COUNT-4:   memref.store %{{.*}}, %[[FIELDS]][%[[C0]],
// LOWER:         nvvm.bar.warp.sync
// LOWER:         %[[ISEND:.*]] = arith.cmpi uge,
// LOWER-NEXT:      scf.if %[[ISEND]] {
// LOWER-COUNT-4:     memref.store %[[END]], %[[FIELDS]][%[[C0]],
// LOWER:           mxfp4.expect_bytes %[[READY]][%[[C0]]] bytes(%[[NONE]])
// LOWER-NOT:     gpu.barrier
// LOWER:         %[[GRID:.*]] = gpu.grid_dim x
// The scheduler reads the table when the first tile is there, and begins with the
// second: while (publish(number)) number = next; a number is taken when there is a
// slot for its tile.
// LOWER:         mxfp4.wait_barrier %[[READY]][%[[C0]]] parity %[[NONE]]
// LOWER-NEXT:    memref.load %{{.*}} : memref<4xi32, #gpu.address_space<workgroup>>
// LOWER:         mxfp4.wait_barrier %[[FREE]][%[[C1]]] parity %[[ONE]]
// LOWER-NEXT:    %[[SECOND:.*]] = memref.atomic_rmw addi %[[ONE]], %[[S]][%[[C0]]]
// LOWER-NEXT:    %[[SECOND2:.*]] = arith.index_cast %[[SECOND]]
// LOWER-NEXT:    %[[START:.*]] = arith.addi %[[SECOND2]], %[[GRID]]
// LOWER:         scf.while (%[[N:.*]] = %[[START]], %[[SLOT:.*]] = %[[C1]], %[[PARITY:.*]] = %[[NONE]])
// LOWER-NEXT:      %[[ISTILE:.*]] = arith.cmpi ult, %[[N]], %{{.*}}
// LOWER-NEXT:      scf.if %[[ISTILE]] {
// LOWER-NEXT:        %[[E:.*]], %{{.*}}, %{{.*}}, %[[COLUMN:.*]] = mxfp4.locate_tile %[[N]]
// LOWER-NEXT:        %[[E32:.*]] = arith.index_cast %[[E]]
// LOWER-NEXT:        memref.store %[[E32]], %[[FIELDS]][%[[SLOT]], %[[C0]]]
// LOWER:             %[[COLUMN32:.*]] = arith.index_cast %[[COLUMN]]
// LOWER-NEXT:        memref.store %[[COLUMN32]], %[[FIELDS]][%[[SLOT]], %[[C3]]]
// LOWER-NEXT:      } else {
// LOWER-COUNT-4:     memref.store %[[END]], %[[FIELDS]][%[[SLOT]],
// LOWER:           mxfp4.expect_bytes %[[READY]][%[[SLOT]]] bytes(%[[NONE]])
// LOWER-NEXT:      scf.condition(%[[ISTILE]]) %[[SLOT]], %[[PARITY]]
// The other slot comes next, with the other parity behind the last.
// LOWER:           %[[WRAPS:.*]] = arith.cmpi eq, %[[SLOT2:.*]], %[[C1]]
// LOWER-NEXT:      %[[FLIPPED:.*]] = arith.xori %[[PARITY2:.*]], %[[ONE]]
// LOWER-NEXT:      %[[NEXTSLOT:.*]] = arith.subi %[[C1]], %[[SLOT2]]
// LOWER-NEXT:      %[[NEXTPARITY:.*]] = arith.select %[[WRAPS]], %[[FLIPPED]], %[[PARITY2]]
// LOWER-NEXT:      %[[OTHER:.*]] = arith.xori %[[NEXTPARITY]], %[[ONE]]
// LOWER-NEXT:      mxfp4.wait_barrier %[[FREE]][%[[NEXTSLOT]]] parity %[[OTHER]]
// LOWER-NEXT:      %[[TAKEN:.*]] = memref.atomic_rmw addi %[[ONE]], %[[S]][%[[C0]]]
// LOWER:           scf.yield %{{.*}}, %[[NEXTSLOT]], %[[NEXTPARITY]]
// The last CTA puts the counter back: fences order the numbers that all have
// taken, the count of CTAs, and the zeros.
// LOWER:         llvm.fence syncscope("device") acq_rel
// LOWER-NEXT:    %[[BEFORE:.*]] = memref.atomic_rmw addi %[[ONE]], %[[S]][%[[C1]]]
// LOWER-NEXT:    llvm.fence syncscope("device") acq_rel
// LOWER:         %[[LAST:.*]] = arith.cmpi eq, %[[BEFORE]], %{{.*}}
// LOWER-NEXT:    scf.if %[[LAST]] {
// LOWER-NEXT:      memref.store %[[NONE]], %[[S]][%[[C0]]]
// LOWER-NEXT:      memref.store %[[NONE]], %[[S]][%[[C1]]]
// Readers: while (tile = read()) body(tile). One thread that copies arrives for
// itself, a warp that multiplies by one of its lanes.
// LOWER:         scf.while ({{.*}}, %[[SLOT:.*]] = %[[C0]], %[[PARITY:.*]] = %[[NONE]]) :
// LOWER-NEXT:      mxfp4.wait_barrier %[[READY]][%[[SLOT]]] parity %[[PARITY]]
// LOWER-COUNT-4:   memref.load %[[FIELDS]][%[[SLOT]],
// LOWER-NEXT:      %[[COLUMN:.*]] = arith.index_cast
// LOWER-NEXT:      mxfp4.expect_bytes %[[FREE]][%[[SLOT]]] bytes(%[[NONE]])
// LOWER-NEXT:      %[[ISTILE:.*]] = arith.cmpi sge, %[[COLUMN]], %[[C0]]
// LOWER-NEXT:      scf.condition(%[[ISTILE]])
// LOWER:         scf.while ({{.*}}, %[[SLOT:.*]] = %[[C0]], %[[PARITY:.*]] = %[[NONE]]) :
// LOWER-NEXT:      mxfp4.wait_barrier %[[READY]][%[[SLOT]]] parity %[[PARITY]]
// LOWER:           mxfp4.arrive_barrier %[[FREE]][%[[SLOT]]]
// LOWER:         gpu.return
func.func @counter(%x: memref<?x64xbf16>,
                   %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                   %o: memref<3xi32>, %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>

// Without a workspace a CTA has every gridDim-th tile, and there is nothing to put
// back.

// CHECK-LABEL: gpu.func @mxfp4_stride
// CHECK:         mxfp4.hand_out_tiles {{.*}} experts 2 columns 1 to %{{.*}}[%{{.*}}] {schedule
// LOWER-LABEL: gpu.func @mxfp4_stride
// LOWER:         %[[BLOCK:.*]] = gpu.block_id x
// LOWER:         %[[GRID:.*]] = gpu.grid_dim x
// LOWER:         %[[SECOND:.*]] = arith.addi %[[BLOCK]], %[[GRID]]
// LOWER:         scf.while (%[[N:[^ ]*]] = %[[SECOND]]
// LOWER:           %{{.*}} = arith.addi %{{.*}}, %[[GRID]]
// LOWER-NOT:     memref.atomic_rmw
// LOWER-NOT:     llvm.fence
// LOWER:         gpu.return
func.func @stride(%x: memref<?x64xbf16>,
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
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 16, k_slices = 3>

// Two programs have a queue each.

// No table's warp knows which of the two runs, or that a CTA has no wide tiles.

// CHECK-LABEL: gpu.func @mxfp4_side_by_side
// CHECK-NOT:     mxfp4.hand_out_first
// CHECK-COUNT-3: mxfp4.create_ring
// CHECK-NEXT:    mxfp4.create_ring
// CHECK:         mxfp4.hand_out_tiles {{.*}} columns 2 to
// CHECK:         mxfp4.hand_out_tiles {{.*}} columns 4 to
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
  token_step = 8, k_slices = 3, copy_warps = 3, wide_from = 17, wide_stages = 15>

// Of two kinds of tiles the last takes its numbers from the counter, and the
// first, of few tiles, strides over the grid: there is one counter.

// CHECK-LABEL: gpu.func @mxfp4_two_kinds
// CHECK-NOT:     mxfp4.hand_out_first
// CHECK-SAME:    %[[COUNTER:[^ ]*]]: memref<2xi32>
// CHECK:         mxfp4.hand_out_tiles {{.*}} columns 8 to {{[^ ]*}} {schedule
// CHECK-NOT:     counter(
// CHECK:         mxfp4.hand_out_tiles {{.*}} columns 4 to {{.*}} counter(%[[COUNTER]]
func.func @two_kinds(%x: memref<?x448xbf16>,
                     %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                     %o: memref<3xi32>, %y: memref<?x512xbf16>,
                     %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>

// With 8-bit numbers the table's warp hands out the first tile where sums are promoted
// every 512 of K, or tiles have at most 16 tokens.

// CHECK-LABEL: gpu.func @mxfp4_promoted
// CHECK:         mxfp4.hand_out_first
func.func @promoted(%x: memref<?x1152xf8E4M3FN>,
    %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
    %o: memref<3xi32>, %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>) {accumulation = #mxfp4.accumulation<promoted 512>, schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>

// CHECK-LABEL: gpu.func @mxfp4_fast
// CHECK:         mxfp4.hand_out_first
func.func @fast(%x: memref<?x1152xf8E4M3FN>,
    %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
    %o: memref<3xi32>, %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>) {accumulation = #mxfp4.accumulation<fast>, schedule = #schedule}
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 32,
  token_step = 8, warps_rows = 4, warps_tokens = 1, stages = 6,
  placement = register, ctas = 1>

// Other sums of 8-bit numbers would take longer with it in higher tiles.

// CHECK-LABEL: gpu.func @mxfp4_fast_in_higher_tiles
// CHECK-NOT:     mxfp4.hand_out_first
func.func @fast_in_higher_tiles(%x: memref<?x1152xf8E4M3FN>,
    %w: memref<2x1x9x!mxfp4.block<bytes, relative>>,
    %o: memref<3xi32>, %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x1152xf8E4M3FN>)
      weights(%w : memref<2x1x9x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>) {accumulation = #mxfp4.accumulation<fast>, schedule = #schedule}
  return
}
