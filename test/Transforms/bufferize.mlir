// One-shot bufferization writes into the destination, without copies, and keeps
// the attributes.
//
// RUN: mxfp4-opt %s --one-shot-bufferize="bufferize-function-boundaries function-boundary-type-conversion=identity-layout-map" \
// RUN:   --drop-equivalent-buffer-results --canonicalize | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

// CHECK-LABEL: func @grouped_matmul
// CHECK-SAME:    %[[X:.*]]: memref<?x64xbf16>, %[[W:.*]]: memref<2x1x1x!mxfp4.block<spread, raw>>, %[[O:.*]]: memref<4xi32>, %[[I:.*]]: memref<3xi32>, %[[Y:.*]]: memref<?x48xbf16>
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : memref<?x64xbf16>)
// CHECK-SAME:      weights(%[[W]] : memref<2x1x1x!mxfp4.block<spread, raw>>)
// CHECK-SAME:      offsets(%[[O]] : memref<4xi32>) expert_ids(%[[I]] : memref<3xi32>)
// CHECK-SAME:      outs(%[[Y]] : memref<?x48xbf16>)
// CHECK-SAME:      note = "kept"
// CHECK-SAME:      schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64
// CHECK-NEXT:    return
func.func @grouped_matmul(%x: tensor<?x64xbf16>,
                          %w: tensor<2x1x1x!mxfp4.block<spread, raw>>,
                          %o: tensor<4xi32>, %ids: tensor<3xi32>,
                          %y: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<4xi32>) expert_ids(%ids : tensor<3xi32>)
      outs(%y : tensor<?x48xbf16>)
      {schedule = #schedule, note = "kept"} -> tensor<?x48xbf16>
  return %r : tensor<?x48xbf16>
}

// The init is not read: filling it first needs no second buffer, and an empty
// tensor none but its own.

