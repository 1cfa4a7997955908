// Functions of f32 in kernels become instructions of the chip, without a
// library; test/python/test_math.py measures how accurate they are.
//
// RUN: mxfp4-opt %s --pass-pipeline='builtin.module(gpu.module(mxfp4-lower-to-nvvm,canonicalize,cse))' | FileCheck %s

// CHECK-NOT: __nv_
gpu.module @kernels {
  // CHECK-LABEL: llvm.func @swiglu
  // CHECK:       llvm.intr.minimum
  // CHECK:       llvm.intr.maximum
  // CHECK:       %[[E:.*]] = llvm.call_intrinsic "llvm.nvvm.ex2.approx.ftz.f32"
  // CHECK:       %[[D:.*]] = llvm.fadd %[[E]], %{{.*}}
  // CHECK:       llvm.call_intrinsic "llvm.nvvm.div.full"(%{{.*}}, %[[D]])
  gpu.func @swiglu(%x: f32, %low: f32, %high: f32, %out: memref<1xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %one = arith.constant 1.0 : f32
    %clamped = math.clampf %x to [%low, %high] : f32
    %n = arith.negf %clamped : f32
    %e = math.exp %n : f32
    %d = arith.addf %e, %one : f32
    %y = arith.divf %clamped, %d : f32
    memref.store %y, %out[%c0] : memref<1xf32>
    gpu.return
  }

  // Near 0, where 1 - 2 / (exp(2 |x|) + 1) would lose digits, is a polynomial.

  // CHECK-LABEL: llvm.func @tanh
  // CHECK:       llvm.intr.fabs
  // CHECK:       "llvm.nvvm.ex2.approx.ftz.f32"
  // CHECK:       "llvm.nvvm.rcp.approx.ftz.f"
  // CHECK-COUNT-6: llvm.intr.fma
  // CHECK:       llvm.intr.copysign
  // CHECK:       llvm.select
  gpu.func @tanh(%x: f32, %out: memref<1xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %y = math.tanh %x : f32
    memref.store %y, %out[%c0] : memref<1xf32>
    gpu.return
  }

  // CHECK-LABEL: llvm.func @softplus
  // CHECK:       "llvm.nvvm.ex2.approx.ftz.f32"
  // CHECK:       "llvm.nvvm.lg2.approx.f"
  // CHECK:       "llvm.nvvm.sqrt.approx.f"
  // CHECK:       "llvm.nvvm.rsqrt.approx.f"
  gpu.func @softplus(%x: f32, %out: memref<2xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %e = math.exp %x : f32
    %s = math.log1p %e : f32
    %y = math.sqrt %s : f32
    memref.store %y, %out[%c0] : memref<2xf32>
    %z = math.rsqrt %s : f32
    memref.store %z, %out[%c1] : memref<2xf32>
    gpu.return
  }
}
