// Inputs/quantize-rows-version-6.mlirbc is this file as the compiler wrote it
// whose bytecode had version 6, before quantize_rows had rows to scatter scales
// to.
//
// RUN: mxfp4-opt %S/Inputs/quantize-rows-version-6.mlirbc > %t.old
// RUN: mxfp4-opt %s > %t.now
// RUN: diff %t.old %t.now
// RUN: mxfp4-opt %s | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

// CHECK-LABEL: func.func @scattered
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : memref<?x96xbf16>) scatter(%{{.*}} : memref<?x4xi32>) outs(%{{.*}}, %{{.*}} : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%{{.*}} : memref<1xi32>)
func.func @scattered(%x: memref<?x96xbf16>, %p: memref<?x4xi32>,
                     %q: memref<?x96xf8E4M3FN>, %s: memref<?xf32>,
                     %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<?x96xbf16>) scatter(%p : memref<?x4xi32>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
}
