// Every message of the verifiers of operations on tiles and fragments.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

func.func @case_0(%w: memref<2x?x1x!mxfp4.block<spread, folded>>, %s: memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a source of shape ExN/64xK/64, all but the first static, and element type !mxfp4.block in global memory, but got}}
  mxfp4.copy_weights %w[%i, %i, %i] to %s[%i]
      : memref<2x?x1x!mxfp4.block<spread, folded>> to memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_1(%w: memref<2x1x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %s: memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a source of shape ExN/64xK/64, all but the first static, and element type !mxfp4.block in global memory, but got}}
  mxfp4.copy_weights %w[%i, %i, %i] to %s[%i]
      : memref<2x1x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>> to memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_2(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<4x1x!mxfp4.block<spread, folded>>, %i: index) {
  // expected-error @below {{requires staged weights of static shape stages x blocks and element type !mxfp4.block in shared memory, but got}}
  mxfp4.copy_weights %w[%i, %i, %i] to %s[%i]
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<4x1x!mxfp4.block<spread, folded>>
  return
}

// -----

func.func @case_3(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<?x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged weights of static shape stages x blocks and element type !mxfp4.block in shared memory, but got}}
  mxfp4.copy_weights %w[%i, %i, %i] to %s[%i]
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<?x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_4(%w: memref<2x1x1x!mxfp4.block<spread, folded>>, %s: memref<4x1x!mxfp4.block<nibble, folded>, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires source and destination of one layout, but copies '!mxfp4.block<spread, folded>' to '!mxfp4.block<nibble, folded>'}}
  mxfp4.copy_weights %w[%i, %i, %i] to %s[%i]
      : memref<2x1x1x!mxfp4.block<spread, folded>> to memref<4x1x!mxfp4.block<nibble, folded>, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_5(%x: memref<?x48xbf16>, %s: memref<4x8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got}}
  mxfp4.copy_activations %x[%i, %i] valid(%i) to %s[%i]
      : memref<?x48xbf16> to memref<4x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_6(%x: memref<?x64xf32>, %s: memref<4x8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a source of shape RxK, K a static multiple of 32, and element type bf16 or f8E4M3FN in global memory, but got}}
  mxfp4.copy_activations %x[%i, %i] valid(%i) to %s[%i]
      : memref<?x64xf32> to memref<4x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_7(%x: memref<?x64xbf16>, %s: memref<4x8x64xbf16>, %i: index) {
  // expected-error @below {{requires staged activations of static shape stages x tokens x 64, tokens a multiple of 8, and element type bf16, or x 128 of f8E4M3FN, in shared memory, but got}}
  mxfp4.copy_activations %x[%i, %i] valid(%i) to %s[%i]
      : memref<?x64xbf16> to memref<4x8x64xbf16>
  return
}

// -----

