// What later versions of the operations have more is in fused-ops.mlir: these are
// those of version 1 of the dialect's bytecode, too, which the compiler of that
// time wrote to Inputs/ops-version-1.mlirbc.
//
// RUN: mxfp4-opt %S/Inputs/ops-version-1.mlirbc | FileCheck %s
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
  warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!folded = !mxfp4.block<spread, folded>

//===----------------------------------------------------------------------===//
// Tensors and memrefs
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @grouped_matmul_tensor
func.func @grouped_matmul_tensor(%x: tensor<?x2880xbf16>,
    %w: tensor<32x90x45x!folded>, %o: tensor<33xi32>,
    %init: tensor<?x5760xbf16>) -> tensor<?x5760xbf16> {
  // CHECK: mxfp4.grouped_matmul activations(%{{.*}} : tensor<?x2880xbf16>) weights(%{{.*}} : tensor<32x90x45x!mxfp4.block<spread, folded>>) offsets(%{{.*}} : tensor<33xi32>) outs(%{{.*}} : tensor<?x5760xbf16>) -> tensor<?x5760xbf16>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x2880xbf16>)
      weights(%w : tensor<32x90x45x!folded>) offsets(%o : tensor<33xi32>)
      outs(%init : tensor<?x5760xbf16>) -> tensor<?x5760xbf16>
  return %y : tensor<?x5760xbf16>
}

// CHECK-LABEL: func @grouped_matmul_checkpoint
func.func @grouped_matmul_checkpoint(%x: tensor<?x2880xbf16>,
    %c: tensor<32x5760x90x16xi8>, %s: tensor<32x5760x90xi8>, %o: tensor<33xi32>,
    %init: tensor<?x5760xbf16>) -> tensor<?x5760xbf16> {
  // CHECK: mxfp4.grouped_matmul activations(%{{.*}} : tensor<?x2880xbf16>) weights(%{{.*}}, %{{.*}} : tensor<32x5760x90x16xi8>, tensor<32x5760x90xi8>)
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x2880xbf16>)
      weights(%c, %s : tensor<32x5760x90x16xi8>, tensor<32x5760x90xi8>)
      offsets(%o : tensor<33xi32>)
      outs(%init : tensor<?x5760xbf16>) -> tensor<?x5760xbf16>
  return %y : tensor<?x5760xbf16>
}

// CHECK-LABEL: func @grouped_matmul_memref
func.func @grouped_matmul_memref(%x: memref<?x96xbf16>,
    %c: memref<4x70x3x16xi8>, %s: memref<4x70x3xi8>, %o: memref<3xi32>,
    %ids: memref<2xi32>, %y: memref<?x70xf32>, %e: memref<1xi32>) {
  // CHECK: mxfp4.grouped_matmul activations(%{{.*}} : memref<?x96xbf16>) weights(%{{.*}}, %{{.*}} : memref<4x70x3x16xi8>, memref<4x70x3xi8>) offsets(%{{.*}} : memref<3xi32>) expert_ids(%{{.*}} : memref<2xi32>) outs(%{{.*}} : memref<?x70xf32>) error(%{{.*}} : memref<1xi32>) {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64, warps_rows = 1, warps_tokens = 1, stages = 4, placement = register, ctas = 1>}
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%c, %s : memref<4x70x3x16xi8>, memref<4x70x3xi8>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<?x70xf32>) error(%e : memref<1xi32>)
      {schedule = #schedule}
  return
}

// Two words to hand out tiles with, with an error word and without.
// CHECK-LABEL: func @grouped_matmul_workspace
func.func @grouped_matmul_workspace(%x: memref<?x2880xbf16>,
    %w: memref<32x90x45x!folded>, %o: memref<33xi32>,
    %y: memref<?x5760xbf16>, %e: memref<1xi32>, %s: memref<2xi32>) {
  // CHECK: mxfp4.grouped_matmul {{.*}} outs(%{{.*}} : memref<?x5760xbf16>) error(%{{.*}} : memref<1xi32>) workspace(%{{.*}} : memref<2xi32>){{$}}
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!folded>) offsets(%o : memref<33xi32>)
      outs(%y : memref<?x5760xbf16>) error(%e : memref<1xi32>)
      workspace(%s : memref<2xi32>)
  // CHECK: mxfp4.grouped_matmul {{.*}} outs(%{{.*}} : memref<?x5760xbf16>) workspace(%{{.*}} : memref<2xi32>){{$}}
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!folded>) offsets(%o : memref<33xi32>)
      outs(%y : memref<?x5760xbf16>) workspace(%s : memref<2xi32>)
  return
}

