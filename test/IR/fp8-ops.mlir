// Activations of 8 bits: types, attributes and operations, as text and as bytecode.
// Bytecode of version 3 has wgmma of whole steps alone.
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s --check-prefixes=CHECK,NEW
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s --check-prefixes=CHECK,NEW
// RUN: mxfp4-opt %S/Inputs/fp8-ops-version-3.mlirbc | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>

// CHECK-LABEL: func private @types
// CHECK-SAME: memref<2x1x1x!mxfp4.block<bytes, relative>>, tensor<1x1x1x!mxfp4.block<bytes, relative, interleaved>>
func.func private @types(memref<2x1x1x!mxfp4.block<bytes, relative>>,
                         tensor<1x1x1x!mxfp4.block<bytes, relative, interleaved>>)

// CHECK-LABEL: func private @accumulations
// CHECK-SAME: a = #mxfp4.accumulation<fast>, b = #mxfp4.accumulation<promoted 512>, c = #mxfp4.accumulation<promoted 128>
func.func private @accumulations() attributes {
  a = #mxfp4.accumulation<fast>, b = #mxfp4.accumulation<promoted 512>,
  c = #mxfp4.accumulation<promoted 128>
}

// CHECK-LABEL: func @matmul
// CHECK: mxfp4.grouped_matmul activations(%{{.*}} : memref<?x160xf8E4M3FN>) weights(%{{.*}} : memref<2x1x2x!mxfp4.block<bytes, relative>>)
// CHECK: {accumulation = #mxfp4.accumulation<promoted 128>}
// CHECK: mxfp4.grouped_matmul activations(
// CHECK-NOT: accumulation
// CHECK: return
func.func @matmul(%x: memref<?x160xf8E4M3FN>,
                  %w: memref<2x1x2x!mxfp4.block<bytes, relative>>,
                  %o: memref<3xi32>, %y: memref<?x48xbf16>,
                  %powers: memref<2x48xf32>, %scales: memref<?xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x160xf8E4M3FN>)
      weights(%w : memref<2x1x2x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      epilogue(%powers, %scales : memref<2x48xf32>, memref<?xf32>) {
      ^bb0(%sum: f32, %power: f32, %scale: f32):
        %0 = arith.mulf %sum, %scale : f32
        %1 = arith.mulf %0, %power : f32
        mxfp4.yield %1 : f32
      } {accumulation = #mxfp4.accumulation<promoted 128>}
  mxfp4.grouped_matmul activations(%x : memref<?x160xf8E4M3FN>)
      weights(%w : memref<2x1x2x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}

!stage = memref<4x1x!mxfp4.block<bytes, relative>, #gpu.address_space<workgroup>>
!tokens = memref<4x16x128xf8E4M3FN, #gpu.address_space<workgroup>>

// CHECK-LABEL: func @tile
// CHECK: mxfp4.tile_matmul {{.*}} {accumulation = #mxfp4.accumulation<fast>, schedule = #mxfp4.schedule<instruction = wgmma_fp8,
func.func @tile(%sums: vector<1x2x4xf32>, %w: !stage, %x: !tokens, %slot: index,
                %n: index) -> vector<1x2x4xf32> {
  %0 = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
      {accumulation = #mxfp4.accumulation<fast>, schedule = #schedule}
      : vector<1x2x4xf32>, !stage, !tokens
  return %0 : vector<1x2x4xf32>
}

// CHECK-LABEL: func @fragments
// CHECK: mxfp4.load_codes %{{.*}}[%{{.*}}, %{{.*}}] : memref
// CHECK: mxfp4.load_codes %{{.*}}[%{{.*}}, %{{.*}}] part 1 : memref
// CHECK: mxfp4.load_scales %{{.*}}[%{{.*}}, %{{.*}}] part 1 : memref
// CHECK: mxfp4.decode_row %{{.*}}, %{{.*}} step 3 : !mxfp4.block<bytes, relative>
// CHECK: mxfp4.pin %{{.*}}, %{{.*}} : vector<4xf8E5M2>, vector<4xf8E5M2>
// CHECK: mxfp4.wgmma %{{.*}} a(%{{.*}} : vector<4xf8E5M2>) b(%{{.*}}[%{{.*}}]) columns 2 accumulate(%{{.*}}) : vector<2x4xf32>, memref<4x16x128xf8E4M3FN
func.func @fragments(%sums: vector<2x4xf32>, %w: !stage, %x: !tokens,
                     %slot: index, %keep: i1) -> vector<2x4xf32> {
  %c:4 = mxfp4.load_codes %w[%slot, %slot] : !stage
  %d:4 = mxfp4.load_codes %w[%slot, %slot] part 1 : !stage
  %s = mxfp4.load_scales %w[%slot, %slot] part 1 : !stage
  %a:2 = mxfp4.decode_row %c#0, %s step 3 : !mxfp4.block<bytes, relative>
  %p:2 = mxfp4.pin %a#0, %a#1 : vector<4xf8E5M2>, vector<4xf8E5M2>
  %0 = mxfp4.wgmma %sums
      a(%p#0, %p#0, %p#1, %p#1, %p#0, %p#0, %p#1, %p#1,
        %p#0, %p#0, %p#1, %p#1, %p#0, %p#0, %p#1, %p#1 : vector<4xf8E5M2>)
      b(%x[%slot]) columns 2 accumulate(%keep) : vector<2x4xf32>, !tokens
  return %0 : vector<2x4xf32>
}

!decoded = memref<128x128xf8E5M2, #gpu.address_space<workgroup>>

// NEW-LABEL: func @shared
// NEW: mxfp4.store_decoded %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} to %{{.*}}[%{{.*}}] step 3 buffer 1 : memref<128x128xf8E5M2,
// NEW: mxfp4.wgmma %{{.*}} shared_a(%{{.*}}[%{{.*}}]) buffer 1 b(%{{.*}}[%{{.*}}]) columns 2 accumulate(%{{.*}}) : vector<2x4xf32>, memref<4x16x128xf8E4M3FN, {{.*}}, memref<128x128xf8E5M2,
func.func @shared(%sums: vector<2x4xf32>, %r: vector<4xf8E5M2>, %x: !tokens,
                  %tile: !decoded, %i: index, %keep: i1) -> vector<2x4xf32> {
  mxfp4.store_decoded %r, %r, %r, %r to %tile[%i] step 3 buffer 1 : !decoded
  %0 = mxfp4.wgmma %sums shared_a(%tile[%i]) buffer 1 b(%x[%i]) columns 2
      accumulate(%keep) : vector<2x4xf32>, !tokens, !decoded
  return %0 : vector<2x4xf32>
}

// A group of two of the four k32 steps of a stage.

// NEW-LABEL: func @half
// NEW: mxfp4.wgmma %{{.*}} b(%{{.*}}[%{{.*}}]) step 2 columns 2 : vector<2x4xf32>, memref<4x16x128xf8E4M3FN
func.func @half(%sums: vector<2x4xf32>, %a: vector<4xf8E5M2>, %x: !tokens,
                %slot: index) -> vector<2x4xf32> {
  %0 = mxfp4.wgmma %sums
      a(%a, %a, %a, %a, %a, %a, %a, %a : vector<4xf8E5M2>)
      b(%x[%slot]) step 2 columns 2 : vector<2x4xf32>, !tokens
  return %0 : vector<2x4xf32>
}

// Results of 8 bits, of activations of 16 and of 8.

// NEW-LABEL: func @results
// NEW: mxfp4.grouped_matmul {{.*}} outs(%{{.*}} : tensor<?x48xf8E4M3FN>) -> tensor<?x48xf8E4M3FN>
// NEW: mxfp4.grouped_matmul activations(%{{.*}} : memref<?x160xf8E4M3FN>){{.*}} outs(%{{.*}} : memref<?x24xf8E4M3FN>)
// NEW: mxfp4.store_tile %{{.*}} to %{{.*}} : vector<1x2x4xf32> to memref<?x64xf8E4M3FN>
func.func @results(%b: tensor<?x64xbf16>, %o: tensor<2xi32>,
                   %c: tensor<1x48x2x16xi8>, %s: tensor<1x48x2xi8>,
                   %z: tensor<?x48xf8E4M3FN>, %x: memref<?x160xf8E4M3FN>,
                   %w: memref<2x1x2x!mxfp4.block<bytes, relative>>,
                   %p: memref<3xi32>, %y: memref<?x24xf8E4M3FN>,
                   %sums: vector<1x2x4xf32>, %t: memref<?x64xf8E4M3FN>, %i: index)
    -> tensor<?x48xf8E4M3FN> {
  %r = mxfp4.grouped_matmul activations(%b : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%z : tensor<?x48xf8E4M3FN>)
      -> tensor<?x48xf8E4M3FN>
  mxfp4.grouped_matmul activations(%x : memref<?x160xf8E4M3FN>)
      weights(%w : memref<2x1x2x!mxfp4.block<bytes, relative>>)
      offsets(%p : memref<3xi32>) outs(%y : memref<?x24xf8E4M3FN>)
      epilogue {
      ^bb0(%gate: f32, %up: f32):
        %0 = arith.mulf %gate, %up : f32
        mxfp4.yield %0 : f32
      }
  mxfp4.store_tile %sums to %t[%i, %i] valid(%i) {schedule = #schedule}
      : vector<1x2x4xf32> to memref<?x64xf8E4M3FN>
  return %r : tensor<?x48xf8E4M3FN>
}

// NEW-LABEL: func @prefetch
// NEW: mxfp4.prefetch_weights %{{.*}}[%{{.*}}, %{{.*}}] step 21 steps 2 : memref<32x90x23x!mxfp4.block<bytes, relative>>
func.func @prefetch(%w: memref<32x90x23x!mxfp4.block<bytes, relative>>,
                    %expert: index, %block: index) {
  mxfp4.prefetch_weights %w[%expert, %block] step 21 steps 2
      : memref<32x90x23x!mxfp4.block<bytes, relative>>
  return
}
