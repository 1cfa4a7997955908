// builtin.module(gpu.module(mxfp4-pipeline-copies))
module attributes {gpu.container_module} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>) {
    %c128 = arith.constant 128 : index
    %c132 = arith.constant 132 : index
    %c9632_i32 = arith.constant 9632 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c132, %c1, %c1) threads in (%c128, %c1, %c1)  dynamic_shared_memory_size %c9632_i32 args(%arg0 : memref<?x640xbf16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<7xi32>, %arg3 : memref<6xi32>, %arg4 : memref<?x64xf32>, %arg5 : memref<1xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul {
    gpu.func @mxfp4_grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>, %arg6: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>, nvvm.minctasm = 1 : i32} {
      %cst = arith.constant dense<0.000000e+00> : vector<1x1x4xf32>
      %c10 = arith.constant 10 : index
      %c7 = arith.constant 7 : index
      %c31_i32 = arith.constant 31 : i32
      %c16_i32 = arith.constant 16 : i32
      %c4_i32 = arith.constant 4 : i32
      %c2_i32 = arith.constant 2 : i32
      %c32_i32 = arith.constant 32 : i32
      %c1_i32 = arith.constant 1 : i32
      %c8_i32 = arith.constant 8 : i32
      %c-1_i32 = arith.constant -1 : i32
      %c5 = arith.constant 5 : index
      %c1 = arith.constant 1 : index
      %c0_i32 = arith.constant 0 : i32
      %c6 = arith.constant 6 : index
      %c32 = arith.constant 32 : index
      %c9600 = arith.constant 9600 : index
      %c3072 = arith.constant 3072 : index
      %c0 = arith.constant 0 : index
      %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
      %view_0 = memref.view %0[%c3072][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
      %view_1 = memref.view %0[%c9600][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8xi32, #gpu.address_space<workgroup>>
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %thread_id_x = gpu.thread_id  x
      %1 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %1 {
        %4 = arith.minui %thread_id_x, %c6 : index
        %5 = memref.load %arg2[%4] : memref<7xi32>
        %6 = arith.addi %thread_id_x, %c1 : index
        %7 = arith.minui %6, %c6 : index
        %8 = memref.load %arg2[%7] : memref<7xi32>
        %9 = arith.cmpi eq, %thread_id_x, %c0 : index
        %10 = arith.cmpi uge, %thread_id_x, %c5 : index
        %11 = arith.cmpi ne, %5, %c0_i32 : i32
        %12 = arith.andi %9, %11 : i1
        %13 = arith.cmpi ne, %8, %arg6 : i32
        %14 = arith.andi %10, %13 : i1
        %15 = arith.ori %12, %14 : i1
        %16 = arith.cmpi sgt, %5, %8 : i32
        %17 = arith.ori %15, %16 : i1
        %18 = nvvm.vote.sync  any %c-1_i32, %17 -> i1
        %19 = arith.subi %8, %5 : i32
        %20 = arith.ceildivui %19, %c8_i32 : i32
        %shuffleResult, %valid = gpu.shuffle  up %20, %c1_i32, %c32_i32 : i32
        %21 = arith.select %valid, %shuffleResult, %c0_i32 : i32
        %22 = arith.addi %20, %21 : i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  up %22, %c2_i32, %c32_i32 : i32
        %23 = arith.select %valid_3, %shuffleResult_2, %c0_i32 : i32
        %24 = arith.addi %22, %23 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  up %24, %c4_i32, %c32_i32 : i32
        %25 = arith.select %valid_5, %shuffleResult_4, %c0_i32 : i32
        %26 = arith.addi %24, %25 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  up %26, %c8_i32, %c32_i32 : i32
        %27 = arith.select %valid_7, %shuffleResult_6, %c0_i32 : i32
        %28 = arith.addi %26, %27 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  up %28, %c16_i32, %c32_i32 : i32
        %29 = arith.select %valid_9, %shuffleResult_8, %c0_i32 : i32
        %30 = arith.addi %28, %29 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  idx %30, %c31_i32, %c32_i32 : i32
        %31 = arith.cmpi ult, %thread_id_x, %c6 : index
        scf.if %31 {
          memref.store %30, %view_1[%6] : memref<8xi32, #gpu.address_space<workgroup>>
        }
        %32 = arith.select %18, %c0_i32, %shuffleResult_10 : i32
        scf.if %9 {
          memref.store %c0_i32, %view_1[%c0] : memref<8xi32, #gpu.address_space<workgroup>>
          memref.store %32, %view_1[%c7] : memref<8xi32, #gpu.address_space<workgroup>>
          scf.if %18 {
            %33 = memref.atomic_rmw ori %c1_i32, %arg5[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %2 = memref.load %view_1[%c7] : memref<8xi32, #gpu.address_space<workgroup>>
      %3 = arith.index_cast %2 : i32 to index
      scf.for %arg7 = %block_id_x to %3 step %grid_dim_x {
        %expert, %row, %valid, %column = mxfp4.locate_tile %arg7 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
        %4 = arith.cmpi sge, %expert, %c0 : index
        %5 = scf.if %4 -> (vector<1x1x4xf32>) {
          %6 = scf.for %arg8 = %c0 to %c10 step %c1 iter_args(%arg9 = %cst) -> (vector<1x1x4xf32>) {
            mxfp4.copy_weights %arg1[%expert, %column, %arg8] to %view_0[%c0] : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            mxfp4.copy_activations %arg0[%row, %arg8] valid(%valid) to %view[%c0] : memref<?x640xbf16> to memref<3x8x64xbf16, #gpu.address_space<workgroup>>
            nvvm.cp.async.commit.group
            nvvm.cp.async.wait.group 0
            gpu.barrier
            %7 = mxfp4.tile_matmul %arg9, %view_0, %view at[%c0] tokens(%valid) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : vector<1x1x4xf32>, memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<3x8x64xbf16, #gpu.address_space<workgroup>>
            gpu.barrier
            scf.yield %7 : vector<1x1x4xf32>
          } {mxfp4.stages = 3 : i64}
          scf.yield %6 : vector<1x1x4xf32>
        } else {
          scf.yield %cst : vector<1x1x4xf32>
        }
        mxfp4.store_tile %5 to %arg4[%row, %column] valid(%valid) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>} : vector<1x1x4xf32> to memref<?x64xf32>
      }
      gpu.return
    }
  }
}

