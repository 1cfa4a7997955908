// builtin.module(gpu.module(mxfp4-overlap-decode))
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
      %c2176_i32 = arith.constant 2176 : i32
      %c2048_i32 = arith.constant 2048 : i32
      %c16_i32 = arith.constant 16 : i32
      %c0 = arith.constant 0 : index
      %c32_i32 = arith.constant 32 : i32
      %c0_i32 = arith.constant 0 : i32
      %cst = arith.constant dense<0.000000e+00> : vector<1x4x4xf32>
      %c1 = arith.constant 1 : index
      %0 = mxfp4.create_ring full(%arg7) empty(%arg8) fills 1 releases 4 : memref<4xi64, #gpu.address_space<workgroup>> -> <4>
      %1 = mxfp4.create_ring full(%arg9) empty(%arg10) fills 1 releases 6 : memref<2xi64, #gpu.address_space<workgroup>> -> <2>
      nvvm.fence.mbarrier.init
      nvvm.griddepcontrol  launch_dependents
      nvvm.griddepcontrol  wait
      %2 = mxfp4.shared_buffer at 25088 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.build_tile_table %2 offsets(%arg2) rows(%arg6) error(%arg4 : memref<1xi32>) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>
      %block_id_x = gpu.block_id  x
      %grid_dim_x = gpu.grid_dim  x
      %3 = mxfp4.tile_count %2 groups 4 columns 1 : memref<6xi32, #gpu.address_space<workgroup>>
      mxfp4.warp_roles {
        mxfp4.role "multiply" warps 4 {
        ^bb0(%warp: index):
          %4 = mxfp4.ring_start : <4>
          %5 = mxfp4.take_tiles %1[%arg11] init(%4) -> !mxfp4.cursor<4> : <2>, memref<2x4xi32, #gpu.address_space<workgroup>>, !mxfp4.cursor<4> {
          ^bb0(%expert: index, %row: index, %rows: index, %column: index, %at: !mxfp4.cursor<4>):
            %6 = mxfp4.shared_buffer at 0 : memref<4x32x64xbf16, #gpu.address_space<workgroup>>
            %7 = mxfp4.shared_buffer at 16384 : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %8 = arith.index_cast %rows : index to i32
            %shuffleResult, %valid = gpu.shuffle  idx %8, %c0_i32, %c32_i32 : i32
            %9 = arith.index_cast %shuffleResult : i32 to index
            %10:2 = mxfp4.k_loop to 10 drains %0 at %at init(%cst) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : !mxfp4.ring<4>, !mxfp4.cursor<4>, vector<1x4x4xf32> {
            ^bb0(%step: index, %at_0: !mxfp4.cursor<4>, %sums: vector<1x4x4xf32>):
              %11 = mxfp4.ring_slot %at_0 : <4>
              %thread_id_x = gpu.thread_id  x
              %c32 = arith.constant 32 : index
              %12 = arith.divui %thread_id_x, %c32 : index
              %c4 = arith.constant 4 : index
              %13 = arith.divui %12, %c4 : index
              %c4_1 = arith.constant 4 : index
              %14 = arith.muli %13, %c4_1 : index
              %c4_2 = arith.constant 4 : index
              %15 = arith.remui %12, %c4_2 : index
              %16 = arith.addi %14, %15 : index
              %17 = mxfp4.block_matmul %sums at[%11] fetch {
              ^bb0(%slot: index, %block: index):
                %c4_3 = arith.constant 4 : index
                %18 = arith.muli %block, %c4_3 : index
                %19 = arith.addi %16, %18 : index
                %step0, %step1, %step2, %step3 = mxfp4.load_codes %7[%slot, %19] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                %20 = mxfp4.load_scales %7[%slot, %19] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                mxfp4.yield %step0, %20, %step1, %step2, %step3 : i32, i32, i32, i32, i32
              } decode {
              ^bb0(%arg12: i32, %arg13: i32, %arg14: i32, %arg15: i32, %arg16: i32):
                %r0, %r1, %r2, %r3 = mxfp4.decode %arg12, %arg13 step 0 : !mxfp4.block<nibble, raw>
                %r0_3, %r1_4, %r2_5, %r3_6 = mxfp4.decode %arg14, %arg13 step 1 : !mxfp4.block<nibble, raw>
                %r0_7, %r1_8, %r2_9, %r3_10 = mxfp4.decode %arg15, %arg13 step 2 : !mxfp4.block<nibble, raw>
                %r0_11, %r1_12, %r2_13, %r3_14 = mxfp4.decode %arg16, %arg13 step 3 : !mxfp4.block<nibble, raw>
                mxfp4.yield %r0, %r1, %r2, %r3, %r0_3, %r1_4, %r2_5, %r3_6, %r0_7, %r1_8, %r2_9, %r3_10, %r0_11, %r1_12, %r2_13, %r3_14 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
              } multiply {
              ^bb0(%slot: index, %sums_3: vector<4x4xf32>, %arg12: vector<2xbf16>, %arg13: vector<2xbf16>, %arg14: vector<2xbf16>, %arg15: vector<2xbf16>, %arg16: vector<2xbf16>, %arg17: vector<2xbf16>, %arg18: vector<2xbf16>, %arg19: vector<2xbf16>, %arg20: vector<2xbf16>, %arg21: vector<2xbf16>, %arg22: vector<2xbf16>, %arg23: vector<2xbf16>, %arg24: vector<2xbf16>, %arg25: vector<2xbf16>, %arg26: vector<2xbf16>, %arg27: vector<2xbf16>):
                %18 = mxfp4.wgmma %sums_3 a(%arg12, %arg13, %arg14, %arg15, %arg16, %arg17, %arg18, %arg19, %arg20, %arg21, %arg22, %arg23, %arg24, %arg25, %arg26, %arg27) b(%6[%slot]) columns 4 tokens(%9 by 16) : vector<4x4xf32>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
                mxfp4.yield %18 : vector<4x4xf32>
              } : vector<1x4x4xf32>
              mxfp4.yield %17 : vector<1x4x4xf32>
            }
            mxfp4.store_tile %10#0 to %arg3[%row, %column] valid(%rows) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : vector<1x4x4xf32> to memref<?x64xbf16>
            mxfp4.yield %10#1 : !mxfp4.cursor<4>
          }
        }
        mxfp4.role "copy" warps 2 one_thread {
        ^bb0(%warp: index):
          %4 = mxfp4.ring_start : <4>
          %5 = mxfp4.take_tiles %1[%arg11] init(%4) -> !mxfp4.cursor<4> : <2>, memref<2x4xi32, #gpu.address_space<workgroup>>, !mxfp4.cursor<4> {
          ^bb0(%expert: index, %row: index, %rows: index, %column: index, %at: !mxfp4.cursor<4>):
            %6 = mxfp4.shared_buffer at 0 : memref<4x32x64xbf16, #gpu.address_space<workgroup>>
            %7 = mxfp4.shared_buffer at 16384 : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %8 = mxfp4.k_loop to 10 fills %0 at %at {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : !mxfp4.ring<4>, !mxfp4.cursor<4> {
            ^bb0(%step: index, %at_0: !mxfp4.cursor<4>):
              %9 = mxfp4.ring_slot %at_0 : <4>
              %10 = arith.cmpi eq, %warp, %c0 : index
              scf.if %10 {
                %11 = arith.index_cast %rows : index to i32
                %12 = arith.ceildivui %11, %c16_i32 : i32
                %13 = arith.muli %12, %c2048_i32 : i32
                %14 = arith.addi %13, %c2176_i32 : i32
                mxfp4.ring_fill %0[%at_0] bytes(%14) : <4>, <4>
                mxfp4.tensor_copy_activations %arg0[%row, %step] valid(%rows) to %6[%9] signal %arg7 : <32 by 16> to memref<4x32x64xbf16, #gpu.address_space<workgroup>>, memref<4xi64, #gpu.address_space<workgroup>>
              } else {
                %11 = arith.subi %warp, %c1 : index
                mxfp4.bulk_copy_weights %arg1[%expert, %column, %step] to %7[%9] signal %arg7 part %11 of 1 once : memref<4x1x10x!mxfp4.block<nibble, raw>> to memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>, memref<4xi64, #gpu.address_space<workgroup>>
              }
              mxfp4.yield
            }
            mxfp4.yield %8 : !mxfp4.cursor<4>
          }
        }
        mxfp4.role "schedule" warps 1 one_thread {
        ^bb0(%warp: index):
          mxfp4.hand_out_tiles %block_id_x to %3 step %grid_dim_x in %2 offsets(%arg2) error(%arg4 : memref<1xi32>) experts 4 columns 1 to %1[%arg11] counter(%arg5 : memref<2xi32>) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : memref<6xi32, #gpu.address_space<workgroup>>, memref<5xi32>, <2>, memref<2x4xi32, #gpu.address_space<workgroup>>
        }
      }
      gpu.return
    }
  }
}

