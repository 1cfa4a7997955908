// builtin.module(mxfp4-specialize-warps)
module attributes {gpu.container_module, mxfp4.target = #mxfp4.target<"sm_90a">} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<5xi32>, %arg3: memref<?x64xbf16>, %arg4: memref<1xi32>, %arg5: memref<2xi32>) {
    %c224 = arith.constant 224 : index
    %c132 = arith.constant 132 : index
    %c25120_i32 = arith.constant 25120 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    %1 = mxfp4.make_tensor_map %arg0 : memref<?x640xbf16> -> <32 by 16>
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c132, %c1, %c1) threads in (%c224, %c1, %c1)  dynamic_shared_memory_size %c25120_i32 args(%1 : !mxfp4.tensor_map<32 by 16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<5xi32>, %arg3 : memref<?x64xbf16>, %arg4 : memref<1xi32>, %arg5 : memref<2xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul attributes {mxfp4.target = #mxfp4.target<"sm_90a">} {
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<32 by 16> {mxfp4.arg = #mxfp4.arg<x align 16 maps memref<?x640xbf16>>}, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>> {mxfp4.arg = #mxfp4.arg<weights align 16>}, %arg2: memref<5xi32> {mxfp4.arg = #mxfp4.arg<offsets align 4>}, %arg3: memref<?x64xbf16> {mxfp4.arg = #mxfp4.arg<y align 4>}, %arg4: memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>}, %arg5: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>}, %arg6: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}) kernel attributes {known_block_size = array<i32: 224, 1, 1>, nvvm.minctasm = 1 : i32} {
      %c0 = arith.constant 0 : index
      %cst = arith.constant dense<0.000000e+00> : vector<1x4x4xf32>
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %0 = mxfp4.shared_buffer at 25088 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.build_tile_table %0 offsets(%arg2) rows(%arg6) error(%arg4 : memref<1xi32>) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %1 = mxfp4.tile_count %0 groups 4 columns 1 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.for_tiles %block_id_x to %1 step %grid_dim_x in %0 offsets(%arg2) error(%arg4 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32> {
      ^bb0(%expert: index, %row: index, %rows: index, %column: index):
        %2 = mxfp4.shared_buffer at 0 : memref<4x32x64xbf16, #gpu.address_space<workgroup>>
        %3 = mxfp4.shared_buffer at 16384 : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
        %4 = mxfp4.k_loop to 10 init(%cst) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : vector<1x4x4xf32> {
        ^bb0(%step: index, %sums: vector<1x4x4xf32>):
          mxfp4.copy_weights %arg1[%expert, %column, %step] to %3[%c0] : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          mxfp4.copy_activations %arg0[%row, %step] valid(%rows) to %2[%c0] : !mxfp4.tensor_map<32 by 16> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>
          %5 = mxfp4.tile_matmul %sums, %3, %2 at[%c0] tokens(%rows) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : vector<1x4x4xf32>, memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
          mxfp4.yield %5 : vector<1x4x4xf32>
        }
        mxfp4.store_tile %4 to %arg3[%row, %column] valid(%rows) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : vector<1x4x4xf32> to memref<?x64xbf16>
      }
      gpu.return
    }
  }
}

