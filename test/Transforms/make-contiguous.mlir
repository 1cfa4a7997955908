// RUN: mxfp4-opt %s --mxfp4-make-contiguous --split-input-file --verify-diagnostics | FileCheck %s

!block = !mxfp4.block<spread, raw>

// Strides that are spelled out move nothing.

// CHECK-LABEL: func @spelled_out
// CHECK-SAME:    %[[X:[^ :]*]]: memref<?x64xbf16, strided<[64, 1]>>
// CHECK:         %[[C:.*]] = memref.cast %[[X]] : {{.*}} to memref<?x64xbf16>
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%[[C]] : memref<?x64xbf16>)
func.func @spelled_out(%x: memref<?x64xbf16, strided<[64, 1]>>,
    %w: memref<2x1x1x!block>, %o: memref<3xi32>, %y: memref<?x48xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16, strided<[64, 1]>>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xf32>)
  return
}

// So do those of one dimension, which are an identity, but not the type that a
// kernel has.

// CHECK-LABEL: func @one_dimension
// CHECK:         %[[C:.*]] = memref.cast %{{.*}} : memref<3xi32, strided<[1]>> to memref<3xi32>
// CHECK:         offsets(%[[C]] : memref<3xi32>)
func.func @one_dimension(%x: memref<?x64xbf16>, %w: memref<2x1x1x!block>,
    %o: memref<3xi32, strided<[1]>>, %y: memref<?x48xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32, strided<[1]>>)
      outs(%y : memref<?x48xf32>)
  return
}

// Rows of activations and outputs, a layer of stacked weights and offsets, an
// element of a buffer of words: the type or what made the view says that each is
// contiguous and aligned.

