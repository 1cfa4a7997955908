func.func @top_k(%l: memref<?x8xbf16>, %i: memref<?x2xi32>,
                 %w: memref<?x2xf32>) {
  mxfp4.top_k logits(%l : memref<?x8xbf16>) scoring(softmax_selected)
      outs(%i, %w : memref<?x2xi32>, memref<?x2xf32>)
  return
}
