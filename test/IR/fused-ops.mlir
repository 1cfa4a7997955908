// Epilogues and maps of rows, of mxfp4.grouped_matmul and of the operations in
// kernels: printed, read back and printed again, as text, in generic form and as
// bytecode. Inputs/fused-ops-version-2.mlirbc is this file as the compiler wrote
// it whose bytecode had version 2, before a grouped_matmul had a target and
// promises and a gather the rows that a branch skips.
//
// RUN: mxfp4-opt %S/Inputs/fused-ops-version-2.mlirbc > %t.old
// RUN: mxfp4-opt %s > %t.now
// RUN: diff %t.old %t.now
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode --emit-bytecode-version=5 | mxfp4-opt | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>
#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!folded = !mxfp4.block<spread, folded>

//===----------------------------------------------------------------------===//
// mxfp4.grouped_matmul
//===----------------------------------------------------------------------===//

// Each kind of operand: for columns, for rows, and for all.
// CHECK-LABEL: func @epilogue_of_three
func.func @epilogue_of_three(%x: memref<?x96xbf16>, %w: memref<4x2x2x!folded>,
    %o: memref<5xi32>, %y: memref<?x70xf32>, %bias: memref<4x70xbf16>,
    %weight: memref<?xf32>, %factor: memref<bf16>) {
  // CHECK: mxfp4.grouped_matmul activations({{.*}}) weights({{.*}}) offsets({{.*}}) outs(%{{.*}} : memref<?x70xf32>) epilogue (%{{.*}}, %{{.*}}, %{{.*}} : memref<4x70xbf16>, memref<?xf32>, memref<bf16>) {
  // CHECK-NEXT: ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f32, %[[W:.*]]: f32, %[[F:.*]]: f32):
  // CHECK-NEXT:   %[[S0:.*]] = arith.addf %[[SUM]], %[[B]] : f32
  // CHECK-NEXT:   %[[S1:.*]] = arith.mulf %[[S0]], %[[W]] : f32
  // CHECK-NEXT:   %[[S2:.*]] = arith.mulf %[[S1]], %[[F]] : f32
  // CHECK-NEXT:   mxfp4.yield %[[S2]] : f32
  // CHECK-NEXT: }{{$}}
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<4x2x2x!folded>) offsets(%o : memref<5xi32>)
      outs(%y : memref<?x70xf32>)
      epilogue(%bias, %weight, %factor
               : memref<4x70xbf16>, memref<?xf32>, memref<bf16>) {
      ^bb0(%sum: f32, %b: f32, %a: f32, %f: f32):
        %0 = arith.addf %sum, %b : f32
        %1 = arith.mulf %0, %a : f32
        %2 = arith.mulf %1, %f : f32
        mxfp4.yield %2 : f32
      }
  return
}

// On pairs, the operands of rank 2 have as many columns as the weights, and the
// output half of them. On tensors a result follows, and attributes stand before.
// CHECK-LABEL: func @pairs
func.func @pairs(%x: tensor<?x96xbf16>, %w: tensor<4x2x2x!folded>,
    %o: tensor<5xi32>, %init: tensor<?x35xbf16>, %bias: tensor<4x70xbf16>,
    %weight: tensor<?xf32>) -> tensor<?x35xbf16> {
  // CHECK: %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} outs(%{{.*}} : tensor<?x35xbf16>) epilogue (%{{.*}}, %{{.*}} : tensor<4x70xbf16>, tensor<?xf32>) {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
  // CHECK: } {note = "kept"} -> tensor<?x35xbf16>
  // CHECK-NEXT: return %[[Y]]
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x96xbf16>)
      weights(%w : tensor<4x2x2x!folded>) offsets(%o : tensor<5xi32>)
      outs(%init : tensor<?x35xbf16>)
      epilogue(%bias, %weight : tensor<4x70xbf16>, tensor<?xf32>) {
      ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32, %a: f32):
        %g = arith.addf %gate, %gate_bias : f32
        %u = arith.addf %up, %up_bias : f32
        %p = arith.mulf %g, %u : f32
        %r = arith.mulf %p, %a : f32
        mxfp4.yield %r : f32
      } {note = "kept"} -> tensor<?x35xbf16>
  return %y : tensor<?x35xbf16>
}

// Without operands; and pairs without any.
// CHECK-LABEL: func @no_operands
func.func @no_operands(%x: memref<?x96xbf16>, %w: memref<4x2x2x!folded>,
    %o: memref<5xi32>, %y: memref<?x70xbf16>, %half: memref<?x35xbf16>) {
  // CHECK: outs(%{{.*}} : memref<?x70xbf16>) epilogue {
  // CHECK-NEXT: ^bb0(%[[SUM:.*]]: f32):
  // CHECK-NEXT:   %[[R:.*]] = math.tanh %[[SUM]] : f32
  // CHECK-NEXT:   mxfp4.yield %[[R]] : f32
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<4x2x2x!folded>) offsets(%o : memref<5xi32>)
      outs(%y : memref<?x70xbf16>) epilogue {
      ^bb0(%sum: f32):
        %r = math.tanh %sum : f32
        mxfp4.yield %r : f32
      }
  // CHECK: outs(%{{.*}} : memref<?x35xbf16>) epilogue {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %[[UP:.*]]: f32):
  // CHECK-NEXT:   mxfp4.yield %[[UP]] : f32
  // CHECK-NEXT: } {schedule = #mxfp4.schedule<{{.*}}>}
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<4x2x2x!folded>) offsets(%o : memref<5xi32>)
      outs(%half : memref<?x35xbf16>) epilogue {
      ^bb0(%gate: f32, %up: f32):
        mxfp4.yield %up : f32
      } {schedule = #schedule}
  return
}

