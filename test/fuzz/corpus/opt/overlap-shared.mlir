// builtin.module(gpu.module(mxfp4-overlap-decode))
module attributes {gpu.container_module} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>) {
    %c352 = arith.constant 352 : index
    %c132 = arith.constant 132 : index
    %c62240_i32 = arith.constant 62240 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    %1 = mxfp4.make_tensor_map %arg0 : memref<?x640xbf16> -> <16>
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c132, %c1, %c1) threads in (%c352, %c1, %c1)  dynamic_shared_memory_size %c62240_i32 args(%1 : !mxfp4.tensor_map<16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<7xi32>, %arg3 : memref<6xi32>, %arg4 : memref<?x64xf32>, %arg5 : memref<1xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul {
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>, %arg6: i32) workgroup(%arg7 : memref<6xi64, #gpu.address_space<workgroup>>, %arg8 : memref<6xi64, #gpu.address_space<workgroup>>, %arg9 : memref<2xi64, #gpu.address_space<workgroup>>, %arg10 : memref<2xi64, #gpu.address_space<workgroup>>, %arg11 : memref<2x4xi32, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 352, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>, nvvm.minctasm = 1 : i32} {
      %c12288 = arith.constant 12288 : index
      %c58112 = arith.constant 58112 : index
      %c4 = arith.constant 4 : index
      %c4224_i32 = arith.constant 4224 : i32
      %c3 = arith.constant 3 : index
      %c2 = arith.constant 2 : index
      %c8 = arith.constant 8 : index
      %c0 = arith.constant 0 : index
      %c45056 = arith.constant 45056 : index
      %c62208 = arith.constant 62208 : index
      %c32 = arith.constant 32 : index
      %c6 = arith.constant 6 : index
      %c0_i32 = arith.constant 0 : i32
      %c1 = arith.constant 1 : index
      %c5 = arith.constant 5 : index
      %c-1_i32 = arith.constant -1 : i32
      %c16_i32 = arith.constant 16 : i32
      %c1_i32 = arith.constant 1 : i32
      %c32_i32 = arith.constant 32 : i32
      %c2_i32 = arith.constant 2 : i32
      %c4_i32 = arith.constant 4 : i32
      %c8_i32 = arith.constant 8 : i32
      %c31_i32 = arith.constant 31 : i32
      %c7 = arith.constant 7 : index
      %c10 = arith.constant 10 : index
      %cst = arith.constant dense<0.000000e+00> : vector<1x2x4xf32>
      mxfp4.init_barriers %arg7 count 1 : memref<6xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg8 count 4 : memref<6xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg9 count 1 : memref<2xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg10 count 10 : memref<2xi64, #gpu.address_space<workgroup>>
      nvvm.fence.mbarrier.init
      %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>
      %view_0 = memref.view %0[%c45056][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
      %view_1 = memref.view %0[%c62208][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8xi32, #gpu.address_space<workgroup>>
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
        %24 = arith.ceildivui %23, %c16_i32 : i32
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
      %7 = arith.cmpi uge, %6, %c8 : index
      scf.if %7 {
        %8 = arith.cmpi eq, %6, %c10 : index
        scf.if %8 {
          %10 = nvvm.elect.sync -> i1
          scf.if %10 {
            %11:3 = scf.while (%arg12 = %block_id_x, %arg13 = %c0, %arg14 = %c0_i32) : (index, index, i32) -> (index, index, i32) {
              %12 = arith.addi %arg12, %grid_dim_x : index
              %13 = arith.cmpi ult, %arg12, %3 : index
              %14 = arith.xori %arg14, %c1_i32 : i32
              mxfp4.wait_barrier %arg10[%arg13] parity %14 : memref<2xi64, #gpu.address_space<workgroup>>
              scf.if %13 {
                %expert, %row, %valid_2, %column = mxfp4.locate_tile %arg12 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
                %15 = arith.index_cast %expert : index to i32
                memref.store %15, %arg11[%arg13, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %16 = arith.index_cast %row : index to i32
                memref.store %16, %arg11[%arg13, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %17 = arith.index_cast %valid_2 : index to i32
                memref.store %17, %arg11[%arg13, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %18 = arith.index_cast %column : index to i32
                memref.store %18, %arg11[%arg13, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              } else {
                memref.store %c-1_i32, %arg11[%arg13, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              }
              mxfp4.expect_bytes %arg9[%arg13] bytes(%c0_i32) : memref<2xi64, #gpu.address_space<workgroup>>
              scf.condition(%13) %12, %arg13, %arg14 : index, index, i32
            } do {
            ^bb0(%arg12: index, %arg13: index, %arg14: i32):
              %12 = arith.cmpi eq, %arg13, %c1 : index
              %13 = arith.xori %arg14, %c1_i32 : i32
              %14 = arith.subi %c1, %arg13 : index
              %15 = arith.select %12, %13, %arg14 : i32
              scf.yield %arg12, %14, %15 : index, index, i32
            }
          }
        }
        %9 = arith.cmpi ult, %6, %c10 : index
        scf.if %9 {
          %10 = nvvm.elect.sync -> i1
          scf.if %10 {
            %11 = arith.subi %6, %c8 : index
            %12:8 = scf.while (%arg12 = %11, %arg13 = %c0_i32, %arg14 = %c0, %arg15 = %c0_i32) : (index, i32, index, i32) -> (index, i32, index, i32, index, index, index, index) {
              mxfp4.wait_barrier %arg9[%arg14] parity %arg15 : memref<2xi64, #gpu.address_space<workgroup>>
              %13 = memref.load %arg11[%arg14, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %14 = arith.index_cast %13 : i32 to index
              %15 = memref.load %arg11[%arg14, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %16 = arith.index_cast %15 : i32 to index
              %17 = memref.load %arg11[%arg14, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %18 = arith.index_cast %17 : i32 to index
              %19 = memref.load %arg11[%arg14, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %20 = arith.index_cast %19 : i32 to index
              mxfp4.expect_bytes %arg10[%arg14] bytes(%c0_i32) : memref<2xi64, #gpu.address_space<workgroup>>
              %21 = arith.cmpi sge, %20, %c0 : index
              scf.condition(%21) %arg12, %arg13, %arg14, %arg15, %14, %16, %18, %20 : index, i32, index, i32, index, index, index, index
            } do {
            ^bb0(%arg12: index, %arg13: i32, %arg14: index, %arg15: i32, %arg16: index, %arg17: index, %arg18: index, %arg19: index):
              %13 = arith.cmpi sge, %arg16, %c0 : index
              %14:2 = scf.if %13 -> (index, i32) {
                %19:2 = scf.for %arg20 = %c0 to %c5 step %c1 iter_args(%arg21 = %arg12, %arg22 = %arg13) -> (index, i32) {
                  %20 = arith.muli %arg20, %c2 : index
                  %21 = arith.addi %20, %11 : index
                  %22 = arith.xori %arg22, %c1_i32 : i32
                  mxfp4.wait_barrier %arg8[%arg21] parity %22 : memref<6xi64, #gpu.address_space<workgroup>>
                  mxfp4.expect_bytes %arg7[%arg21] bytes(%c4224_i32) : memref<6xi64, #gpu.address_space<workgroup>>
                  mxfp4.tensor_copy_activations %arg0[%arg17, %21] valid(%arg18) to %view[%arg21] signal %arg7 : <16> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
                  mxfp4.bulk_copy_weights %arg1[%arg16, %arg19, %21] to %view_0[%arg21] signal %arg7 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
                  %23 = arith.addi %arg21, %c2 : index
                  %24 = arith.cmpi uge, %23, %c6 : index
                  %25 = arith.select %24, %11, %23 : index
                  %26 = arith.select %24, %22, %arg22 : i32
                  scf.yield %25, %26 : index, i32
                }
                scf.yield %19#0, %19#1 : index, i32
              } else {
                scf.yield %arg12, %arg13 : index, i32
              }
              %15 = arith.cmpi eq, %arg14, %c1 : index
              %16 = arith.xori %arg15, %c1_i32 : i32
              %17 = arith.subi %c1, %arg14 : index
              %18 = arith.select %15, %16, %arg15 : i32
              scf.yield %14#0, %14#1, %17, %18 : index, i32, index, i32
            }
          }
        }
      } else {
        %8 = arith.divui %6, %c4 : index
        %view_2 = memref.view %0[%c58112][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8x128xf32, #gpu.address_space<workgroup>>
        %9 = arith.cmpi eq, %8, %c0 : index
        %10:8 = scf.while (%arg12 = %8, %arg13 = %c0_i32, %arg14 = %c0, %arg15 = %c0_i32) : (index, i32, index, i32) -> (index, i32, index, i32, index, index, index, index) {
          mxfp4.wait_barrier %arg9[%arg14] parity %arg15 : memref<2xi64, #gpu.address_space<workgroup>>
          %11 = memref.load %arg11[%arg14, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %12 = arith.index_cast %11 : i32 to index
          %13 = memref.load %arg11[%arg14, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %14 = arith.index_cast %13 : i32 to index
          %15 = memref.load %arg11[%arg14, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %16 = arith.index_cast %15 : i32 to index
          %17 = memref.load %arg11[%arg14, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %18 = arith.index_cast %17 : i32 to index
          nvvm.bar.warp.sync %c-1_i32 : i32
          mxfp4.arrive_barrier %arg10[%arg14] : memref<2xi64, #gpu.address_space<workgroup>>
          %19 = arith.cmpi sge, %18, %c0 : index
          scf.condition(%19) %arg12, %arg13, %arg14, %arg15, %12, %14, %16, %18 : index, i32, index, i32, index, index, index, index
        } do {
        ^bb0(%arg12: index, %arg13: i32, %arg14: index, %arg15: i32, %arg16: index, %arg17: index, %arg18: index, %arg19: index):
          %11 = arith.cmpi sge, %arg16, %c0 : index
          %12:3 = scf.if %11 -> (vector<1x2x4xf32>, index, i32) {
            %18 = arith.index_cast %arg18 : index to i32
            %shuffleResult_3, %valid_4 = gpu.shuffle  idx %18, %c0_i32, %c32_i32 : i32
            %19 = arith.index_cast %shuffleResult_3 : i32 to index
            %20 = arith.remui %4, %c4 : index
            %view_5 = memref.view %0[%c12288][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<256x64xbf16, #gpu.address_space<workgroup>>
            %21 = arith.divui %4, %c4 : index
            %22 = arith.muli %21, %c2 : index
            %23 = arith.muli %21, %c8 : index
            %24 = arith.addi %23, %20 : index
            %25:3 = scf.for %arg20 = %c0 to %c5 step %c1 iter_args(%arg21 = %cst, %arg22 = %arg12, %arg23 = %arg13) -> (vector<1x2x4xf32>, index, i32) {
              mxfp4.wait_barrier %arg7[%arg22] parity %arg23 : memref<6xi64, #gpu.address_space<workgroup>>
              %step0, %step1, %step2, %step3 = mxfp4.load_codes %view_0[%arg22, %20] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %26 = mxfp4.load_scales %view_0[%arg22, %20] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %r0, %r1, %r2, %r3 = mxfp4.decode %step0, %26 step 0 : !mxfp4.block<nibble, raw>
              mxfp4.store_decoded %r0, %r1, %r2, %r3 to %view_5[%24] step 0 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %r0_6, %r1_7, %r2_8, %r3_9 = mxfp4.decode %step1, %26 step 1 : !mxfp4.block<nibble, raw>
              mxfp4.store_decoded %r0_6, %r1_7, %r2_8, %r3_9 to %view_5[%24] step 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %r0_10, %r1_11, %r2_12, %r3_13 = mxfp4.decode %step2, %26 step 2 : !mxfp4.block<nibble, raw>
              mxfp4.store_decoded %r0_10, %r1_11, %r2_12, %r3_13 to %view_5[%24] step 2 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %r0_14, %r1_15, %r2_16, %r3_17 = mxfp4.decode %step3, %26 step 3 : !mxfp4.block<nibble, raw>
              mxfp4.store_decoded %r0_14, %r1_15, %r2_16, %r3_17 to %view_5[%24] step 3 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              mxfp4.sync_warpgroup
              %27 = vector.extract %arg21[0] : vector<2x4xf32> from vector<1x2x4xf32>
              %28 = mxfp4.wgmma %27 shared_a(%view_5[%22]) b(%view[%arg22]) columns 2 tokens(%19 by 16) : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<256x64xbf16, #gpu.address_space<workgroup>>
              %29 = mxfp4.wgmma_wait %28 : vector<2x4xf32>
              %30 = vector.broadcast %29 : vector<2x4xf32> to vector<1x2x4xf32>
              mxfp4.arrive_barrier %arg8[%arg22] : memref<6xi64, #gpu.address_space<workgroup>>
              %31 = arith.addi %arg22, %c2 : index
              %32 = arith.cmpi uge, %31, %c6 : index
              %33 = arith.xori %arg23, %c1_i32 : i32
              %34 = arith.select %32, %8, %31 : index
              %35 = arith.select %32, %33, %arg23 : i32
              scf.yield %30, %34, %35 : vector<1x2x4xf32>, index, i32
            } {mxfp4.overlap}
            scf.yield %25#0, %25#1, %25#2 : vector<1x2x4xf32>, index, i32
          } else {
            scf.yield %cst, %arg12, %arg13 : vector<1x2x4xf32>, index, i32
          }
          %13 = mxfp4.reduce_slices %12#0 slice(%8 of 2) through %view_2 : vector<1x2x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
          scf.if %9 {
            mxfp4.store_tile %13 to %arg4[%arg17, %arg19] valid(%arg18) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>} : vector<1x2x4xf32> to memref<?x64xf32>
          }
          %14 = arith.cmpi eq, %arg14, %c1 : index
          %15 = arith.xori %arg15, %c1_i32 : i32
          %16 = arith.subi %c1, %arg14 : index
          %17 = arith.select %14, %15, %arg15 : i32
          scf.yield %12#1, %12#2, %16, %17 : index, i32, index, i32
        }
      }
      gpu.return
    }
  }
}

