// A kernel of which a warp brings rows, and which counts what it stores: its
// scheduler keeps group and elements of a tile in one word, because registers
// are scarce there.
//
// RUN: mxfp4-opt %s --mxfp4-tile --mxfp4-specialize-warps --mxfp4-share-tiles --mxfp4-bring-rows --mxfp4-count-groups --mxfp4-lower-program --canonicalize | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2, bring_bytes = 256>

// Three groups take two bits.
// CHECK-LABEL: gpu.func @mxfp4_brings
// CHECK-SAME:    %[[STORED:[^ ]*]]: memref<3xi32> {mxfp4.arg = #mxfp4.arg<stored
// CHECK:         scf.while ({{.*}}, %[[T0:[^ ]*]] = %c0_i32, %[[T1:[^ ]*]] = %c0_i32, %[[T2:[^ ]*]] = %c0_i32) : (index, index, i32, i32, i32, i32) ->
// CHECK:           %[[SOME:.*]] = arith.cmpi ne, %[[T2]], %c0_i32
// CHECK-NEXT:      scf.if %[[SOME]] {
// CHECK-NEXT:        %[[N:.*]] = arith.shrui %[[T2]], %c2_i32
// CHECK-NEXT:        %[[HIGH:.*]] = arith.shli %[[N]], %c2_i32
// CHECK-NEXT:        %[[LOW:.*]] = arith.xori %[[T2]], %[[HIGH]]
// CHECK-NEXT:        %[[G:.*]] = arith.index_castui %[[LOW]] : i32 to index
// CHECK-NEXT:        mxfp4.raise_count %[[STORED]][%[[G]]] by %[[N]]
// CHECK:           %[[NEW:.*]] = scf.if %{{.*}} -> (i32) {
// CHECK-NEXT:        %[[E:[a-z_0-9]*]], %{{[a-z_0-9]*}}, %[[V:[a-z_0-9]*]], %{{[a-z_0-9]*}} = mxfp4.locate_tile
// CHECK:             arith.minui %{{.*}}, %c64_i32
// CHECK-NEXT:        %[[ROWS:.*]] = arith.index_cast %[[V]] : index to i32
// CHECK-NEXT:        %[[ALL:.*]] = arith.muli %[[ROWS]], %{{.*}}
// CHECK-NEXT:        %[[UP:.*]] = arith.shli %[[ALL]], %c2_i32
// CHECK-NEXT:        %[[GROUP:.*]] = arith.index_cast %[[E]] : index to i32
// CHECK-NEXT:        %[[BOTH:.*]] = arith.ori %[[UP]], %[[GROUP]]
// CHECK-NEXT:        scf.yield %[[BOTH]]
// CHECK:           scf.condition(%{{.*}}) %{{.*}}, %[[NEW]], %[[T0]], %[[T1]]
func.func @brings(%x: memref<?x64xbf16>, %g: memref<?xi32>,
    %t: memref<?x64xbf16>,
    %w: memref<3x1x1x!mxfp4.block<spread, folded>>, %o: memref<4xi32>,
    %y: memref<?x64xbf16>, %e: memref<1xi32>, %s: memref<1028xi32>,
    %c: memref<3xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%g : memref<?xi32>) through(%t : memref<?x64xbf16>)
      weights(%w : memref<3x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<4xi32>) outs(%y : memref<?x64xbf16>)
      stored(%c : memref<3xi32>) error(%e : memref<1xi32>)
      workspace(%s : memref<1028xi32>) {schedule = #schedule}
  return
}
