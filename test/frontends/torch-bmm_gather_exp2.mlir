// torch.gather of one expert per token, bmm: a number for each element, and checks
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map3 = affine_map<(d0, d1, d2) -> (d0)>
module {
  func.func @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>, %arg3: tensor<8xi64>) -> tensor<8x96xbf16> {
    %c4 = arith.constant 4 : index
    %c0_i64 = arith.constant 0 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : bf16
    %cst_0 = arith.constant 0.000000e+00 : f32
    %cst_1 = arith.constant dense_resource<torch_tensor_16_torch.float32> : tensor<16xf32>
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %cst_2 = arith.constant 1.270000e+02 : f32
    %cst_3 = arith.constant 2.000000e+00 : f32
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %24 = arith.andi %in, %c15_i8 : i8
      linalg.yield %24 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %24 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %24 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_4 = tensor.expand_shape %2 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %concat = tensor.concat dim(4) %expanded, %expanded_4 : (tensor<4x96x2x16x1xi8>, tensor<4x96x2x16x1xi8>) -> tensor<4x96x2x16x2xi8>
    %collapsed = tensor.collapse_shape %concat [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi8> into tensor<4x96x2x32xi8>
    %3 = tensor.empty() : tensor<4x96x2xf32>
    %4 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%3 : tensor<4x96x2xf32>) {
    ^bb0(%in: i8, %out: f32):
      %24 = arith.uitofp %in : i8 to f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2xf32>
    %5 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%4 : tensor<4x96x2xf32>) outs(%3 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %24 = arith.subf %in, %cst_2 : f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2xf32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2xf32>) outs(%3 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %24 = math.powf %cst_3, %in : f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2xf32>
    %7 = tensor.empty() : tensor<4x96x2x32xi64>
    %8 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi8>) outs(%7 : tensor<4x96x2x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %24 = arith.extui %in : i8 to i64
      linalg.yield %24 : i64
    } -> tensor<4x96x2x32xi64>
    %9 = tensor.empty() : tensor<4x96x2x32xf32>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%8 : tensor<4x96x2x32xi64>) outs(%9 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: i64, %out: f32):
      %24 = arith.cmpi slt, %in, %c0_i64 : i64
      %25 = arith.addi %in, %c16_i64 : i64
      %26 = arith.select %24, %25, %in : i64
      %27 = arith.index_cast %26 : i64 to index
      %extracted = tensor.extract %cst_1[%27] : tensor<16xf32>
      linalg.yield %extracted : f32
    } -> tensor<4x96x2x32xf32>
    %expanded_5 = tensor.expand_shape %6 [[0], [1], [2, 3]] output_shape [4, 96, 2, 1] : tensor<4x96x2xf32> into tensor<4x96x2x1xf32>
    %11 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10, %expanded_5 : tensor<4x96x2x32xf32>, tensor<4x96x2x1xf32>) outs(%9 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_9: f32, %out: f32):
      %24 = arith.mulf %in, %in_9 : f32
      linalg.yield %24 : f32
    } -> tensor<4x96x2x32xf32>
    %collapsed_6 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xf32> into tensor<4x96x64xf32>
    %12 = tensor.empty() : tensor<4x96x64xbf16>
    %13 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_6 : tensor<4x96x64xf32>) outs(%12 : tensor<4x96x64xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %24 = arith.truncf %in : f32 to bf16
      linalg.yield %24 : bf16
    } -> tensor<4x96x64xbf16>
    %14 = tensor.empty() : tensor<8x96x64xi64>
    %15 = linalg.generic {indexing_maps = [#map3, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg3 : tensor<8xi64>) outs(%14 : tensor<8x96x64xi64>) {
    ^bb0(%in: i64, %out: i64):
      linalg.yield %in : i64
    } -> tensor<8x96x64xi64>
    %16 = tensor.empty() : tensor<8x96x64xbf16>
    %17 = linalg.fill ins(%cst : bf16) outs(%16 : tensor<8x96x64xbf16>) -> tensor<8x96x64xbf16>
    %18 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%15 : tensor<8x96x64xi64>) outs(%17 : tensor<8x96x64xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %24 = arith.index_cast %in : i64 to index
      %25 = linalg.index 1 : index
      %26 = linalg.index 2 : index
      %27 = arith.cmpi slt, %24, %c4 : index
      cf.assert %27, "index must be smaller than dim size"
      %28 = arith.cmpi sge, %in, %c0_i64 : i64
      cf.assert %28, "index must be larger or equal to 0"
      %extracted = tensor.extract %13[%24, %25, %26] : tensor<4x96x64xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<8x96x64xbf16>
    %expanded_7 = tensor.expand_shape %arg0 [[0], [1, 2]] output_shape [8, 64, 1] : tensor<8x64xbf16> into tensor<8x64x1xbf16>
    %19 = tensor.empty() : tensor<8x96x1xf32>
    %20 = linalg.fill ins(%cst_0 : f32) outs(%19 : tensor<8x96x1xf32>) -> tensor<8x96x1xf32>
    %21 = linalg.batch_matmul ins(%18, %expanded_7 : tensor<8x96x64xbf16>, tensor<8x64x1xbf16>) outs(%20 : tensor<8x96x1xf32>) -> tensor<8x96x1xf32>
    %22 = tensor.empty() : tensor<8x96x1xbf16>
    %23 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%21 : tensor<8x96x1xf32>) outs(%22 : tensor<8x96x1xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %24 = arith.truncf %in : f32 to bf16
      linalg.yield %24 : bf16
    } -> tensor<8x96x1xbf16>
    %collapsed_8 = tensor.collapse_shape %23 [[0], [1, 2]] : tensor<8x96x1xbf16> into tensor<8x96xbf16>
    return %collapsed_8 : tensor<8x96xbf16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.float32: "0x04000000000000000000003F0000803F0000C03F0000004000004040000080400000C04000000080000000BF000080BF0000C0BF000000C0000040C0000080C00000C0C0"
    }
  }
#-}
