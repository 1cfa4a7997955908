// builtin.module(mxfp4-lower-to-linalg)
func.func @f(%x: tensor<?x64xbf16>, %w: tensor<2x1x1x!mxfp4.block<spread, raw>>,
             %o: tensor<3xi32>, %y: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x48xbf16>) -> tensor<?x48xbf16>
  return %r : tensor<?x48xbf16>
}
