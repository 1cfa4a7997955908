// builtin.module(gpu.module(mxfp4-narrow-wgmma))
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
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<32 by 16> {mxfp4.arg = #mxfp4.arg<x align 16 maps memref<?x640xbf16>>}, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>> {mxfp4.arg = #mxfp4.arg<weights align 16>}, %arg2: memref<5xi32> {mxfp4.arg = #mxfp4.arg<offsets align 4>}, %arg3: memref<?x64xbf16> {mxfp4.arg = #mxfp4.arg<y align 4>}, %arg4: memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>}, %arg5: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>}, %arg6: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}) workgroup(%arg7 : memref<4xi64, #gpu.address_space<workgroup>>, %arg8 : memref<4xi64, #gpu.address_space<workgroup>>, %arg9 : memref<2xi64, #gpu.address_space<workgroup>>, %arg10 : memref<2xi64, #gpu.address_space<workgroup>>, %arg11 : memref<2x4xi32, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 224, 1, 1>, nvvm.minctasm = 1 : i32} {
      %c10 = arith.constant 10 : index
      %c16384 = arith.constant 16384 : index
      %c2 = arith.constant 2 : index
      %c6 = arith.constant 6 : index
      %c5 = arith.constant 5 : index
      %c31_i32 = arith.constant 31 : i32
      %c8_i32 = arith.constant 8 : i32
      %c4_i32 = arith.constant 4 : i32
      %c2_i32 = arith.constant 2 : i32
      %c1_i32 = arith.constant 1 : i32
      %c-1_i32 = arith.constant -1 : i32
      %c3 = arith.constant 3 : index
      %c4 = arith.constant 4 : index
      %c32 = arith.constant 32 : index
      %c25088 = arith.constant 25088 : index
      %c2176_i32 = arith.constant 2176 : i32
      %c2048_i32 = arith.constant 2048 : i32
      %c16_i32 = arith.constant 16 : i32
      %c0 = arith.constant 0 : index
      %c32_i32 = arith.constant 32 : i32
      %c0_i32 = arith.constant 0 : i32
      %cst = arith.constant dense<0.000000e+00> : vector<1x4x4xf32>
      %c1 = arith.constant 1 : index
      mxfp4.init_barriers %arg7 count 1 : memref<4xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg8 count 4 : memref<4xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg9 count 1 : memref<2xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg10 count 6 : memref<2xi64, #gpu.address_space<workgroup>>
      nvvm.fence.mbarrier.init
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %0 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %0[%c25088][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6xi32, #gpu.address_space<workgroup>>
      %thread_id_x = gpu.thread_id  x
      %1 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %1 {
        %8 = arith.minui %thread_id_x, %c4 : index
        %9 = memref.load %arg2[%8] : memref<5xi32>
        %10 = arith.addi %thread_id_x, %c1 : index
        %11 = arith.minui %10, %c4 : index
        %12 = memref.load %arg2[%11] : memref<5xi32>
        %13 = arith.cmpi eq, %thread_id_x, %c0 : index
        %14 = arith.cmpi uge, %thread_id_x, %c3 : index
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
        %shuffleResult_0, %valid_1 = gpu.shuffle  up %24, %c1_i32, %c32_i32 : i32
        %25 = arith.select %valid_1, %shuffleResult_0, %c0_i32 : i32
        %26 = arith.addi %24, %25 : i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  up %26, %c2_i32, %c32_i32 : i32
        %27 = arith.select %valid_3, %shuffleResult_2, %c0_i32 : i32
        %28 = arith.addi %26, %27 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  up %28, %c4_i32, %c32_i32 : i32
        %29 = arith.select %valid_5, %shuffleResult_4, %c0_i32 : i32
        %30 = arith.addi %28, %29 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  up %30, %c8_i32, %c32_i32 : i32
        %31 = arith.select %valid_7, %shuffleResult_6, %c0_i32 : i32
        %32 = arith.addi %30, %31 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  up %32, %c16_i32, %c32_i32 : i32
        %33 = arith.select %valid_9, %shuffleResult_8, %c0_i32 : i32
        %34 = arith.addi %32, %33 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  idx %34, %c31_i32, %c32_i32 : i32
        %35 = arith.cmpi ult, %thread_id_x, %c4 : index
        scf.if %35 {
          %38 = arith.addi %thread_id_x, %c1 : index
          memref.store %34, %view[%38] : memref<6xi32, #gpu.address_space<workgroup>>
        }
        %36 = arith.select %22, %c0_i32, %shuffleResult_10 : i32
        %37 = arith.cmpi eq, %thread_id_x, %c0 : index
        scf.if %37 {
          memref.store %c0_i32, %view[%c0] : memref<6xi32, #gpu.address_space<workgroup>>
          memref.store %36, %view[%c5] : memref<6xi32, #gpu.address_space<workgroup>>
          scf.if %22 {
            %38 = memref.atomic_rmw ori %c1_i32, %arg4[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %2 = memref.load %view[%c5] : memref<6xi32, #gpu.address_space<workgroup>>
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
            %11:3 = scf.while (%arg12 = %block_id_x, %arg13 = %c0, %arg14 = %c0_i32) : (index, index, i32) -> (index, index, i32) {
              %16 = memref.atomic_rmw addi %c1_i32, %arg5[%c0] : (i32, memref<2xi32>) -> i32
              %17 = arith.index_cast %16 : i32 to index
              %18 = arith.addi %17, %grid_dim_x : index
              %19 = arith.cmpi ult, %arg12, %3 : index
              %20 = arith.xori %arg14, %c1_i32 : i32
              mxfp4.wait_barrier %arg10[%arg13] parity %20 : memref<2xi64, #gpu.address_space<workgroup>>
              scf.if %19 {
                %expert, %row, %valid_0, %column = mxfp4.locate_tile %arg12 in %view offsets(%arg2) error(%arg4 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
                %21 = arith.index_cast %expert : index to i32
                memref.store %21, %arg11[%arg13, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %22 = arith.index_cast %row : index to i32
                memref.store %22, %arg11[%arg13, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %23 = arith.index_cast %valid_0 : index to i32
                memref.store %23, %arg11[%arg13, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %24 = arith.index_cast %column : index to i32
                memref.store %24, %arg11[%arg13, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              } else {
                memref.store %c-1_i32, %arg11[%arg13, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              }
              mxfp4.expect_bytes %arg9[%arg13] bytes(%c0_i32) : memref<2xi64, #gpu.address_space<workgroup>>
              scf.condition(%19) %18, %arg13, %arg14 : index, index, i32
            } do {
            ^bb0(%arg12: index, %arg13: index, %arg14: i32):
              %16 = arith.cmpi eq, %arg13, %c1 : index
              %17 = arith.xori %arg14, %c1_i32 : i32
              %18 = arith.subi %c1, %arg13 : index
              %19 = arith.select %16, %17, %arg14 : i32
              scf.yield %arg12, %18, %19 : index, index, i32
            }
            llvm.fence syncscope("device") acq_rel
            %12 = memref.atomic_rmw addi %c1_i32, %arg5[%c1] : (i32, memref<2xi32>) -> i32
            llvm.fence syncscope("device") acq_rel
            %13 = arith.index_cast %grid_dim_x : index to i32
            %14 = arith.subi %13, %c1_i32 : i32
            %15 = arith.cmpi eq, %12, %14 : i32
            scf.if %15 {
              memref.store %c0_i32, %arg5[%c0] : memref<2xi32>
              memref.store %c0_i32, %arg5[%c1] : memref<2xi32>
            }
          }
        }
        %9 = arith.cmpi ult, %6, %c6 : index
        scf.if %9 {
          %10 = nvvm.elect.sync -> i1
          scf.if %10 {
            %11 = arith.subi %6, %c4 : index
            %12:8 = scf.while (%arg12 = %c0, %arg13 = %c0_i32, %arg14 = %c0, %arg15 = %c0_i32) : (index, i32, index, i32) -> (index, i32, index, i32, index, index, index, index) {
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
              %view_0 = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>
              %view_1 = memref.view %0[%c16384][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %13:2 = scf.for %arg20 = %c0 to %c10 step %c1 iter_args(%arg21 = %arg12, %arg22 = %arg13) -> (index, i32) {
                %18 = arith.xori %arg22, %c1_i32 : i32
                mxfp4.wait_barrier %arg8[%arg21] parity %18 : memref<4xi64, #gpu.address_space<workgroup>>
                %19 = arith.cmpi eq, %11, %c0 : index
                scf.if %19 {
                  %24 = arith.index_cast %arg18 : index to i32
                  %25 = arith.ceildivui %24, %c16_i32 : i32
                  %26 = arith.muli %25, %c2048_i32 : i32
                  %27 = arith.addi %26, %c2176_i32 : i32
                  mxfp4.expect_bytes %arg7[%arg21] bytes(%27) : memref<4xi64, #gpu.address_space<workgroup>>
                  mxfp4.tensor_copy_activations %arg0[%arg17, %arg20] valid(%arg18) to %view_0[%arg21] signal %arg7 : <32 by 16> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>, memref<4xi64, #gpu.address_space<workgroup>>
                } else {
                  %24 = arith.subi %6, %c5 : index
                  mxfp4.bulk_copy_weights %arg1[%arg16, %arg19, %arg20] to %view_1[%arg21] signal %arg7 part %24 of 1 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<4xi64, #gpu.address_space<workgroup>>
                }
                %20 = arith.addi %arg21, %c1 : index
                %21 = arith.cmpi uge, %20, %c4 : index
                %22 = arith.select %21, %c0, %20 : index
                %23 = arith.select %21, %18, %arg22 : i32
                scf.yield %22, %23 : index, i32
              }
              %14 = arith.cmpi eq, %arg14, %c1 : index
              %15 = arith.xori %arg15, %c1_i32 : i32
              %16 = arith.subi %c1, %arg14 : index
              %17 = arith.select %14, %15, %arg15 : i32
              scf.yield %13#0, %13#1, %16, %17 : index, i32, index, i32
            }
          }
        }
      } else {
        %8:7 = scf.while (%arg12 = %c0, %arg13 = %c0_i32, %arg14 = %c0, %arg15 = %c0_i32) : (index, i32, index, i32) -> (index, i32, index, i32, index, index, index) {
          mxfp4.wait_barrier %arg9[%arg14] parity %arg15 : memref<2xi64, #gpu.address_space<workgroup>>
          %9 = memref.load %arg11[%arg14, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %10 = arith.index_cast %9 : i32 to index
          %11 = memref.load %arg11[%arg14, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %12 = arith.index_cast %11 : i32 to index
          %13 = memref.load %arg11[%arg14, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %14 = arith.index_cast %13 : i32 to index
          mxfp4.arrive_barrier %arg10[%arg14] : memref<2xi64, #gpu.address_space<workgroup>>
          %15 = arith.cmpi sge, %14, %c0 : index
          scf.condition(%15) %arg12, %arg13, %arg14, %arg15, %10, %12, %14 : index, i32, index, i32, index, index, index
        } do {
        ^bb0(%arg12: index, %arg13: i32, %arg14: index, %arg15: i32, %arg16: index, %arg17: index, %arg18: index):
          %view_0 = memref.view %0[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>
          %view_1 = memref.view %0[%c16384][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %9 = arith.index_cast %arg17 : index to i32
          %shuffleResult_2, %valid_3 = gpu.shuffle  idx %9, %c0_i32, %c32_i32 : i32
          %10 = arith.index_cast %shuffleResult_2 : i32 to index
          %11 = arith.divui %4, %c4 : index
          %12 = arith.muli %11, %c4 : index
          %13 = arith.remui %4, %c4 : index
          %14 = arith.addi %12, %13 : index
          %15 = mxfp4.pin %cst : vector<1x4x4xf32>
          %16 = arith.addi %arg12, %c1 : index
          %17 = arith.cmpi uge, %16, %c4 : index
          %18 = arith.xori %arg13, %c1_i32 : i32
          %19 = arith.select %17, %c0, %16 : index
          %20 = arith.select %17, %18, %arg13 : i32
          mxfp4.wait_barrier %arg7[%arg12] parity %arg13 : memref<4xi64, #gpu.address_space<workgroup>>
          %step0, %step1, %step2, %step3 = mxfp4.load_codes %view_1[%arg12, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %21 = mxfp4.load_scales %view_1[%arg12, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %r0, %r1, %r2, %r3 = mxfp4.decode %step0, %21 step 0 : !mxfp4.block<nibble, raw>
          %r0_4, %r1_5, %r2_6, %r3_7 = mxfp4.decode %step1, %21 step 1 : !mxfp4.block<nibble, raw>
          %r0_8, %r1_9, %r2_10, %r3_11 = mxfp4.decode %step2, %21 step 2 : !mxfp4.block<nibble, raw>
          %r0_12, %r1_13, %r2_14, %r3_15 = mxfp4.decode %step3, %21 step 3 : !mxfp4.block<nibble, raw>
          %22:16 = mxfp4.pin %r0, %r1, %r2, %r3, %r0_4, %r1_5, %r2_6, %r3_7, %r0_8, %r1_9, %r2_10, %r3_11, %r0_12, %r1_13, %r2_14, %r3_15 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
          %23:16 = mxfp4.pin %22#0, %22#1, %22#2, %22#3, %22#4, %22#5, %22#6, %22#7, %22#8, %22#9, %22#10, %22#11, %22#12, %22#13, %22#14, %22#15 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
          mxfp4.wait_barrier %arg7[%19] parity %20 : memref<4xi64, #gpu.address_space<workgroup>>
          %step0_16, %step1_17, %step2_18, %step3_19 = mxfp4.load_codes %view_1[%19, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %24 = mxfp4.load_scales %view_1[%19, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %25:43 = scf.for %arg19 = %c0 to %c5 step %c1 iter_args(%arg20 = %15, %arg21 = %arg12, %arg22 = %arg12, %arg23 = %arg13, %arg24 = %19, %arg25 = %20, %arg26 = %22#0, %arg27 = %22#1, %arg28 = %22#2, %arg29 = %22#3, %arg30 = %22#4, %arg31 = %22#5, %arg32 = %22#6, %arg33 = %22#7, %arg34 = %22#8, %arg35 = %22#9, %arg36 = %22#10, %arg37 = %22#11, %arg38 = %22#12, %arg39 = %22#13, %arg40 = %22#14, %arg41 = %22#15, %arg42 = %23#0, %arg43 = %23#1, %arg44 = %23#2, %arg45 = %23#3, %arg46 = %23#4, %arg47 = %23#5, %arg48 = %23#6, %arg49 = %23#7, %arg50 = %23#8, %arg51 = %23#9, %arg52 = %23#10, %arg53 = %23#11, %arg54 = %23#12, %arg55 = %23#13, %arg56 = %23#14, %arg57 = %23#15, %arg58 = %step0_16, %arg59 = %24, %arg60 = %step1_17, %arg61 = %step2_18, %arg62 = %step3_19) -> (vector<1x4x4xf32>, index, index, i32, index, i32, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32) {
            %31 = arith.cmpi ult, %arg19, %c4 : index
            %32 = arith.cmpi ne, %arg19, %c0 : index
            %33 = vector.extract %arg20[0] : vector<4x4xf32> from vector<1x4x4xf32>
            %34 = mxfp4.wgmma %33 a(%arg26, %arg27, %arg28, %arg29, %arg30, %arg31, %arg32, %arg33, %arg34, %arg35, %arg36, %arg37, %arg38, %arg39, %arg40, %arg41) b(%view_0[%arg22]) columns 4 tokens(%10 by 16) : vector<4x4xf32>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
            %35 = mxfp4.wgmma_wait %34 pending 1 : vector<4x4xf32>
            scf.if %32 {
              mxfp4.arrive_barrier %arg8[%arg21] : memref<4xi64, #gpu.address_space<workgroup>>
            }
            %36 = arith.cmpi ne, %10, %c0 : index
            %37 = arith.addi %arg24, %c1 : index
            %38 = arith.cmpi uge, %37, %c4 : index
            %39 = arith.xori %arg25, %c1_i32 : i32
            %40 = arith.select %38, %c0, %37 : index
            %41 = arith.select %38, %39, %arg25 : i32
            %42:21 = scf.if %36 -> (vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32) {
              %r0_20, %r1_21, %r2_22, %r3_23 = mxfp4.decode %arg58, %arg59 step 0 : !mxfp4.block<nibble, raw>
              %r0_24, %r1_25, %r2_26, %r3_27 = mxfp4.decode %arg60, %arg59 step 1 : !mxfp4.block<nibble, raw>
              %r0_28, %r1_29, %r2_30, %r3_31 = mxfp4.decode %arg61, %arg59 step 2 : !mxfp4.block<nibble, raw>
              %r0_32, %r1_33, %r2_34, %r3_35 = mxfp4.decode %arg62, %arg59 step 3 : !mxfp4.block<nibble, raw>
              %52:16 = mxfp4.pin %r0_20, %r1_21, %r2_22, %r3_23, %r0_24, %r1_25, %r2_26, %r3_27, %r0_28, %r1_29, %r2_30, %r3_31, %r0_32, %r1_33, %r2_34, %r3_35 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
              %53:5 = scf.if %31 -> (i32, i32, i32, i32, i32) {
                mxfp4.wait_barrier %arg7[%40] parity %41 : memref<4xi64, #gpu.address_space<workgroup>>
                %step0_36, %step1_37, %step2_38, %step3_39 = mxfp4.load_codes %view_1[%40, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                %54 = mxfp4.load_scales %view_1[%40, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                scf.yield %step0_36, %54, %step1_37, %step2_38, %step3_39 : i32, i32, i32, i32, i32
              } else {
                scf.yield %arg58, %arg59, %arg60, %arg61, %arg62 : i32, i32, i32, i32, i32
              }
              scf.yield %52#0, %52#1, %52#2, %52#3, %52#4, %52#5, %52#6, %52#7, %52#8, %52#9, %52#10, %52#11, %52#12, %52#13, %52#14, %52#15, %53#0, %53#1, %53#2, %53#3, %53#4 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
            } else {
              scf.yield %arg42, %arg43, %arg44, %arg45, %arg46, %arg47, %arg48, %arg49, %arg50, %arg51, %arg52, %arg53, %arg54, %arg55, %arg56, %arg57, %arg58, %arg59, %arg60, %arg61, %arg62 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
            }
            %43 = mxfp4.wgmma %35 a(%42#0, %42#1, %42#2, %42#3, %42#4, %42#5, %42#6, %42#7, %42#8, %42#9, %42#10, %42#11, %42#12, %42#13, %42#14, %42#15) b(%view_0[%arg24]) columns 4 tokens(%10 by 16) : vector<4x4xf32>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
            %44 = mxfp4.wgmma_wait %43 pending 1 : vector<4x4xf32>
            %45 = vector.broadcast %44 : vector<4x4xf32> to vector<1x4x4xf32>
            mxfp4.arrive_barrier %arg8[%arg22] : memref<4xi64, #gpu.address_space<workgroup>>
            %46 = arith.addi %40, %c1 : index
            %47 = arith.cmpi uge, %46, %c4 : index
            %48 = arith.xori %41, %c1_i32 : i32
            %49 = arith.select %47, %c0, %46 : index
            %50 = arith.select %47, %48, %41 : i32
            %51:21 = scf.if %36 -> (vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32) {
              %r0_20, %r1_21, %r2_22, %r3_23 = mxfp4.decode %42#16, %42#17 step 0 : !mxfp4.block<nibble, raw>
              %r0_24, %r1_25, %r2_26, %r3_27 = mxfp4.decode %42#18, %42#17 step 1 : !mxfp4.block<nibble, raw>
              %r0_28, %r1_29, %r2_30, %r3_31 = mxfp4.decode %42#19, %42#17 step 2 : !mxfp4.block<nibble, raw>
              %r0_32, %r1_33, %r2_34, %r3_35 = mxfp4.decode %42#20, %42#17 step 3 : !mxfp4.block<nibble, raw>
              %52:16 = mxfp4.pin %r0_20, %r1_21, %r2_22, %r3_23, %r0_24, %r1_25, %r2_26, %r3_27, %r0_28, %r1_29, %r2_30, %r3_31, %r0_32, %r1_33, %r2_34, %r3_35 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
              %53:5 = scf.if %31 -> (i32, i32, i32, i32, i32) {
                mxfp4.wait_barrier %arg7[%49] parity %50 : memref<4xi64, #gpu.address_space<workgroup>>
                %step0_36, %step1_37, %step2_38, %step3_39 = mxfp4.load_codes %view_1[%49, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                %54 = mxfp4.load_scales %view_1[%49, %14] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                scf.yield %step0_36, %54, %step1_37, %step2_38, %step3_39 : i32, i32, i32, i32, i32
              } else {
                scf.yield %42#16, %42#17, %42#18, %42#19, %42#20 : i32, i32, i32, i32, i32
              }
              scf.yield %52#0, %52#1, %52#2, %52#3, %52#4, %52#5, %52#6, %52#7, %52#8, %52#9, %52#10, %52#11, %52#12, %52#13, %52#14, %52#15, %53#0, %53#1, %53#2, %53#3, %53#4 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
            } else {
              scf.yield %arg26, %arg27, %arg28, %arg29, %arg30, %arg31, %arg32, %arg33, %arg34, %arg35, %arg36, %arg37, %arg38, %arg39, %arg40, %arg41, %42#16, %42#17, %42#18, %42#19, %42#20 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
            }
            scf.yield %45, %arg24, %40, %41, %49, %50, %51#0, %51#1, %51#2, %51#3, %51#4, %51#5, %51#6, %51#7, %51#8, %51#9, %51#10, %51#11, %51#12, %51#13, %51#14, %51#15, %42#0, %42#1, %42#2, %42#3, %42#4, %42#5, %42#6, %42#7, %42#8, %42#9, %42#10, %42#11, %42#12, %42#13, %42#14, %42#15, %51#16, %51#17, %51#18, %51#19, %51#20 : vector<1x4x4xf32>, index, index, i32, index, i32, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
          }
          %26 = mxfp4.wgmma_wait %25#0 : vector<1x4x4xf32>
          mxfp4.arrive_barrier %arg8[%25#1] : memref<4xi64, #gpu.address_space<workgroup>>
          mxfp4.store_tile %26 to %arg3[%arg16, %arg18] valid(%arg17) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : vector<1x4x4xf32> to memref<?x64xbf16>
          %27 = arith.cmpi eq, %arg14, %c1 : index
          %28 = arith.xori %arg15, %c1_i32 : i32
          %29 = arith.subi %c1, %arg14 : index
          %30 = arith.select %27, %28, %arg15 : i32
          scf.yield %25#2, %25#3, %29, %30 : index, i32, index, i32
        }
      }
      gpu.return
    }
  }
}

