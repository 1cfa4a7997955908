// full gpt-oss MLP block
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001), printed in generic form by torch-mlir-opt,
//   read by mlir-opt-22 --allow-unregistered-dialect (tm_tensor.sort)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map3 = affine_map<(d0, d1) -> (d0, d1)>
#map4 = affine_map<(d0, d1) -> (d0)>
#map5 = affine_map<(d0, d1) -> (d0, 0)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
#map7 = affine_map<(d0, d1, d2) -> (d0, d1)>
module {
  func.func @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x64xbf16>, %arg2: tensor<4x128x2x16xi8>, %arg3: tensor<4x128x2xi8>, %arg4: tensor<4x128xbf16>, %arg5: tensor<4x64x2x16xi8>, %arg6: tensor<4x64x2xi8>, %arg7: tensor<4x64xbf16>) -> tensor<8x64xbf16> {
    %c0_i64 = arith.constant 0 : i64
    %c4_i64 = arith.constant 4 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 0xFF800000 : f32
    %cst_1 = arith.constant 1.000000e+00 : bf16
    %cst_2 = arith.constant 1.702000e+00 : f64
    %cst_3 = arith.constant dense_resource<torch_tensor_16_torch.bfloat16_1> : tensor<16xbf16>
    %cst_4 = arith.constant dense_resource<torch_tensor_16_torch.bfloat16> : tensor<16xbf16>
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %c127_i32 = arith.constant 127 : i32
    %cst_5 = arith.constant 2.000000e+00 : bf16
    %cst_6 = arith.constant 7.000000e+00 : bf16
    %cst_7 = arith.constant -7.000000e+00 : bf16
    %0 = tensor.empty() : tensor<4x128x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x128x2x16xi8>) outs(%0 : tensor<4x128x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %87 = arith.andi %in, %c15_i8 : i8
      linalg.yield %87 : i8
    } -> tensor<4x128x2x16xi8>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x128x2x16xi8>) outs(%0 : tensor<4x128x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %87 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %87 : i8
    } -> tensor<4x128x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 128, 2, 16, 1] : tensor<4x128x2x16xi8> into tensor<4x128x2x16x1xi8>
    %expanded_8 = tensor.expand_shape %2 [[0], [1], [2], [3, 4]] output_shape [4, 128, 2, 16, 1] : tensor<4x128x2x16xi8> into tensor<4x128x2x16x1xi8>
    %concat = tensor.concat dim(4) %expanded, %expanded_8 : (tensor<4x128x2x16x1xi8>, tensor<4x128x2x16x1xi8>) -> tensor<4x128x2x16x2xi8>
    %collapsed = tensor.collapse_shape %concat [[0], [1], [2], [3, 4]] : tensor<4x128x2x16x2xi8> into tensor<4x128x2x32xi8>
    %3 = tensor.empty() : tensor<4x128x2x32xi64>
    %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x128x2x32xi8>) outs(%3 : tensor<4x128x2x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %87 = arith.extui %in : i8 to i64
      linalg.yield %87 : i64
    } -> tensor<4x128x2x32xi64>
    %5 = tensor.empty() : tensor<4x128x2x32xbf16>
    %6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4 : tensor<4x128x2x32xi64>) outs(%5 : tensor<4x128x2x32xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %87 = arith.cmpi slt, %in, %c0_i64 : i64
      %88 = arith.addi %in, %c16_i64 : i64
      %89 = arith.select %87, %88, %in : i64
      %90 = arith.index_cast %89 : i64 to index
      %extracted = tensor.extract %cst_4[%90] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<4x128x2x32xbf16>
    %7 = tensor.empty() : tensor<4x128x2xi32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg3 : tensor<4x128x2xi8>) outs(%7 : tensor<4x128x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %87 = arith.extui %in : i8 to i32
      linalg.yield %87 : i32
    } -> tensor<4x128x2xi32>
    %expanded_9 = tensor.expand_shape %8 [[0], [1], [2, 3]] output_shape [4, 128, 2, 1] : tensor<4x128x2xi32> into tensor<4x128x2x1xi32>
    %9 = tensor.empty() : tensor<4x128x2x1xi32>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_9 : tensor<4x128x2x1xi32>) outs(%9 : tensor<4x128x2x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      %87 = arith.subi %in, %c127_i32 : i32
      linalg.yield %87 : i32
    } -> tensor<4x128x2x1xi32>
    %11 = tensor.empty() : tensor<4x128x2x1xbf16>
    %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<4x128x2x1xi32>) outs(%11 : tensor<4x128x2x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %87 = arith.sitofp %in : i32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<4x128x2x1xbf16>
    %13 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12 : tensor<4x128x2x1xbf16>) outs(%11 : tensor<4x128x2x1xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = math.powf %cst_5, %in : bf16
      linalg.yield %87 : bf16
    } -> tensor<4x128x2x1xbf16>
    %14 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %13 : tensor<4x128x2x32xbf16>, tensor<4x128x2x1xbf16>) outs(%5 : tensor<4x128x2x32xbf16>) {
    ^bb0(%in: bf16, %in_33: bf16, %out: bf16):
      %87 = arith.mulf %in, %in_33 : bf16
      linalg.yield %87 : bf16
    } -> tensor<4x128x2x32xbf16>
    %collapsed_10 = tensor.collapse_shape %14 [[0], [1], [2, 3]] : tensor<4x128x2x32xbf16> into tensor<4x128x64xbf16>
    %15 = tensor.empty() : tensor<4x64x2x16xi8>
    %16 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg5 : tensor<4x64x2x16xi8>) outs(%15 : tensor<4x64x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %87 = arith.andi %in, %c15_i8 : i8
      linalg.yield %87 : i8
    } -> tensor<4x64x2x16xi8>
    %17 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg5 : tensor<4x64x2x16xi8>) outs(%15 : tensor<4x64x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %87 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %87 : i8
    } -> tensor<4x64x2x16xi8>
    %expanded_11 = tensor.expand_shape %16 [[0], [1], [2], [3, 4]] output_shape [4, 64, 2, 16, 1] : tensor<4x64x2x16xi8> into tensor<4x64x2x16x1xi8>
    %expanded_12 = tensor.expand_shape %17 [[0], [1], [2], [3, 4]] output_shape [4, 64, 2, 16, 1] : tensor<4x64x2x16xi8> into tensor<4x64x2x16x1xi8>
    %concat_13 = tensor.concat dim(4) %expanded_11, %expanded_12 : (tensor<4x64x2x16x1xi8>, tensor<4x64x2x16x1xi8>) -> tensor<4x64x2x16x2xi8>
    %collapsed_14 = tensor.collapse_shape %concat_13 [[0], [1], [2], [3, 4]] : tensor<4x64x2x16x2xi8> into tensor<4x64x2x32xi8>
    %18 = tensor.empty() : tensor<4x64x2x32xi64>
    %19 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_14 : tensor<4x64x2x32xi8>) outs(%18 : tensor<4x64x2x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %87 = arith.extui %in : i8 to i64
      linalg.yield %87 : i64
    } -> tensor<4x64x2x32xi64>
    %20 = tensor.empty() : tensor<4x64x2x32xbf16>
    %21 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%19 : tensor<4x64x2x32xi64>) outs(%20 : tensor<4x64x2x32xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %87 = arith.cmpi slt, %in, %c0_i64 : i64
      %88 = arith.addi %in, %c16_i64 : i64
      %89 = arith.select %87, %88, %in : i64
      %90 = arith.index_cast %89 : i64 to index
      %extracted = tensor.extract %cst_3[%90] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<4x64x2x32xbf16>
    %22 = tensor.empty() : tensor<4x64x2xi32>
    %23 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg6 : tensor<4x64x2xi8>) outs(%22 : tensor<4x64x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %87 = arith.extui %in : i8 to i32
      linalg.yield %87 : i32
    } -> tensor<4x64x2xi32>
    %expanded_15 = tensor.expand_shape %23 [[0], [1], [2, 3]] output_shape [4, 64, 2, 1] : tensor<4x64x2xi32> into tensor<4x64x2x1xi32>
    %24 = tensor.empty() : tensor<4x64x2x1xi32>
    %25 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_15 : tensor<4x64x2x1xi32>) outs(%24 : tensor<4x64x2x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      %87 = arith.subi %in, %c127_i32 : i32
      linalg.yield %87 : i32
    } -> tensor<4x64x2x1xi32>
    %26 = tensor.empty() : tensor<4x64x2x1xbf16>
    %27 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%25 : tensor<4x64x2x1xi32>) outs(%26 : tensor<4x64x2x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %87 = arith.sitofp %in : i32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<4x64x2x1xbf16>
    %28 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%27 : tensor<4x64x2x1xbf16>) outs(%26 : tensor<4x64x2x1xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = math.powf %cst_5, %in : bf16
      linalg.yield %87 : bf16
    } -> tensor<4x64x2x1xbf16>
    %29 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%21, %28 : tensor<4x64x2x32xbf16>, tensor<4x64x2x1xbf16>) outs(%20 : tensor<4x64x2x32xbf16>) {
    ^bb0(%in: bf16, %in_33: bf16, %out: bf16):
      %87 = arith.mulf %in, %in_33 : bf16
      linalg.yield %87 : bf16
    } -> tensor<4x64x2x32xbf16>
    %collapsed_16 = tensor.collapse_shape %29 [[0], [1], [2, 3]] : tensor<4x64x2x32xbf16> into tensor<4x64x64xbf16>
    %30 = tensor.empty() : tensor<64x4xbf16>
    %transposed = linalg.transpose ins(%arg1 : tensor<4x64xbf16>) outs(%30 : tensor<64x4xbf16>) permutation = [1, 0] 
    %31 = tensor.empty() : tensor<8x4xf32>
    %32 = linalg.fill ins(%cst : f32) outs(%31 : tensor<8x4xf32>) -> tensor<8x4xf32>
    %33 = linalg.matmul ins(%arg0, %transposed : tensor<8x64xbf16>, tensor<64x4xbf16>) outs(%32 : tensor<8x4xf32>) -> tensor<8x4xf32>
    %34 = tensor.empty() : tensor<8x4xbf16>
    %35 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%33 : tensor<8x4xf32>) outs(%34 : tensor<8x4xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %87 = arith.truncf %in : f32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<8x4xbf16>
    %36 = tensor.empty() : tensor<8x4xi64>
    %37 = linalg.generic {indexing_maps = [#map3], iterator_types = ["parallel", "parallel"]} outs(%36 : tensor<8x4xi64>) {
    ^bb0(%out: i64):
      %87 = linalg.index 1 : index
      %88 = arith.index_cast %87 : index to i64
      linalg.yield %88 : i64
    } -> tensor<8x4xi64>
    %38:2 = "tm_tensor.sort"(%35, %37) <{dimension = 1 : i64, operandSegmentSizes = array<i32: 0, 2>}> ({
    ^bb0(%arg8: bf16, %arg9: bf16, %arg10: i64, %arg11: i64):
      %87 = arith.cmpf oge, %arg8, %arg9 : bf16
      "tm_tensor.yield"(%87) : (i1) -> ()
    }) : (tensor<8x4xbf16>, tensor<8x4xi64>) -> (tensor<8x4xbf16>, tensor<8x4xi64>)
    %extracted_slice = tensor.extract_slice %38#0[0, 0] [8, 2] [1, 1] : tensor<8x4xbf16> to tensor<8x2xbf16>
    %extracted_slice_17 = tensor.extract_slice %38#1[0, 0] [8, 2] [1, 1] : tensor<8x4xi64> to tensor<8x2xi64>
    %39 = tensor.empty() : tensor<8x2xf32>
    %40 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%extracted_slice : tensor<8x2xbf16>) outs(%39 : tensor<8x2xf32>) {
    ^bb0(%in: bf16, %out: f32):
      %87 = arith.extf %in : bf16 to f32
      linalg.yield %87 : f32
    } -> tensor<8x2xf32>
    %41 = tensor.empty() : tensor<8xi64>
    %42 = linalg.fill ins(%c0_i64 : i64) outs(%41 : tensor<8xi64>) -> tensor<8xi64>
    %43 = tensor.empty() : tensor<8xf32>
    %44 = linalg.fill ins(%cst_0 : f32) outs(%43 : tensor<8xf32>) -> tensor<8xf32>
    %45:2 = linalg.generic {indexing_maps = [#map3, #map4, #map4], iterator_types = ["parallel", "reduction"]} ins(%40 : tensor<8x2xf32>) outs(%44, %42 : tensor<8xf32>, tensor<8xi64>) {
    ^bb0(%in: f32, %out: f32, %out_33: i64):
      %87 = linalg.index 1 : index
      %88 = arith.index_cast %87 : index to i64
      %89 = arith.maximumf %in, %out : f32
      %90 = arith.cmpf ogt, %in, %out : f32
      %91 = arith.select %90, %88, %out_33 : i64
      linalg.yield %89, %91 : f32, i64
    } -> (tensor<8xf32>, tensor<8xi64>)
    %expanded_18 = tensor.expand_shape %45#0 [[0, 1]] output_shape [8, 1] : tensor<8xf32> into tensor<8x1xf32>
    %46 = linalg.generic {indexing_maps = [#map3, #map5, #map3], iterator_types = ["parallel", "parallel"]} ins(%40, %expanded_18 : tensor<8x2xf32>, tensor<8x1xf32>) outs(%39 : tensor<8x2xf32>) {
    ^bb0(%in: f32, %in_33: f32, %out: f32):
      %87 = arith.subf %in, %in_33 : f32
      linalg.yield %87 : f32
    } -> tensor<8x2xf32>
    %47 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%46 : tensor<8x2xf32>) outs(%39 : tensor<8x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %87 = math.exp %in : f32
      linalg.yield %87 : f32
    } -> tensor<8x2xf32>
    %48 = tensor.empty() : tensor<8x1xf32>
    %49 = linalg.fill ins(%cst : f32) outs(%48 : tensor<8x1xf32>) -> tensor<8x1xf32>
    %50 = linalg.generic {indexing_maps = [#map3, #map5], iterator_types = ["parallel", "reduction"]} ins(%47 : tensor<8x2xf32>) outs(%49 : tensor<8x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      %87 = arith.addf %in, %out : f32
      linalg.yield %87 : f32
    } -> tensor<8x1xf32>
    %51 = linalg.generic {indexing_maps = [#map3, #map5, #map3], iterator_types = ["parallel", "parallel"]} ins(%47, %50 : tensor<8x2xf32>, tensor<8x1xf32>) outs(%39 : tensor<8x2xf32>) {
    ^bb0(%in: f32, %in_33: f32, %out: f32):
      %87 = arith.divf %in, %in_33 : f32
      linalg.yield %87 : f32
    } -> tensor<8x2xf32>
    %52 = tensor.empty() : tensor<8x2xbf16>
    %53 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel"]} ins(%51 : tensor<8x2xf32>) outs(%52 : tensor<8x2xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %87 = arith.truncf %in : f32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<8x2xbf16>
    %54 = tensor.empty() : tensor<8x2x128x64xbf16>
    %55 = linalg.generic {indexing_maps = [#map6, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_17 : tensor<8x2xi64>) outs(%54 : tensor<8x2x128x64xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %87 = arith.cmpi slt, %in, %c0_i64 : i64
      %88 = arith.addi %in, %c4_i64 : i64
      %89 = arith.select %87, %88, %in : i64
      %90 = arith.index_cast %89 : i64 to index
      %91 = linalg.index 2 : index
      %92 = linalg.index 3 : index
      %extracted = tensor.extract %collapsed_10[%90, %91, %92] : tensor<4x128x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x128x64xbf16>
    %collapsed_19 = tensor.collapse_shape %55 [[0], [1, 2], [3]] : tensor<8x2x128x64xbf16> into tensor<8x256x64xbf16>
    %expanded_20 = tensor.expand_shape %arg0 [[0], [1, 2]] output_shape [8, 64, 1] : tensor<8x64xbf16> into tensor<8x64x1xbf16>
    %56 = tensor.empty() : tensor<8x256x1xf32>
    %57 = linalg.fill ins(%cst : f32) outs(%56 : tensor<8x256x1xf32>) -> tensor<8x256x1xf32>
    %58 = linalg.batch_matmul ins(%collapsed_19, %expanded_20 : tensor<8x256x64xbf16>, tensor<8x64x1xbf16>) outs(%57 : tensor<8x256x1xf32>) -> tensor<8x256x1xf32>
    %59 = tensor.empty() : tensor<8x256x1xbf16>
    %60 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%58 : tensor<8x256x1xf32>) outs(%59 : tensor<8x256x1xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %87 = arith.truncf %in : f32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<8x256x1xbf16>
    %expanded_21 = tensor.expand_shape %60 [[0], [1, 2], [3]] output_shape [8, 2, 128, 1] : tensor<8x256x1xbf16> into tensor<8x2x128x1xbf16>
    %collapsed_22 = tensor.collapse_shape %expanded_21 [[0], [1], [2, 3]] : tensor<8x2x128x1xbf16> into tensor<8x2x128xbf16>
    %61 = tensor.empty() : tensor<8x2x128xbf16>
    %62 = linalg.generic {indexing_maps = [#map7, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%extracted_slice_17 : tensor<8x2xi64>) outs(%61 : tensor<8x2x128xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %87 = arith.cmpi slt, %in, %c0_i64 : i64
      %88 = arith.addi %in, %c4_i64 : i64
      %89 = arith.select %87, %88, %in : i64
      %90 = arith.index_cast %89 : i64 to index
      %91 = linalg.index 2 : index
      %extracted = tensor.extract %arg4[%90, %91] : tensor<4x128xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x128xbf16>
    %63 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_22, %62 : tensor<8x2x128xbf16>, tensor<8x2x128xbf16>) outs(%61 : tensor<8x2x128xbf16>) {
    ^bb0(%in: bf16, %in_33: bf16, %out: bf16):
      %87 = arith.addf %in, %in_33 : bf16
      linalg.yield %87 : bf16
    } -> tensor<8x2x128xbf16>
    %extracted_slice_23 = tensor.extract_slice %63[0, 0, 0] [8, 2, 64] [1, 1, 2] : tensor<8x2x128xbf16> to tensor<8x2x64xbf16>
    %extracted_slice_24 = tensor.extract_slice %63[0, 0, 1] [8, 2, 64] [1, 1, 2] : tensor<8x2x128xbf16> to tensor<8x2x64xbf16>
    %64 = tensor.empty() : tensor<8x2x64xbf16>
    %65 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%extracted_slice_23 : tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = arith.cmpf ugt, %in, %cst_6 : bf16
      %88 = arith.select %87, %cst_6, %in : bf16
      linalg.yield %88 : bf16
    } -> tensor<8x2x64xbf16>
    %66 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%extracted_slice_24 : tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = arith.cmpf ult, %in, %cst_7 : bf16
      %88 = arith.select %87, %cst_7, %in : bf16
      %89 = arith.cmpf ugt, %88, %cst_6 : bf16
      %90 = arith.select %89, %cst_6, %88 : bf16
      linalg.yield %90 : bf16
    } -> tensor<8x2x64xbf16>
    %67 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%65 : tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = arith.truncf %cst_2 : f64 to bf16
      %88 = arith.mulf %in, %87 : bf16
      linalg.yield %88 : bf16
    } -> tensor<8x2x64xbf16>
    %68 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%67 : tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = arith.negf %in : bf16
      %88 = math.exp %87 : bf16
      %89 = arith.addf %88, %cst_1 : bf16
      %90 = arith.divf %cst_1, %89 : bf16
      linalg.yield %90 : bf16
    } -> tensor<8x2x64xbf16>
    %69 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%65, %68 : tensor<8x2x64xbf16>, tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %in_33: bf16, %out: bf16):
      %87 = arith.mulf %in, %in_33 : bf16
      linalg.yield %87 : bf16
    } -> tensor<8x2x64xbf16>
    %70 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%66 : tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %87 = arith.addf %in, %cst_1 : bf16
      linalg.yield %87 : bf16
    } -> tensor<8x2x64xbf16>
    %71 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%69, %70 : tensor<8x2x64xbf16>, tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %in_33: bf16, %out: bf16):
      %87 = arith.mulf %in, %in_33 : bf16
      linalg.yield %87 : bf16
    } -> tensor<8x2x64xbf16>
    %72 = tensor.empty() : tensor<8x2x64x64xbf16>
    %73 = linalg.generic {indexing_maps = [#map6, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%extracted_slice_17 : tensor<8x2xi64>) outs(%72 : tensor<8x2x64x64xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %87 = arith.cmpi slt, %in, %c0_i64 : i64
      %88 = arith.addi %in, %c4_i64 : i64
      %89 = arith.select %87, %88, %in : i64
      %90 = arith.index_cast %89 : i64 to index
      %91 = linalg.index 2 : index
      %92 = linalg.index 3 : index
      %extracted = tensor.extract %collapsed_16[%90, %91, %92] : tensor<4x64x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x64x64xbf16>
    %expanded_25 = tensor.expand_shape %71 [[0], [1], [2, 3]] output_shape [8, 2, 64, 1] : tensor<8x2x64xbf16> into tensor<8x2x64x1xbf16>
    %collapsed_26 = tensor.collapse_shape %73 [[0, 1], [2], [3]] : tensor<8x2x64x64xbf16> into tensor<16x64x64xbf16>
    %collapsed_27 = tensor.collapse_shape %expanded_25 [[0, 1], [2], [3]] : tensor<8x2x64x1xbf16> into tensor<16x64x1xbf16>
    %74 = tensor.empty() : tensor<16x64x1xf32>
    %75 = linalg.fill ins(%cst : f32) outs(%74 : tensor<16x64x1xf32>) -> tensor<16x64x1xf32>
    %76 = linalg.batch_matmul ins(%collapsed_26, %collapsed_27 : tensor<16x64x64xbf16>, tensor<16x64x1xbf16>) outs(%75 : tensor<16x64x1xf32>) -> tensor<16x64x1xf32>
    %77 = tensor.empty() : tensor<16x64x1xbf16>
    %78 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%76 : tensor<16x64x1xf32>) outs(%77 : tensor<16x64x1xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %87 = arith.truncf %in : f32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<16x64x1xbf16>
    %expanded_28 = tensor.expand_shape %78 [[0, 1], [2], [3]] output_shape [8, 2, 64, 1] : tensor<16x64x1xbf16> into tensor<8x2x64x1xbf16>
    %collapsed_29 = tensor.collapse_shape %expanded_28 [[0], [1], [2, 3]] : tensor<8x2x64x1xbf16> into tensor<8x2x64xbf16>
    %79 = linalg.generic {indexing_maps = [#map7, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%extracted_slice_17 : tensor<8x2xi64>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %87 = arith.cmpi slt, %in, %c0_i64 : i64
      %88 = arith.addi %in, %c4_i64 : i64
      %89 = arith.select %87, %88, %in : i64
      %90 = arith.index_cast %89 : i64 to index
      %91 = linalg.index 2 : index
      %extracted = tensor.extract %arg7[%90, %91] : tensor<4x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x2x64xbf16>
    %80 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_29, %79 : tensor<8x2x64xbf16>, tensor<8x2x64xbf16>) outs(%64 : tensor<8x2x64xbf16>) {
    ^bb0(%in: bf16, %in_33: bf16, %out: bf16):
      %87 = arith.addf %in, %in_33 : bf16
      linalg.yield %87 : bf16
    } -> tensor<8x2x64xbf16>
    %81 = tensor.empty() : tensor<8x64x2xbf16>
    %transposed_30 = linalg.transpose ins(%80 : tensor<8x2x64xbf16>) outs(%81 : tensor<8x64x2xbf16>) permutation = [0, 2, 1] 
    %expanded_31 = tensor.expand_shape %53 [[0], [1, 2]] output_shape [8, 2, 1] : tensor<8x2xbf16> into tensor<8x2x1xbf16>
    %82 = tensor.empty() : tensor<8x64x1xf32>
    %83 = linalg.fill ins(%cst : f32) outs(%82 : tensor<8x64x1xf32>) -> tensor<8x64x1xf32>
    %84 = linalg.batch_matmul ins(%transposed_30, %expanded_31 : tensor<8x64x2xbf16>, tensor<8x2x1xbf16>) outs(%83 : tensor<8x64x1xf32>) -> tensor<8x64x1xf32>
    %85 = tensor.empty() : tensor<8x64x1xbf16>
    %86 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%84 : tensor<8x64x1xf32>) outs(%85 : tensor<8x64x1xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %87 = arith.truncf %in : f32 to bf16
      linalg.yield %87 : bf16
    } -> tensor<8x64x1xbf16>
    %collapsed_32 = tensor.collapse_shape %86 [[0], [1, 2]] : tensor<8x64x1xbf16> into tensor<8x64xbf16>
    return %collapsed_32 : tensor<8x64xbf16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.bfloat16_1: "0x020000000000003F803FC03F004040408040C040008000BF80BFC0BF00C040C080C0C0C0",
      torch_tensor_16_torch.bfloat16: "0x020000000000003F803FC03F004040408040C040008000BF80BFC0BF00C040C080C0C0C0"
    }
  }
#-}

