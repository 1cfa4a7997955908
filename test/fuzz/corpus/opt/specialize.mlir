// builtin.module(mxfp4-specialize-warps)
module attributes {gpu.container_module} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>) {
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    %c1 = arith.constant 1 : index
    %c62752_i32 = arith.constant 62752 : i32
    %c264 = arith.constant 264 : index
    %c160 = arith.constant 160 : index
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c264, %c1, %c1) threads in (%c160, %c1, %c1)  dynamic_shared_memory_size %c62752_i32 args(%arg0 : memref<?x640xbf16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<7xi32>, %arg3 : memref<6xi32>, %arg4 : memref<?x64xf32>, %arg5 : memref<1xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul {
    gpu.func @mxfp4_grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>, %arg6: i32) kernel attributes {known_block_size = array<i32: 160, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 2>, nvvm.minctasm = 2 : i32} {
      %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %c0 = arith.constant 0 : index
      %view = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5x64x64xbf16, #gpu.address_space<workgroup>>
      %c40960 = arith.constant 40960 : index
      %view_0 = memref.view %0[%c40960][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
      %c62720 = arith.constant 62720 : index
      %view_1 = memref.view %0[%c62720][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<7xi32, #gpu.address_space<workgroup>>
      %thread_id_x = gpu.thread_id  x
      %c32 = arith.constant 32 : index
      %1 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %1 {
        %c0_2 = arith.constant 0 : index
        %c6_3 = arith.constant 6 : index
        %c32_4 = arith.constant 32 : index
        %c0_i32 = arith.constant 0 : i32
        %5 = scf.for %arg7 = %c0_2 to %c6_3 step %c32_4 iter_args(%arg8 = %c0_i32) -> (i32) {
          %14 = arith.addi %arg7, %thread_id_x : index
          %c6_23 = arith.constant 6 : index
          %15 = arith.cmpi ult, %14, %c6_23 : index
          %c5 = arith.constant 5 : index
          %16 = arith.minui %14, %c5 : index
          %17 = memref.load %arg2[%16] : memref<7xi32>
          %c1_24 = arith.constant 1 : index
          %18 = arith.addi %16, %c1_24 : index
          %19 = memref.load %arg2[%18] : memref<7xi32>
          %c0_25 = arith.constant 0 : index
          %20 = arith.cmpi eq, %16, %c0_25 : index
          %c5_26 = arith.constant 5 : index
          %21 = arith.cmpi eq, %16, %c5_26 : index
          %22 = arith.cmpi sgt, %17, %19 : i32
          %c0_i32_27 = arith.constant 0 : i32
          %23 = arith.cmpi ne, %17, %c0_i32_27 : i32
          %24 = arith.andi %20, %23 : i1
          %25 = arith.cmpi ne, %19, %arg6 : i32
          %26 = arith.andi %21, %25 : i1
          %27 = arith.ori %22, %24 : i1
          %28 = arith.ori %27, %26 : i1
          %29 = arith.extui %28 : i1 to i32
          %30 = arith.ori %arg8, %29 : i32
          scf.yield %30 : i32
        }
        %c1_i32 = arith.constant 1 : i32
        %c32_i32 = arith.constant 32 : i32
        %shuffleResult, %valid = gpu.shuffle  xor %5, %c1_i32, %c32_i32 : i32
        %6 = arith.ori %5, %shuffleResult : i32
        %c2_i32 = arith.constant 2 : i32
        %c32_i32_5 = arith.constant 32 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  xor %6, %c2_i32, %c32_i32_5 : i32
        %7 = arith.ori %6, %shuffleResult_6 : i32
        %c4_i32 = arith.constant 4 : i32
        %c32_i32_8 = arith.constant 32 : i32
        %shuffleResult_9, %valid_10 = gpu.shuffle  xor %7, %c4_i32, %c32_i32_8 : i32
        %8 = arith.ori %7, %shuffleResult_9 : i32
        %c8_i32 = arith.constant 8 : i32
        %c32_i32_11 = arith.constant 32 : i32
        %shuffleResult_12, %valid_13 = gpu.shuffle  xor %8, %c8_i32, %c32_i32_11 : i32
        %9 = arith.ori %8, %shuffleResult_12 : i32
        %c16_i32 = arith.constant 16 : i32
        %c32_i32_14 = arith.constant 32 : i32
        %shuffleResult_15, %valid_16 = gpu.shuffle  xor %9, %c16_i32, %c32_i32_14 : i32
        %10 = arith.ori %9, %shuffleResult_15 : i32
        %c0_i32_17 = arith.constant 0 : i32
        %11 = arith.cmpi ne, %10, %c0_i32_17 : i32
        %c0_18 = arith.constant 0 : index
        %c6_19 = arith.constant 6 : index
        %c32_20 = arith.constant 32 : index
        %c0_i32_21 = arith.constant 0 : i32
        %12 = scf.for %arg7 = %c0_18 to %c6_19 step %c32_20 iter_args(%arg8 = %c0_i32_21) -> (i32) {
          %14 = arith.addi %arg7, %thread_id_x : index
          %c6_23 = arith.constant 6 : index
          %15 = arith.cmpi ult, %14, %c6_23 : index
          %c5 = arith.constant 5 : index
          %16 = arith.minui %14, %c5 : index
          %17 = memref.load %arg2[%16] : memref<7xi32>
          %c1_24 = arith.constant 1 : index
          %18 = arith.addi %16, %c1_24 : index
          %19 = memref.load %arg2[%18] : memref<7xi32>
          %20 = arith.subi %19, %17 : i32
          %c64_i32 = arith.constant 64 : i32
          %21 = arith.ceildivui %20, %c64_i32 : i32
          %false = arith.constant false
          %22 = arith.cmpi eq, %11, %false : i1
          %23 = arith.andi %15, %22 : i1
          %c0_i32_25 = arith.constant 0 : i32
          %24 = arith.select %23, %21, %c0_i32_25 : i32
          %c1_i32_26 = arith.constant 1 : i32
          %c32_i32_27 = arith.constant 32 : i32
          %shuffleResult_28, %valid_29 = gpu.shuffle  up %24, %c1_i32_26, %c32_i32_27 : i32
          %c0_i32_30 = arith.constant 0 : i32
          %25 = arith.select %valid_29, %shuffleResult_28, %c0_i32_30 : i32
          %26 = arith.addi %24, %25 : i32
          %c2_i32_31 = arith.constant 2 : i32
          %c32_i32_32 = arith.constant 32 : i32
          %shuffleResult_33, %valid_34 = gpu.shuffle  up %26, %c2_i32_31, %c32_i32_32 : i32
          %c0_i32_35 = arith.constant 0 : i32
          %27 = arith.select %valid_34, %shuffleResult_33, %c0_i32_35 : i32
          %28 = arith.addi %26, %27 : i32
          %c4_i32_36 = arith.constant 4 : i32
          %c32_i32_37 = arith.constant 32 : i32
          %shuffleResult_38, %valid_39 = gpu.shuffle  up %28, %c4_i32_36, %c32_i32_37 : i32
          %c0_i32_40 = arith.constant 0 : i32
          %29 = arith.select %valid_39, %shuffleResult_38, %c0_i32_40 : i32
          %30 = arith.addi %28, %29 : i32
          %c8_i32_41 = arith.constant 8 : i32
          %c32_i32_42 = arith.constant 32 : i32
          %shuffleResult_43, %valid_44 = gpu.shuffle  up %30, %c8_i32_41, %c32_i32_42 : i32
          %c0_i32_45 = arith.constant 0 : i32
          %31 = arith.select %valid_44, %shuffleResult_43, %c0_i32_45 : i32
          %32 = arith.addi %30, %31 : i32
          %c16_i32_46 = arith.constant 16 : i32
          %c32_i32_47 = arith.constant 32 : i32
          %shuffleResult_48, %valid_49 = gpu.shuffle  up %32, %c16_i32_46, %c32_i32_47 : i32
          %c0_i32_50 = arith.constant 0 : i32
          %33 = arith.select %valid_49, %shuffleResult_48, %c0_i32_50 : i32
          %34 = arith.addi %32, %33 : i32
          scf.if %15 {
            %c1_54 = arith.constant 1 : index
            %36 = arith.addi %16, %c1_54 : index
            %37 = arith.addi %arg8, %34 : i32
            memref.store %37, %view_1[%36] : memref<7xi32, #gpu.address_space<workgroup>>
          }
          %c31_i32 = arith.constant 31 : i32
          %c32_i32_51 = arith.constant 32 : i32
          %shuffleResult_52, %valid_53 = gpu.shuffle  idx %34, %c31_i32, %c32_i32_51 : i32
          %35 = arith.addi %arg8, %shuffleResult_52 : i32
          scf.yield %35 : i32
        }
        %c0_22 = arith.constant 0 : index
        %13 = arith.cmpi eq, %thread_id_x, %c0_22 : index
        scf.if %13 {
          %c0_i32_23 = arith.constant 0 : i32
          %c0_24 = arith.constant 0 : index
          memref.store %c0_i32_23, %view_1[%c0_24] : memref<7xi32, #gpu.address_space<workgroup>>
          scf.if %11 {
            %c1_i32_25 = arith.constant 1 : i32
            %c0_26 = arith.constant 0 : index
            %14 = memref.atomic_rmw ori %c1_i32_25, %arg5[%c0_26] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %c6 = arith.constant 6 : index
      %2 = memref.load %view_1[%c6] : memref<7xi32, #gpu.address_space<workgroup>>
      %3 = arith.index_cast %2 : i32 to index
      %c1 = arith.constant 1 : index
      %4 = arith.muli %3, %c1 : index
      scf.for %arg7 = %block_id_x to %4 step %grid_dim_x {
        %c1_2 = arith.constant 1 : index
        %5 = arith.divui %arg7, %c1_2 : index
        %6 = arith.remui %arg7, %c1_2 : index
        %7 = arith.index_cast %5 : index to i32
        %c0_3 = arith.constant 0 : index
        %c4 = arith.constant 4 : index
        %8 = arith.addi %c0_3, %c4 : index
        %c6_4 = arith.constant 6 : index
        %9 = arith.minui %8, %c6_4 : index
        %10 = memref.load %view_1[%9] : memref<7xi32, #gpu.address_space<workgroup>>
        %11 = arith.cmpi sle, %10, %7 : i32
        %12 = arith.select %11, %9, %c0_3 : index
        %c2 = arith.constant 2 : index
        %13 = arith.addi %12, %c2 : index
        %c6_5 = arith.constant 6 : index
        %14 = arith.minui %13, %c6_5 : index
        %15 = memref.load %view_1[%14] : memref<7xi32, #gpu.address_space<workgroup>>
        %16 = arith.cmpi sle, %15, %7 : i32
        %17 = arith.select %16, %14, %12 : index
        %c1_6 = arith.constant 1 : index
        %18 = arith.addi %17, %c1_6 : index
        %c6_7 = arith.constant 6 : index
        %19 = arith.minui %18, %c6_7 : index
        %20 = memref.load %view_1[%19] : memref<7xi32, #gpu.address_space<workgroup>>
        %21 = arith.cmpi sle, %20, %7 : i32
        %22 = arith.select %21, %19, %17 : index
        %23 = memref.load %view_1[%22] : memref<7xi32, #gpu.address_space<workgroup>>
        %24 = arith.index_cast %23 : i32 to index
        %25 = arith.subi %5, %24 : index
        %26 = memref.load %arg2[%22] : memref<7xi32>
        %27 = arith.index_cast %26 : i32 to index
        %c1_8 = arith.constant 1 : index
        %28 = arith.addi %22, %c1_8 : index
        %29 = memref.load %arg2[%28] : memref<7xi32>
        %30 = arith.index_cast %29 : i32 to index
        %c64 = arith.constant 64 : index
        %31 = arith.muli %25, %c64 : index
        %32 = arith.addi %27, %31 : index
        %33 = arith.subi %30, %32 : index
        %c64_9 = arith.constant 64 : index
        %34 = arith.minui %33, %c64_9 : index
        %35 = memref.load %arg3[%22] : memref<6xi32>
        %c4_i32 = arith.constant 4 : i32
        %36 = arith.cmpi ult, %35, %c4_i32 : i32
        %c-1_i32 = arith.constant -1 : i32
        %37 = arith.cmpi eq, %35, %c-1_i32 : i32
        %38 = arith.ori %36, %37 : i1
        %c0_10 = arith.constant 0 : index
        %39 = arith.select %38, %34, %c0_10 : index
        %true = arith.constant true
        %40 = arith.xori %38, %true : i1
        scf.if %40 {
          %c2_i32 = arith.constant 2 : i32
          %c0_11 = arith.constant 0 : index
          %43 = memref.atomic_rmw ori %c2_i32, %arg5[%c0_11] : (i32, memref<1xi32>) -> i32
        }
        %41 = arith.index_cast %35 : i32 to index
        %42 = scf.if %36 -> (vector<2x8x4xf32>) {
          %c2_11 = arith.constant 2 : index
          %43 = arith.muli %6, %c2_11 : index
          %c0_12 = arith.constant 0 : index
          %c10 = arith.constant 10 : index
          %c1_13 = arith.constant 1 : index
          %cst = arith.constant dense<0.000000e+00> : vector<2x8x4xf32>
          %44 = scf.for %arg8 = %c0_12 to %c10 step %c1_13 iter_args(%arg9 = %cst) -> (vector<2x8x4xf32>) {
            %c0_14 = arith.constant 0 : index
            mxfp4.copy_weights %arg1[%41, %43, %arg8] to %view_0[%c0_14] : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            mxfp4.copy_activations %arg0[%32, %arg8] valid(%39) to %view[%c0_14] : memref<?x640xbf16> to memref<5x64x64xbf16, #gpu.address_space<workgroup>>
            nvvm.cp.async.commit.group
            nvvm.cp.async.wait.group 0
            gpu.barrier
            %45 = mxfp4.tile_matmul %arg9, %view_0, %view at[%c0_14] {schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 2>} : vector<2x8x4xf32>, memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
            gpu.barrier
            scf.yield %45 : vector<2x8x4xf32>
          } {mxfp4.stages = 5 : i64}
          scf.yield %44 : vector<2x8x4xf32>
        } else {
          %cst = arith.constant dense<0.000000e+00> : vector<2x8x4xf32>
          scf.yield %cst : vector<2x8x4xf32>
        }
        mxfp4.store_tile %42 to %arg4[%32, %6] valid(%39) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 2>} : vector<2x8x4xf32> to memref<?x64xf32>
      }
      gpu.return
    }
  }
}

