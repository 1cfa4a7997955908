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

// What is stored of a group is counted behind it. Counts that others raise are
// complete where one thing happens after the other.

// CHECK-LABEL: func @counts
// CHECK-SAME:    %[[STORED:[^ ]*]]: memref<2xi32>, %[[AWAITED:[^ ]*]]: memref<2xi32>
// CHECK:           memref.store {{.*}} : memref<?x48xbf16>
// CHECK:           %[[ROWS:.*]] = arith.subi %{{.*}}, %{{.*}} : index
// CHECK-NEXT:      %[[MORE:.*]] = arith.muli %[[ROWS]], %c48 : index
// CHECK-NEXT:      %[[BEFORE:.*]] = memref.load %[[STORED]][%[[GROUP:[a-z0-9]+]]]
// CHECK-NEXT:      %[[NUMBER:.*]] = arith.index_castui %[[MORE]] : index to i32
// CHECK-NEXT:      %[[ALL:.*]] = arith.addi %[[BEFORE]], %[[NUMBER]] : i32
// CHECK-NEXT:      memref.store %[[ALL]], %[[STORED]][%[[GROUP]]]
// CHECK-NOT:     %[[AWAITED]]
// CHECK:         return
func.func @counts(%x: memref<?x64xbf16>, %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                  %offsets: memref<3xi32>, %y: memref<?x48xbf16>,
                  %stored: memref<2xi32>, %awaited: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      awaited(%awaited : memref<2xi32>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%offsets : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      stored(%stored : memref<2xi32>) {older_inputs}
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

// -----

// An epilogue on pairs: a decoded row of weights for gate and one for up, both
// sums, and what the operands have for the expert, the row and the pair's columns.
// A row of the map that does not exist sets bit 2; row 0 is read in its place, and
// nothing stored in the place of one to scatter to.

// CHECK-LABEL: func @fused
// CHECK-SAME:    %[[X:[^ :]*]]: memref<?x64xbf16>, %[[FROM:[^ :]*]]: memref<?xi32>, {{.*}}, %[[Y:[^ :]*]]: memref<?x24xbf16>, %[[TO:[^ :]*]]: memref<?xi32>, %[[ERROR:[^ :]*]]: memref<1xi32>, %[[BIAS:[^ :]*]]: memref<2x48xbf16>, %[[WEIGHT:[^ :]*]]: memref<?xf32>, %[[FACTOR:[^ :]*]]: memref<f32>
// CHECK-DAG:     %[[C0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C24:.*]] = arith.constant 24 : index
// CHECK-DAG:     %[[BIT:.*]] = arith.constant 4 : i32
// Without a row to gather from there are no rows.
// CHECK:         %[[R:.*]] = memref.dim %[[FROM]]
// CHECK:         %[[T:.*]] = memref.dim %[[X]]
// CHECK:         %[[EMPTY:.*]] = arith.cmpi eq, %[[T]], %[[C0]]
// CHECK:         arith.select %[[EMPTY]], %[[C0]], %[[R]]
// CHECK:         %[[GATES:.*]] = memref.alloc() : memref<64xf32>
// CHECK:         %[[UPS:.*]] = memref.alloc() : memref<64xf32>
// CHECK:         scf.for %[[COLUMN:.*]] = %[[C0]] to %[[C24]] step %[[C1]] {
// CHECK:           %[[GATE:.*]] = arith.muli %[[COLUMN]], %[[C2]]
// CHECK:           memref.store {{.*}}, %[[GATES]]
// CHECK:           %[[UP:.*]] = arith.addi %[[GATE]], %[[C1]]
// CHECK:           memref.store {{.*}}, %[[UPS]]
// CHECK:           scf.for %[[ROW:.*]] =
// CHECK:             %[[ENTRY:.*]] = memref.load %[[FROM]][%[[ROW]]]
// CHECK:             %[[SOURCE:.*]] = arith.index_cast %[[ENTRY]]
// CHECK:             %[[EXISTS:.*]] = arith.cmpi ult, %[[SOURCE]]
// CHECK:             arith.ori %{{.*}}, %[[BIT]]
// CHECK:             %[[READ:.*]] = arith.select %[[EXISTS]], %[[SOURCE]], %[[C0]]
// CHECK:             %[[S0:.*]] = scf.for
// CHECK:               memref.load %[[X]][%[[READ]], %{{.*}}]
// CHECK:               memref.load %[[GATES]]
// CHECK:             %[[S1:.*]] = scf.for
// CHECK:               memref.load %[[UPS]]
// CHECK:             memref.load %[[BIAS]][%[[EXPERT:.*]], %[[GATE]]]
// CHECK:             memref.load %[[BIAS]][%[[EXPERT]], %[[UP]]]
// CHECK:             memref.load %[[WEIGHT]][%[[ROW]]]
// CHECK:             memref.load %[[FACTOR]][]
// CHECK:             %[[P:.*]] = arith.mulf %[[S0]], %[[S1]]
// CHECK:             %[[ROUNDED:.*]] = arith.truncf %{{.*}} : f32 to bf16
// CHECK:             %[[ENTRY:.*]] = memref.load %[[TO]][%[[ROW]]]
// CHECK:             %[[PLACE:.*]] = arith.index_cast %[[ENTRY]]
// CHECK:             %[[EXISTS:.*]] = arith.cmpi ult, %[[PLACE]]
// CHECK:             scf.if %[[EXISTS]] {
// CHECK-NEXT:          memref.store %[[ROUNDED]], %[[Y]][%[[PLACE]], %[[COLUMN]]]
// CHECK-NEXT:        } else {
// CHECK:               arith.ori %{{.*}}, %[[BIT]]
func.func @fused(%x: memref<?x64xbf16>, %from: memref<?xi32>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x24xbf16>, %to: memref<?xi32>, %e: memref<1xi32>,
    %bias: memref<2x48xbf16>, %weight: memref<?xf32>, %factor: memref<f32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%from : memref<?xi32>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x24xbf16>)
      scatter(%to : memref<?xi32>) error(%e : memref<1xi32>)
      epilogue(%bias, %weight, %factor
               : memref<2x48xbf16>, memref<?xf32>, memref<f32>) {
      ^bb0(%gate: f32, %up: f32, %b0: f32, %b1: f32, %a: f32, %f: f32):
        %p = arith.mulf %gate, %up : f32
        %q = arith.addf %p, %b0 : f32
        %r = arith.addf %q, %b1 : f32
        %s = arith.mulf %r, %a : f32
        %z = arith.mulf %s, %f : f32
        mxfp4.yield %z : f32
      }
  return
}

// -----

// Results in FP8 are rounded by integers, and no value is truncated to 8 bits by an
// operation that does not saturate.

// CHECK-LABEL: func @fp8_results
// CHECK-SAME:    %[[Y:[^ ]*]]: memref<?x48xf8E4M3FN>
// CHECK:         arith.minui
// CHECK:         %[[CODE:.*]] = arith.bitcast %{{.*}} : i8 to f8E4M3FN
// CHECK-NEXT:    memref.store %[[CODE]], %[[Y]]
// CHECK-NOT:     f32 to f8E4M3FN
func.func @fp8_results(%y: memref<?x48xf8E4M3FN>, %x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xf8E4M3FN>)
  return
}
