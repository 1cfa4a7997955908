// RUN: mxfp4-opt %s --mxfp4-serialize --split-input-file --verify-diagnostics

// expected-error @below {{'jit(f)' is no identifier of PTX; name kernels with letters, digits, '_' and '$'}}
gpu.module @"jit(f)" attributes {mxfp4.kernels} {
}

// -----

gpu.module @ours attributes {mxfp4.kernels} {
  // expected-error @below {{'a.b' is no identifier of PTX; name kernels with letters, digits, '_' and '$'}}
  llvm.func @a.b() attributes {nvvm.kernel} {
    llvm.return
  }
}
