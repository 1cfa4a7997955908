// one scale for 64 values: repeat_interleave of the scales, LUT * exp2, bmm
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module {
  func.func @main(%arg0: tensor<4x8x128xbf16>, %arg1: tensor<4x96x4x16xi8>, %arg2: tensor<4x96x2xi8>) -> tensor<4x8x96xbf16> {
    %c0_i64 = arith.constant 0 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant dense_resource<torch_tensor_16_torch.float32> : tensor<16xf32>
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %cst_1 = arith.constant 1.270000e+02 : f32
    %cst_2 = arith.constant 2.000000e+00 : f32
    %0 = tensor.empty() : tensor<4x96x2x2xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%0 : tensor<4x96x2x2xi8>) {
    ^bb0(%in: i8, %out: i8):
      linalg.yield %in : i8
    } -> tensor<4x96x2x2xi8>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2, 3]] : tensor<4x96x2x2xi8> into tensor<4x96x4xi8>
    %2 = tensor.empty() : tensor<4x96x4x16xi8>
    %3 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x4x16xi8>) outs(%2 : tensor<4x96x4x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %22 = arith.andi %in, %c15_i8 : i8
      linalg.yield %22 : i8
    } -> tensor<4x96x4x16xi8>
    %4 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x4x16xi8>) outs(%2 : tensor<4x96x4x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %22 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %22 : i8
    } -> tensor<4x96x4x16xi8>
    %expanded = tensor.expand_shape %3 [[0], [1], [2], [3, 4]] output_shape [4, 96, 4, 16, 1] : tensor<4x96x4x16xi8> into tensor<4x96x4x16x1xi8>
    %expanded_3 = tensor.expand_shape %4 [[0], [1], [2], [3, 4]] output_shape [4, 96, 4, 16, 1] : tensor<4x96x4x16xi8> into tensor<4x96x4x16x1xi8>
    %concat = tensor.concat dim(4) %expanded, %expanded_3 : (tensor<4x96x4x16x1xi8>, tensor<4x96x4x16x1xi8>) -> tensor<4x96x4x16x2xi8>
    %collapsed_4 = tensor.collapse_shape %concat [[0], [1], [2], [3, 4]] : tensor<4x96x4x16x2xi8> into tensor<4x96x4x32xi8>
    %5 = tensor.empty() : tensor<4x96x4xf32>
    %6 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x4xi8>) outs(%5 : tensor<4x96x4xf32>) {
    ^bb0(%in: i8, %out: f32):
      %22 = arith.uitofp %in : i8 to f32
      linalg.yield %22 : f32
    } -> tensor<4x96x4xf32>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%6 : tensor<4x96x4xf32>) outs(%5 : tensor<4x96x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %22 = arith.subf %in, %cst_1 : f32
      linalg.yield %22 : f32
    } -> tensor<4x96x4xf32>
    %8 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x4xf32>) outs(%5 : tensor<4x96x4xf32>) {
    ^bb0(%in: f32, %out: f32):
      %22 = math.powf %cst_2, %in : f32
      linalg.yield %22 : f32
    } -> tensor<4x96x4xf32>
    %9 = tensor.empty() : tensor<4x96x4x32xi64>
    %10 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_4 : tensor<4x96x4x32xi8>) outs(%9 : tensor<4x96x4x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %22 = arith.extui %in : i8 to i64
      linalg.yield %22 : i64
    } -> tensor<4x96x4x32xi64>
    %11 = tensor.empty() : tensor<4x96x4x32xf32>
    %12 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<4x96x4x32xi64>) outs(%11 : tensor<4x96x4x32xf32>) {
    ^bb0(%in: i64, %out: f32):
      %22 = arith.cmpi slt, %in, %c0_i64 : i64
      %23 = arith.addi %in, %c16_i64 : i64
      %24 = arith.select %22, %23, %in : i64
      %25 = arith.index_cast %24 : i64 to index
      %extracted = tensor.extract %cst_0[%25] : tensor<16xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x96x4x32xf32>
    %expanded_5 = tensor.expand_shape %8 [[0], [1], [2, 3]] output_shape [4, 96, 4, 1] : tensor<4x96x4xf32> into tensor<4x96x4x1xf32>
    %13 = linalg.generic {indexing_maps = [#map1, #map3, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12, %expanded_5 : tensor<4x96x4x32xf32>, tensor<4x96x4x1xf32>) outs(%11 : tensor<4x96x4x32xf32>) {
    ^bb0(%in: f32, %in_7: f32, %out: f32):
      %22 = arith.mulf %in, %in_7 : f32
      linalg.yield %22 : f32
    } -> tensor<4x96x4x32xf32>
    %collapsed_6 = tensor.collapse_shape %13 [[0], [1], [2, 3]] : tensor<4x96x4x32xf32> into tensor<4x96x128xf32>
    %14 = tensor.empty() : tensor<4x96x128xbf16>
    %15 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_6 : tensor<4x96x128xf32>) outs(%14 : tensor<4x96x128xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %22 = arith.truncf %in : f32 to bf16
      linalg.yield %22 : bf16
    } -> tensor<4x96x128xbf16>
    %16 = tensor.empty() : tensor<4x128x96xbf16>
    %transposed = linalg.transpose ins(%15 : tensor<4x96x128xbf16>) outs(%16 : tensor<4x128x96xbf16>) permutation = [0, 2, 1] 
    %17 = tensor.empty() : tensor<4x8x96xf32>
    %18 = linalg.fill ins(%cst : f32) outs(%17 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %19 = linalg.batch_matmul ins(%arg0, %transposed : tensor<4x8x128xbf16>, tensor<4x128x96xbf16>) outs(%18 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %20 = tensor.empty() : tensor<4x8x96xbf16>
    %21 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%19 : tensor<4x8x96xf32>) outs(%20 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %22 = arith.truncf %in : f32 to bf16
      linalg.yield %22 : bf16
    } -> tensor<4x8x96xbf16>
    return %21 : tensor<4x8x96xbf16>
  }
}
{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.float32: "0x04000000000000000000003F0000803F0000C03F0000004000004040000080400000C04000000080000000BF000080BF0000C0BF000000C0000040C0000080C00000C0C0"
    }
  }
#-}
