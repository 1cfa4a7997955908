// f4/f8 arguments, einsum to f32
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
module @jit_batched_f32_f4_args {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x64xf4E2M1FN>, %arg2: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %0 = tensor.empty() : tensor<4x96x64xbf16>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x64xf4E2M1FN>) outs(%0 : tensor<4x96x64xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %15 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %15 : bf16
    } -> tensor<4x96x64xbf16>
    %expanded = tensor.expand_shape %1 [[0], [1], [2, 3]] output_shape [4, 96, 2, 32] : tensor<4x96x64xbf16> into tensor<4x96x2x32xbf16>
    %2 = tensor.empty() : tensor<4x96x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xf8E8M0FNU>) outs(%2 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %15 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %15 : bf16
    } -> tensor<4x96x2xbf16>
    %4 = tensor.empty() : tensor<4x96x2x32xbf16>
    %5 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3 : tensor<4x96x2xbf16>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %6 = tensor.empty() : tensor<4x96x2x32xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded, %5 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%6 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_0: bf16, %out: bf16):
      %15 = arith.mulf %in, %in_0 : bf16
      linalg.yield %15 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed = tensor.collapse_shape %7 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %8 = tensor.empty() : tensor<4x64x96xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x64xbf16>) outs(%8 : tensor<4x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x64x96xbf16>
    %10 = tensor.empty() : tensor<4x8x96xf32>
    %11 = linalg.fill ins(%cst : f32) outs(%10 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %12 = linalg.batch_matmul ins(%arg0, %9 : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%11 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %13 = tensor.empty() : tensor<4x8x96xbf16>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%12 : tensor<4x8x96xf32>) outs(%13 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %15 = arith.truncf %in : f32 to bf16
      linalg.yield %15 : bf16
    } -> tensor<4x8x96xbf16>
    return %14 : tensor<4x8x96xbf16>
  }
}

