// w[idx] of two experts per row, 'tk,tenk->ten'
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1) -> (d0, d1)>
#map6 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map7 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
#map8 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map9 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
#map10 = affine_map<(d0, d1, d2) -> (d0, d1)>
module @jit_per_token_topk_dtypes {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<8x2xi32>) -> tensor<8x2x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i32 = arith.constant 4 : i32
    %c0_i32 = arith.constant 0 : i32
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %27 = linalg.index 4 : index
      %28 = arith.index_cast %27 : index to i8
      %29 = arith.muli %28, %c4_i8 : i8
      %30 = arith.shrui %in, %29 : i8
      %31 = arith.trunci %30 : i8 to i4
      %32 = arith.bitcast %31 : i4 to f4E2M1FN
      linalg.yield %32 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%2 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %27 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %27 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
    %4 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%4 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %27 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %27 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %27 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %27 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x32xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %10 = tensor.empty() : tensor<4x96x2x32xbf16>
    %11 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %9 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%10 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_4: bf16, %out: bf16):
      %27 = arith.mulf %in, %in_4 : bf16
      linalg.yield %27 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_0 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %12 = tensor.empty() : tensor<8x2xi1>
    %13 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%arg3 : tensor<8x2xi32>) outs(%12 : tensor<8x2xi1>) {
    ^bb0(%in: i32, %out: i1):
      %27 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %27 : i1
    } -> tensor<8x2xi1>
    %14 = tensor.empty() : tensor<8x2xi32>
    %15 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%arg3 : tensor<8x2xi32>) outs(%14 : tensor<8x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %27 = arith.addi %in, %c4_i32 : i32
      linalg.yield %27 : i32
    } -> tensor<8x2xi32>
    %16 = tensor.empty() : tensor<8x2xi32>
    %17 = linalg.generic {indexing_maps = [#map5, #map5, #map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%13, %15, %arg3 : tensor<8x2xi1>, tensor<8x2xi32>, tensor<8x2xi32>) outs(%16 : tensor<8x2xi32>) {
    ^bb0(%in: i1, %in_4: i32, %in_5: i32, %out: i32):
      %27 = arith.select %in, %in_4, %in_5 : i32
      linalg.yield %27 : i32
    } -> tensor<8x2xi32>
    %expanded = tensor.expand_shape %17 [[0], [1, 2]] output_shape [8, 2, 1] : tensor<8x2xi32> into tensor<8x2x1xi32>
    %18 = tensor.empty() : tensor<8x2x1x96x64xbf16>
    %19 = linalg.generic {indexing_maps = [#map6, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<8x2x1xi32>) outs(%18 : tensor<8x2x1x96x64xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %27 = arith.index_cast %in : i32 to index
      %28 = linalg.index 3 : index
      %29 = linalg.index 4 : index
      %extracted = tensor.extract %collapsed_0[%27, %28, %29] : tensor<4x96x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x1x96x64xbf16>
    %collapsed_1 = tensor.collapse_shape %19 [[0], [1], [2, 3], [4]] : tensor<8x2x1x96x64xbf16> into tensor<8x2x96x64xbf16>
    %20 = tensor.empty() : tensor<8x64x2x96xbf16>
    %21 = linalg.generic {indexing_maps = [#map7, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_1 : tensor<8x2x96x64xbf16>) outs(%20 : tensor<8x64x2x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<8x64x2x96xbf16>
    %collapsed_2 = tensor.collapse_shape %21 [[0], [1], [2, 3]] : tensor<8x64x2x96xbf16> into tensor<8x64x192xbf16>
    %22 = tensor.empty() : tensor<8x192xf32>
    %23 = linalg.fill ins(%cst : f32) outs(%22 : tensor<8x192xf32>) -> tensor<8x192xf32>
    %24 = linalg.generic {indexing_maps = [#map8, #map9, #map10], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %collapsed_2 : tensor<8x64xbf16>, tensor<8x64x192xbf16>) outs(%23 : tensor<8x192xf32>) {
    ^bb0(%in: bf16, %in_4: bf16, %out: f32):
      %27 = arith.extf %in : bf16 to f32
      %28 = arith.extf %in_4 : bf16 to f32
      %29 = arith.mulf %27, %28 : f32
      %30 = arith.addf %out, %29 : f32
      linalg.yield %30 : f32
    } -> tensor<8x192xf32>
    %25 = tensor.empty() : tensor<8x192xbf16>
    %26 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%24 : tensor<8x192xf32>) outs(%25 : tensor<8x192xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %27 = arith.truncf %in : f32 to bf16
      linalg.yield %27 : bf16
    } -> tensor<8x192xbf16>
    %expanded_3 = tensor.expand_shape %26 [[0], [1, 2]] output_shape [8, 2, 96] : tensor<8x192xbf16> into tensor<8x2x96xbf16>
    return %expanded_3 : tensor<8x2x96xbf16>
  }
}

