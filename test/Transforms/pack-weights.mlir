// RUN: mxfp4-opt %s --mxfp4-pack-weights | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-pack-weights="order=nibble scales=folded" \
// RUN:   | FileCheck %s --check-prefix=NIBBLE
// RUN: mxfp4-opt %s --mxfp4-pack-weights=outline | FileCheck %s --check-prefix=OUTLINE
// RUN: mxfp4-opt %s --mxfp4-pack-weights=outline -o %t
// RUN: mxfp4-opt %t --mxfp4-pack-weights=outline | diff %t -

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

//===----------------------------------------------------------------------===//
// Packing once
//===----------------------------------------------------------------------===//

// Two operations, weights that are computed twice, a pack that is there already:
// one pack, one packing function.

// CHECK-LABEL: func @shared(
// CHECK-COUNT-1: mxfp4.pack
// CHECK-NOT:     mxfp4.pack
// CHECK:         return
// OUTLINE-LABEL: func @shared(
// OUTLINE-SAME:    %{{.*}}: tensor<?x64xbf16>, %[[W:.*]]: tensor<1x1x1x!mxfp4.block<spread, raw>>, %{{.*}}: tensor<2xi32>, %{{.*}}: tensor<?x64xbf16>)
// OUTLINE-COUNT-3: mxfp4.grouped_matmul {{.*}} weights(%[[W]] :
// OUTLINE-LABEL: func @shared_pack(
// OUTLINE-COUNT-1: mxfp4.pack
// OUTLINE-NOT:   mxfp4.pack
// OUTLINE-LABEL: func @other_layouts(
func.func @shared(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>,
                  %s: tensor<1x64x2xf8E8M0FNU>, %o: tensor<2xi32>, %e: tensor<?x64xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %s0 = arith.bitcast %s : tensor<1x64x2xf8E8M0FNU> to tensor<1x64x2xi8>
  %a = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s0 : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %s1 = arith.bitcast %s : tensor<1x64x2xf8E8M0FNU> to tensor<1x64x2xi8>
  %b = mxfp4.grouped_matmul activations(%a : tensor<?x64xbf16>)
      weights(%c, %s1 : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %pe = tensor.empty() : tensor<1x1x1x!mxfp4.block<spread, raw>>
  %p = mxfp4.pack codes(%c : tensor<1x64x2x16xi8>) scales(%s1 : tensor<1x64x2xi8>)
      outs(%pe : tensor<1x1x1x!mxfp4.block<spread, raw>>)
      -> tensor<1x1x1x!mxfp4.block<spread, raw>>
  %d = mxfp4.grouped_matmul activations(%b : tensor<?x64xbf16>)
      weights(%p : tensor<1x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %a, %b, %d : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>
}

// Different layouts, and other codes with the same scales, stay apart.

// OUTLINE-SAME:    %[[X:[^:]*]]: tensor<?x64xbf16>, %{{.*}}: tensor<1x1x1x!mxfp4.block<{{.*}}>>, %{{.*}}: tensor<1x1x1x!mxfp4.block<{{.*}}>>, %{{.*}}: tensor<1x1x1x!mxfp4.block<{{.*}}>>, %{{[^:]*}}: tensor<2xi32>
// OUTLINE:       func @other_layouts_pack{{.*}}(
// OUTLINE-COUNT-1: mxfp4.pack
// OUTLINE:       func @other_layouts_pack{{.*}}(
// OUTLINE-COUNT-1: mxfp4.pack
// OUTLINE:       func @other_layouts_pack{{.*}}(
// OUTLINE-COUNT-1: mxfp4.pack
// OUTLINE-LABEL: func @in_loop(
func.func @other_layouts(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>,
                         %d: tensor<1x64x2x16xi8>, %s: tensor<1x64x2xi8>,
                         %o: tensor<2xi32>, %e: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %a = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %b = mxfp4.grouped_matmul activations(%a : tensor<?x64xbf16>)
      weights(%d, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %pe = tensor.empty() : tensor<1x1x1x!mxfp4.block<nibble, folded>>
  %p = mxfp4.pack codes(%c : tensor<1x64x2x16xi8>) scales(%s : tensor<1x64x2xi8>)
      outs(%pe : tensor<1x1x1x!mxfp4.block<nibble, folded>>)
      -> tensor<1x1x1x!mxfp4.block<nibble, folded>>
  %r = mxfp4.grouped_matmul activations(%b : tensor<?x64xbf16>)
      weights(%p : tensor<1x1x1x!mxfp4.block<nibble, folded>>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// Weights that a loop does not change are packed outside of it; those that it
// does change are packed in it, and are no arguments.

// OUTLINE-SAME:    %{{.*}}: tensor<4x64xbf16>, %[[W:.*]]: tensor<1x1x1x!mxfp4.block<spread, raw>>, %[[C:.*]]: tensor<1x64x2x16xi8>, %[[S:.*]]: tensor<1x64x2xi8>
// OUTLINE:       scf.for
// OUTLINE:         mxfp4.grouped_matmul {{.*}} weights(%[[W]] :
// OUTLINE:         %[[P:.*]] = mxfp4.pack codes(%{{.*}} : tensor<1x64x2x16xi8>) scales(%[[S]]
// OUTLINE:         mxfp4.grouped_matmul {{.*}} weights(%[[P]] :
// OUTLINE-LABEL: func @in_loop_pack(
// OUTLINE-LABEL: func @sharing_caller(
func.func @in_loop(%x: tensor<4x64xbf16>, %c: tensor<1x64x2x16xi8>,
                   %s: tensor<1x64x2xi8>, %o: tensor<2xi32>, %e: tensor<4x64xbf16>)
    -> tensor<4x64xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %r:2 = scf.for %i = %c0 to %c4 step %c1 iter_args(%y = %x, %d = %c)
      -> (tensor<4x64xbf16>, tensor<1x64x2x16xi8>) {
    %a = mxfp4.grouped_matmul activations(%y : tensor<4x64xbf16>)
        weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
        offsets(%o : tensor<2xi32>) outs(%e : tensor<4x64xbf16>) -> tensor<4x64xbf16>
    %b = mxfp4.grouped_matmul activations(%a : tensor<4x64xbf16>)
        weights(%d, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
        offsets(%o : tensor<2xi32>) outs(%e : tensor<4x64xbf16>) -> tensor<4x64xbf16>
    %one = arith.constant dense<1> : tensor<1x64x2x16xi8>
    %n = arith.addi %d, %one : tensor<1x64x2x16xi8>
    scf.yield %b, %n : tensor<4x64xbf16>, tensor<1x64x2x16xi8>
  }
  return %r#0 : tensor<4x64xbf16>
}

// Callers pack once for all calls, and for two functions that pack alike.

// OUTLINE:       %[[W:.*]] = call @first_pack(
// OUTLINE-NOT:   _pack(
// OUTLINE:       call @first(%{{[^,]*}}, %[[W]],
// OUTLINE-NOT:   _pack(
// OUTLINE:       call @first(%{{[^,]*}}, %[[W]],
// OUTLINE-NOT:   _pack(
// OUTLINE:       call @second(%{{[^,]*}}, %[[W]],
// OUTLINE:       return
func.func @sharing_caller(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>,
                          %s: tensor<1x64x2xi8>, %o: tensor<2xi32>,
                          %e: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %a = call @first(%x, %c, %s, %o, %e)
      : (tensor<?x64xbf16>, tensor<1x64x2x16xi8>, tensor<1x64x2xi8>, tensor<2xi32>,
         tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %b = call @first(%a, %c, %s, %o, %e)
      : (tensor<?x64xbf16>, tensor<1x64x2x16xi8>, tensor<1x64x2xi8>, tensor<2xi32>,
         tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %d = call @second(%b, %c, %s, %o, %e)
      : (tensor<?x64xbf16>, tensor<1x64x2x16xi8>, tensor<1x64x2xi8>, tensor<2xi32>,
         tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %d : tensor<?x64xbf16>
}
func.func private @first(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>,
                         %s: tensor<1x64x2xi8>, %o: tensor<2xi32>,
                         %e: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %a = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %a : tensor<?x64xbf16>
}
func.func private @second(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>,
                          %s: tensor<1x64x2xi8>, %o: tensor<2xi32>,
                          %e: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %a = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %b = mxfp4.grouped_matmul activations(%a : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %b : tensor<?x64xbf16>
}

// What the pass has outlined, it leaves alone: see the second run below.

// A module in a module has its functions by itself.

// OUTLINE-LABEL: module @inner
// OUTLINE:         func.func @layer(
// OUTLINE-SAME:      !mxfp4.block
// OUTLINE:         func.func @layer_pack(
module @inner {
  func.func @layer(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>,
                   %s: tensor<1x64x2xi8>, %o: tensor<2xi32>,
                   %e: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
    %a = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
        weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
        offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
    return %a : tensor<?x64xbf16>
  }
}

// Codes and scales out of one argument: the packing function takes it once.

// OUTLINE-LABEL: func.func private @slices_of_one(
// OUTLINE-LABEL: func.func @calls_slices_of_one(
// OUTLINE-SAME:    %{{[^:]*}}: tensor<?x64xbf16>, %[[BOTH:[^:]*]]: tensor<1x64x2x17xi8>
// OUTLINE:         %[[W:.*]] = call @slices_of_one_pack(%[[BOTH]]) : (tensor<1x64x2x17xi8>) -> tensor<1x1x1x!mxfp4.block<spread, raw>>
// OUTLINE:         call @slices_of_one(%{{[^,]*}}, %[[W]],
func.func private @slices_of_one(%x: tensor<?x64xbf16>, %both: tensor<1x64x2x17xi8>, %o: tensor<2xi32>,
                         %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %c = tensor.extract_slice %both[0, 0, 0, 0] [1, 64, 2, 16] [1, 1, 1, 1]
      : tensor<1x64x2x17xi8> to tensor<1x64x2x16xi8>
  %s = tensor.extract_slice %both[0, 0, 0, 16] [1, 64, 2, 1] [1, 1, 1, 1]
      : tensor<1x64x2x17xi8> to tensor<1x64x2xi8>
  %z = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %z : tensor<?x64xbf16>
}
func.func @calls_slices_of_one(%x: tensor<?x64xbf16>, %both: tensor<1x64x2x17xi8>, %o: tensor<2xi32>,
                 %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %z = call @slices_of_one(%x, %both, %o, %y)
      : (tensor<?x64xbf16>, tensor<1x64x2x17xi8>, tensor<2xi32>, tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %z : tensor<?x64xbf16>
}

// An epilogue on pairs says what the columns are, and so does the layout then.
// The same weights are packed once, whatever is said of them, but not for pairs
// where gate and up are apart.

// CHECK-LABEL: func @pairs
// CHECK:         %[[W:.*]] = mxfp4.pack codes(%[[C:.*]] : {{.*}} -> tensor<2x1x1x!mxfp4.block<spread, raw, interleaved>>
// CHECK-NOT:     mxfp4.pack
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[W]] : {{.*}} epilogue
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[W]] :
// CHECK:         return
func.func @pairs(%x: tensor<?x64xbf16>, %c: tensor<2x64x2x16xi8>, %s: tensor<2x64x2xi8>,
                 %o: tensor<3xi32>, %h: tensor<?x32xbf16>, %y: tensor<?x64xbf16>)
    -> (tensor<?x32xbf16>, tensor<?x64xbf16>) {
  %gated = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>) outs(%h : tensor<?x32xbf16>)
      epilogue {
      ^bb0(%g: f32, %u: f32):
        %p = arith.mulf %g, %u : f32
        mxfp4.yield %p : f32
      } -> tensor<?x32xbf16>
  %all = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %gated, %all : tensor<?x32xbf16>, tensor<?x64xbf16>
}

// CHECK-LABEL: func @apart
// CHECK:         %[[A:.*]] = mxfp4.pack {{.*}} -> tensor<2x1x1x!mxfp4.block<spread, raw, apart>>
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[A]] :
// CHECK:         %[[I:.*]] = mxfp4.pack {{.*}} -> tensor<2x1x1x!mxfp4.block<spread, raw, interleaved>>
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[I]] :
// CHECK:         return
func.func @apart(%x: tensor<?x64xbf16>, %c: tensor<2x64x2x16xi8>, %s: tensor<2x64x2xi8>,
                 %o: tensor<3xi32>, %h: tensor<?x32xbf16>, %y: tensor<?x64xbf16>)
    -> (tensor<?x32xbf16>, tensor<?x64xbf16>) {
  %e = tensor.empty() : tensor<2x1x1x!mxfp4.block<spread, raw, apart>>
  %w = mxfp4.pack codes(%c : tensor<2x64x2x16xi8>) scales(%s : tensor<2x64x2xi8>)
      outs(%e : tensor<2x1x1x!mxfp4.block<spread, raw, apart>>)
      -> tensor<2x1x1x!mxfp4.block<spread, raw, apart>>
  %all = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw, apart>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %gated = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x64x2x16xi8>, tensor<2x64x2xi8>)
      offsets(%o : tensor<3xi32>) outs(%h : tensor<?x32xbf16>)
      epilogue {
      ^bb0(%g: f32, %u: f32):
        %p = arith.mulf %g, %u : f32
        mxfp4.yield %p : f32
      } -> tensor<?x32xbf16>
  return %gated, %all : tensor<?x32xbf16>, tensor<?x64xbf16>
}

// Bodies of what is outlined read arguments of the function, too.

// OUTLINE-LABEL: func.func @of_tokens(
// OUTLINE-SAME:    %{{.*}}: tensor<3x64xbf16>, %{{.*}}: tensor<3x1x1x!mxfp4.block<spread, raw>>)
// OUTLINE-LABEL: func.func @of_tokens_pack(
// OUTLINE-SAME:    %[[C:.*]]: tensor<2x64x2x16xi8>, %[[S:.*]]: tensor<2x64x2xi8>, %{{.*}}: tensor<3xi32>)
// OUTLINE:         tensor.extract %[[C]][
// OUTLINE:         tensor.extract %[[S]][
#token = affine_map<(t, n, b, i) -> (t)>
#codes = affine_map<(t, n, b, i) -> (t, n, b, i)>
#blocks = affine_map<(t, n, b) -> (t)>
#scales = affine_map<(t, n, b) -> (t, n, b)>
func.func @of_tokens(%x: tensor<3x64xbf16>, %c: tensor<2x64x2x16xi8>, %s: tensor<2x64x2xi8>,
                     %expert: tensor<3xi32>) -> tensor<3x64xbf16> {
  %ce = tensor.empty() : tensor<3x64x2x16xi8>
  %codes = linalg.generic {indexing_maps = [#token, #codes],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%expert : tensor<3xi32>) outs(%ce : tensor<3x64x2x16xi8>) {
    ^bb0(%e: i32, %old: i8):
      %at = arith.index_cast %e : i32 to index
      %n = linalg.index 1 : index
      %b = linalg.index 2 : index
      %i = linalg.index 3 : index
      %v = tensor.extract %c[%at, %n, %b, %i] : tensor<2x64x2x16xi8>
      linalg.yield %v : i8
    } -> tensor<3x64x2x16xi8>
  %se = tensor.empty() : tensor<3x64x2xi8>
  %scales = linalg.generic {indexing_maps = [#blocks, #scales],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%expert : tensor<3xi32>) outs(%se : tensor<3x64x2xi8>) {
    ^bb0(%e: i32, %old: i8):
      %at = arith.index_cast %e : i32 to index
      %n = linalg.index 1 : index
      %b = linalg.index 2 : index
      %v = tensor.extract %s[%at, %n, %b] : tensor<2x64x2xi8>
      linalg.yield %v : i8
    } -> tensor<3x64x2xi8>
  %o = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi32>
  %init = tensor.empty() : tensor<3x64xbf16>
  %y = mxfp4.grouped_matmul activations(%x : tensor<3x64xbf16>)
      weights(%codes, %scales : tensor<3x64x2x16xi8>, tensor<3x64x2xi8>)
      offsets(%o : tensor<4xi32>) outs(%init : tensor<3x64xbf16>) -> tensor<3x64xbf16>
  return %y : tensor<3x64xbf16>
}

// An operation outside of any function has none to outline from.

// OUTLINE:       mxfp4.pack
// OUTLINE:       mxfp4.grouped_matmul
%x = arith.constant dense<1.0> : tensor<4x64xbf16>
%c = arith.constant dense<18> : tensor<1x64x2x16xi8>
%s = arith.constant dense<127> : tensor<1x64x2xi8>
%o = arith.constant dense<[0, 4]> : tensor<2xi32>
%e = tensor.empty() : tensor<4x64xbf16>
%y = mxfp4.grouped_matmul activations(%x : tensor<4x64xbf16>)
    weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
    offsets(%o : tensor<2xi32>) outs(%e : tensor<4x64xbf16>) -> tensor<4x64xbf16>
