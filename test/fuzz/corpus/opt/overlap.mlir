// builtin.module(mxfp4-overlap-decode)
module attributes {gpu.container_module} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>) {
    %c160 = arith.constant 160 : index
    %c264 = arith.constant 264 : index
    %c62752_i32 = arith.constant 62752 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    %1 = mxfp4.make_tensor_map %arg0 : memref<?x640xbf16> -> <64>
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c264, %c1, %c1) threads in (%c160, %c1, %c1)  dynamic_shared_memory_size %c62752_i32 args(%1 : !mxfp4.tensor_map<64>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<7xi32>, %arg3 : memref<6xi32>, %arg4 : memref<?x64xf32>, %arg5 : memref<1xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul {
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<64>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>, %arg6: i32) workgroup(%arg7 : memref<5xi64, #gpu.address_space<workgroup>>, %arg8 : memref<5xi64, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 160, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 2>, nvvm.minctasm = 2 : i32} {
      %cst = arith.constant dense<0.000000e+00> : vector<2x8x4xf32>
      %c10 = arith.constant 10 : index
      %true = arith.constant true
      %c-1_i32 = arith.constant -1 : i32
      %c64 = arith.constant 64 : index
      %c2 = arith.constant 2 : index
      %c4 = arith.constant 4 : index
      %false = arith.constant false
      %c64_i32 = arith.constant 64 : i32
      %c16_i32 = arith.constant 16 : i32
      %c8_i32 = arith.constant 8 : i32
      %c4_i32 = arith.constant 4 : i32
      %c2_i32 = arith.constant 2 : i32
      %c32_i32 = arith.constant 32 : i32
      %c1_i32 = arith.constant 1 : i32
      %c1 = arith.constant 1 : index
      %c5 = arith.constant 5 : index
      %c0_i32 = arith.constant 0 : i32
      %c6 = arith.constant 6 : index
      %c32 = arith.constant 32 : index
      %c62720 = arith.constant 62720 : index
      %c40960 = arith.constant 40960 : index
      %c0 = arith.constant 0 : index
      %thread_id_x = gpu.thread_id  x
      %0 = arith.cmpi eq, %thread_id_x, %c0 : index
      scf.if %0 {
        mxfp4.init_barriers %arg7 count 1 : memref<5xi64, #gpu.address_space<workgroup>>
        mxfp4.init_barriers %arg8 count 4 : memref<5xi64, #gpu.address_space<workgroup>>
        nvvm.fence.mbarrier.init
      }
      %1 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %1[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5x64x64xbf16, #gpu.address_space<workgroup>>
      %view_0 = memref.view %1[%c40960][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
      %view_1 = memref.view %1[%c62720][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<7xi32, #gpu.address_space<workgroup>>
      %2 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %2 {
        %9 = arith.minui %thread_id_x, %c5 : index
        %10 = memref.load %arg2[%9] : memref<7xi32>
        %11 = arith.addi %9, %c1 : index
        %12 = memref.load %arg2[%11] : memref<7xi32>
        %13 = arith.cmpi eq, %9, %c0 : index
        %14 = arith.cmpi eq, %9, %c5 : index
        %15 = arith.cmpi sgt, %10, %12 : i32
        %16 = arith.cmpi ne, %10, %c0_i32 : i32
        %17 = arith.andi %13, %16 : i1
        %18 = arith.cmpi ne, %12, %arg6 : i32
        %19 = arith.andi %14, %18 : i1
        %20 = arith.ori %15, %17 : i1
        %21 = arith.ori %20, %19 : i1
        %22 = arith.extui %21 : i1 to i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  xor %22, %c1_i32, %c32_i32 : i32
        %23 = arith.ori %22, %shuffleResult_2 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  xor %23, %c2_i32, %c32_i32 : i32
        %24 = arith.ori %23, %shuffleResult_4 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  xor %24, %c4_i32, %c32_i32 : i32
        %25 = arith.ori %24, %shuffleResult_6 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  xor %25, %c8_i32, %c32_i32 : i32
        %26 = arith.ori %25, %shuffleResult_8 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  xor %26, %c16_i32, %c32_i32 : i32
        %27 = arith.ori %26, %shuffleResult_10 : i32
        %28 = arith.cmpi ne, %27, %c0_i32 : i32
        %29 = arith.cmpi ult, %thread_id_x, %c6 : index
        %30 = arith.subi %12, %10 : i32
        %31 = arith.ceildivui %30, %c64_i32 : i32
        %32 = arith.cmpi eq, %28, %false : i1
        %33 = arith.andi %29, %32 : i1
        %34 = arith.select %33, %31, %c0_i32 : i32
        %shuffleResult_12, %valid_13 = gpu.shuffle  up %34, %c1_i32, %c32_i32 : i32
        %35 = arith.select %valid_13, %shuffleResult_12, %c0_i32 : i32
        %36 = arith.addi %34, %35 : i32
        %shuffleResult_14, %valid_15 = gpu.shuffle  up %36, %c2_i32, %c32_i32 : i32
        %37 = arith.select %valid_15, %shuffleResult_14, %c0_i32 : i32
        %38 = arith.addi %36, %37 : i32
        %shuffleResult_16, %valid_17 = gpu.shuffle  up %38, %c4_i32, %c32_i32 : i32
        %39 = arith.select %valid_17, %shuffleResult_16, %c0_i32 : i32
        %40 = arith.addi %38, %39 : i32
        %shuffleResult_18, %valid_19 = gpu.shuffle  up %40, %c8_i32, %c32_i32 : i32
        %41 = arith.select %valid_19, %shuffleResult_18, %c0_i32 : i32
        %42 = arith.addi %40, %41 : i32
        %shuffleResult_20, %valid_21 = gpu.shuffle  up %42, %c16_i32, %c32_i32 : i32
        %43 = arith.select %valid_21, %shuffleResult_20, %c0_i32 : i32
        %44 = arith.addi %42, %43 : i32
        scf.if %29 {
          memref.store %44, %view_1[%11] : memref<7xi32, #gpu.address_space<workgroup>>
        }
        scf.if %0 {
          memref.store %c0_i32, %view_1[%c0] : memref<7xi32, #gpu.address_space<workgroup>>
          scf.if %28 {
            %45 = memref.atomic_rmw ori %c1_i32, %arg5[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %3 = memref.load %view_1[%c6] : memref<7xi32, #gpu.address_space<workgroup>>
      %4 = arith.index_cast %3 : i32 to index
      %5 = arith.divui %thread_id_x, %c32 : index
      %6 = arith.index_cast %5 : index to i32
      %shuffleResult, %valid = gpu.shuffle  idx %6, %c0_i32, %c32_i32 : i32
      %7 = arith.index_cast %shuffleResult : i32 to index
      %8 = arith.cmpi uge, %7, %c4 : index
      scf.if %8 {
        %9 = arith.cmpi eq, %7, %c4 : index
        scf.if %9 {
          %10 = nvvm.elect.sync -> i1
          scf.if %10 {
            %11:2 = scf.for %arg9 = %block_id_x to %4 step %grid_dim_x iter_args(%arg10 = %c0, %arg11 = %c0_i32) -> (index, i32) {
              %12 = arith.index_cast %arg9 : index to i32
              %13 = memref.load %view_1[%c4] : memref<7xi32, #gpu.address_space<workgroup>>
              %14 = arith.cmpi sle, %13, %12 : i32
              %15 = arith.select %14, %c4, %c0 : index
              %16 = arith.addi %15, %c2 : index
              %17 = arith.minui %16, %c6 : index
              %18 = memref.load %view_1[%17] : memref<7xi32, #gpu.address_space<workgroup>>
              %19 = arith.cmpi sle, %18, %12 : i32
              %20 = arith.select %19, %17, %15 : index
              %21 = arith.addi %20, %c1 : index
              %22 = arith.minui %21, %c6 : index
              %23 = memref.load %view_1[%22] : memref<7xi32, #gpu.address_space<workgroup>>
              %24 = arith.cmpi sle, %23, %12 : i32
              %25 = arith.select %24, %22, %20 : index
              %26 = memref.load %view_1[%25] : memref<7xi32, #gpu.address_space<workgroup>>
              %27 = arith.index_cast %26 : i32 to index
              %28 = arith.subi %arg9, %27 : index
              %29 = memref.load %arg2[%25] : memref<7xi32>
              %30 = arith.index_cast %29 : i32 to index
              %31 = arith.muli %28, %c64 : index
              %32 = arith.addi %30, %31 : index
              %33 = memref.load %arg3[%25] : memref<6xi32>
              %34 = arith.cmpi ult, %33, %c4_i32 : i32
              %35 = arith.cmpi eq, %33, %c-1_i32 : i32
              %36 = arith.ori %34, %35 : i1
              %37 = arith.xori %36, %true : i1
              scf.if %37 {
                %40 = memref.atomic_rmw ori %c2_i32, %arg5[%c0] : (i32, memref<1xi32>) -> i32
              }
              %38 = arith.index_cast %33 : i32 to index
              %39:2 = scf.if %34 -> (index, i32) {
                %40:2 = scf.for %arg12 = %c0 to %c10 step %c1 iter_args(%arg13 = %arg10, %arg14 = %arg11) -> (index, i32) {
                  %41 = arith.xori %arg14, %c1_i32 : i32
                  mxfp4.wait_barrier %arg8[%arg13] parity %41 : memref<5xi64, #gpu.address_space<workgroup>>
                  mxfp4.expect_bytes %arg7[%arg13] bytes 12544 : memref<5xi64, #gpu.address_space<workgroup>>
                  mxfp4.bulk_copy_weights %arg1[%38, %c0, %arg12] to %view_0[%arg13] signal %arg7 : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<5xi64, #gpu.address_space<workgroup>>
                  mxfp4.tensor_copy_activations %arg0[%32, %arg12] to %view[%arg13] signal %arg7 : <64> to memref<5x64x64xbf16, #gpu.address_space<workgroup>>, memref<5xi64, #gpu.address_space<workgroup>>
                  %42 = arith.addi %arg13, %c1 : index
                  %43 = arith.cmpi eq, %42, %c5 : index
                  %44 = arith.select %43, %c0, %42 : index
                  %45 = arith.select %43, %41, %arg14 : i32
                  scf.yield %44, %45 : index, i32
                }
                scf.yield %40#0, %40#1 : index, i32
              } else {
                scf.yield %arg10, %arg11 : index, i32
              }
              scf.yield %39#0, %39#1 : index, i32
            }
          }
        }
      } else {
        %9:2 = scf.for %arg9 = %block_id_x to %4 step %grid_dim_x iter_args(%arg10 = %c0, %arg11 = %c0_i32) -> (index, i32) {
          %10 = arith.index_cast %arg9 : index to i32
          %11 = memref.load %view_1[%c4] : memref<7xi32, #gpu.address_space<workgroup>>
          %12 = arith.cmpi sle, %11, %10 : i32
          %13 = arith.select %12, %c4, %c0 : index
          %14 = arith.addi %13, %c2 : index
          %15 = arith.minui %14, %c6 : index
          %16 = memref.load %view_1[%15] : memref<7xi32, #gpu.address_space<workgroup>>
          %17 = arith.cmpi sle, %16, %10 : i32
          %18 = arith.select %17, %15, %13 : index
          %19 = arith.addi %18, %c1 : index
          %20 = arith.minui %19, %c6 : index
          %21 = memref.load %view_1[%20] : memref<7xi32, #gpu.address_space<workgroup>>
          %22 = arith.cmpi sle, %21, %10 : i32
          %23 = arith.select %22, %20, %18 : index
          %24 = memref.load %view_1[%23] : memref<7xi32, #gpu.address_space<workgroup>>
          %25 = arith.index_cast %24 : i32 to index
          %26 = arith.subi %arg9, %25 : index
          %27 = memref.load %arg2[%23] : memref<7xi32>
          %28 = arith.index_cast %27 : i32 to index
          %29 = arith.addi %23, %c1 : index
          %30 = memref.load %arg2[%29] : memref<7xi32>
          %31 = arith.index_cast %30 : i32 to index
          %32 = arith.muli %26, %c64 : index
          %33 = arith.addi %28, %32 : index
          %34 = arith.subi %31, %33 : index
          %35 = arith.minui %34, %c64 : index
          %36 = memref.load %arg3[%23] : memref<6xi32>
          %37 = arith.cmpi ult, %36, %c4_i32 : i32
          %38 = arith.cmpi eq, %36, %c-1_i32 : i32
          %39 = arith.ori %37, %38 : i1
          %40 = arith.select %39, %35, %c0 : index
          %41 = arith.xori %39, %true : i1
          scf.if %41 {
            %43 = memref.atomic_rmw ori %c2_i32, %arg5[%c0] : (i32, memref<1xi32>) -> i32
          }
          %42:3 = scf.if %37 -> (vector<2x8x4xf32>, index, i32) {
            %43:3 = scf.for %arg12 = %c0 to %c10 step %c1 iter_args(%arg13 = %cst, %arg14 = %arg10, %arg15 = %arg11) -> (vector<2x8x4xf32>, index, i32) {
              mxfp4.wait_barrier %arg7[%arg14] parity %arg15 : memref<5xi64, #gpu.address_space<workgroup>>
              %thread_id_x_2 = gpu.thread_id  x
              %c32_3 = arith.constant 32 : index
              %44 = arith.divui %thread_id_x_2, %c32_3 : index
              %c4_4 = arith.constant 4 : index
              %45 = arith.divui %44, %c4_4 : index
              %c8 = arith.constant 8 : index
              %46 = arith.muli %45, %c8 : index
              %c4_5 = arith.constant 4 : index
              %47 = arith.remui %44, %c4_5 : index
              %48 = arith.addi %46, %47 : index
              %c0_6 = arith.constant 0 : index
              %49 = arith.addi %48, %c0_6 : index
              %step0, %step1, %step2, %step3 = mxfp4.load_codes %view_0[%arg14, %49] : memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %50 = mxfp4.load_scales %view_0[%arg14, %49] : memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %c4_7 = arith.constant 4 : index
              %51 = arith.addi %48, %c4_7 : index
              %step0_8, %step1_9, %step2_10, %step3_11 = mxfp4.load_codes %view_0[%arg14, %51] : memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %52 = mxfp4.load_scales %view_0[%arg14, %51] : memref<5x2x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %r0, %r1, %r2, %r3 = mxfp4.decode %step0, %50 step 0 : !mxfp4.block<nibble, raw>
              %r0_12, %r1_13, %r2_14, %r3_15 = mxfp4.decode %step0_8, %52 step 0 : !mxfp4.block<nibble, raw>
              %r0_16, %r1_17, %r2_18, %r3_19 = mxfp4.decode %step1, %50 step 1 : !mxfp4.block<nibble, raw>
              %r0_20, %r1_21, %r2_22, %r3_23 = mxfp4.decode %step1_9, %52 step 1 : !mxfp4.block<nibble, raw>
              %r0_24, %r1_25, %r2_26, %r3_27 = mxfp4.decode %step2, %50 step 2 : !mxfp4.block<nibble, raw>
              %r0_28, %r1_29, %r2_30, %r3_31 = mxfp4.decode %step2_10, %52 step 2 : !mxfp4.block<nibble, raw>
              %r0_32, %r1_33, %r2_34, %r3_35 = mxfp4.decode %step3, %50 step 3 : !mxfp4.block<nibble, raw>
              %r0_36, %r1_37, %r2_38, %r3_39 = mxfp4.decode %step3_11, %52 step 3 : !mxfp4.block<nibble, raw>
              nvvm.wgmma.fence.aligned
              %53 = vector.extract %arg13[0] : vector<8x4xf32> from vector<2x8x4xf32>
              %54 = vector.extract %arg13[1] : vector<8x4xf32> from vector<2x8x4xf32>
              %55 = mxfp4.wgmma %53 a(%r0, %r1, %r2, %r3) b(%view[%arg14]) step 0 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %56 = mxfp4.wgmma %54 a(%r0_12, %r1_13, %r2_14, %r3_15) b(%view[%arg14]) step 0 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %57 = mxfp4.wgmma %55 a(%r0_16, %r1_17, %r2_18, %r3_19) b(%view[%arg14]) step 1 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %58 = mxfp4.wgmma %56 a(%r0_20, %r1_21, %r2_22, %r3_23) b(%view[%arg14]) step 1 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %59 = mxfp4.wgmma %57 a(%r0_24, %r1_25, %r2_26, %r3_27) b(%view[%arg14]) step 2 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %60 = mxfp4.wgmma %58 a(%r0_28, %r1_29, %r2_30, %r3_31) b(%view[%arg14]) step 2 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %61 = mxfp4.wgmma %59 a(%r0_32, %r1_33, %r2_34, %r3_35) b(%view[%arg14]) step 3 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %62 = mxfp4.wgmma %60 a(%r0_36, %r1_37, %r2_38, %r3_39) b(%view[%arg14]) step 3 : vector<8x4xf32>, memref<5x64x64xbf16, #gpu.address_space<workgroup>>
              %63 = vector.insert %61, %arg13 [0] : vector<8x4xf32> into vector<2x8x4xf32>
              %64 = vector.insert %62, %63 [1] : vector<8x4xf32> into vector<2x8x4xf32>
              nvvm.wgmma.commit.group.sync.aligned
              %65 = mxfp4.wgmma_wait %64 : vector<2x8x4xf32>
              mxfp4.arrive_barrier %arg8[%arg14] : memref<5xi64, #gpu.address_space<workgroup>>
              %66 = arith.addi %arg14, %c1 : index
              %67 = arith.cmpi eq, %66, %c5 : index
              %68 = arith.xori %arg15, %c1_i32 : i32
              %69 = arith.select %67, %c0, %66 : index
              %70 = arith.select %67, %68, %arg15 : i32
              scf.yield %65, %69, %70 : vector<2x8x4xf32>, index, i32
            } {mxfp4.overlap}
            scf.yield %43#0, %43#1, %43#2 : vector<2x8x4xf32>, index, i32
          } else {
            scf.yield %cst, %arg10, %arg11 : vector<2x8x4xf32>, index, i32
          }
          mxfp4.store_tile %42#0 to %arg4[%33, %c0] valid(%40) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 5, placement = register, ctas = 2>} : vector<2x8x4xf32> to memref<?x64xf32>
          scf.yield %42#1, %42#2 : index, i32
        }
      }
      gpu.return
    }
  }
}

