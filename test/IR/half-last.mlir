// Blocks of a last step of which half is read, as text and as bytecode. Bytecode
// of versions before 9 has none (hopper-ops.mlir).
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s

#shared = #gpu.address_space<workgroup>
!block = !mxfp4.block<bytes, relative>

// CHECK-LABEL: func @half_last
func.func @half_last(%w: memref<2x1x3x!block>, %sw: memref<6x1x!block, #shared>,
                     %full: memref<6xi64, #shared>, %i: index) {
  // CHECK-NEXT: mxfp4.copy_weights %{{.*}} to %{{.*}}[%{{.*}}] half_last :
  mxfp4.copy_weights %w[%i, %i, %i] to %sw[%i] half_last
      : memref<2x1x3x!block> to memref<6x1x!block, #shared>
  // CHECK-NEXT: mxfp4.bulk_copy_weights {{.*}} once half_last :
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %sw[%i] signal %full once half_last
      : memref<2x1x3x!block> to memref<6x1x!block, #shared>, memref<6xi64, #shared>
  // CHECK-NEXT: mxfp4.bulk_copy_weights {{.*}} part %{{.*}} of 2 half_last :
  mxfp4.bulk_copy_weights %w[%i, %i, %i] to %sw[%i] signal %full part %i of 2
      half_last
      : memref<2x1x3x!block> to memref<6x1x!block, #shared>, memref<6xi64, #shared>
  // CHECK-NEXT: mxfp4.copy_weights %{{.*}} to %{{.*}}[%{{.*}}] :
  mxfp4.copy_weights %w[%i, %i, %i] to %sw[%i]
      : memref<2x1x3x!block> to memref<6x1x!block, #shared>
  return
}
