// builtin.module(gpu.module(mxfp4-lower-to-nvvm))
module attributes {gpu.container_module, mxfp4.target = #mxfp4.target<"sm_90a">} {
  func.func @grouped_matmul(%arg0: memref<?x640xbf16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<5xi32>, %arg3: memref<?x64xbf16>, %arg4: memref<1xi32>, %arg5: memref<2xi32>) {
    %c352 = arith.constant 352 : index
    %c132 = arith.constant 132 : index
    %c62240_i32 = arith.constant 62240 : i32
    %c1 = arith.constant 1 : index
    %c0 = arith.constant 0 : index
    %dim = memref.dim %arg0, %c0 : memref<?x640xbf16>
    %0 = arith.index_cast %dim : index to i32
    %1 = mxfp4.make_tensor_map %arg0 : memref<?x640xbf16> -> <16>
    gpu.launch_func  @mxfp4_grouped_matmul::@mxfp4_grouped_matmul blocks in (%c132, %c1, %c1) threads in (%c352, %c1, %c1)  dynamic_shared_memory_size %c62240_i32 args(%1 : !mxfp4.tensor_map<16>, %arg1 : memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2 : memref<5xi32>, %arg3 : memref<?x64xbf16>, %arg4 : memref<1xi32>, %arg5 : memref<2xi32>, %0 : i32)
    return
  }
  gpu.module @mxfp4_grouped_matmul attributes {mxfp4.target = #mxfp4.target<"sm_90a">} {
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<16> {mxfp4.arg = #mxfp4.arg<x align 16 maps memref<?x640xbf16>>}, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>> {mxfp4.arg = #mxfp4.arg<weights align 16>}, %arg2: memref<5xi32> {mxfp4.arg = #mxfp4.arg<offsets align 4>}, %arg3: memref<?x64xbf16> {mxfp4.arg = #mxfp4.arg<y align 4>}, %arg4: memref<1xi32> {mxfp4.arg = #mxfp4.arg<error by launcher align 4>}, %arg5: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>}, %arg6: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}) workgroup(%arg7 : memref<6xi64, #gpu.address_space<workgroup>>, %arg8 : memref<6xi64, #gpu.address_space<workgroup>>, %arg9 : memref<2xi64, #gpu.address_space<workgroup>>, %arg10 : memref<2xi64, #gpu.address_space<workgroup>>, %arg11 : memref<2x4xi32, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 352, 1, 1>, nvvm.minctasm = 1 : i32} {
      %0 = llvm.mlir.constant(2122350208 : i32) : i32
      %1 = llvm.mlir.poison : vector<2xbf16>
      %2 = llvm.mlir.constant(7 : i32) : i32
      %3 = llvm.mlir.constant(4194368 : i32) : i32
      %4 = llvm.mlir.constant(8323199 : i32) : i32
      %5 = llvm.mlir.constant(1 : i32) : i32
      %6 = llvm.mlir.constant(65537 : i32) : i32
      %7 = llvm.mlir.constant(16711935 : i32) : i32
      %8 = llvm.mlir.constant(4 : i32) : i32
      %9 = llvm.mlir.constant(2 : i32) : i32
      %10 = llvm.mlir.constant(8 : i32) : i32
      %11 = llvm.mlir.constant(29360576 : i32) : i32
      %12 = llvm.mlir.constant(6 : i32) : i32
      %13 = llvm.mlir.constant(-2147450880 : i32) : i32
      %14 = llvm.mlir.constant(12 : i32) : i32
      %c58112 = arith.constant 58112 : index
      %c12288 = arith.constant 12288 : index
      %c6 = arith.constant 6 : index
      %c45056 = arith.constant 45056 : index
      %c2 = arith.constant 2 : index
      %c10 = arith.constant 10 : index
      %c8 = arith.constant 8 : index
      %c5 = arith.constant 5 : index
      %c31_i32 = arith.constant 31 : i32
      %c8_i32 = arith.constant 8 : i32
      %c4_i32 = arith.constant 4 : i32
      %c2_i32 = arith.constant 2 : i32
      %c1_i32 = arith.constant 1 : i32
      %c16_i32 = arith.constant 16 : i32
      %c-1_i32 = arith.constant -1 : i32
      %c3 = arith.constant 3 : index
      %c1 = arith.constant 1 : index
      %c32 = arith.constant 32 : index
      %c62208 = arith.constant 62208 : index
      %c4224_i32 = arith.constant 4224 : i32
      %c0 = arith.constant 0 : index
      %c32_i32 = arith.constant 32 : i32
      %c0_i32 = arith.constant 0 : i32
      %cst = arith.constant dense<0.000000e+00> : vector<1x2x4xf32>
      %c4 = arith.constant 4 : index
      mxfp4.init_barriers %arg7 count 1 : memref<6xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg8 count 4 : memref<6xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg9 count 1 : memref<2xi64, #gpu.address_space<workgroup>>
      mxfp4.init_barriers %arg10 count 10 : memref<2xi64, #gpu.address_space<workgroup>>
      nvvm.fence.mbarrier.init
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %15 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %15[%c62208][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6xi32, #gpu.address_space<workgroup>>
      %thread_id_x = gpu.thread_id  x
      %16 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %16 {
        %23 = arith.minui %thread_id_x, %c4 : index
        %24 = memref.load %arg2[%23] : memref<5xi32>
        %25 = arith.addi %thread_id_x, %c1 : index
        %26 = arith.minui %25, %c4 : index
        %27 = memref.load %arg2[%26] : memref<5xi32>
        %28 = arith.cmpi eq, %thread_id_x, %c0 : index
        %29 = arith.cmpi uge, %thread_id_x, %c3 : index
        %30 = arith.cmpi ne, %24, %c0_i32 : i32
        %31 = arith.andi %28, %30 : i1
        %32 = arith.cmpi ne, %27, %arg6 : i32
        %33 = arith.andi %29, %32 : i1
        %34 = arith.ori %31, %33 : i1
        %35 = arith.cmpi sgt, %24, %27 : i32
        %36 = arith.ori %34, %35 : i1
        %37 = nvvm.vote.sync  any %c-1_i32, %36 -> i1
        %38 = arith.subi %27, %24 : i32
        %39 = arith.ceildivui %38, %c16_i32 : i32
        %shuffleResult_0, %valid_1 = gpu.shuffle  up %39, %c1_i32, %c32_i32 : i32
        %40 = arith.select %valid_1, %shuffleResult_0, %c0_i32 : i32
        %41 = arith.addi %39, %40 : i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  up %41, %c2_i32, %c32_i32 : i32
        %42 = arith.select %valid_3, %shuffleResult_2, %c0_i32 : i32
        %43 = arith.addi %41, %42 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  up %43, %c4_i32, %c32_i32 : i32
        %44 = arith.select %valid_5, %shuffleResult_4, %c0_i32 : i32
        %45 = arith.addi %43, %44 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  up %45, %c8_i32, %c32_i32 : i32
        %46 = arith.select %valid_7, %shuffleResult_6, %c0_i32 : i32
        %47 = arith.addi %45, %46 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  up %47, %c16_i32, %c32_i32 : i32
        %48 = arith.select %valid_9, %shuffleResult_8, %c0_i32 : i32
        %49 = arith.addi %47, %48 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  idx %49, %c31_i32, %c32_i32 : i32
        %50 = arith.cmpi ult, %thread_id_x, %c4 : index
        scf.if %50 {
          memref.store %49, %view[%25] : memref<6xi32, #gpu.address_space<workgroup>>
        }
        %51 = arith.select %37, %c0_i32, %shuffleResult_10 : i32
        scf.if %28 {
          memref.store %c0_i32, %view[%c0] : memref<6xi32, #gpu.address_space<workgroup>>
          memref.store %51, %view[%c5] : memref<6xi32, #gpu.address_space<workgroup>>
          scf.if %37 {
            %52 = memref.atomic_rmw ori %c1_i32, %arg4[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %17 = memref.load %view[%c5] : memref<6xi32, #gpu.address_space<workgroup>>
      %18 = arith.index_cast %17 : i32 to index
      %19 = arith.divui %thread_id_x, %c32 : index
      %20 = arith.index_cast %19 : index to i32
      %shuffleResult, %valid = gpu.shuffle  idx %20, %c0_i32, %c32_i32 : i32
      %21 = arith.index_cast %shuffleResult : i32 to index
      %22 = arith.cmpi uge, %21, %c8 : index
      scf.if %22 {
        %23 = arith.cmpi eq, %21, %c10 : index
        scf.if %23 {
          %25 = nvvm.elect.sync -> i1
          scf.if %25 {
            %26:3 = scf.while (%arg12 = %block_id_x, %arg13 = %c0, %arg14 = %c0_i32) : (index, index, i32) -> (index, index, i32) {
              %31 = memref.atomic_rmw addi %c1_i32, %arg5[%c0] : (i32, memref<2xi32>) -> i32
              %32 = arith.index_cast %31 : i32 to index
              %33 = arith.addi %32, %grid_dim_x : index
              %34 = arith.cmpi ult, %arg12, %18 : index
              %35 = arith.xori %arg14, %c1_i32 : i32
              mxfp4.wait_barrier %arg10[%arg13] parity %35 : memref<2xi64, #gpu.address_space<workgroup>>
              scf.if %34 {
                %expert, %row, %valid_0, %column = mxfp4.locate_tile %arg12 in %view offsets(%arg2) error(%arg4 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
                %36 = arith.index_cast %expert : index to i32
                memref.store %36, %arg11[%arg13, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %37 = arith.index_cast %row : index to i32
                memref.store %37, %arg11[%arg13, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %38 = arith.index_cast %valid_0 : index to i32
                memref.store %38, %arg11[%arg13, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
                %39 = arith.index_cast %column : index to i32
                memref.store %39, %arg11[%arg13, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              } else {
                memref.store %c-1_i32, %arg11[%arg13, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
                memref.store %c-1_i32, %arg11[%arg13, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              }
              mxfp4.expect_bytes %arg9[%arg13] bytes(%c0_i32) : memref<2xi64, #gpu.address_space<workgroup>>
              scf.condition(%34) %33, %arg13, %arg14 : index, index, i32
            } do {
            ^bb0(%arg12: index, %arg13: index, %arg14: i32):
              %31 = arith.cmpi eq, %arg13, %c1 : index
              %32 = arith.xori %arg14, %c1_i32 : i32
              %33 = arith.subi %c1, %arg13 : index
              %34 = arith.select %31, %32, %arg14 : i32
              scf.yield %arg12, %33, %34 : index, index, i32
            }
            llvm.fence syncscope("device") acq_rel
            %27 = memref.atomic_rmw addi %c1_i32, %arg5[%c1] : (i32, memref<2xi32>) -> i32
            llvm.fence syncscope("device") acq_rel
            %28 = arith.index_cast %grid_dim_x : index to i32
            %29 = arith.subi %28, %c1_i32 : i32
            %30 = arith.cmpi eq, %27, %29 : i32
            scf.if %30 {
              memref.store %c0_i32, %arg5[%c0] : memref<2xi32>
              memref.store %c0_i32, %arg5[%c1] : memref<2xi32>
            }
          }
        }
        %24 = arith.cmpi ult, %21, %c10 : index
        scf.if %24 {
          %25 = nvvm.elect.sync -> i1
          scf.if %25 {
            %26 = arith.subi %21, %c8 : index
            %view_0 = memref.view %15[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>
            %view_1 = memref.view %15[%c45056][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %27 = arith.muli %26, %c5 : index
            %28:8 = scf.while (%arg12 = %26, %arg13 = %c0_i32, %arg14 = %c0, %arg15 = %c0_i32) : (index, i32, index, i32) -> (index, i32, index, i32, index, index, index, index) {
              mxfp4.wait_barrier %arg9[%arg14] parity %arg15 : memref<2xi64, #gpu.address_space<workgroup>>
              %29 = memref.load %arg11[%arg14, %c0] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %30 = arith.index_cast %29 : i32 to index
              %31 = memref.load %arg11[%arg14, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %32 = arith.index_cast %31 : i32 to index
              %33 = memref.load %arg11[%arg14, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %34 = arith.index_cast %33 : i32 to index
              %35 = memref.load %arg11[%arg14, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
              %36 = arith.index_cast %35 : i32 to index
              mxfp4.expect_bytes %arg10[%arg14] bytes(%c0_i32) : memref<2xi64, #gpu.address_space<workgroup>>
              %37 = arith.cmpi sge, %36, %c0 : index
              scf.condition(%37) %arg12, %arg13, %arg14, %arg15, %30, %32, %34, %36 : index, i32, index, i32, index, index, index, index
            } do {
            ^bb0(%arg12: index, %arg13: i32, %arg14: index, %arg15: i32, %arg16: index, %arg17: index, %arg18: index, %arg19: index):
              %29:2 = scf.for %arg20 = %c0 to %c5 step %c1 iter_args(%arg21 = %arg12, %arg22 = %arg13) -> (index, i32) {
                %34 = arith.addi %arg20, %27 : index
                %35 = arith.xori %arg22, %c1_i32 : i32
                mxfp4.wait_barrier %arg8[%arg21] parity %35 : memref<6xi64, #gpu.address_space<workgroup>>
                mxfp4.expect_bytes %arg7[%arg21] bytes(%c4224_i32) : memref<6xi64, #gpu.address_space<workgroup>>
                mxfp4.tensor_copy_activations %arg0[%arg17, %34] valid(%arg18) to %view_0[%arg21] signal %arg7 : <16> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
                mxfp4.bulk_copy_weights %arg1[%arg16, %arg19, %34] to %view_1[%arg21] signal %arg7 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
                %36 = arith.addi %arg21, %c2 : index
                %37 = arith.cmpi uge, %36, %c6 : index
                %38 = arith.select %37, %26, %36 : index
                %39 = arith.select %37, %35, %arg22 : i32
                scf.yield %38, %39 : index, i32
              }
              %30 = arith.cmpi eq, %arg14, %c1 : index
              %31 = arith.xori %arg15, %c1_i32 : i32
              %32 = arith.subi %c1, %arg14 : index
              %33 = arith.select %30, %31, %arg15 : i32
              scf.yield %29#0, %29#1, %32, %33 : index, i32, index, i32
            }
          }
        }
      } else {
        %23 = arith.divui %21, %c4 : index
        %view_0 = memref.view %15[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>
        %view_1 = memref.view %15[%c45056][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
        %24 = arith.divui %19, %c4 : index
        %25 = arith.remui %19, %c4 : index
        %view_2 = memref.view %15[%c12288][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<256x64xbf16, #gpu.address_space<workgroup>>
        %26 = arith.muli %24, %c2 : index
        %27 = arith.muli %24, %c8 : index
        %28 = arith.addi %27, %25 : index
        %view_3 = memref.view %15[%c58112][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8x128xf32, #gpu.address_space<workgroup>>
        %29 = arith.cmpi eq, %23, %c0 : index
        %30:7 = scf.while (%arg12 = %23, %arg13 = %c0_i32, %arg14 = %c0, %arg15 = %c0_i32) : (index, i32, index, i32) -> (index, i32, index, i32, index, index, index) {
          mxfp4.wait_barrier %arg9[%arg14] parity %arg15 : memref<2xi64, #gpu.address_space<workgroup>>
          %31 = memref.load %arg11[%arg14, %c1] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %32 = arith.index_cast %31 : i32 to index
          %33 = memref.load %arg11[%arg14, %c2] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %34 = arith.index_cast %33 : i32 to index
          %35 = memref.load %arg11[%arg14, %c3] : memref<2x4xi32, #gpu.address_space<workgroup>>
          %36 = arith.index_cast %35 : i32 to index
          mxfp4.arrive_barrier %arg10[%arg14] : memref<2xi64, #gpu.address_space<workgroup>>
          %37 = arith.cmpi sge, %36, %c0 : index
          scf.condition(%37) %arg12, %arg13, %arg14, %arg15, %32, %34, %36 : index, i32, index, i32, index, index, index
        } do {
        ^bb0(%arg12: index, %arg13: i32, %arg14: index, %arg15: i32, %arg16: index, %arg17: index, %arg18: index):
          %31 = arith.index_cast %arg17 : index to i32
          %shuffleResult_4, %valid_5 = gpu.shuffle  idx %31, %c0_i32, %c32_i32 : i32
          %32 = arith.index_cast %shuffleResult_4 : i32 to index
          %33 = mxfp4.pin %cst : vector<1x2x4xf32>
          %34 = arith.addi %arg12, %c2 : index
          %35 = arith.cmpi uge, %34, %c6 : index
          %36 = arith.xori %arg13, %c1_i32 : i32
          %37 = arith.select %35, %23, %34 : index
          %38 = arith.select %35, %36, %arg13 : i32
          mxfp4.wait_barrier %arg7[%arg12] parity %arg13 : memref<6xi64, #gpu.address_space<workgroup>>
          %step0, %step1, %step2, %step3 = mxfp4.load_codes %view_1[%arg12, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %39 = mxfp4.load_scales %view_1[%arg12, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %40 = llvm.shl %step0, %14 : i32
          %41 = llvm.and %40, %13 : i32
          %42 = llvm.shl %step0, %12 : i32
          %43 = llvm.and %42, %11 : i32
          %44 = llvm.or %41, %43 : i32
          %45 = llvm.shl %step0, %10 : i32
          %46 = llvm.and %45, %13 : i32
          %47 = llvm.shl %step0, %9 : i32
          %48 = llvm.and %47, %11 : i32
          %49 = llvm.or %46, %48 : i32
          %50 = llvm.shl %step0, %8 : i32
          %51 = llvm.and %50, %13 : i32
          %52 = llvm.lshr %step0, %9 : i32
          %53 = llvm.and %52, %11 : i32
          %54 = llvm.or %51, %53 : i32
          %55 = llvm.and %step0, %13 : i32
          %56 = llvm.lshr %step0, %12 : i32
          %57 = llvm.and %56, %11 : i32
          %58 = llvm.or %55, %57 : i32
          %59 = llvm.and %39, %7 : i32
          %60 = llvm.add %59, %6 : i32
          %61 = llvm.lshr %60, %5 : i32
          %62 = llvm.and %61, %4 : i32
          %63 = llvm.add %62, %4 : i32
          %64 = llvm.lshr %63, %5 : i32
          %65 = llvm.add %64, %3 : i32
          %66 = llvm.and %65, %3 : i32
          %67 = llvm.shl %59, %2 : i32
          %68 = llvm.or %67, %66 : i32
          %69 = llvm.bitcast %68 : i32 to vector<2xbf16>
          %70 = llvm.shufflevector %69, %1 [0, 0] : vector<2xbf16> 
          %71 = llvm.shufflevector %69, %1 [1, 1] : vector<2xbf16> 
          %72 = llvm.bitcast %44 : i32 to vector<2xbf16>
          %73 = llvm.bitcast %0 : i32 to vector<2xbf16>
          %74 = llvm.fmul %72, %73 : vector<2xbf16>
          %75 = llvm.fmul %74, %70 : vector<2xbf16>
          %76 = llvm.bitcast %49 : i32 to vector<2xbf16>
          %77 = llvm.fmul %76, %73 : vector<2xbf16>
          %78 = llvm.fmul %77, %71 : vector<2xbf16>
          %79 = llvm.bitcast %54 : i32 to vector<2xbf16>
          %80 = llvm.fmul %79, %73 : vector<2xbf16>
          %81 = llvm.fmul %80, %70 : vector<2xbf16>
          %82 = llvm.bitcast %58 : i32 to vector<2xbf16>
          %83 = llvm.fmul %82, %73 : vector<2xbf16>
          %84 = llvm.fmul %83, %71 : vector<2xbf16>
          mxfp4.store_decoded %75, %78, %81, %84 to %view_2[%28] step 0 : memref<256x64xbf16, #gpu.address_space<workgroup>>
          %85 = llvm.shl %step1, %14 : i32
          %86 = llvm.and %85, %13 : i32
          %87 = llvm.shl %step1, %12 : i32
          %88 = llvm.and %87, %11 : i32
          %89 = llvm.or %86, %88 : i32
          %90 = llvm.shl %step1, %10 : i32
          %91 = llvm.and %90, %13 : i32
          %92 = llvm.shl %step1, %9 : i32
          %93 = llvm.and %92, %11 : i32
          %94 = llvm.or %91, %93 : i32
          %95 = llvm.shl %step1, %8 : i32
          %96 = llvm.and %95, %13 : i32
          %97 = llvm.lshr %step1, %9 : i32
          %98 = llvm.and %97, %11 : i32
          %99 = llvm.or %96, %98 : i32
          %100 = llvm.and %step1, %13 : i32
          %101 = llvm.lshr %step1, %12 : i32
          %102 = llvm.and %101, %11 : i32
          %103 = llvm.or %100, %102 : i32
          %104 = llvm.bitcast %89 : i32 to vector<2xbf16>
          %105 = llvm.fmul %104, %73 : vector<2xbf16>
          %106 = llvm.fmul %105, %70 : vector<2xbf16>
          %107 = llvm.bitcast %94 : i32 to vector<2xbf16>
          %108 = llvm.fmul %107, %73 : vector<2xbf16>
          %109 = llvm.fmul %108, %71 : vector<2xbf16>
          %110 = llvm.bitcast %99 : i32 to vector<2xbf16>
          %111 = llvm.fmul %110, %73 : vector<2xbf16>
          %112 = llvm.fmul %111, %70 : vector<2xbf16>
          %113 = llvm.bitcast %103 : i32 to vector<2xbf16>
          %114 = llvm.fmul %113, %73 : vector<2xbf16>
          %115 = llvm.fmul %114, %71 : vector<2xbf16>
          mxfp4.store_decoded %106, %109, %112, %115 to %view_2[%28] step 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
          %116 = llvm.shl %step2, %14 : i32
          %117 = llvm.and %116, %13 : i32
          %118 = llvm.shl %step2, %12 : i32
          %119 = llvm.and %118, %11 : i32
          %120 = llvm.or %117, %119 : i32
          %121 = llvm.shl %step2, %10 : i32
          %122 = llvm.and %121, %13 : i32
          %123 = llvm.shl %step2, %9 : i32
          %124 = llvm.and %123, %11 : i32
          %125 = llvm.or %122, %124 : i32
          %126 = llvm.shl %step2, %8 : i32
          %127 = llvm.and %126, %13 : i32
          %128 = llvm.lshr %step2, %9 : i32
          %129 = llvm.and %128, %11 : i32
          %130 = llvm.or %127, %129 : i32
          %131 = llvm.and %step2, %13 : i32
          %132 = llvm.lshr %step2, %12 : i32
          %133 = llvm.and %132, %11 : i32
          %134 = llvm.or %131, %133 : i32
          %135 = llvm.lshr %39, %10 : i32
          %136 = llvm.and %135, %7 : i32
          %137 = llvm.add %136, %6 : i32
          %138 = llvm.lshr %137, %5 : i32
          %139 = llvm.and %138, %4 : i32
          %140 = llvm.add %139, %4 : i32
          %141 = llvm.lshr %140, %5 : i32
          %142 = llvm.add %141, %3 : i32
          %143 = llvm.and %142, %3 : i32
          %144 = llvm.shl %136, %2 : i32
          %145 = llvm.or %144, %143 : i32
          %146 = llvm.bitcast %145 : i32 to vector<2xbf16>
          %147 = llvm.shufflevector %146, %1 [0, 0] : vector<2xbf16> 
          %148 = llvm.shufflevector %146, %1 [1, 1] : vector<2xbf16> 
          %149 = llvm.bitcast %120 : i32 to vector<2xbf16>
          %150 = llvm.fmul %149, %73 : vector<2xbf16>
          %151 = llvm.fmul %150, %147 : vector<2xbf16>
          %152 = llvm.bitcast %125 : i32 to vector<2xbf16>
          %153 = llvm.fmul %152, %73 : vector<2xbf16>
          %154 = llvm.fmul %153, %148 : vector<2xbf16>
          %155 = llvm.bitcast %130 : i32 to vector<2xbf16>
          %156 = llvm.fmul %155, %73 : vector<2xbf16>
          %157 = llvm.fmul %156, %147 : vector<2xbf16>
          %158 = llvm.bitcast %134 : i32 to vector<2xbf16>
          %159 = llvm.fmul %158, %73 : vector<2xbf16>
          %160 = llvm.fmul %159, %148 : vector<2xbf16>
          mxfp4.store_decoded %151, %154, %157, %160 to %view_2[%28] step 2 : memref<256x64xbf16, #gpu.address_space<workgroup>>
          %161 = llvm.shl %step3, %14 : i32
          %162 = llvm.and %161, %13 : i32
          %163 = llvm.shl %step3, %12 : i32
          %164 = llvm.and %163, %11 : i32
          %165 = llvm.or %162, %164 : i32
          %166 = llvm.shl %step3, %10 : i32
          %167 = llvm.and %166, %13 : i32
          %168 = llvm.shl %step3, %9 : i32
          %169 = llvm.and %168, %11 : i32
          %170 = llvm.or %167, %169 : i32
          %171 = llvm.shl %step3, %8 : i32
          %172 = llvm.and %171, %13 : i32
          %173 = llvm.lshr %step3, %9 : i32
          %174 = llvm.and %173, %11 : i32
          %175 = llvm.or %172, %174 : i32
          %176 = llvm.and %step3, %13 : i32
          %177 = llvm.lshr %step3, %12 : i32
          %178 = llvm.and %177, %11 : i32
          %179 = llvm.or %176, %178 : i32
          %180 = llvm.bitcast %165 : i32 to vector<2xbf16>
          %181 = llvm.fmul %180, %73 : vector<2xbf16>
          %182 = llvm.fmul %181, %147 : vector<2xbf16>
          %183 = llvm.bitcast %170 : i32 to vector<2xbf16>
          %184 = llvm.fmul %183, %73 : vector<2xbf16>
          %185 = llvm.fmul %184, %148 : vector<2xbf16>
          %186 = llvm.bitcast %175 : i32 to vector<2xbf16>
          %187 = llvm.fmul %186, %73 : vector<2xbf16>
          %188 = llvm.fmul %187, %147 : vector<2xbf16>
          %189 = llvm.bitcast %179 : i32 to vector<2xbf16>
          %190 = llvm.fmul %189, %73 : vector<2xbf16>
          %191 = llvm.fmul %190, %148 : vector<2xbf16>
          mxfp4.store_decoded %182, %185, %188, %191 to %view_2[%28] step 3 : memref<256x64xbf16, #gpu.address_space<workgroup>>
          mxfp4.sync_warpgroup
          mxfp4.wait_barrier %arg7[%37] parity %38 : memref<6xi64, #gpu.address_space<workgroup>>
          %step0_6, %step1_7, %step2_8, %step3_9 = mxfp4.load_codes %view_1[%37, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %192 = mxfp4.load_scales %view_1[%37, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
          %193 = vector.extract %33[0] : vector<2x4xf32> from vector<1x2x4xf32>
          %194 = mxfp4.wgmma %193 shared_a(%view_2[%26]) b(%view_0[%arg12]) columns 2 : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<256x64xbf16, #gpu.address_space<workgroup>>
          %195 = vector.broadcast %194 : vector<2x4xf32> to vector<1x2x4xf32>
          %196 = arith.cmpi ne, %32, %c0 : index
          %197 = arith.addi %37, %c2 : index
          %198 = arith.cmpi uge, %197, %c6 : index
          %199 = arith.xori %38, %c1_i32 : i32
          %200 = arith.select %198, %23, %197 : index
          %201 = arith.select %198, %199, %38 : i32
          %202:5 = scf.if %196 -> (i32, i32, i32, i32, i32) {
            %210 = llvm.shl %step0_6, %14 : i32
            %211 = llvm.and %210, %13 : i32
            %212 = llvm.shl %step0_6, %12 : i32
            %213 = llvm.and %212, %11 : i32
            %214 = llvm.or %211, %213 : i32
            %215 = llvm.shl %step0_6, %10 : i32
            %216 = llvm.and %215, %13 : i32
            %217 = llvm.shl %step0_6, %9 : i32
            %218 = llvm.and %217, %11 : i32
            %219 = llvm.or %216, %218 : i32
            %220 = llvm.shl %step0_6, %8 : i32
            %221 = llvm.and %220, %13 : i32
            %222 = llvm.lshr %step0_6, %9 : i32
            %223 = llvm.and %222, %11 : i32
            %224 = llvm.or %221, %223 : i32
            %225 = llvm.and %step0_6, %13 : i32
            %226 = llvm.lshr %step0_6, %12 : i32
            %227 = llvm.and %226, %11 : i32
            %228 = llvm.or %225, %227 : i32
            %229 = llvm.and %192, %7 : i32
            %230 = llvm.add %229, %6 : i32
            %231 = llvm.lshr %230, %5 : i32
            %232 = llvm.and %231, %4 : i32
            %233 = llvm.add %232, %4 : i32
            %234 = llvm.lshr %233, %5 : i32
            %235 = llvm.add %234, %3 : i32
            %236 = llvm.and %235, %3 : i32
            %237 = llvm.shl %229, %2 : i32
            %238 = llvm.or %237, %236 : i32
            %239 = llvm.bitcast %238 : i32 to vector<2xbf16>
            %240 = llvm.shufflevector %239, %1 [0, 0] : vector<2xbf16> 
            %241 = llvm.shufflevector %239, %1 [1, 1] : vector<2xbf16> 
            %242 = llvm.bitcast %214 : i32 to vector<2xbf16>
            %243 = llvm.fmul %242, %73 : vector<2xbf16>
            %244 = llvm.fmul %243, %240 : vector<2xbf16>
            %245 = llvm.bitcast %219 : i32 to vector<2xbf16>
            %246 = llvm.fmul %245, %73 : vector<2xbf16>
            %247 = llvm.fmul %246, %241 : vector<2xbf16>
            %248 = llvm.bitcast %224 : i32 to vector<2xbf16>
            %249 = llvm.fmul %248, %73 : vector<2xbf16>
            %250 = llvm.fmul %249, %240 : vector<2xbf16>
            %251 = llvm.bitcast %228 : i32 to vector<2xbf16>
            %252 = llvm.fmul %251, %73 : vector<2xbf16>
            %253 = llvm.fmul %252, %241 : vector<2xbf16>
            mxfp4.store_decoded %244, %247, %250, %253 to %view_2[%28] step 0 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
            %254 = llvm.shl %step1_7, %14 : i32
            %255 = llvm.and %254, %13 : i32
            %256 = llvm.shl %step1_7, %12 : i32
            %257 = llvm.and %256, %11 : i32
            %258 = llvm.or %255, %257 : i32
            %259 = llvm.shl %step1_7, %10 : i32
            %260 = llvm.and %259, %13 : i32
            %261 = llvm.shl %step1_7, %9 : i32
            %262 = llvm.and %261, %11 : i32
            %263 = llvm.or %260, %262 : i32
            %264 = llvm.shl %step1_7, %8 : i32
            %265 = llvm.and %264, %13 : i32
            %266 = llvm.lshr %step1_7, %9 : i32
            %267 = llvm.and %266, %11 : i32
            %268 = llvm.or %265, %267 : i32
            %269 = llvm.and %step1_7, %13 : i32
            %270 = llvm.lshr %step1_7, %12 : i32
            %271 = llvm.and %270, %11 : i32
            %272 = llvm.or %269, %271 : i32
            %273 = llvm.bitcast %258 : i32 to vector<2xbf16>
            %274 = llvm.fmul %273, %73 : vector<2xbf16>
            %275 = llvm.fmul %274, %240 : vector<2xbf16>
            %276 = llvm.bitcast %263 : i32 to vector<2xbf16>
            %277 = llvm.fmul %276, %73 : vector<2xbf16>
            %278 = llvm.fmul %277, %241 : vector<2xbf16>
            %279 = llvm.bitcast %268 : i32 to vector<2xbf16>
            %280 = llvm.fmul %279, %73 : vector<2xbf16>
            %281 = llvm.fmul %280, %240 : vector<2xbf16>
            %282 = llvm.bitcast %272 : i32 to vector<2xbf16>
            %283 = llvm.fmul %282, %73 : vector<2xbf16>
            %284 = llvm.fmul %283, %241 : vector<2xbf16>
            mxfp4.store_decoded %275, %278, %281, %284 to %view_2[%28] step 1 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
            %285 = llvm.shl %step2_8, %14 : i32
            %286 = llvm.and %285, %13 : i32
            %287 = llvm.shl %step2_8, %12 : i32
            %288 = llvm.and %287, %11 : i32
            %289 = llvm.or %286, %288 : i32
            %290 = llvm.shl %step2_8, %10 : i32
            %291 = llvm.and %290, %13 : i32
            %292 = llvm.shl %step2_8, %9 : i32
            %293 = llvm.and %292, %11 : i32
            %294 = llvm.or %291, %293 : i32
            %295 = llvm.shl %step2_8, %8 : i32
            %296 = llvm.and %295, %13 : i32
            %297 = llvm.lshr %step2_8, %9 : i32
            %298 = llvm.and %297, %11 : i32
            %299 = llvm.or %296, %298 : i32
            %300 = llvm.and %step2_8, %13 : i32
            %301 = llvm.lshr %step2_8, %12 : i32
            %302 = llvm.and %301, %11 : i32
            %303 = llvm.or %300, %302 : i32
            %304 = llvm.lshr %192, %10 : i32
            %305 = llvm.and %304, %7 : i32
            %306 = llvm.add %305, %6 : i32
            %307 = llvm.lshr %306, %5 : i32
            %308 = llvm.and %307, %4 : i32
            %309 = llvm.add %308, %4 : i32
            %310 = llvm.lshr %309, %5 : i32
            %311 = llvm.add %310, %3 : i32
            %312 = llvm.and %311, %3 : i32
            %313 = llvm.shl %305, %2 : i32
            %314 = llvm.or %313, %312 : i32
            %315 = llvm.bitcast %314 : i32 to vector<2xbf16>
            %316 = llvm.shufflevector %315, %1 [0, 0] : vector<2xbf16> 
            %317 = llvm.shufflevector %315, %1 [1, 1] : vector<2xbf16> 
            %318 = llvm.bitcast %289 : i32 to vector<2xbf16>
            %319 = llvm.fmul %318, %73 : vector<2xbf16>
            %320 = llvm.fmul %319, %316 : vector<2xbf16>
            %321 = llvm.bitcast %294 : i32 to vector<2xbf16>
            %322 = llvm.fmul %321, %73 : vector<2xbf16>
            %323 = llvm.fmul %322, %317 : vector<2xbf16>
            %324 = llvm.bitcast %299 : i32 to vector<2xbf16>
            %325 = llvm.fmul %324, %73 : vector<2xbf16>
            %326 = llvm.fmul %325, %316 : vector<2xbf16>
            %327 = llvm.bitcast %303 : i32 to vector<2xbf16>
            %328 = llvm.fmul %327, %73 : vector<2xbf16>
            %329 = llvm.fmul %328, %317 : vector<2xbf16>
            mxfp4.store_decoded %320, %323, %326, %329 to %view_2[%28] step 2 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
            %330 = llvm.shl %step3_9, %14 : i32
            %331 = llvm.and %330, %13 : i32
            %332 = llvm.shl %step3_9, %12 : i32
            %333 = llvm.and %332, %11 : i32
            %334 = llvm.or %331, %333 : i32
            %335 = llvm.shl %step3_9, %10 : i32
            %336 = llvm.and %335, %13 : i32
            %337 = llvm.shl %step3_9, %9 : i32
            %338 = llvm.and %337, %11 : i32
            %339 = llvm.or %336, %338 : i32
            %340 = llvm.shl %step3_9, %8 : i32
            %341 = llvm.and %340, %13 : i32
            %342 = llvm.lshr %step3_9, %9 : i32
            %343 = llvm.and %342, %11 : i32
            %344 = llvm.or %341, %343 : i32
            %345 = llvm.and %step3_9, %13 : i32
            %346 = llvm.lshr %step3_9, %12 : i32
            %347 = llvm.and %346, %11 : i32
            %348 = llvm.or %345, %347 : i32
            %349 = llvm.bitcast %334 : i32 to vector<2xbf16>
            %350 = llvm.fmul %349, %73 : vector<2xbf16>
            %351 = llvm.fmul %350, %316 : vector<2xbf16>
            %352 = llvm.bitcast %339 : i32 to vector<2xbf16>
            %353 = llvm.fmul %352, %73 : vector<2xbf16>
            %354 = llvm.fmul %353, %317 : vector<2xbf16>
            %355 = llvm.bitcast %344 : i32 to vector<2xbf16>
            %356 = llvm.fmul %355, %73 : vector<2xbf16>
            %357 = llvm.fmul %356, %316 : vector<2xbf16>
            %358 = llvm.bitcast %348 : i32 to vector<2xbf16>
            %359 = llvm.fmul %358, %73 : vector<2xbf16>
            %360 = llvm.fmul %359, %317 : vector<2xbf16>
            mxfp4.store_decoded %351, %354, %357, %360 to %view_2[%28] step 3 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
            mxfp4.sync_warpgroup
            mxfp4.wait_barrier %arg7[%200] parity %201 : memref<6xi64, #gpu.address_space<workgroup>>
            %step0_10, %step1_11, %step2_12, %step3_13 = mxfp4.load_codes %view_1[%200, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %361 = mxfp4.load_scales %view_1[%200, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            scf.yield %step0_10, %361, %step1_11, %step2_12, %step3_13 : i32, i32, i32, i32, i32
          } else {
            scf.yield %step0_6, %192, %step1_7, %step2_8, %step3_9 : i32, i32, i32, i32, i32
          }
          %203:11 = scf.for %arg19 = %c0 to %c2 step %c1 iter_args(%arg20 = %195, %arg21 = %arg12, %arg22 = %37, %arg23 = %38, %arg24 = %200, %arg25 = %201, %arg26 = %202#0, %arg27 = %202#1, %arg28 = %202#2, %arg29 = %202#3, %arg30 = %202#4) -> (vector<1x2x4xf32>, index, index, i32, index, i32, i32, i32, i32, i32, i32) {
            %210 = arith.cmpi ult, %arg19, %c1 : index
            %211 = vector.extract %arg20[0] : vector<2x4xf32> from vector<1x2x4xf32>
            %212 = mxfp4.wgmma %211 shared_a(%view_2[%26]) buffer 1 b(%view_0[%arg22]) columns 2 : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<256x64xbf16, #gpu.address_space<workgroup>>
            %213 = mxfp4.wgmma_wait %212 pending 1 : vector<2x4xf32>
            mxfp4.arrive_barrier %arg8[%arg21] : memref<6xi64, #gpu.address_space<workgroup>>
            %214 = arith.addi %arg24, %c2 : index
            %215 = arith.cmpi uge, %214, %c6 : index
            %216 = arith.xori %arg25, %c1_i32 : i32
            %217 = arith.select %215, %23, %214 : index
            %218 = arith.select %215, %216, %arg25 : i32
            %219:5 = scf.if %196 -> (i32, i32, i32, i32, i32) {
              %229 = llvm.shl %arg26, %14 : i32
              %230 = llvm.and %229, %13 : i32
              %231 = llvm.shl %arg26, %12 : i32
              %232 = llvm.and %231, %11 : i32
              %233 = llvm.or %230, %232 : i32
              %234 = llvm.shl %arg26, %10 : i32
              %235 = llvm.and %234, %13 : i32
              %236 = llvm.shl %arg26, %9 : i32
              %237 = llvm.and %236, %11 : i32
              %238 = llvm.or %235, %237 : i32
              %239 = llvm.shl %arg26, %8 : i32
              %240 = llvm.and %239, %13 : i32
              %241 = llvm.lshr %arg26, %9 : i32
              %242 = llvm.and %241, %11 : i32
              %243 = llvm.or %240, %242 : i32
              %244 = llvm.and %arg26, %13 : i32
              %245 = llvm.lshr %arg26, %12 : i32
              %246 = llvm.and %245, %11 : i32
              %247 = llvm.or %244, %246 : i32
              %248 = llvm.and %arg27, %7 : i32
              %249 = llvm.add %248, %6 : i32
              %250 = llvm.lshr %249, %5 : i32
              %251 = llvm.and %250, %4 : i32
              %252 = llvm.add %251, %4 : i32
              %253 = llvm.lshr %252, %5 : i32
              %254 = llvm.add %253, %3 : i32
              %255 = llvm.and %254, %3 : i32
              %256 = llvm.shl %248, %2 : i32
              %257 = llvm.or %256, %255 : i32
              %258 = llvm.bitcast %257 : i32 to vector<2xbf16>
              %259 = llvm.shufflevector %258, %1 [0, 0] : vector<2xbf16> 
              %260 = llvm.shufflevector %258, %1 [1, 1] : vector<2xbf16> 
              %261 = llvm.bitcast %233 : i32 to vector<2xbf16>
              %262 = llvm.fmul %261, %73 : vector<2xbf16>
              %263 = llvm.fmul %262, %259 : vector<2xbf16>
              %264 = llvm.bitcast %238 : i32 to vector<2xbf16>
              %265 = llvm.fmul %264, %73 : vector<2xbf16>
              %266 = llvm.fmul %265, %260 : vector<2xbf16>
              %267 = llvm.bitcast %243 : i32 to vector<2xbf16>
              %268 = llvm.fmul %267, %73 : vector<2xbf16>
              %269 = llvm.fmul %268, %259 : vector<2xbf16>
              %270 = llvm.bitcast %247 : i32 to vector<2xbf16>
              %271 = llvm.fmul %270, %73 : vector<2xbf16>
              %272 = llvm.fmul %271, %260 : vector<2xbf16>
              mxfp4.store_decoded %263, %266, %269, %272 to %view_2[%28] step 0 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %273 = llvm.shl %arg28, %14 : i32
              %274 = llvm.and %273, %13 : i32
              %275 = llvm.shl %arg28, %12 : i32
              %276 = llvm.and %275, %11 : i32
              %277 = llvm.or %274, %276 : i32
              %278 = llvm.shl %arg28, %10 : i32
              %279 = llvm.and %278, %13 : i32
              %280 = llvm.shl %arg28, %9 : i32
              %281 = llvm.and %280, %11 : i32
              %282 = llvm.or %279, %281 : i32
              %283 = llvm.shl %arg28, %8 : i32
              %284 = llvm.and %283, %13 : i32
              %285 = llvm.lshr %arg28, %9 : i32
              %286 = llvm.and %285, %11 : i32
              %287 = llvm.or %284, %286 : i32
              %288 = llvm.and %arg28, %13 : i32
              %289 = llvm.lshr %arg28, %12 : i32
              %290 = llvm.and %289, %11 : i32
              %291 = llvm.or %288, %290 : i32
              %292 = llvm.bitcast %277 : i32 to vector<2xbf16>
              %293 = llvm.fmul %292, %73 : vector<2xbf16>
              %294 = llvm.fmul %293, %259 : vector<2xbf16>
              %295 = llvm.bitcast %282 : i32 to vector<2xbf16>
              %296 = llvm.fmul %295, %73 : vector<2xbf16>
              %297 = llvm.fmul %296, %260 : vector<2xbf16>
              %298 = llvm.bitcast %287 : i32 to vector<2xbf16>
              %299 = llvm.fmul %298, %73 : vector<2xbf16>
              %300 = llvm.fmul %299, %259 : vector<2xbf16>
              %301 = llvm.bitcast %291 : i32 to vector<2xbf16>
              %302 = llvm.fmul %301, %73 : vector<2xbf16>
              %303 = llvm.fmul %302, %260 : vector<2xbf16>
              mxfp4.store_decoded %294, %297, %300, %303 to %view_2[%28] step 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %304 = llvm.shl %arg29, %14 : i32
              %305 = llvm.and %304, %13 : i32
              %306 = llvm.shl %arg29, %12 : i32
              %307 = llvm.and %306, %11 : i32
              %308 = llvm.or %305, %307 : i32
              %309 = llvm.shl %arg29, %10 : i32
              %310 = llvm.and %309, %13 : i32
              %311 = llvm.shl %arg29, %9 : i32
              %312 = llvm.and %311, %11 : i32
              %313 = llvm.or %310, %312 : i32
              %314 = llvm.shl %arg29, %8 : i32
              %315 = llvm.and %314, %13 : i32
              %316 = llvm.lshr %arg29, %9 : i32
              %317 = llvm.and %316, %11 : i32
              %318 = llvm.or %315, %317 : i32
              %319 = llvm.and %arg29, %13 : i32
              %320 = llvm.lshr %arg29, %12 : i32
              %321 = llvm.and %320, %11 : i32
              %322 = llvm.or %319, %321 : i32
              %323 = llvm.lshr %arg27, %10 : i32
              %324 = llvm.and %323, %7 : i32
              %325 = llvm.add %324, %6 : i32
              %326 = llvm.lshr %325, %5 : i32
              %327 = llvm.and %326, %4 : i32
              %328 = llvm.add %327, %4 : i32
              %329 = llvm.lshr %328, %5 : i32
              %330 = llvm.add %329, %3 : i32
              %331 = llvm.and %330, %3 : i32
              %332 = llvm.shl %324, %2 : i32
              %333 = llvm.or %332, %331 : i32
              %334 = llvm.bitcast %333 : i32 to vector<2xbf16>
              %335 = llvm.shufflevector %334, %1 [0, 0] : vector<2xbf16> 
              %336 = llvm.shufflevector %334, %1 [1, 1] : vector<2xbf16> 
              %337 = llvm.bitcast %308 : i32 to vector<2xbf16>
              %338 = llvm.fmul %337, %73 : vector<2xbf16>
              %339 = llvm.fmul %338, %335 : vector<2xbf16>
              %340 = llvm.bitcast %313 : i32 to vector<2xbf16>
              %341 = llvm.fmul %340, %73 : vector<2xbf16>
              %342 = llvm.fmul %341, %336 : vector<2xbf16>
              %343 = llvm.bitcast %318 : i32 to vector<2xbf16>
              %344 = llvm.fmul %343, %73 : vector<2xbf16>
              %345 = llvm.fmul %344, %335 : vector<2xbf16>
              %346 = llvm.bitcast %322 : i32 to vector<2xbf16>
              %347 = llvm.fmul %346, %73 : vector<2xbf16>
              %348 = llvm.fmul %347, %336 : vector<2xbf16>
              mxfp4.store_decoded %339, %342, %345, %348 to %view_2[%28] step 2 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %349 = llvm.shl %arg30, %14 : i32
              %350 = llvm.and %349, %13 : i32
              %351 = llvm.shl %arg30, %12 : i32
              %352 = llvm.and %351, %11 : i32
              %353 = llvm.or %350, %352 : i32
              %354 = llvm.shl %arg30, %10 : i32
              %355 = llvm.and %354, %13 : i32
              %356 = llvm.shl %arg30, %9 : i32
              %357 = llvm.and %356, %11 : i32
              %358 = llvm.or %355, %357 : i32
              %359 = llvm.shl %arg30, %8 : i32
              %360 = llvm.and %359, %13 : i32
              %361 = llvm.lshr %arg30, %9 : i32
              %362 = llvm.and %361, %11 : i32
              %363 = llvm.or %360, %362 : i32
              %364 = llvm.and %arg30, %13 : i32
              %365 = llvm.lshr %arg30, %12 : i32
              %366 = llvm.and %365, %11 : i32
              %367 = llvm.or %364, %366 : i32
              %368 = llvm.bitcast %353 : i32 to vector<2xbf16>
              %369 = llvm.fmul %368, %73 : vector<2xbf16>
              %370 = llvm.fmul %369, %335 : vector<2xbf16>
              %371 = llvm.bitcast %358 : i32 to vector<2xbf16>
              %372 = llvm.fmul %371, %73 : vector<2xbf16>
              %373 = llvm.fmul %372, %336 : vector<2xbf16>
              %374 = llvm.bitcast %363 : i32 to vector<2xbf16>
              %375 = llvm.fmul %374, %73 : vector<2xbf16>
              %376 = llvm.fmul %375, %335 : vector<2xbf16>
              %377 = llvm.bitcast %367 : i32 to vector<2xbf16>
              %378 = llvm.fmul %377, %73 : vector<2xbf16>
              %379 = llvm.fmul %378, %336 : vector<2xbf16>
              mxfp4.store_decoded %370, %373, %376, %379 to %view_2[%28] step 3 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              mxfp4.sync_warpgroup
              %380:5 = scf.if %210 -> (i32, i32, i32, i32, i32) {
                mxfp4.wait_barrier %arg7[%217] parity %218 : memref<6xi64, #gpu.address_space<workgroup>>
                %step0_10, %step1_11, %step2_12, %step3_13 = mxfp4.load_codes %view_1[%217, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                %381 = mxfp4.load_scales %view_1[%217, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                scf.yield %step0_10, %381, %step1_11, %step2_12, %step3_13 : i32, i32, i32, i32, i32
              } else {
                scf.yield %arg26, %arg27, %arg28, %arg29, %arg30 : i32, i32, i32, i32, i32
              }
              scf.yield %380#0, %380#1, %380#2, %380#3, %380#4 : i32, i32, i32, i32, i32
            } else {
              scf.yield %arg26, %arg27, %arg28, %arg29, %arg30 : i32, i32, i32, i32, i32
            }
            %220 = mxfp4.wgmma %213 shared_a(%view_2[%26]) b(%view_0[%arg24]) columns 2 : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<256x64xbf16, #gpu.address_space<workgroup>>
            %221 = mxfp4.wgmma_wait %220 pending 1 : vector<2x4xf32>
            %222 = vector.broadcast %221 : vector<2x4xf32> to vector<1x2x4xf32>
            mxfp4.arrive_barrier %arg8[%arg22] : memref<6xi64, #gpu.address_space<workgroup>>
            %223 = arith.addi %217, %c2 : index
            %224 = arith.cmpi uge, %223, %c6 : index
            %225 = arith.xori %218, %c1_i32 : i32
            %226 = arith.select %224, %23, %223 : index
            %227 = arith.select %224, %225, %218 : i32
            %228:5 = scf.if %196 -> (i32, i32, i32, i32, i32) {
              %229 = llvm.shl %219#0, %14 : i32
              %230 = llvm.and %229, %13 : i32
              %231 = llvm.shl %219#0, %12 : i32
              %232 = llvm.and %231, %11 : i32
              %233 = llvm.or %230, %232 : i32
              %234 = llvm.shl %219#0, %10 : i32
              %235 = llvm.and %234, %13 : i32
              %236 = llvm.shl %219#0, %9 : i32
              %237 = llvm.and %236, %11 : i32
              %238 = llvm.or %235, %237 : i32
              %239 = llvm.shl %219#0, %8 : i32
              %240 = llvm.and %239, %13 : i32
              %241 = llvm.lshr %219#0, %9 : i32
              %242 = llvm.and %241, %11 : i32
              %243 = llvm.or %240, %242 : i32
              %244 = llvm.and %219#0, %13 : i32
              %245 = llvm.lshr %219#0, %12 : i32
              %246 = llvm.and %245, %11 : i32
              %247 = llvm.or %244, %246 : i32
              %248 = llvm.and %219#1, %7 : i32
              %249 = llvm.add %248, %6 : i32
              %250 = llvm.lshr %249, %5 : i32
              %251 = llvm.and %250, %4 : i32
              %252 = llvm.add %251, %4 : i32
              %253 = llvm.lshr %252, %5 : i32
              %254 = llvm.add %253, %3 : i32
              %255 = llvm.and %254, %3 : i32
              %256 = llvm.shl %248, %2 : i32
              %257 = llvm.or %256, %255 : i32
              %258 = llvm.bitcast %257 : i32 to vector<2xbf16>
              %259 = llvm.shufflevector %258, %1 [0, 0] : vector<2xbf16> 
              %260 = llvm.shufflevector %258, %1 [1, 1] : vector<2xbf16> 
              %261 = llvm.bitcast %233 : i32 to vector<2xbf16>
              %262 = llvm.fmul %261, %73 : vector<2xbf16>
              %263 = llvm.fmul %262, %259 : vector<2xbf16>
              %264 = llvm.bitcast %238 : i32 to vector<2xbf16>
              %265 = llvm.fmul %264, %73 : vector<2xbf16>
              %266 = llvm.fmul %265, %260 : vector<2xbf16>
              %267 = llvm.bitcast %243 : i32 to vector<2xbf16>
              %268 = llvm.fmul %267, %73 : vector<2xbf16>
              %269 = llvm.fmul %268, %259 : vector<2xbf16>
              %270 = llvm.bitcast %247 : i32 to vector<2xbf16>
              %271 = llvm.fmul %270, %73 : vector<2xbf16>
              %272 = llvm.fmul %271, %260 : vector<2xbf16>
              mxfp4.store_decoded %263, %266, %269, %272 to %view_2[%28] step 0 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %273 = llvm.shl %219#2, %14 : i32
              %274 = llvm.and %273, %13 : i32
              %275 = llvm.shl %219#2, %12 : i32
              %276 = llvm.and %275, %11 : i32
              %277 = llvm.or %274, %276 : i32
              %278 = llvm.shl %219#2, %10 : i32
              %279 = llvm.and %278, %13 : i32
              %280 = llvm.shl %219#2, %9 : i32
              %281 = llvm.and %280, %11 : i32
              %282 = llvm.or %279, %281 : i32
              %283 = llvm.shl %219#2, %8 : i32
              %284 = llvm.and %283, %13 : i32
              %285 = llvm.lshr %219#2, %9 : i32
              %286 = llvm.and %285, %11 : i32
              %287 = llvm.or %284, %286 : i32
              %288 = llvm.and %219#2, %13 : i32
              %289 = llvm.lshr %219#2, %12 : i32
              %290 = llvm.and %289, %11 : i32
              %291 = llvm.or %288, %290 : i32
              %292 = llvm.bitcast %277 : i32 to vector<2xbf16>
              %293 = llvm.fmul %292, %73 : vector<2xbf16>
              %294 = llvm.fmul %293, %259 : vector<2xbf16>
              %295 = llvm.bitcast %282 : i32 to vector<2xbf16>
              %296 = llvm.fmul %295, %73 : vector<2xbf16>
              %297 = llvm.fmul %296, %260 : vector<2xbf16>
              %298 = llvm.bitcast %287 : i32 to vector<2xbf16>
              %299 = llvm.fmul %298, %73 : vector<2xbf16>
              %300 = llvm.fmul %299, %259 : vector<2xbf16>
              %301 = llvm.bitcast %291 : i32 to vector<2xbf16>
              %302 = llvm.fmul %301, %73 : vector<2xbf16>
              %303 = llvm.fmul %302, %260 : vector<2xbf16>
              mxfp4.store_decoded %294, %297, %300, %303 to %view_2[%28] step 1 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %304 = llvm.shl %219#3, %14 : i32
              %305 = llvm.and %304, %13 : i32
              %306 = llvm.shl %219#3, %12 : i32
              %307 = llvm.and %306, %11 : i32
              %308 = llvm.or %305, %307 : i32
              %309 = llvm.shl %219#3, %10 : i32
              %310 = llvm.and %309, %13 : i32
              %311 = llvm.shl %219#3, %9 : i32
              %312 = llvm.and %311, %11 : i32
              %313 = llvm.or %310, %312 : i32
              %314 = llvm.shl %219#3, %8 : i32
              %315 = llvm.and %314, %13 : i32
              %316 = llvm.lshr %219#3, %9 : i32
              %317 = llvm.and %316, %11 : i32
              %318 = llvm.or %315, %317 : i32
              %319 = llvm.and %219#3, %13 : i32
              %320 = llvm.lshr %219#3, %12 : i32
              %321 = llvm.and %320, %11 : i32
              %322 = llvm.or %319, %321 : i32
              %323 = llvm.lshr %219#1, %10 : i32
              %324 = llvm.and %323, %7 : i32
              %325 = llvm.add %324, %6 : i32
              %326 = llvm.lshr %325, %5 : i32
              %327 = llvm.and %326, %4 : i32
              %328 = llvm.add %327, %4 : i32
              %329 = llvm.lshr %328, %5 : i32
              %330 = llvm.add %329, %3 : i32
              %331 = llvm.and %330, %3 : i32
              %332 = llvm.shl %324, %2 : i32
              %333 = llvm.or %332, %331 : i32
              %334 = llvm.bitcast %333 : i32 to vector<2xbf16>
              %335 = llvm.shufflevector %334, %1 [0, 0] : vector<2xbf16> 
              %336 = llvm.shufflevector %334, %1 [1, 1] : vector<2xbf16> 
              %337 = llvm.bitcast %308 : i32 to vector<2xbf16>
              %338 = llvm.fmul %337, %73 : vector<2xbf16>
              %339 = llvm.fmul %338, %335 : vector<2xbf16>
              %340 = llvm.bitcast %313 : i32 to vector<2xbf16>
              %341 = llvm.fmul %340, %73 : vector<2xbf16>
              %342 = llvm.fmul %341, %336 : vector<2xbf16>
              %343 = llvm.bitcast %318 : i32 to vector<2xbf16>
              %344 = llvm.fmul %343, %73 : vector<2xbf16>
              %345 = llvm.fmul %344, %335 : vector<2xbf16>
              %346 = llvm.bitcast %322 : i32 to vector<2xbf16>
              %347 = llvm.fmul %346, %73 : vector<2xbf16>
              %348 = llvm.fmul %347, %336 : vector<2xbf16>
              mxfp4.store_decoded %339, %342, %345, %348 to %view_2[%28] step 2 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %349 = llvm.shl %219#4, %14 : i32
              %350 = llvm.and %349, %13 : i32
              %351 = llvm.shl %219#4, %12 : i32
              %352 = llvm.and %351, %11 : i32
              %353 = llvm.or %350, %352 : i32
              %354 = llvm.shl %219#4, %10 : i32
              %355 = llvm.and %354, %13 : i32
              %356 = llvm.shl %219#4, %9 : i32
              %357 = llvm.and %356, %11 : i32
              %358 = llvm.or %355, %357 : i32
              %359 = llvm.shl %219#4, %8 : i32
              %360 = llvm.and %359, %13 : i32
              %361 = llvm.lshr %219#4, %9 : i32
              %362 = llvm.and %361, %11 : i32
              %363 = llvm.or %360, %362 : i32
              %364 = llvm.and %219#4, %13 : i32
              %365 = llvm.lshr %219#4, %12 : i32
              %366 = llvm.and %365, %11 : i32
              %367 = llvm.or %364, %366 : i32
              %368 = llvm.bitcast %353 : i32 to vector<2xbf16>
              %369 = llvm.fmul %368, %73 : vector<2xbf16>
              %370 = llvm.fmul %369, %335 : vector<2xbf16>
              %371 = llvm.bitcast %358 : i32 to vector<2xbf16>
              %372 = llvm.fmul %371, %73 : vector<2xbf16>
              %373 = llvm.fmul %372, %336 : vector<2xbf16>
              %374 = llvm.bitcast %363 : i32 to vector<2xbf16>
              %375 = llvm.fmul %374, %73 : vector<2xbf16>
              %376 = llvm.fmul %375, %335 : vector<2xbf16>
              %377 = llvm.bitcast %367 : i32 to vector<2xbf16>
              %378 = llvm.fmul %377, %73 : vector<2xbf16>
              %379 = llvm.fmul %378, %336 : vector<2xbf16>
              mxfp4.store_decoded %370, %373, %376, %379 to %view_2[%28] step 3 buffer 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              mxfp4.sync_warpgroup
              %380:5 = scf.if %210 -> (i32, i32, i32, i32, i32) {
                mxfp4.wait_barrier %arg7[%226] parity %227 : memref<6xi64, #gpu.address_space<workgroup>>
                %step0_10, %step1_11, %step2_12, %step3_13 = mxfp4.load_codes %view_1[%226, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                %381 = mxfp4.load_scales %view_1[%226, %25] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                scf.yield %step0_10, %381, %step1_11, %step2_12, %step3_13 : i32, i32, i32, i32, i32
              } else {
                scf.yield %219#0, %219#1, %219#2, %219#3, %219#4 : i32, i32, i32, i32, i32
              }
              scf.yield %380#0, %380#1, %380#2, %380#3, %380#4 : i32, i32, i32, i32, i32
            } else {
              scf.yield %219#0, %219#1, %219#2, %219#3, %219#4 : i32, i32, i32, i32, i32
            }
            scf.yield %222, %arg24, %217, %218, %226, %227, %228#0, %228#1, %228#2, %228#3, %228#4 : vector<1x2x4xf32>, index, index, i32, index, i32, i32, i32, i32, i32, i32
          }
          %204 = mxfp4.wgmma_wait %203#0 : vector<1x2x4xf32>
          mxfp4.arrive_barrier %arg8[%203#1] : memref<6xi64, #gpu.address_space<workgroup>>
          %205 = mxfp4.reduce_slices %204 slice(%23 of 2) through %view_3 : vector<1x2x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
          scf.if %29 {
            mxfp4.store_tile %205 to %arg3[%arg16, %arg18] valid(%arg17) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : vector<1x2x4xf32> to memref<?x64xbf16>
          }
          %206 = arith.cmpi eq, %arg14, %c1 : index
          %207 = arith.xori %arg15, %c1_i32 : i32
          %208 = arith.subi %c1, %arg14 : index
          %209 = arith.select %206, %207, %arg15 : i32
          scf.yield %203#2, %203#3, %208, %209 : index, i32, index, i32
        }
      }
      gpu.return
    }
  }
}

