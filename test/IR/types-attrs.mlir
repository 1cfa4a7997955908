// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics | FileCheck %s
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics -o %t.mlir
// RUN: head -60 %t.mlir | sed '/-----/,$d' > %t.first.mlir
// RUN: mxfp4-opt %t.first.mlir --emit-bytecode | mxfp4-opt | FileCheck %s

// CHECK-LABEL: func private @blocks
// CHECK-SAME:    memref<?x2x2x!mxfp4.block<spread, folded>>, memref<1x!mxfp4.block<spread, raw>>
// CHECK-SAME:    tensor<?x?x?x!mxfp4.block<nibble, folded>>, memref<1x!mxfp4.block<nibble, raw>, strided<[?], offset: ?>>
func.func private @blocks(memref<?x2x2x!mxfp4.block<spread, folded>>,
                          memref<1x!mxfp4.block<spread, raw>>,
                          tensor<?x?x?x!mxfp4.block<nibble, folded>>,
                          memref<1x!mxfp4.block<nibble, raw>, strided<[?], offset: ?>>)

// What the columns are to a gated activation is left out where nothing is said.

// CHECK-LABEL: func private @columns
// CHECK-SAME:    memref<1x!mxfp4.block<spread, folded>>, memref<1x!mxfp4.block<spread, folded, interleaved>>, tensor<1x1x1x!mxfp4.block<nibble, raw, apart>>
func.func private @columns(memref<1x!mxfp4.block<spread, folded, plain>>,
                           memref<1x!mxfp4.block<spread, folded, interleaved>>,
                           tensor<1x1x1x!mxfp4.block<nibble, raw, apart>>)

// CHECK-LABEL: func private @schedules
// CHECK-SAME:    a = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 8, placement = register, ctas = 6>
// CHECK-SAME:    b = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64, warps_rows = 1, warps_tokens = 2, stages = 2, placement = shared, ctas = 1>
// Tiles of one height, and no slices of K: not worth a word. Text of the first
// format is upgraded.
// CHECK-SAME:    c = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48, warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1, copy_warps = 2, overlap_decode = true, evict_first = true>
// CHECK-SAME:    d = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48, warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 16, k_slices = 3, copy_warps = 3, overlap_decode = true, evict_first = true, full_tiles_first = true>
// What is said is kept, and what is not has its default.
// CHECK-SAME:    e = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48, warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1, k_slices = 3, copy_warps = 3>
// CHECK-SAME:    f = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48, warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1, token_step = 16, k_slices = 3, copy_warps = 3, producer_registers = 32, overlap_decode = true, version_loops = true, evict_first = true, full_tiles_first = true, sum_steps = 3, side_by_side = true>
// Defaults that follow from the tile are left out where they are said, too.
// CHECK-SAME:    g = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 8, placement = register, ctas = 6, gather_rows = 16, store_columns = 4>
// CHECK-SAME:    h = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 8, placement = register, ctas = 6>
// CHECK-SAME:    i = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 96, warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1, copy_warps = 2, gather_rows = 32, store_columns = 2>
func.func private @schedules() attributes {
  a = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 8,
        warps_rows = 4, warps_tokens = 1, stages = 8, placement = register,
        ctas = 6>,
  b = #mxfp4.schedule<ctas = 1, placement = shared, stages = 2,
        warps_tokens = 2, warps_rows = 1, tokens = 64, rows = 64,
        instruction = mma_sync>,
  c = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48,
        warps_rows = 4, warps_tokens = 1, stages = 9, placement = register,
        ctas = 1, token_step = 0, k_slices = 1>,
  d = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48,
        warps_rows = 4, warps_tokens = 1, stages = 9, placement = register,
        ctas = 1, k_slices = 3, token_step = 16>,
  e = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48,
        warps_rows = 4, warps_tokens = 1, stages = 9, placement = register,
        ctas = 1, k_slices = 3, evict_first = false, copy_warps = 3>,
  f = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 48,
        warps_rows = 4, warps_tokens = 1, stages = 9, placement = register,
        ctas = 1, k_slices = 3, token_step = 16, side_by_side = true,
        copy_warps = 3, producer_registers = 32, overlap_decode = true,
        version_loops = true, evict_first = true, full_tiles_first = true,
        sum_steps = 3>,
  g = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 8,
        warps_rows = 4, warps_tokens = 1, stages = 8, placement = register,
        ctas = 6, gather_rows = 16, store_columns = 4>,
  h = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 8,
        warps_rows = 4, warps_tokens = 1, stages = 8, placement = register,
        ctas = 6, gather_rows = 8, store_columns = 2>,
  i = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 96,
        warps_rows = 4, warps_tokens = 1, stages = 9, placement = register,
        ctas = 1, copy_warps = 2, gather_rows = 32, store_columns = 2>}

