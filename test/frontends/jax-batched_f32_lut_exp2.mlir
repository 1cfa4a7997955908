// a table, times exp2, which JAX writes as e^(x ln 2); einsum in f32
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
module @jit_batched_f32_lut_exp2 {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0.693147182 : f32
    %cst_1 = arith.constant 1.270000e+02 : f32
    %cst_2 = arith.constant 0x7FC00000 : f32
    %true = arith.constant true
    %c15_i32 = arith.constant 15 : i32
    %c16_i32 = arith.constant 16 : i32
    %c0_i32 = arith.constant 0 : i32
    %c4_i8 = arith.constant 4 : i8
    %c15_i8 = arith.constant 15 : i8
    %cst_3 = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00, -5.000000e-01, -1.000000e+00, -1.500000e+00, -2.000000e+00, -3.000000e+00, -4.000000e+00, -6.000000e+00]> : tensor<16xf32>
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %47 = arith.andi %in, %c15_i8 : i8
      linalg.yield %47 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = tensor.empty() : tensor<4x96x2x16xi8>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %47 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %47 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_4 = tensor.expand_shape %3 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %4 = tensor.empty() : tensor<4x96x2x16x2xi8>
    %inserted_slice = tensor.insert_slice %expanded into %4[0, 0, 0, 0, 0] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %inserted_slice_5 = tensor.insert_slice %expanded_4 into %inserted_slice[0, 0, 0, 0, 1] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %5 = tensor.empty() : tensor<4x96x2x16x2xi32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%inserted_slice_5 : tensor<4x96x2x16x2xi8>) outs(%5 : tensor<4x96x2x16x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %47 = arith.extui %in : i8 to i32
      linalg.yield %47 : i32
    } -> tensor<4x96x2x16x2xi32>
    %collapsed = tensor.collapse_shape %6 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi32> into tensor<4x96x2x32xi32>
    %7 = tensor.empty() : tensor<4x96x2x32xi1>
    %8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%7 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i32, %out: i1):
      %47 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %47 : i1
    } -> tensor<4x96x2x32xi1>
    %9 = tensor.empty() : tensor<4x96x2x32xi32>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%9 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %47 = arith.addi %in, %c16_i32 : i32
      linalg.yield %47 : i32
    } -> tensor<4x96x2x32xi32>
    %11 = tensor.empty() : tensor<4x96x2x32xi32>
    %12 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8, %10, %collapsed : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi32>, tensor<4x96x2x32xi32>) outs(%11 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i1, %in_9: i32, %in_10: i32, %out: i32):
      %47 = arith.select %in, %in_9, %in_10 : i32
      linalg.yield %47 : i32
    } -> tensor<4x96x2x32xi32>
    %expanded_6 = tensor.expand_shape %12 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 32, 1] : tensor<4x96x2x32xi32> into tensor<4x96x2x32x1xi32>
    %13 = tensor.empty() : tensor<4x96x2x32x1xi1>
    %14 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_6 : tensor<4x96x2x32x1xi32>) outs(%13 : tensor<4x96x2x32x1xi1>) {
    ^bb0(%in: i32, %out: i1):
      %47 = arith.cmpi sge, %in, %c0_i32 : i32
      linalg.yield %47 : i1
    } -> tensor<4x96x2x32x1xi1>
    %15 = tensor.empty() : tensor<4x96x2x32x1xi1>
    %16 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_6 : tensor<4x96x2x32x1xi32>) outs(%15 : tensor<4x96x2x32x1xi1>) {
    ^bb0(%in: i32, %out: i1):
      %47 = arith.cmpi sle, %in, %c15_i32 : i32
      linalg.yield %47 : i1
    } -> tensor<4x96x2x32x1xi1>
    %17 = tensor.empty() : tensor<4x96x2x32x1xi1>
    %18 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%14, %16 : tensor<4x96x2x32x1xi1>, tensor<4x96x2x32x1xi1>) outs(%17 : tensor<4x96x2x32x1xi1>) {
    ^bb0(%in: i1, %in_9: i1, %out: i1):
      %47 = arith.andi %in, %in_9 : i1
      linalg.yield %47 : i1
    } -> tensor<4x96x2x32x1xi1>
    %19 = tensor.empty() : tensor<4x96x2x32xi1>
    %20 = linalg.fill ins(%true : i1) outs(%19 : tensor<4x96x2x32xi1>) -> tensor<4x96x2x32xi1>
    %21 = linalg.generic {indexing_maps = [#map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "reduction"]} ins(%18 : tensor<4x96x2x32x1xi1>) outs(%20 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %out: i1):
      %47 = arith.andi %out, %in : i1
      linalg.yield %47 : i1
    } -> tensor<4x96x2x32xi1>
    %22 = tensor.empty() : tensor<4x96x2x32x1xf32>
    %23 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_6 : tensor<4x96x2x32x1xi32>) outs(%22 : tensor<4x96x2x32x1xf32>) {
    ^bb0(%in: i32, %out: f32):
      %47 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %cst_3[%47] : tensor<16xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x96x2x32x1xf32>
    %collapsed_7 = tensor.collapse_shape %23 [[0], [1], [2], [3, 4]] : tensor<4x96x2x32x1xf32> into tensor<4x96x2x32xf32>
    %24 = tensor.empty() : tensor<4x96x2x32xf32>
    %25 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%21, %collapsed_7 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xf32>) outs(%24 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i1, %in_9: f32, %out: f32):
      %47 = arith.select %in, %in_9, %cst_2 : f32
      linalg.yield %47 : f32
    } -> tensor<4x96x2x32xf32>
    %26 = tensor.empty() : tensor<4x96x2xf32>
    %27 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%26 : tensor<4x96x2xf32>) {
    ^bb0(%in: i8, %out: f32):
      %47 = arith.uitofp %in : i8 to f32
      linalg.yield %47 : f32
    } -> tensor<4x96x2xf32>
    %28 = tensor.empty() : tensor<4x96x2xf32>
    %29 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%27 : tensor<4x96x2xf32>) outs(%28 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %47 = arith.subf %in, %cst_1 : f32
      linalg.yield %47 : f32
    } -> tensor<4x96x2xf32>
    %30 = tensor.empty() : tensor<4x96x2xf32>
    %31 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%29 : tensor<4x96x2xf32>) outs(%30 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %47 = arith.mulf %in, %cst_0 : f32
      linalg.yield %47 : f32
    } -> tensor<4x96x2xf32>
    %32 = tensor.empty() : tensor<4x96x2xf32>
    %33 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%31 : tensor<4x96x2xf32>) outs(%32 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %47 = math.exp %in : f32
      linalg.yield %47 : f32
    } -> tensor<4x96x2xf32>
    %34 = tensor.empty() : tensor<4x96x2x32xf32>
    %35 = linalg.generic {indexing_maps = [#map4, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%33 : tensor<4x96x2xf32>) outs(%34 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2x32xf32>
    %36 = tensor.empty() : tensor<4x96x2x32xf32>
    %37 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%25, %35 : tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%36 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_9: f32, %out: f32):
      %47 = arith.mulf %in, %in_9 : f32
      linalg.yield %47 : f32
    } -> tensor<4x96x2x32xf32>
    %38 = tensor.empty() : tensor<4x96x2x32xbf16>
    %39 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%37 : tensor<4x96x2x32xf32>) outs(%38 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %47 = arith.truncf %in : f32 to bf16
      linalg.yield %47 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_8 = tensor.collapse_shape %39 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %40 = tensor.empty() : tensor<4x64x96xbf16>
    %41 = linalg.generic {indexing_maps = [#map5, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_8 : tensor<4x96x64xbf16>) outs(%40 : tensor<4x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x64x96xbf16>
    %42 = tensor.empty() : tensor<4x8x96xf32>
    %43 = linalg.fill ins(%cst : f32) outs(%42 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %44 = linalg.batch_matmul ins(%arg0, %41 : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%43 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %45 = tensor.empty() : tensor<4x8x96xbf16>
    %46 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%44 : tensor<4x8x96xf32>) outs(%45 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %47 = arith.truncf %in : f32 to bf16
      linalg.yield %47 : bf16
    } -> tensor<4x8x96xbf16>
    return %46 : tensor<4x8x96xbf16>
  }
}

