// What operations have since version 3 of the dialect's bytecode: a target and
// promises of their own, and the rows that a branch of a gather skips. The names
// that operations of other dialects have are read on a matmul, too.
//
// RUN: mxfp4-opt %s | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mlir-print-op-generic | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --emit-bytecode | mxfp4-opt | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-choose-schedule | FileCheck %s --check-prefix=CHOSEN

// CHECK-LABEL: func @matmul
// CHECK: promises = {bf16_rows, scales = array<i64: 1, 254>}
// CHECK-SAME: target = #mxfp4.target<"sm_90a", device = "h200">
// CHOSEN-LABEL: func @matmul
// CHOSEN: , target = #mxfp4.target<"sm_90a", device = "h200">
func.func @matmul(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<nibble, raw>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {target = #mxfp4.target<"sm_90a", device = "h200">,
       promises = {scales = array<i64: 1, 254>, bf16_rows}}
  return
}

// CHECK-LABEL: func @earlier
// CHECK: mxfp4.target = #mxfp4.target<"sm_90a", device = "h200">
// CHOSEN-LABEL: func @earlier
// CHOSEN-NOT: mxfp4.target =
// CHOSEN: , target = #mxfp4.target<"sm_90a", device = "h200">
func.func @earlier(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<nibble, raw>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      {mxfp4.target = #mxfp4.target<"sm_90a", device = "h200">}
  return
}

// CHECK-LABEL: func @dequantize
// CHECK: promises = {unsigned_zero}
func.func @dequantize(%v: memref<8x64xf32>, %c: memref<8x2x16xi8>,
                      %s: memref<8x2xi8>) {
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x2xi8>)
      outs(%v : memref<8x64xf32>) {promises = {unsigned_zero}}
  return
}

// CHECK-LABEL: func @gather
// CHECK: mxfp4.gather_activations %{{.*}} {branch_rows = 8 : i64} :
// CHECK-NOT: branch_rows
func.func @gather(%x: memref<?x96xbf16>, %r: vector<1xi32>, %i: index,
    %s: memref<6x8x64xbf16, #gpu.address_space<workgroup>>) {
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] {branch_rows = 8}
      : memref<?x96xbf16>, vector<1xi32>
      to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  mxfp4.gather_activations %x[%r, %i] valid(%i) to %s[%i] {branch_rows = 16}
      : memref<?x96xbf16>, vector<1xi32>
      to memref<6x8x64xbf16, #gpu.address_space<workgroup>>
  return
}
