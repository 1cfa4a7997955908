// builtin.module(gpu.module(mxfp4-lower-to-nvvm))
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
    gpu.func @mxfp4_grouped_matmul(%arg0: !mxfp4.tensor_map<16>, %arg1: memref<4x1x10x!mxfp4.block<nibble, raw>>, %arg2: memref<7xi32>, %arg3: memref<6xi32>, %arg4: memref<?x64xf32>, %arg5: memref<1xi32>, %arg6: i32) workgroup(%arg7 : memref<6xi64, #gpu.address_space<workgroup>>, %arg8 : memref<6xi64, #gpu.address_space<workgroup>>) kernel attributes {known_block_size = array<i32: 352, 1, 1>, mxfp4.schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>, nvvm.minctasm = 1 : i32} {
      %0 = llvm.mlir.constant(24 : i32) : i32
      %1 = llvm.mlir.constant(16 : i32) : i32
      %2 = llvm.mlir.constant(2122350208 : i32) : i32
      %3 = llvm.mlir.constant(65537 : i32) : i32
      %4 = llvm.mlir.constant(7 : i32) : i32
      %5 = llvm.mlir.constant(64 : i32) : i32
      %6 = llvm.mlir.constant(25 : i32) : i32
      %7 = llvm.mlir.constant(-1 : i32) : i32
      %8 = llvm.mlir.constant(127 : i32) : i32
      %9 = llvm.mlir.constant(1 : i32) : i32
      %10 = llvm.mlir.constant(255 : i32) : i32
      %11 = llvm.mlir.constant(4 : i32) : i32
      %12 = llvm.mlir.constant(2 : i32) : i32
      %13 = llvm.mlir.constant(8 : i32) : i32
      %14 = llvm.mlir.constant(29360576 : i32) : i32
      %15 = llvm.mlir.constant(6 : i32) : i32
      %16 = llvm.mlir.constant(-2147450880 : i32) : i32
      %17 = llvm.mlir.constant(12 : i32) : i32
      %c12288 = arith.constant 12288 : index
      %c58112 = arith.constant 58112 : index
      %c4 = arith.constant 4 : index
      %c4224_i32 = arith.constant 4224 : i32
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
      nvvm.fence.mbarrier.init
      %18 = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
      %view = memref.view %18[%c0][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>
      %view_0 = memref.view %18[%c45056][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
      %view_1 = memref.view %18[%c62208][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8xi32, #gpu.address_space<workgroup>>
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %thread_id_x = gpu.thread_id  x
      %19 = arith.cmpi ult, %thread_id_x, %c32 : index
      scf.if %19 {
        %26 = arith.minui %thread_id_x, %c6 : index
        %27 = memref.load %arg2[%26] : memref<7xi32>
        %28 = arith.addi %thread_id_x, %c1 : index
        %29 = arith.minui %28, %c6 : index
        %30 = memref.load %arg2[%29] : memref<7xi32>
        %31 = arith.cmpi eq, %thread_id_x, %c0 : index
        %32 = arith.cmpi uge, %thread_id_x, %c5 : index
        %33 = arith.cmpi ne, %27, %c0_i32 : i32
        %34 = arith.andi %31, %33 : i1
        %35 = arith.cmpi ne, %30, %arg6 : i32
        %36 = arith.andi %32, %35 : i1
        %37 = arith.ori %34, %36 : i1
        %38 = arith.cmpi sgt, %27, %30 : i32
        %39 = arith.ori %37, %38 : i1
        %40 = nvvm.vote.sync  any %c-1_i32, %39 -> i1
        %41 = arith.subi %30, %27 : i32
        %42 = arith.ceildivui %41, %c16_i32 : i32
        %shuffleResult_2, %valid_3 = gpu.shuffle  up %42, %c1_i32, %c32_i32 : i32
        %43 = arith.select %valid_3, %shuffleResult_2, %c0_i32 : i32
        %44 = arith.addi %42, %43 : i32
        %shuffleResult_4, %valid_5 = gpu.shuffle  up %44, %c2_i32, %c32_i32 : i32
        %45 = arith.select %valid_5, %shuffleResult_4, %c0_i32 : i32
        %46 = arith.addi %44, %45 : i32
        %shuffleResult_6, %valid_7 = gpu.shuffle  up %46, %c4_i32, %c32_i32 : i32
        %47 = arith.select %valid_7, %shuffleResult_6, %c0_i32 : i32
        %48 = arith.addi %46, %47 : i32
        %shuffleResult_8, %valid_9 = gpu.shuffle  up %48, %c8_i32, %c32_i32 : i32
        %49 = arith.select %valid_9, %shuffleResult_8, %c0_i32 : i32
        %50 = arith.addi %48, %49 : i32
        %shuffleResult_10, %valid_11 = gpu.shuffle  up %50, %c16_i32, %c32_i32 : i32
        %51 = arith.select %valid_11, %shuffleResult_10, %c0_i32 : i32
        %52 = arith.addi %50, %51 : i32
        %shuffleResult_12, %valid_13 = gpu.shuffle  idx %52, %c31_i32, %c32_i32 : i32
        %53 = arith.cmpi ult, %thread_id_x, %c6 : index
        scf.if %53 {
          memref.store %52, %view_1[%28] : memref<8xi32, #gpu.address_space<workgroup>>
        }
        %54 = arith.select %40, %c0_i32, %shuffleResult_12 : i32
        scf.if %31 {
          memref.store %c0_i32, %view_1[%c0] : memref<8xi32, #gpu.address_space<workgroup>>
          memref.store %54, %view_1[%c7] : memref<8xi32, #gpu.address_space<workgroup>>
          scf.if %40 {
            %55 = memref.atomic_rmw ori %c1_i32, %arg5[%c0] : (i32, memref<1xi32>) -> i32
          }
        }
      }
      gpu.barrier
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %20 = memref.load %view_1[%c7] : memref<8xi32, #gpu.address_space<workgroup>>
      %21 = arith.index_cast %20 : i32 to index
      %22 = arith.divui %thread_id_x, %c32 : index
      %23 = arith.index_cast %22 : index to i32
      %shuffleResult, %valid = gpu.shuffle  idx %23, %c0_i32, %c32_i32 : i32
      %24 = arith.index_cast %shuffleResult : i32 to index
      %25 = arith.cmpi uge, %24, %c8 : index
      scf.if %25 {
        %26 = arith.cmpi eq, %24, %c10 : index
        scf.if %26 {
          %28 = nvvm.elect.sync -> i1
          scf.if %28 {
            scf.for %arg9 = %block_id_x to %21 step %grid_dim_x {
              %expert, %row, %valid_2, %column = mxfp4.locate_tile %arg9 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
            } {mxfp4.role = "schedule"}
          }
        }
        %27 = arith.cmpi ult, %24, %c10 : index
        scf.if %27 {
          %28 = nvvm.elect.sync -> i1
          scf.if %28 {
            %29 = arith.subi %24, %c8 : index
            %30:2 = scf.for %arg9 = %block_id_x to %21 step %grid_dim_x iter_args(%arg10 = %29, %arg11 = %c0_i32) -> (index, i32) {
              %expert, %row, %valid_2, %column = mxfp4.locate_tile %arg9 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
              %31 = arith.cmpi sge, %expert, %c0 : index
              %32:2 = scf.if %31 -> (index, i32) {
                %33:2 = scf.for %arg12 = %c0 to %c5 step %c1 iter_args(%arg13 = %arg10, %arg14 = %arg11) -> (index, i32) {
                  %34 = arith.muli %arg12, %c2 : index
                  %35 = arith.addi %34, %29 : index
                  %36 = arith.xori %arg14, %c1_i32 : i32
                  mxfp4.wait_barrier %arg8[%arg13] parity %36 : memref<6xi64, #gpu.address_space<workgroup>>
                  mxfp4.expect_bytes %arg7[%arg13] bytes(%c4224_i32) : memref<6xi64, #gpu.address_space<workgroup>>
                  mxfp4.tensor_copy_activations %arg0[%row, %35] valid(%valid_2) to %view[%arg13] signal %arg7 : <16> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
                  mxfp4.bulk_copy_weights %arg1[%expert, %column, %35] to %view_0[%arg13] signal %arg7 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
                  %37 = arith.addi %arg13, %c2 : index
                  %38 = arith.cmpi uge, %37, %c6 : index
                  %39 = arith.select %38, %29, %37 : index
                  %40 = arith.select %38, %36, %arg14 : i32
                  scf.yield %39, %40 : index, i32
                }
                scf.yield %33#0, %33#1 : index, i32
              } else {
                scf.yield %arg10, %arg11 : index, i32
              }
              scf.yield %32#0, %32#1 : index, i32
            } {mxfp4.role = "copy"}
          }
        }
      } else {
        %26 = arith.divui %24, %c4 : index
        %view_2 = memref.view %18[%c58112][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<8x128xf32, #gpu.address_space<workgroup>>
        %27 = arith.cmpi eq, %26, %c0 : index
        %28:2 = scf.for %arg9 = %block_id_x to %21 step %grid_dim_x iter_args(%arg10 = %26, %arg11 = %c0_i32) -> (index, i32) {
          %expert, %row, %valid_3, %column = mxfp4.locate_tile %arg9 in %view_1 offsets(%arg2) expert_ids(%arg3 : memref<6xi32>) error(%arg5 : memref<1xi32>) experts 4 columns 1 {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>} : memref<8xi32, #gpu.address_space<workgroup>>, memref<7xi32>
          %29 = arith.cmpi sge, %expert, %c0 : index
          %30:3 = scf.if %29 -> (vector<1x2x4xf32>, index, i32) {
            %32 = arith.remui %22, %c4 : index
            %view_4 = memref.view %18[%c12288][] : memref<?xi8, #gpu.address_space<workgroup>> to memref<256x64xbf16, #gpu.address_space<workgroup>>
            %33 = arith.divui %22, %c4 : index
            %34 = arith.muli %33, %c2 : index
            %35 = arith.muli %33, %c8 : index
            %36 = arith.addi %35, %32 : index
            %37:3 = scf.for %arg12 = %c0 to %c5 step %c1 iter_args(%arg13 = %cst, %arg14 = %arg10, %arg15 = %arg11) -> (vector<1x2x4xf32>, index, i32) {
              mxfp4.wait_barrier %arg7[%arg14] parity %arg15 : memref<6xi64, #gpu.address_space<workgroup>>
              %step0, %step1, %step2, %step3 = mxfp4.load_codes %view_0[%arg14, %32] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %38 = mxfp4.load_scales %view_0[%arg14, %32] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
              %39 = llvm.shl %step0, %17 : i32
              %40 = llvm.and %39, %16 : i32
              %41 = llvm.shl %step0, %15 : i32
              %42 = llvm.and %41, %14 : i32
              %43 = llvm.or %40, %42 : i32
              %44 = llvm.shl %step0, %13 : i32
              %45 = llvm.and %44, %16 : i32
              %46 = llvm.shl %step0, %12 : i32
              %47 = llvm.and %46, %14 : i32
              %48 = llvm.or %45, %47 : i32
              %49 = llvm.shl %step0, %11 : i32
              %50 = llvm.and %49, %16 : i32
              %51 = llvm.lshr %step0, %12 : i32
              %52 = llvm.and %51, %14 : i32
              %53 = llvm.or %50, %52 : i32
              %54 = llvm.and %step0, %16 : i32
              %55 = llvm.lshr %step0, %15 : i32
              %56 = llvm.and %55, %14 : i32
              %57 = llvm.or %54, %56 : i32
              %58 = llvm.and %38, %10 : i32
              %59 = llvm.add %58, %9 : i32
              %60 = llvm.lshr %59, %9 : i32
              %61 = llvm.and %60, %8 : i32
              %62 = llvm.add %61, %7 : i32
              %63 = llvm.lshr %62, %6 : i32
              %64 = llvm.and %63, %5 : i32
              %65 = llvm.shl %58, %4 : i32
              %66 = llvm.or %65, %64 : i32
              %67 = llvm.mul %66, %3 : i32
              %68 = llvm.lshr %38, %13 : i32
              %69 = llvm.and %68, %10 : i32
              %70 = llvm.add %69, %9 : i32
              %71 = llvm.lshr %70, %9 : i32
              %72 = llvm.and %71, %8 : i32
              %73 = llvm.add %72, %7 : i32
              %74 = llvm.lshr %73, %6 : i32
              %75 = llvm.and %74, %5 : i32
              %76 = llvm.shl %69, %4 : i32
              %77 = llvm.or %76, %75 : i32
              %78 = llvm.mul %77, %3 : i32
              %79 = llvm.bitcast %43 : i32 to vector<2xbf16>
              %80 = llvm.bitcast %2 : i32 to vector<2xbf16>
              %81 = llvm.fmul %79, %80 : vector<2xbf16>
              %82 = llvm.bitcast %67 : i32 to vector<2xbf16>
              %83 = llvm.fmul %81, %82 : vector<2xbf16>
              %84 = llvm.bitcast %48 : i32 to vector<2xbf16>
              %85 = llvm.fmul %84, %80 : vector<2xbf16>
              %86 = llvm.bitcast %78 : i32 to vector<2xbf16>
              %87 = llvm.fmul %85, %86 : vector<2xbf16>
              %88 = llvm.bitcast %53 : i32 to vector<2xbf16>
              %89 = llvm.fmul %88, %80 : vector<2xbf16>
              %90 = llvm.fmul %89, %82 : vector<2xbf16>
              %91 = llvm.bitcast %57 : i32 to vector<2xbf16>
              %92 = llvm.fmul %91, %80 : vector<2xbf16>
              %93 = llvm.fmul %92, %86 : vector<2xbf16>
              mxfp4.store_decoded %83, %87, %90, %93 to %view_4[%36] step 0 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %94 = llvm.shl %step1, %17 : i32
              %95 = llvm.and %94, %16 : i32
              %96 = llvm.shl %step1, %15 : i32
              %97 = llvm.and %96, %14 : i32
              %98 = llvm.or %95, %97 : i32
              %99 = llvm.shl %step1, %13 : i32
              %100 = llvm.and %99, %16 : i32
              %101 = llvm.shl %step1, %12 : i32
              %102 = llvm.and %101, %14 : i32
              %103 = llvm.or %100, %102 : i32
              %104 = llvm.shl %step1, %11 : i32
              %105 = llvm.and %104, %16 : i32
              %106 = llvm.lshr %step1, %12 : i32
              %107 = llvm.and %106, %14 : i32
              %108 = llvm.or %105, %107 : i32
              %109 = llvm.and %step1, %16 : i32
              %110 = llvm.lshr %step1, %15 : i32
              %111 = llvm.and %110, %14 : i32
              %112 = llvm.or %109, %111 : i32
              %113 = llvm.bitcast %98 : i32 to vector<2xbf16>
              %114 = llvm.fmul %113, %80 : vector<2xbf16>
              %115 = llvm.fmul %114, %82 : vector<2xbf16>
              %116 = llvm.bitcast %103 : i32 to vector<2xbf16>
              %117 = llvm.fmul %116, %80 : vector<2xbf16>
              %118 = llvm.fmul %117, %86 : vector<2xbf16>
              %119 = llvm.bitcast %108 : i32 to vector<2xbf16>
              %120 = llvm.fmul %119, %80 : vector<2xbf16>
              %121 = llvm.fmul %120, %82 : vector<2xbf16>
              %122 = llvm.bitcast %112 : i32 to vector<2xbf16>
              %123 = llvm.fmul %122, %80 : vector<2xbf16>
              %124 = llvm.fmul %123, %86 : vector<2xbf16>
              mxfp4.store_decoded %115, %118, %121, %124 to %view_4[%36] step 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %125 = llvm.shl %step2, %17 : i32
              %126 = llvm.and %125, %16 : i32
              %127 = llvm.shl %step2, %15 : i32
              %128 = llvm.and %127, %14 : i32
              %129 = llvm.or %126, %128 : i32
              %130 = llvm.shl %step2, %13 : i32
              %131 = llvm.and %130, %16 : i32
              %132 = llvm.shl %step2, %12 : i32
              %133 = llvm.and %132, %14 : i32
              %134 = llvm.or %131, %133 : i32
              %135 = llvm.shl %step2, %11 : i32
              %136 = llvm.and %135, %16 : i32
              %137 = llvm.lshr %step2, %12 : i32
              %138 = llvm.and %137, %14 : i32
              %139 = llvm.or %136, %138 : i32
              %140 = llvm.and %step2, %16 : i32
              %141 = llvm.lshr %step2, %15 : i32
              %142 = llvm.and %141, %14 : i32
              %143 = llvm.or %140, %142 : i32
              %144 = llvm.lshr %38, %1 : i32
              %145 = llvm.and %144, %10 : i32
              %146 = llvm.add %145, %9 : i32
              %147 = llvm.lshr %146, %9 : i32
              %148 = llvm.and %147, %8 : i32
              %149 = llvm.add %148, %7 : i32
              %150 = llvm.lshr %149, %6 : i32
              %151 = llvm.and %150, %5 : i32
              %152 = llvm.shl %145, %4 : i32
              %153 = llvm.or %152, %151 : i32
              %154 = llvm.mul %153, %3 : i32
              %155 = llvm.lshr %38, %0 : i32
              %156 = llvm.add %155, %9 : i32
              %157 = llvm.lshr %156, %9 : i32
              %158 = llvm.and %157, %8 : i32
              %159 = llvm.add %158, %7 : i32
              %160 = llvm.lshr %159, %6 : i32
              %161 = llvm.and %160, %5 : i32
              %162 = llvm.shl %155, %4 : i32
              %163 = llvm.or %162, %161 : i32
              %164 = llvm.mul %163, %3 : i32
              %165 = llvm.bitcast %129 : i32 to vector<2xbf16>
              %166 = llvm.fmul %165, %80 : vector<2xbf16>
              %167 = llvm.bitcast %154 : i32 to vector<2xbf16>
              %168 = llvm.fmul %166, %167 : vector<2xbf16>
              %169 = llvm.bitcast %134 : i32 to vector<2xbf16>
              %170 = llvm.fmul %169, %80 : vector<2xbf16>
              %171 = llvm.bitcast %164 : i32 to vector<2xbf16>
              %172 = llvm.fmul %170, %171 : vector<2xbf16>
              %173 = llvm.bitcast %139 : i32 to vector<2xbf16>
              %174 = llvm.fmul %173, %80 : vector<2xbf16>
              %175 = llvm.fmul %174, %167 : vector<2xbf16>
              %176 = llvm.bitcast %143 : i32 to vector<2xbf16>
              %177 = llvm.fmul %176, %80 : vector<2xbf16>
              %178 = llvm.fmul %177, %171 : vector<2xbf16>
              mxfp4.store_decoded %168, %172, %175, %178 to %view_4[%36] step 2 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %179 = llvm.shl %step3, %17 : i32
              %180 = llvm.and %179, %16 : i32
              %181 = llvm.shl %step3, %15 : i32
              %182 = llvm.and %181, %14 : i32
              %183 = llvm.or %180, %182 : i32
              %184 = llvm.shl %step3, %13 : i32
              %185 = llvm.and %184, %16 : i32
              %186 = llvm.shl %step3, %12 : i32
              %187 = llvm.and %186, %14 : i32
              %188 = llvm.or %185, %187 : i32
              %189 = llvm.shl %step3, %11 : i32
              %190 = llvm.and %189, %16 : i32
              %191 = llvm.lshr %step3, %12 : i32
              %192 = llvm.and %191, %14 : i32
              %193 = llvm.or %190, %192 : i32
              %194 = llvm.and %step3, %16 : i32
              %195 = llvm.lshr %step3, %15 : i32
              %196 = llvm.and %195, %14 : i32
              %197 = llvm.or %194, %196 : i32
              %198 = llvm.bitcast %183 : i32 to vector<2xbf16>
              %199 = llvm.fmul %198, %80 : vector<2xbf16>
              %200 = llvm.fmul %199, %167 : vector<2xbf16>
              %201 = llvm.bitcast %188 : i32 to vector<2xbf16>
              %202 = llvm.fmul %201, %80 : vector<2xbf16>
              %203 = llvm.fmul %202, %171 : vector<2xbf16>
              %204 = llvm.bitcast %193 : i32 to vector<2xbf16>
              %205 = llvm.fmul %204, %80 : vector<2xbf16>
              %206 = llvm.fmul %205, %167 : vector<2xbf16>
              %207 = llvm.bitcast %197 : i32 to vector<2xbf16>
              %208 = llvm.fmul %207, %80 : vector<2xbf16>
              %209 = llvm.fmul %208, %171 : vector<2xbf16>
              mxfp4.store_decoded %200, %203, %206, %209 to %view_4[%36] step 3 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              mxfp4.sync_warpgroup
              %210 = vector.extract %arg13[0] : vector<2x4xf32> from vector<1x2x4xf32>
              %211 = mxfp4.wgmma %210 shared_a(%view_4[%34]) b(%view[%arg14]) columns 2 : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<256x64xbf16, #gpu.address_space<workgroup>>
              %212 = mxfp4.wgmma_wait %211 : vector<2x4xf32>
              %213 = vector.broadcast %212 : vector<2x4xf32> to vector<1x2x4xf32>
              mxfp4.arrive_barrier %arg8[%arg14] : memref<6xi64, #gpu.address_space<workgroup>>
              %214 = arith.addi %arg14, %c2 : index
              %215 = arith.cmpi uge, %214, %c6 : index
              %216 = arith.xori %arg15, %c1_i32 : i32
              %217 = arith.select %215, %26, %214 : index
              %218 = arith.select %215, %216, %arg15 : i32
              scf.yield %213, %217, %218 : vector<1x2x4xf32>, index, i32
            } {mxfp4.overlap}
            scf.yield %37#0, %37#1, %37#2 : vector<1x2x4xf32>, index, i32
          } else {
            scf.yield %cst, %arg10, %arg11 : vector<1x2x4xf32>, index, i32
          }
          %31 = mxfp4.reduce_slices %30#0 slice(%26 of 2) through %view_2 : vector<1x2x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
          scf.if %27 {
            mxfp4.store_tile %31 to %arg4[%row, %column] valid(%valid_3) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2>} : vector<1x2x4xf32> to memref<?x64xf32>
          }
          scf.yield %30#1, %30#2 : index, i32
        } {mxfp4.role = "multiply"}
      }
      gpu.return
    }
  }
}

