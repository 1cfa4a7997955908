// the same behind IREE's own fusion
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)', then
//   inline,canonicalize,cse,func.func(iree-global-opt-propagate-linalg-transpose,canonicalize,
//   iree-dispatch-creation-bubble-up-expand-shapes,iree-dispatch-creation-elementwise-op-fusion,canonicalize,cse)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map4 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module @jit_batched_f32_f4_args {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x64xf4E2M1FN>, %arg2: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %expanded = tensor.expand_shape %arg1 [[0], [1], [2, 3]] output_shape [4, 96, 2, 32] : tensor<4x96x64xf4E2M1FN> into tensor<4x96x2x32xf4E2M1FN>
    %0 = tensor.empty() : tensor<4x96x2x32xbf16>
    %1 = linalg.generic {indexing_maps = [#map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded, %arg2 : tensor<4x96x2x32xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) outs(%0 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: f4E2M1FN, %in_0: f8E8M0FNU, %out: bf16):
      %7 = arith.extf %in_0 : f8E8M0FNU to bf16
      %8 = arith.extf %in : f4E2M1FN to bf16
      %9 = arith.mulf %8, %7 : bf16
      linalg.yield %9 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %2 = tensor.empty() : tensor<4x8x96xf32>
    %3 = linalg.fill ins(%cst : f32) outs(%2 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %4 = linalg.batch_matmul indexing_maps = [#map2, #map3, #map1] ins(%arg0, %collapsed : tensor<4x8x64xbf16>, tensor<4x96x64xbf16>) outs(%3 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %5 = tensor.empty() : tensor<4x8x96xbf16>
    %6 = linalg.generic {indexing_maps = [#map4, #map4], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<4x8x96xf32>) outs(%5 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %7 = arith.truncf %in : f32 to bf16
      linalg.yield %7 : bf16
    } -> tensor<4x8x96xbf16>
    return %6 : tensor<4x8x96xbf16>
  }
}

