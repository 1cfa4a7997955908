// weights and rows in f16
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module {
  func.func @main(%arg0: tensor<8x64xf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>) -> tensor<4x8x96xf16> {
    %c0_i64 = arith.constant 0 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant dense_resource<torch_tensor_16_torch.float32> : tensor<16xf32>
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %cst_1 = arith.constant 1.270000e+02 : f32
    %cst_2 = arith.constant 2.000000e+00 : f32
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %23 = arith.andi %in, %c15_i8 : i8
      linalg.yield %23 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %23 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %23 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_3 = tensor.expand_shape %2 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %concat = tensor.concat dim(4) %expanded, %expanded_3 : (tensor<4x96x2x16x1xi8>, tensor<4x96x2x16x1xi8>) -> tensor<4x96x2x16x2xi8>
    %collapsed = tensor.collapse_shape %concat [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi8> into tensor<4x96x2x32xi8>
    %3 = tensor.empty() : tensor<4x96x2xf32>
    %4 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%3 : tensor<4x96x2xf32>) {
    ^bb0(%in: i8, %out: f32):
      %23 = arith.uitofp %in : i8 to f32
      linalg.yield %23 : f32
    } -> tensor<4x96x2xf32>
    %5 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<4x96x2xf32>) outs(%3 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %23 = arith.subf %in, %cst_1 : f32
      linalg.yield %23 : f32
    } -> tensor<4x96x2xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf32>) outs(%3 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %23 = math.powf %cst_2, %in : f32
      linalg.yield %23 : f32
    } -> tensor<4x96x2xf32>
    %7 = tensor.empty() : tensor<4x96x2x32xi64>
    %8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi8>) outs(%7 : tensor<4x96x2x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %23 = arith.extui %in : i8 to i64
      linalg.yield %23 : i64
    } -> tensor<4x96x2x32xi64>
    %9 = tensor.empty() : tensor<4x96x2x32xf32>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8 : tensor<4x96x2x32xi64>) outs(%9 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i64, %out: f32):
      %23 = arith.cmpi slt, %in, %c0_i64 : i64
      %24 = arith.addi %in, %c16_i64 : i64
      %25 = arith.select %23, %24, %in : i64
      %26 = arith.index_cast %25 : i64 to index
      %extracted = tensor.extract %cst_0[%26] : tensor<16xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x96x2x32xf32>
    %expanded_4 = tensor.expand_shape %6 [[0], [1], [2, 3]] output_shape [4, 96, 2, 1] : tensor<4x96x2xf32> into tensor<4x96x2x1xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10, %expanded_4 : tensor<4x96x2x32xf32>, tensor<4x96x2x1xf32>) outs(%9 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_14: f32, %out: f32):
      %23 = arith.mulf %in, %in_14 : f32
      linalg.yield %23 : f32
    } -> tensor<4x96x2x32xf32>
    %collapsed_5 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xf32> into tensor<4x96x64xf32>
    %12 = tensor.empty() : tensor<4x96x64xbf16>
    %13 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_5 : tensor<4x96x64xf32>) outs(%12 : tensor<4x96x64xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %23 = arith.truncf %in : f32 to bf16
      linalg.yield %23 : bf16
    } -> tensor<4x96x64xbf16>
    %14 = tensor.empty() : tensor<4x96x64xf16>
    %15 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%13 : tensor<4x96x64xbf16>) outs(%14 : tensor<4x96x64xf16>) {
    ^bb0(%in: bf16, %out: f16):
      %23 = arith.extf %in : bf16 to f32
      %24 = arith.truncf %23 : f32 to f16
      linalg.yield %24 : f16
    } -> tensor<4x96x64xf16>
    %expanded_6 = tensor.expand_shape %15 [[0], [1], [2, 3]] output_shape [4, 96, 64, 1] : tensor<4x96x64xf16> into tensor<4x96x64x1xf16>
    %expanded_7 = tensor.expand_shape %arg0 [[0, 1], [2]] output_shape [1, 8, 64] : tensor<8x64xf16> into tensor<1x8x64xf16>
    %16 = tensor.empty() : tensor<64x4x96x1xf16>
    %transposed = linalg.transpose ins(%expanded_6 : tensor<4x96x64x1xf16>) outs(%16 : tensor<64x4x96x1xf16>) permutation = [2, 0, 1, 3] 
    %collapsed_8 = tensor.collapse_shape %transposed [[0], [1, 2, 3]] : tensor<64x4x96x1xf16> into tensor<64x384xf16>
    %expanded_9 = tensor.expand_shape %collapsed_8 [[0, 1], [2]] output_shape [1, 64, 384] : tensor<64x384xf16> into tensor<1x64x384xf16>
    %17 = tensor.empty() : tensor<1x8x384xf32>
    %18 = linalg.fill ins(%cst : f32) outs(%17 : tensor<1x8x384xf32>) -> tensor<1x8x384xf32>
    %19 = linalg.batch_matmul ins(%expanded_7, %expanded_9 : tensor<1x8x64xf16>, tensor<1x64x384xf16>) outs(%18 : tensor<1x8x384xf32>) -> tensor<1x8x384xf32>
    %20 = tensor.empty() : tensor<1x8x384xf16>
    %21 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19 : tensor<1x8x384xf32>) outs(%20 : tensor<1x8x384xf16>) {
    ^bb0(%in: f32, %out: f16):
      %23 = arith.truncf %in : f32 to f16
      linalg.yield %23 : f16
    } -> tensor<1x8x384xf16>
    %collapsed_10 = tensor.collapse_shape %21 [[0, 1], [2]] : tensor<1x8x384xf16> into tensor<8x384xf16>
    %expanded_11 = tensor.expand_shape %collapsed_10 [[0], [1, 2, 3]] output_shape [8, 1, 4, 96] : tensor<8x384xf16> into tensor<8x1x4x96xf16>
    %22 = tensor.empty() : tensor<4x8x96x1xf16>
    %transposed_12 = linalg.transpose ins(%expanded_11 : tensor<8x1x4x96xf16>) outs(%22 : tensor<4x8x96x1xf16>) permutation = [2, 0, 3, 1] 
    %collapsed_13 = tensor.collapse_shape %transposed_12 [[0], [1], [2, 3]] : tensor<4x8x96x1xf16> into tensor<4x8x96xf16>
    return %collapsed_13 : tensor<4x8x96xf16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.float32: "0x04000000000000000000003F0000803F0000C03F0000004000004040000080400000C04000000080000000BF000080BF0000C0BF000000C0000040C0000080C00000C0C0"
    }
  }
#-}
