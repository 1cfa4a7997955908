// Kernels are named after functions, in the characters of PTX, and unlike their
// neighbours in the module that the launch sees.
//
// RUN: mxfp4-opt %s --mxfp4-to-ptx | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-to-ptx=format=none | FileCheck %s --check-prefix=NVVM

#map = affine_map<(d0) -> (d0)>
!x = memref<?x64xbf16>
!w = memref<2x1x1x!mxfp4.block<spread, raw>>

// NVVM: gpu.launch_func @mxfp4_jit$28f$29::@mxfp4_jit$28f$29
func.func @"jit(f)"(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
  mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
  return
}
func.func @"\C3\A9t\C3\A9 -@%"(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
  mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
  return
}
func.func @""(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
  mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
  return
}
func.func @a.b(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
  mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
  return
}
func.func @"0"(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
  mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
  return
}
// The name that @"jit(f)" gets.
func.func @jit$28f$29(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
  mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
  return
}

// Nested modules have kernels of their own.

// CHECK-LABEL: module @outer
// CHECK-NEXT:    module @inner attributes {gpu.container_module}
// CHECK-NOT:     module
// CHECK:         gpu.launch_func @mxfp4_f::@mxfp4_f
// CHECK:         gpu.binary @mxfp4_f {{.*}}.entry mxfp4_f(
// CHECK:         module @beside attributes {gpu.container_module}
// CHECK:         gpu.launch_func @mxfp4_f_0::@mxfp4_f_0
// CHECK:         gpu.binary @mxfp4_f_0 {{.*}}.entry mxfp4_f_0(
module @outer {
  module @inner {
    func.func @f(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
      mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
      return
    }
  }
  module @beside {
    func.func private @mxfp4_f()
    func.func @f(%x: !x, %w: !w, %o: memref<3xi32>, %y: !x) {
      mxfp4.grouped_matmul activations(%x : !x) weights(%w : !w) offsets(%o : memref<3xi32>) outs(%y : !x)
      return
    }
  }
}

// Those of the functions above.

// CHECK: gpu.binary @mxfp4_jit$28f$29 {{.*}}.entry mxfp4_jit$28f$29(
// CHECK: gpu.binary @mxfp4_$c3$a9t$c3$a9$20$2d$40$25 {{.*}}.entry mxfp4_$c3$a9t$c3$a9$20$2d$40$25(
// CHECK: gpu.binary @mxfp4_ {{.*}}.entry mxfp4_(
// CHECK: gpu.binary @mxfp4_a$2eb {{.*}}.entry mxfp4_a$2eb(
// CHECK: gpu.binary @mxfp4_0 {{.*}}.entry mxfp4_0(
// CHECK: gpu.binary @[[OTHER:mxfp4_jit\$28f\$29_[0-9]+]] {{.*}}.entry [[OTHER]](