// R rows of T, to R rows of Q.
// CHECK-LABEL: func @maps
func.func @maps(%x: memref<9x96xbf16>, %rows: memref<30xi32>,
    %w: memref<4x2x2x!folded>, %o: memref<3xi32>, %ids: memref<2xi32>,
    %y: memref<50x70xf32>, %to: memref<30xi32>, %e: memref<1xi32>,
    %s: memref<2xi32>, %weight: memref<30xf32>) {
  // CHECK: mxfp4.grouped_matmul activations(%{{.*}} : memref<9x96xbf16>) gather(%{{.*}} : memref<30xi32>) weights({{.*}}) offsets({{.*}}) expert_ids({{.*}}) outs(%{{.*}} : memref<50x70xf32>) scatter(%{{.*}} : memref<30xi32>) error({{.*}}) workspace({{.*}}) epilogue (%{{.*}} : memref<30xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<9x96xbf16>)
      gather(%rows : memref<30xi32>) weights(%w : memref<4x2x2x!folded>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<50x70xf32>) scatter(%to : memref<30xi32>)
      error(%e : memref<1xi32>) workspace(%s : memref<2xi32>)
      epilogue(%weight : memref<30xf32>) {
      ^bb0(%sum: f32, %a: f32):
        %r = arith.mulf %sum, %a : f32
        mxfp4.yield %r : f32
      }
  return
}

// CHECK-LABEL: func @dynamic
func.func @dynamic(%x: memref<?x?xbf16>, %rows: memref<?xi32>,
    %w: memref<?x?x?x!folded>, %o: memref<?xi32>, %y: memref<?x?xbf16>,
    %to: memref<?xi32>, %bias: memref<?x?xf32>) {
  // CHECK: gather(%{{[^ ]*}} : memref<?xi32>)
  // CHECK-SAME: scatter(%{{.*}} : memref<?xi32>) epilogue (%{{.*}} : memref<?x?xf32>)
  mxfp4.grouped_matmul activations(%x : memref<?x?xbf16>)
      gather(%rows : memref<?xi32>) weights(%w : memref<?x?x?x!folded>)
      offsets(%o : memref<?xi32>) outs(%y : memref<?x?xbf16>)
      scatter(%to : memref<?xi32>) epilogue(%bias : memref<?x?xf32>) {
      ^bb0(%sum: f32, %b: f32):
        mxfp4.yield %b : f32
      }
  return
}