// CHECK-LABEL: func @parts
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     scf.if
// CHECK-DAG:     %[[X:.*]] = mxfp4.rebase %{{.*}} : memref<?x64xbf16, strided<[64, 1], offset: ?>> -> memref<?x64xbf16>
// CHECK-DAG:     %[[W:.*]] = mxfp4.rebase %{{.*}} : memref<2x1x1x!mxfp4.block<spread, raw>, strided<[1, 1, 1], offset: ?>> -> memref<2x1x1x!mxfp4.block<spread, raw>>
// CHECK-DAG:     %[[O:.*]] = mxfp4.rebase %{{.*}} : memref<3xi32, strided<[1], offset: ?>> -> memref<3xi32>
// CHECK-DAG:     %[[Y:.*]] = mxfp4.rebase %{{.*}} : memref<?x48xf32, strided<[48, 1], offset: ?>> -> memref<?x48xf32>
// CHECK-DAG:     %[[E:.*]] = mxfp4.rebase %{{.*}} : memref<1xi32, strided<[1], offset: 3>> -> memref<1xi32>
// CHECK-DAG:     %[[S:.*]] = mxfp4.rebase %{{.*}} : memref<2xi32, strided<[1], offset: 5>> -> memref<2xi32>
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : {{.*}} weights(%[[W]] : {{.*}} offsets(%[[O]] : {{.*}} outs(%[[Y]] : {{.*}} error(%[[E]] : {{.*}} workspace(%[[S]] :
func.func @parts(%all: memref<?x64xbf16>, %layers: memref<3x2x1x1x!block>,
    %bounds: memref<3x3xi32>, %out: memref<2x?x48xf32>, %words: memref<8xi32>,
    %first: index, %rows: index, %layer: index) {
  %x = memref.subview %all[%first, 0] [%rows, 64] [1, 1]
      : memref<?x64xbf16> to memref<?x64xbf16, strided<[64, 1], offset: ?>>
  %w = memref.subview %layers[%layer, 0, 0, 0] [1, 2, 1, 1] [1, 1, 1, 1]
      : memref<3x2x1x1x!block> to memref<2x1x1x!block, strided<[1, 1, 1], offset: ?>>
  %o = memref.subview %bounds[%layer, 0] [1, 3] [1, 1]
      : memref<3x3xi32> to memref<3xi32, strided<[1], offset: ?>>
  %c0 = arith.constant 0 : index
  %c96 = arith.constant 96 : index
  %at = arith.muli %layer, %c96 : index
  %flat = memref.reinterpret_cast %out to offset: [%at], sizes: [%rows, 48], strides: [48, 1]
      : memref<2x?x48xf32> to memref<?x48xf32, strided<[48, 1], offset: ?>>
  %e = memref.subview %words[3] [1] [1]
      : memref<8xi32> to memref<1xi32, strided<[1], offset: 3>>
  %s = memref.subview %words[5] [2] [1]
      : memref<8xi32> to memref<2xi32, strided<[1], offset: 5>>
  mxfp4.grouped_matmul
      activations(%x : memref<?x64xbf16, strided<[64, 1], offset: ?>>)
      weights(%w : memref<2x1x1x!block, strided<[1, 1, 1], offset: ?>>)
      offsets(%o : memref<3xi32, strided<[1], offset: ?>>)
      outs(%flat : memref<?x48xf32, strided<[48, 1], offset: ?>>)
      error(%e : memref<1xi32, strided<[1], offset: 3>>)
      workspace(%s : memref<2xi32, strided<[1], offset: 5>>)
  return
}

// The stride of a dimension of one element is never used.

// CHECK-LABEL: func @one_expert
// CHECK:         mxfp4.rebase
// CHECK-NOT:     memref.copy
func.func @one_expert(%x: memref<?x64xbf16>,
    %w: memref<1x1x1x!block, strided<[7, 5, 3], offset: 2>>, %o: memref<2xi32>,
    %y: memref<?x48xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<1x1x1x!block, strided<[7, 5, 3], offset: 2>>)
      offsets(%o : memref<2xi32>) outs(%y : memref<?x48xf32>)
  return
}

// -----

!block = !mxfp4.block<spread, raw>

// Rows of a wider matrix, in both directions.

// CHECK-LABEL: func @pitch
// CHECK-SAME:    %[[X:[^ :]*]]: memref<?x64xbf16, strided<[128, 1]>>
// CHECK-SAME:    %[[Y:[^ :]*]]: memref<?x48xbf16, strided<[64, 1]>>
// CHECK:         %[[XC:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x64xbf16>
// CHECK-NEXT:    memref.copy %[[X]], %[[XC]]
// CHECK:         %[[YC:.*]] = memref.alloc(%{{.*}}) {alignment = 64 : i64} : memref<?x48xbf16>
// CHECK-NEXT:    memref.copy %[[Y]], %[[YC]]
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%[[XC]] : {{.*}} outs(%[[YC]] :
// CHECK-NEXT:    memref.copy %[[YC]], %[[Y]]
// CHECK-NEXT:    memref.dealloc %[[YC]] :
// CHECK-NEXT:    memref.dealloc %[[XC]] :
// CHECK-NEXT:    return
func.func @pitch(%x: memref<?x64xbf16, strided<[128, 1]>>, %w: memref<2x1x1x!block>,
    %o: memref<3xi32>, %y: memref<?x48xbf16, strided<[64, 1]>>) {
  // expected-remark @below {{mxfp4-make-contiguous copies activations into a contiguous buffer because the elements of memref<?x64xbf16, strided<[128, 1]>> do not lie one behind the other}}
  // expected-remark @below {{mxfp4-make-contiguous copies an output into a contiguous buffer because the elements of memref<?x48xbf16, strided<[64, 1]>> do not lie one behind the other}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16, strided<[128, 1]>>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16, strided<[64, 1]>>)
  return
}

// -----

!block = !mxfp4.block<spread, raw>

// CHECK-LABEL: func @misaligned
// CHECK:         memref.copy
// CHECK:         mxfp4.grouped_matmul
func.func @misaligned(%x: memref<?x64xbf16, strided<[64, 1], offset: 4>>,
    %w: memref<2x1x1x!block>, %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  // expected-remark @below {{copies activations into a contiguous buffer because memref<?x64xbf16, strided<[64, 1], offset: 4>> begins at no multiple of 16 bytes}}
  mxfp4.grouped_matmul
      activations(%x : memref<?x64xbf16, strided<[64, 1], offset: 4>>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

!block = !mxfp4.block<spread, raw>

// Rows of one bf16: where the first one is, is known to be no multiple of anything. So
// is a product that index does not hold.

// CHECK-LABEL: func @rows_of_one_element
// CHECK:         scf.if
// CHECK:         mxfp4.grouped_matmul
// CHECK:         scf.if
// CHECK:         mxfp4.grouped_matmul
// CHECK-NOT:     mxfp4.rebase
// CHECK:         return
func.func @rows_of_one_element(%x: memref<?x64xbf16>, %w: memref<2x1x1x!block>,
    %o: memref<3xi32>, %all: memref<?x1xbf16>, %first: index, %rows: index) {
  %y = memref.subview %all[%first, 0] [%rows, 1] [1, 1]
      : memref<?x1xbf16> to memref<?x1xbf16, strided<[1, 1], offset: ?>>
  // expected-remark @below {{copies an output into a contiguous buffer if its elements turn out not to lie one behind the other from a multiple of 4 bytes on, which memref<?x1xbf16, strided<[1, 1], offset: ?>> does not say}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x1xbf16, strided<[1, 1], offset: ?>>)
  %eighth = arith.constant 2305843009213693952 : index
  %eight = arith.constant 8 : index
  %scaled = arith.muli %first, %eighth : index
  %wrapped = arith.muli %scaled, %eight : index
  %z = memref.subview %all[%wrapped, 0] [%rows, 1] [1, 1]
      : memref<?x1xbf16> to memref<?x1xbf16, strided<[1, 1], offset: ?>>
  // expected-remark @below {{copies an output into a contiguous buffer if its elements turn out not to lie one behind the other from a multiple of 4 bytes on, which memref<?x1xbf16, strided<[1, 1], offset: ?>> does not say}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%z : memref<?x1xbf16, strided<[1, 1], offset: ?>>)
  return
}

// -----

!block = !mxfp4.block<spread, raw>

// What the type does not say is found at run time.

// CHECK-LABEL: func @unknown
// CHECK-SAME:    %[[X:[^ :]*]]: memref<?x64xbf16, strided<[?, 1], offset: ?>>
// CHECK:         memref.extract_strided_metadata %[[X]]
// CHECK:         %[[R:.*]] = scf.if %[[USABLE:.*]] -> (memref<?x64xbf16>) {
// CHECK-NEXT:      %[[B:.*]] = mxfp4.rebase %[[X]]
// CHECK-NEXT:      scf.yield %[[B]]
// CHECK-NEXT:    } else {
// CHECK:           memref.copy %[[X]], %[[C:.*]] :
// CHECK-NEXT:      scf.yield %[[C]]
// CHECK:         mxfp4.grouped_matmul activations(%[[R]] :
// CHECK:         scf.if %{{.*}} {
// CHECK-NEXT:      memref.dealloc %[[R]]
func.func @unknown(%x: memref<?x64xbf16, strided<[?, 1], offset: ?>>,
    %w: memref<2x1x1x!block>, %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  // expected-remark @below {{copies activations into a contiguous buffer if its elements turn out not to lie one behind the other from a multiple of 16 bytes on, which memref<?x64xbf16, strided<[?, 1], offset: ?>> does not say}}
  mxfp4.grouped_matmul
      activations(%x : memref<?x64xbf16, strided<[?, 1], offset: ?>>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

!block = !mxfp4.block<spread, raw>

// Maps of rows and operands of an epilogue, too: parts of larger buffers move
// nothing, of any rank.

// CHECK-LABEL: func @parts_of_fused
// CHECK-NOT:     memref.alloc
// CHECK-NOT:     scf.if
// CHECK-DAG:     %[[R:.*]] = mxfp4.rebase %{{.*}} : memref<7xi32, strided<[1], offset: 7>> -> memref<7xi32>
// CHECK-DAG:     %[[TO:.*]] = mxfp4.rebase %{{.*}} : memref<7xi32, strided<[1], offset: ?>> -> memref<7xi32>
// CHECK-DAG:     %[[B:.*]] = mxfp4.rebase %{{.*}} : memref<2x48xbf16, strided<[48, 1], offset: 96>> -> memref<2x48xbf16>
// CHECK-DAG:     %[[A:.*]] = mxfp4.rebase %{{.*}} : memref<7xf32, strided<[1], offset: 3>> -> memref<7xf32>
// CHECK-DAG:     %[[F:.*]] = mxfp4.rebase %{{.*}} : memref<bf16, strided<[], offset: 5>> -> memref<bf16>
// CHECK:         mxfp4.grouped_matmul {{.*}} gather(%[[R]] : memref<7xi32>) {{.*}} scatter(%[[TO]] : memref<7xi32>) epilogue (%[[B]], %[[A]], %[[F]] : memref<2x48xbf16>, memref<7xf32>, memref<bf16>) {
func.func @parts_of_fused(%x: memref<?x64xbf16>, %w: memref<2x1x1x!block>,
    %o: memref<3xi32>, %y: memref<?x48xf32>, %maps: memref<2x7xi32>, %i: index,
    %biases: memref<2x2x48xbf16>, %weights: memref<10xf32>,
    %factors: memref<8xbf16>) {
  %r = memref.subview %maps[1, 0] [1, 7] [1, 1]
      : memref<2x7xi32> to memref<7xi32, strided<[1], offset: 7>>
  %to = memref.subview %maps[%i, 0] [1, 7] [1, 1]
      : memref<2x7xi32> to memref<7xi32, strided<[1], offset: ?>>
  %b = memref.subview %biases[1, 0, 0] [1, 2, 48] [1, 1, 1]
      : memref<2x2x48xbf16> to memref<2x48xbf16, strided<[48, 1], offset: 96>>
  %a = memref.subview %weights[3] [7] [1]
      : memref<10xf32> to memref<7xf32, strided<[1], offset: 3>>
  %f = memref.subview %factors[5] [1] [1]
      : memref<8xbf16> to memref<bf16, strided<[], offset: 5>>
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%r : memref<7xi32, strided<[1], offset: 7>>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xf32>)
      scatter(%to : memref<7xi32, strided<[1], offset: ?>>)
      epilogue(%b, %a, %f : memref<2x48xbf16, strided<[48, 1], offset: 96>>,
          memref<7xf32, strided<[1], offset: 3>>,
          memref<bf16, strided<[], offset: 5>>) {
      ^bb0(%sum: f32, %c: f32, %d: f32, %e: f32):
        mxfp4.yield %c : f32
      }
  return
}

// Every second row of a map, the first columns of a bias, and a bias that begins
// in the middle of a pair of columns are copied; nothing of them is copied back.

// CHECK-LABEL: func @copies_of_fused
// CHECK-COUNT-3: memref.copy %{{.*}}, %{{.*}}
// CHECK:         mxfp4.grouped_matmul {{.*}} gather(%[[R:.*]] : memref<?xi32>) {{.*}} epilogue (%[[B:.*]], %[[C:.*]] : memref<2x48xbf16>, memref<2x48xbf16>) {
// CHECK-NOT:     memref.copy
// CHECK:         memref.dealloc
func.func @copies_of_fused(%x: memref<?x64xbf16>, %w: memref<2x1x1x!block>,
    %o: memref<3xi32>, %y: memref<?x48xf32>,
    %rows: memref<?xi32, strided<[2]>>,
    %b: memref<2x48xbf16, strided<[64, 1]>>,
    %c: memref<2x48xbf16, strided<[48, 1], offset: 1>>) {
  // expected-remark @below {{mxfp4-make-contiguous copies rows to gather into a contiguous buffer because the elements of memref<?xi32, strided<[2]>> do not lie one behind the other}}
  // expected-remark @below {{mxfp4-make-contiguous copies epilogue operands into a contiguous buffer because the elements of memref<2x48xbf16, strided<[64, 1]>> do not lie one behind the other}}
  // expected-remark @below {{mxfp4-make-contiguous copies epilogue operands into a contiguous buffer because memref<2x48xbf16, strided<[48, 1], offset: 1>> begins at no multiple of 4 bytes}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%rows : memref<?xi32, strided<[2]>>)
      weights(%w : memref<2x1x1x!block>) offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xf32>)
      epilogue(%b, %c : memref<2x48xbf16, strided<[64, 1]>>,
          memref<2x48xbf16, strided<[48, 1], offset: 1>>) {
      ^bb0(%sum: f32, %d: f32, %e: f32):
        mxfp4.yield %d : f32
      }
  return
}
