// Weights are the same where one computation makes them, or two that are alike: an
// argument and what an operation makes are not, in whatever order.
//
// RUN: mxfp4-opt %s --mxfp4-pack-weights | FileCheck %s

// CHECK-LABEL: func @sources
// CHECK-COUNT-3: mxfp4.pack
// CHECK-NOT:     mxfp4.pack
// CHECK:         return
func.func @sources(%x: tensor<?x64xbf16>, %c: tensor<1x64x2x16xi8>, %d: tensor<1x64x2x16xi8>,
                   %s: tensor<1x64x2xi8>, %o: tensor<2xi32>, %y: tensor<?x64xbf16>)
    -> (tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>) {
  %e = arith.xori %c, %d : tensor<1x64x2x16xi8>
  %f = arith.xori %c, %d : tensor<1x64x2x16xi8>
  %p = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %q = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%e, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%d, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  %t = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%f, %s : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %p, %q, %r, %t : tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>, tensor<?x64xbf16>
}
