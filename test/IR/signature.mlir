// The signature of a kernel: what each argument is to whoever launches it, and
// every message of its verifier.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics | FileCheck %s

// What is as usual is left out: the caller provides it, bytes, not null.

// CHECK-LABEL: gpu.func @kernel(
// CHECK-SAME:    !mxfp4.tensor_map<64> {mxfp4.arg = #mxfp4.arg<x align 16 maps memref<?x2880xbf16>>},
// CHECK-SAME:    memref<2x1x45x!mxfp4.block<spread, folded>> {mxfp4.arg = #mxfp4.arg<weights>},
// CHECK-SAME:    memref<?xf32> {mxfp4.arg = #mxfp4.arg<row_scale nullable align 4>},
// CHECK-SAME:    memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>},
// CHECK-SAME:    i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}, %{{.*}}: index) kernel
gpu.module @kernels {
  gpu.func @kernel(
      %x: !mxfp4.tensor_map<64> {mxfp4.arg = #mxfp4.arg<x align 16 maps memref<?x2880xbf16>>},
      %w: memref<2x1x45x!mxfp4.block<spread, folded>> {mxfp4.arg = #mxfp4.arg<"weights" by caller align 1>},
      %s: memref<?xf32> {mxfp4.arg = #mxfp4.arg<row_scale nullable align 4>},
      %k: memref<2xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>},
      %r: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher>}, %none: index) kernel {
    gpu.return
  }
}

// -----

// What a fused kernel has besides: a scalar of an epilogue has no size at all.

// CHECK-LABEL: gpu.func @fused(
// CHECK-SAME:    memref<?xi32> {mxfp4.arg = #mxfp4.arg<gather align 4>},
// CHECK-SAME:    memref<?xi32> {mxfp4.arg = #mxfp4.arg<scatter align 4>},
// CHECK-SAME:    memref<f32> {mxfp4.arg = #mxfp4.arg<epilogue0 align 4>},
// CHECK-SAME:    i32 {mxfp4.arg = #mxfp4.arg<x_rows>},
// CHECK-SAME:    i32 {mxfp4.arg = #mxfp4.arg<y_rows>}) kernel
gpu.module @kernels {
  gpu.func @fused(
      %g: memref<?xi32> {mxfp4.arg = #mxfp4.arg<gather align 4>},
      %s: memref<?xi32> {mxfp4.arg = #mxfp4.arg<scatter align 4>},
      %f: memref<f32> {mxfp4.arg = #mxfp4.arg<epilogue0 align 4>},
      %x: i32 {mxfp4.arg = #mxfp4.arg<x_rows>},
      %y: i32 {mxfp4.arg = #mxfp4.arg<y_rows>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "epilogue0", a contiguous memref in global memory whose only dynamic size is the first, but got 'memref<f32, strided<[], offset: 2>>'}}
  gpu.func @offset(%f: memref<f32, strided<[], offset: 2>> {mxfp4.arg = #mxfp4.arg<epilogue0 align 4>}) kernel {
    gpu.return
  }
}

// -----

func.func private @provider() attributes {
  // expected-error @below {{expected who provides it, 'caller' or 'launcher', got 'driver'}}
  // expected-error @below {{failed to parse}}
  a = #mxfp4.arg<x by driver>}

// -----

func.func private @no_name() attributes {
  // expected-error @below {{requires a name of letters, digits and '_' that begins with no digit, but got ""}}
  a = #mxfp4.arg<"">}

// -----

func.func private @name() attributes {
  // expected-error @below {{requires a name of letters, digits and '_' that begins with no digit, but got "2nd"}}
  a = #mxfp4.arg<"2nd">}

// -----

func.func private @name_with_blank() attributes {
  // expected-error @below {{requires a name of letters, digits and '_' that begins with no digit, but got "row scale"}}
  a = #mxfp4.arg<"row scale">}

// -----

func.func private @align() attributes {
  // expected-error @below {{requires an alignment that is a power of two from 1 to 1024 bytes, but got 12}}
  a = #mxfp4.arg<x align 12>}

// -----

func.func private @large_align() attributes {
  // expected-error @below {{requires an alignment that is a power of two from 1 to 1024 bytes, but got 2048}}
  a = #mxfp4.arg<x align 2048>}

// -----

func.func private @no_align() attributes {
  // expected-error @below {{requires an alignment that is a power of two from 1 to 1024 bytes, but got 0}}
  a = #mxfp4.arg<x align 0>}

// -----

gpu.module @kernels {
  // expected-error @below {{requires mxfp4.arg of argument 1 to be #mxfp4.arg<...>, but got "offsets"}}
  gpu.func @kind(%x: index, %o: memref<3xi32> {mxfp4.arg = "offsets"}) kernel {
    gpu.return
  }
}

// -----

// expected-error @below {{has mxfp4.arg on an argument, which belongs on those of a kernel (gpu.func ... kernel)}}
func.func private @no_kernel(memref<3xi32> {mxfp4.arg = #mxfp4.arg<offsets>})

// -----

gpu.module @kernels {
  // expected-error @below {{has mxfp4.arg on an argument, which belongs on those of a kernel (gpu.func ... kernel)}}
  gpu.func @not_launched(%o: memref<3xi32> {mxfp4.arg = #mxfp4.arg<offsets>}) {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires different names of its arguments, but 0 and 2 are both mxfp4.arg "offsets"}}
  gpu.func @twice(%o: memref<3xi32> {mxfp4.arg = #mxfp4.arg<offsets>}, %i: index,
                  %p: memref<3xi32> {mxfp4.arg = #mxfp4.arg<offsets>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "x", a tensor map to say that it maps a memref of rank 2 and element type bf16 or f8E4M3FN}}
  gpu.func @maps_what(%x: !mxfp4.tensor_map<64> {mxfp4.arg = #mxfp4.arg<x>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "x", a tensor map to say that it maps a memref of rank 2 and element type bf16 or f8E4M3FN}}
  gpu.func @maps_rank(%x: !mxfp4.tensor_map<64> {mxfp4.arg = #mxfp4.arg<x maps memref<?xbf16>>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "x", a tensor map to say that it maps a memref of rank 2 and element type bf16 or f8E4M3FN}}
  gpu.func @maps_element(%x: !mxfp4.tensor_map<64> {mxfp4.arg = #mxfp4.arg<x maps memref<?x64xf32>>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "x", only a tensor map to map a memref, but has type 'memref<?x64xbf16>'}}
  gpu.func @no_map(%x: memref<?x64xbf16> {mxfp4.arg = #mxfp4.arg<x maps memref<?x64xbf16>>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "y", a contiguous memref in global memory whose only dynamic size is the first, but got 'memref<?x?xf32>'}}
  gpu.func @dynamic(%y: memref<?x?xf32> {mxfp4.arg = #mxfp4.arg<y>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "y", a contiguous memref in global memory whose only dynamic size is the first, but got 'memref<?x8xf32, strided<[16, 1]>>'}}
  gpu.func @strided(%y: memref<?x8xf32, strided<[16, 1]>> {mxfp4.arg = #mxfp4.arg<y>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "y", a contiguous memref in global memory whose only dynamic size is the first, but got 'memref<8xf32, #gpu.address_space<workgroup>>'}}
  gpu.func @shared(%y: memref<8xf32, #gpu.address_space<workgroup>> {mxfp4.arg = #mxfp4.arg<y>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "x", a contiguous memref in global memory whose only dynamic size is the first, but got 'memref<?x?xbf16>'}}
  gpu.func @maps_dynamic(%x: !mxfp4.tensor_map<64> {mxfp4.arg = #mxfp4.arg<x maps memref<?x?xbf16>>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "tiles", a memref, a tensor map or an integer, but got 'index'}}
  gpu.func @index(%i: index {mxfp4.arg = #mxfp4.arg<tiles>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "rows", no alignment of an integer, and no null}}
  gpu.func @null_rows(%r: i32 {mxfp4.arg = #mxfp4.arg<rows nullable by launcher>}) kernel {
    gpu.return
  }
}

// -----

gpu.module @kernels {
  // expected-error @below {{requires of argument 0, "rows", no alignment of an integer, and no null}}
  gpu.func @aligned_rows(%r: i32 {mxfp4.arg = #mxfp4.arg<rows by launcher align 4>}) kernel {
    gpu.return
  }
}
