// experts one after another, by lax.map
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline,inline,symbol-dce,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1) -> (d0, d1)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map4 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map5 = affine_map<(d0, d1) -> (d1, d0)>
#map6 = affine_map<(d0, d1, d2) -> (d1, d2)>
module @jit__lambda {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x8x96xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i8 = arith.constant 4 : i8
    %c3 = arith.constant 3 : index
    %c0 = arith.constant 0 : index
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<4x8x96xf32>
    %c0_i32 = arith.constant 0 : i32
    %c4_i32 = arith.constant 4 : i32
    %c1_i32 = arith.constant 1 : i32
    %0 = scf.for %arg3 = %c0_i32 to %c4_i32 step %c1_i32 iter_args(%arg4 = %cst_0) -> (tensor<4x8x96xf32>)  : i32 {
      %1 = arith.index_cast %arg3 : i32 to index
      %2 = arith.maxsi %1, %c0 : index
      %3 = arith.minsi %2, %c3 : index
      %extracted_slice = tensor.extract_slice %arg0[%3, 0, 0] [1, 8, 64] [1, 1, 1] : tensor<4x8x64xbf16> to tensor<1x8x64xbf16>
      %collapsed = tensor.collapse_shape %extracted_slice [[0, 1], [2]] : tensor<1x8x64xbf16> into tensor<8x64xbf16>
      %extracted_slice_1 = tensor.extract_slice %arg1[%3, 0, 0, 0] [1, 96, 2, 16] [1, 1, 1, 1] : tensor<4x96x2x16xi8> to tensor<1x96x2x16xi8>
      %collapsed_2 = tensor.collapse_shape %extracted_slice_1 [[0, 1], [2], [3]] : tensor<1x96x2x16xi8> into tensor<96x2x16xi8>
      %extracted_slice_3 = tensor.extract_slice %arg2[%3, 0, 0] [1, 96, 2] [1, 1, 1] : tensor<4x96x2xi8> to tensor<1x96x2xi8>
      %collapsed_4 = tensor.collapse_shape %extracted_slice_3 [[0, 1], [2]] : tensor<1x96x2xi8> into tensor<96x2xi8>
      %4 = tensor.empty() : tensor<96x2x16x2xf4E2M1FN>
      %5 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_2 : tensor<96x2x16xi8>) outs(%4 : tensor<96x2x16x2xf4E2M1FN>) {
      ^bb0(%in: i8, %out: f4E2M1FN):
        %22 = linalg.index 3 : index
        %23 = arith.index_cast %22 : index to i8
        %24 = arith.muli %23, %c4_i8 : i8
        %25 = arith.shrui %in, %24 : i8
        %26 = arith.trunci %25 : i8 to i4
        %27 = arith.bitcast %26 : i4 to f4E2M1FN
        linalg.yield %27 : f4E2M1FN
      } -> tensor<96x2x16x2xf4E2M1FN>
      %6 = tensor.empty() : tensor<96x2x16x2xbf16>
      %7 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5 : tensor<96x2x16x2xf4E2M1FN>) outs(%6 : tensor<96x2x16x2xbf16>) {
      ^bb0(%in: f4E2M1FN, %out: bf16):
        %22 = arith.extf %in : f4E2M1FN to bf16
        linalg.yield %22 : bf16
      } -> tensor<96x2x16x2xbf16>
      %collapsed_5 = tensor.collapse_shape %7 [[0], [1], [2, 3]] : tensor<96x2x16x2xbf16> into tensor<96x2x32xbf16>
      %8 = tensor.empty() : tensor<96x2xf8E8M0FNU>
      %9 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel"]} ins(%collapsed_4 : tensor<96x2xi8>) outs(%8 : tensor<96x2xf8E8M0FNU>) {
      ^bb0(%in: i8, %out: f8E8M0FNU):
        %22 = arith.bitcast %in : i8 to f8E8M0FNU
        linalg.yield %22 : f8E8M0FNU
      } -> tensor<96x2xf8E8M0FNU>
      %10 = tensor.empty() : tensor<96x2xbf16>
      %11 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel"]} ins(%9 : tensor<96x2xf8E8M0FNU>) outs(%10 : tensor<96x2xbf16>) {
      ^bb0(%in: f8E8M0FNU, %out: bf16):
        %22 = arith.extf %in : f8E8M0FNU to bf16
        linalg.yield %22 : bf16
      } -> tensor<96x2xbf16>
      %12 = tensor.empty() : tensor<96x2x32xbf16>
      %13 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel"]} ins(%11 : tensor<96x2xbf16>) outs(%12 : tensor<96x2x32xbf16>) {
      ^bb0(%in: bf16, %out: bf16):
        linalg.yield %in : bf16
      } -> tensor<96x2x32xbf16>
      %14 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_5, %13 : tensor<96x2x32xbf16>, tensor<96x2x32xbf16>) outs(%12 : tensor<96x2x32xbf16>) {
      ^bb0(%in: bf16, %in_7: bf16, %out: bf16):
        %22 = arith.mulf %in, %in_7 : bf16
        linalg.yield %22 : bf16
      } -> tensor<96x2x32xbf16>
      %collapsed_6 = tensor.collapse_shape %14 [[0], [1, 2]] : tensor<96x2x32xbf16> into tensor<96x64xbf16>
      %15 = tensor.empty() : tensor<64x96xbf16>
      %16 = linalg.generic {indexing_maps = [#map5, #map2], iterator_types = ["parallel", "parallel"]} ins(%collapsed_6 : tensor<96x64xbf16>) outs(%15 : tensor<64x96xbf16>) {
      ^bb0(%in: bf16, %out: bf16):
        linalg.yield %in : bf16
      } -> tensor<64x96xbf16>
      %17 = tensor.empty() : tensor<8x96xf32>
      %18 = linalg.fill ins(%cst : f32) outs(%17 : tensor<8x96xf32>) -> tensor<8x96xf32>
      %19 = linalg.matmul ins(%collapsed, %16 : tensor<8x64xbf16>, tensor<64x96xbf16>) outs(%18 : tensor<8x96xf32>) -> tensor<8x96xf32>
      %20 = tensor.empty() : tensor<1x8x96xf32>
      %21 = linalg.generic {indexing_maps = [#map6, #map4], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19 : tensor<8x96xf32>) outs(%20 : tensor<1x8x96xf32>) {
      ^bb0(%in: f32, %out: f32):
        linalg.yield %in : f32
      } -> tensor<1x8x96xf32>
      %inserted_slice = tensor.insert_slice %21 into %arg4[%3, 0, 0] [1, 8, 96] [1, 1, 1] : tensor<1x8x96xf32> into tensor<4x8x96xf32>
      scf.yield %inserted_slice : tensor<4x8x96xf32>
    }
    return %0 : tensor<4x8x96xf32>
  }
}
