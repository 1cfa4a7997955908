// Rows of tokens, gathered, times the weights of their experts; then bias and relu.
func.func @gate_up(%x: memref<?x192xbf16>,
    %weights: memref<8x2x3x!mxfp4.block<spread, folded>>,
    %offsets: memref<9xi32>, %y: memref<?x128xbf16>, %error: memref<1xi32>,
    %workspace: memref<2xi32>, %tokens: memref<?xi32>,
    %bias: memref<8x128xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x192xbf16>)
      gather(%tokens : memref<?xi32>)
      weights(%weights : memref<8x2x3x!mxfp4.block<spread, folded>>)
      offsets(%offsets : memref<9xi32>) outs(%y : memref<?x128xbf16>)
      error(%error : memref<1xi32>) workspace(%workspace : memref<2xi32>)
      epilogue(%bias : memref<8x128xbf16>) {
    ^bb0(%sum: f32, %added: f32):
      %zero = arith.constant 0.0 : f32
      %biased = arith.addf %sum, %added : f32
      %relu = arith.maximumf %biased, %zero : f32
      mxfp4.yield %relu : f32
    }
  return
}
