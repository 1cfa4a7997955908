// Packing holds weights against what the program was raised under.
//
// RUN: mxfp4-opt %s --mxfp4-pack-weights | FileCheck %s
// RUN: mxfp4-opt %s --generate-runtime-verification --mxfp4-to-cpu -o %t
// RUN: mlir-runner %t -e good --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: not --crash stdbuf -oL mlir-runner %t -e low \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BAD
// RUN: not --crash stdbuf -oL mlir-runner %t -e high \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BAD

// GOOD: 127
// BAD-NOT: {{^-?[0-9]+$}}
// BAD: scale bytes must be 2 to 250, as the program promises

// Of two matmuls with the same weights both promises hold.

// CHECK-LABEL: func.func @matmul
// CHECK: mxfp4.pack {{.*}} {promises = {scales = array<i64: 2, 250>, unsigned_zero}}
// CHECK-NOT: mxfp4.pack
// CHECK: return
func.func @matmul(%c: tensor<1x32x1x16xi8>, %s: tensor<1x32x1xi8>,
                  %x: tensor<1x32xbf16>) -> (tensor<1x32xf32>, tensor<1x32xf32>) {
  %o = arith.constant dense<[0, 1]> : tensor<2xi32>
  %e = tensor.empty() : tensor<1x32xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<1x32xbf16>)
      weights(%c, %s : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>) offsets(%o : tensor<2xi32>)
      outs(%e : tensor<1x32xf32>) {promises = {scales = array<i64: 1, 250>}} -> tensor<1x32xf32>
  %z = mxfp4.grouped_matmul activations(%x : tensor<1x32xbf16>)
      weights(%c, %s : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>) offsets(%o : tensor<2xi32>)
      outs(%e : tensor<1x32xf32>) {promises = {scales = array<i64: 2, 254>, unsigned_zero}} -> tensor<1x32xf32>
  return %y, %z : tensor<1x32xf32>, tensor<1x32xf32>
}

func.func private @printI64(i64)

func.func @pack(%scale: i8) {
  %zero = arith.constant 0 : i8
  %c = memref.alloc() : memref<1x32x1x16xi8>
  %s = memref.alloc() : memref<1x32x1xi8>
  linalg.fill ins(%zero : i8) outs(%c : memref<1x32x1x16xi8>)
  linalg.fill ins(%scale : i8) outs(%s : memref<1x32x1xi8>)
  %w = memref.alloc() : memref<1x1x1x!mxfp4.block<spread, raw>>
  mxfp4.pack codes(%c : memref<1x32x1x16xi8>) scales(%s : memref<1x32x1xi8>)
      outs(%w : memref<1x1x1x!mxfp4.block<spread, raw>>)
      {promises = {scales = array<i64: 2, 250>, unsigned_zero}}
  %wide = arith.extsi %scale : i8 to i64
  call @printI64(%wide) : (i64) -> ()
  return
}

func.func @good() {
  %scale = arith.constant 127 : i8
  call @pack(%scale) : (i8) -> ()
  return
}
func.func @low() {
  %scale = arith.constant 1 : i8
  call @pack(%scale) : (i8) -> ()
  return
}
func.func @high() {
  %scale = arith.constant -5 : i8
  call @pack(%scale) : (i8) -> ()
  return
}
