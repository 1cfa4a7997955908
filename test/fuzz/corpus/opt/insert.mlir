// builtin.module(gpu.module(mxfp4-insert-decode))
module attributes {gpu.container_module} {
  func.func @grouped_matmul(%arg0: memref<?x96xbf16>, %arg1: memref<4x2x2x!mxfp4.block<spread, folded>>, %arg2: memref<5xi32>, %arg3: memref<?x100xbf16>, %arg4: memref<1xi32>) {
    %c128 = arith.constant 128 : index
    %c528 = arith.constant 528 : index
    %c31392_i32 = arith.constant 31392 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x96xbf16>
    %0 = arith.index_cast %dim : index to i32
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c528, %c1, %c1) threads in (%c128, %c1, %c1)  dynamic_shared_memory_size %c31392_i32 args(%arg0 : memref<?x96xbf16>, %arg1 : memref<4x2x2x!mxfp4.block<spread, folded>>, %arg2 : memref<5xi32>, %arg3 : memref<?x100xbf16>, %arg4 : memref<1xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul {
    gpu.func @mxfp4_grouped_matmul(%arg0: memref<?x96xbf16>, %arg1: memref<4x2x2x!mxfp4.block<spread, folded>>, %arg2: memref<5xi32>, %arg3: memref<?x100xbf16>, %arg4: memref<1xi32>, %arg5: i32) kernel attributes {known_block_size = array<i32: 128, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 4>, nvvm.minctasm = 4 : i32} {
      %c5 = arith.constant 5 : index
      %cst = arith.constant dense<0.000000e+00> : vector<1x4x4xf32>
      %c2 = arith.constant 2 : index
      %false = arith.constant false
      %c16_i32 = arith.constant 16 : i32
      %c8_i32 = arith.constant 8 : i32
      %c4_i32 = arith.constant 4 : i32
      %c2_i32 = arith.constant 2 : i32
      %c32_i32 = arith.constant 32 : i32
      %c1_i32 = arith.constant 1 : i32
      %c1 = arith.constant 1 : index
      %c3 = arith.constant 3 : index
      %c0_i32 = arith.constant 0 : i32
      %c4 = arith.constant 4 : index
      %c32 = arith.constant 32 : index
      %c31360 = arith.constant 31360 : index
      %c20480 = arith.constant 20480 : index
      %c0 = arith.constant 0 : index
      %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5x32x64xbf16, #gpu.address_space<workgroup>>
      %view_0 = memref.view %0[%c20480][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
      %view_1 = memref.view %0[%c31360][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5xi32, #gpu.address_space<workgroup>>
      %thread_id_x = gpu.thread_id  x
      %1 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %1 {
        %5 = arith.minui %thread_id_x, %c3 : index
        %6 = memref.load %arg2[%5] : memref<5xi32>
        %7 = arith.addi %5, %c1 : index
        %8 = memref.load %arg2[%7] : memref<5xi32>
        %9 = arith.cmpi eq, %5, %c0 : index
        %10 = arith.cmpi eq, %5, %c3 : index
        %11 = arith.cmpi sgt, %6, %8 : i32
        %12 = arith.cmpi ne, %6, %c0_i32 : i32
        %13 = arith.andi %9, %12 : i1
        %14 = arith.cmpi ne, %8, %arg5 : i32
        %15 = arith.andi %10, %14 : i1
        %16 = arith.ori %11, %13 : i1
        %17 = arith.ori %16, %15 : i1
        %18 = arith.extui %17 : i1 to i32
        %shuffleResult, %valid = gpu.shuffle  xor %18, %c1_i32, %c32_i32 : i32
        %19 = arith.ori %18, %shuffleResult : i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  xor %19, %c2_i32, %c32_i32 : i32
        %20 = arith.ori %19, %shuffleResult_2 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  xor %20, %c4_i32, %c32_i32 : i32
        %21 = arith.ori %20, %shuffleResult_4 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  xor %21, %c8_i32, %c32_i32 : i32
        %22 = arith.ori %21, %shuffleResult_6 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  xor %22, %c16_i32, %c32_i32 : i32
        %23 = arith.ori %22, %shuffleResult_8 : i32
        %24 = arith.cmpi ne, %23, %c0_i32 : i32
        %25 = arith.cmpi ult, %thread_id_x, %c4 : index
        %26 = arith.subi %8, %6 : i32
        %27 = arith.ceildivui %26, %c32_i32 : i32
        %28 = arith.cmpi eq, %24, %false : i1
        %29 = arith.andi %25, %28 : i1
        %30 = arith.select %29, %27, %c0_i32 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  up %30, %c1_i32, %c32_i32 : i32
        %31 = arith.select %valid_11, %shuffleResult_10, %c0_i32 : i32
        %32 = arith.addi %30, %31 : i32
        %shuffleResult_12, %valid_13 = gpu.shuffle  up %32, %c2_i32, %c32_i32 : i32
        %33 = arith.select %valid_13, %shuffleResult_12, %c0_i32 : i32
        %34 = arith.addi %32, %33 : i32
        %shuffleResult_14, %valid_15 = gpu.shuffle  up %34, %c4_i32, %c32_i32 : i32
        %35 = arith.select %valid_15, %shuffleResult_14, %c0_i32 : i32
        %36 = arith.addi %34, %35 : i32
        %shuffleResult_16, %valid_17 = gpu.shuffle  up %36, %c8_i32, %c32_i32 : i32
        %37 = arith.select %valid_17, %shuffleResult_16, %c0_i32 : i32
        %38 = arith.addi %36, %37 : i32
        %shuffleResult_18, %valid_19 = gpu.shuffle  up %38, %c16_i32, %c32_i32 : i32
        %39 = arith.select %valid_19, %shuffleResult_18, %c0_i32 : i32
        %40 = arith.addi %38, %39 : i32
        scf.if %25 {
          memref.store %40, %view_1[%7] : memref<5xi32, #gpu.address_space<workgroup>>
        }
        %41 = arith.cmpi eq, %thread_id_x, %c0 : index
        scf.if %41 {
          memref.store %c0_i32, %view_1[%c0] : memref<5xi32, #gpu.address_space<workgroup>>
          scf.if %24 {
            %42 = memref.atomic_rmw ori %c1_i32, %arg4[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %2 = memref.load %view_1[%c4] : memref<5xi32, #gpu.address_space<workgroup>>
      %3 = arith.index_cast %2 : i32 to index
      %4 = arith.muli %3, %c2 : index
      scf.for %arg6 = %block_id_x to %4 step %grid_dim_x {
        %5 = arith.divui %arg6, %c2 : index
        %6 = arith.remui %arg6, %c2 : index
        %7 = arith.index_cast %5 : index to i32
        %8 = memref.load %view_1[%c2] : memref<5xi32, #gpu.address_space<workgroup>>
        %9 = arith.cmpi sle, %8, %7 : i32
        %10 = arith.select %9, %c2, %c0 : index
        %11 = arith.addi %10, %c1 : index
        %12 = arith.minui %11, %c4 : index
        %13 = memref.load %view_1[%12] : memref<5xi32, #gpu.address_space<workgroup>>
        %14 = arith.cmpi sle, %13, %7 : i32
        %15 = arith.select %14, %12, %10 : index
        %16 = memref.load %view_1[%15] : memref<5xi32, #gpu.address_space<workgroup>>
        %17 = arith.index_cast %16 : i32 to index
        %18 = arith.subi %5, %17 : index
        %19 = memref.load %arg2[%15] : memref<5xi32>
        %20 = arith.index_cast %19 : i32 to index
        %21 = arith.addi %15, %c1 : index
        %22 = memref.load %arg2[%21] : memref<5xi32>
        %23 = arith.index_cast %22 : i32 to index
        %24 = arith.muli %18, %c32 : index
        %25 = arith.addi %20, %24 : index
        %26 = arith.subi %23, %25 : index
        %27 = arith.minui %26, %c32 : index
        mxfp4.copy_weights %arg1[%15, %6, %c0] to %view_0[%c0] : memref<4x2x2x!mxfp4.block<spread, folded>> to memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
        mxfp4.copy_activations %arg0[%25, %c0] valid(%27) to %view[%c0] : memref<?x96xbf16> to memref<5x32x64xbf16, #gpu.address_space<workgroup>>
        nvvm.cp.async.commit.group
        mxfp4.copy_weights %arg1[%15, %6, %c1] to %view_0[%c1] : memref<4x2x2x!mxfp4.block<spread, folded>> to memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
        mxfp4.copy_activations %arg0[%25, %c1] valid(%27) to %view[%c1] : memref<?x96xbf16> to memref<5x32x64xbf16, #gpu.address_space<workgroup>>
        nvvm.cp.async.commit.group
        nvvm.cp.async.commit.group
        nvvm.cp.async.commit.group
        %28:3 = scf.for %arg7 = %c0 to %c2 step %c1 iter_args(%arg8 = %cst, %arg9 = %c0, %arg10 = %c4) -> (vector<1x4x4xf32>, index, index) {
          nvvm.cp.async.wait.group 3
          gpu.barrier
          %29 = arith.addi %arg7, %c4 : index
          %30 = arith.cmpi ult, %29, %c2 : index
          scf.if %30 {
            mxfp4.copy_weights %arg1[%15, %6, %29] to %view_0[%arg10] : memref<4x2x2x!mxfp4.block<spread, folded>> to memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
            mxfp4.copy_activations %arg0[%25, %29] valid(%27) to %view[%arg10] : memref<?x96xbf16> to memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          }
          nvvm.cp.async.commit.group
          %31 = mxfp4.tile_matmul %arg8, %view_0, %view at[%arg9] {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 4>} : vector<1x4x4xf32>, memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %32 = arith.addi %arg9, %c1 : index
          %33 = arith.cmpi eq, %32, %c5 : index
          %34 = arith.select %33, %c0, %32 : index
          %35 = arith.addi %arg10, %c1 : index
          %36 = arith.cmpi eq, %35, %c5 : index
          %37 = arith.select %36, %c0, %35 : index
          scf.yield %31, %34, %37 : vector<1x4x4xf32>, index, index
        }
        gpu.barrier
        mxfp4.store_tile %28#0 to %arg3[%25, %6] valid(%27) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 4>} : vector<1x4x4xf32> to memref<?x100xbf16>
      }
      gpu.return
    }
  }
}

