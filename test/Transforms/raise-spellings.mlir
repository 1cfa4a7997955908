// A program as upstream passes spell it: named, generalised, fused, specialised.
//
// RUN: mxfp4-opt %s --mxfp4-raise -o - 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --linalg-generalize-named-ops --mxfp4-raise 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --linalg-fuse-elementwise-ops --mxfp4-raise 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --linalg-specialize-generic-ops --mxfp4-raise 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --linalg-generalize-named-ops --linalg-fuse-elementwise-ops \
// RUN:     --canonicalize --cse --mxfp4-raise 2>&1 | FileCheck %s
// RUN: mxfp4-opt %s --linalg-morph-ops=named-to-category --mxfp4-raise 2>&1 | FileCheck %s

#b = affine_map<(n, b, k) -> (n, b, k)>
#s = affine_map<(n, b, k) -> (n, b)>

// CHECK-NOT:   remark
// CHECK-LABEL: func.func @f(
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>,
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<?x64xbf16>)
// CHECK-SAME:      -> tensor<?x48xf32>
func.func @f(%x: tensor<?x64xbf16>, %w: tensor<48x2x32xf4E2M1FN>,
             %s: tensor<48x2xf8E8M0FNU>, %e: tensor<?x48xf32>) -> tensor<?x48xf32> {
  %i = tensor.empty() : tensor<48x2x32xbf16>
  %d = linalg.generic {indexing_maps = [#b, #s, #b],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<48x2x32xf4E2M1FN>, tensor<48x2xf8E8M0FNU>)
      outs(%i : tensor<48x2x32xbf16>) {
  ^bb0(%c: f4E2M1FN, %t: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %c, %t : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<48x2x32xbf16>
  %f = tensor.collapse_shape %d [[0], [1, 2]] : tensor<48x2x32xbf16> into tensor<48x64xbf16>
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %r = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %f : tensor<?x64xbf16>, tensor<48x64xbf16>)
      outs(%z : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %r : tensor<?x48xf32>
}
