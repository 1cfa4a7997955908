// mxfp4-opt knows how every dialect that its users write becomes LLVM's.
//
// RUN: mxfp4-opt %s --convert-to-llvm --split-input-file | FileCheck %s
//
// And the passes that a host program needs behind ours have their names.
// RUN: mxfp4-opt %s --split-input-file -o /dev/null --lower-affine --convert-scf-to-cf \
// RUN:   --convert-vector-to-scf --reconcile-unrealized-casts

// CHECK-LABEL: llvm.func @host
// CHECK:         llvm.mlir.poison : i32
// CHECK:         llvm.sitofp
// CHECK:         llvm.mul
// CHECK:         llvm.load
// CHECK:         llvm.intr.sqrt
// CHECK:         llvm.intr.fmuladd
// CHECK:         llvm.cond_br
// CHECK:         llvm.store
// CHECK:         llvm.return
func.func @host(%m: memref<4xf32>, %i: index, %a: i32, %v: vector<4xf32>, %c: i1) -> (vector<4xf32>, i32) {
  %p = ub.poison : i32
  %z = arith.sitofp %a : i32 to f32
  %t = index.mul %i, %i
  %x = memref.load %m[%t] : memref<4xf32>
  %r = math.sqrt %x : f32
  %w = vector.broadcast %r : f32 to vector<4xf32>
  %f = vector.fma %v, %w, %w : vector<4xf32>
  cf.cond_br %c, ^one, ^two
^one:
  memref.store %z, %m[%i] : memref<4xf32>
  return %f, %p : vector<4xf32>, i32
^two:
  return %w, %a : vector<4xf32>, i32
}

// -----

// CHECK-LABEL: llvm.func @device
// CHECK:         llvm.inline_asm
func.func @device(%p: !llvm.ptr<3>, %t: i32) {
  nvvm.mbarrier.try_wait.parity %p, %t, %t : !llvm.ptr<3>, i32, i32
  return
}
