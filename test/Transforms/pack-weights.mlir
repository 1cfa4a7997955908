// RUN: mxfp4-opt %s --mxfp4-pack-weights | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-pack-weights="order=nibble scales=folded" \
// RUN:   | FileCheck %s --check-prefix=NIBBLE
// RUN: mxfp4-opt %s --mxfp4-pack-weights=outline | FileCheck %s --check-prefix=OUTLINE

// The arguments that weights were made of give way to packed weights, and what
// made them moves with the packing.

// CHECK-LABEL: func @layer
// CHECK-SAME:    %[[X:.*]]: tensor<?x96xbf16>, %[[C:.*]]: tensor<4x100x3x16xi8>, %[[S:.*]]: tensor<4x100x3xf8E8M0FNU>,
// CHECK:         %[[SB:.*]] = arith.bitcast %[[S]]
// CHECK:         %[[E:.*]] = tensor.empty() : tensor<4x2x2x!mxfp4.block<spread, raw>>
// CHECK:         %[[W:.*]] = mxfp4.pack codes(%[[C]] : tensor<4x100x3x16xi8>) scales(%[[SB]] : tensor<4x100x3xi8>) outs(%[[E]] :
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<?x96xbf16>) weights(%[[W]] : tensor<4x2x2x!mxfp4.block<spread, raw>>)
// NIBBLE-LABEL: func @layer
// NIBBLE:        mxfp4.pack {{.*}} -> tensor<4x2x2x!mxfp4.block<nibble, folded>>

// OUTLINE-LABEL: func @layer(
// OUTLINE-SAME:    %[[X:.*]]: tensor<?x96xbf16>, %[[W:.*]]: tensor<4x2x2x!mxfp4.block<spread, raw>>, %[[O:.*]]: tensor<5xi32>, %[[Y:.*]]: tensor<?x100xbf16>) -> tensor<?x100xbf16>
// OUTLINE-NOT:   bitcast
// OUTLINE-NOT:   pack
// OUTLINE:       mxfp4.grouped_matmul activations(%[[X]] : tensor<?x96xbf16>) weights(%[[W]] :
// OUTLINE-LABEL: func @layer_pack(
// OUTLINE-SAME:    %[[C:.*]]: tensor<4x100x3x16xi8>, %[[S:.*]]: tensor<4x100x3xf8E8M0FNU>) -> tensor<4x2x2x!mxfp4.block<spread, raw>>
// OUTLINE:       %[[SB:.*]] = arith.bitcast %[[S]]
// OUTLINE:       %[[P:.*]] = mxfp4.pack codes(%[[C]] : tensor<4x100x3x16xi8>) scales(%[[SB]] :
// OUTLINE:       return %[[P]]
func.func @layer(%x: tensor<?x96xbf16>, %c: tensor<4x100x3x16xi8>,
                 %s: tensor<4x100x3xf8E8M0FNU>, %o: tensor<5xi32>,
                 %y: tensor<?x100xbf16>) -> tensor<?x100xbf16> {
  %sb = arith.bitcast %s : tensor<4x100x3xf8E8M0FNU> to tensor<4x100x3xi8>
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x96xbf16>)
      weights(%c, %sb : tensor<4x100x3x16xi8>, tensor<4x100x3xi8>)
      offsets(%o : tensor<5xi32>)
      outs(%y : tensor<?x100xbf16>) -> tensor<?x100xbf16>
  return %r : tensor<?x100xbf16>
}

// Arguments that something else uses stay; scales may come before codes. Callers
// pack. A second matmul has a function of its own.

