// The weighted sum of each token's rows.
func.func @combine(%y: memref<?x192xbf16>, %positions: memref<?x2xi32>,
    %weights: memref<?x2xf32>, %out: memref<?x192xbf16>,
    %error: memref<1xi32>) {
  mxfp4.combine rows(%y : memref<?x192xbf16>)
      positions(%positions : memref<?x2xi32>)
      weights(%weights : memref<?x2xf32>) outs(%out : memref<?x192xbf16>)
      error(%error : memref<1xi32>)
  return
}