//===----------------------------------------------------------------------===//
// In kernels
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @store_tile
func.func @store_tile(%acc: vector<4x8x4xf32>, %y: memref<?x70xf32>,
    %half: memref<?x35xbf16>, %i: index, %to: memref<?xi32>, %q: i32,
    %e: memref<1xi32>, %bias: memref<4x70xbf16>, %weight: memref<?xf32>,
    %factor: memref<bf16>) {
  // CHECK: mxfp4.store_tile %{{.*}} to %{{.*}}[%{{.*}}, %{{.*}}] valid(%{{.*}}) expert(%{{.*}}) or_none scatter(%{{.*}} : memref<?xi32>) limit(%{{.*}}) error(%{{.*}} : memref<1xi32>) epilogue (%{{.*}}, %{{.*}}, %{{.*}} : memref<4x70xbf16>, memref<?xf32>, memref<bf16>) {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
  // CHECK: } {schedule = #mxfp4.schedule<{{.*}}>} : vector<4x8x4xf32> to memref<?x70xf32>
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i) or_none
      scatter(%to : memref<?xi32>) limit(%q) error(%e : memref<1xi32>)
      epilogue(%bias, %weight, %factor
               : memref<4x70xbf16>, memref<?xf32>, memref<bf16>) {
      ^bb0(%sum: f32, %b: f32, %a: f32, %f: f32):
        %0 = arith.addf %sum, %b : f32
        %1 = arith.mulf %0, %a : f32
        %2 = arith.mulf %1, %f : f32
        mxfp4.yield %2 : f32
      } {schedule = #schedule} : vector<4x8x4xf32> to memref<?x70xf32>
  // CHECK: mxfp4.store_tile %{{.*}} to %{{.*}}[%{{.*}}, %{{.*}}] valid(%{{.*}}) expert(%{{.*}}) epilogue (%{{.*}} : memref<4x70xbf16>) {
  // CHECK-NEXT: ^bb0(%{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32, %{{.*}}: f32):
  mxfp4.store_tile %acc to %half[%i, %i] valid(%i) expert(%i)
      epilogue(%bias : memref<4x70xbf16>) {
      ^bb0(%gate: f32, %up: f32, %gate_bias: f32, %up_bias: f32):
        mxfp4.yield %up_bias : f32
      } {schedule = #schedule} : vector<4x8x4xf32> to memref<?x35xbf16>
  // CHECK: mxfp4.store_tile %{{.*}} to %{{.*}}[%{{.*}}, %{{.*}}] valid(%{{.*}}) scatter(%{{.*}} : memref<?xi32>) limit(%{{.*}}) {schedule
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) scatter(%to : memref<?xi32>)
      limit(%q) {schedule = #schedule} : vector<4x8x4xf32> to memref<?x70xf32>
  // CHECK: mxfp4.store_tile %{{.*}} to %{{.*}}[%{{.*}}, %{{.*}}] valid(%{{.*}}) epilogue {
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) epilogue {
      ^bb0(%sum: f32):
        %r = arith.negf %sum : f32
        mxfp4.yield %r : f32
      } {schedule = #schedule} : vector<4x8x4xf32> to memref<?x70xf32>
  return
}

// For the warps of a CTA, and for those of a role.
// CHECK-LABEL: func @gathers
func.func @gathers(%map: memref<?xi32>, %x: memref<?x96xbf16>, %i: index,
    %t: i32, %e: memref<1xi32>, %sx: memref<6x8x64xbf16, #shared>,
    %full: memref<6xi64, #shared>) {
  // CHECK: %[[R:.*]] = mxfp4.load_rows %{{.*}}[%{{.*}}] valid(%{{.*}}) limit(%{{.*}}) : memref<?xi32> -> vector<1xi32>
  %r = mxfp4.load_rows %map[%i] valid(%i) limit(%t)
      : memref<?xi32> -> vector<1xi32>
  // CHECK: %[[M:.*]] = mxfp4.load_rows %{{.*}}[%{{.*}}] valid(%{{.*}}) limit(%{{.*}}) error(%{{.*}} : memref<1xi32>) warp(%{{.*}} of 2) : memref<?xi32> -> vector<1xi32>
  %m = mxfp4.load_rows %map[%i] valid(%i) limit(%t) error(%e : memref<1xi32>)
      warp(%i of 2) : memref<?xi32> -> vector<1xi32>
  // CHECK: mxfp4.gather_activations %{{.*}}[%[[R]], %{{.*}}] valid(%{{.*}}) to %{{.*}}[%{{.*}}] : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %sx[%i]
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #shared>
  // CHECK: mxfp4.gather_activations %{{.*}}[%[[M]], %{{.*}}] valid(%{{.*}}) to %{{.*}}[%{{.*}}] warp(%{{.*}} of 2) signal(%{{.*}} : memref<6xi64, #gpu.address_space<workgroup>>) : memref<?x96xbf16>, vector<1xi32> to
  mxfp4.gather_activations %x[%m, %i] valid(%i) to %sx[%i] warp(%i of 2)
      signal(%full : memref<6xi64, #shared>)
      : memref<?x96xbf16>, vector<1xi32> to memref<6x8x64xbf16, #shared>
  return
}

// Offsets that may end early; slots that threads fill.
// CHECK-LABEL: func @program
func.func @program(%table: memref<6xi32, #shared>, %o: memref<5xi32>,
    %rows: i32, %e: memref<1xi32>, %full: memref<9xi64, #shared>,
    %empty: memref<9xi64, #shared>, %bytes: i32) {
  // CHECK: mxfp4.build_tile_table %{{.*}} offsets(%{{.*}}) rows(%{{.*}}) or_less error(%{{.*}} : memref<1xi32>) {schedule
  mxfp4.build_tile_table %table offsets(%o) rows(%rows) or_less
      error(%e : memref<1xi32>) {schedule = #few}
      : memref<6xi32, #shared>, memref<5xi32>
  // CHECK: mxfp4.build_tile_table %{{.*}} offsets(%{{.*}}) rows(%{{.*}}) or_less {schedule
  mxfp4.build_tile_table %table offsets(%o) rows(%rows) or_less
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>
  // CHECK: %[[RING:.*]] = mxfp4.create_ring full(%{{.*}}) empty(%{{.*}}) fills 33 releases 4 : memref<9xi64, #gpu.address_space<workgroup>> -> <9 fenced>
  %ring = mxfp4.create_ring full(%full) empty(%empty) fills 33 releases 4
      : memref<9xi64, #shared> -> !mxfp4.ring<9 fenced>
  %at = mxfp4.ring_start : !mxfp4.cursor<9>
  // CHECK: mxfp4.ring_wait %[[RING]][%{{.*}}] : <9 fenced>, <9>
  mxfp4.ring_wait %ring[%at] : !mxfp4.ring<9 fenced>, !mxfp4.cursor<9>
  return
}