func.func @case_8(%x: memref<?x64xbf16>, %s: memref<4x9x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged activations of static shape stages x tokens x 64, tokens a multiple of 8, and element type bf16, or x 128 of f8E4M3FN, in shared memory, but got}}
  mxfp4.copy_activations %x[%i, %i] valid(%i) to %s[%i]
      : memref<?x64xbf16> to memref<4x9x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_9(%acc: vector<4x4x4xf32>, %w: memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
    %x: memref<4x64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires an accumulator of shape 4x8x4 for its schedule, but got 'vector<4x4x4xf32>'}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%i] tokens(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x4x4xf32>, memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        memref<4x64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_10(%acc: vector<4x8x4xf32>, %w: memref<4x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
    %x: memref<4x64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires stages of the schedule's tile, 64 rows and 64 tokens, but got}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%i] tokens(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32>, memref<4x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        memref<4x64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_11(%acc: vector<4x8x4xf32>, %w: memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
    %x: memref<4x32x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires stages of the schedule's tile, 64 rows and 64 tokens, but got}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%i] tokens(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32>, memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        memref<4x32x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_12(%acc: vector<4x8x4xf32>, %w: memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
    %x: memref<3x64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires stages of the schedule's tile, 64 rows and 64 tokens, but got}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%i] tokens(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32>, memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        memref<3x64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_13(%acc: vector<4x8x4xf32>, %w: memref<4x1x!mxfp4.block<spread, folded>>,
    %x: memref<4x64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged weights of static shape stages x blocks and element type !mxfp4.block in shared memory, but got}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%i] tokens(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32>, memref<4x1x!mxfp4.block<spread, folded>>,
        memref<4x64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_14(%acc: vector<4x8x4xf32>, %w: memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
    %x: memref<4x64x64xbf16>, %i: index) {
  // expected-error @below {{requires staged activations of static shape stages x tokens x 64, tokens a multiple of 8, and element type bf16, or x 128 of f8E4M3FN, in shared memory, but got}}
  %r = mxfp4.tile_matmul %acc, %w, %x at [%i] tokens(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32>, memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
        memref<4x64x64xbf16>
  return
}

// -----

func.func @case_15(%acc: vector<4x8x4xf32>, %y: memref<?x?xbf16>, %i: index) {
  // expected-error @below {{requires a destination of shape RxN, N static, and element type bf16, f32 or f8E4M3FN in global memory, but got 'memref<?x?xbf16>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32> to memref<?x?xbf16>
  return
}

// -----

func.func @case_16(%acc: vector<4x8x4xf32>, %y: memref<?x48xf16>, %i: index) {
  // expected-error @below {{requires a destination of shape RxN, N static, and element type bf16, f32 or f8E4M3FN in global memory, but got 'memref<?x48xf16>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<4x8x4xf32> to memref<?x48xf16>
  return
}

// -----

func.func @case_17(%acc: vector<8x8x4xf32>, %y: memref<?x48xbf16>, %i: index) {
  // expected-error @below {{requires an accumulator of shape 4x8x4 for its schedule, but got 'vector<8x8x4xf32>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : vector<8x8x4xf32> to memref<?x48xbf16>
  return
}

// -----

func.func @case_18(%w: memref<4x1x!mxfp4.block<spread, folded>>, %i: index) {
  // expected-error @below {{requires staged weights of static shape stages x blocks and element type !mxfp4.block in shared memory, but got}}
  %c:4 = mxfp4.load_codes %w[%i, %i] : memref<4x1x!mxfp4.block<spread, folded>>
  return
}

// -----

func.func @case_19(%w: memref<4xi8, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires staged weights of static shape stages x blocks and element type !mxfp4.block in shared memory, but got}}
  %s = mxfp4.load_scales %w[%i, %i] : memref<4xi8, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_20(%c: i32, %s: i32) {
  // expected-error @below {{requires a type !mxfp4.block that names the layout of the codes, but got 'i8'}}
  %a:4 = mxfp4.decode %c, %s step 0 : i8
  return
}

// -----

func.func @case_21(%c: i32, %s: i32) {
  // expected-error @below {{requires a step from 0 to 3, but got 4}}
  %a:4 = mxfp4.decode %c, %s step 4 : !mxfp4.block<spread, folded>
  return
}

// -----

func.func @case_22(%x: memref<4x8x64xbf16>, %i: index) {
  // expected-error @below {{requires staged activations of static shape stages x tokens x 64, tokens a multiple of 8, and element type bf16, or x 128 of f8E4M3FN, in shared memory, but got}}
  %b:4 = mxfp4.load_activations %x[%i, %i] slice 0 : memref<4x8x64xbf16>
  return
}

// -----

func.func @case_23(%x: memref<4x8x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a slice from 0 to 1, but got 2}}
  %b:4 = mxfp4.load_activations %x[%i, %i] slice 2
      : memref<4x8x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_24(%a: vector<2xbf16>, %t: memref<24x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a decoded tile of static shape rows x 64, rows a multiple of 16, and element type bf16, or x 128 of f8E5M2, in shared memory, but got}}
  mxfp4.store_decoded %a, %a, %a, %a to %t[%i] step 0 : memref<24x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_25(%a: vector<2xbf16>, %t: memref<64x64xbf16>, %i: index) {
  // expected-error @below {{requires a decoded tile of static shape rows x 64, rows a multiple of 16, and element type bf16, or x 128 of f8E5M2, in shared memory, but got}}
  mxfp4.store_decoded %a, %a, %a, %a to %t[%i] step 0 : memref<64x64xbf16>
  return
}

// -----

func.func @case_26(%a: vector<2xbf16>, %t: memref<64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a step from 0 to 3, but got -1}}
  mxfp4.store_decoded %a, %a, %a, %a to %t[%i] step -1 : memref<64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_27(%t: memref<24x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a decoded tile of static shape rows x 64, rows a multiple of 16, and element type bf16, or x 128 of f8E5M2, in shared memory, but got}}
  %a:4 = mxfp4.load_decoded %t[%i] step 0 : memref<24x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @case_28(%t: memref<64x64xbf16>, %i: index) {
  // expected-error @below {{requires a decoded tile of static shape rows x 64, rows a multiple of 16, and element type bf16, or x 128 of f8E5M2, in shared memory, but got}}
  %a:4 = mxfp4.load_decoded %t[%i] step 0 : memref<64x64xbf16>
  return
}

