// Operations around the grouped matmuls parse, print, and become memrefs.
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-bufferize | FileCheck %s --check-prefix=BUFFERS

// CHECK-LABEL: func.func @layer
// CHECK:       mxfp4.top_k logits(%{{.*}} : tensor<?x128xbf16>) scoring(softmax_selected) outs(%{{.*}}, %{{.*}} : tensor<?x4xi32>, tensor<?x4xf32>) -> tensor<?x4xi32>, tensor<?x4xf32>
// CHECK:       mxfp4.sort_by_expert ids(%{{.*}} : tensor<?x4xi32>) outs(%{{.*}}, %{{.*}}, %{{.*}} : tensor<129xi32>, tensor<?xi32>, tensor<?x4xi32>) -> tensor<129xi32>, tensor<?xi32>, tensor<?x4xi32>
// CHECK:       mxfp4.combine rows(%{{.*}} : tensor<?x64xbf16>) positions(%{{.*}} : tensor<?x4xi32>) weights(%{{.*}} : tensor<?x4xf32>) outs(%{{.*}} : tensor<?x64xf32>) -> tensor<?x64xf32>
// BUFFERS-LABEL: func.func @layer
// BUFFERS-NOT:   memref.alloc
// BUFFERS:       mxfp4.top_k logits({{.*}} : memref<?x128xbf16>) scoring(softmax_selected) outs({{.*}} : memref<?x4xi32>, memref<?x4xf32>)
// BUFFERS:       mxfp4.sort_by_expert ids({{.*}} : memref<?x4xi32>) outs({{.*}} : memref<129xi32>, memref<?xi32>, memref<?x4xi32>)
// BUFFERS:       mxfp4.combine rows({{.*}}) positions({{.*}}) weights({{.*}}) outs({{.*}} : memref<?x64xf32>)
func.func @layer(%l: tensor<?x128xbf16>, %y: tensor<?x64xbf16>, %ii: tensor<?x4xi32>,
                 %wi: tensor<?x4xf32>, %oi: tensor<129xi32>, %ti: tensor<?xi32>,
                 %pi: tensor<?x4xi32>, %init: tensor<?x64xf32>) -> tensor<?x64xf32> {
  %ids, %w = mxfp4.top_k logits(%l : tensor<?x128xbf16>) scoring(softmax_selected)
      outs(%ii, %wi : tensor<?x4xi32>, tensor<?x4xf32>) -> tensor<?x4xi32>, tensor<?x4xf32>
  %o, %t, %p = mxfp4.sort_by_expert ids(%ids : tensor<?x4xi32>)
      outs(%oi, %ti, %pi : tensor<129xi32>, tensor<?xi32>, tensor<?x4xi32>)
      -> tensor<129xi32>, tensor<?xi32>, tensor<?x4xi32>
  %out = mxfp4.combine rows(%y : tensor<?x64xbf16>) positions(%p : tensor<?x4xi32>)
      weights(%w : tensor<?x4xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  return %out : tensor<?x64xf32>
}

// CHECK-LABEL: func.func @memrefs
// CHECK:       mxfp4.top_k logits(%{{.*}} : memref<8x6xf32>) bias(%{{.*}} : memref<6xf32>) scoring(sigmoid) outs(%{{.*}}, %{{.*}} : memref<8x2xi32>, memref<8x2xf32>) counts(%{{.*}} : memref<128x6xi32>) {renormalize, scale = 2.500000e+00 : f32}
// CHECK:       mxfp4.count_by_expert ids(%{{.*}} : memref<8x2xi32>) outs(%{{.*}} : memref<128x6xi32>)
// CHECK:       mxfp4.sort_by_expert ids(%{{.*}} : memref<8x2xi32>) counts(%{{.*}} : memref<128x6xi32>) outs(%{{.*}}, %{{.*}}, %{{.*}} : memref<7xi32>, memref<16xi32>, memref<8x2xi32>) error(%{{.*}} : memref<1xi32>)
// CHECK:       mxfp4.combine rows(%{{.*}} : memref<16x64xf32>) positions(%{{.*}} : memref<8x2xi32>) weights(%{{.*}} : memref<8x2xf32>) outs(%{{.*}} : memref<8x64xbf16>) error(%{{.*}} : memref<1xi32>)
func.func @memrefs(%l: memref<8x6xf32>, %b: memref<6xf32>, %ids: memref<8x2xi32>,
                   %w: memref<8x2xf32>, %c: memref<128x6xi32>, %o: memref<7xi32>,
                   %t: memref<16xi32>, %p: memref<8x2xi32>, %e: memref<1xi32>,
                   %y: memref<16x64xf32>, %out: memref<8x64xbf16>) {
  mxfp4.top_k logits(%l : memref<8x6xf32>) bias(%b : memref<6xf32>) scoring(sigmoid)
      outs(%ids, %w : memref<8x2xi32>, memref<8x2xf32>) counts(%c : memref<128x6xi32>)
      {renormalize, scale = 2.5 : f32}
  mxfp4.count_by_expert ids(%ids : memref<8x2xi32>) outs(%c : memref<128x6xi32>)
  mxfp4.sort_by_expert ids(%ids : memref<8x2xi32>) counts(%c : memref<128x6xi32>)
      outs(%o, %t, %p : memref<7xi32>, memref<16xi32>, memref<8x2xi32>)
      error(%e : memref<1xi32>)
  mxfp4.combine rows(%y : memref<16x64xf32>) positions(%p : memref<8x2xi32>)
      weights(%w : memref<8x2xf32>) outs(%out : memref<8x64xbf16>)
      error(%e : memref<1xi32>)
  return
}

// CHECK-LABEL: func.func @dispatch
// CHECK:       mxfp4.dispatch values(%{{.*}} : tensor<?x96xbf16>) positions(%{{.*}} : tensor<?x4xi32>) outs(%{{.*}} : tensor<?x96xbf16>) -> tensor<?x96xbf16>
// BUFFERS-LABEL: func.func @dispatch
// BUFFERS-NOT:   memref.alloc
// BUFFERS:       mxfp4.dispatch values({{.*}} : memref<?x96xbf16>) positions({{.*}} : memref<?x4xi32>) outs({{.*}} : memref<?x96xbf16>)
func.func @dispatch(%x: tensor<?x96xbf16>, %p: tensor<?x4xi32>,
                    %init: tensor<?x96xbf16>) -> tensor<?x96xbf16> {
  %r = mxfp4.dispatch values(%x : tensor<?x96xbf16>) positions(%p : tensor<?x4xi32>)
      outs(%init : tensor<?x96xbf16>) -> tensor<?x96xbf16>
  return %r : tensor<?x96xbf16>
}

// Rows that no position names keep what they have, so that an output that is
// needed afterwards is copied with its values.

// CHECK-LABEL: func.func @dispatch_into_needed
// BUFFERS-LABEL: func.func @dispatch_into_needed
// BUFFERS:         %[[COPY:.*]] = memref.alloc
// BUFFERS:         memref.copy %{{.*}}, %[[COPY]]
// BUFFERS:         mxfp4.dispatch {{.*}} outs(%[[COPY]] :
func.func @dispatch_into_needed(%x: tensor<4x96xf32>, %p: tensor<4x2xi32>, %init: tensor<8x96xf32>)
    -> (tensor<8x96xf32>, tensor<8x96xf32>) {
  %r = mxfp4.dispatch values(%x : tensor<4x96xf32>) positions(%p : tensor<4x2xi32>)
      outs(%init : tensor<8x96xf32>) -> tensor<8x96xf32>
  return %r, %init : tensor<8x96xf32>, tensor<8x96xf32>
}

// CHECK-LABEL: func.func @dispatch_memrefs
// CHECK:       mxfp4.dispatch values(%{{.*}} : memref<4x96xf32>) positions(%{{.*}} : memref<4x2xi32>) outs(%{{.*}} : memref<8x96xf32>) error(%{{.*}} : memref<1xi32>)
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : memref<4x96xbf16>) scatter(%{{.*}} : memref<4x2xi32>) outs(%{{.*}}, %{{.*}} : memref<8x96xf8E4M3FN>, memref<8xf32>) error(%{{.*}} : memref<1xi32>)
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : memref<4x96xbf16>) scatter_scales(%{{.*}} : memref<4x2xi32>) outs(%{{.*}}, %{{.*}} : memref<4x96xf8E4M3FN>, memref<8xf32>) error(%{{.*}} : memref<1xi32>)
func.func @dispatch_memrefs(%x: memref<4x96xf32>, %b: memref<4x96xbf16>, %p: memref<4x2xi32>,
                            %r: memref<8x96xf32>, %q: memref<8x96xf8E4M3FN>,
                            %t: memref<4x96xf8E4M3FN>, %s: memref<8xf32>, %e: memref<1xi32>) {
  mxfp4.dispatch values(%x : memref<4x96xf32>) positions(%p : memref<4x2xi32>)
      outs(%r : memref<8x96xf32>) error(%e : memref<1xi32>)
  mxfp4.quantize_rows values(%b : memref<4x96xbf16>) scatter(%p : memref<4x2xi32>)
      outs(%q, %s : memref<8x96xf8E4M3FN>, memref<8xf32>) error(%e : memref<1xi32>)
  mxfp4.quantize_rows values(%b : memref<4x96xbf16>) scatter_scales(%p : memref<4x2xi32>)
      outs(%t, %s : memref<4x96xf8E4M3FN>, memref<8xf32>) error(%e : memref<1xi32>)
  return
}