// One tensor map, and eight: for boxes of 32, 64, ..., 256 rows.

// CHECK-LABEL: func private @tensor_maps
// CHECK-SAME:    !mxfp4.tensor_map<1>, !mxfp4.tensor_map<256>, !mxfp4.tensor_map<256 by 32>
func.func private @tensor_maps(!mxfp4.tensor_map<1>, !mxfp4.tensor_map<256>,
                               !mxfp4.tensor_map<256 by 32>)

// -----

// expected-error @below {{expected a code order, 'spread', 'nibble' or 'bytes', got 'linear'}}
// expected-error @below {{failed to parse}}
func.func private @order(memref<1x!mxfp4.block<linear, raw>>)

// -----

// expected-error @below {{expected a scale encoding, 'folded', 'raw' or 'relative', got 'unfolded'}}
// expected-error @below {{failed to parse}}
func.func private @scales(memref<1x!mxfp4.block<spread, unfolded>>)

// -----

// expected-error @below {{expected an order of columns, 'plain', 'interleaved' or 'apart', got 'pairs'}}
// expected-error @below {{failed to parse}}
func.func private @unknown_columns(memref<1x!mxfp4.block<spread, raw, pairs>>)

// -----

func.func private @instruction() attributes {
  // expected-error @below {{expected an instruction, 'mma_sync', 'wgmma' or 'wgmma_fp8', got 'mma'}}
  a = #mxfp4.schedule<instruction = mma, rows = 64, tokens = 64, warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>}

// -----

func.func private @placement() attributes {
  // expected-error @below {{expected a placement, 'register' or 'shared', got 'global'}}
  a = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64, warps_rows = 1, warps_tokens = 1, stages = 4, placement = global, ctas = 1>}

// -----

func.func private @unknown_field() attributes {
  // expected-error @below {{a schedule has no field 'rowz'}}
  a = #mxfp4.schedule<instruction = mma_sync, rowz = 64>}

// -----

func.func private @field_twice() attributes {
  // expected-error @below {{a schedule has the field 'rows' once, but it is given twice}}
  a = #mxfp4.schedule<instruction = mma_sync, rows = 64, rows = 64>}

// -----

func.func private @no_tokens() attributes {
  // expected-error @below {{a schedule requires the field 'tokens'}}
  a = #mxfp4.schedule<instruction = mma_sync, rows = 64, warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>}

// -----

func.func private @neither_true_nor_false() attributes {
  // expected-error @below {{expected 'true' or 'false' as overlap_decode, got 'yes'}}
  a = #mxfp4.schedule<instruction = wgmma, overlap_decode = yes>}

// -----

func.func private @more_than_an_int() attributes {
  // expected-error @below {{requires copy_warps from 0 to 32, but has 4294967297}}
  a = #mxfp4.schedule<instruction = wgmma, copy_warps = 4294967297>}

// -----

func.func private @chip() attributes {
  // expected-error @below {{requires a chip that is known, but got "sm_80"; use sm_90a}}
  a = #mxfp4.target<"sm_80">}

// -----

func.func private @device() attributes {
  // expected-error @below {{the target knows no device 'h300'; did you mean 'h200'? The devices are h100-sxm,}}
  a = #mxfp4.target<"sm_90a", device = "h300">}

// -----

func.func private @facts() attributes {
  // expected-error @below {{the target expects bandwidth= with a whole number from 50 to 100000 (GB/s), but got '4e3'}}
  a = #mxfp4.target<"sm_90a", device = "h20,bandwidth=4e3">}

// -----

// expected-error @below {{requires mxfp4.target to be #mxfp4.target<"chip">, but got "sm_90a"}}
module attributes {mxfp4.target = "sm_90a"} {
}

// -----

func.func private @zero_rows() attributes {
  // expected-error @below {{requires rows from 1 to 1024, but has 0}}
  a = #mxfp4.schedule<instruction = mma_sync, rows = 0, tokens = 64, warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>}

// -----

func.func private @many_stages() attributes {
  // expected-error @below {{requires stages from 1 to 1024, but has 1025}}
  a = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64, warps_rows = 1, warps_tokens = 1, stages = 1025, placement = register, ctas = 1>}

// -----

func.func private @no_slices() attributes {
  // expected-error @below {{requires k_slices from 1 to 1024, but has 0}}
  a = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, k_slices = 0>}

// -----

func.func private @token_step() attributes {
  // expected-error @below {{requires a token_step from 0 to the 64 tokens of the tile, but has 128}}
  a = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = 128>}

// -----

func.func private @negative_token_step() attributes {
  // expected-error @below {{requires a token_step from 0 to the 64 tokens of the tile, but has -8}}
  a = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1, token_step = -8>}
