// The structure of a kernel: printed, read back and printed again.
//
// RUN: mxfp4-opt %S/Inputs/program-ops-version-1.mlirbc | FileCheck %s
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#slices = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>

#shared = #gpu.address_space<workgroup>
!weights = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!rows = memref<6x8x64xbf16, #shared>

// CHECK-LABEL: func @tiles
func.func @tiles(%o: memref<5xi32>, %ids: memref<4xi32>, %e: memref<1xi32>,
                 %rows: i32, %first: index, %ctas: index) {
  // CHECK: %[[TABLE:.*]] = mxfp4.shared_buffer at 1024 : memref<6xi32, #gpu.address_space<workgroup>>
  %table = mxfp4.shared_buffer at 1024 : memref<6xi32, #shared>
  // CHECK: mxfp4.build_tile_table %[[TABLE]] offsets(%{{.*}}) rows(%{{.*}}) error(%{{.*}} : memref<1xi32>) {schedule = #{{.*}}} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
  mxfp4.build_tile_table %table offsets(%o) rows(%rows)
      error(%e : memref<1xi32>) {schedule = #few}
      : memref<6xi32, #shared>, memref<5xi32>
  // CHECK: %[[COUNT:.*]] = mxfp4.tile_count %[[TABLE]] groups 4 columns 3
  %count = mxfp4.tile_count %table groups 4 columns 3 : memref<6xi32, #shared>
  // CHECK: mxfp4.for_tiles %{{.*}} to %[[COUNT]] step %{{.*}} in %[[TABLE]] offsets(%{{.*}}) expert_ids(%{{.*}} : memref<4xi32>) error(%{{.*}} : memref<1xi32>) experts 7 columns 3 {schedule
  // CHECK-NEXT: ^bb0(%expert: index, %row: index, %rows: index, %column: index):
  mxfp4.for_tiles %first to %count step %ctas in %table offsets(%o)
      expert_ids(%ids : memref<4xi32>) error(%e : memref<1xi32>) experts 7
      columns 3 {schedule = #few} : memref<6xi32, #shared>, memref<5xi32> {
  ^bb0(%expert: index, %row: index, %valid: index, %column: index):
  }
  return
}

// CHECK-LABEL: func @rings
func.func @rings(%full: memref<9xi64, #shared>, %empty: memref<9xi64, #shared>,
                 %slice: index, %bytes: i32) {
  // CHECK: %[[RING:.*]] = mxfp4.create_ring full(%{{.*}}) empty(%{{.*}}) fills 1 releases 4 : memref<9xi64, #gpu.address_space<workgroup>> -> <9>
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 4
      : memref<9xi64, #shared> -> !mxfp4.ring<9>
  // CHECK: %[[A:.*]] = mxfp4.ring_start : <9>
  %a = mxfp4.ring_start : !mxfp4.cursor<9>
  // CHECK: %[[B:.*]] = mxfp4.ring_start slice(%{{.*}}) : <9 by 3>
  %b = mxfp4.ring_start slice(%slice) : !mxfp4.cursor<9 by 3>
  // CHECK: mxfp4.ring_next %[[A]] : <9>
  %c = mxfp4.ring_next %a : !mxfp4.cursor<9>
  // CHECK: mxfp4.ring_next %[[B]] slice(%{{.*}}) : <9 by 3>
  %d = mxfp4.ring_next %b slice(%slice) : !mxfp4.cursor<9 by 3>
  // CHECK: mxfp4.ring_skip %{{.*}} steps 15 : <9 by 3>
  %e = mxfp4.ring_skip %d steps 15 : !mxfp4.cursor<9 by 3>
  // CHECK: mxfp4.ring_slot %{{.*}} : <9 by 3>
  %slot = mxfp4.ring_slot %e : !mxfp4.cursor<9 by 3>
  // CHECK: mxfp4.ring_acquire %[[RING]][%[[A]]] : <9>, <9>
  mxfp4.ring_acquire %ring[%a] : !mxfp4.ring<9>, !mxfp4.cursor<9>
  // CHECK: mxfp4.ring_fill %[[RING]][%[[A]]] bytes(%{{.*}}) : <9>, <9>
  mxfp4.ring_fill %ring[%a] bytes(%bytes) : !mxfp4.ring<9>, !mxfp4.cursor<9>
  // CHECK: mxfp4.ring_wait %[[RING]][%[[B]]] : <9>, <9 by 3>
  mxfp4.ring_wait %ring[%b] : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  // CHECK: mxfp4.ring_release %[[RING]][%[[B]]] : <9>, <9 by 3>
  mxfp4.ring_release %ring[%b] : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  // CHECK: mxfp4.ring_release %[[RING]][%[[B]]] one_thread : <9>, <9 by 3>
  mxfp4.ring_release %ring[%b] one_thread
      : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>
  return
}

// CHECK-LABEL: func @roles
func.func @roles(%ring: !mxfp4.ring<6>, %slices: !mxfp4.ring<9>,
                 %queue: !mxfp4.ring<2>, %fields: memref<2x4xi32, #shared>,
                 %table: memref<6xi32, #shared>, %o: memref<5xi32>,
                 %counter: memref<2xi32>, %first: index, %count: index,
                 %ctas: index, %w: !weights, %x: !rows, %n: index) {
  %zero = arith.constant dense<0.0> : vector<1x1x4xf32>
  // CHECK: mxfp4.warp_roles {
  mxfp4.warp_roles {
    // CHECK: mxfp4.role "multiply" warps 4 registers 232 {
    // CHECK-NEXT: ^bb0(%warp: index):
    mxfp4.role "multiply" warps 4 registers 232 {
    ^bb0(%warp: index):
      %start = mxfp4.ring_start : !mxfp4.cursor<6>
      // CHECK: mxfp4.take_tiles %{{.*}}[%{{.*}}] init(%{{.*}}) -> !mxfp4.cursor<6> : <2>, memref<2x4xi32, #gpu.address_space<workgroup>>, !mxfp4.cursor<6> {
      // CHECK-NEXT: ^bb0(%expert: index, %row: index, %rows: index, %column: index, %at: !mxfp4.cursor<6>):
      %end = mxfp4.take_tiles %queue[%fields] init(%start) -> !mxfp4.cursor<6>
          : !mxfp4.ring<2>, memref<2x4xi32, #shared>, !mxfp4.cursor<6> {
      ^bb0(%expert: index, %row: index, %rows: index, %column: index,
           %at: !mxfp4.cursor<6>):
        // CHECK: %{{.*}}:2 = mxfp4.k_loop to 45 drains %{{.*}} at %at init(%{{.*}}) {schedule = #{{.*}}} : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
        // CHECK-NEXT: ^bb0(%step: index, %at_{{.*}}: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
        %sum:2 = mxfp4.k_loop to 45 drains %ring at %at init(%zero)
            {schedule = #few}
            : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
        ^bb0(%step: index, %here: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
          %slot = mxfp4.ring_slot %here : !mxfp4.cursor<6>
          %new = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
              {schedule = #few} : vector<1x1x4xf32>, !weights, !rows
          mxfp4.yield %new : vector<1x1x4xf32>
        }
        mxfp4.yield %sum#1 : !mxfp4.cursor<6>
      }
    }
    // CHECK: mxfp4.role "copy" warps 3 registers 40 one_thread {
    mxfp4.role "copy" warps 3 registers 40 one_thread {
    ^bb0(%warp: index):
      %start = mxfp4.ring_start slice(%warp) : !mxfp4.cursor<9 by 3>
      // CHECK: mxfp4.k_loop to 45 slice(%{{.*}}) fills %{{.*}} at %{{.*}} {schedule = #{{.*}}} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3> {
      %end = mxfp4.k_loop to 45 slice(%warp) fills %slices at %start
          {schedule = #slices} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3> {
      ^bb0(%step: index, %here: !mxfp4.cursor<9 by 3>):
      }
    }
    // CHECK: mxfp4.role "schedule" warps 1 one_thread {
    mxfp4.role "schedule" warps 1 one_thread {
    ^bb0(%warp: index):
      // CHECK: mxfp4.hand_out_tiles %{{.*}} to %{{.*}} step %{{.*}} in %{{.*}} offsets(%{{.*}}) experts 4 columns 3 to %{{.*}}[%{{.*}}] counter(%{{.*}} : memref<2xi32>) {schedule = #{{.*}}} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>, <2>, memref<2x4xi32, #gpu.address_space<workgroup>>
      mxfp4.hand_out_tiles %first to %count step %ctas in %table offsets(%o)
          experts 4 columns 3 to %queue[%fields]
          counter(%counter : memref<2xi32>) {schedule = #few}
          : memref<6xi32, #shared>, memref<5xi32>, !mxfp4.ring<2>,
          memref<2x4xi32, #shared>
    }
  }
  return
}

// CHECK-LABEL: func @plain
func.func @plain(%zero: vector<1x1x4xf32>) -> vector<1x1x4xf32> {
  // CHECK: mxfp4.k_loop to 3 init(%{{.*}}) {schedule = #{{.*}}} : vector<1x1x4xf32> {
  %sum = mxfp4.k_loop to 3 init(%zero) {schedule = #few} : vector<1x1x4xf32> {
  ^bb0(%step: index, %sums: vector<1x1x4xf32>):
    mxfp4.yield %sums : vector<1x1x4xf32>
  }
  return %sum : vector<1x1x4xf32>
}