// OUTLINE-LABEL: func private @two(
// OUTLINE-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[W:.*]]: tensor<2x1x1x!mxfp4.block<spread, raw>>, %[[V:.*]]: tensor<2x1x1x!mxfp4.block<spread, raw>>, %[[S:.*]]: tensor<2x64x2xi8>, %[[O:.*]]: tensor<3xi32>
// OUTLINE:       mxfp4.grouped_matmul {{.*}} weights(%[[W]] :
// OUTLINE:       mxfp4.grouped_matmul {{.*}} weights(%[[V]] :
// OUTLINE-LABEL: func private @two_pack_0(
// OUTLINE-SAME:    %[[S:.*]]: tensor<2x64x2xi8>, %[[C:.*]]: tensor<2x64x2x16xi8>)
// OUTLINE-LABEL: func private @two_pack(
// OUTLINE-SAME:    %[[S:.*]]: tensor<2x64x2xi8>, %[[C:.*]]: tensor<2x64x2x16xi8>)
// OUTLINE-LABEL: func @caller(
// OUTLINE-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[S:.*]]: tensor<2x64x2xi8>, %[[C:.*]]: tensor<2x64x2x16xi8>, %[[D:.*]]: tensor<2x64x2x16xi8>, %[[O:.*]]: tensor<3xi32>
// OUTLINE:       %[[W:.*]] = call @two_pack(%[[S]], %[[C]])
// OUTLINE:       %[[V:.*]] = call @two_pack_0(%[[S]], %[[D]])
// OUTLINE:       call @two(%[[X]], %[[W]], %[[V]], %[[S]], %[[O]], %{{.*}})
func.func private @two(%x: tensor<?x64xbf16>, %s: tensor<2x64x2xi8>,
                       %c: tensor<2x64x2x16xi8>, %d: tensor<2x64x2x16xi8>,
                       %o: tensor<3xi32>, %y: tensor<?x64xbf16>)
    -> (tensor<?x64xbf16>, tensor<2x64x2xi8>) {
  %h = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %r = mxfp4.grouped_matmul activations(%h : tensor<?x64xbf16>)
      weights(%d, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r, %s : tensor<?x64xbf16>, tensor<2x64x2xi8>
}
func.func @caller(%x: tensor<?x64xbf16>, %s: tensor<2x64x2xi8>,
                  %c: tensor<2x64x2x16xi8>, %d: tensor<2x64x2x16xi8>,
                  %o: tensor<3xi32>, %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %r:2 = call @two(%x, %s, %c, %d, %o, %y)
      : (tensor<?x64xbf16>, tensor<2x64x2xi8>, tensor<2x64x2x16xi8>,
         tensor<2x64x2x16xi8>, tensor<3xi32>, tensor<?x64xbf16>)
      -> (tensor<?x64xbf16>, tensor<2x64x2xi8>)
  return %r#0 : tensor<?x64xbf16>
}

// Weights that depend on more than arguments, functions whose address is taken,
// constant weights: packed where they are.

// OUTLINE-LABEL: func @loaded(
// OUTLINE:       mxfp4.pack
// OUTLINE:       mxfp4.grouped_matmul
func.func @loaded(%x: tensor<?x64xbf16>, %m: memref<2x64x2x16xi8>,
                  %s: tensor<2x64x2xi8>, %o: tensor<3xi32>,
                  %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %c = bufferization.to_tensor %m
      : memref<2x64x2x16xi8> to tensor<2x64x2x16xi8>
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// OUTLINE-LABEL: func @pointed_to(
// OUTLINE:       mxfp4.pack
func.func @pointed_to(%x: tensor<?x64xbf16>, %c: tensor<2x64x2x16xi8>,
                      %s: tensor<2x64x2xi8>, %o: tensor<3xi32>,
                      %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %f = constant @pointed_to
      : (tensor<?x64xbf16>, tensor<2x64x2x16xi8>, tensor<2x64x2xi8>,
         tensor<3xi32>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// OUTLINE-LABEL: func @constants(
// OUTLINE:       mxfp4.pack
func.func @constants(%x: tensor<?x32xbf16>, %o: tensor<2xi32>,
                     %y: tensor<?x4xbf16>) -> tensor<?x4xbf16> {
  %c = arith.constant dense<18> : tensor<1x4x1x16xi8>
  %s = arith.constant dense<127> : tensor<1x4x1xi8>
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x32xbf16>)
      weights(%c, %s : tensor<1x4x1x16xi8>, tensor<1x4x1xi8>)
      offsets(%o : tensor<2xi32>)
      outs(%y : tensor<?x4xbf16>) -> tensor<?x4xbf16>
  return %r : tensor<?x4xbf16>
}

// Packed weights, memrefs and unknown shapes are left alone.

// OUTLINE-LABEL: func @not_packed(
// OUTLINE-NOT:   mxfp4.pack
func.func @not_packed(%x: memref<?x64xbf16>, %c: memref<2x64x2x16xi8>,
                      %s: memref<2x64x2xi8>, %o: memref<3xi32>,
                      %y: memref<?x64xbf16>, %xt: tensor<?x64xbf16>,
                      %cd: tensor<?x64x2x16xi8>, %sd: tensor<?x64x2xi8>,
                      %od: tensor<?xi32>, %yt: tensor<?x64xbf16>)
    -> tensor<?x64xbf16> {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%c, %s : memref<2x64x2x16xi8>, memref<2x64x2xi8>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  %r = mxfp4.grouped_matmul activations(%xt : tensor<?x64xbf16>)
      weights(%cd, %sd : tensor<?x64x2x16xi8>, tensor<?x64x2xi8>)
      offsets(%od : tensor<?xi32>)
      outs(%yt : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}
