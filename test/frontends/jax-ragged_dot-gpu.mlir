// lax.ragged_dot, exported for cuda (composite chlo.ragged_dot, inlined: E masked matmuls, summed)
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
#map6 = affine_map<(d0, d1) -> (d0, d1)>
#map7 = affine_map<(d0) -> (d0)>
#map8 = affine_map<(d0, d1) -> ()>
#map9 = affine_map<(d0, d1) -> (d0, 0)>
#map10 = affine_map<() -> ()>
module @jit_ragged_dtypes {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<4xi32>) -> tensor<8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0.000000e+00 : bf16
    %c0_i64 = arith.constant 0 : i64
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %92 = linalg.index 4 : index
      %93 = arith.index_cast %92 : index to i8
      %94 = arith.muli %93, %c4_i8 : i8
      %95 = arith.shrui %in, %94 : i8
      %96 = arith.trunci %95 : i8 to i4
      %97 = arith.bitcast %96 : i4 to f4E2M1FN
      linalg.yield %97 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%2 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %92 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %92 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
    %4 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%4 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %92 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %92 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %92 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %92 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x32xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %10 = tensor.empty() : tensor<4x96x2x32xbf16>
    %11 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %9 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%10 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_17: bf16, %out: bf16):
      %92 = arith.mulf %in, %in_17 : bf16
      linalg.yield %92 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_1 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %12 = tensor.empty() : tensor<4x64x96xbf16>
    %13 = linalg.generic {indexing_maps = [#map5, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_1 : tensor<4x96x64xbf16>) outs(%12 : tensor<4x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x64x96xbf16>
    %14 = tensor.empty() : tensor<8x1xi64>
    %15 = linalg.generic {indexing_maps = [#map6], iterator_types = ["parallel", "parallel"]} outs(%14 : tensor<8x1xi64>) {
    ^bb0(%out: i64):
      %92 = linalg.index 0 : index
      %93 = arith.index_cast %92 : index to i64
      linalg.yield %93 : i64
    } -> tensor<8x1xi64>
    %extracted_slice = tensor.extract_slice %arg3[0] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %16 = tensor.empty() : tensor<1xi64>
    %17 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = ["parallel"]} ins(%extracted_slice : tensor<1xi32>) outs(%16 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %92 = arith.extsi %in : i32 to i64
      linalg.yield %92 : i64
    } -> tensor<1xi64>
    %collapsed_2 = tensor.collapse_shape %17 [] : tensor<1xi64> into tensor<i64>
    %18 = tensor.empty() : tensor<8x64xi64>
    %19 = linalg.generic {indexing_maps = [#map8, #map6], iterator_types = ["parallel", "parallel"]} ins(%collapsed_2 : tensor<i64>) outs(%18 : tensor<8x64xi64>) {
    ^bb0(%in: i64, %out: i64):
      linalg.yield %in : i64
    } -> tensor<8x64xi64>
    %20 = tensor.empty() : tensor<8x64xi64>
    %21 = linalg.generic {indexing_maps = [#map9, #map6], iterator_types = ["parallel", "parallel"]} ins(%15 : tensor<8x1xi64>) outs(%20 : tensor<8x64xi64>) {
    ^bb0(%in: i64, %out: i64):
      linalg.yield %in : i64
    } -> tensor<8x64xi64>
    %22 = tensor.empty() : tensor<8x64xi1>
    %23 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21 : tensor<8x64xi64>) outs(%22 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %out: i1):
      %92 = arith.cmpi sge, %in, %c0_i64 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %24 = tensor.empty() : tensor<8x64xi1>
    %25 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %19 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%24 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi slt, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %26 = tensor.empty() : tensor<8x64xi1>
    %27 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%23, %25 : tensor<8x64xi1>, tensor<8x64xi1>) outs(%26 : tensor<8x64xi1>) {
    ^bb0(%in: i1, %in_17: i1, %out: i1):
      %92 = arith.andi %in, %in_17 : i1
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %28 = tensor.empty() : tensor<8x64xbf16>
    %29 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%27, %arg0 : tensor<8x64xi1>, tensor<8x64xbf16>) outs(%28 : tensor<8x64xbf16>) {
    ^bb0(%in: i1, %in_17: bf16, %out: bf16):
      %92 = arith.select %in, %in_17, %cst_0 : bf16
      linalg.yield %92 : bf16
    } -> tensor<8x64xbf16>
    %extracted_slice_3 = tensor.extract_slice %13[0, 0, 0] [1, 64, 96] [1, 1, 1] : tensor<4x64x96xbf16> to tensor<1x64x96xbf16>
    %collapsed_4 = tensor.collapse_shape %extracted_slice_3 [[0, 1], [2]] : tensor<1x64x96xbf16> into tensor<64x96xbf16>
    %30 = tensor.empty() : tensor<8x96xf32>
    %31 = linalg.fill ins(%cst : f32) outs(%30 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %32 = linalg.matmul ins(%29, %collapsed_4 : tensor<8x64xbf16>, tensor<64x96xbf16>) outs(%31 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %extracted_slice_5 = tensor.extract_slice %arg3[1] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %33 = tensor.empty() : tensor<1xi64>
    %34 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = ["parallel"]} ins(%extracted_slice_5 : tensor<1xi32>) outs(%33 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %92 = arith.extsi %in : i32 to i64
      linalg.yield %92 : i64
    } -> tensor<1xi64>
    %collapsed_6 = tensor.collapse_shape %34 [] : tensor<1xi64> into tensor<i64>
    %35 = tensor.empty() : tensor<i64>
    %36 = linalg.generic {indexing_maps = [#map10, #map10, #map10], iterator_types = []} ins(%collapsed_2, %collapsed_6 : tensor<i64>, tensor<i64>) outs(%35 : tensor<i64>) {
    ^bb0(%in: i64, %in_17: i64, %out: i64):
      %92 = arith.addi %in, %in_17 : i64
      linalg.yield %92 : i64
    } -> tensor<i64>
    %37 = tensor.empty() : tensor<8x64xi64>
    %38 = linalg.generic {indexing_maps = [#map8, #map6], iterator_types = ["parallel", "parallel"]} ins(%36 : tensor<i64>) outs(%37 : tensor<8x64xi64>) {
    ^bb0(%in: i64, %out: i64):
      linalg.yield %in : i64
    } -> tensor<8x64xi64>
    %39 = tensor.empty() : tensor<8x64xi1>
    %40 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %19 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%39 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi sge, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %41 = tensor.empty() : tensor<8x64xi1>
    %42 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %38 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%41 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi slt, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %43 = tensor.empty() : tensor<8x64xi1>
    %44 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%40, %42 : tensor<8x64xi1>, tensor<8x64xi1>) outs(%43 : tensor<8x64xi1>) {
    ^bb0(%in: i1, %in_17: i1, %out: i1):
      %92 = arith.andi %in, %in_17 : i1
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %45 = tensor.empty() : tensor<8x64xbf16>
    %46 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%44, %arg0 : tensor<8x64xi1>, tensor<8x64xbf16>) outs(%45 : tensor<8x64xbf16>) {
    ^bb0(%in: i1, %in_17: bf16, %out: bf16):
      %92 = arith.select %in, %in_17, %cst_0 : bf16
      linalg.yield %92 : bf16
    } -> tensor<8x64xbf16>
    %extracted_slice_7 = tensor.extract_slice %13[1, 0, 0] [1, 64, 96] [1, 1, 1] : tensor<4x64x96xbf16> to tensor<1x64x96xbf16>
    %collapsed_8 = tensor.collapse_shape %extracted_slice_7 [[0, 1], [2]] : tensor<1x64x96xbf16> into tensor<64x96xbf16>
    %47 = tensor.empty() : tensor<8x96xf32>
    %48 = linalg.fill ins(%cst : f32) outs(%47 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %49 = linalg.matmul ins(%46, %collapsed_8 : tensor<8x64xbf16>, tensor<64x96xbf16>) outs(%48 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %50 = tensor.empty() : tensor<8x96xf32>
    %51 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%32, %49 : tensor<8x96xf32>, tensor<8x96xf32>) outs(%50 : tensor<8x96xf32>) {
    ^bb0(%in: f32, %in_17: f32, %out: f32):
      %92 = arith.addf %in, %in_17 : f32
      linalg.yield %92 : f32
    } -> tensor<8x96xf32>
    %extracted_slice_9 = tensor.extract_slice %arg3[2] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %52 = tensor.empty() : tensor<1xi64>
    %53 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = ["parallel"]} ins(%extracted_slice_9 : tensor<1xi32>) outs(%52 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %92 = arith.extsi %in : i32 to i64
      linalg.yield %92 : i64
    } -> tensor<1xi64>
    %collapsed_10 = tensor.collapse_shape %53 [] : tensor<1xi64> into tensor<i64>
    %54 = tensor.empty() : tensor<i64>
    %55 = linalg.generic {indexing_maps = [#map10, #map10, #map10], iterator_types = []} ins(%36, %collapsed_10 : tensor<i64>, tensor<i64>) outs(%54 : tensor<i64>) {
    ^bb0(%in: i64, %in_17: i64, %out: i64):
      %92 = arith.addi %in, %in_17 : i64
      linalg.yield %92 : i64
    } -> tensor<i64>
    %56 = tensor.empty() : tensor<8x64xi64>
    %57 = linalg.generic {indexing_maps = [#map8, #map6], iterator_types = ["parallel", "parallel"]} ins(%55 : tensor<i64>) outs(%56 : tensor<8x64xi64>) {
    ^bb0(%in: i64, %out: i64):
      linalg.yield %in : i64
    } -> tensor<8x64xi64>
    %58 = tensor.empty() : tensor<8x64xi1>
    %59 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %38 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%58 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi sge, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %60 = tensor.empty() : tensor<8x64xi1>
    %61 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %57 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%60 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi slt, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %62 = tensor.empty() : tensor<8x64xi1>
    %63 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%59, %61 : tensor<8x64xi1>, tensor<8x64xi1>) outs(%62 : tensor<8x64xi1>) {
    ^bb0(%in: i1, %in_17: i1, %out: i1):
      %92 = arith.andi %in, %in_17 : i1
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %64 = tensor.empty() : tensor<8x64xbf16>
    %65 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%63, %arg0 : tensor<8x64xi1>, tensor<8x64xbf16>) outs(%64 : tensor<8x64xbf16>) {
    ^bb0(%in: i1, %in_17: bf16, %out: bf16):
      %92 = arith.select %in, %in_17, %cst_0 : bf16
      linalg.yield %92 : bf16
    } -> tensor<8x64xbf16>
    %extracted_slice_11 = tensor.extract_slice %13[2, 0, 0] [1, 64, 96] [1, 1, 1] : tensor<4x64x96xbf16> to tensor<1x64x96xbf16>
    %collapsed_12 = tensor.collapse_shape %extracted_slice_11 [[0, 1], [2]] : tensor<1x64x96xbf16> into tensor<64x96xbf16>
    %66 = tensor.empty() : tensor<8x96xf32>
    %67 = linalg.fill ins(%cst : f32) outs(%66 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %68 = linalg.matmul ins(%65, %collapsed_12 : tensor<8x64xbf16>, tensor<64x96xbf16>) outs(%67 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %69 = tensor.empty() : tensor<8x96xf32>
    %70 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%51, %68 : tensor<8x96xf32>, tensor<8x96xf32>) outs(%69 : tensor<8x96xf32>) {
    ^bb0(%in: f32, %in_17: f32, %out: f32):
      %92 = arith.addf %in, %in_17 : f32
      linalg.yield %92 : f32
    } -> tensor<8x96xf32>
    %extracted_slice_13 = tensor.extract_slice %arg3[3] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %71 = tensor.empty() : tensor<1xi64>
    %72 = linalg.generic {indexing_maps = [#map7, #map7], iterator_types = ["parallel"]} ins(%extracted_slice_13 : tensor<1xi32>) outs(%71 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %92 = arith.extsi %in : i32 to i64
      linalg.yield %92 : i64
    } -> tensor<1xi64>
    %collapsed_14 = tensor.collapse_shape %72 [] : tensor<1xi64> into tensor<i64>
    %73 = tensor.empty() : tensor<i64>
    %74 = linalg.generic {indexing_maps = [#map10, #map10, #map10], iterator_types = []} ins(%55, %collapsed_14 : tensor<i64>, tensor<i64>) outs(%73 : tensor<i64>) {
    ^bb0(%in: i64, %in_17: i64, %out: i64):
      %92 = arith.addi %in, %in_17 : i64
      linalg.yield %92 : i64
    } -> tensor<i64>
    %75 = tensor.empty() : tensor<8x64xi64>
    %76 = linalg.generic {indexing_maps = [#map8, #map6], iterator_types = ["parallel", "parallel"]} ins(%74 : tensor<i64>) outs(%75 : tensor<8x64xi64>) {
    ^bb0(%in: i64, %out: i64):
      linalg.yield %in : i64
    } -> tensor<8x64xi64>
    %77 = tensor.empty() : tensor<8x64xi1>
    %78 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %57 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%77 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi sge, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %79 = tensor.empty() : tensor<8x64xi1>
    %80 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%21, %76 : tensor<8x64xi64>, tensor<8x64xi64>) outs(%79 : tensor<8x64xi1>) {
    ^bb0(%in: i64, %in_17: i64, %out: i1):
      %92 = arith.cmpi slt, %in, %in_17 : i64
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %81 = tensor.empty() : tensor<8x64xi1>
    %82 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%78, %80 : tensor<8x64xi1>, tensor<8x64xi1>) outs(%81 : tensor<8x64xi1>) {
    ^bb0(%in: i1, %in_17: i1, %out: i1):
      %92 = arith.andi %in, %in_17 : i1
      linalg.yield %92 : i1
    } -> tensor<8x64xi1>
    %83 = tensor.empty() : tensor<8x64xbf16>
    %84 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%82, %arg0 : tensor<8x64xi1>, tensor<8x64xbf16>) outs(%83 : tensor<8x64xbf16>) {
    ^bb0(%in: i1, %in_17: bf16, %out: bf16):
      %92 = arith.select %in, %in_17, %cst_0 : bf16
      linalg.yield %92 : bf16
    } -> tensor<8x64xbf16>
    %extracted_slice_15 = tensor.extract_slice %13[3, 0, 0] [1, 64, 96] [1, 1, 1] : tensor<4x64x96xbf16> to tensor<1x64x96xbf16>
    %collapsed_16 = tensor.collapse_shape %extracted_slice_15 [[0, 1], [2]] : tensor<1x64x96xbf16> into tensor<64x96xbf16>
    %85 = tensor.empty() : tensor<8x96xf32>
    %86 = linalg.fill ins(%cst : f32) outs(%85 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %87 = linalg.matmul ins(%84, %collapsed_16 : tensor<8x64xbf16>, tensor<64x96xbf16>) outs(%86 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %88 = tensor.empty() : tensor<8x96xf32>
    %89 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%70, %87 : tensor<8x96xf32>, tensor<8x96xf32>) outs(%88 : tensor<8x96xf32>) {
    ^bb0(%in: f32, %in_17: f32, %out: f32):
      %92 = arith.addf %in, %in_17 : f32
      linalg.yield %92 : f32
    } -> tensor<8x96xf32>
    %90 = tensor.empty() : tensor<8x96xbf16>
    %91 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%89 : tensor<8x96xf32>) outs(%90 : tensor<8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %92 = arith.truncf %in : f32 to bf16
      linalg.yield %92 : bf16
    } -> tensor<8x96xbf16>
    return %91 : tensor<8x96xbf16>
  }
}

