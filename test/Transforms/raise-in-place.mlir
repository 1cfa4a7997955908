// In a loop that is not raised, what was in place stays in place, so that a
// program that bufferizes without new buffers from loops does so when raised.
//
// RUN: mxfp4-opt %s --mxfp4-raise | FileCheck %s
// RUN: mxfp4-opt %s --one-shot-bufferize=bufferize-function-boundaries -o /dev/null
// RUN: mxfp4-opt %s --mxfp4-raise \
// RUN:   --one-shot-bufferize=bufferize-function-boundaries -o /dev/null
// RUN: mxfp4-opt %s --mxfp4-raise --mxfp4-lower-to-linalg \
// RUN:   --one-shot-bufferize=bufferize-function-boundaries -o /dev/null

// CHECK-LABEL: func @in_place
// CHECK:         scf.for {{.*}} iter_args(%[[Y:.*]] = %{{.*}})
// CHECK:           %[[R:.*]] = mxfp4.grouped_matmul {{.*}} outs(%[[Y]] : tensor<8x48xf32>)
// CHECK:           scf.yield %[[R]]
// CHECK:         scf.for {{.*}} iter_args(%[[Z:.*]] = %{{.*}})
// CHECK:           %[[Q:.*]] = mxfp4.grouped_matmul {{.*}} outs(%[[Z]] : tensor<8x48xbf16>)
// CHECK:           scf.yield %[[Q]]
func.func @in_place(%x: tensor<8x32xbf16>, %d: tensor<48x1x16xi8>, %t: tensor<48x1xi8>,
                    %init: tensor<8x48xf32>, %narrow: tensor<8x48xbf16>)
    -> (tensor<8x48xf32>, tensor<8x48xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %zero = arith.constant 0.0 : f32
  %e1 = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%d : tensor<48x1x16xi8>) scales(%t : tensor<48x1xi8>)
      outs(%e1 : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%y = %init) -> (tensor<8x48xf32>) {
    %z = linalg.fill ins(%zero : f32) outs(%y : tensor<8x48xf32>) -> tensor<8x48xf32>
    %m = linalg.matmul
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                         affine_map<(m, n, k) -> (m, n)>]
        ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
        outs(%z : tensor<8x48xf32>) -> tensor<8x48xf32>
    scf.yield %m : tensor<8x48xf32>
  }
  %q = scf.for %i = %c0 to %c3 step %c1 iter_args(%y = %narrow) -> (tensor<8x48xbf16>) {
    %wide = tensor.empty() : tensor<8x48xf32>
    %z = linalg.fill ins(%zero : f32) outs(%wide : tensor<8x48xf32>) -> tensor<8x48xf32>
    %m = linalg.matmul
        indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                         affine_map<(m, n, k) -> (m, n)>]
        ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
        outs(%z : tensor<8x48xf32>) -> tensor<8x48xf32>
    %n = linalg.generic {
        indexing_maps = [affine_map<(m, n) -> (m, n)>, affine_map<(m, n) -> (m, n)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%m : tensor<8x48xf32>) outs(%y : tensor<8x48xbf16>) {
      ^bb0(%v: f32, %o: bf16):
        %u = arith.truncf %v : f32 to bf16
        linalg.yield %u : bf16
    } -> tensor<8x48xbf16>
    scf.yield %n : tensor<8x48xbf16>
  }
  return %r, %q : tensor<8x48xf32>, tensor<8x48xbf16>
}
