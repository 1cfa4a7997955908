// builtin.module(gpu.module(mxfp4-share-tiles))
module attributes {gpu.container_module} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>) {
    %c224 = arith.constant 224 : index
    %c132 = arith.constant 132 : index
    %c25120_i32 = arith.constant 25120 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    %1 = mxfp4.make_tensor_map %arg0 : memref<?x640xbf16> -> <32 by 16>
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c132, %c1, %c1) threads in (%c224, %c1, %c1)  dynamic_shared_memory_size %c25120_i32 args(%1 : !mxfp4.tensor_map<32 by 16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<7xi32>, %arg3 : memref<6xi32>, %arg4 : memref<?x64xf32>, %arg5 : memref<1xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul {
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<32 by 16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>, %arg6: i32) workgroup(%arg7 : memref<4xi64, #gpu.address_space<workgroup>>, %arg8 : memref<4xi64, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 224, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16>, nvvm.minctasm = 1 : i32} {
      %c2176_i32 = arith.constant 2176 : i32
      %c2048_i32 = arith.constant 2048 : i32
      %c4 = arith.constant 4 : index
      %c0 = arith.constant 0 : index
      %c16384 = arith.constant 16384 : index
      %c25088 = arith.constant 25088 : index
      %c32 = arith.constant 32 : index
      %c6 = arith.constant 6 : index
      %c0_i32 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c5 = arith.constant 5 : index
      %c-1_i32 = arith.constant -1 : i32
      %c32_i32 = arith.constant 32 : i32
      %c1_i32 = arith.constant 1 : i32
      %c2_i32 = arith.constant 2 : i32
      %c4_i32 = arith.constant 4 : i32
      %c8_i32 = arith.constant 8 : i32
      %c16_i32 = arith.constant 16 : i32
      %c31_i32 = arith.constant 31 : i32
      %c7 = arith.constant 7 : index
      %c10 = arith.constant 10 : index
      %cst = arith.constant dense<0.000000e+00> : vector<1x4x4xf32>
      mxfp4.init_barriers %arg7 count 1 : memref<4xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg8 count 4 : memref<4xi64, #gpu.address_space<workgroup>>
      nvvm.fence.mbarrier.init
      %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>
      %view_0 = memref.view %0[%c16384][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
      %view_1 = memref.view %0[%c25088][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8xi32, #gpu.address_space<workgroup>>
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %thread_id_x = gpu.thread_id  x
      %1 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %1 {
        %8 = arith.minui %thread_id_x, %c6 : index
        %9 = memref.load %arg2[%8] : memref<7xi32>
        %10 = arith.addi %thread_id_x, %c1 : index
        %11 = arith.minui %10, %c6 : index
        %12 = memref.load %arg2[%11] : memref<7xi32>
        %13 = arith.cmpi eq, %thread_id_x, %c0 : index
        %14 = arith.cmpi uge, %thread_id_x, %c5 : index
        %15 = arith.cmpi ne, %9, %c0_i32 : i32
        %16 = arith.andi %13, %15 : i1
        %17 = arith.cmpi ne, %12, %arg6 : i32
        %18 = arith.andi %14, %17 : i1
        %19 = arith.ori %16, %18 : i1
        %20 = arith.cmpi sgt, %9, %12 : i32
        %21 = arith.ori %19, %20 : i1
        %22 = nvvm.vote.sync  any %c-1_i32, %21 -> i1
        %23 = arith.subi %12, %9 : i32
        %24 = arith.ceildivui %23, %c32_i32 : i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  up %24, %c1_i32, %c32_i32 : i32
        %25 = arith.select %valid_3, %shuffleResult_2, %c0_i32 : i32
        %26 = arith.addi %24, %25 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  up %26, %c2_i32, %c32_i32 : i32
        %27 = arith.select %valid_5, %shuffleResult_4, %c0_i32 : i32
        %28 = arith.addi %26, %27 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  up %28, %c4_i32, %c32_i32 : i32
        %29 = arith.select %valid_7, %shuffleResult_6, %c0_i32 : i32
        %30 = arith.addi %28, %29 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  up %30, %c8_i32, %c32_i32 : i32
        %31 = arith.select %valid_9, %shuffleResult_8, %c0_i32 : i32
        %32 = arith.addi %30, %31 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  up %32, %c16_i32, %c32_i32 : i32
        %33 = arith.select %valid_11, %shuffleResult_10, %c0_i32 : i32
        %34 = arith.addi %32, %33 : i32
        %shuffleResult_12, %valid_13 = gpu.shuffle  idx %34, %c31_i32, %c32_i32 : i32
        %35 = arith.cmpi ult, %thread_id_x, %c6 : index
        scf.if %35 {
          memref.store %34, %view_1[%10] : memref<8xi32, #gpu.address_space<workgroup>>
        }
        %36 = arith.select %22, %c0_i32, %shuffleResult_12 : i32
        scf.if %13 {
          memref.store %c0_i32, %view_1[%c0] : memref<8xi32, #gpu.address_space<workgroup>>
          memref.store %36, %view_1[%c7] : memref<8xi32, #gpu.address_space<workgroup>>
          scf.if %22 {
            %37 = memref.atomic_rmw ori %c1_i32, %arg5[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %2 = memref.load %view_1[%c7] : memref<8xi32, #gpu.address_space<workgroup>>
      %3 = arith.index_cast %2 : i32 to index
      %4 = arith.divui %thread_id_x, %c32 : index
      %5 = arith.index_cast %4 : index to i32
      %shuffleResult, %valid = gpu.shuffle  idx %5, %c0_i32, %c32_i32 : i32
      %6 = arith.index_cast %shuffleResult : i32 to index
      %7 = arith.cmpi uge, %6, %c4 : index
      scf.if %7 {
        %8 = arith.cmpi eq, %6, %c6 : index
        scf.if %8 {
          %10 = nvvm.elect.sync -> i1
          scf.if %10 {
            scf.for %arg9 = %block_id_x to %3 step %grid_dim_x {
              %expert, %row, %valid_2, %column = mxfp4.locate_tile %arg9 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
            } {mxfp4.role = "schedule"}
          }
        }
        %9 = arith.cmpi ult, %6, %c6 : index
        scf.if %9 {
          %10 = nvvm.elect.sync -> i1
          scf.if %10 {
            %11 = arith.subi %6, %c4 : index
            %12:2 = scf.for %arg9 = %block_id_x to %3 step %grid_dim_x iter_args(%arg10 = %c0, %arg11 = %c0_i32) -> (index, i32) {
              %expert, %row, %valid_2, %column = mxfp4.locate_tile %arg9 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
              %13 = arith.cmpi sge, %expert, %c0 : index
              %14:2 = scf.if %13 -> (index, i32) {
                %15:2 = scf.for %arg12 = %c0 to %c10 step %c1 iter_args(%arg13 = %arg10, %arg14 = %arg11) -> (index, i32) {
                  %16 = arith.xori %arg14, %c1_i32 : i32
                  mxfp4.wait_barrier %arg8[%arg13] parity %16 : memref<4xi64, #gpu.address_space<workgroup>>
                  %17 = arith.cmpi eq, %11, %c0 : index
                  scf.if %17 {
                    %22 = arith.index_cast %valid_2 : index to i32
                    %23 = arith.ceildivui %22, %c16_i32 : i32
                    %24 = arith.muli %23, %c2048_i32 : i32
                    %25 = arith.addi %24, %c2176_i32 : i32
                    mxfp4.expect_bytes %arg7[%arg13] bytes(%25) : memref<4xi64, #gpu.address_space<workgroup>>
                    mxfp4.tensor_copy_activations %arg0[%row, %arg12] valid(%valid_2) to %view[%arg13] signal %arg7 : <32 by 16> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>, memref<4xi64, #gpu.address_space<workgroup>>
                  } else {
                    %22 = arith.subi %6, %c5 : index
                    mxfp4.bulk_copy_weights %arg1[%expert, %column, %arg12] to %view_0[%arg13] signal %arg7 part %22 of 1 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<4xi64, #gpu.address_space<workgroup>>
                  }
                  %18 = arith.addi %arg13, %c1 : index
                  %19 = arith.cmpi uge, %18, %c4 : index
                  %20 = arith.select %19, %c0, %18 : index
                  %21 = arith.select %19, %16, %arg14 : i32
                  scf.yield %20, %21 : index, i32
                }
                scf.yield %15#0, %15#1 : index, i32
              } else {
                scf.yield %arg10, %arg11 : index, i32
              }
              scf.yield %14#0, %14#1 : index, i32
            } {mxfp4.role = "copy"}
          }
        }
      } else {
        %8:2 = scf.for %arg9 = %block_id_x to %3 step %grid_dim_x iter_args(%arg10 = %c0, %arg11 = %c0_i32) -> (index, i32) {
          %expert, %row, %valid_2, %column = mxfp4.locate_tile %arg9 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
          %9 = arith.cmpi sge, %expert, %c0 : index
          %10:3 = scf.if %9 -> (vector<1x4x4xf32>, index, i32) {
            %11 = arith.index_cast %valid_2 : index to i32
            %shuffleResult_3, %valid_4 = gpu.shuffle  idx %11, %c0_i32, %c32_i32 : i32
            %12 = arith.index_cast %shuffleResult_3 : i32 to index
            %13:3 = scf.for %arg12 = %c0 to %c10 step %c1 iter_args(%arg13 = %cst, %arg14 = %arg10, %arg15 = %arg11) -> (vector<1x4x4xf32>, index, i32) {
              mxfp4.wait_barrier %arg7[%arg14] parity %arg15 : memref<4xi64, #gpu.address_space<workgroup>>
              %14 = mxfp4.tile_matmul %arg13, %view_0, %view at[%arg14] tokens(%12) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16>} : vector<1x4x4xf32>, memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
              mxfp4.arrive_barrier %arg8[%arg14] : memref<4xi64, #gpu.address_space<workgroup>>
              %15 = arith.addi %arg14, %c1 : index
              %16 = arith.cmpi uge, %15, %c4 : index
              %17 = arith.xori %arg15, %c1_i32 : i32
              %18 = arith.select %16, %c0, %15 : index
              %19 = arith.select %16, %17, %arg15 : i32
              scf.yield %14, %18, %19 : vector<1x4x4xf32>, index, i32
            } {mxfp4.overlap}
            scf.yield %13#0, %13#1, %13#2 : vector<1x4x4xf32>, index, i32
          } else {
            scf.yield %cst, %arg10, %arg11 : vector<1x4x4xf32>, index, i32
          }
          mxfp4.store_tile %10#0 to %arg4[%row, %column] valid(%valid_2) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16>} : vector<1x4x4xf32> to memref<?x64xf32>
          scf.yield %10#1, %10#2 : index, i32
        } {mxfp4.role = "multiply"}
      }
      gpu.return
    }
  }
}

