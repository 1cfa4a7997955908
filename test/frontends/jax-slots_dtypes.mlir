// one einsum over K and the experts of a token
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline,inline,symbol-dce,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1) -> (d0, d1)>
#map6 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map7 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d1, d3)>
module @jit_g_slots {
  func.func public @main(%arg0: tensor<8x2x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<8x2xi32>) -> tensor<8x96xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i32 = arith.constant 4 : i32
    %c0_i32 = arith.constant 0 : i32
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %23 = linalg.index 4 : index
      %24 = arith.index_cast %23 : index to i8
      %25 = arith.muli %24, %c4_i8 : i8
      %26 = arith.shrui %in, %25 : i8
      %27 = arith.trunci %26 : i8 to i4
      %28 = arith.bitcast %27 : i4 to f4E2M1FN
      linalg.yield %28 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%2 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %23 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %23 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
    %4 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%4 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %23 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %23 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %23 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %23 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x32xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %10 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %9 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_6: bf16, %out: bf16):
      %23 = arith.mulf %in, %in_6 : bf16
      linalg.yield %23 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_0 = tensor.collapse_shape %10 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %11 = tensor.empty() : tensor<8x2xi1>
    %12 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%arg3 : tensor<8x2xi32>) outs(%11 : tensor<8x2xi1>) {
    ^bb0(%in: i32, %out: i1):
      %23 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %23 : i1
    } -> tensor<8x2xi1>
    %13 = tensor.empty() : tensor<8x2xi32>
    %14 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%arg3 : tensor<8x2xi32>) outs(%13 : tensor<8x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %23 = arith.addi %in, %c4_i32 : i32
      linalg.yield %23 : i32
    } -> tensor<8x2xi32>
    %15 = linalg.generic {indexing_maps = [#map5, #map5, #map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%12, %14, %arg3 : tensor<8x2xi1>, tensor<8x2xi32>, tensor<8x2xi32>) outs(%13 : tensor<8x2xi32>) {
    ^bb0(%in: i1, %in_6: i32, %in_7: i32, %out: i32):
      %23 = arith.select %in, %in_6, %in_7 : i32
      linalg.yield %23 : i32
    } -> tensor<8x2xi32>
    %expanded = tensor.expand_shape %15 [[0], [1, 2]] output_shape [8, 2, 1] : tensor<8x2xi32> into tensor<8x2x1xi32>
    %16 = tensor.empty() : tensor<8x2x1x96x64xbf16>
    %17 = linalg.generic {indexing_maps = [#map6, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<8x2x1xi32>) outs(%16 : tensor<8x2x1x96x64xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %23 = arith.index_cast %in : i32 to index
      %24 = linalg.index 3 : index
      %25 = linalg.index 4 : index
      %extracted = tensor.extract %collapsed_0[%23, %24, %25] : tensor<4x96x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x1x96x64xbf16>
    %collapsed_1 = tensor.collapse_shape %17 [[0], [1], [2, 3], [4]] : tensor<8x2x1x96x64xbf16> into tensor<8x2x96x64xbf16>
    %18 = tensor.empty() : tensor<8x96x2x64xbf16>
    %19 = linalg.generic {indexing_maps = [#map7, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_1 : tensor<8x2x96x64xbf16>) outs(%18 : tensor<8x96x2x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<8x96x2x64xbf16>
    %collapsed_2 = tensor.collapse_shape %19 [[0], [1], [2, 3]] : tensor<8x96x2x64xbf16> into tensor<8x96x128xbf16>
    %collapsed_3 = tensor.collapse_shape %arg0 [[0, 1, 2]] : tensor<8x2x64xbf16> into tensor<1024xbf16>
    %expanded_4 = tensor.expand_shape %collapsed_3 [[0, 1, 2]] output_shape [8, 128, 1] : tensor<1024xbf16> into tensor<8x128x1xbf16>
    %20 = tensor.empty() : tensor<8x96x1xf32>
    %21 = linalg.fill ins(%cst : f32) outs(%20 : tensor<8x96x1xf32>) -> tensor<8x96x1xf32>
    %22 = linalg.batch_matmul ins(%collapsed_2, %expanded_4 : tensor<8x96x128xbf16>, tensor<8x128x1xbf16>) outs(%21 : tensor<8x96x1xf32>) -> tensor<8x96x1xf32>
    %collapsed_5 = tensor.collapse_shape %22 [[0], [1, 2]] : tensor<8x96x1xf32> into tensor<8x96xf32>
    return %collapsed_5 : tensor<8x96xf32>
  }
}

