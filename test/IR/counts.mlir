// Counts of the rows that a kernel has stored, from the sort that clears them to
// the tiles that wait for them, as text and as bytecode.
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#shared = #gpu.address_space<workgroup>

// CHECK-LABEL: func @layer
// CHECK-SAME:    %[[COUNTS:[^ ]*]]: memref<2xi32>)
// CHECK:       mxfp4.sort_by_expert
// CHECK-SAME:    zeros(%[[COUNTS]] : memref<2xi32>) error(
// CHECK:       mxfp4.grouped_matmul
// CHECK-SAME:    stored(%[[COUNTS]] : memref<2xi32>) error(
// CHECK:       mxfp4.grouped_matmul
// CHECK-SAME:    awaited(%[[COUNTS]] : memref<2xi32>) weights(
// CHECK-SAME:    {older_inputs}
func.func @layer(%ids: memref<?x2xi32>, %c: memref<128x2xi32>, %t: memref<?xi32>,
                 %p: memref<?x2xi32>, %x: memref<?x96xbf16>,
                 %w: memref<2x2x2x!mxfp4.block<spread, folded>>,
                 %d: memref<2x1x2x!mxfp4.block<spread, folded>>,
                 %o: memref<3xi32>, %h: memref<?x96xbf16>, %y: memref<?x64xbf16>,
                 %e: memref<1xi32>, %counts: memref<2xi32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x2xi32>) counts(%c : memref<128x2xi32>)
      outs(%o, %t, %p : memref<3xi32>, memref<?xi32>, memref<?x2xi32>)
      zeros(%counts : memref<2xi32>) error(%e : memref<1xi32>)
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<2x2x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%h : memref<?x96xbf16>)
      stored(%counts : memref<2xi32>) error(%e : memref<1xi32>)
  mxfp4.grouped_matmul activations(%h : memref<?x96xbf16>)
      awaited(%counts : memref<2xi32>)
      weights(%d : memref<2x1x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      error(%e : memref<1xi32>) {older_inputs}
  return
}

// CHECK-LABEL: func @tiles
// CHECK:       mxfp4.hand_out_tiles
// CHECK-SAME:    rows
// CHECK-NOT:     awaited
// CHECK:       mxfp4.hand_out_tiles
// CHECK-SAME:    counter(%{{[^ ]*}} : memref<2xi32>) awaited(%[[C:[^ ]*]] : memref<?xi32>) columns %[[N:[^ ]*]] {schedule
// CHECK:       mxfp4.hand_out_tiles
// CHECK-SAME:    counter(%{{[^ ]*}} : memref<2xi32>) stored(%[[C]] : memref<?xi32>) columns %[[N]] by %[[N]] {schedule
// CHECK:       mxfp4.store_tile
// CHECK-SAME:    expert(%{{[^ ]*}}) stored(%[[C]] : memref<?xi32>) {schedule
// CHECK:       mxfp4.raise_count %[[C]][%{{[^ ]*}}] by %[[N]] : memref<?xi32>
func.func @tiles(%i: index, %n: i32, %t: memref<4xi32, #shared>, %o: memref<3xi32>,
                 %queue: !mxfp4.ring<2>, %fields: memref<2x4xi32, #shared>,
                 %brought: memref<1028xi32>, %w: memref<2xi32>, %c: memref<?xi32>,
                 %acc: vector<1x2x4xf32>, %y: memref<?x64xbf16>) {
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] counter(%brought : memref<1028xi32>) rows %n
      {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] counter(%w : memref<2xi32>)
      awaited(%c : memref<?xi32>) columns %n {schedule = #schedule}
      : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
      memref<2x4xi32, #shared>
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] counter(%w : memref<2xi32>)
      stored(%c : memref<?xi32>) columns %n by %n {schedule = #schedule}
      : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
      memref<2x4xi32, #shared>
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      stored(%c : memref<?xi32>) {schedule = #schedule}
      : vector<1x2x4xf32> to memref<?x64xbf16>
  mxfp4.raise_count %c[%i] by %n : memref<?xi32>
  return
}
