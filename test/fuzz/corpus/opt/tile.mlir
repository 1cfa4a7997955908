// builtin.module(mxfp4-tile)
module {
  func.func @grouped_matmul(%arg0: memref<?x96xbf16>, %arg1: memref<4x2x2x!mxfp4.block<spread, folded>>, %arg2: memref<5xi32>, %arg3: memref<?x100xbf16>, %arg4: memref<1xi32>) {
    mxfp4.grouped_matmul activations(%arg0 : memref<?x96xbf16>) weights(%arg1 : memref<4x2x2x!mxfp4.block<spread, folded>>) offsets(%arg2 : memref<5xi32>) outs(%arg3 : memref<?x100xbf16>) error(%arg4 : memref<1xi32>) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 4>, schedule_reason = "a few dozen rows a group: 32 tokens share each decoded fragment (no hint of the number of rows)"}
    return
  }
}

