// the same behind IREE's own fusion
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)', then
//   inline,canonicalize,cse,func.func(iree-global-opt-propagate-linalg-transpose,canonicalize,
//   iree-dispatch-creation-bubble-up-expand-shapes,iree-dispatch-creation-elementwise-op-fusion,canonicalize,cse)
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module @jit_batched_wide_dtypes {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1, %arg2 : tensor<4x96x2x16xi8>, tensor<4x96x2xi8>) outs(%0 : tensor<4x96x2x16x2xf32>) {
    ^bb0(%in: i8, %in_0: i8, %out: f32):
      %7 = linalg.index 4 : index
      %8 = arith.index_cast %7 : index to i8
      %9 = arith.muli %8, %c4_i8 : i8
      %10 = arith.shrui %in, %9 : i8
      %11 = arith.trunci %10 : i8 to i4
      %12 = arith.bitcast %11 : i4 to f4E2M1FN
      %13 = arith.bitcast %in_0 : i8 to f8E8M0FNU
      %14 = arith.extf %13 : f8E8M0FNU to bf16
      %15 = arith.extf %12 : f4E2M1FN to bf16
      %16 = arith.mulf %15, %14 : bf16
      %17 = arith.extf %16 : bf16 to f32
      linalg.yield %17 : f32
    } -> tensor<4x96x2x16x2xf32>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2, 3, 4]] : tensor<4x96x2x16x2xf32> into tensor<4x96x64xf32>
    %2 = tensor.empty() : tensor<4x8x96xf32>
    %3 = linalg.fill ins(%cst : f32) outs(%2 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %4 = linalg.batch_matmul indexing_maps = [#map3, #map4, #map5] ins(%arg0, %collapsed : tensor<4x8x64xbf16>, tensor<4x96x64xf32>) outs(%3 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %5 = tensor.empty() : tensor<4x8x96xbf16>
    %6 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<4x8x96xf32>) outs(%5 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %7 = arith.truncf %in : f32 to bf16
      linalg.yield %7 : bf16
    } -> tensor<4x8x96xbf16>
    return %6 : tensor<4x8x96xbf16>
  }
}

