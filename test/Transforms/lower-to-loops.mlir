// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics \
// RUN:   --mxfp4-lower-to-loops --canonicalize --cse | FileCheck %s

// The weights' row is decoded once and used by every row of the group; the sum
// runs over k in order, in f32, and is rounded once.

// CHECK-LABEL: func @grouped_matmul
// CHECK-SAME:    %[[X:.*]]: memref<?x64xbf16>, %[[W:.*]]: memref<2x1x1x!mxfp4.block<spread, raw>>
// CHECK:         mxfp4.block_bytes %[[W]]
// CHECK-SAME:      -> memref<2x1x1x2176xi8>
// CHECK:         %[[GOOD:.*]] = scf.for
// CHECK:         scf.if %[[GOOD]] {
// CHECK:           %[[ROW:.*]] = memref.alloc() : memref<64xf32>
// CHECK:           scf.for %[[GROUP:.*]] =
// CHECK:             scf.if
// CHECK:               scf.for %[[N:.*]] =
// CHECK:                 scf.for %[[SLICE:.*]] =
// CHECK:                   scf.for
// CHECK:                     memref.store {{.*}}, %[[ROW]]
// CHECK:                 scf.for %[[R:.*]] =
// CHECK:                   %[[SUM:.*]] = scf.for %[[K:.*]] = {{.*}} iter_args(%[[ACC:.*]] = %{{.*}}) -> (f32)
// CHECK:                     %[[XV:.*]] = memref.load %[[X]][%[[R]], %[[K]]]
// CHECK:                     %[[XF:.*]] = arith.extf %[[XV]] : bf16 to f32
// CHECK:                     %[[WV:.*]] = memref.load %[[ROW]][%[[K]]]
// CHECK:                     %[[P:.*]] = arith.mulf %[[XF]], %[[WV]] : f32
// CHECK:                     %[[NEXT:.*]] = arith.addf %[[ACC]], %[[P]] : f32
// CHECK:                     scf.yield %[[NEXT]]
// CHECK:                   %[[ROUNDED:.*]] = arith.truncf %[[SUM]] : f32 to bf16
// CHECK:                   memref.store %[[ROUNDED]]
// CHECK:           memref.dealloc %[[ROW]]
func.func @grouped_matmul(%x: memref<?x64xbf16>,
                          %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                          %offsets: memref<3xi32>, %y: memref<?x48xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%offsets : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}

// -----

// Any strided layout will do for anything but blocks, and any size may be
// dynamic; leading dimensions become loops.

// CHECK-LABEL: func @dequantize
// CHECK-COUNT-4: scf.for
// CHECK:         memref.store {{.*}} : memref<?x?x?xf32, strided<[?, ?, 2]>>
func.func @dequantize(%c: memref<?x?x?x16xi8, strided<[?, ?, ?, ?], offset: ?>>,
                      %s: memref<?x?x?xi8>,
                      %y: memref<?x?x?xf32, strided<[?, ?, 2]>>) {
  mxfp4.dequantize
      codes(%c : memref<?x?x?x16xi8, strided<[?, ?, ?, ?], offset: ?>>)
      scales(%s : memref<?x?x?xi8>)
      outs(%y : memref<?x?x?xf32, strided<[?, ?, 2]>>)
  return
}

// -----

func.func @tensors(%c: tensor<8x2x16xi8>, %s: tensor<8x2xi8>,
                   %y: tensor<8x64xf32>) -> tensor<8x64xf32> {
  // expected-error @below {{must be on memrefs to become loops; run one-shot-bufferize first}}
  %r = mxfp4.dequantize codes(%c : tensor<8x2x16xi8>)
                        scales(%s : tensor<8x2xi8>)
      outs(%y : tensor<8x64xf32>) -> tensor<8x64xf32>
  return %r : tensor<8x64xf32>
}

// -----

// Blocks of a part of a larger buffer.

// CHECK-LABEL: func @strided_blocks
// CHECK:         mxfp4.block_bytes {{.*}} -> memref<4x2x2x2176xi8, strided<[17408, 4352, 2176, 1], offset: ?>>
func.func @strided_blocks(
    %w: memref<4x2x2x!mxfp4.block<nibble, raw>, strided<[8, 2, 1], offset: ?>>,
    %c: memref<4x128x3x16xi8>, %s: memref<4x128x3xi8>) {
  mxfp4.unpack blocks(%w : memref<4x2x2x!mxfp4.block<nibble, raw>, strided<[8, 2, 1], offset: ?>>)
      outs(%c, %s : memref<4x128x3x16xi8>, memref<4x128x3xi8>)
  return
}