// Any size may be dynamic.
// CHECK-LABEL: func @grouped_matmul_dynamic
func.func @grouped_matmul_dynamic(%x: memref<?x?xbf16>,
    %w: memref<?x?x?x!mxfp4.block<nibble, raw>>, %o: memref<?xi32>,
    %ids: memref<?xi32>, %y: memref<?x?xbf16>) {
  // CHECK: mxfp4.grouped_matmul
  mxfp4.grouped_matmul activations(%x : memref<?x?xbf16>)
      weights(%w : memref<?x?x?x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<?xi32>) expert_ids(%ids : memref<?xi32>)
      outs(%y : memref<?x?xbf16>)
  return
}

// CHECK-LABEL: func @conversions_tensor
func.func @conversions_tensor(%v: tensor<4x128x96xf32>,
    %c: tensor<4x128x3x16xi8>, %s: tensor<4x128x3xi8>,
    %w: tensor<4x2x2x!folded>) -> tensor<4x128x96xf32> {
  // CHECK: mxfp4.quantize ins(%{{.*}} : tensor<4x128x96xf32>) outs(%{{.*}}, %{{.*}} : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>) -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
  %q:2 = mxfp4.quantize ins(%v : tensor<4x128x96xf32>)
      outs(%c, %s : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>)
      -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
  // CHECK: mxfp4.pack codes(%{{.*}} : tensor<4x128x3x16xi8>) scales(%{{.*}} : tensor<4x128x3xi8>) outs(%{{.*}} : tensor<4x2x2x!mxfp4.block<spread, folded>>) -> tensor<4x2x2x!mxfp4.block<spread, folded>>
  %p = mxfp4.pack codes(%q#0 : tensor<4x128x3x16xi8>)
                  scales(%q#1 : tensor<4x128x3xi8>)
      outs(%w : tensor<4x2x2x!folded>) -> tensor<4x2x2x!folded>
  // CHECK: mxfp4.unpack blocks(%{{.*}} : tensor<4x2x2x!mxfp4.block<spread, folded>>) outs(%{{.*}}, %{{.*}} : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>) -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
  %u:2 = mxfp4.unpack blocks(%p : tensor<4x2x2x!folded>)
      outs(%c, %s : tensor<4x128x3x16xi8>, tensor<4x128x3xi8>)
      -> tensor<4x128x3x16xi8>, tensor<4x128x3xi8>
  // CHECK: mxfp4.dequantize codes(%{{.*}} : tensor<4x128x3x16xi8>) scales(%{{.*}} : tensor<4x128x3xi8>) outs(%{{.*}} : tensor<4x128x96xf32>) -> tensor<4x128x96xf32>
  %d = mxfp4.dequantize codes(%u#0 : tensor<4x128x3x16xi8>)
                        scales(%u#1 : tensor<4x128x3xi8>)
      outs(%v : tensor<4x128x96xf32>) -> tensor<4x128x96xf32>
  return %d : tensor<4x128x96xf32>
}

// CHECK-LABEL: func @conversions_memref
func.func @conversions_memref(%v: memref<?x64xbf16>, %c: memref<?x2x16xi8>,
                              %s: memref<?x2xi8>,
                              %w: memref<4x2x2x!mxfp4.block<nibble, raw>>) {
  // CHECK: mxfp4.quantize ins(%{{.*}} : memref<?x64xbf16>) outs(%{{.*}}, %{{.*}} : memref<?x2x16xi8>, memref<?x2xi8>)
  mxfp4.quantize ins(%v : memref<?x64xbf16>)
      outs(%c, %s : memref<?x2x16xi8>, memref<?x2xi8>)
  // CHECK: mxfp4.dequantize codes(%{{.*}} : memref<?x2x16xi8>) scales(%{{.*}} : memref<?x2xi8>) outs(%{{.*}} : memref<?x64xbf16>)
  mxfp4.dequantize codes(%c : memref<?x2x16xi8>) scales(%s : memref<?x2xi8>)
      outs(%v : memref<?x64xbf16>)
  // CHECK: mxfp4.block_bytes %{{.*}} : memref<4x2x2x!mxfp4.block<nibble, raw>> -> memref<4x2x2x2176xi8>
  %b = mxfp4.block_bytes %w : memref<4x2x2x!mxfp4.block<nibble, raw>>
      -> memref<4x2x2x2176xi8>
  return
}

// CHECK-LABEL: func @views
func.func @views(%w: memref<4x2x2x!mxfp4.block<nibble, raw>, strided<[?, 2, 1], offset: 8>>,
                 %x: memref<?x64xbf16, strided<[64, 1], offset: ?>>) {
  // CHECK: mxfp4.block_bytes %{{.*}} : memref<4x2x2x!mxfp4.block<nibble, raw>, strided<[?, 2, 1], offset: 8>> -> memref<4x2x2x2176xi8, strided<[?, 4352, 2176, 1], offset: 17408>>
  %b = mxfp4.block_bytes %w : memref<4x2x2x!mxfp4.block<nibble, raw>, strided<[?, 2, 1], offset: 8>>
      -> memref<4x2x2x2176xi8, strided<[?, 4352, 2176, 1], offset: 17408>>
  // CHECK: mxfp4.rebase %{{.*}} : memref<?x64xbf16, strided<[64, 1], offset: ?>> -> memref<?x64xbf16>
  %r = mxfp4.rebase %x : memref<?x64xbf16, strided<[64, 1], offset: ?>> -> memref<?x64xbf16>
  return
}

// CHECK: gpu.module @lowered attributes {mxfp4.kernels}
gpu.module @lowered attributes {mxfp4.kernels} {
}
// CHECK: gpu.module @finished attributes {mxfp4.compiled}
gpu.module @finished attributes {mxfp4.compiled} {
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @tiles
func.func @tiles(%w: memref<32x90x45x!folded>, %x: memref<?x2880xbf16>,
                 %ws: memref<4x1x!folded, #shared>,
                 %xs: memref<4x64x64xbf16, #shared>, %y: memref<?x5760xbf16>,
                 %acc: vector<4x8x4xf32>, %i: index,
                 %table: memref<34xi32, #shared>, %o: memref<33xi32>,
                 %ids: memref<32xi32>, %e: memref<1xi32>) {
  // CHECK: %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.locate_tile %{{.*}} in %{{.*}} offsets(%{{.*}}) experts 32 columns 90 {schedule = #mxfp4.schedule<{{.*}}>} : memref<34xi32, #gpu.address_space<workgroup>>, memref<33xi32>
  %expert, %row, %valid, %column = mxfp4.locate_tile %i in %table offsets(%o)
      experts 32 columns 90 {schedule = #schedule}
      : memref<34xi32, #shared>, memref<33xi32>
  // CHECK: mxfp4.locate_tile %{{.*}} in %{{.*}} offsets(%{{.*}}) expert_ids(%{{.*}} : memref<32xi32>) error(%{{.*}} : memref<1xi32>) experts 4 columns 1 {schedule
  %tile:4 = mxfp4.locate_tile %i in %table offsets(%o)
      expert_ids(%ids : memref<32xi32>) error(%e : memref<1xi32>)
      experts 4 columns 1 {schedule = #schedule}
      : memref<34xi32, #shared>, memref<33xi32>
  // CHECK: mxfp4.copy_weights %{{.*}}[%{{.*}}, %{{.*}}, %{{.*}}] to %{{.*}}[%{{.*}}] : memref<32x90x45x!mxfp4.block<spread, folded>> to memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
  mxfp4.copy_weights %w[%i, %i, %i] to %ws[%i]
      : memref<32x90x45x!folded> to memref<4x1x!folded, #shared>
  // CHECK: mxfp4.copy_activations %{{.*}}[%{{.*}}, %{{.*}}] valid(%{{.*}}) to %{{.*}}[%{{.*}}] : memref<?x2880xbf16> to memref<4x64x64xbf16, #gpu.address_space<workgroup>>
  mxfp4.copy_activations %x[%i, %i] valid(%i) to %xs[%i]
      : memref<?x2880xbf16> to memref<4x64x64xbf16, #shared>
  // CHECK: mxfp4.tile_matmul %{{.*}}, %{{.*}}, %{{.*}} at[%{{.*}}] tokens(%{{.*}}) {schedule = #mxfp4.schedule<{{.*}}>} : vector<4x8x4xf32>, memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>, memref<4x64x64xbf16, #gpu.address_space<workgroup>>
  %r = mxfp4.tile_matmul %acc, %ws, %xs at [%i] tokens(%i) {schedule = #schedule}
      : vector<4x8x4xf32>, memref<4x1x!folded, #shared>,
        memref<4x64x64xbf16, #shared>
  // CHECK: mxfp4.store_tile %{{.*}} to %{{.*}}[%{{.*}}, %{{.*}}] valid(%{{.*}}) {schedule = #mxfp4.schedule<{{.*}}>} : vector<4x8x4xf32> to memref<?x5760xbf16>
  mxfp4.store_tile %r to %y[%i, %i] valid(%i) {schedule = #schedule}
      : vector<4x8x4xf32> to memref<?x5760xbf16>
  return
}

//===----------------------------------------------------------------------===//
// Fragments
//===----------------------------------------------------------------------===//

// CHECK-LABEL: func @fragments
func.func @fragments(%ws: memref<4x1x!folded, #shared>,
                     %xs: memref<4x64x64xbf16, #shared>,
                     %tile: memref<64x64xbf16, #shared>,
                     %two: memref<128x64xbf16, #shared>, %acc: vector<4xf32>,
                     %i: index) -> vector<4xf32> {
  // CHECK: %[[C:.*]], %{{.*}}, %{{.*}}, %{{.*}} = mxfp4.load_codes %{{.*}}[%{{.*}}, %{{.*}}] : memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
  %c0, %c1, %c2, %c3 = mxfp4.load_codes %ws[%i, %i] : memref<4x1x!folded, #shared>
  // CHECK: %[[S:.*]] = mxfp4.load_scales %{{.*}}[%{{.*}}, %{{.*}}] : memref<4x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
  %s = mxfp4.load_scales %ws[%i, %i] : memref<4x1x!folded, #shared>
  // CHECK: mxfp4.decode %[[C]], %[[S]] step 1 : !mxfp4.block<spread, folded>
  %a0, %a1, %a2, %a3 = mxfp4.decode %c0, %s step 1 : !folded
  // CHECK: mxfp4.load_activations %{{.*}}[%{{.*}}, %{{.*}}] slice 1 : memref<4x64x64xbf16, #gpu.address_space<workgroup>>
  %b0, %b1, %b2, %b3 = mxfp4.load_activations %xs[%i, %i] slice 1
      : memref<4x64x64xbf16, #shared>
  // CHECK: mxfp4.store_decoded %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} to %{{.*}}[%{{.*}}] step 3 : memref<64x64xbf16, #gpu.address_space<workgroup>>
  mxfp4.store_decoded %a0, %a1, %a2, %a3 to %tile[%i] step 3
      : memref<64x64xbf16, #shared>
  // CHECK: mxfp4.store_decoded %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} to %{{.*}}[%{{.*}}] step 0 buffer 1 : memref<128x64xbf16, #gpu.address_space<workgroup>>
  mxfp4.store_decoded %a0, %a1, %a2, %a3 to %two[%i] step 0 buffer 1
      : memref<128x64xbf16, #shared>
  // CHECK: mxfp4.load_decoded %{{.*}}[%{{.*}}] step 3 : memref<64x64xbf16, #gpu.address_space<workgroup>>
  %d0, %d1, %d2, %d3 = mxfp4.load_decoded %tile[%i] step 3
      : memref<64x64xbf16, #shared>
  // CHECK: mxfp4.mma a(%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}) b(%{{.*}}, %{{.*}}) c(%{{.*}})
  %r = mxfp4.mma a(%d0, %d1, %d2, %d3) b(%b0, %b1) c(%acc)
  return %r : vector<4xf32>
}
