// Inputs older than the kernel ahead, as text and as bytecode. Bytecode of version
// 5 has none: Inputs/older-inputs-version-5.mlirbc is the first part of this file
// as the compiler wrote it then.
//
// RUN: split-file %s %t
// RUN: mxfp4-opt %S/Inputs/older-inputs-version-5.mlirbc > %t/old
// RUN: mxfp4-opt %t/version-5.mlir > %t/now
// RUN: diff %t/old %t/now
// RUN: mxfp4-opt %t/older.mlir | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %t/older.mlir --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %t/older.mlir --emit-bytecode | mxfp4-opt | FileCheck %s

//--- version-5.mlir
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>

func.func @matmul(%x: memref<?x96xbf16>,
                  %w: memref<2x1x2x!mxfp4.block<spread, folded>>,
                  %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<2x1x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #schedule, target = #mxfp4.target<"sm_90a">,
       promises = {unsigned_zero}}
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<2x1x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}

//--- older.mlir
// CHECK-LABEL: func @older
// CHECK:       mxfp4.grouped_matmul
// CHECK-SAME:    {older_inputs, target = #mxfp4.target<{{.*}}>}
// CHECK:       mxfp4.grouped_matmul
// CHECK-NOT:   older_inputs
// CHECK:       return
func.func @older(%x: memref<?x96xbf16>,
                 %w: memref<2x1x2x!mxfp4.block<spread, folded>>,
                 %o: memref<3xi32>, %y: memref<?x48xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<2x1x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {older_inputs, target = #mxfp4.target<"sm_90a">}
  mxfp4.grouped_matmul activations(%x : memref<?x96xbf16>)
      weights(%w : memref<2x1x2x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}