// CHECK-LABEL: func @chain
// CHECK-SAME:    %[[V:.*]]: memref<4x128x96xf32>, %[[BACK:.*]]: memref<4x128x96xf32>
// CHECK-DAG:     %[[C:.*]] = memref.alloc() {{.*}} : memref<4x128x3x16xi8>
// CHECK-DAG:     %[[S:.*]] = memref.alloc() {{.*}} : memref<4x128x3xi8>
// CHECK:         mxfp4.quantize ins(%[[V]] : memref<4x128x96xf32>) outs(%[[C]], %[[S]] :
// CHECK:         %[[W:.*]] = memref.alloc() {{.*}} : memref<4x2x2x!mxfp4.block<nibble, folded>>
// CHECK:         mxfp4.pack codes(%[[C]] : memref<4x128x3x16xi8>) scales(%[[S]] : memref<4x128x3xi8>) outs(%[[W]] :
// CHECK-NOT:     memref.copy
// CHECK:         mxfp4.unpack blocks(%[[W]] : {{.*}}) outs(%[[C]], %[[S]] :
// CHECK-NOT:     memref.copy
// CHECK:         mxfp4.dequantize codes(%[[C]] : {{.*}}) scales(%[[S]] : {{.*}}) outs(%[[BACK]] :
// CHECK-NEXT:    return
func.func @chain(%v: tensor<4x128x96xf32>, %init: tensor<4x128x96xf32>)
    -> tensor<4x128x96xf32> {
  %c = tensor.empty() : tensor<4x128x3x16xi8>
  %s = tensor.empty() : tensor<4x128x3xi8>
  %q:2 = mxfp4.quantize ins(%v : tensor<4x128x96xf32>)
      outs(%c, %s : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>)
      -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
  %w = tensor.empty() : tensor<4x2x2x!mxfp4.block<nibble, folded>>
  %p = mxfp4.pack codes(%q#0 : tensor<4x128x3x16xi8>)
                  scales(%q#1 : tensor<4x128x3xi8>)
      outs(%w : tensor<4x2x2x!mxfp4.block<nibble, folded>>)
      -> tensor<4x2x2x!mxfp4.block<nibble, folded>>
  %u:2 = mxfp4.unpack blocks(%p : tensor<4x2x2x!mxfp4.block<nibble, folded>>)
      outs(%q#0, %q#1 : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>)
      -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
  %d = mxfp4.dequantize codes(%u#0 : tensor<4x128x3x16xi8>)
                        scales(%u#1 : tensor<4x128x3xi8>)
      outs(%init : tensor<4x128x96xf32>) -> tensor<4x128x96xf32>
  return %d : tensor<4x128x96xf32>
}

// Activations that are needed afterwards, in the buffer of the output: the one
// case that must copy, since the op reads rows after it has written others.

// CHECK-LABEL: func @must_copy
// CHECK:         memref.alloc
// CHECK:         mxfp4.grouped_matmul
func.func @must_copy(%x: tensor<8x32xbf16>, %c: tensor<1x32x1x16xi8>,
                     %s: tensor<1x32x1xi8>, %o: tensor<2xi32>)
    -> tensor<8x32xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<8x32xbf16>)
      weights(%c, %s : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>)
      offsets(%o : tensor<2xi32>)
      outs(%x : tensor<8x32xbf16>) -> tensor<8x32xbf16>
  return %r : tensor<8x32xbf16>
}

// Rows that nothing is scattered to keep their values, and so do rows behind the
// last offset of a map to gather: the init is read, and what fills it stays ahead.
// The epilogue comes along.

// CHECK-LABEL: func @fused
// CHECK-SAME:    %[[X:.*]]: memref<?x64xbf16>, %[[R:.*]]: memref<?xi32>, %[[W:.*]]: memref<2x1x1x!mxfp4.block<spread, raw>>, %[[O:.*]]: memref<3xi32>, %[[Y:.*]]: memref<?x24xbf16>, %[[TO:.*]]: memref<?xi32>, %[[B:.*]]: memref<2x48xbf16>, %[[S:.*]]: memref<f32>
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     memref.copy
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : memref<?x64xbf16>) gather(%[[R]] : memref<?xi32>)
// CHECK-SAME:      outs(%[[Y]] : memref<?x24xbf16>) scatter(%[[TO]] : memref<?xi32>)
// CHECK-SAME:      epilogue (%[[B]], %[[S]] : memref<2x48xbf16>, memref<f32>) {
// CHECK-NEXT:    ^bb0(%[[GATE:.*]]: f32, %[[UP:.*]]: f32, %[[B0:.*]]: f32, %{{.*}}: f32, %[[F:.*]]: f32):
// CHECK-NEXT:      %[[P:.*]] = arith.mulf %[[GATE]], %[[UP]]
// CHECK-NEXT:      %[[Q:.*]] = arith.addf %[[P]], %[[B0]]
// CHECK-NEXT:      %[[Z:.*]] = arith.mulf %[[Q]], %[[F]]
// CHECK-NEXT:      mxfp4.yield %[[Z]]
// CHECK-NEXT:    } {note = "kept"}
// CHECK-NEXT:    return
func.func @fused(%x: tensor<?x64xbf16>, %rows: tensor<?xi32>,
    %w: tensor<2x1x1x!mxfp4.block<spread, raw>>, %o: tensor<3xi32>,
    %y: tensor<?x24xbf16>, %to: tensor<?xi32>, %bias: tensor<2x48xbf16>,
    %factor: tensor<f32>) -> tensor<?x24xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      gather(%rows : tensor<?xi32>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x24xbf16>)
      scatter(%to : tensor<?xi32>)
      epilogue(%bias, %factor : tensor<2x48xbf16>, tensor<f32>) {
      ^bb0(%gate: f32, %up: f32, %b0: f32, %b1: f32, %f: f32):
        %p = arith.mulf %gate, %up : f32
        %q = arith.addf %p, %b0 : f32
        %z = arith.mulf %q, %f : f32
        mxfp4.yield %z : f32
      } {note = "kept"} -> tensor<?x24xbf16>
  return %r : tensor<?x24xbf16>
}

// A value that is needed afterwards is copied with what it holds.

// CHECK-LABEL: func @scatter_into_what_stays
// CHECK-SAME:    %[[X:.*]]: memref<8x32xbf16>, {{.*}}, %[[Y:.*]]: memref<9x32xbf16>
// CHECK:         %[[A:.*]] = memref.alloc() {{.*}} : memref<9x32xbf16>
// CHECK:         memref.copy %[[Y]], %[[A]]
// CHECK:         mxfp4.grouped_matmul {{.*}} outs(%[[A]] : memref<9x32xbf16>) scatter
func.func @scatter_into_what_stays(%x: tensor<8x32xbf16>,
    %c: tensor<1x32x1x16xi8>, %s: tensor<1x32x1xi8>, %o: tensor<2xi32>,
    %to: tensor<8xi32>, %y: tensor<9x32xbf16>)
    -> (tensor<9x32xbf16>, tensor<9x32xbf16>) {
  %r = mxfp4.grouped_matmul activations(%x : tensor<8x32xbf16>)
      weights(%c, %s : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>)
      offsets(%o : tensor<2xi32>)
      outs(%y : tensor<9x32xbf16>) scatter(%to : tensor<8xi32>)
      -> tensor<9x32xbf16>
  return %r, %y : tensor<9x32xbf16>, tensor<9x32xbf16>
}

// CHECK-LABEL: func @gather_into_what_stays
// CHECK:         memref.copy
// CHECK:         mxfp4.grouped_matmul {{.*}} gather(
func.func @gather_into_what_stays(%x: tensor<4x32xbf16>, %rows: tensor<8xi32>,
    %c: tensor<1x32x1x16xi8>, %s: tensor<1x32x1xi8>, %o: tensor<2xi32>,
    %y: tensor<8x32xbf16>) -> (tensor<8x32xbf16>, tensor<8x32xbf16>) {
  %r = mxfp4.grouped_matmul activations(%x : tensor<4x32xbf16>)
      gather(%rows : tensor<8xi32>)
      weights(%c, %s : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<8x32xbf16>)
      -> tensor<8x32xbf16>
  return %r, %y : tensor<8x32xbf16>, tensor<8x32xbf16>
}

// Without maps all rows are stored: the copy has no contents to keep.

// CHECK-LABEL: func @all_rows_anew
// CHECK:         memref.alloc() {{.*}} : memref<8x32xbf16>
// CHECK-NOT:     memref.copy
// CHECK:         mxfp4.grouped_matmul
func.func @all_rows_anew(%x: tensor<8x32xbf16>, %c: tensor<1x32x1x16xi8>,
    %s: tensor<1x32x1xi8>, %o: tensor<2xi32>, %y: tensor<8x32xbf16>)
    -> (tensor<8x32xbf16>, tensor<8x32xbf16>) {
  %r = mxfp4.grouped_matmul activations(%x : tensor<8x32xbf16>)
      weights(%c, %s : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<8x32xbf16>)
      -> tensor<8x32xbf16>
  return %r, %y : tensor<8x32xbf16>, tensor<8x32xbf16>
}
