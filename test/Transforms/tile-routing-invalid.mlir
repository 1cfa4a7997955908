// RUN: mxfp4-opt %s --mxfp4-tile-routing --split-input-file --verify-diagnostics

func.func @tensors(%y: tensor<16x64xbf16>, %p: tensor<8x2xi32>, %w: tensor<8x2xf32>,
                   %out: tensor<8x64xbf16>) -> tensor<8x64xbf16> {
  // expected-error @+1 {{'mxfp4.combine' op requires memref operands to become a kernel; bufferize first}}
  %r = mxfp4.combine rows(%y : tensor<16x64xbf16>) positions(%p : tensor<8x2xi32>)
      weights(%w : tensor<8x2xf32>) outs(%out : tensor<8x64xbf16>) -> tensor<8x64xbf16>
  return %r : tensor<8x64xbf16>
}

// -----

!ids = memref<8x?xi32>
func.func @slots(%l: memref<8x64xf32>, %ids: !ids, %w: memref<8x?xf32>) {
  // expected-error @+1 {{'mxfp4.top_k' op requires the number of slots to be static to become a kernel}}
  mxfp4.top_k logits(%l : memref<8x64xf32>) scoring(sigmoid) outs(%ids, %w : !ids, memref<8x?xf32>)
  return
}

// -----

!ids = memref<8x2xi32>
func.func @experts(%ids: !ids, %o: memref<?xi32>, %t: memref<16xi32>) {
  // expected-error @+1 {{'mxfp4.sort_by_expert' op requires the number of experts to be static to become a kernel}}
  mxfp4.sort_by_expert ids(%ids : !ids) outs(%o, %t, %ids : memref<?xi32>, memref<16xi32>, !ids)
  return
}

// -----

!ids = memref<8x2xi32>
func.func @many_experts(%ids: !ids, %o: memref<1026xi32>, %t: memref<16xi32>) {
  // expected-error @+1 {{'mxfp4.sort_by_expert' op requires at most 1024 experts to become a kernel}}
  mxfp4.sort_by_expert ids(%ids : !ids) outs(%o, %t, %ids : memref<1026xi32>, memref<16xi32>, !ids)
  return
}

// -----

!ids = memref<8x33xi32>
func.func @many_slots(%l: memref<8x64xf32>, %ids: !ids, %w: memref<8x33xf32>) {
  // expected-error @+1 {{'mxfp4.top_k' op requires at most 32 slots to become a kernel}}
  mxfp4.top_k logits(%l : memref<8x64xf32>) scoring(sigmoid) outs(%ids, %w : !ids, memref<8x33xf32>)
  return
}

// -----

!part = memref<16x64xbf16, strided<[128, 1]>>
func.func @strided(%y: !part, %p: memref<8x2xi32>, %w: memref<8x2xf32>, %out: memref<8x64xbf16>) {
  // expected-error @+1 {{'mxfp4.combine' op requires contiguous memrefs (identity layout) to become a kernel; run mxfp4-make-contiguous}}
  mxfp4.combine rows(%y : !part) positions(%p : memref<8x2xi32>)
      weights(%w : memref<8x2xf32>) outs(%out : memref<8x64xbf16>)
  return
}

// -----

func.func @columns(%x: memref<8x?xbf16>, %q: memref<8x?xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires K to be static to become a kernel}}
  mxfp4.quantize_rows values(%x : memref<8x?xbf16>)
      outs(%q, %s : memref<8x?xf8E4M3FN>, memref<8xf32>)
  return
}

// -----

func.func @long_rows(%x: memref<8x32776xbf16>, %q: memref<8x32776xf8E4M3FN>, %s: memref<8xf32>) {
  // expected-error @+1 {{'mxfp4.quantize_rows' op requires at most 4096 vectors of 8 columns to become a kernel, since a CTA holds a row in its registers, but K is 32776}}
  mxfp4.quantize_rows values(%x : memref<8x32776xbf16>)
      outs(%q, %s : memref<8x32776xf8E4M3FN>, memref<8xf32>)
  return
}
