// the same behind IREE's own fusion
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)', then
//   inline,canonicalize,cse,func.func(iree-global-opt-propagate-linalg-transpose,canonicalize,
//   iree-dispatch-creation-bubble-up-expand-shapes,iree-dispatch-creation-elementwise-op-fusion,canonicalize,cse)
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map7 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map8 = affine_map<(d0, d1) -> (d0, d1)>
module @jit_per_token_dtypes {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<8xi32>) -> tensor<8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i32 = arith.constant 4 : i32
    %c0_i32 = arith.constant 0 : i32
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %1 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1, %arg2 : tensor<4x96x2x16xi8>, tensor<4x96x2xi8>) outs(%0 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: i8, %in_1: i8, %out: bf16):
      %9 = linalg.index 4 : index
      %10 = arith.index_cast %9 : index to i8
      %11 = arith.muli %10, %c4_i8 : i8
      %12 = arith.shrui %in, %11 : i8
      %13 = arith.trunci %12 : i8 to i4
      %14 = arith.bitcast %13 : i4 to f4E2M1FN
      %15 = arith.bitcast %in_1 : i8 to f8E8M0FNU
      %16 = arith.extf %15 : f8E8M0FNU to bf16
      %17 = arith.extf %14 : f4E2M1FN to bf16
      %18 = arith.mulf %17, %16 : bf16
      linalg.yield %18 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2, 3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x64xbf16>
    %expanded = tensor.expand_shape %arg3 [[0, 1]] output_shape [8, 1] : tensor<8xi32> into tensor<8x1xi32>
    %2 = tensor.empty() : tensor<8x1x96x64xbf16>
    %3 = linalg.generic {indexing_maps = [#map3, #map3, #map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded, %expanded, %expanded : tensor<8x1xi32>, tensor<8x1xi32>, tensor<8x1xi32>) outs(%2 : tensor<8x1x96x64xbf16>) {
    ^bb0(%in: i32, %in_1: i32, %in_2: i32, %out: bf16):
      %9 = arith.addi %in_1, %c4_i32 : i32
      %10 = arith.cmpi slt, %in, %c0_i32 : i32
      %11 = arith.select %10, %9, %in_2 : i32
      %12 = arith.index_cast %11 : i32 to index
      %13 = linalg.index 2 : index
      %14 = linalg.index 3 : index
      %extracted = tensor.extract %collapsed[%12, %13, %14] : tensor<4x96x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x1x96x64xbf16>
    %collapsed_0 = tensor.collapse_shape %3 [[0], [1, 2], [3]] : tensor<8x1x96x64xbf16> into tensor<8x96x64xbf16>
    %4 = tensor.empty() : tensor<8x96xf32>
    %5 = linalg.fill ins(%cst : f32) outs(%4 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %6 = linalg.generic {indexing_maps = [#map5, #map6, #map7], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %collapsed_0 : tensor<8x64xbf16>, tensor<8x96x64xbf16>) outs(%5 : tensor<8x96xf32>) {
    ^bb0(%in: bf16, %in_1: bf16, %out: f32):
      %9 = arith.extf %in : bf16 to f32
      %10 = arith.extf %in_1 : bf16 to f32
      %11 = arith.mulf %9, %10 : f32
      %12 = arith.addf %out, %11 : f32
      linalg.yield %12 : f32
    } -> tensor<8x96xf32>
    %7 = tensor.empty() : tensor<8x96xbf16>
    %8 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel", "parallel"]} ins(%6 : tensor<8x96xf32>) outs(%7 : tensor<8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %9 = arith.truncf %in : f32 to bf16
      linalg.yield %9 : bf16
    } -> tensor<8x96xbf16>
    return %8 : tensor<8x96xbf16>
  }
}

