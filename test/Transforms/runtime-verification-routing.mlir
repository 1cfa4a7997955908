// Sizes that only the run knows are compared before the operation.
//
// RUN: mxfp4-opt %s --generate-runtime-verification | FileCheck %s
// RUN: mxfp4-opt %s --generate-runtime-verification --mxfp4-to-cpu -o %t
// RUN: mlir-runner %t -e good --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so | FileCheck %s --check-prefix=GOOD
// RUN: not --crash stdbuf -oL mlir-runner %t -e bad --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so | FileCheck %s --check-prefix=BAD

// CHECK-LABEL: func.func @top_k
// CHECK-SAME:    %[[LOGITS:[a-z0-9]+]]: memref<?x?xf32>, %[[BIAS:[a-z0-9]+]]: memref<?xf32>, %{{.*}}, %[[COUNTS:[a-z0-9]+]]: memref<128x?xi32>)
// CHECK:       cf.assert %{{.*}}, "{{.*}}ids must have a row for each token
// CHECK:       cf.assert %{{.*}}, "{{.*}}weights must have the shape of the ids
// CHECK:       cf.assert %{{.*}}, "{{.*}}weights must have the shape of the ids
// CHECK:       %[[E0:.*]] = memref.dim %[[LOGITS]], %{{c1.*}} :
// CHECK:       %[[B:.*]] = memref.dim %[[BIAS]], %{{c0.*}} :
// CHECK:       %[[SAME0:.*]] = arith.cmpi eq, %[[B]], %[[E0]]
// CHECK:       cf.assert %[[SAME0]], "{{.*}}the bias must have an entry for each expert
// CHECK:       %[[E1:.*]] = memref.dim %[[LOGITS]], %{{c1.*}} :
// CHECK:       %[[C:.*]] = memref.dim %[[COUNTS]], %{{c1.*}} :
// CHECK:       %[[SAME1:.*]] = arith.cmpi eq, %[[C]], %[[E1]]
// CHECK:       cf.assert %[[SAME1]], "{{.*}}counts must have a column for each expert
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be at most as many slots as experts
// CHECK:       mxfp4.top_k
func.func @top_k(%l: memref<?x?xf32>, %b: memref<?xf32>, %i: memref<?x?xi32>,
                 %w: memref<?x?xf32>, %c: memref<128x?xi32>) {
  mxfp4.top_k logits(%l : memref<?x?xf32>) bias(%b : memref<?xf32>) scoring(sigmoid)
      outs(%i, %w : memref<?x?xi32>, memref<?x?xf32>) counts(%c : memref<128x?xi32>)
  return
}

// CHECK-LABEL: func.func @quantize_rows
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<?x?xbf16>, %[[G:[a-z0-9]+]]: memref<?xi32>, %[[Q:[a-z0-9]+]]: memref<?x?xf8E4M3FN>, %[[S:[a-z0-9]+]]: memref<?xf32>)
// CHECK:       %[[GATHERED:.*]] = memref.dim %[[G]], %{{c0.*}} :
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be codes for each row to gather
// CHECK:       cf.assert %{{.*}}, "{{.*}}codes and values must have as many columns
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be a scale for each row
// CHECK:       mxfp4.quantize_rows
func.func @quantize_rows(%x: memref<?x?xbf16>, %g: memref<?xi32>, %q: memref<?x?xf8E4M3FN>,
                         %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x?xbf16>) gather(%g : memref<?xi32>)
      outs(%q, %s : memref<?x?xf8E4M3FN>, memref<?xf32>)
  return
}

// CHECK-LABEL: func.func @quantize_scattered_rows
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be rows to scatter to for each row
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be codes for each row to scatter to
// CHECK:       cf.assert %{{.*}}, "{{.*}}codes and values must have as many columns
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be a scale for each row
// CHECK:       mxfp4.quantize_rows
func.func @quantize_scattered_rows(%x: memref<?x?xbf16>, %p: memref<?x?xi32>,
                                   %q: memref<?x?xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x?xbf16>) scatter(%p : memref<?x?xi32>)
      outs(%q, %s : memref<?x?xf8E4M3FN>, memref<?xf32>)
  return
}

