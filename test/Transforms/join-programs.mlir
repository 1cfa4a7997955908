// Where short groups have a program beside the others, the roles of both become
// one list: warps that multiply, of which those of short groups come last, then
// the warps that copy and hand out tiles. Without short groups there is one
// program, which stays as it is.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-join-programs --canonicalize | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-join-programs --mxfp4-lower-program --canonicalize --cse | FileCheck %s --check-prefix=LOWER
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-join-programs --mxfp4-bring-rows --canonicalize | FileCheck %s --check-prefix=BRING
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-join-programs --mxfp4-bring-rows --mxfp4-lower-program --canonicalize --cse | FileCheck %s --check-prefix=BROUGHT
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-count-groups --mxfp4-join-programs --mxfp4-await-groups | FileCheck %s --check-prefix=COUNT

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 64,
  warps_rows = 12, warps_tokens = 1, stages = 8, placement = register, ctas = 1,
  token_step = 16, copy_warps = 3, producer_registers = 32, full_tiles_first = true,
  short_to = 32, short_stages = 4, beside_tokens = 80, beside_stages = 6>

// CHECK-LABEL: gpu.func @mxfp4_short
// CHECK-SAME:    %[[COUNTER:[^ ]*]]: memref<2xi32>
// CHECK:         scf.if
// CHECK-NOT:       mxfp4.warp_roles
// CHECK:           mxfp4.warp_roles {
// CHECK-NEXT:        mxfp4.role "multiply" warps 8 registers 160 {
// CHECK:               mxfp4.k_loop {{.*}} rows = 128, tokens = 80, warps_rows = 8,
// CHECK:             mxfp4.role "multiply" warps 4 registers 160 {
// CHECK:               mxfp4.k_loop {{.*}} rows = 128, tokens = 32, warps_rows = 4,
// CHECK:             mxfp4.role "copy" warps 1 registers 32 one_thread {
// CHECK:             mxfp4.role "schedule" warps 1 one_thread {
// CHECK:               mxfp4.hand_out_tiles {{.*}} counter(%[[COUNTER]] {{.*}} tokens = 80
// CHECK:             mxfp4.role "copy" warps 1 registers 32 one_thread {
// CHECK:             mxfp4.role "schedule" warps 1 one_thread {
// CHECK:               mxfp4.hand_out_tiles {{.*}} counter(%[[COUNTER]] {{.*}} tokens = 32
// CHECK:         } else {
// CHECK:           mxfp4.warp_roles {
// CHECK-NEXT:        mxfp4.role "multiply" warps 12 registers 160 {
// CHECK:             mxfp4.role "copy" warps 3 registers 32 one_thread {
// CHECK:             mxfp4.role "schedule" warps 1 one_thread {
// CHECK-NOT:     mxfp4.role
// CHECK:         gpu.return

// All warps that multiply take registers over; those of short groups are numbered
// from 0 again. A program takes the next tile from its end of the table: the
// counter has what both took, each in a half, and the last of two roles of each
// CTA clears it.

// LOWER-LABEL: gpu.func @mxfp4_short
// LOWER-DAG:     %[[C8:.*]] = arith.constant 8 : index
// LOWER-DAG:     %[[C12:.*]] = arith.constant 12 : index
// LOWER-DAG:     %[[ONE:.*]] = arith.constant 1 : i32
// LOWER-DAG:     %[[TWO:.*]] = arith.constant 2 : i32
// LOWER-DAG:     %[[HALF:.*]] = arith.constant 65536 : i32
// LOWER:         %[[BEHIND:.*]] = arith.cmpi uge, %[[WARP:.*]], %[[C12]]
// LOWER-NEXT:    scf.if %[[BEHIND]] {
// LOWER-NEXT:      nvvm.setmaxregister decrease 32
// LOWER:           %[[TAKEN:.*]] = memref.atomic_rmw addi %[[HALF]], %[[COUNTER:.*]][%{{.*}}]
// LOWER:           arith.muli %{{.*}}, %[[TWO]] : i32
// LOWER:           memref.atomic_rmw addi %[[ONE]], %[[COUNTER]][%{{.*}}]
// LOWER:           arith.muli %{{.*}}, %[[TWO]] : i32
// LOWER:         } else {
// LOWER-NEXT:      nvvm.setmaxregister increase 160
// LOWER-NEXT:      %[[SHORT:.*]] = arith.cmpi uge, %[[WARP]], %[[C8]]
// LOWER-NEXT:      scf.if %[[SHORT]] {
// LOWER:           %[[OTHERS:.*]] = arith.cmpi ult, %[[WARP]], %[[C8]]
// LOWER-NEXT:      scf.if %[[OTHERS]] {
func.func @short(%x: memref<?x448xbf16>,
                 %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                 %o: memref<3xi32>, %y: memref<?x512xbf16>,
                 %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}

// Rows are brought for both programs by the warp that hands out short groups' tiles,
// before it does, because the producer has no fifth warp. Tiles of both wait for
// their rows. Elsewhere a warp of its own brings rows. One barrier is enough.

#bringing = #mxfp4.schedule<instruction = wgmma, rows = 192, tokens = 64,
  warps_rows = 12, warps_tokens = 1, stages = 8, placement = register, ctas = 1,
  token_step = 16, copy_warps = 2, producer_registers = 32, full_tiles_first = true,
  short_to = 32, short_stages = 4, beside_tokens = 80, beside_stages = 6,
  bring_bytes = 1792>

