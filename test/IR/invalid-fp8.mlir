// What verifiers say of activations of 8 bits.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

// expected-error @below {{requires codes in the order 'bytes' and 'relative' scales together, but has 'bytes' and 'folded'}}
func.func private @bytes(memref<1x1x1x!mxfp4.block<bytes, folded>>)

// -----

// expected-error @below {{requires codes in the order 'bytes' and 'relative' scales together, but has 'spread' and 'relative'}}
func.func private @relative(memref<1x1x1x!mxfp4.block<spread, relative>>)

// -----

// expected-error @below {{requires 'fast', 'promoted 512' or 'promoted 128', but got 'promoted 96'}}
func.func private @interval() attributes {a = #mxfp4.accumulation<promoted 96>}

// -----

func.func @weights(%x: memref<?x64xf8E4M3FN>,
                   %w: memref<2x1x1x!mxfp4.block<spread, folded>>,
                   %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  // expected-error @below {{requires weights in blocks of type !mxfp4.block<bytes, relative> for activations of f8E4M3FN, but got 'memref<2x1x1x!mxfp4.block<spread, folded>>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xf8E4M3FN>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @activations(%x: memref<?x64xbf16>,
                       %w: memref<2x1x1x!mxfp4.block<bytes, relative>>,
                       %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  // expected-error @below {{requires activations of f8E4M3FN for weights in blocks of type '!mxfp4.block<bytes, relative>', but got 'memref<?x64xbf16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @accumulation(%x: memref<?x64xbf16>,
                        %w: memref<2x1x1x!mxfp4.block<spread, folded>>,
                        %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  // expected-error @below {{requires activations of f8E4M3FN for an accumulation: sums of bf16 products are f32; but got 'memref<?x64xbf16>' and #mxfp4.accumulation<fast>}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {accumulation = #mxfp4.accumulation<fast>}
  return
}

// -----

!fp8 = memref<?x256xf8E4M3FN>
!blocks = memref<2x1x2x!mxfp4.block<bytes, relative>>

func.func @other_instruction(%x: !fp8, %w: !blocks, %o: memref<3xi32>,
                             %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires an instruction for activations of e4m3, but has wgmma for bf16}}
  mxfp4.grouped_matmul activations(%x : !fp8) weights(%w : !blocks)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
           warps_rows = 4, warps_tokens = 1, stages = 4, placement = register,
           ctas = 1, copy_warps = 1>}
  return
}

// -----

!tile = memref<64x128xf8E5M2, #gpu.address_space<workgroup>>

func.func @load_decoded(%tile: !tile, %i: index) {
  // expected-error @below {{requires a tile of bf16, which mxfp4.mma multiplies, but got 'memref<64x128xf8E5M2, #gpu.address_space<workgroup>>'}}
  %a:4 = mxfp4.load_decoded %tile[%i] step 0 : !tile
  return
}

// -----

!tile = memref<64x64xf8E5M2, #gpu.address_space<workgroup>>

func.func @narrow_tile(%r: vector<4xf8E5M2>, %tile: !tile, %i: index) {
  // expected-error @below {{requires a decoded tile of static shape rows x 64, rows a multiple of 16, and element type bf16, or x 128 of f8E5M2, in shared memory, but got 'memref<64x64xf8E5M2, #gpu.address_space<workgroup>>'}}
  mxfp4.store_decoded %r, %r, %r, %r to %tile[%i] step 0 : !tile
  return
}

// -----

!tile = memref<64x64xbf16, #gpu.address_space<workgroup>>

// expected-note @below {{prior use here}}
func.func @other_register(%r: vector<4xf8E5M2>, %tile: !tile, %i: index) {
  // expected-error @below {{use of value '%r' expects different type than prior uses: 'vector<2xbf16>' vs 'vector<4xf8E5M2>'}}
  mxfp4.store_decoded %r, %r, %r, %r to %tile[%i] step 0 : !tile
  return
}

// -----

!tile = memref<64x64xbf16, #gpu.address_space<workgroup>>

func.func @other_register_in_generic_form(%r: vector<4xf8E5M2>, %tile: !tile, %i: index) {
  // expected-error @below {{failed to verify that register of what the tile holds}}
  "mxfp4.store_decoded"(%r, %r, %r, %r, %tile, %i) <{buffer = 0 : i64, step = 0 : i64}>
      : (vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>, vector<4xf8E5M2>, !tile, index) -> ()
  return
}

// -----

!fp8 = memref<?x1024xf8E4M3FN>
!blocks = memref<2x1x8x!mxfp4.block<bytes, relative>>

func.func @accumulators(%x: !fp8, %w: !blocks, %o: memref<3xi32>,
                        %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires at most 192 accumulators per thread with sums that are promoted, which take two each, but a warp's 16 x 208 tile needs 208}}
  mxfp4.grouped_matmul activations(%x : !fp8) weights(%w : !blocks)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 208,
           warps_rows = 4, warps_tokens = 1, stages = 4, placement = register,
           ctas = 1, copy_warps = 1>}
  return
}

// -----

func.func @decode(%w: i32, %s: i32) {
  // expected-error @below {{requires a layout whose words hold codes of two rows, but got '!mxfp4.block<bytes, relative>'}}
  %0:4 = mxfp4.decode %w, %s step 0 : !mxfp4.block<bytes, relative>
  return
}

// -----

func.func @decode_row(%w: i32, %s: i32) {
  // expected-error @below {{requires a layout whose words hold codes of one row, but got '!mxfp4.block<spread, folded>'}}
  %0:2 = mxfp4.decode_row %w, %s step 0 : !mxfp4.block<spread, folded>
  return
}

// -----

!stage = memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>

func.func @part(%w: !stage, %slot: index) {
  // expected-error @below {{requires a part from 0 to 0, but got 1}}
  %c:4 = mxfp4.load_codes %w[%slot, %slot] part 1 : !stage
  return
}