// -----

func.func @case_29(%t: memref<64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a step from 0 to 3, but got -1}}
  %a:4 = mxfp4.load_decoded %t[%i] step -1 : memref<64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// Finding a tile: a table with an entry for each group and two more.

func.func @locate_0(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<4xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<4xi32, #gpu.address_space<workgroup>>' and 'memref<4xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<4xi32>
  return
}

// -----

func.func @locate_1(%t: memref<4xi32>, %o: memref<3xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<4xi32>' and 'memref<3xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32>, memref<3xi32>
  return
}

// -----

func.func @locate_2(%t: memref<4xi64, #gpu.address_space<workgroup>>, %o: memref<3xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<4xi64, #gpu.address_space<workgroup>>' and 'memref<3xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi64, #gpu.address_space<workgroup>>, memref<3xi32>
  return
}

// -----

func.func @locate_3(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi64>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<4xi32, #gpu.address_space<workgroup>>' and 'memref<3xi64>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi64>
  return
}

// -----

func.func @locate_4(%t: memref<?xi32, #gpu.address_space<workgroup>>, %o: memref<?xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<?xi32, #gpu.address_space<workgroup>>' and 'memref<?xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<?xi32, #gpu.address_space<workgroup>>, memref<?xi32>
  return
}

// -----

func.func @locate_5(%t: memref<2xi32, #gpu.address_space<workgroup>>, %o: memref<1xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<2xi32, #gpu.address_space<workgroup>>' and 'memref<1xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<2xi32, #gpu.address_space<workgroup>>, memref<1xi32>
  return
}

// -----

func.func @locate_6(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3x1xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<4xi32, #gpu.address_space<workgroup>>' and 'memref<3x1xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3x1xi32>
  return
}

// -----

func.func @locate_7(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi32, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<4xi32, #gpu.address_space<workgroup>>' and 'memref<3xi32, #gpu.address_space<workgroup>>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32, #gpu.address_space<workgroup>>
  return
}

// -----

func.func @locate_ids(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi32>, %e: memref<3xi32>, %i: index) {
  // expected-error @below {{requires expert ids of shape 2 and element type i32 in global memory, but got 'memref<3xi32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o) expert_ids(%e : memref<3xi32>)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32>
  return
}

// -----

func.func @locate_id_type(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi32>, %e: memref<2xf32>, %i: index) {
  // expected-error @below {{requires expert ids of shape 2 and element type i32 in global memory, but got 'memref<2xf32>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o) expert_ids(%e : memref<2xf32>)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32>
  return
}

// -----

func.func @locate_error(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi32>, %e: memref<1xi64>, %i: index) {
  // expected-error @below {{requires an error word of shape 1 and element type i32 in global memory, but got 'memref<1xi64>'}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o) error(%e : memref<1xi64>)
      experts 2 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32>
  return
}

// -----

func.func @locate_experts(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi32>, %i: index) {
  // expected-error @below {{requires at least one expert and one column of tiles, but got 0 and 1}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 0 columns 1 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32>
  return
}

// -----

func.func @locate_columns(%t: memref<4xi32, #gpu.address_space<workgroup>>, %o: memref<3xi32>, %i: index) {
  // expected-error @below {{requires at least one expert and one column of tiles, but got 2 and 0}}
  %tile:4 = mxfp4.locate_tile %i in %t offsets(%o)
      experts 2 columns 0 {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
      : memref<4xi32, #gpu.address_space<workgroup>>, memref<3xi32>
  return
}

// -----

// The second buffer lies 64 rows further on.

func.func @buffer(%a: vector<2xbf16>, %t: memref<64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer inside the tile of 64 rows, but got 1}}
  mxfp4.store_decoded %a, %a, %a, %a to %t[%i] step 0 buffer 1 : memref<64x64xbf16, #gpu.address_space<workgroup>>
  return
}

// -----

// 2^58 of them are 2^64 rows.

func.func @far_buffer(%a: vector<2xbf16>, %t: memref<64x64xbf16, #gpu.address_space<workgroup>>, %i: index) {
  // expected-error @below {{requires a buffer inside the tile of 64 rows, but got 288230376151711744}}
  mxfp4.store_decoded %a, %a, %a, %a to %t[%i] step 0 buffer 288230376151711744 : memref<64x64xbf16, #gpu.address_space<workgroup>>
  return
}
