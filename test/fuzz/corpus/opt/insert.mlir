// builtin.module(gpu.module(mxfp4-insert-decode))
module attributes {gpu.container_module, mxfp4.target = #mxfp4.target<"sm_90a">} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<5xi32>, %arg3: memref<?x64xbf16>, %arg4: memref<1xi32>, %arg5: memref<2xi32>) {
    %c128 = arith.constant 128 : index
    %c132 = arith.constant 132 : index
    %c9632_i32 = arith.constant 9632 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c132, %c1, %c1) threads in (%c128, %c1, %c1)  dynamic_shared_memory_size %c9632_i32 args(%arg0 : memref<?x640xbf16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<5xi32>, %arg3 : memref<?x64xbf16>, %arg4 : memref<1xi32>, %arg5 : memref<2xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul attributes {mxfp4.target = #mxfp4.target<"sm_90a">} {
    gpu.func @mxfp4_grouped_matmul(%arg0: memref<?x640xbf16> {mxfp4.arg = #mxfp4.arg<x align 16>}, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>> {mxfp4.arg = #mxfp4.arg<weights align 16>}, %arg2: memref<5xi32> {mxfp4.arg = #mxfp4.arg<offsets align 4>}, %arg3: memref<?x64xbf16> {mxfp4.arg = #mxfp4.arg<y align 4>}, %arg4: memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>}, %arg5: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>}, %arg6: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}) kernel attributes {known_block_size = array<i32: 128, 1, 1>, nvvm.minctasm = 1 : i32} {
      %c3 = arith.constant 3 : index
      %c2 = arith.constant 2 : index
      %c10 = arith.constant 10 : index
      %c0 = arith.constant 0 : index
      %cst = arith.constant dense<0.000000e+00> : vector<1x1x4xf32>
      %c1 = arith.constant 1 : index
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %0 = mxfp4.shared_buffer at 9600 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.build_tile_table %0 offsets(%arg2) rows(%arg6) error(%arg4 : memref<1xi32>) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %1 = mxfp4.tile_count %0 groups 4 columns 1 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.for_tiles %block_id_x to %1 step %grid_dim_x in %0 offsets(%arg2) error(%arg4 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32> {
      ^bb0(%expert: index, %row: index, %rows: index, %column: index):
        %2 = mxfp4.shared_buffer at 0 : memref<3x8x64xbf16, #gpu.address_space<workgroup>>
        %3 = mxfp4.shared_buffer at 3072 : memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
        mxfp4.copy_weights %arg1[%expert, %column, %c0] to %3[%c0] : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
        mxfp4.copy_activations %arg0[%row, %c0] valid(%rows) to %2[%c0] : memref<?x640xbf16> to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
        nvvm.cp.async.commit.group
        mxfp4.copy_weights %arg1[%expert, %column, %c1] to %3[%c1] : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
        mxfp4.copy_activations %arg0[%row, %c1] valid(%rows) to %2[%c1] : memref<?x640xbf16> to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
        nvvm.cp.async.commit.group
        %4:3 = scf.for %arg7 = %c0 to %c10 step %c1 iter_args(%arg8 = %cst, %arg9 = %c0, %arg10 = %c2) -> (vector<1x1x4xf32>, index, index) {
          nvvm.cp.async.wait.group 1
          gpu.barrier
          %5 = arith.addi %arg7, %c2 : index
          %6 = arith.cmpi ult, %5, %c10 : index
          scf.if %6 {
            mxfp4.copy_weights %arg1[%expert, %column, %5] to %3[%arg10] : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            mxfp4.copy_activations %arg0[%row, %5] valid(%rows) to %2[%arg10] : memref<?x640xbf16> to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
          }
          nvvm.cp.async.commit.group
          %7 = mxfp4.tile_matmul %arg8, %3, %2 at[%arg9] tokens(%rows) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : vector<1x1x4xf32>, memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<3x8x64xbf16, #gpu.address_space<workgroup>>
          %8 = arith.addi %arg9, %c1 : index
          %9 = arith.cmpi eq, %8, %c3 : index
          %10 = arith.select %9, %c0, %8 : index
          %11 = arith.addi %arg10, %c1 : index
          %12 = arith.cmpi eq, %11, %c3 : index
          %13 = arith.select %12, %c0, %11 : index
          scf.yield %7, %10, %13 : vector<1x1x4xf32>, index, index
        }
        gpu.barrier
        mxfp4.store_tile %4#0 to %arg3[%row, %column] valid(%rows) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : vector<1x1x4xf32> to memref<?x64xbf16>
      }
      gpu.return
    }
  }
}

