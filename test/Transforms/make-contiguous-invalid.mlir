// Without code of the host there is nobody who could copy.
//
// RUN: mxfp4-opt %s --mxfp4-make-contiguous=copies=false --verify-diagnostics

func.func @pitch(%x: memref<?x64xbf16, strided<[128, 1]>>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{is to be compiled without code of the host, but it copies activations into a contiguous buffer because the elements of memref<?x64xbf16, strided<[128, 1]>> do not lie one behind the other; give it contiguous buffers}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16, strided<[128, 1]>>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
  return
}
