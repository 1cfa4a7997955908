// builtin.module(gpu.module(mxfp4-lower-program))
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
      %c4224_i32 = arith.constant 4224 : i32
      %c0 = arith.constant 0 : index
      %c32_i32 = arith.constant 32 : i32
      %c0_i32 = arith.constant 0 : i32
      %cst = arith.constant dense<0.000000e+00> : vector<1x2x4xf32>
      %c4 = arith.constant 4 : index
      %0 = mxfp4.create_ring full(%arg7) empty(%arg8) fills 1 releases 4 : memref<6xi64, #gpu.address_space<workgroup>> -> <6>
      %1 = mxfp4.create_ring full(%arg9) empty(%arg10) fills 1 releases 10 : memref<2xi64, #gpu.address_space<workgroup>> -> <2>
      nvvm.fence.mbarrier.init
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %2 = mxfp4.shared_buffer at 62208 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.build_tile_table %2 offsets(%arg2) rows(%arg6) error(%arg4 : memref<1xi32>) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %3 = mxfp4.tile_count %2 groups 4 columns 1 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.warp_roles {
        mxfp4.role "multiply" warps 8 {
        ^bb0(%warp: index):
          %4 = arith.divui %warp, %c4 : index
          %5 = mxfp4.ring_start slice(%4) : <6 by 2>
          %6 = mxfp4.take_tiles %1[%arg11] init(%5) -> !mxfp4.cursor<6 by 2> : <2>, memref<2x4xi32, #gpu.address_space<workgroup>>, !mxfp4.cursor<6 by 2> {
          ^bb0(%expert: index, %row: index, %rows: index, %column: index, %at: !mxfp4.cursor<6 by 2>):
            %7 = mxfp4.shared_buffer at 0 : memref<6x16x64xbf16, #gpu.address_space<workgroup>>
            %8 = mxfp4.shared_buffer at 45056 : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %9 = arith.index_cast %rows : index to i32
            %shuffleResult, %valid = gpu.shuffle  idx %9, %c0_i32, %c32_i32 : i32
            %10 = arith.index_cast %shuffleResult : i32 to index
            %11:2 = mxfp4.k_loop to 10 slice(%4) drains %0 at %at init(%cst) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : !mxfp4.ring<6>, !mxfp4.cursor<6 by 2>, vector<1x2x4xf32> {
            ^bb0(%step: index, %at_0: !mxfp4.cursor<6 by 2>, %sums: vector<1x2x4xf32>):
              %15 = mxfp4.ring_slot %at_0 : <6 by 2>
              %thread_id_x = gpu.thread_id  x
              %c32 = arith.constant 32 : index
              %16 = arith.divui %thread_id_x, %c32 : index
              %c4_1 = arith.constant 4 : index
              %17 = arith.divui %16, %c4_1 : index
              %c1 = arith.constant 1 : index
              %18 = arith.remui %17, %c1 : index
              %c4_2 = arith.constant 4 : index
              %19 = arith.muli %18, %c4_2 : index
              %c4_3 = arith.constant 4 : index
              %20 = arith.remui %16, %c4_3 : index
              %21 = arith.addi %19, %20 : index
              %22 = mxfp4.shared_buffer at 12288 : memref<256x64xbf16, #gpu.address_space<workgroup>>
              %c4_4 = arith.constant 4 : index
              %23 = arith.divui %16, %c4_4 : index
              %c2 = arith.constant 2 : index
              %24 = arith.muli %23, %c2 : index
              %c8 = arith.constant 8 : index
              %25 = arith.muli %23, %c8 : index
              %c4_5 = arith.constant 4 : index
              %26 = arith.remui %16, %c4_5 : index
              %27 = arith.addi %25, %26 : index
              %28 = mxfp4.block_matmul %sums at[%15] fetch {
              ^bb0(%slot: index, %block: index):
                %c4_6 = arith.constant 4 : index
                %29 = arith.muli %block, %c4_6 : index
                %30 = arith.addi %21, %29 : index
                %step0, %step1, %step2, %step3 = mxfp4.load_codes %8[%slot, %30] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                %31 = mxfp4.load_scales %8[%slot, %30] : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                mxfp4.yield %step0, %31, %step1, %step2, %step3 : i32, i32, i32, i32, i32
              } decode {
              ^bb0(%arg12: i32, %arg13: i32, %arg14: i32, %arg15: i32, %arg16: i32):
                %r0, %r1, %r2, %r3 = mxfp4.decode %arg12, %arg13 step 0 : !mxfp4.block<nibble, raw>
                mxfp4.store_decoded %r0, %r1, %r2, %r3 to %22[%27] step 0 : memref<256x64xbf16, #gpu.address_space<workgroup>>
                %r0_6, %r1_7, %r2_8, %r3_9 = mxfp4.decode %arg14, %arg13 step 1 : !mxfp4.block<nibble, raw>
                mxfp4.store_decoded %r0_6, %r1_7, %r2_8, %r3_9 to %22[%27] step 1 : memref<256x64xbf16, #gpu.address_space<workgroup>>
                %r0_10, %r1_11, %r2_12, %r3_13 = mxfp4.decode %arg15, %arg13 step 2 : !mxfp4.block<nibble, raw>
                mxfp4.store_decoded %r0_10, %r1_11, %r2_12, %r3_13 to %22[%27] step 2 : memref<256x64xbf16, #gpu.address_space<workgroup>>
                %r0_14, %r1_15, %r2_16, %r3_17 = mxfp4.decode %arg16, %arg13 step 3 : !mxfp4.block<nibble, raw>
                mxfp4.store_decoded %r0_14, %r1_15, %r2_16, %r3_17 to %22[%27] step 3 : memref<256x64xbf16, #gpu.address_space<workgroup>>
                mxfp4.sync_warpgroup
                mxfp4.yield
              } multiply {
              ^bb0(%slot: index, %sums_6: vector<2x4xf32>):
                %29 = mxfp4.wgmma %sums_6 shared_a(%22[%24]) b(%7[%slot]) columns 2 tokens(%10 by 16) : vector<2x4xf32>, memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<256x64xbf16, #gpu.address_space<workgroup>>
                mxfp4.yield %29 : vector<2x4xf32>
              } : vector<1x2x4xf32>
              mxfp4.yield %28 : vector<1x2x4xf32>
            }
            %12 = mxfp4.shared_buffer at 58112 : memref<8x128xf32, #gpu.address_space<workgroup>>
            %13 = mxfp4.reduce_slices %11#0 slice(%4 of 2) through %12 : vector<1x2x4xf32>, memref<8x128xf32, #gpu.address_space<workgroup>>
            %14 = arith.cmpi eq, %4, %c0 : index
            scf.if %14 {
              mxfp4.store_tile %13 to %arg3[%row, %column] valid(%rows) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : vector<1x2x4xf32> to memref<?x64xbf16>
            }
            mxfp4.yield %11#1 : !mxfp4.cursor<6 by 2>
          }
        }
        mxfp4.role "copy" warps 2 one_thread {
        ^bb0(%warp: index):
          %4 = mxfp4.ring_start slice(%warp) : <6 by 2>
          %5 = mxfp4.take_tiles %1[%arg11] init(%4) -> !mxfp4.cursor<6 by 2> : <2>, memref<2x4xi32, #gpu.address_space<workgroup>>, !mxfp4.cursor<6 by 2> {
          ^bb0(%expert: index, %row: index, %rows: index, %column: index, %at: !mxfp4.cursor<6 by 2>):
            %6 = mxfp4.shared_buffer at 0 : memref<6x16x64xbf16, #gpu.address_space<workgroup>>
            %7 = mxfp4.shared_buffer at 45056 : memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %8 = mxfp4.k_loop to 10 slice(%warp) fills %0 at %at {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : !mxfp4.ring<6>, !mxfp4.cursor<6 by 2> {
            ^bb0(%step: index, %at_0: !mxfp4.cursor<6 by 2>):
              %9 = mxfp4.ring_slot %at_0 : <6 by 2>
              mxfp4.ring_fill %0[%at_0] bytes(%c4224_i32) : <6>, <6 by 2>
              mxfp4.tensor_copy_activations %arg0[%row, %step] valid(%rows) to %6[%9] signal %arg7 : <16> to memref<6x16x64xbf16, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
              mxfp4.bulk_copy_weights %arg1[%expert, %column, %step] to %7[%9] signal %arg7 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<6xi64, #gpu.address_space<workgroup>>
              mxfp4.yield
            }
            mxfp4.yield %8 : !mxfp4.cursor<6 by 2>
          }
        }
        mxfp4.role "schedule" warps 1 one_thread {
        ^bb0(%warp: index):
          mxfp4.hand_out_tiles %block_id_x to %3 step %grid_dim_x in %2 offsets(%arg2) error(%arg4 : memref<1xi32>) experts 4 columns 1 to %1[%arg11] counter(%arg5 : memref<2xi32>) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16, warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1, k_slices = 2, copy_warps = 2, overlap_decode = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>, <2>, memref<2x4xi32, #gpu.address_space<workgroup>>
        }
      }
      gpu.return
    }
  }
}

