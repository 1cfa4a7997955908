// fori_loop over experts, masks
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0) -> (d0)>
#map6 = affine_map<() -> ()>
#map7 = affine_map<(d0) -> ()>
#map8 = affine_map<(d0, d1) -> (d1, d0)>
#map9 = affine_map<(d0, d1) -> (d0, d1)>
#map10 = affine_map<(d0, d1) -> (d0, 0)>
module @jit_loop_dtypes {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<5xi32>) -> tensor<8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c0 = arith.constant 0 : index
    %c5_i32 = arith.constant 5 : i32
    %c4_i8 = arith.constant 4 : i8
    %c1_i32 = arith.constant 1 : i32
    %c4_i32 = arith.constant 4 : i32
    %c0_i32 = arith.constant 0 : i32
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<8x96xbf16>
    %cst_1 = arith.constant dense<0> : tensor<i32>
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %15 = linalg.index 4 : index
      %16 = arith.index_cast %15 : index to i8
      %17 = arith.muli %16, %c4_i8 : i8
      %18 = arith.shrui %in, %17 : i8
      %19 = arith.trunci %18 : i8 to i4
      %20 = arith.bitcast %19 : i4 to f4E2M1FN
      linalg.yield %20 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%2 : tensor<4x96x2x16x2xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %15 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %15 : bf16
    } -> tensor<4x96x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %3 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
    %4 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %5 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%4 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %15 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %15 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %15 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %15 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x32xbf16>
    %9 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %10 = tensor.empty() : tensor<4x96x2x32xbf16>
    %11 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed, %9 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%10 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_3: bf16, %out: bf16):
      %15 = arith.mulf %in, %in_3 : bf16
      linalg.yield %15 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_2 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %12 = tensor.empty() : tensor<8xi32>
    %13 = linalg.generic {indexing_maps = [#map5], iterator_types = ["parallel"]} outs(%12 : tensor<8xi32>) {
    ^bb0(%out: i32):
      %15 = linalg.index 0 : index
      %16 = arith.index_cast %15 : index to i32
      linalg.yield %16 : i32
    } -> tensor<8xi32>
    %14:2 = scf.for %arg4 = %c0_i32 to %c4_i32 step %c1_i32 iter_args(%arg5 = %cst_1, %arg6 = %cst_0) -> (tensor<i32>, tensor<8x96xbf16>)  : i32 {
      %15 = tensor.empty() : tensor<i32>
      %16 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = []} ins(%arg5 : tensor<i32>) outs(%15 : tensor<i32>) {
      ^bb0(%in: i32, %out: i32):
        %63 = arith.addi %in, %c1_i32 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %17 = tensor.empty() : tensor<i1>
      %18 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = []} ins(%arg5 : tensor<i32>) outs(%17 : tensor<i1>) {
      ^bb0(%in: i32, %out: i1):
        %63 = arith.cmpi slt, %in, %c0_i32 : i32
        linalg.yield %63 : i1
      } -> tensor<i1>
      %19 = tensor.empty() : tensor<i32>
      %20 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = []} ins(%arg5 : tensor<i32>) outs(%19 : tensor<i32>) {
      ^bb0(%in: i32, %out: i32):
        %63 = arith.addi %in, %c5_i32 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %21 = tensor.empty() : tensor<i32>
      %22 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6], iterator_types = []} ins(%18, %20, %arg5 : tensor<i1>, tensor<i32>, tensor<i32>) outs(%21 : tensor<i32>) {
      ^bb0(%in: i1, %in_10: i32, %in_11: i32, %out: i32):
        %63 = arith.select %in, %in_10, %in_11 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %extracted = tensor.extract %22[] : tensor<i32>
      %23 = arith.index_cast %extracted : i32 to index
      %24 = arith.maxsi %23, %c0 : index
      %25 = arith.minsi %24, %c4 : index
      %extracted_slice = tensor.extract_slice %arg3[%25] [1] [1] : tensor<5xi32> to tensor<1xi32>
      %collapsed_3 = tensor.collapse_shape %extracted_slice [] : tensor<1xi32> into tensor<i32>
      %26 = tensor.empty() : tensor<8xi32>
      %27 = linalg.generic {indexing_maps = [#map7, #map5], iterator_types = ["parallel"]} ins(%collapsed_3 : tensor<i32>) outs(%26 : tensor<8xi32>) {
      ^bb0(%in: i32, %out: i32):
        linalg.yield %in : i32
      } -> tensor<8xi32>
      %28 = tensor.empty() : tensor<8xi1>
      %29 = linalg.generic {indexing_maps = [#map5, #map5, #map5], iterator_types = ["parallel"]} ins(%13, %27 : tensor<8xi32>, tensor<8xi32>) outs(%28 : tensor<8xi1>) {
      ^bb0(%in: i32, %in_10: i32, %out: i1):
        %63 = arith.cmpi sge, %in, %in_10 : i32
        linalg.yield %63 : i1
      } -> tensor<8xi1>
      %30 = tensor.empty() : tensor<i1>
      %31 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = []} ins(%16 : tensor<i32>) outs(%30 : tensor<i1>) {
      ^bb0(%in: i32, %out: i1):
        %63 = arith.cmpi slt, %in, %c0_i32 : i32
        linalg.yield %63 : i1
      } -> tensor<i1>
      %32 = tensor.empty() : tensor<i32>
      %33 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = []} ins(%16 : tensor<i32>) outs(%32 : tensor<i32>) {
      ^bb0(%in: i32, %out: i32):
        %63 = arith.addi %in, %c5_i32 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %34 = tensor.empty() : tensor<i32>
      %35 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6], iterator_types = []} ins(%31, %33, %16 : tensor<i1>, tensor<i32>, tensor<i32>) outs(%34 : tensor<i32>) {
      ^bb0(%in: i1, %in_10: i32, %in_11: i32, %out: i32):
        %63 = arith.select %in, %in_10, %in_11 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %extracted_4 = tensor.extract %35[] : tensor<i32>
      %36 = arith.index_cast %extracted_4 : i32 to index
      %37 = arith.maxsi %36, %c0 : index
      %38 = arith.minsi %37, %c4 : index
      %extracted_slice_5 = tensor.extract_slice %arg3[%38] [1] [1] : tensor<5xi32> to tensor<1xi32>
      %collapsed_6 = tensor.collapse_shape %extracted_slice_5 [] : tensor<1xi32> into tensor<i32>
      %39 = tensor.empty() : tensor<8xi32>
      %40 = linalg.generic {indexing_maps = [#map7, #map5], iterator_types = ["parallel"]} ins(%collapsed_6 : tensor<i32>) outs(%39 : tensor<8xi32>) {
      ^bb0(%in: i32, %out: i32):
        linalg.yield %in : i32
      } -> tensor<8xi32>
      %41 = tensor.empty() : tensor<8xi1>
      %42 = linalg.generic {indexing_maps = [#map5, #map5, #map5], iterator_types = ["parallel"]} ins(%13, %40 : tensor<8xi32>, tensor<8xi32>) outs(%41 : tensor<8xi1>) {
      ^bb0(%in: i32, %in_10: i32, %out: i1):
        %63 = arith.cmpi slt, %in, %in_10 : i32
        linalg.yield %63 : i1
      } -> tensor<8xi1>
      %43 = tensor.empty() : tensor<8xi1>
      %44 = linalg.generic {indexing_maps = [#map5, #map5, #map5], iterator_types = ["parallel"]} ins(%29, %42 : tensor<8xi1>, tensor<8xi1>) outs(%43 : tensor<8xi1>) {
      ^bb0(%in: i1, %in_10: i1, %out: i1):
        %63 = arith.andi %in, %in_10 : i1
        linalg.yield %63 : i1
      } -> tensor<8xi1>
      %45 = tensor.empty() : tensor<i32>
      %46 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = []} ins(%arg5 : tensor<i32>) outs(%45 : tensor<i32>) {
      ^bb0(%in: i32, %out: i32):
        %63 = arith.addi %in, %c4_i32 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %47 = tensor.empty() : tensor<i32>
      %48 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6], iterator_types = []} ins(%18, %46, %arg5 : tensor<i1>, tensor<i32>, tensor<i32>) outs(%47 : tensor<i32>) {
      ^bb0(%in: i1, %in_10: i32, %in_11: i32, %out: i32):
        %63 = arith.select %in, %in_10, %in_11 : i32
        linalg.yield %63 : i32
      } -> tensor<i32>
      %extracted_7 = tensor.extract %48[] : tensor<i32>
      %49 = arith.index_cast %extracted_7 : i32 to index
      %50 = arith.maxsi %49, %c0 : index
      %51 = arith.minsi %50, %c3 : index
      %extracted_slice_8 = tensor.extract_slice %collapsed_2[%51, 0, 0] [1, 96, 64] [1, 1, 1] : tensor<4x96x64xbf16> to tensor<1x96x64xbf16>
      %collapsed_9 = tensor.collapse_shape %extracted_slice_8 [[0, 1], [2]] : tensor<1x96x64xbf16> into tensor<96x64xbf16>
      %52 = tensor.empty() : tensor<64x96xbf16>
      %53 = linalg.generic {indexing_maps = [#map8, #map9], iterator_types = ["parallel", "parallel"]} ins(%collapsed_9 : tensor<96x64xbf16>) outs(%52 : tensor<64x96xbf16>) {
      ^bb0(%in: bf16, %out: bf16):
        linalg.yield %in : bf16
      } -> tensor<64x96xbf16>
      %54 = tensor.empty() : tensor<8x96xf32>
      %55 = linalg.fill ins(%cst : f32) outs(%54 : tensor<8x96xf32>) -> tensor<8x96xf32>
      %56 = linalg.matmul ins(%arg0, %53 : tensor<8x64xbf16>, tensor<64x96xbf16>) outs(%55 : tensor<8x96xf32>) -> tensor<8x96xf32>
      %57 = tensor.empty() : tensor<8x96xbf16>
      %58 = linalg.generic {indexing_maps = [#map9, #map9], iterator_types = ["parallel", "parallel"]} ins(%56 : tensor<8x96xf32>) outs(%57 : tensor<8x96xbf16>) {
      ^bb0(%in: f32, %out: bf16):
        %63 = arith.truncf %in : f32 to bf16
        linalg.yield %63 : bf16
      } -> tensor<8x96xbf16>
      %expanded = tensor.expand_shape %44 [[0, 1]] output_shape [8, 1] : tensor<8xi1> into tensor<8x1xi1>
      %59 = tensor.empty() : tensor<8x96xi1>
      %60 = linalg.generic {indexing_maps = [#map10, #map9], iterator_types = ["parallel", "parallel"]} ins(%expanded : tensor<8x1xi1>) outs(%59 : tensor<8x96xi1>) {
      ^bb0(%in: i1, %out: i1):
        linalg.yield %in : i1
      } -> tensor<8x96xi1>
      %61 = tensor.empty() : tensor<8x96xbf16>
      %62 = linalg.generic {indexing_maps = [#map9, #map9, #map9, #map9], iterator_types = ["parallel", "parallel"]} ins(%60, %58, %arg6 : tensor<8x96xi1>, tensor<8x96xbf16>, tensor<8x96xbf16>) outs(%61 : tensor<8x96xbf16>) {
      ^bb0(%in: i1, %in_10: bf16, %in_11: bf16, %out: bf16):
        %63 = arith.select %in, %in_10, %in_11 : bf16
        linalg.yield %63 : bf16
      } -> tensor<8x96xbf16>
      scf.yield %16, %62 : tensor<i32>, tensor<8x96xbf16>
    }
    return %14#1 : tensor<8x96xbf16>
  }
}