// BRING-LABEL: gpu.func @mxfp4_brings
// BRING:         mxfp4.init_barriers %[[BARRIER:[^ ]*]] count 1
// BRING-NOT:     mxfp4.init_barriers
// BRING:         scf.if
// BRING:             mxfp4.role "schedule" warps 1 one_thread {
// BRING-NEXT:        ^
// BRING-NEXT:          mxfp4.hand_out_tiles {{.*}} rows %[[ROWS:[^ ]*]] {{.*}} tokens = 80
// BRING:             mxfp4.role "schedule" warps 1 one_thread {
// BRING-NEXT:        ^
// BRING-NEXT:          mxfp4.bring_rows {{.*}} rows %[[ROWS]] {{.*}} signal %[[BARRIER]]
// BRING:               mxfp4.hand_out_tiles {{.*}} rows %[[ROWS]] {{.*}} tokens = 32
// BRING-NOT:         mxfp4.role "bring"
// BRING:         } else {
// BRING:             mxfp4.role "schedule" warps 1 one_thread {
// BRING:               mxfp4.hand_out_tiles {{.*}} rows %[[ROWS]] {{.*}} tokens = 64
// BRING:             mxfp4.role "bring" warps 1 one_thread {
// BRING:               mxfp4.bring_rows {{.*}} rows %[[ROWS]] {{.*}} signal %[[BARRIER]]

// The last of three roles of each CTA clears the counters: two hand out tiles, and
// one brings rows. Elsewhere two do.

// BROUGHT-LABEL: gpu.func @mxfp4_brings
// BROUGHT-DAG:     %[[TWO:.*]] = arith.constant 2 : i32
// BROUGHT-DAG:     %[[THREE:.*]] = arith.constant 3 : i32
// BROUGHT-DAG:     %[[HALF:.*]] = arith.constant 65536 : i32
// BROUGHT:         memref.atomic_rmw addi %[[TWO]], %[[COUNTERS:.*]][%{{.*}}]
// BROUGHT:         %[[ROLES:.*]] = arith.muli %{{.*}}, %[[THREE]] : i32
// BROUGHT:         %[[BEFORE:.*]] = arith.subi %[[ROLES]], %{{.*}} : i32
// BROUGHT:         arith.cmpi eq, %{{.*}}, %[[BEFORE]] : i32
// BROUGHT:         memref.atomic_rmw addi %[[HALF]], %[[COUNTERS]][%{{.*}}]
// BROUGHT:         mxfp4.wait_count
// BROUGHT:         arith.cmpi eq, %{{.*}}, %[[BEFORE]] : i32
// BROUGHT:         mxfp4.wait_count
// BROUGHT:         arith.muli %{{.*}}, %[[THREE]] : i32
// BROUGHT:         mxfp4.wait_count
// BROUGHT:         arith.muli %{{.*}}, %[[TWO]] : i32
func.func @brings(%x: memref<?x448xbf16>, %g: memref<?xi32>,
                  %t: memref<?x448xbf16>,
                  %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                  %o: memref<3xi32>, %y: memref<?x512xbf16>, %e: memref<1xi32>,
                  %s: memref<1028xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      gather(%g : memref<?xi32>) through(%t : memref<?x448xbf16>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>)
      error(%e : memref<1xi32>) workspace(%s : memref<1028xi32>)
      {schedule = #bringing}
  return
}

// Each of the three warps that hand out tiles counts those of its program, and waits
// for the rows of its tiles.

// COUNT-LABEL: gpu.func @mxfp4_counts
// COUNT:         mxfp4.build_tile_table
// COUNT-NOT:     nvvm.griddepcontrol
// COUNT-NOT:     mxfp4.store_tile {{.*}} stored(
// COUNT:         mxfp4.hand_out_tiles
// COUNT-SAME:      awaited(%[[AWAITED:[^ ]*]] : memref<2xi32>) {{.*}} stored(%[[STORED:[^ ]*]] : memref<2xi32>) {{.*}} tokens = 80
// COUNT-NOT:     mxfp4.store_tile {{.*}} stored(
// COUNT:         mxfp4.hand_out_tiles
// COUNT-SAME:      awaited(%[[AWAITED]] : memref<2xi32>) {{.*}} stored(%[[STORED]] : memref<2xi32>) {{.*}} tokens = 32
// COUNT-NOT:     mxfp4.store_tile {{.*}} stored(
// COUNT:         mxfp4.hand_out_tiles
// COUNT-SAME:      awaited(%[[AWAITED]] : memref<2xi32>) {{.*}} stored(%[[STORED]] : memref<2xi32>) {{.*}} tokens = 64
// COUNT-NOT:     mxfp4.hand_out_tiles
// COUNT:         gpu.return
func.func @counts(%x: memref<?x448xbf16>,
                  %w: memref<2x8x7x!mxfp4.block<spread, folded>>,
                  %o: memref<3xi32>, %y: memref<?x512xbf16>,
                  %s: memref<2xi32>, %c: memref<2xi32>, %a: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x448xbf16>)
      awaited(%a : memref<2xi32>)
      weights(%w : memref<2x8x7x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x512xbf16>) stored(%c : memref<2xi32>)
      workspace(%s : memref<2xi32>) {schedule = #schedule, older_inputs}
  return
}
