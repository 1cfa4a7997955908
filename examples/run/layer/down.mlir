// Back to the width of tokens.
func.func @down(%x: memref<?x128xbf16>,
    %weights: memref<8x3x2x!mxfp4.block<spread, folded>>,
    %offsets: memref<9xi32>, %y: memref<?x192xbf16>, %error: memref<1xi32>,
    %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x128xbf16>)
      weights(%weights : memref<8x3x2x!mxfp4.block<spread, folded>>)
      offsets(%offsets : memref<9xi32>) outs(%y : memref<?x192xbf16>)
      error(%error : memref<1xi32>) workspace(%workspace : memref<2xi32>)
  return
}
