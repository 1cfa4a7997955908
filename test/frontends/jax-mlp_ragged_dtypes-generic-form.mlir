// full gpt-oss MLP, sorted rows, ragged_dot
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)', then
//   inline,canonicalize,cse,func.func(iree-global-opt-propagate-linalg-transpose,canonicalize,
//   iree-dispatch-creation-bubble-up-expand-shapes,iree-dispatch-creation-elementwise-op-fusion,canonicalize,cse), printed in generic form (--mlir-print-op-generic)
//   and read by mlir-opt-22 --allow-unregistered-dialect: iree_linalg_ext.topk/sort/scatter stay unregistered
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d2)>
#map4 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1)>
#map6 = affine_map<(d0, d1) -> (d0, d1)>
#map7 = affine_map<(d0, d1) -> (d0)>
#map8 = affine_map<(d0) -> (d0)>
#map9 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map10 = affine_map<(d0, d1) -> ()>
#map11 = affine_map<() -> ()>
#map12 = affine_map<(d0, d1) -> (d0, 0)>
module @jit_mlp_ragged_dtypes {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x64xbf16>, %arg2: tensor<4x128x2x16xi8> {iree.abi.encoding = tensor<4x128x2x16xui8>}, %arg3: tensor<4x128x2xi8> {iree.abi.encoding = tensor<4x128x2xui8>}, %arg4: tensor<4x128xbf16>, %arg5: tensor<4x64x2x16xi8> {iree.abi.encoding = tensor<4x64x2x16xui8>}, %arg6: tensor<4x64x2xi8> {iree.abi.encoding = tensor<4x64x2xui8>}, %arg7: tensor<4x64xbf16>) -> tensor<8x64xbf16> {
    %cst = arith.constant dense<0.000000e+00> : tensor<8x1x64xbf16>
    %cst_0 = arith.constant -7.000000e+00 : bf16
    %cst_1 = arith.constant 1.000000e+00 : bf16
    %cst_2 = arith.constant 1.703130e+00 : bf16
    %cst_3 = arith.constant 7.000000e+00 : bf16
    %cst_4 = arith.constant 0.000000e+00 : bf16
    %c0_i64 = arith.constant 0 : i64
    %c8_i32 = arith.constant 8 : i32
    %c4_i32 = arith.constant 4 : i32
    %c16_i32 = arith.constant 16 : i32
    %c31_i32 = arith.constant 31 : i32
    %c1_i32 = arith.constant 1 : i32
    %c0_i32 = arith.constant 0 : i32
    %c2_i32 = arith.constant 2 : i32
    %c2147483647_i32 = arith.constant 2147483647 : i32
    %cst_5 = arith.constant 0xFF800000 : f32
    %cst_6 = arith.constant 0.000000e+00 : f32
    %c4_i8 = arith.constant 4 : i8
    %cst_7 = arith.constant dense<1> : tensor<16xi32>
    %cst_8 = arith.constant dense<0> : tensor<4xi32>
    %0 = tensor.empty() : tensor<4x128x2x16x2xbf16>
    %1 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg2, %arg3 : tensor<4x128x2x16xi8>, tensor<4x128x2xi8>) outs(%0 : tensor<4x128x2x16x2xbf16>) {
    ^bb0(%in: i8, %in_66: i8, %out: bf16):
      %77 = linalg.index 4 : index
      %78 = arith.index_cast %77 : index to i8
      %79 = arith.muli %78, %c4_i8 : i8
      %80 = arith.shrui %in, %79 : i8
      %81 = arith.trunci %80 : i8 to i4
      %82 = arith.bitcast %81 : i4 to f4E2M1FN
      %83 = arith.bitcast %in_66 : i8 to f8E8M0FNU
      %84 = arith.extf %83 : f8E8M0FNU to bf16
      %85 = arith.extf %82 : f4E2M1FN to bf16
      %86 = arith.mulf %85, %84 : bf16
      linalg.yield %86 : bf16
    } -> tensor<4x128x2x16x2xbf16>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2, 3, 4]] : tensor<4x128x2x16x2xbf16> into tensor<4x128x64xbf16>
    %2 = tensor.empty() : tensor<4x64x2x16x2xbf16>
    %3 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg5, %arg6 : tensor<4x64x2x16xi8>, tensor<4x64x2xi8>) outs(%2 : tensor<4x64x2x16x2xbf16>) {
    ^bb0(%in: i8, %in_66: i8, %out: bf16):
      %77 = linalg.index 4 : index
      %78 = arith.index_cast %77 : index to i8
      %79 = arith.muli %78, %c4_i8 : i8
      %80 = arith.shrui %in, %79 : i8
      %81 = arith.trunci %80 : i8 to i4
      %82 = arith.bitcast %81 : i4 to f4E2M1FN
      %83 = arith.bitcast %in_66 : i8 to f8E8M0FNU
      %84 = arith.extf %83 : f8E8M0FNU to bf16
      %85 = arith.extf %82 : f4E2M1FN to bf16
      %86 = arith.mulf %85, %84 : bf16
      linalg.yield %86 : bf16
    } -> tensor<4x64x2x16x2xbf16>
    %collapsed_9 = tensor.collapse_shape %3 [[0], [1], [2, 3, 4]] : tensor<4x64x2x16x2xbf16> into tensor<4x64x64xbf16>
    %4 = tensor.empty() : tensor<8x4xf32>
    %5 = linalg.fill ins(%cst_6 : f32) outs(%4 : tensor<8x4xf32>) -> tensor<8x4xf32>
    %6 = linalg.matmul indexing_maps = [#map3, #map4, #map5] ins(%arg0, %arg1 : tensor<8x64xbf16>, tensor<4x64xbf16>) outs(%5 : tensor<8x4xf32>) -> tensor<8x4xf32>
    %7 = tensor.empty() : tensor<8x2xf32>
    %8 = tensor.empty() : tensor<8x2xi32>
    %9 = linalg.fill ins(%cst_5 : f32) outs(%7 : tensor<8x2xf32>) -> tensor<8x2xf32>
    %10 = linalg.fill ins(%c2147483647_i32 : i32) outs(%8 : tensor<8x2xi32>) -> tensor<8x2xi32>
    %11:2 = "iree_linalg_ext.topk"(%6, %9, %10) <{dimension = 1 : i64}> ({
    ^bb0(%arg8: f32, %arg9: f32):
      %77 = arith.cmpf ogt, %arg8, %arg9 : f32
      "iree_linalg_ext.yield"(%77) : (i1) -> ()
    }) : (tensor<8x4xf32>, tensor<8x2xf32>, tensor<8x2xi32>) -> (tensor<8x2xf32>, tensor<8x2xi32>)
    %12 = tensor.empty() : tensor<8xf32>
    %13 = linalg.fill ins(%cst_5 : f32) outs(%12 : tensor<8xf32>) -> tensor<8xf32>
    %14 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "reduction"]} ins(%11#0 : tensor<8x2xf32>) outs(%13 : tensor<8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %77 = arith.maximumf %out, %in : f32
      linalg.yield %77 : f32
    } -> tensor<8xf32>
    %15 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%11#0, %14 : tensor<8x2xf32>, tensor<8xf32>) outs(%7 : tensor<8x2xf32>) {
    ^bb0(%in: f32, %in_66: f32, %out: f32):
      %77 = arith.subf %in, %in_66 : f32
      %78 = math.exp %77 : f32
      linalg.yield %78 : f32
    } -> tensor<8x2xf32>
    %16 = linalg.fill ins(%cst_6 : f32) outs(%12 : tensor<8xf32>) -> tensor<8xf32>
    %17 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "reduction"]} ins(%15 : tensor<8x2xf32>) outs(%16 : tensor<8xf32>) {
    ^bb0(%in: f32, %out: f32):
      %77 = arith.addf %out, %in : f32
      linalg.yield %77 : f32
    } -> tensor<8xf32>
    %18 = linalg.generic {indexing_maps = [#map6, #map7, #map6], iterator_types = ["parallel", "parallel"]} ins(%15, %17 : tensor<8x2xf32>, tensor<8xf32>) outs(%7 : tensor<8x2xf32>) {
    ^bb0(%in: f32, %in_66: f32, %out: f32):
      %77 = arith.divf %in, %in_66 : f32
      linalg.yield %77 : f32
    } -> tensor<8x2xf32>
    %collapsed_10 = tensor.collapse_shape %11#1 [[0, 1]] : tensor<8x2xi32> into tensor<16xi32>
    %19 = tensor.empty() : tensor<16xi32>
    %20 = linalg.generic {indexing_maps = [#map8], iterator_types = ["parallel"]} outs(%19 : tensor<16xi32>) {
    ^bb0(%out: i32):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i32
      linalg.yield %78 : i32
    } -> tensor<16xi32>
    %21:2 = "iree_linalg_ext.sort"(%collapsed_10, %20) <{dimension = 0 : i64, operandSegmentSizes = array<i32: 0, 2>}> ({
    ^bb0(%arg8: i32, %arg9: i32, %arg10: i32, %arg11: i32):
      %77 = arith.cmpi slt, %arg8, %arg9 : i32
      "iree_linalg_ext.yield"(%77) : (i1) -> ()
    }) : (tensor<16xi32>, tensor<16xi32>) -> (tensor<16xi32>, tensor<16xi32>)
    %22 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel"]} ins(%21#1 : tensor<16xi32>) outs(%19 : tensor<16xi32>) {
    ^bb0(%in: i32, %out: i32):
      %77 = arith.divsi %in, %c2_i32 : i32
      %78 = arith.remsi %in, %c2_i32 : i32
      %79 = arith.cmpi eq, %in, %c0_i32 : i32
      %80 = arith.shrsi %in, %c31_i32 : i32
      %81 = arith.ori %80, %c1_i32 : i32
      %82 = arith.select %79, %c0_i32, %81 : i32
      %83 = arith.subi %77, %c1_i32 : i32
      %84 = arith.cmpi ne, %78, %c0_i32 : i32
      %85 = arith.cmpi ne, %82, %c1_i32 : i32
      %86 = arith.andi %85, %84 : i1
      %87 = arith.select %86, %83, %77 : i32
      linalg.yield %87 : i32
    } -> tensor<16xi32>
    %expanded = tensor.expand_shape %21#1 [[0, 1]] output_shape [16, 1] : tensor<16xi32> into tensor<16x1xi32>
    %23 = tensor.empty() : tensor<16x1xi32>
    %24 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%expanded, %expanded, %expanded : tensor<16x1xi32>, tensor<16x1xi32>, tensor<16x1xi32>) outs(%23 : tensor<16x1xi32>) {
    ^bb0(%in: i32, %in_66: i32, %in_67: i32, %out: i32):
      %77 = arith.addi %in_66, %c16_i32 : i32
      %78 = arith.cmpi slt, %in, %c0_i32 : i32
      %79 = arith.select %78, %77, %in_67 : i32
      linalg.yield %79 : i32
    } -> tensor<16x1xi32>
    %25 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%11#1 : tensor<8x2xi32>) outs(%8 : tensor<8x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %77 = arith.maxsi %in, %c0_i32 : i32
      linalg.yield %77 : i32
    } -> tensor<8x2xi32>
    %collapsed_11 = tensor.collapse_shape %25 [[0, 1]] : tensor<8x2xi32> into tensor<16xi32>
    %expanded_12 = tensor.expand_shape %collapsed_11 [[0, 1]] output_shape [16, 1] : tensor<16xi32> into tensor<16x1xi32>
    %26 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%expanded_12, %expanded_12, %expanded_12 : tensor<16x1xi32>, tensor<16x1xi32>, tensor<16x1xi32>) outs(%23 : tensor<16x1xi32>) {
    ^bb0(%in: i32, %in_66: i32, %in_67: i32, %out: i32):
      %77 = arith.addi %in_66, %c4_i32 : i32
      %78 = arith.cmpi slt, %in, %c0_i32 : i32
      %79 = arith.select %78, %77, %in_67 : i32
      linalg.yield %79 : i32
    } -> tensor<16x1xi32>
    %27 = "iree_linalg_ext.scatter"(%cst_7, %26, %cst_8) <{dimension_map = array<i64: 0>, unique_indices = false}> ({
    ^bb0(%arg8: i32, %arg9: i32):
      %77 = arith.addi %arg9, %arg8 : i32
      "iree_linalg_ext.yield"(%77) : (i32) -> ()
    }) : (tensor<16xi32>, tensor<16x1xi32>, tensor<4xi32>) -> tensor<4xi32>
    %expanded_13 = tensor.expand_shape %22 [[0, 1]] output_shape [16, 1] : tensor<16xi32> into tensor<16x1xi32>
    %28 = linalg.generic {indexing_maps = [#map6, #map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%expanded_13, %expanded_13, %expanded_13 : tensor<16x1xi32>, tensor<16x1xi32>, tensor<16x1xi32>) outs(%23 : tensor<16x1xi32>) {
    ^bb0(%in: i32, %in_66: i32, %in_67: i32, %out: i32):
      %77 = arith.addi %in_66, %c8_i32 : i32
      %78 = arith.cmpi slt, %in, %c0_i32 : i32
      %79 = arith.select %78, %77, %in_67 : i32
      linalg.yield %79 : i32
    } -> tensor<16x1xi32>
    %29 = tensor.empty() : tensor<16x1x64xbf16>
    %30 = linalg.generic {indexing_maps = [#map5, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%28 : tensor<16x1xi32>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %77 = arith.index_cast %in : i32 to index
      %78 = linalg.index 2 : index
      %extracted = tensor.extract %arg0[%77, %78] : tensor<8x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<16x1x64xbf16>
    %extracted_slice = tensor.extract_slice %27[0] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %31 = tensor.empty() : tensor<1xi64>
    %32 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel"]} ins(%extracted_slice : tensor<1xi32>) outs(%31 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %77 = arith.extsi %in : i32 to i64
      linalg.yield %77 : i64
    } -> tensor<1xi64>
    %collapsed_14 = tensor.collapse_shape %32 [] : tensor<1xi64> into tensor<i64>
    %33 = tensor.empty() : tensor<16x64xi1>
    %34 = linalg.generic {indexing_maps = [#map10, #map6], iterator_types = ["parallel", "parallel"]} ins(%collapsed_14 : tensor<i64>) outs(%33 : tensor<16x64xi1>) {
    ^bb0(%in: i64, %out: i1):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in : i64
      %80 = arith.cmpi sge, %78, %c0_i64 : i64
      %81 = arith.andi %80, %79 : i1
      linalg.yield %81 : i1
    } -> tensor<16x64xi1>
    %35 = tensor.empty() : tensor<16x64xbf16>
    %expanded_15 = tensor.expand_shape %34 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xi1> into tensor<16x1x64xi1>
    %36 = linalg.generic {indexing_maps = [#map9, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_15, %30 : tensor<16x1x64xi1>, tensor<16x1x64xbf16>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: i1, %in_66: bf16, %out: bf16):
      %77 = arith.select %in, %in_66, %cst_4 : bf16
      linalg.yield %77 : bf16
    } -> tensor<16x1x64xbf16>
    %collapsed_16 = tensor.collapse_shape %36 [[0], [1, 2]] : tensor<16x1x64xbf16> into tensor<16x64xbf16>
    %extracted_slice_17 = tensor.extract_slice %collapsed[0, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<4x128x64xbf16> to tensor<1x128x64xbf16>
    %37 = tensor.empty() : tensor<1x64x128xbf16>
    %transposed = linalg.transpose ins(%extracted_slice_17 : tensor<1x128x64xbf16>) outs(%37 : tensor<1x64x128xbf16>) permutation = [0, 2, 1] 
    %collapsed_18 = tensor.collapse_shape %transposed [[0, 1], [2]] : tensor<1x64x128xbf16> into tensor<64x128xbf16>
    %38 = tensor.empty() : tensor<16x128xf32>
    %39 = linalg.fill ins(%cst_6 : f32) outs(%38 : tensor<16x128xf32>) -> tensor<16x128xf32>
    %40 = linalg.matmul ins(%collapsed_16, %collapsed_18 : tensor<16x64xbf16>, tensor<64x128xbf16>) outs(%39 : tensor<16x128xf32>) -> tensor<16x128xf32>
    %extracted_slice_19 = tensor.extract_slice %27[1] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %41 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel"]} ins(%extracted_slice_19 : tensor<1xi32>) outs(%31 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %77 = arith.extsi %in : i32 to i64
      linalg.yield %77 : i64
    } -> tensor<1xi64>
    %collapsed_20 = tensor.collapse_shape %41 [] : tensor<1xi64> into tensor<i64>
    %42 = tensor.empty() : tensor<i64>
    %43 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = []} ins(%collapsed_14, %collapsed_20 : tensor<i64>, tensor<i64>) outs(%42 : tensor<i64>) {
    ^bb0(%in: i64, %in_66: i64, %out: i64):
      %77 = arith.addi %in, %in_66 : i64
      linalg.yield %77 : i64
    } -> tensor<i64>
    %44 = linalg.generic {indexing_maps = [#map10, #map10, #map6], iterator_types = ["parallel", "parallel"]} ins(%collapsed_14, %43 : tensor<i64>, tensor<i64>) outs(%33 : tensor<16x64xi1>) {
    ^bb0(%in: i64, %in_66: i64, %out: i1):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in_66 : i64
      %80 = arith.cmpi sge, %78, %in : i64
      %81 = arith.andi %80, %79 : i1
      linalg.yield %81 : i1
    } -> tensor<16x64xi1>
    %expanded_21 = tensor.expand_shape %44 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xi1> into tensor<16x1x64xi1>
    %45 = linalg.generic {indexing_maps = [#map9, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_21, %30 : tensor<16x1x64xi1>, tensor<16x1x64xbf16>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: i1, %in_66: bf16, %out: bf16):
      %77 = arith.select %in, %in_66, %cst_4 : bf16
      linalg.yield %77 : bf16
    } -> tensor<16x1x64xbf16>
    %collapsed_22 = tensor.collapse_shape %45 [[0], [1, 2]] : tensor<16x1x64xbf16> into tensor<16x64xbf16>
    %extracted_slice_23 = tensor.extract_slice %collapsed[1, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<4x128x64xbf16> to tensor<1x128x64xbf16>
    %transposed_24 = linalg.transpose ins(%extracted_slice_23 : tensor<1x128x64xbf16>) outs(%37 : tensor<1x64x128xbf16>) permutation = [0, 2, 1] 
    %collapsed_25 = tensor.collapse_shape %transposed_24 [[0, 1], [2]] : tensor<1x64x128xbf16> into tensor<64x128xbf16>
    %46 = linalg.matmul ins(%collapsed_22, %collapsed_25 : tensor<16x64xbf16>, tensor<64x128xbf16>) outs(%39 : tensor<16x128xf32>) -> tensor<16x128xf32>
    %expanded_26 = tensor.expand_shape %40 [[0], [1, 2]] output_shape [16, 1, 128] : tensor<16x128xf32> into tensor<16x1x128xf32>
    %expanded_27 = tensor.expand_shape %46 [[0], [1, 2]] output_shape [16, 1, 128] : tensor<16x128xf32> into tensor<16x1x128xf32>
    %extracted_slice_28 = tensor.extract_slice %27[2] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %47 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel"]} ins(%extracted_slice_28 : tensor<1xi32>) outs(%31 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %77 = arith.extsi %in : i32 to i64
      linalg.yield %77 : i64
    } -> tensor<1xi64>
    %collapsed_29 = tensor.collapse_shape %47 [] : tensor<1xi64> into tensor<i64>
    %48 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = []} ins(%43, %collapsed_29 : tensor<i64>, tensor<i64>) outs(%42 : tensor<i64>) {
    ^bb0(%in: i64, %in_66: i64, %out: i64):
      %77 = arith.addi %in, %in_66 : i64
      linalg.yield %77 : i64
    } -> tensor<i64>
    %49 = linalg.generic {indexing_maps = [#map10, #map10, #map6], iterator_types = ["parallel", "parallel"]} ins(%43, %48 : tensor<i64>, tensor<i64>) outs(%33 : tensor<16x64xi1>) {
    ^bb0(%in: i64, %in_66: i64, %out: i1):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in_66 : i64
      %80 = arith.cmpi sge, %78, %in : i64
      %81 = arith.andi %80, %79 : i1
      linalg.yield %81 : i1
    } -> tensor<16x64xi1>
    %expanded_30 = tensor.expand_shape %49 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xi1> into tensor<16x1x64xi1>
    %50 = linalg.generic {indexing_maps = [#map9, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_30, %30 : tensor<16x1x64xi1>, tensor<16x1x64xbf16>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: i1, %in_66: bf16, %out: bf16):
      %77 = arith.select %in, %in_66, %cst_4 : bf16
      linalg.yield %77 : bf16
    } -> tensor<16x1x64xbf16>
    %collapsed_31 = tensor.collapse_shape %50 [[0], [1, 2]] : tensor<16x1x64xbf16> into tensor<16x64xbf16>
    %extracted_slice_32 = tensor.extract_slice %collapsed[2, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<4x128x64xbf16> to tensor<1x128x64xbf16>
    %transposed_33 = linalg.transpose ins(%extracted_slice_32 : tensor<1x128x64xbf16>) outs(%37 : tensor<1x64x128xbf16>) permutation = [0, 2, 1] 
    %collapsed_34 = tensor.collapse_shape %transposed_33 [[0, 1], [2]] : tensor<1x64x128xbf16> into tensor<64x128xbf16>
    %51 = linalg.matmul ins(%collapsed_31, %collapsed_34 : tensor<16x64xbf16>, tensor<64x128xbf16>) outs(%39 : tensor<16x128xf32>) -> tensor<16x128xf32>
    %expanded_35 = tensor.expand_shape %51 [[0], [1, 2]] output_shape [16, 1, 128] : tensor<16x128xf32> into tensor<16x1x128xf32>
    %extracted_slice_36 = tensor.extract_slice %27[3] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %52 = linalg.generic {indexing_maps = [#map8, #map8], iterator_types = ["parallel"]} ins(%extracted_slice_36 : tensor<1xi32>) outs(%31 : tensor<1xi64>) {
    ^bb0(%in: i32, %out: i64):
      %77 = arith.extsi %in : i32 to i64
      linalg.yield %77 : i64
    } -> tensor<1xi64>
    %collapsed_37 = tensor.collapse_shape %52 [] : tensor<1xi64> into tensor<i64>
    %53 = linalg.generic {indexing_maps = [#map11, #map11, #map11], iterator_types = []} ins(%48, %collapsed_37 : tensor<i64>, tensor<i64>) outs(%42 : tensor<i64>) {
    ^bb0(%in: i64, %in_66: i64, %out: i64):
      %77 = arith.addi %in, %in_66 : i64
      linalg.yield %77 : i64
    } -> tensor<i64>
    %54 = linalg.generic {indexing_maps = [#map10, #map10, #map6], iterator_types = ["parallel", "parallel"]} ins(%48, %53 : tensor<i64>, tensor<i64>) outs(%33 : tensor<16x64xi1>) {
    ^bb0(%in: i64, %in_66: i64, %out: i1):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in_66 : i64
      %80 = arith.cmpi sge, %78, %in : i64
      %81 = arith.andi %80, %79 : i1
      linalg.yield %81 : i1
    } -> tensor<16x64xi1>
    %expanded_38 = tensor.expand_shape %54 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xi1> into tensor<16x1x64xi1>
    %55 = linalg.generic {indexing_maps = [#map9, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_38, %30 : tensor<16x1x64xi1>, tensor<16x1x64xbf16>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: i1, %in_66: bf16, %out: bf16):
      %77 = arith.select %in, %in_66, %cst_4 : bf16
      linalg.yield %77 : bf16
    } -> tensor<16x1x64xbf16>
    %collapsed_39 = tensor.collapse_shape %55 [[0], [1, 2]] : tensor<16x1x64xbf16> into tensor<16x64xbf16>
    %extracted_slice_40 = tensor.extract_slice %collapsed[3, 0, 0] [1, 128, 64] [1, 1, 1] : tensor<4x128x64xbf16> to tensor<1x128x64xbf16>
    %transposed_41 = linalg.transpose ins(%extracted_slice_40 : tensor<1x128x64xbf16>) outs(%37 : tensor<1x64x128xbf16>) permutation = [0, 2, 1] 
    %collapsed_42 = tensor.collapse_shape %transposed_41 [[0, 1], [2]] : tensor<1x64x128xbf16> into tensor<64x128xbf16>
    %56 = linalg.matmul ins(%collapsed_39, %collapsed_42 : tensor<16x64xbf16>, tensor<64x128xbf16>) outs(%39 : tensor<16x128xf32>) -> tensor<16x128xf32>
    %expanded_43 = tensor.expand_shape %56 [[0], [1, 2]] output_shape [16, 1, 128] : tensor<16x128xf32> into tensor<16x1x128xf32>
    %57 = tensor.empty() : tensor<16x1x128xbf16>
    %58 = linalg.generic {indexing_maps = [#map9, #map9, #map9, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_26, %expanded_27, %expanded_35, %expanded_43 : tensor<16x1x128xf32>, tensor<16x1x128xf32>, tensor<16x1x128xf32>, tensor<16x1x128xf32>) outs(%57 : tensor<16x1x128xbf16>) {
    ^bb0(%in: f32, %in_66: f32, %in_67: f32, %in_68: f32, %out: bf16):
      %77 = arith.addf %in, %in_66 : f32
      %78 = arith.addf %77, %in_67 : f32
      %79 = arith.addf %78, %in_68 : f32
      %80 = arith.truncf %79 : f32 to bf16
      linalg.yield %80 : bf16
    } -> tensor<16x1x128xbf16>
    %59 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%24 : tensor<16x1xi32>) outs(%23 : tensor<16x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      %77 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %collapsed_10[%77] : tensor<16xi32>
      %78 = arith.addi %extracted, %c4_i32 : i32
      %79 = arith.cmpi slt, %extracted, %c0_i32 : i32
      %80 = arith.select %79, %78, %extracted : i32
      linalg.yield %80 : i32
    } -> tensor<16x1xi32>
    %60 = linalg.generic {indexing_maps = [#map9, #map5, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%58, %59 : tensor<16x1x128xbf16>, tensor<16x1xi32>) outs(%57 : tensor<16x1x128xbf16>) {
    ^bb0(%in: bf16, %in_66: i32, %out: bf16):
      %77 = linalg.index 2 : index
      %78 = arith.index_cast %in_66 : i32 to index
      %extracted = tensor.extract %arg4[%78, %77] : tensor<4x128xbf16>
      %79 = arith.addf %in, %extracted : bf16
      linalg.yield %79 : bf16
    } -> tensor<16x1x128xbf16>
    %collapsed_44 = tensor.collapse_shape %60 [[0], [1, 2]] : tensor<16x1x128xbf16> into tensor<16x128xbf16>
    %extracted_slice_45 = tensor.extract_slice %collapsed_44[0, 0] [16, 64] [1, 2] : tensor<16x128xbf16> to tensor<16x64xbf16>
    %extracted_slice_46 = tensor.extract_slice %collapsed_44[0, 1] [16, 64] [1, 2] : tensor<16x128xbf16> to tensor<16x64xbf16>
    %61 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%extracted_slice_45, %extracted_slice_46 : tensor<16x64xbf16>, tensor<16x64xbf16>) outs(%35 : tensor<16x64xbf16>) {
    ^bb0(%in: bf16, %in_66: bf16, %out: bf16):
      %77 = arith.minimumf %in, %cst_3 : bf16
      %78 = arith.maximumf %in_66, %cst_0 : bf16
      %79 = arith.mulf %77, %cst_2 : bf16
      %80 = arith.negf %79 : bf16
      %81 = math.exp %80 : bf16
      %82 = arith.minimumf %78, %cst_3 : bf16
      %83 = arith.addf %81, %cst_1 : bf16
      %84 = arith.divf %cst_1, %83 : bf16
      %85 = arith.addf %82, %cst_1 : bf16
      %86 = arith.mulf %77, %84 : bf16
      %87 = arith.mulf %86, %85 : bf16
      linalg.yield %87 : bf16
    } -> tensor<16x64xbf16>
    %62 = linalg.generic {indexing_maps = [#map10, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%collapsed_14, %61 : tensor<i64>, tensor<16x64xbf16>) outs(%35 : tensor<16x64xbf16>) {
    ^bb0(%in: i64, %in_66: bf16, %out: bf16):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in : i64
      %80 = arith.cmpi sge, %78, %c0_i64 : i64
      %81 = arith.andi %80, %79 : i1
      %82 = arith.select %81, %in_66, %cst_4 : bf16
      linalg.yield %82 : bf16
    } -> tensor<16x64xbf16>
    %extracted_slice_47 = tensor.extract_slice %collapsed_9[0, 0, 0] [1, 64, 64] [1, 1, 1] : tensor<4x64x64xbf16> to tensor<1x64x64xbf16>
    %63 = tensor.empty() : tensor<1x64x64xbf16>
    %transposed_48 = linalg.transpose ins(%extracted_slice_47 : tensor<1x64x64xbf16>) outs(%63 : tensor<1x64x64xbf16>) permutation = [0, 2, 1] 
    %collapsed_49 = tensor.collapse_shape %transposed_48 [[0, 1], [2]] : tensor<1x64x64xbf16> into tensor<64x64xbf16>
    %64 = tensor.empty() : tensor<16x64xf32>
    %65 = linalg.fill ins(%cst_6 : f32) outs(%64 : tensor<16x64xf32>) -> tensor<16x64xf32>
    %66 = linalg.matmul ins(%62, %collapsed_49 : tensor<16x64xbf16>, tensor<64x64xbf16>) outs(%65 : tensor<16x64xf32>) -> tensor<16x64xf32>
    %67 = linalg.generic {indexing_maps = [#map10, #map10, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%collapsed_14, %43, %61 : tensor<i64>, tensor<i64>, tensor<16x64xbf16>) outs(%35 : tensor<16x64xbf16>) {
    ^bb0(%in: i64, %in_66: i64, %in_67: bf16, %out: bf16):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in_66 : i64
      %80 = arith.cmpi sge, %78, %in : i64
      %81 = arith.andi %80, %79 : i1
      %82 = arith.select %81, %in_67, %cst_4 : bf16
      linalg.yield %82 : bf16
    } -> tensor<16x64xbf16>
    %extracted_slice_50 = tensor.extract_slice %collapsed_9[1, 0, 0] [1, 64, 64] [1, 1, 1] : tensor<4x64x64xbf16> to tensor<1x64x64xbf16>
    %transposed_51 = linalg.transpose ins(%extracted_slice_50 : tensor<1x64x64xbf16>) outs(%63 : tensor<1x64x64xbf16>) permutation = [0, 2, 1] 
    %collapsed_52 = tensor.collapse_shape %transposed_51 [[0, 1], [2]] : tensor<1x64x64xbf16> into tensor<64x64xbf16>
    %68 = linalg.matmul ins(%67, %collapsed_52 : tensor<16x64xbf16>, tensor<64x64xbf16>) outs(%65 : tensor<16x64xf32>) -> tensor<16x64xf32>
    %expanded_53 = tensor.expand_shape %66 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xf32> into tensor<16x1x64xf32>
    %expanded_54 = tensor.expand_shape %68 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xf32> into tensor<16x1x64xf32>
    %69 = linalg.generic {indexing_maps = [#map10, #map10, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%43, %48, %61 : tensor<i64>, tensor<i64>, tensor<16x64xbf16>) outs(%35 : tensor<16x64xbf16>) {
    ^bb0(%in: i64, %in_66: i64, %in_67: bf16, %out: bf16):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in_66 : i64
      %80 = arith.cmpi sge, %78, %in : i64
      %81 = arith.andi %80, %79 : i1
      %82 = arith.select %81, %in_67, %cst_4 : bf16
      linalg.yield %82 : bf16
    } -> tensor<16x64xbf16>
    %extracted_slice_55 = tensor.extract_slice %collapsed_9[2, 0, 0] [1, 64, 64] [1, 1, 1] : tensor<4x64x64xbf16> to tensor<1x64x64xbf16>
    %transposed_56 = linalg.transpose ins(%extracted_slice_55 : tensor<1x64x64xbf16>) outs(%63 : tensor<1x64x64xbf16>) permutation = [0, 2, 1] 
    %collapsed_57 = tensor.collapse_shape %transposed_56 [[0, 1], [2]] : tensor<1x64x64xbf16> into tensor<64x64xbf16>
    %70 = linalg.matmul ins(%69, %collapsed_57 : tensor<16x64xbf16>, tensor<64x64xbf16>) outs(%65 : tensor<16x64xf32>) -> tensor<16x64xf32>
    %expanded_58 = tensor.expand_shape %70 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xf32> into tensor<16x1x64xf32>
    %71 = linalg.generic {indexing_maps = [#map10, #map10, #map6, #map6], iterator_types = ["parallel", "parallel"]} ins(%48, %53, %61 : tensor<i64>, tensor<i64>, tensor<16x64xbf16>) outs(%35 : tensor<16x64xbf16>) {
    ^bb0(%in: i64, %in_66: i64, %in_67: bf16, %out: bf16):
      %77 = linalg.index 0 : index
      %78 = arith.index_cast %77 : index to i64
      %79 = arith.cmpi slt, %78, %in_66 : i64
      %80 = arith.cmpi sge, %78, %in : i64
      %81 = arith.andi %80, %79 : i1
      %82 = arith.select %81, %in_67, %cst_4 : bf16
      linalg.yield %82 : bf16
    } -> tensor<16x64xbf16>
    %extracted_slice_59 = tensor.extract_slice %collapsed_9[3, 0, 0] [1, 64, 64] [1, 1, 1] : tensor<4x64x64xbf16> to tensor<1x64x64xbf16>
    %transposed_60 = linalg.transpose ins(%extracted_slice_59 : tensor<1x64x64xbf16>) outs(%63 : tensor<1x64x64xbf16>) permutation = [0, 2, 1] 
    %collapsed_61 = tensor.collapse_shape %transposed_60 [[0, 1], [2]] : tensor<1x64x64xbf16> into tensor<64x64xbf16>
    %72 = linalg.matmul ins(%71, %collapsed_61 : tensor<16x64xbf16>, tensor<64x64xbf16>) outs(%65 : tensor<16x64xf32>) -> tensor<16x64xf32>
    %expanded_62 = tensor.expand_shape %72 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xf32> into tensor<16x1x64xf32>
    %73 = linalg.generic {indexing_maps = [#map9, #map9, #map9, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%expanded_53, %expanded_54, %expanded_58, %expanded_62 : tensor<16x1x64xf32>, tensor<16x1x64xf32>, tensor<16x1x64xf32>, tensor<16x1x64xf32>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: f32, %in_66: f32, %in_67: f32, %in_68: f32, %out: bf16):
      %77 = arith.addf %in, %in_66 : f32
      %78 = arith.addf %77, %in_67 : f32
      %79 = arith.addf %78, %in_68 : f32
      %80 = arith.truncf %79 : f32 to bf16
      linalg.yield %80 : bf16
    } -> tensor<16x1x64xbf16>
    %collapsed_63 = tensor.collapse_shape %18 [[0, 1]] : tensor<8x2xf32> into tensor<16xf32>
    %74 = linalg.generic {indexing_maps = [#map12, #map6], iterator_types = ["parallel", "parallel"]} ins(%24 : tensor<16x1xi32>) outs(%35 : tensor<16x64xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %77 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %collapsed_63[%77] : tensor<16xf32>
      %78 = arith.truncf %extracted : f32 to bf16
      linalg.yield %78 : bf16
    } -> tensor<16x64xbf16>
    %expanded_64 = tensor.expand_shape %74 [[0], [1, 2]] output_shape [16, 1, 64] : tensor<16x64xbf16> into tensor<16x1x64xbf16>
    %75 = linalg.generic {indexing_maps = [#map9, #map5, #map9, #map9], iterator_types = ["parallel", "parallel", "parallel"]} ins(%73, %59, %expanded_64 : tensor<16x1x64xbf16>, tensor<16x1xi32>, tensor<16x1x64xbf16>) outs(%29 : tensor<16x1x64xbf16>) {
    ^bb0(%in: bf16, %in_66: i32, %in_67: bf16, %out: bf16):
      %77 = linalg.index 2 : index
      %78 = arith.index_cast %in_66 : i32 to index
      %extracted = tensor.extract %arg7[%78, %77] : tensor<4x64xbf16>
      %79 = arith.addf %in, %extracted : bf16
      %80 = arith.mulf %79, %in_67 : bf16
      linalg.yield %80 : bf16
    } -> tensor<16x1x64xbf16>
    %76 = "iree_linalg_ext.scatter"(%75, %28, %cst) <{dimension_map = array<i64: 0>, unique_indices = false}> ({
    ^bb0(%arg8: bf16, %arg9: bf16):
      %77 = arith.addf %arg9, %arg8 : bf16
      "iree_linalg_ext.yield"(%77) : (bf16) -> ()
    }) : (tensor<16x1x64xbf16>, tensor<16x1xi32>, tensor<8x1x64xbf16>) -> tensor<8x1x64xbf16>
    %collapsed_65 = tensor.collapse_shape %76 [[0], [1, 2]] : tensor<8x1x64xbf16> into tensor<8x64xbf16>
    return %collapsed_65 : tensor<8x64xbf16>
  }
}

