// LUT + ldexp (gpt-oss _get_mxfp4_tensor_copy), bmm
// made by: torch.export (torch 2.11.0), then torch_mlir.fx.export_and_import(output_type='linalg-on-tensors') (torch-mlir 20261001)
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module {
  func.func @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>) -> tensor<4x8x96xbf16> {
    %c0_i64 = arith.constant 0 : i64
    %c16_i64 = arith.constant 16 : i64
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant dense_resource<torch_tensor_16_torch.bfloat16> : tensor<16xbf16>
    %c15_i8 = arith.constant 15 : i8
    %c4_i8 = arith.constant 4 : i8
    %c127_i32 = arith.constant 127 : i32
    %cst_1 = arith.constant 2.000000e+00 : bf16
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %21 = arith.andi %in, %c15_i8 : i8
      linalg.yield %21 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %21 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %21 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_2 = tensor.expand_shape %2 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %concat = tensor.concat dim(4) %expanded, %expanded_2 : (tensor<4x96x2x16x1xi8>, tensor<4x96x2x16x1xi8>) -> tensor<4x96x2x16x2xi8>
    %collapsed = tensor.collapse_shape %concat [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi8> into tensor<4x96x2x32xi8>
    %3 = tensor.empty() : tensor<4x96x2x32xi64>
    %4 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi8>) outs(%3 : tensor<4x96x2x32xi64>) {
    ^bb0(%in: i8, %out: i64):
      %21 = arith.extui %in : i8 to i64
      linalg.yield %21 : i64
    } -> tensor<4x96x2x32xi64>
    %5 = tensor.empty() : tensor<4x96x2x32xbf16>
    %6 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4 : tensor<4x96x2x32xi64>) outs(%5 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i64, %out: bf16):
      %21 = arith.cmpi slt, %in, %c0_i64 : i64
      %22 = arith.addi %in, %c16_i64 : i64
      %23 = arith.select %21, %22, %in : i64
      %24 = arith.index_cast %23 : i64 to index
      %extracted = tensor.extract %cst_0[%24] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<4x96x2x32xbf16>
    %7 = tensor.empty() : tensor<4x96x2xi32>
    %8 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%7 : tensor<4x96x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %21 = arith.extui %in : i8 to i32
      linalg.yield %21 : i32
    } -> tensor<4x96x2xi32>
    %expanded_3 = tensor.expand_shape %8 [[0], [1], [2, 3]] output_shape [4, 96, 2, 1] : tensor<4x96x2xi32> into tensor<4x96x2x1xi32>
    %9 = tensor.empty() : tensor<4x96x2x1xi32>
    %10 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_3 : tensor<4x96x2x1xi32>) outs(%9 : tensor<4x96x2x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      %21 = arith.subi %in, %c127_i32 : i32
      linalg.yield %21 : i32
    } -> tensor<4x96x2x1xi32>
    %11 = tensor.empty() : tensor<4x96x2x1xbf16>
    %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%10 : tensor<4x96x2x1xi32>) outs(%11 : tensor<4x96x2x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %21 = arith.sitofp %in : i32 to bf16
      linalg.yield %21 : bf16
    } -> tensor<4x96x2x1xbf16>
    %13 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12 : tensor<4x96x2x1xbf16>) outs(%11 : tensor<4x96x2x1xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %21 = math.powf %cst_1, %in : bf16
      linalg.yield %21 : bf16
    } -> tensor<4x96x2x1xbf16>
    %14 = linalg.generic {indexing_maps = [#map, #map2, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%6, %13 : tensor<4x96x2x32xbf16>, tensor<4x96x2x1xbf16>) outs(%5 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_5: bf16, %out: bf16):
      %21 = arith.mulf %in, %in_5 : bf16
      linalg.yield %21 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_4 = tensor.collapse_shape %14 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %15 = tensor.empty() : tensor<4x64x96xbf16>
    %transposed = linalg.transpose ins(%collapsed_4 : tensor<4x96x64xbf16>) outs(%15 : tensor<4x64x96xbf16>) permutation = [0, 2, 1] 
    %16 = tensor.empty() : tensor<4x8x96xf32>
    %17 = linalg.fill ins(%cst : f32) outs(%16 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %18 = linalg.batch_matmul ins(%arg0, %transposed : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%17 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %19 = tensor.empty() : tensor<4x8x96xbf16>
    %20 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%18 : tensor<4x8x96xf32>) outs(%19 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %21 = arith.truncf %in : f32 to bf16
      linalg.yield %21 : bf16
    } -> tensor<4x8x96xbf16>
    return %20 : tensor<4x8x96xbf16>
  }
}

{-#
  dialect_resources: {
    builtin: {
      torch_tensor_16_torch.bfloat16: "0x020000000000003F803FC03F004040408040C040008000BF80BFC0BF00C040C080C0C0C0"
    }
  }
#-}
