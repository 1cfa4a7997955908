// RUN: mxfp4-opt %s --pass-pipeline='builtin.module(gpu.module(mxfp4-lower-to-nvvm))' --split-input-file --verify-diagnostics

gpu.module @function {
  gpu.func @sine(%x: f32, %out: memref<1xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'math.sin' op has no instructions in a kernel; use absf, ceil, clampf, copysign, erf, exp, exp2, expm1, floor, fma, log, log10, log1p, log2, roundeven, rsqrt, sqrt, tanh or trunc}}
    %y = math.sin %x : f32
    memref.store %y, %out[%c0] : memref<1xf32>
    gpu.return
  }
}

// -----

// It would call a function of libdevice.
gpu.module @remainder {
  gpu.func @remainder(%x: f32, %z: f32, %out: memref<1xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'arith.remf' op has no instructions in a kernel}}
    %y = arith.remf %x, %z : f32
    memref.store %y, %out[%c0] : memref<1xf32>
    gpu.return
  }
}

// -----

gpu.module @type {
  gpu.func @narrow(%x: bf16, %out: memref<1xbf16>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    %c0 = arith.constant 0 : index
    // expected-error @+1 {{'math.exp' op requires a scalar of type f32 in a kernel, but got 'bf16'}}
    %y = math.exp %x : bf16
    memref.store %y, %out[%c0] : memref<1xbf16>
    gpu.return
  }
}

// -----

gpu.module @vector {
  gpu.func @many(%x: vector<2xf32>) kernel
      attributes {known_block_size = array<i32: 32, 1, 1>} {
    // expected-error @+1 {{'math.exp' op requires a scalar of type f32 in a kernel, but got 'vector<2xf32>'}}
    %y = math.exp %x : vector<2xf32>
    gpu.return
  }
}