// Rows of scales that no position names keep what they have.

// BUFFERS-LABEL: func.func @scatter_scales_into_needed
// BUFFERS:         memref.copy %{{.*}}, %[[COPY:.*]] :
// BUFFERS:         mxfp4.quantize_rows {{.*}} scatter_scales({{.*}}) outs(%{{.*}}, %[[COPY]] :
func.func @scatter_scales_into_needed(%x: tensor<4x96xbf16>, %p: tensor<4x2xi32>,
    %codes: tensor<4x96xf8E4M3FN>, %init: tensor<8xf32>)
    -> (tensor<4x96xf8E4M3FN>, tensor<8xf32>, tensor<8xf32>) {
  %q, %s = mxfp4.quantize_rows values(%x : tensor<4x96xbf16>) scatter_scales(%p : tensor<4x2xi32>)
      outs(%codes, %init : tensor<4x96xf8E4M3FN>, tensor<8xf32>)
      -> tensor<4x96xf8E4M3FN>, tensor<8xf32>
  return %q, %s, %init : tensor<4x96xf8E4M3FN>, tensor<8xf32>, tensor<8xf32>
}

// CHECK-LABEL: func.func @quantize_rows
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : tensor<?x96xbf16>) outs(%{{.*}}, %{{.*}} : tensor<?x96xf8E4M3FN>, tensor<?xf32>) -> tensor<?x96xf8E4M3FN>, tensor<?xf32>
// BUFFERS-LABEL: func.func @quantize_rows
// BUFFERS-NOT:   memref.alloc
// BUFFERS:       mxfp4.quantize_rows values({{.*}} : memref<?x96xbf16>) outs({{.*}} : memref<?x96xf8E4M3FN>, memref<?xf32>)
func.func @quantize_rows(%x: tensor<?x96xbf16>, %qi: tensor<?x96xf8E4M3FN>,
                         %si: tensor<?xf32>) -> (tensor<?x96xf8E4M3FN>, tensor<?xf32>) {
  %q, %s = mxfp4.quantize_rows values(%x : tensor<?x96xbf16>)
      outs(%qi, %si : tensor<?x96xf8E4M3FN>, tensor<?xf32>)
      -> tensor<?x96xf8E4M3FN>, tensor<?xf32>
  return %q, %s : tensor<?x96xf8E4M3FN>, tensor<?xf32>
}

// CHECK-LABEL: func.func @quantize_gathered_rows
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : memref<5x96xbf16>) gather(%{{.*}} : memref<?xi32>) outs(%{{.*}}, %{{.*}} : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%{{.*}} : memref<1xi32>)
func.func @quantize_gathered_rows(%x: memref<5x96xbf16>, %g: memref<?xi32>,
                                  %q: memref<?x96xf8E4M3FN>, %s: memref<?xf32>,
                                  %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<5x96xbf16>) gather(%g : memref<?xi32>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
}
