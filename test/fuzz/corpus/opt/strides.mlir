// builtin.module(mxfp4-make-contiguous)
func.func @f(%x: memref<?x64xbf16, strided<[64, 1], offset: 64>>, %w: memref<2x1x1x!mxfp4.block<spread, raw>, strided<[?, 1, 1], offset: ?>>, %o: memref<3xi32, strided<[2], offset: 1>>, %y: memref<?x48xf32, strided<[64, 1], offset: ?>>, %e: memref<1xi32, strided<[7], offset: ?>>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16, strided<[64, 1], offset: 64>>) weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>, strided<[?, 1, 1], offset: ?>>) offsets(%o : memref<3xi32, strided<[2], offset: 1>>) outs(%y : memref<?x48xf32, strided<[64, 1], offset: ?>>) error(%e : memref<1xi32, strided<[7], offset: ?>>)
  return
}
