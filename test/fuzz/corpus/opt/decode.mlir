// builtin.module(gpu.module(mxfp4-lower-decode))
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
          %thread_id_x_2 = gpu.thread_id  x
          %c32_3 = arith.constant 32 : index
          %31 = arith.divui %thread_id_x_2, %c32_3 : index
          %c4_4 = arith.constant 4 : index
          %32 = arith.remui %31, %c4_4 : index
          %c4_5 = arith.constant 4 : index
          %33 = arith.divui %31, %c4_5 : index
          %c1_6 = arith.constant 1 : index
          %34 = arith.muli %32, %c1_6 : index
          %c32_7 = arith.constant 32 : index
          %35 = arith.muli %33, %c32_7 : index
          %c0_8 = arith.constant 0 : index
          %36 = arith.addi %34, %c0_8 : index
          %step0, %step1, %step2, %step3 = mxfp4.load_codes %view_0[%arg9, %36] : memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
          %37 = mxfp4.load_scales %view_0[%arg9, %36] : memref<5x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
          %38 = vector.extract %arg8[0, 0] : vector<4xf32> from vector<1x4x4xf32>
          %39 = vector.extract %arg8[0, 1] : vector<4xf32> from vector<1x4x4xf32>
          %40 = vector.extract %arg8[0, 2] : vector<4xf32> from vector<1x4x4xf32>
          %41 = vector.extract %arg8[0, 3] : vector<4xf32> from vector<1x4x4xf32>
          %r0, %r1, %r2, %r3 = mxfp4.decode %step0, %37 step 0 : !mxfp4.block<spread, folded>
          %r0_9, %r1_10, %r2_11, %r3_12 = mxfp4.decode %step1, %37 step 1 : !mxfp4.block<spread, folded>
          %c0_13 = arith.constant 0 : index
          %42 = arith.addi %35, %c0_13 : index
          %r0_14, %r1_15, %r2_16, %r3_17 = mxfp4.load_activations %view[%arg9, %42] slice 0 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %43 = mxfp4.mma a(%r0, %r1, %r2, %r3) b(%r0_14, %r1_15) c(%38)
          %44 = mxfp4.mma a(%r0_9, %r1_10, %r2_11, %r3_12) b(%r2_16, %r3_17) c(%43)
          %c8 = arith.constant 8 : index
          %45 = arith.addi %35, %c8 : index
          %r0_18, %r1_19, %r2_20, %r3_21 = mxfp4.load_activations %view[%arg9, %45] slice 0 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %46 = mxfp4.mma a(%r0, %r1, %r2, %r3) b(%r0_18, %r1_19) c(%39)
          %47 = mxfp4.mma a(%r0_9, %r1_10, %r2_11, %r3_12) b(%r2_20, %r3_21) c(%46)
          %c16 = arith.constant 16 : index
          %48 = arith.addi %35, %c16 : index
          %r0_22, %r1_23, %r2_24, %r3_25 = mxfp4.load_activations %view[%arg9, %48] slice 0 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %49 = mxfp4.mma a(%r0, %r1, %r2, %r3) b(%r0_22, %r1_23) c(%40)
          %50 = mxfp4.mma a(%r0_9, %r1_10, %r2_11, %r3_12) b(%r2_24, %r3_25) c(%49)
          %c24 = arith.constant 24 : index
          %51 = arith.addi %35, %c24 : index
          %r0_26, %r1_27, %r2_28, %r3_29 = mxfp4.load_activations %view[%arg9, %51] slice 0 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %52 = mxfp4.mma a(%r0, %r1, %r2, %r3) b(%r0_26, %r1_27) c(%41)
          %53 = mxfp4.mma a(%r0_9, %r1_10, %r2_11, %r3_12) b(%r2_28, %r3_29) c(%52)
          %r0_30, %r1_31, %r2_32, %r3_33 = mxfp4.decode %step2, %37 step 2 : !mxfp4.block<spread, folded>
          %r0_34, %r1_35, %r2_36, %r3_37 = mxfp4.decode %step3, %37 step 3 : !mxfp4.block<spread, folded>
          %c0_38 = arith.constant 0 : index
          %54 = arith.addi %35, %c0_38 : index
          %r0_39, %r1_40, %r2_41, %r3_42 = mxfp4.load_activations %view[%arg9, %54] slice 1 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %55 = mxfp4.mma a(%r0_30, %r1_31, %r2_32, %r3_33) b(%r0_39, %r1_40) c(%44)
          %56 = mxfp4.mma a(%r0_34, %r1_35, %r2_36, %r3_37) b(%r2_41, %r3_42) c(%55)
          %c8_43 = arith.constant 8 : index
          %57 = arith.addi %35, %c8_43 : index
          %r0_44, %r1_45, %r2_46, %r3_47 = mxfp4.load_activations %view[%arg9, %57] slice 1 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %58 = mxfp4.mma a(%r0_30, %r1_31, %r2_32, %r3_33) b(%r0_44, %r1_45) c(%47)
          %59 = mxfp4.mma a(%r0_34, %r1_35, %r2_36, %r3_37) b(%r2_46, %r3_47) c(%58)
          %c16_48 = arith.constant 16 : index
          %60 = arith.addi %35, %c16_48 : index
          %r0_49, %r1_50, %r2_51, %r3_52 = mxfp4.load_activations %view[%arg9, %60] slice 1 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %61 = mxfp4.mma a(%r0_30, %r1_31, %r2_32, %r3_33) b(%r0_49, %r1_50) c(%50)
          %62 = mxfp4.mma a(%r0_34, %r1_35, %r2_36, %r3_37) b(%r2_51, %r3_52) c(%61)
          %c24_53 = arith.constant 24 : index
          %63 = arith.addi %35, %c24_53 : index
          %r0_54, %r1_55, %r2_56, %r3_57 = mxfp4.load_activations %view[%arg9, %63] slice 1 : memref<5x32x64xbf16, #gpu.address_space<workgroup>>
          %64 = mxfp4.mma a(%r0_30, %r1_31, %r2_32, %r3_33) b(%r0_54, %r1_55) c(%53)
          %65 = mxfp4.mma a(%r0_34, %r1_35, %r2_36, %r3_37) b(%r2_56, %r3_57) c(%64)
          %66 = vector.insert %56, %arg8 [0, 0] : vector<4xf32> into vector<1x4x4xf32>
          %67 = vector.insert %59, %66 [0, 1] : vector<4xf32> into vector<1x4x4xf32>
          %68 = vector.insert %62, %67 [0, 2] : vector<4xf32> into vector<1x4x4xf32>
          %69 = vector.insert %65, %68 [0, 3] : vector<4xf32> into vector<1x4x4xf32>
          %70 = arith.addi %arg9, %c1 : index
          %71 = arith.cmpi eq, %70, %c5 : index
          %72 = arith.select %71, %c0, %70 : index
          %73 = arith.addi %arg10, %c1 : index
          %74 = arith.cmpi eq, %73, %c5 : index
          %75 = arith.select %74, %c0, %73 : index
          scf.yield %69, %72, %75 : vector<1x4x4xf32>, index, index
        }
        gpu.barrier
        mxfp4.store_tile %28#0 to %arg3[%25, %6] valid(%27) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 4>} : vector<1x4x4xf32> to memref<?x100xbf16>
      }
      gpu.return
    }
  }
}

