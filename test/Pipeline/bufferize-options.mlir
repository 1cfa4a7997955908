// The options of one-shot-bufferize, under the same names; a loop over layers, whose
// tensor each step makes anew, needs none.
//
// RUN: mxfp4-opt %s --mxfp4-bufferize | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-to-cpu | FileCheck %s --check-prefix=CPU
// RUN: mxfp4-opt %s --mxfp4-bufferize=function-boundary-type-conversion=fully-dynamic-layout-map \
// RUN:   | FileCheck %s --check-prefix=DYNAMIC
// RUN: mxfp4-opt %s --mxfp4-bufferize="copy-before-write buffer-alignment=128 check-parallel-regions=false" \
// RUN:   | FileCheck %s --check-prefix=ALIGNED
// RUN: not mxfp4-opt %s --mxfp4-bufferize=allow-return-allocs-from-loops=false 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REFUSED
// RUN: not mxfp4-opt %s --mxfp4-to-cpu=allow-return-allocs-from-loops=false 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REFUSED
// Without mxfp4 among the dialects its operations keep their tensors.
// RUN: not mxfp4-opt %s --mxfp4-bufferize=dialect-filter=tensor,func,scf,bufferization 2>&1 \
// RUN:   | FileCheck %s --check-prefix=FILTER
// An order that there is not would end the process in upstream's pass.
// RUN: not mxfp4-opt %s --mxfp4-bufferize=analysis-heuristic=sideways 2>&1 \
// RUN:   | FileCheck %s --check-prefix=HEURISTIC

// CHECK-LABEL: func @layers(
// CHECK-SAME:    %{{.*}}: memref<?x64xbf16>
// CHECK:         scf.for {{.*}} iter_args
// CHECK:           mxfp4.grouped_matmul
// CPU: llvm.func @layers
// DYNAMIC: func.func @layers(%{{.*}}: memref<?x64xbf16, strided<[?, ?], offset: ?>>
// ALIGNED: alignment = 128
// REFUSED: error: Yield operand #0 is not equivalent to the corresponding iter bbArg
// HEURISTIC: sideways
// FILTER: error: failed to legalize operation 'bufferization.to_tensor'
func.func @layers(%x: tensor<?x64xbf16>, %w: tensor<3x1x64x2x16xi8>,
    %s: tensor<3x1x64x2xi8>, %o: tensor<2xi32>) -> tensor<?x64xbf16> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%a = %x) -> tensor<?x64xbf16> {
    %wi = tensor.extract_slice %w[%i, 0, 0, 0, 0] [1, 1, 64, 2, 16] [1, 1, 1, 1, 1]
        : tensor<3x1x64x2x16xi8> to tensor<1x64x2x16xi8>
    %si = tensor.extract_slice %s[%i, 0, 0, 0] [1, 1, 64, 2] [1, 1, 1, 1]
        : tensor<3x1x64x2xi8> to tensor<1x64x2xi8>
    %e = tensor.empty(%rows) : tensor<?x64xbf16>
    %y = mxfp4.grouped_matmul activations(%a : tensor<?x64xbf16>)
        weights(%wi, %si : tensor<1x64x2x16xi8>, tensor<1x64x2xi8>)
        offsets(%o : tensor<2xi32>) outs(%e : tensor<?x64xbf16>) -> tensor<?x64xbf16>
    scf.yield %y : tensor<?x64xbf16>
  }
  return %r : tensor<?x64xbf16>
}
