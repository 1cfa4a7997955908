// builtin.module(gpu.module(mxfp4-lower-program))
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
            %thread_id_x = gpu.thread_id  x
            %c32 = arith.constant 32 : index
            %10 = arith.divui %thread_id_x, %c32 : index
            %c4 = arith.constant 4 : index
            %11 = arith.divui %10, %c4 : index
            %c4_0 = arith.constant 4 : index
            %12 = arith.muli %11, %c4_0 : index
            %c4_1 = arith.constant 4 : index
            %13 = arith.remui %10, %c4_1 : index
            %14 = arith.addi %12, %13 : index
            %c0_2 = arith.constant 0 : index
            %c4_3 = arith.constant 4 : index
            %15 = arith.muli %c0_2, %c4_3 : index
            %16 = arith.addi %14, %15 : index
            %17 = mxfp4.pin %cst : vector<1x4x4xf32>
            %18 = mxfp4.ring_next %at : <4>
            mxfp4.ring_wait %0[%at] : <4>, <4>
            %19 = mxfp4.ring_slot %at : <4>
            %step0, %step1, %step2, %step3 = mxfp4.load_codes %7[%19, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %20 = mxfp4.load_scales %7[%19, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %r0, %r1, %r2, %r3 = mxfp4.decode %step0, %20 step 0 : !mxfp4.block<nibble, raw>
            %r0_4, %r1_5, %r2_6, %r3_7 = mxfp4.decode %step1, %20 step 1 : !mxfp4.block<nibble, raw>
            %r0_8, %r1_9, %r2_10, %r3_11 = mxfp4.decode %step2, %20 step 2 : !mxfp4.block<nibble, raw>
            %r0_12, %r1_13, %r2_14, %r3_15 = mxfp4.decode %step3, %20 step 3 : !mxfp4.block<nibble, raw>
            %21:16 = mxfp4.pin %r0, %r1, %r2, %r3, %r0_4, %r1_5, %r2_6, %r3_7, %r0_8, %r1_9, %r2_10, %r3_11, %r0_12, %r1_13, %r2_14, %r3_15 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
            %22:16 = mxfp4.pin %21#0, %21#1, %21#2, %21#3, %21#4, %21#5, %21#6, %21#7, %21#8, %21#9, %21#10, %21#11, %21#12, %21#13, %21#14, %21#15 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
            mxfp4.ring_wait %0[%18] : <4>, <4>
            %23 = mxfp4.ring_slot %18 : <4>
            %step0_16, %step1_17, %step2_18, %step3_19 = mxfp4.load_codes %7[%23, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %24 = mxfp4.load_scales %7[%23, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
            %c0_20 = arith.constant 0 : index
            %c5 = arith.constant 5 : index
            %c1_21 = arith.constant 1 : index
            %25:41 = scf.for %arg12 = %c0_20 to %c5 step %c1_21 iter_args(%arg13 = %17, %arg14 = %at, %arg15 = %at, %arg16 = %18, %arg17 = %21#0, %arg18 = %21#1, %arg19 = %21#2, %arg20 = %21#3, %arg21 = %21#4, %arg22 = %21#5, %arg23 = %21#6, %arg24 = %21#7, %arg25 = %21#8, %arg26 = %21#9, %arg27 = %21#10, %arg28 = %21#11, %arg29 = %21#12, %arg30 = %21#13, %arg31 = %21#14, %arg32 = %21#15, %arg33 = %22#0, %arg34 = %22#1, %arg35 = %22#2, %arg36 = %22#3, %arg37 = %22#4, %arg38 = %22#5, %arg39 = %22#6, %arg40 = %22#7, %arg41 = %22#8, %arg42 = %22#9, %arg43 = %22#10, %arg44 = %22#11, %arg45 = %22#12, %arg46 = %22#13, %arg47 = %22#14, %arg48 = %22#15, %arg49 = %step0_16, %arg50 = %24, %arg51 = %step1_17, %arg52 = %step2_18, %arg53 = %step3_19) -> (vector<1x4x4xf32>, !mxfp4.cursor<4>, !mxfp4.cursor<4>, !mxfp4.cursor<4>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32) {
              %c4_22 = arith.constant 4 : index
              %27 = arith.cmpi ult, %arg12, %c4_22 : index
              %c0_23 = arith.constant 0 : index
              %28 = arith.cmpi ne, %arg12, %c0_23 : index
              %29 = mxfp4.ring_slot %arg15 : <4>
              %30 = vector.extract %arg13[0] : vector<4x4xf32> from vector<1x4x4xf32>
              %31 = mxfp4.wgmma %30 a(%arg17, %arg18, %arg19, %arg20, %arg21, %arg22, %arg23, %arg24, %arg25, %arg26, %arg27, %arg28, %arg29, %arg30, %arg31, %arg32) b(%6[%29]) columns 4 tokens(%9 by 16) : vector<4x4xf32>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
              %32 = mxfp4.wgmma_wait %31 pending 1 : vector<4x4xf32>
              %33 = vector.insert %32, %arg13 [0] : vector<4x4xf32> into vector<1x4x4xf32>
              scf.if %28 {
                mxfp4.ring_release %0[%arg14] : <4>, <4>
              }
              %c0_24 = arith.constant 0 : index
              %34 = arith.cmpi ne, %9, %c0_24 : index
              %35 = mxfp4.ring_next %arg16 : <4>
              %36:21 = scf.if %34 -> (vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32) {
                %r0_26, %r1_27, %r2_28, %r3_29 = mxfp4.decode %arg49, %arg50 step 0 : !mxfp4.block<nibble, raw>
                %r0_30, %r1_31, %r2_32, %r3_33 = mxfp4.decode %arg51, %arg50 step 1 : !mxfp4.block<nibble, raw>
                %r0_34, %r1_35, %r2_36, %r3_37 = mxfp4.decode %arg52, %arg50 step 2 : !mxfp4.block<nibble, raw>
                %r0_38, %r1_39, %r2_40, %r3_41 = mxfp4.decode %arg53, %arg50 step 3 : !mxfp4.block<nibble, raw>
                %47:16 = mxfp4.pin %r0_26, %r1_27, %r2_28, %r3_29, %r0_30, %r1_31, %r2_32, %r3_33, %r0_34, %r1_35, %r2_36, %r3_37, %r0_38, %r1_39, %r2_40, %r3_41 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
                %48:5 = scf.if %27 -> (i32, i32, i32, i32, i32) {
                  mxfp4.ring_wait %0[%35] : <4>, <4>
                  %49 = mxfp4.ring_slot %35 : <4>
                  %step0_42, %step1_43, %step2_44, %step3_45 = mxfp4.load_codes %7[%49, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                  %50 = mxfp4.load_scales %7[%49, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                  scf.yield %step0_42, %50, %step1_43, %step2_44, %step3_45 : i32, i32, i32, i32, i32
                } else {
                  scf.yield %arg49, %arg50, %arg51, %arg52, %arg53 : i32, i32, i32, i32, i32
                }
                scf.yield %47#0, %47#1, %47#2, %47#3, %47#4, %47#5, %47#6, %47#7, %47#8, %47#9, %47#10, %47#11, %47#12, %47#13, %47#14, %47#15, %48#0, %48#1, %48#2, %48#3, %48#4 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
              } else {
                scf.yield %arg33, %arg34, %arg35, %arg36, %arg37, %arg38, %arg39, %arg40, %arg41, %arg42, %arg43, %arg44, %arg45, %arg46, %arg47, %arg48, %arg49, %arg50, %arg51, %arg52, %arg53 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
              }
              %37 = mxfp4.ring_next %arg16 : <4>
              %38 = mxfp4.ring_slot %arg16 : <4>
              %39 = vector.extract %33[0] : vector<4x4xf32> from vector<1x4x4xf32>
              %40 = mxfp4.wgmma %39 a(%36#0, %36#1, %36#2, %36#3, %36#4, %36#5, %36#6, %36#7, %36#8, %36#9, %36#10, %36#11, %36#12, %36#13, %36#14, %36#15) b(%6[%38]) columns 4 tokens(%9 by 16) : vector<4x4xf32>, memref<4x32x64xbf16, #gpu.address_space<workgroup>>
              %41 = mxfp4.wgmma_wait %40 pending 1 : vector<4x4xf32>
              %42 = vector.insert %41, %33 [0] : vector<4x4xf32> into vector<1x4x4xf32>
              mxfp4.ring_release %0[%arg15] : <4>, <4>
              %c0_25 = arith.constant 0 : index
              %43 = arith.cmpi ne, %9, %c0_25 : index
              %44 = mxfp4.ring_next %37 : <4>
              %45:21 = scf.if %43 -> (vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32) {
                %r0_26, %r1_27, %r2_28, %r3_29 = mxfp4.decode %36#16, %36#17 step 0 : !mxfp4.block<nibble, raw>
                %r0_30, %r1_31, %r2_32, %r3_33 = mxfp4.decode %36#18, %36#17 step 1 : !mxfp4.block<nibble, raw>
                %r0_34, %r1_35, %r2_36, %r3_37 = mxfp4.decode %36#19, %36#17 step 2 : !mxfp4.block<nibble, raw>
                %r0_38, %r1_39, %r2_40, %r3_41 = mxfp4.decode %36#20, %36#17 step 3 : !mxfp4.block<nibble, raw>
                %47:16 = mxfp4.pin %r0_26, %r1_27, %r2_28, %r3_29, %r0_30, %r1_31, %r2_32, %r3_33, %r0_34, %r1_35, %r2_36, %r3_37, %r0_38, %r1_39, %r2_40, %r3_41 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>
                %48:5 = scf.if %27 -> (i32, i32, i32, i32, i32) {
                  mxfp4.ring_wait %0[%44] : <4>, <4>
                  %49 = mxfp4.ring_slot %44 : <4>
                  %step0_42, %step1_43, %step2_44, %step3_45 = mxfp4.load_codes %7[%49, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                  %50 = mxfp4.load_scales %7[%49, %16] : memref<4x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
                  scf.yield %step0_42, %50, %step1_43, %step2_44, %step3_45 : i32, i32, i32, i32, i32
                } else {
                  scf.yield %36#16, %36#17, %36#18, %36#19, %36#20 : i32, i32, i32, i32, i32
                }
                scf.yield %47#0, %47#1, %47#2, %47#3, %47#4, %47#5, %47#6, %47#7, %47#8, %47#9, %47#10, %47#11, %47#12, %47#13, %47#14, %47#15, %48#0, %48#1, %48#2, %48#3, %48#4 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
              } else {
                scf.yield %arg17, %arg18, %arg19, %arg20, %arg21, %arg22, %arg23, %arg24, %arg25, %arg26, %arg27, %arg28, %arg29, %arg30, %arg31, %arg32, %36#16, %36#17, %36#18, %36#19, %36#20 : vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
              }
              %46 = mxfp4.ring_next %37 : <4>
              scf.yield %42, %arg16, %37, %46, %45#0, %45#1, %45#2, %45#3, %45#4, %45#5, %45#6, %45#7, %45#8, %45#9, %45#10, %45#11, %45#12, %45#13, %45#14, %45#15, %36#0, %36#1, %36#2, %36#3, %36#4, %36#5, %36#6, %36#7, %36#8, %36#9, %36#10, %36#11, %36#12, %36#13, %36#14, %36#15, %45#16, %45#17, %45#18, %45#19, %45#20 : vector<1x4x4xf32>, !mxfp4.cursor<4>, !mxfp4.cursor<4>, !mxfp4.cursor<4>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, vector<2xbf16>, i32, i32, i32, i32, i32
            }
            %26 = mxfp4.wgmma_wait %25#0 : vector<1x4x4xf32>
            mxfp4.ring_release %0[%25#1] : <4>, <4>
            mxfp4.store_tile %26 to %arg3[%row, %column] valid(%rows) {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 16, copy_warps = 2, overlap_decode = true, version_loops = true, evict_first = true>} : vector<1x4x4xf32> to memref<?x64xbf16>
            mxfp4.yield %25#2 : !mxfp4.cursor<4>
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

