// decode in a jit of its own: a func.call
// made by: StableHLO by jax.export (jax 0.10.2), then torch-mlir-opt (torch-mlir 20261001, LLVM 24git)
//   --pass-pipeline='builtin.module(stablehlo-convert-to-signless,stablehlo-legalize-to-linalg,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map1 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map5 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map7 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
module @jit_nested_batched_f32_dtypes attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>) -> (tensor<4x8x96xbf16> {jax.result_info = "result"}) {
    %cst = arith.constant 0.000000e+00 : f32
    %0 = call @decode_dtypes(%arg1, %arg2) : (tensor<4x96x2x16xi8>, tensor<4x96x2xi8>) -> tensor<4x96x64xbf16>
    %1 = tensor.empty() : tensor<4x8x96xf32>
    %2 = linalg.fill ins(%cst : f32) outs(%1 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %3 = linalg.generic {indexing_maps = [#map, #map1, #map2], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %0 : tensor<4x8x64xbf16>, tensor<4x96x64xbf16>) outs(%2 : tensor<4x8x96xf32>) {
    ^bb0(%in: bf16, %in_0: bf16, %out: f32):
      %6 = arith.extf %in : bf16 to f32
      %7 = arith.extf %in_0 : bf16 to f32
      %8 = arith.mulf %6, %7 : f32
      %9 = arith.addf %out, %8 : f32
      linalg.yield %9 : f32
    } -> tensor<4x8x96xf32>
    %4 = tensor.empty() : tensor<4x8x96xbf16>
    %5 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%3 : tensor<4x8x96xf32>) outs(%4 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %6 = arith.truncf %in : f32 to bf16
      linalg.yield %6 : bf16
    } -> tensor<4x8x96xbf16>
    return %5 : tensor<4x8x96xbf16>
  }
  func.func private @decode_dtypes(%arg0: tensor<4x96x2x16xi8>, %arg1: tensor<4x96x2xi8>) -> tensor<4x96x64xbf16> {
    %c4_i8 = arith.constant 4 : i8
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map4, #map5], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg0 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %12 = linalg.index 4 : index
      %13 = arith.index_cast %12 : index to i8
      %14 = arith.muli %13, %c4_i8 : i8
      %15 = arith.shrui %in, %14 : i8
      %16 = arith.trunci %15 : i8 to i4
      %17 = arith.bitcast %16 : i4 to f4E2M1FN
      linalg.yield %17 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xf4E2M1FN> into tensor<4x96x2x32xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %3 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2xi8>) outs(%2 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %12 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %12 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %4 = tensor.empty() : tensor<4x96x2x32xbf16>
    %5 = linalg.generic {indexing_maps = [#map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xf4E2M1FN>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %12 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %12 : bf16
    } -> tensor<4x96x2x32xbf16>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%3 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %12 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %12 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x1xbf16>
    %9 = linalg.generic {indexing_maps = [#map2, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x1xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x1xbf16>
    %10 = linalg.generic {indexing_maps = [#map7, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%9 : tensor<4x96x2x1xbf16>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %11 = linalg.generic {indexing_maps = [#map6, #map6, #map6], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5, %10 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_1: bf16, %out: bf16):
      %12 = arith.mulf %in, %in_1 : bf16
      linalg.yield %12 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_0 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    return %collapsed_0 : tensor<4x96x64xbf16>
  }
}

