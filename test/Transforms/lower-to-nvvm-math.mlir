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
  // CHECK:       %[[SIZE:.*]] = llvm.select
  // CHECK:       llvm.intr.copysign(%[[SIZE]], %{{.*}})
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
  // CHECK-NOT:   div.full
  // CHECK:       llvm.call_intrinsic "llvm.nvvm.rcp.approx.ftz.f"
  // CHECK-COUNT-5: "llvm.nvvm.div.full"
  // CHECK-NOT:   rcp.approx
  // CHECK:       llvm.return
  gpu.func @divisions(%x: f32, %y: f32, %out: memref<8xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c5 = arith.constant 5 : index
    %c6 = arith.constant 6 : index
    %c7 = arith.constant 7 : index
    %one = arith.constant 1.0 : f32
    %two = arith.constant 2.0 : f32
    %allowed = arith.divf %x, %y fastmath<arcp> : f32
    memref.store %allowed, %out[%c0] : memref<8xf32>
    %square = arith.mulf %x, %x : f32
    %least = arith.maximumf %square, %y : f32
    %divisor = arith.addf %one, %least : f32
    %shown = arith.divf %one, %divisor : f32
    memref.store %shown, %out[%c1] : memref<8xf32>
    %minus_one = arith.constant -1.0 : f32
    %negative = arith.divf %minus_one, %divisor : f32
    memref.store %negative, %out[%c5] : memref<8xf32>
    // Of two large numbers the quotient may be far from 0.
    %numerator = arith.divf %x, %divisor : f32
    memref.store %numerator, %out[%c2] : memref<8xf32>
    %above = arith.divf %two, %divisor : f32
    memref.store %above, %out[%c3] : memref<8xf32>
    // Squares may be 0.
    %divisible = arith.divf %one, %square : f32
    memref.store %divisible, %out[%c4] : memref<8xf32>
    // Just below the smallest normal number, a reciprocal is infinite.
    %subnormal = arith.constant 0x007FFFFF : f32
    %small = arith.maximumf %square, %subnormal : f32
    %below = arith.divf %one, %small : f32
    memref.store %below, %out[%c6] : memref<8xf32>
    // A sum of sums of sums has more ways to its operands than can be walked.
    %x1 = arith.addf %divisor, %divisor : f32
    %x2 = arith.addf %x1, %x1 : f32
    %x3 = arith.addf %x2, %x2 : f32
    %x4 = arith.addf %x3, %x3 : f32
    %x5 = arith.addf %x4, %x4 : f32
    %x6 = arith.addf %x5, %x5 : f32
    %x7 = arith.addf %x6, %x6 : f32
    %x8 = arith.addf %x7, %x7 : f32
    %x9 = arith.addf %x8, %x8 : f32
    %x10 = arith.addf %x9, %x9 : f32
    %x11 = arith.addf %x10, %x10 : f32
    %x12 = arith.addf %x11, %x11 : f32
    %x13 = arith.addf %x12, %x12 : f32
    %x14 = arith.addf %x13, %x13 : f32
    %x15 = arith.addf %x14, %x14 : f32
    %x16 = arith.addf %x15, %x15 : f32
    %x17 = arith.addf %x16, %x16 : f32
    %x18 = arith.addf %x17, %x17 : f32
    %x19 = arith.addf %x18, %x18 : f32
    %x20 = arith.addf %x19, %x19 : f32
    %x21 = arith.addf %x20, %x20 : f32
    %x22 = arith.addf %x21, %x21 : f32
    %x23 = arith.addf %x22, %x22 : f32
    %x24 = arith.addf %x23, %x23 : f32
    %x25 = arith.addf %x24, %x24 : f32
    %x26 = arith.addf %x25, %x25 : f32
    %x27 = arith.addf %x26, %x26 : f32
    %x28 = arith.addf %x27, %x27 : f32
    %x29 = arith.addf %x28, %x28 : f32
    %x30 = arith.addf %x29, %x29 : f32
    %x31 = arith.addf %x30, %x30 : f32
    %x32 = arith.addf %x31, %x31 : f32
    %x33 = arith.addf %x32, %x32 : f32
    %x34 = arith.addf %x33, %x33 : f32
    %x35 = arith.addf %x34, %x34 : f32
    %x36 = arith.addf %x35, %x35 : f32
    %x37 = arith.addf %x36, %x36 : f32
    %x38 = arith.addf %x37, %x37 : f32
    %x39 = arith.addf %x38, %x38 : f32
    %x40 = arith.addf %x39, %x39 : f32
    %x41 = arith.addf %x40, %x40 : f32
    %x42 = arith.addf %x41, %x41 : f32
    %x43 = arith.addf %x42, %x42 : f32
    %x44 = arith.addf %x43, %x43 : f32
    %x45 = arith.addf %x44, %x44 : f32
    %x46 = arith.addf %x45, %x45 : f32
    %x47 = arith.addf %x46, %x46 : f32
    %x48 = arith.addf %x47, %x47 : f32
    %x49 = arith.addf %x48, %x48 : f32
    %x50 = arith.addf %x49, %x49 : f32
    %x51 = arith.addf %x50, %x50 : f32
    %x52 = arith.addf %x51, %x51 : f32
    %x53 = arith.addf %x52, %x52 : f32
    %x54 = arith.addf %x53, %x53 : f32
    %x55 = arith.addf %x54, %x54 : f32
    %x56 = arith.addf %x55, %x55 : f32
    %x57 = arith.addf %x56, %x56 : f32
    %x58 = arith.addf %x57, %x57 : f32
    %x59 = arith.addf %x58, %x58 : f32
    %x60 = arith.addf %x59, %x59 : f32
    %x61 = arith.addf %x60, %x60 : f32
    %x62 = arith.addf %x61, %x61 : f32
    %x63 = arith.addf %x62, %x62 : f32
    %x64 = arith.addf %x63, %x63 : f32
    %deep = arith.divf %one, %x64 : f32
    memref.store %deep, %out[%c7] : memref<8xf32>
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
