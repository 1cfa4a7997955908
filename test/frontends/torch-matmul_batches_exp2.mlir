// torch.matmul of [2, E, T, K] and [E, N, K]: the weights are copied
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3)>
module {
  func.func @main(%arg0: tensor<2x4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>) -> tensor<2x4x8x96xf32> {
    %c0_i64 = arith.constant 0 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant dense_resource<torch_tensor_16_torch.float32> : tensor<16xf32>
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %cst_1 = arith.constant 1.270000e+02 : f32
    %cst_2 = arith.constant 2.000000e+00 : f32
    %0 = tensor.empty() : tensor<2x4x8x64xf32>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<2x4x8x64xbf16>) outs(%0 : tensor<2x4x8x64xf32>) {
    ^bb0(%in: bf16, %out: f32):
      %24 = arith.extf %in : bf16 to f32
      linalg.yield %24 : f32
    } -> tensor<2x4x8x64xf32>
    %2 = tensor.empty() : tensor<4x96x2x16xi8>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %24 = arith.andi %in, %c15_i8 : i8
      linalg.yield %24 : i8
    } -> tensor<4x96x2x16xi8>
    %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %24 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %24 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %3 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_3 = tensor.expand_shape %4 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %concat = tensor.concat dim(4) %expanded, %expanded_3 : (tensor<4x96x2x16x1xi8>, tensor<4x96x2x16x1xi8>) -> tensor<4x96x2x16x2xi8>
    %collapsed = tensor.collapse_shape %concat [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi8> into tensor<4x96x2x32xi8>
    %5 = tensor.empty() : tensor<4x96x2xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%5 : tensor<4x96x2xf32>) {
    ^bb0(%in: i8, %out: f32):
      %24 = arith.uitofp %in : i8 to f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2xf32>
    %7 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%6 : tensor<4x96x2xf32>) outs(%5 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %24 = arith.subf %in, %cst_1 : f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2xf32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xf32>) outs(%5 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %24 = math.powf %cst_2, %in : f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2xf32>
    %9 = tensor.empty() : tensor<4x96x2x32xi64>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi8>) outs(%9 : tensor<4x96x2x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %24 = arith.extui %in : i8 to i64
      linalg.yield %24 : i64
    } -> tensor<4x96x2x32xi64>
    %11 = tensor.empty() : tensor<4x96x2x32xf32>
    %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<4x96x2x32xi64>) outs(%11 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i64, %out: f32):
      %24 = arith.cmpi slt, %in, %c0_i64 : i64
      %25 = arith.addi %in, %c16_i64 : i64
      %26 = arith.select %24, %25, %in : i64
      %27 = arith.index_cast %26 : i64 to index
      %extracted = tensor.extract %cst_0[%27] : tensor<16xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x96x2x32xf32>
    %expanded_4 = tensor.expand_shape %8 [[0], [1], [2, 3]] output_shape [4, 96, 2, 1] : tensor<4x96x2xf32> into tensor<4x96x2x1xf32>
    %13 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12, %expanded_4 : tensor<4x96x2x32xf32>, tensor<4x96x2x1xf32>) outs(%11 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_9: f32, %out: f32):
      %24 = arith.mulf %in, %in_9 : f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2x32xf32>
    %collapsed_5 = tensor.collapse_shape %13 [[0], [1], [2, 3]] : tensor<4x96x2x32xf32> into tensor<4x96x64xf32>
    %14 = tensor.empty() : tensor<4x96x64xbf16>
    %15 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_5 : tensor<4x96x64xf32>) outs(%14 : tensor<4x96x64xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %24 = arith.truncf %in : f32 to bf16
      linalg.yield %24 : bf16
    } -> tensor<4x96x64xbf16>
    %16 = tensor.empty() : tensor<4x96x64xf32>
    %17 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%15 : tensor<4x96x64xbf16>) outs(%16 : tensor<4x96x64xf32>) {
    ^bb0(%in: bf16, %out: f32):
      %24 = arith.extf %in : bf16 to f32
      linalg.yield %24 : f32
    } -> tensor<4x96x64xf32>
    %18 = tensor.empty() : tensor<4x64x96xf32>
    %transposed = linalg.transpose ins(%17 : tensor<4x96x64xf32>) outs(%18 : tensor<4x64x96xf32>) permutation = [0, 2, 1] 
    %collapsed_6 = tensor.collapse_shape %1 [[0, 1], [2], [3]] : tensor<2x4x8x64xf32> into tensor<8x8x64xf32>
    %19 = tensor.empty() : tensor<2x4x64x96xf32>
    %20 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%transposed : tensor<4x64x96xf32>) outs(%19 : tensor<2x4x64x96xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<2x4x64x96xf32>
    %collapsed_7 = tensor.collapse_shape %20 [[0, 1], [2], [3]] : tensor<2x4x64x96xf32> into tensor<8x64x96xf32>
    %21 = tensor.empty() : tensor<8x8x96xf32>
    %22 = linalg.fill ins(%cst : f32) outs(%21 : tensor<8x8x96xf32>) -> tensor<8x8x96xf32>
    %23 = linalg.batch_matmul ins(%collapsed_6, %collapsed_7 : tensor<8x8x64xf32>, tensor<8x64x96xf32>) outs(%22 : tensor<8x8x96xf32>) -> tensor<8x8x96xf32>
    %expanded_8 = tensor.expand_shape %23 [[0, 1], [2], [3]] output_shape [2, 4, 8, 96] : tensor<8x8x96xf32> into tensor<2x4x8x96xf32>
    return %expanded_8 : tensor<2x4x8x96xf32>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.float32: "0x04000000000000000000003F0000803F0000C03F0000004000004040000080400000C04000000080000000BF000080BF0000C0BF000000C0000040C0000080C00000C0C0"
    }
  }
#-}
