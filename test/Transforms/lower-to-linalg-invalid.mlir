// RUN: mxfp4-opt %s --mxfp4-lower-to-linalg --verify-diagnostics

func.func @other(%w: tensor<2x1x1x!mxfp4.block<spread, raw>>) {
  // expected-error@below {{holds tensors of packed weights, which become tensors of bytes; mxfp4-lower-to-linalg does that for functions, scf, branches, and slices and casts of tensors}}
  %t = bufferization.to_buffer %w
      : tensor<2x1x1x!mxfp4.block<spread, raw>> to memref<2x1x1x!mxfp4.block<spread, raw>>
  return
}
