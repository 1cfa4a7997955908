// transformers convert_moe_packed_tensors to the letter (flattened rows), bmm
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001)
#map = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map1 = affine_map<(d0, d1) -> (d0, d1)>
#map2 = affine_map<(d0, d1) -> (d0, 0)>
module {
  func.func @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>) -> tensor<4x8x96xbf16> {
    %c0_i64 = arith.constant 0 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant dense_resource<torch_tensor_16_torch.bfloat16> : tensor<16xbf16>
    %c127_i32 = arith.constant 127 : i32
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %cst_1 = arith.constant 2.000000e+00 : bf16
    %0 = tensor.empty() : tensor<4x96x2xi32>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%0 : tensor<4x96x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %23 = arith.extui %in : i8 to i32
      linalg.yield %23 : i32
    } -> tensor<4x96x2xi32>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2xi32>) outs(%0 : tensor<4x96x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %23 = arith.subi %in, %c127_i32 : i32
      linalg.yield %23 : i32
    } -> tensor<4x96x2xi32>
    %collapsed = tensor.collapse_shape %arg1 [[0, 1, 2], [3]] : tensor<4x96x2x16xi8> into tensor<768x16xi8>
    %collapsed_2 = tensor.collapse_shape %2 [[0, 1, 2]] : tensor<4x96x2xi32> into tensor<768xi32>
    %expanded = tensor.expand_shape %collapsed_2 [[0, 1]] output_shape [768, 1] : tensor<768xi32> into tensor<768x1xi32>
    %3 = tensor.empty() : tensor<768x32xbf16>
    %4 = tensor.empty() : tensor<768x16xi8>
    %5 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%collapsed : tensor<768x16xi8>) outs(%4 : tensor<768x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %23 = arith.andi %in, %c15_i8 : i8
      linalg.yield %23 : i8
    } -> tensor<768x16xi8>
    %6 = tensor.empty() : tensor<768x16xi64>
    %7 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%5 : tensor<768x16xi8>) outs(%6 : tensor<768x16xi64>) {
    ^bb0(%in: i8, %out: i64):
      %23 = arith.extui %in : i8 to i64
      linalg.yield %23 : i64
    } -> tensor<768x16xi64>
    %8 = tensor.empty() : tensor<768x16xbf16>
    %9 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%7 : tensor<768x16xi64>) outs(%8 : tensor<768x16xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %23 = arith.cmpi slt, %in, %c0_i64 : i64
      %24 = arith.addi %in, %c16_i64 : i64
      %25 = arith.select %23, %24, %in : i64
      %26 = arith.index_cast %25 : i64 to index
      %extracted = tensor.extract %cst_0[%26] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<768x16xbf16>
    %inserted_slice = tensor.insert_slice %9 into %3[0, 0] [768, 16] [1, 2] : tensor<768x16xbf16> into tensor<768x32xbf16>
    %10 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%collapsed : tensor<768x16xi8>) outs(%4 : tensor<768x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %23 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %23 : i8
    } -> tensor<768x16xi8>
    %11 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%10 : tensor<768x16xi8>) outs(%6 : tensor<768x16xi64>) {
    ^bb0(%in: i8, %out: i64):
      %23 = arith.extui %in : i8 to i64
      linalg.yield %23 : i64
    } -> tensor<768x16xi64>
    %12 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%11 : tensor<768x16xi64>) outs(%8 : tensor<768x16xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %23 = arith.cmpi slt, %in, %c0_i64 : i64
      %24 = arith.addi %in, %c16_i64 : i64
      %25 = arith.select %23, %24, %in : i64
      %26 = arith.index_cast %25 : i64 to index
      %extracted = tensor.extract %cst_0[%26] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<768x16xbf16>
    %inserted_slice_3 = tensor.insert_slice %12 into %inserted_slice[0, 1] [768, 16] [1, 2] : tensor<768x16xbf16> into tensor<768x32xbf16>
    %13 = tensor.empty() : tensor<768x1xbf16>
    %14 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%expanded : tensor<768x1xi32>) outs(%13 : tensor<768x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %23 = arith.sitofp %in : i32 to bf16
      linalg.yield %23 : bf16
    } -> tensor<768x1xbf16>
    %15 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel"]} ins(%14 : tensor<768x1xbf16>) outs(%13 : tensor<768x1xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %23 = math.powf %cst_1, %in : bf16
      linalg.yield %23 : bf16
    } -> tensor<768x1xbf16>
    %16 = linalg.generic {indexing_maps = [#map1, #map2, #map1], iterator_types = ["parallel", "parallel"]} ins(%inserted_slice_3, %15 : tensor<768x32xbf16>, tensor<768x1xbf16>) outs(%3 : tensor<768x32xbf16>) {
    ^bb0(%in: bf16, %in_6: bf16, %out: bf16):
      %23 = arith.mulf %in, %in_6 : bf16
      linalg.yield %23 : bf16
    } -> tensor<768x32xbf16>
    %expanded_4 = tensor.expand_shape %16 [[0, 1, 2], [3]] output_shape [4, 96, 2, 32] : tensor<768x32xbf16> into tensor<4x96x2x32xbf16>
    %collapsed_5 = tensor.collapse_shape %expanded_4 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %17 = tensor.empty() : tensor<4x64x96xbf16>
    %transposed = linalg.transpose ins(%collapsed_5 : tensor<4x96x64xbf16>) outs(%17 : tensor<4x64x96xbf16>) permutation = [0, 2, 1] 
    %18 = tensor.empty() : tensor<4x8x96xf32>
    %19 = linalg.fill ins(%cst : f32) outs(%18 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %20 = linalg.batch_matmul ins(%arg0, %transposed : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%19 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %21 = tensor.empty() : tensor<4x8x96xbf16>
    %22 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel"]} ins(%20 : tensor<4x8x96xf32>) outs(%21 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %23 = arith.truncf %in : f32 to bf16
      linalg.yield %23 : bf16
    } -> tensor<4x8x96xbf16>
    return %22 : tensor<4x8x96xbf16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.bfloat16: "0x020000000000003F803FC03F004040408040C040008000BF80BFC0BF00C040C080C0C0C0"
    }
  }
#-}
