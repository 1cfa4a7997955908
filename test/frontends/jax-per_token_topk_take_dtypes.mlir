// jnp.take of two experts per token: NaN for numbers of no expert
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline,inline,symbol-dce,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1) -> (d0, d1)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map7 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map8 = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
#map9 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3, d1)>
#map10 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map11 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
module @jit_g_take2 {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<8x2xi32>) -> tensor<8x2x96xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0x7FC0 : bf16
    %true = arith.constant true
    %c3_i32 = arith.constant 3 : i32
    %c4_i32 = arith.constant 4 : i32
    %c0_i32 = arith.constant 0 : i32
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %33 = linalg.index 4 : index
      %34 = arith.index_cast %33 : index to i8
      %35 = arith.muli %34, %c4_i8 : i8
      %36 = arith.shrui %in, %35 : i8
      %37 = arith.trunci %36 : i8 to i4
      %38 = arith.bitcast %37 : i4 to f4E2M1FN
      linalg.yield %38 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%2 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %33 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %33 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
    %4 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%4 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %33 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %33 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %33 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %33 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x32xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %10 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %9 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_5: bf16, %out: bf16):
      %33 = arith.mulf %in, %in_5 : bf16
      linalg.yield %33 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_1 = tensor.collapse_shape %10 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %11 = tensor.empty() : tensor<8x2xi1>
    %12 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%arg3 : tensor<8x2xi32>) outs(%11 : tensor<8x2xi1>) {
    ^bb0(%in: i32, %out: i1):
      %33 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %33 : i1
    } -> tensor<8x2xi1>
    %13 = tensor.empty() : tensor<8x2xi32>
    %14 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%arg3 : tensor<8x2xi32>) outs(%13 : tensor<8x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %33 = arith.addi %in, %c4_i32 : i32
      linalg.yield %33 : i32
    } -> tensor<8x2xi32>
    %15 = linalg.generic {indexing_maps = [#map5, #map5, #map5, #map5], iterator_types = ["parallel", "parallel"]} ins(%12, %14, %arg3 : tensor<8x2xi1>, tensor<8x2xi32>, tensor<8x2xi32>) outs(%13 : tensor<8x2xi32>) {
    ^bb0(%in: i1, %in_5: i32, %in_6: i32, %out: i32):
      %33 = arith.select %in, %in_5, %in_6 : i32
      linalg.yield %33 : i32
    } -> tensor<8x2xi32>
    %expanded = tensor.expand_shape %15 [[0], [1, 2]] output_shape [8, 2, 1] : tensor<8x2xi32> into tensor<8x2x1xi32>
    %16 = tensor.empty() : tensor<8x2x1xi1>
    %17 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded : tensor<8x2x1xi32>) outs(%16 : tensor<8x2x1xi1>) {
    ^bb0(%in: i32, %out: i1):
      %33 = arith.cmpi sge, %in, %c0_i32 : i32
      linalg.yield %33 : i1
    } -> tensor<8x2x1xi1>
    %18 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded : tensor<8x2x1xi32>) outs(%16 : tensor<8x2x1xi1>) {
    ^bb0(%in: i32, %out: i1):
      %33 = arith.cmpi sle, %in, %c3_i32 : i32
      linalg.yield %33 : i1
    } -> tensor<8x2x1xi1>
    %19 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%17, %18 : tensor<8x2x1xi1>, tensor<8x2x1xi1>) outs(%16 : tensor<8x2x1xi1>) {
    ^bb0(%in: i1, %in_5: i1, %out: i1):
      %33 = arith.andi %in, %in_5 : i1
      linalg.yield %33 : i1
    } -> tensor<8x2x1xi1>
    %20 = linalg.fill ins(%true : i1) outs(%11 : tensor<8x2xi1>) -> tensor<8x2xi1>
    %21 = linalg.generic {indexing_maps = [#map2, #map6], iterator_types = ["parallel", "parallel", "reduction"]} ins(%19 : tensor<8x2x1xi1>) outs(%20 : tensor<8x2xi1>) {
    ^bb0(%in: i1, %out: i1):
      %33 = arith.andi %out, %in : i1
      linalg.yield %33 : i1
    } -> tensor<8x2xi1>
    %22 = tensor.empty() : tensor<8x2x1x96x64xbf16>
    %23 = linalg.generic {indexing_maps = [#map7, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<8x2x1xi32>) outs(%22 : tensor<8x2x1x96x64xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %33 = arith.index_cast %in : i32 to index
      %34 = linalg.index 3 : index
      %35 = linalg.index 4 : index
      %extracted = tensor.extract %collapsed_1[%33, %34, %35] : tensor<4x96x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x1x96x64xbf16>
    %collapsed_2 = tensor.collapse_shape %23 [[0], [1], [2, 3], [4]] : tensor<8x2x1x96x64xbf16> into tensor<8x2x96x64xbf16>
    %24 = tensor.empty() : tensor<8x2x96x64xi1>
    %25 = linalg.generic {indexing_maps = [#map8, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%21 : tensor<8x2xi1>) outs(%24 : tensor<8x2x96x64xi1>) {
    ^bb0(%in: i1, %out: i1):
      linalg.yield %in : i1
    } -> tensor<8x2x96x64xi1>
    %26 = tensor.empty() : tensor<8x2x96x64xbf16>
    %27 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%25, %collapsed_2 : tensor<8x2x96x64xi1>, tensor<8x2x96x64xbf16>) outs(%26 : tensor<8x2x96x64xbf16>) {
    ^bb0(%in: i1, %in_5: bf16, %out: bf16):
      %33 = arith.select %in, %in_5, %cst_0 : bf16
      linalg.yield %33 : bf16
    } -> tensor<8x2x96x64xbf16>
    %28 = tensor.empty() : tensor<8x64x2x96xbf16>
    %29 = linalg.generic {indexing_maps = [#map9, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%27 : tensor<8x2x96x64xbf16>) outs(%28 : tensor<8x64x2x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<8x64x2x96xbf16>
    %collapsed_3 = tensor.collapse_shape %29 [[0], [1], [2, 3]] : tensor<8x64x2x96xbf16> into tensor<8x64x192xbf16>
    %30 = tensor.empty() : tensor<8x192xf32>
    %31 = linalg.fill ins(%cst : f32) outs(%30 : tensor<8x192xf32>) -> tensor<8x192xf32>
    %32 = linalg.generic {indexing_maps = [#map10, #map11, #map6], iterator_types = ["parallel", "parallel", "reduction"]} ins(%arg0, %collapsed_3 : tensor<8x64xbf16>, tensor<8x64x192xbf16>) outs(%31 : tensor<8x192xf32>) {
    ^bb0(%in: bf16, %in_5: bf16, %out: f32):
      %33 = arith.extf %in : bf16 to f32
      %34 = arith.extf %in_5 : bf16 to f32
      %35 = arith.mulf %33, %34 : f32
      %36 = arith.addf %out, %35 : f32
      linalg.yield %36 : f32
    } -> tensor<8x192xf32>
    %expanded_4 = tensor.expand_shape %32 [[0], [1, 2]] output_shape [8, 2, 96] : tensor<8x192xf32> into tensor<8x2x96xf32>
    return %expanded_4 : tensor<8x2x96xf32>
  }
}

