// RUN: env -u CUDA_HOME -u CUDA_ROOT -u CUDA_PATH mxfp4-compile %s -o %t
// RUN: FileCheck %s --input-file %t/kernel.ptx
// RUN: env CUDA_HOME=%t/none mxfp4-compile %s -o %t-none 2>&1 | FileCheck %s --check-prefix=NONE
// RUN: FileCheck %s --input-file %t-none/kernel.ptx

// A machine without CUDA's toolkit has no libdevice, so that a kernel may call
// none of its functions: of rows in FP8 the largest value is an instruction.
// A toolkit that CUDA_HOME names, and that is not there, is therefore no error.

// NONE-NOT: error
// NONE:     wrote

// CHECK-NOT: .extern .func
// CHECK-NOT: __nv_
// CHECK:     max.f32
// CHECK-NOT: __nv_

func.func @quantize(%p: memref<?x2xi32>, %x: memref<?x64xbf16>,
                    %q: memref<?x64xf8E4M3FN>, %s: memref<?xf32>,
                    %e: memref<1xi32>) {
  mxfp4.quantize_rows values(%x : memref<?x64xbf16>)
    scatter(%p : memref<?x2xi32>)
    outs(%q, %s : memref<?x64xf8E4M3FN>, memref<?xf32>)
    error(%e : memref<1xi32>)
  return
}
