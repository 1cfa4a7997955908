// weights copied by jnp.repeat
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline,inline,symbol-dce,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
module @jit_m_repeatw {
  func.func public @main(%arg0: tensor<8x8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<8x8x96xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %18 = linalg.index 4 : index
      %19 = arith.index_cast %18 : index to i8
      %20 = arith.muli %19, %c4_i8 : i8
      %21 = arith.shrui %in, %20 : i8
      %22 = arith.trunci %21 : i8 to i4
      %23 = arith.bitcast %22 : i4 to f4E2M1FN
      linalg.yield %23 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%2 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %18 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %18 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
    %4 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%4 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %18 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %18 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %18 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %18 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x32xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %10 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %9 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_2: bf16, %out: bf16):
      %18 = arith.mulf %in, %in_2 : bf16
      linalg.yield %18 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_0 = tensor.collapse_shape %10 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %11 = tensor.empty() : tensor<4x2x96x64xbf16>
    %12 = linalg.generic {indexing_maps = [#map5, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_0 : tensor<4x96x64xbf16>) outs(%11 : tensor<4x2x96x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x2x96x64xbf16>
    %collapsed_1 = tensor.collapse_shape %12 [[0, 1], [2], [3]] : tensor<4x2x96x64xbf16> into tensor<8x96x64xbf16>
    %13 = tensor.empty() : tensor<8x64x96xbf16>
    %14 = linalg.generic {indexing_maps = [#map6, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_1 : tensor<8x96x64xbf16>) outs(%13 : tensor<8x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<8x64x96xbf16>
    %15 = tensor.empty() : tensor<8x8x96xf32>
    %16 = linalg.fill ins(%cst : f32) outs(%15 : tensor<8x8x96xf32>) -> tensor<8x8x96xf32>
    %17 = linalg.batch_matmul ins(%arg0, %14 : tensor<8x8x64xbf16>, tensor<8x64x96xbf16>) outs(%16 : tensor<8x8x96xf32>) -> tensor<8x8x96xf32>
    return %17 : tensor<8x8x96xf32>
  }
}

