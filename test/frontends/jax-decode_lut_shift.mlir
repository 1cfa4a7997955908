// LUT, scale bits << 23
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
module @jit_decode_lut_shift {
  func.func public @main(%arg0: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg1: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x96x64xbf16> {
    %c16_i32 = arith.constant 16 : i32
    %c0_i32 = arith.constant 0 : i32
    %c23_i32 = arith.constant 23 : i32
    %c4_i8 = arith.constant 4 : i8
    %c15_i8 = arith.constant 15 : i8
    %cst = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00, -5.000000e-01, -1.000000e+00, -1.500000e+00, -2.000000e+00, -3.000000e+00, -4.000000e+00, -6.000000e+00]> : tensor<16xf32>
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %27 = arith.andi %in, %c15_i8 : i8
      linalg.yield %27 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = tensor.empty() : tensor<4x96x2x16xi8>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %27 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %27 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_0 = tensor.expand_shape %3 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %4 = tensor.empty() : tensor<4x96x2x16x2xi8>
    %inserted_slice = tensor.insert_slice %expanded into %4[0, 0, 0, 0, 0] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %inserted_slice_1 = tensor.insert_slice %expanded_0 into %inserted_slice[0, 0, 0, 0, 1] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %5 = tensor.empty() : tensor<4x96x2x16x2xi32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%inserted_slice_1 : tensor<4x96x2x16x2xi8>) outs(%5 : tensor<4x96x2x16x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %27 = arith.extui %in : i8 to i32
      linalg.yield %27 : i32
    } -> tensor<4x96x2x16x2xi32>
    %collapsed = tensor.collapse_shape %6 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi32> into tensor<4x96x2x32xi32>
    %7 = tensor.empty() : tensor<4x96x2xi32>
    %8 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2xi8>) outs(%7 : tensor<4x96x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %27 = arith.extui %in : i8 to i32
      linalg.yield %27 : i32
    } -> tensor<4x96x2xi32>
    %9 = tensor.empty() : tensor<4x96x2xi32>
    %10 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%8 : tensor<4x96x2xi32>) outs(%9 : tensor<4x96x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %27 = arith.shli %in, %c23_i32 : i32
      linalg.yield %27 : i32
    } -> tensor<4x96x2xi32>
    %11 = tensor.empty() : tensor<4x96x2xf32>
    %12 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%10 : tensor<4x96x2xi32>) outs(%11 : tensor<4x96x2xf32>) {
    ^bb0(%in: i32, %out: f32):
      %27 = arith.bitcast %in : i32 to f32
      linalg.yield %27 : f32
    } -> tensor<4x96x2xf32>
    %13 = tensor.empty() : tensor<4x96x2x32xi1>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%13 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i32, %out: i1):
      %27 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %27 : i1
    } -> tensor<4x96x2x32xi1>
    %15 = tensor.empty() : tensor<4x96x2x32xi32>
    %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%15 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %27 = arith.addi %in, %c16_i32 : i32
      linalg.yield %27 : i32
    } -> tensor<4x96x2x32xi32>
    %17 = tensor.empty() : tensor<4x96x2x32xi32>
    %18 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%14, %16, %collapsed : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi32>, tensor<4x96x2x32xi32>) outs(%17 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i1, %in_5: i32, %in_6: i32, %out: i32):
      %27 = arith.select %in, %in_5, %in_6 : i32
      linalg.yield %27 : i32
    } -> tensor<4x96x2x32xi32>
    %expanded_2 = tensor.expand_shape %18 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 32, 1] : tensor<4x96x2x32xi32> into tensor<4x96x2x32x1xi32>
    %19 = tensor.empty() : tensor<4x96x2x32x1xf32>
    %20 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_2 : tensor<4x96x2x32x1xi32>) outs(%19 : tensor<4x96x2x32x1xf32>) {
    ^bb0(%in: i32, %out: f32):
      %27 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %cst[%27] : tensor<16xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x96x2x32x1xf32>
    %collapsed_3 = tensor.collapse_shape %20 [[0], [1], [2], [3, 4]] : tensor<4x96x2x32x1xf32> into tensor<4x96x2x32xf32>
    %21 = tensor.empty() : tensor<4x96x2x32xf32>
    %22 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12 : tensor<4x96x2xf32>) outs(%21 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2x32xf32>
    %23 = tensor.empty() : tensor<4x96x2x32xf32>
    %24 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_3, %22 : tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%23 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_5: f32, %out: f32):
      %27 = arith.mulf %in, %in_5 : f32
      linalg.yield %27 : f32
    } -> tensor<4x96x2x32xf32>
    %25 = tensor.empty() : tensor<4x96x2x32xbf16>
    %26 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24 : tensor<4x96x2x32xf32>) outs(%25 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %27 = arith.truncf %in : f32 to bf16
      linalg.yield %27 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_4 = tensor.collapse_shape %26 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    return %collapsed_4 : tensor<4x96x64xbf16>
  }
}

