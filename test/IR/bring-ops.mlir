// Operations that bring rows into order.
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#shared = #gpu.address_space<workgroup>

// CHECK-LABEL: func.func @bring
func.func @bring(%x: memref<?x2880xbf16>, %map: memref<?xi32>,
    %o: memref<33xi32>, %t: memref<?x2880xbf16>, %s: memref<1028xi32>,
    %b: memref<2x2880xbf16, #shared>, %f: memref<1xi64, #shared>,
    %e: memref<1xi32>, %n: i32, %i: index) {
  // CHECK: mxfp4.bring_rows %{{.*}}[%{{.*}}] limit %{{.*}} rows %{{.*}} offsets(%{{.*}}) to %{{.*}} counting %{{.*}} by %{{.*}} signal %{{.*}} error(%{{.*}} : memref<1xi32>) : memref<?x2880xbf16>
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %t
      counting %s by %b signal %f error(%e : memref<1xi32>)
      : memref<?x2880xbf16>, memref<?xi32>, memref<33xi32>, memref<?x2880xbf16>,
      memref<1028xi32>, memref<2x2880xbf16, #shared>, memref<1xi64, #shared>
  // CHECK: mxfp4.bring_rows %{{.*}} signal %{{[^ ]*}} : memref<?x2880xbf16>
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %t
      counting %s by %b signal %f
      : memref<?x2880xbf16>, memref<?xi32>, memref<33xi32>, memref<?x2880xbf16>,
      memref<1028xi32>, memref<2x2880xbf16, #shared>, memref<1xi64, #shared>
  // CHECK: mxfp4.wait_count %{{.*}}[%{{.*}}] reaches %{{.*}} : memref<1028xi32>
  mxfp4.wait_count %s[%i] reaches %n : memref<1028xi32>
  // CHECK: mxfp4.bulk_copy_row %{{.*}}[%{{.*}}] to %{{.*}}[%{{.*}}] signal %{{.*}} : memref<?x2880xbf16>, memref<2x2880xbf16, #gpu.address_space<workgroup>>, memref<1xi64, #gpu.address_space<workgroup>>
  mxfp4.bulk_copy_row %x[%i] to %b[%i] signal %f : memref<?x2880xbf16>,
      memref<2x2880xbf16, #shared>, memref<1xi64, #shared>
  // CHECK: mxfp4.bulk_store_rows %{{.*}} to %{{.*}}[%{{.*}}] count %{{.*}} : memref<2x2880xbf16, #gpu.address_space<workgroup>>, memref<?x2880xbf16>
  mxfp4.bulk_store_rows %b to %t[%i] count %n
      : memref<2x2880xbf16, #shared>, memref<?x2880xbf16>
  return
}
