// nibble arithmetic, no table
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
module @jit_decode_arith {
  func.func public @main(%arg0: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg1: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x96x64xbf16> {
    %cst = arith.constant 0.693147182 : f32
    %cst_0 = arith.constant 1.270000e+02 : f32
    %cst_1 = arith.constant 1.000000e+00 : f32
    %cst_2 = arith.constant 5.000000e-01 : f32
    %c0_i32 = arith.constant 0 : i32
    %c1_i32 = arith.constant 1 : i32
    %c32_i32 = arith.constant 32 : i32
    %c3_i32 = arith.constant 3 : i32
    %c4_i8 = arith.constant 4 : i8
    %c15_i8 = arith.constant 15 : i8
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %57 = arith.andi %in, %c15_i8 : i8
      linalg.yield %57 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = tensor.empty() : tensor<4x96x2x16xi8>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %57 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %57 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_3 = tensor.expand_shape %3 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %4 = tensor.empty() : tensor<4x96x2x16x2xi8>
    %inserted_slice = tensor.insert_slice %expanded into %4[0, 0, 0, 0, 0] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %inserted_slice_4 = tensor.insert_slice %expanded_3 into %inserted_slice[0, 0, 0, 0, 1] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %5 = tensor.empty() : tensor<4x96x2x16x2xi32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%inserted_slice_4 : tensor<4x96x2x16x2xi8>) outs(%5 : tensor<4x96x2x16x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %57 = arith.extui %in : i8 to i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x16x2xi32>
    %collapsed = tensor.collapse_shape %6 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi32> into tensor<4x96x2x32xi32>
    %7 = tensor.empty() : tensor<4x96x2x32xi32>
    %8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%7 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.shrsi %in, %c3_i32 : i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x32xi32>
    %9 = tensor.empty() : tensor<4x96x2x32xi32>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%9 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.shrsi %in, %c1_i32 : i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x32xi32>
    %11 = tensor.empty() : tensor<4x96x2x32xi32>
    %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<4x96x2x32xi32>) outs(%11 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.andi %in, %c3_i32 : i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x32xi32>
    %13 = tensor.empty() : tensor<4x96x2x32xi32>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%13 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.andi %in, %c1_i32 : i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x32xi32>
    %15 = tensor.empty() : tensor<4x96x2x32xi1>
    %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12 : tensor<4x96x2x32xi32>) outs(%15 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i32, %out: i1):
      %57 = arith.cmpi eq, %in, %c0_i32 : i32
      linalg.yield %57 : i1
    } -> tensor<4x96x2x32xi1>
    %17 = tensor.empty() : tensor<4x96x2x32xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%14 : tensor<4x96x2x32xi32>) outs(%17 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i32, %out: f32):
      %57 = arith.sitofp %in : i32 to f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %19 = tensor.empty() : tensor<4x96x2x32xf32>
    %20 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%18 : tensor<4x96x2x32xf32>) outs(%19 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.mulf %in, %cst_2 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %21 = tensor.empty() : tensor<4x96x2x32xf32>
    %22 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%18 : tensor<4x96x2x32xf32>) outs(%21 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.mulf %in, %cst_2 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %23 = tensor.empty() : tensor<4x96x2x32xf32>
    %24 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%22 : tensor<4x96x2x32xf32>) outs(%23 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.addf %in, %cst_1 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %25 = tensor.empty() : tensor<4x96x2x32xi32>
    %26 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12 : tensor<4x96x2x32xi32>) outs(%25 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.subi %in, %c1_i32 : i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x32xi32>
    %27 = tensor.empty() : tensor<4x96x2x32xi32>
    %28 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%26 : tensor<4x96x2x32xi32>) outs(%27 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.maxsi %in, %c0_i32 : i32
      linalg.yield %57 : i32
    } -> tensor<4x96x2x32xi32>
    %29 = tensor.empty() : tensor<4x96x2x32xi32>
    %30 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%28 : tensor<4x96x2x32xi32>) outs(%29 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %57 = arith.shli %c1_i32, %in : i32
      %58 = arith.cmpi ult, %in, %c32_i32 : i32
      %59 = arith.select %58, %57, %c0_i32 : i32
      linalg.yield %59 : i32
    } -> tensor<4x96x2x32xi32>
    %31 = tensor.empty() : tensor<4x96x2x32xf32>
    %32 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%30 : tensor<4x96x2x32xi32>) outs(%31 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i32, %out: f32):
      %57 = arith.sitofp %in : i32 to f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %33 = tensor.empty() : tensor<4x96x2x32xf32>
    %34 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24, %32 : tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%33 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %57 = arith.mulf %in, %in_6 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %35 = tensor.empty() : tensor<4x96x2x32xf32>
    %36 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%16, %20, %34 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%35 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i1, %in_6: f32, %in_7: f32, %out: f32):
      %57 = arith.select %in, %in_6, %in_7 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %37 = tensor.empty() : tensor<4x96x2x32xi1>
    %38 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8 : tensor<4x96x2x32xi32>) outs(%37 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i32, %out: i1):
      %57 = arith.cmpi eq, %in, %c1_i32 : i32
      linalg.yield %57 : i1
    } -> tensor<4x96x2x32xi1>
    %39 = tensor.empty() : tensor<4x96x2x32xf32>
    %40 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%36 : tensor<4x96x2x32xf32>) outs(%39 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.negf %in : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %41 = tensor.empty() : tensor<4x96x2x32xf32>
    %42 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%38, %40, %36 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%41 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i1, %in_6: f32, %in_7: f32, %out: f32):
      %57 = arith.select %in, %in_6, %in_7 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %43 = tensor.empty() : tensor<4x96x2xf32>
    %44 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2xi8>) outs(%43 : tensor<4x96x2xf32>) {
    ^bb0(%in: i8, %out: f32):
      %57 = arith.uitofp %in : i8 to f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2xf32>
    %45 = tensor.empty() : tensor<4x96x2xf32>
    %46 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%44 : tensor<4x96x2xf32>) outs(%45 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.subf %in, %cst_0 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2xf32>
    %47 = tensor.empty() : tensor<4x96x2xf32>
    %48 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%46 : tensor<4x96x2xf32>) outs(%47 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = arith.mulf %in, %cst : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2xf32>
    %49 = tensor.empty() : tensor<4x96x2xf32>
    %50 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%48 : tensor<4x96x2xf32>) outs(%49 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %57 = math.exp %in : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2xf32>
    %51 = tensor.empty() : tensor<4x96x2x32xf32>
    %52 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%50 : tensor<4x96x2xf32>) outs(%51 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2x32xf32>
    %53 = tensor.empty() : tensor<4x96x2x32xf32>
    %54 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%42, %52 : tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%53 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %57 = arith.mulf %in, %in_6 : f32
      linalg.yield %57 : f32
    } -> tensor<4x96x2x32xf32>
    %55 = tensor.empty() : tensor<4x96x2x32xbf16>
    %56 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%54 : tensor<4x96x2x32xf32>) outs(%55 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %57 = arith.truncf %in : f32 to bf16
      linalg.yield %57 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_5 = tensor.collapse_shape %56 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    return %collapsed_5 : tensor<4x96x64xbf16>
  }
}

