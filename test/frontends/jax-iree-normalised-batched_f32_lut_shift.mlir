// the same behind IREE's own fusion
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)', then
//   inline,canonicalize,cse,func.func(iree-global-opt-propagate-linalg-transpose,canonicalize,
//   iree-dispatch-creation-bubble-up-expand-shapes,iree-dispatch-creation-elementwise-op-fusion,canonicalize,cse)
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
module @jit_batched_f32_lut_shift {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %c16_i32 = arith.constant 16 : i32
    %c0_i32 = arith.constant 0 : i32
    %c23_i32 = arith.constant 23 : i32
    %c4_i8 = arith.constant 4 : i8
    %c15_i8 = arith.constant 15 : i8
    %cst_0 = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00, -5.000000e-01, -1.000000e+00, -1.500000e+00, -2.000000e+00, -3.000000e+00, -4.000000e+00, -6.000000e+00]> : tensor<16xf32>
    %expanded = tensor.expand_shape %arg1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %0 = tensor.empty() : tensor<4x96x2x16x1xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<4x96x2x16x1xi8>) outs(%0 : tensor<4x96x2x16x1xi8>) {
    ^bb0(%in: i8, %out: i8):
      %13 = arith.andi %in, %c15_i8 : i8
      linalg.yield %13 : i8
    } -> tensor<4x96x2x16x1xi8>
    %2 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<4x96x2x16x1xi8>) outs(%0 : tensor<4x96x2x16x1xi8>) {
    ^bb0(%in: i8, %out: i8):
      %13 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %13 : i8
    } -> tensor<4x96x2x16x1xi8>
    %3 = tensor.empty() : tensor<4x96x2x16x2xi8>
    %inserted_slice = tensor.insert_slice %1 into %3[0, 0, 0, 0, 0] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %inserted_slice_1 = tensor.insert_slice %2 into %inserted_slice[0, 0, 0, 0, 1] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %4 = tensor.empty() : tensor<4x96x2x16x2xi32>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%inserted_slice_1 : tensor<4x96x2x16x2xi8>) outs(%4 : tensor<4x96x2x16x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %13 = arith.extui %in : i8 to i32
      linalg.yield %13 : i32
    } -> tensor<4x96x2x16x2xi32>
    %collapsed = tensor.collapse_shape %5 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi32> into tensor<4x96x2x32xi32>
    %expanded_2 = tensor.expand_shape %collapsed [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 32, 1] : tensor<4x96x2x32xi32> into tensor<4x96x2x32x1xi32>
    %6 = tensor.empty() : tensor<4x96x2x32x1xbf16>
    %7 = linalg.generic {indexing_maps = [#map, #map, #map, #map1, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_2, %expanded_2, %expanded_2, %arg2 : tensor<4x96x2x32x1xi32>, tensor<4x96x2x32x1xi32>, tensor<4x96x2x32x1xi32>, tensor<4x96x2xi8>) outs(%6 : tensor<4x96x2x32x1xbf16>) {
    ^bb0(%in: i32, %in_4: i32, %in_5: i32, %in_6: i8, %out: bf16):
      %13 = arith.extui %in_6 : i8 to i32
      %14 = arith.shli %13, %c23_i32 : i32
      %15 = arith.addi %in_4, %c16_i32 : i32
      %16 = arith.bitcast %14 : i32 to f32
      %17 = arith.cmpi slt, %in, %c0_i32 : i32
      %18 = arith.select %17, %15, %in_5 : i32
      %19 = arith.index_cast %18 : i32 to index
      %extracted = tensor.extract %cst_0[%19] : tensor<16xf32>
      %20 = arith.mulf %extracted, %16 : f32
      %21 = arith.truncf %20 : f32 to bf16
      linalg.yield %21 : bf16
    } -> tensor<4x96x2x32x1xbf16>
    %collapsed_3 = tensor.collapse_shape %7 [[0], [1], [2, 3, 4]] : tensor<4x96x2x32x1xbf16> into tensor<4x96x64xbf16>
    %8 = tensor.empty() : tensor<4x8x96xf32>
    %9 = linalg.fill ins(%cst : f32) outs(%8 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %10 = linalg.batch_matmul indexing_maps = [#map2, #map3, #map4] ins(%arg0, %collapsed_3 : tensor<4x8x64xbf16>, tensor<4x96x64xbf16>) outs(%9 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %11 = tensor.empty() : tensor<4x8x96xbf16>
    %12 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel"]} ins(%10 : tensor<4x8x96xf32>) outs(%11 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %13 = arith.truncf %in : f32 to bf16
      linalg.yield %13 : bf16
    } -> tensor<4x8x96xbf16>
    return %12 : tensor<4x8x96xbf16>
  }
}

