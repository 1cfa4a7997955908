// builtin.module(mxfp4-pack-weights{outline})
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
