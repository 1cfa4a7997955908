// The launch of a routing kernel, as its manifest says it and its PTX requires it: a CTA
// without a cluster for every 32 tokens.
//
// RUN: mxfp4-compile %s -o %t
// RUN: FileCheck %s < %t/manifest.json
// RUN: FileCheck %s --check-prefix=PTX --implicit-check-not=cluster < %t/kernel.ptx

// CHECK:      "launch": {
// CHECK-NEXT:   "block": [
// CHECK-NEXT:     1024,
// CHECK-NEXT:     1,
// CHECK-NEXT:     1
// CHECK-NEXT:   ],
// CHECK-NEXT:   "cluster": [
// CHECK-NEXT:     1,
// CHECK-NEXT:     1,
// CHECK-NEXT:     1
// CHECK-NEXT:   ],
// CHECK-NEXT:   "dynamic_shared_bytes": 0,
// CHECK-NEXT:   "grid": {
// CHECK-NEXT:     "rows": 32,
// CHECK-NEXT:     "rule": "per_rows",
// CHECK-NEXT:     "y": 1
// CHECK-NEXT:   }
// CHECK-NEXT: },
// CHECK-NEXT: "operation": "top_k",
// PTX:        .reqntid 1024, 1, 1
func.func @route(%l: memref<?x128xbf16>, %ids: memref<?x4xi32>, %w: memref<?x4xf32>) {
  mxfp4.top_k logits(%l : memref<?x128xbf16>) scoring(softmax_selected)
      outs(%ids, %w : memref<?x4xi32>, memref<?x4xf32>)
  return
}
