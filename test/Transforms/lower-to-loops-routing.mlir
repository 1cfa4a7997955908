// The specification of routing as loops; test/python/test_routing_loops.py
// compares them with numpy.
//
// RUN: mxfp4-opt %s --mxfp4-lower-to-loops --canonicalize --cse | FileCheck %s

// For each slot the best of what ranks behind the one before.

// CHECK-LABEL: func.func @top_k
// CHECK:       scf.for %[[TOKEN:.*]] =
// CHECK:         scf.for %{{.*}} iter_args(%[[LAST:.*]] = %c9223372036854775807_i64) -> (i64)
// CHECK:           scf.for %{{.*}} iter_args(%[[BEST:.*]] = %c-9223372036854775808_i64) -> (i64)
// CHECK:             memref.load %{{.*}}[%[[TOKEN]], %{{.*}}] : memref<?x8xbf16>
// CHECK:             arith.cmpi slt, %[[RANK:.*]], %[[LAST]] : i64
// CHECK:             arith.cmpi sgt, %[[RANK]], %[[BEST]] : i64
// CHECK:           memref.store {{.*}} : memref<?x2xi32>
// CHECK:         math.exp
// CHECK:         arith.divf
// CHECK:         memref.store {{.*}} : memref<?x2xf32>
func.func @top_k(%l: memref<?x8xbf16>, %ids: memref<?x2xi32>, %w: memref<?x2xf32>) {
  mxfp4.top_k logits(%l : memref<?x8xbf16>) scoring(softmax_selected)
      outs(%ids, %w : memref<?x2xi32>, memref<?x2xf32>)
  return
}

// CHECK-LABEL: func.func @combine
// CHECK:       arith.ori %{{.*}}, %c4_i32
// CHECK:       %[[SUM:.*]] = scf.for {{.*}} -> (f32)
// CHECK:         math.fma
// CHECK:         arith.select
// CHECK:       arith.truncf %[[SUM]] : f32 to bf16
func.func @combine(%y: memref<?x8xf32>, %p: memref<?x2xi32>, %w: memref<?x2xf32>,
                   %out: memref<?x8xbf16>, %e: memref<1xi32>) {
  mxfp4.combine rows(%y : memref<?x8xf32>) positions(%p : memref<?x2xi32>)
      weights(%w : memref<?x2xf32>) outs(%out : memref<?x8xbf16>) error(%e : memref<1xi32>)
  return
}

// CHECK-LABEL: func.func @dispatch
// CHECK:       %[[ROW:.*]] = memref.load %{{.*}} : memref<?x2xi32>
// CHECK:       scf.if
// CHECK:         %[[VALUE:.*]] = memref.load %{{.*}} : memref<?x8xbf16>
// CHECK:         memref.store %[[VALUE]]
// CHECK:       arith.ori %{{.*}}, %c4_i32
func.func @dispatch(%x: memref<?x8xbf16>, %p: memref<?x2xi32>, %r: memref<?x8xbf16>,
                    %e: memref<1xi32>) {
  mxfp4.dispatch values(%x : memref<?x8xbf16>) positions(%p : memref<?x2xi32>)
      outs(%r : memref<?x8xbf16>) error(%e : memref<1xi32>)
  return
}

// A row is scattered to the rows of its slots, with its scale.

// CHECK-LABEL: func.func @quantize_scattered
// CHECK:       arith.divf %{{.*}}, %cst
// CHECK:       %[[SCALE:.*]] = arith.maxnumf
// CHECK:       memref.load %{{.*}} : memref<?x2xi32>
// CHECK:       scf.if
// CHECK:         memref.store %[[SCALE]], %{{.*}} : memref<?xf32>
// CHECK:         memref.store %{{.*}} : memref<?x8xf8E4M3FN>
func.func @quantize_scattered(%x: memref<?x8xbf16>, %p: memref<?x2xi32>,
                              %q: memref<?x8xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x8xbf16>) scatter(%p : memref<?x2xi32>)
      outs(%q, %s : memref<?x8xf8E4M3FN>, memref<?xf32>)
  return
}

// Or its scale alone is, and its codes are stored once.

// CHECK-LABEL: func.func @quantize_scattered_scales
// CHECK:       %[[SCALE:.*]] = arith.maxnumf
// CHECK:       memref.store %{{.*}} : memref<?x8xf8E4M3FN>
// CHECK:       memref.load %{{.*}} : memref<?x2xi32>
// CHECK:       scf.if
// CHECK-NEXT:    memref.store %[[SCALE]], %{{.*}} : memref<?xf32>
// CHECK-NOT:   memref.store
// CHECK:       return
func.func @quantize_scattered_scales(%x: memref<?x8xbf16>, %p: memref<?x2xi32>,
                                     %q: memref<?x8xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x8xbf16>) scatter_scales(%p : memref<?x2xi32>)
      outs(%q, %s : memref<?x8xf8E4M3FN>, memref<?xf32>)
  return
}

