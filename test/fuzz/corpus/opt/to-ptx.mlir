// builtin.module(mxfp4-to-ptx)
module {
  func.func @grouped_matmul(%arg0: memref<?x96xbf16>, %arg1: memref<4x2x2x!mxfp4.block<spread, folded>>, %arg2: memref<5xi32>, %arg3: memref<?x100xbf16>, %arg4: memref<1xi32>) {
    mxfp4.grouped_matmul activations(%arg0 : memref<?x96xbf16>) weights(%arg1 : memref<4x2x2x!mxfp4.block<spread, folded>>) offsets(%arg2 : memref<5xi32>) outs(%arg3 : memref<?x100xbf16>) error(%arg4 : memref<1xi32>)
    return
  }
}
