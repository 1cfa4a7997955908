// Inputs/quantize-rows-version-4.mlirbc is this file as the compiler wrote it
// whose bytecode had version 4, before quantize_rows had rows to scatter to.
//
// RUN: mxfp4-opt %S/Inputs/quantize-rows-version-4.mlirbc > %t.old
// RUN: mxfp4-opt %s > %t.now
// RUN: diff %t.old %t.now
// RUN: mxfp4-opt %s | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode --emit-bytecode-version=5 | mxfp4-opt | FileCheck %s

// CHECK-LABEL: func.func @values
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : tensor<?x96xbf16>) outs(%{{.*}}, %{{.*}} : tensor<?x96xf8E4M3FN>, tensor<?xf32>) -> tensor<?x96xf8E4M3FN>, tensor<?xf32>
func.func @values(%x: tensor<?x96xbf16>, %qi: tensor<?x96xf8E4M3FN>,
                  %si: tensor<?xf32>) -> (tensor<?x96xf8E4M3FN>, tensor<?xf32>) {
  %q, %s = mxfp4.quantize_rows values(%x : tensor<?x96xbf16>)
      outs(%qi, %si : tensor<?x96xf8E4M3FN>, tensor<?xf32>)
      -> tensor<?x96xf8E4M3FN>, tensor<?xf32>
  return %q, %s : tensor<?x96xf8E4M3FN>, tensor<?xf32>
}

// CHECK-LABEL: func.func @gathered
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : tensor<5x96xbf16>) gather(%{{.*}} : tensor<?xi32>) outs(%{{.*}}, %{{.*}} : tensor<?x96xf8E4M3FN>, tensor<?xf32>) -> tensor<?x96xf8E4M3FN>, tensor<?xf32>
func.func @gathered(%x: tensor<5x96xbf16>, %g: tensor<?xi32>,
                    %qi: tensor<?x96xf8E4M3FN>, %si: tensor<?xf32>)
    -> (tensor<?x96xf8E4M3FN>, tensor<?xf32>) {
  %q, %s = mxfp4.quantize_rows values(%x : tensor<5x96xbf16>) gather(%g : tensor<?xi32>)
      outs(%qi, %si : tensor<?x96xf8E4M3FN>, tensor<?xf32>)
      -> tensor<?x96xf8E4M3FN>, tensor<?xf32>
  return %q, %s : tensor<?x96xf8E4M3FN>, tensor<?xf32>
}

// CHECK-LABEL: func.func @errors
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : memref<?x96xbf16>) outs(%{{.*}}, %{{.*}} : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%{{.*}} : memref<1xi32>)
// CHECK:       mxfp4.quantize_rows values(%{{.*}} : memref<?x96xbf16>) gather(%{{.*}} : memref<?xi32>) outs(%{{.*}}, %{{.*}} : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%{{.*}} : memref<1xi32>)
func.func @errors(%x: memref<?x96xbf16>, %g: memref<?xi32>,
                  %q: memref<?x96xf8E4M3FN>, %s: memref<?xf32>,
                  %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<?x96xbf16>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  mxfp4.quantize_rows values(%x : memref<?x96xbf16>) gather(%g : memref<?xi32>)
      outs(%q, %s : memref<?x96xf8E4M3FN>, memref<?xf32>) error(%e : memref<1xi32>)
  return
}