// CHECK-LABEL: func.func @sort
// CHECK-NOT:   mxfp4
// CHECK:       return
func.func @sort(%ids: memref<?x2xi32>, %o: memref<9xi32>, %t: memref<?xi32>, %p: memref<?x2xi32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x2xi32>)
      outs(%o, %t, %p : memref<9xi32>, memref<?xi32>, memref<?x2xi32>)
  return
}

// CHECK-LABEL: func.func @sort_with_zeros
// CHECK-SAME:    %[[ZEROS:[^ ]*]]: memref<8xi32>)
// CHECK:       memref.store %c0_i32, %{{.*}}[%c0] : memref<9xi32>
// CHECK-NEXT:  scf.for %[[EXPERT:.*]] = %c0 to %c8 step %c1
// CHECK-NEXT:    memref.store %c0_i32, %[[ZEROS]][%[[EXPERT]]]
// CHECK:       return
func.func @sort_with_zeros(%ids: memref<?x2xi32>, %o: memref<9xi32>, %t: memref<?xi32>,
                           %p: memref<?x2xi32>, %z: memref<8xi32>) {
  mxfp4.sort_by_expert ids(%ids : memref<?x2xi32>)
      outs(%o, %t, %p : memref<9xi32>, memref<?xi32>, memref<?x2xi32>)
      zeros(%z : memref<8xi32>)
  return
}

// Counts begin at 0, and ids of no expert count nowhere.

// CHECK-LABEL: func.func @count
// CHECK:       memref.store %c0_i32, %{{.*}} : memref<128x8xi32>
// CHECK:       %[[ID:.*]] = memref.load %{{.*}} : memref<?x2xi32>
// CHECK:       scf.if
// CHECK:         memref.load %{{.*}} : memref<128x8xi32>
// CHECK:         memref.store %{{.*}} : memref<128x8xi32>
func.func @count(%ids: memref<?x2xi32>, %c: memref<128x8xi32>) {
  mxfp4.count_by_expert ids(%ids : memref<?x2xi32>) outs(%c : memref<128x8xi32>)
  return
}

// A maximum that ignores NaN and has -0 below 0, the scale, and codes as
// integers: of normal numbers by their bits, of subnormal ones by an addition.

// CHECK-LABEL: func.func @quantize_rows
// CHECK:       scf.for
// CHECK:         %[[MAX:.*]] = scf.for {{.*}} -> (f32)
// CHECK:           %[[EQUAL:.*]] = arith.cmpf oeq
// CHECK:           %[[SIGNED:.*]] = arith.bitcast %{{.*}} : i32 to f32
// CHECK:           %[[BEYOND:.*]] = arith.cmpf ogt
// CHECK:           %[[ONE:.*]] = arith.select %[[BEYOND]]
// CHECK:           arith.select %[[EQUAL]], %[[SIGNED]], %[[ONE]] : f32
// CHECK:           arith.cmpf uno
// CHECK:           arith.select
// CHECK:         %[[RATIO:.*]] = arith.divf %[[MAX]], %cst{{.*}} : f32
// CHECK:         %[[SCALE:.*]] = arith.maxnumf %[[RATIO]], %cst{{.*}} : f32
// CHECK:         memref.store %[[SCALE]], %{{.*}} : memref<?xf32>
// CHECK:         %[[INVERSE:.*]] = arith.divf %cst{{.*}}, %[[SCALE]] : f32
// CHECK:         scf.for
// CHECK:           arith.mulf %{{.*}}, %[[INVERSE]] : f32
// CHECK:           arith.minui %{{.*}}, %c126_i32
// CHECK:           %[[CODE:.*]] = arith.bitcast %{{.*}} : i8 to f8E4M3FN
// CHECK:           memref.store %[[CODE]], %{{.*}} : memref<?x96xf8E4M3FN>
func.func @quantize_rows(%x: memref<?x96xbf16>, %q: memref<?x96xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x96xbf16>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>)
  return
}

// CHECK-LABEL: func.func @quantize_gathered_rows
// CHECK:       %[[FROM:.*]] = arith.index_cast %{{.*}} : i32 to index
// CHECK:       %[[IS_ROW:.*]] = arith.cmpi ult, %[[FROM]], %{{.*}} : index
// CHECK:       scf.if %[[IS_ROW]]
// CHECK:       } else {
// CHECK:         arith.ori %{{.*}}, %c4_i32
func.func @quantize_gathered_rows(%x: memref<?x96xbf16>, %g: memref<?xi32>,
                                  %q: memref<?x96xf8E4M3FN>, %s: memref<?xf32>,
                                  %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<?x96xbf16>) gather(%g : memref<?xi32>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
}
