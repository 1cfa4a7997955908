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

  // A division that allows reciprocals is a reciprocal and a product, and so is
  // that of a constant up to 1 by a divisor that is at least 1. Others take
  // divisors of all sizes.

  // CHECK-LABEL: llvm.func @divisions
  // CHECK-NOT:   div.full
  // CHECK:       %[[R:.*]] = llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"(%[[Y:arg.*]])
  // CHECK:       llvm.fmul %{{.*}}, %[[R]]
  // CHECK-NOT:   div.full
  // CHECK:       llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
  // CHECK:       "llvm.nvvm.div.full"
  // CHECK:       "llvm.nvvm.div.full"
  // CHECK:       "llvm.nvvm.div.full"
  // CHECK-NOT:   rcp.approx
  // CHECK:       llvm.return
  gpu.func @divisions(%x: f32, %y: f32, %out: memref<5xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %one = arith.constant 1.0 : f32
    %two = arith.constant 2.0 : f32
    %allowed = arith.divf %x, %y fastmath<arcp> : f32
    memref.store %allowed, %out[%c0] : memref<5xf32>
    %square = arith.mulf %x, %x : f32
    %least = arith.maximumf %square, %y : f32
    %divisor = arith.addf %one, %least : f32
    %shown = arith.divf %one, %divisor : f32
    memref.store %shown, %out[%c1] : memref<5xf32>
    // Of two large numbers the quotient may be far from 0.
    %numerator = arith.divf %x, %divisor : f32
    memref.store %numerator, %out[%c2] : memref<5xf32>
    %above = arith.divf %two, %divisor : f32
    memref.store %above, %out[%c3] : memref<5xf32>
    // Squares may be 0.
    %divisible = arith.divf %one, %square : f32
    memref.store %divisible, %out[%c4] : memref<5xf32>
    gpu.return
  }

  // exp of a product with a constant is 2 to the power of another one.

  // CHECK-LABEL: llvm.func @powers
  // CHECK:       %[[C:.*]] = llvm.mlir.constant(-2.45546699 : f32)
  // CHECK:       %[[P:.*]] = llvm.fmul %{{.*}}, %[[C]]
  // CHECK-NEXT:  "llvm.nvvm.ex2.approx.ftz.f32"(%[[P]])
  // CHECK:       %[[Q:.*]] = llvm.fmul %{{.*}}, %{{.*}}
  // CHECK:       %[[L:.*]] = llvm.fmul %[[Q]], %{{.*}}
  // CHECK-NEXT:  "llvm.nvvm.ex2.approx.ftz.f32"(%[[L]])
  gpu.func @powers(%x: f32, %y: f32, %out: memref<3xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %scale = arith.constant -1.702 : f32
    %scaled = arith.mulf %x, %scale : f32
    %e = math.exp %scaled : f32
    memref.store %e, %out[%c0] : memref<3xf32>
    // Another one reads the product.
    %product = arith.mulf %y, %scale : f32
    %f = math.exp %product : f32
    memref.store %f, %out[%c1] : memref<3xf32>
    memref.store %product, %out[%c2] : memref<3xf32>
    gpu.return
  }
}
