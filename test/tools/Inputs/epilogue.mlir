func.func @squared(%x: memref<?x64xbf16>,
                   %w: memref<2x1x1x!mxfp4.block<spread, folded>>,
                   %o: memref<3xi32>, %y: memref<?x64xbf16>,
                   %e: memref<1xi32>, %s: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      error(%e : memref<1xi32>) workspace(%s : memref<2xi32>) epilogue {
    ^bb0(%sum: f32):
      %square = arith.mulf %sum, %sum : f32
      mxfp4.yield %square : f32
    }
  return
}
