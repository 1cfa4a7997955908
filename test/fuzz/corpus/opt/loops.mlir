// builtin.module(mxfp4-lower-to-loops)
module {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>) {
    mxfp4.grouped_matmul activations(%arg0 : memref<?x640xbf16>) weights(%arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>) offsets(%arg2 : memref<7xi32>) expert_ids(%arg3 : memref<6xi32>) outs(%arg4 : memref<?x64xf32>) error(%arg5 : memref<1xi32>)
    return
  }
}