// CHECK-LABEL: func.func @quantize_scattered_scales
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be rows to scatter to for each row
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be codes for each row
// CHECK:       cf.assert %{{.*}}, "{{.*}}codes and values must have as many columns
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be a scale for each row to scatter to
// CHECK:       mxfp4.quantize_rows
func.func @quantize_scattered_scales(%x: memref<?x?xbf16>, %p: memref<?x?xi32>,
                                     %q: memref<?x?xf8E4M3FN>, %s: memref<?xf32>) {
  mxfp4.quantize_rows values(%x : memref<?x?xbf16>) scatter_scales(%p : memref<?x?xi32>)
      outs(%q, %s : memref<?x?xf8E4M3FN>, memref<?xf32>)
  return
}

// CHECK-LABEL: func.func @dispatch
// CHECK:       cf.assert %{{.*}}, "{{.*}}positions and values must have as many tokens
// CHECK:       cf.assert %{{.*}}, "{{.*}}output and values must have as many columns
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be a row for each slot
// CHECK:       mxfp4.dispatch
func.func @dispatch(%x: memref<?x?xf32>, %p: memref<?x2xi32>, %r: memref<?x?xf32>) {
  mxfp4.dispatch values(%x : memref<?x?xf32>) positions(%p : memref<?x2xi32>)
      outs(%r : memref<?x?xf32>)
  return
}

// CHECK-LABEL: func.func @combine
// CHECK:       cf.assert %{{.*}}, "{{.*}}output and positions must have as many tokens
// CHECK:       cf.assert %{{.*}}, "{{.*}}weights must have the shape of the positions
// CHECK:       cf.assert %{{.*}}, "{{.*}}there must be a row for each slot
// CHECK:       mxfp4.combine
func.func @combine(%y: memref<?x8xf32>, %p: memref<?x2xi32>, %w: memref<?x2xf32>,
                   %o: memref<?x8xf32>) {
  mxfp4.combine rows(%y : memref<?x8xf32>) positions(%p : memref<?x2xi32>)
      weights(%w : memref<?x2xf32>) outs(%o : memref<?x8xf32>)
  return
}

// Nothing is left to check of static sizes.

// CHECK-LABEL: func.func @static
// CHECK-NOT:   cf.assert
// CHECK:       return
func.func @static(%i: memref<8x2xi32>, %o: memref<5xi32>, %t: memref<16xi32>) {
  mxfp4.sort_by_expert ids(%i : memref<8x2xi32>)
      outs(%o, %t, %i : memref<5xi32>, memref<16xi32>, memref<8x2xi32>)
  return
}

// CHECK-LABEL: func.func @sort
// CHECK:       cf.assert %{{.*}}, "{{.*}}positions must have the shape of the ids
// CHECK:       cf.assert %{{.*}}, "{{.*}}tokens must have an entry for each slot
// CHECK:       mxfp4.sort_by_expert
func.func @sort(%rows: index) {
  %c4 = arith.constant 4 : index
  %id = arith.constant 1 : i32
  %i = memref.alloc(%c4) : memref<?x2xi32>
  %o = memref.alloc() : memref<3xi32>
  %t = memref.alloc(%rows) : memref<?xi32>
  %p = memref.alloc(%c4) : memref<?x2xi32>
  linalg.fill ins(%id : i32) outs(%i : memref<?x2xi32>)
  mxfp4.sort_by_expert ids(%i : memref<?x2xi32>)
      outs(%o, %t, %p : memref<3xi32>, memref<?xi32>, memref<?x2xi32>)
  %c2 = arith.constant 2 : index
  %used = memref.load %o[%c2] : memref<3xi32>
  %u = arith.extsi %used : i32 to i64
  call @printI64(%u) : (i64) -> ()
  return
}
func.func private @printI64(i64)

// GOOD: {{^8}}
func.func @good() {
  %rows = arith.constant 8 : index
  call @sort(%rows) : (index) -> ()
  return
}

// BAD: tokens must have an entry for each slot
// BAD-NOT: {{^8$}}
func.func @bad() {
  %rows = arith.constant 7 : index
  call @sort(%rows) : (index) -> ()
  return
}
