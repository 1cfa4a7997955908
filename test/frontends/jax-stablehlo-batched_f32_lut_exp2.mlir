// LUT * exp2, einsum in f32, without IREE: a concatenation is a branch
// made by: StableHLO by jax.export (jax 0.10.2), then torch-mlir-opt (torch-mlir 20261001)
//   --pass-pipeline='builtin.module(inline,stablehlo-legalize-to-linalg,stablehlo-convert-to-signless,canonicalize,cse)'
#map = affine_map<(d0, d1, d2) -> ()>
#map1 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map2 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d3)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d2, d3)>
module @jit_d_flat_block {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x32xi8>, %arg2: tensor<4x96x2xi8>) -> (tensor<4x8x96xbf16>) {
    %c1 = arith.constant 1 : index
    %cst = arith.constant 0.000000e+00 : f32
    %c15 = arith.constant 15 : index
    %c0 = arith.constant 0 : index
    %c8_i8 = arith.constant 8 : i8
    %c0_i8 = arith.constant 0 : i8
    %cst_0 = arith.constant dense<15> : tensor<i8>
    %cst_1 = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00, -5.000000e-01, -1.000000e+00, -1.500000e+00, -2.000000e+00, -3.000000e+00, -4.000000e+00, -6.000000e+00]> : tensor<16xf32>
    %cst_2 = arith.constant dense<4> : tensor<i8>
    %cst_3 = arith.constant dense<1.270000e+02> : tensor<f32>
    %cst_4 = arith.constant dense<0.693147182> : tensor<f32>
    %0 = tensor.empty() : tensor<4x96x32xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_0 : tensor<i8>) outs(%0 : tensor<4x96x32xi8>) {
    ^bb0(%in: i8, %out: i8):
      linalg.yield %in : i8
    } -> tensor<4x96x32xi8>
    %2 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg1, %1 : tensor<4x96x32xi8>, tensor<4x96x32xi8>) outs(%0 : tensor<4x96x32xi8>) {
    ^bb0(%in: i8, %in_6: i8, %out: i8):
      %35 = arith.andi %in, %in_6 : i8
      linalg.yield %35 : i8
    } -> tensor<4x96x32xi8>
    %3 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_2 : tensor<i8>) outs(%0 : tensor<4x96x32xi8>) {
    ^bb0(%in: i8, %out: i8):
      linalg.yield %in : i8
    } -> tensor<4x96x32xi8>
    %4 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg1, %3 : tensor<4x96x32xi8>, tensor<4x96x32xi8>) outs(%0 : tensor<4x96x32xi8>) {
    ^bb0(%in: i8, %in_6: i8, %out: i8):
      %35 = arith.shrui %in, %in_6 : i8
      %36 = arith.cmpi ult, %in_6, %c8_i8 : i8
      %37 = arith.select %36, %35, %c0_i8 : i8
      linalg.yield %37 : i8
    } -> tensor<4x96x32xi8>
    %5 = tensor.empty() : tensor<4x96x32x1xi8>
    %6 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%2 : tensor<4x96x32xi8>) outs(%5 : tensor<4x96x32x1xi8>) {
    ^bb0(%in: i8, %out: i8):
      linalg.yield %in : i8
    } -> tensor<4x96x32x1xi8>
    %7 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%4 : tensor<4x96x32xi8>) outs(%5 : tensor<4x96x32x1xi8>) {
    ^bb0(%in: i8, %out: i8):
      linalg.yield %in : i8
    } -> tensor<4x96x32x1xi8>
    %8 = tensor.empty() : tensor<4x96x32x2xi8>
    %9 = linalg.generic {indexing_maps = [#map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} outs(%8 : tensor<4x96x32x2xi8>) {
    ^bb0(%out: i8):
      %35 = linalg.index 0 : index
      %36 = linalg.index 1 : index
      %37 = linalg.index 2 : index
      %38 = linalg.index 3 : index
      %39 = arith.cmpi ult, %38, %c1 : index
      %40 = scf.if %39 -> (i8) {
        %extracted = tensor.extract %6[%35, %36, %37, %38] : tensor<4x96x32x1xi8>
        scf.yield %extracted : i8
      } else {
        %41 = arith.subi %38, %c1 : index
        %extracted = tensor.extract %7[%35, %36, %37, %41] : tensor<4x96x32x1xi8>
        scf.yield %extracted : i8
      }
      linalg.yield %40 : i8
    } -> tensor<4x96x32x2xi8>
    %collapsed = tensor.collapse_shape %9 [[0], [1], [2, 3]] : tensor<4x96x32x2xi8> into tensor<4x96x64xi8>
    %10 = tensor.empty() : tensor<4x96x64xi32>
    %11 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x64xi8>) outs(%10 : tensor<4x96x64xi32>) {
    ^bb0(%in: i8, %out: i32):
      %35 = arith.extui %in : i8 to i32
      linalg.yield %35 : i32
    } -> tensor<4x96x64xi32>
    %12 = tensor.empty() : tensor<4x96x64x1xi32>
    %13 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<4x96x64xi32>) outs(%12 : tensor<4x96x64x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4x96x64x1xi32>
    %14 = tensor.empty() : tensor<4x96x64xf32>
    %15 = linalg.generic {indexing_maps = [#map1], iterator_types = ["parallel", "parallel", "parallel"]} outs(%14 : tensor<4x96x64xf32>) {
    ^bb0(%out: f32):
      %35 = linalg.index 0 : index
      %36 = linalg.index 1 : index
      %37 = linalg.index 2 : index
      %extracted = tensor.extract %13[%35, %36, %37, %c0] : tensor<4x96x64x1xi32>
      %38 = arith.index_cast %extracted : i32 to index
      %39 = arith.maxsi %38, %c0 : index
      %40 = arith.minsi %39, %c15 : index
      %extracted_6 = tensor.extract %cst_1[%40] : tensor<16xf32>
      linalg.yield %extracted_6 : f32
    } -> tensor<4x96x64xf32>
    %expanded = tensor.expand_shape %15 [[0], [1], [2, 3]] output_shape [4, 96, 2, 32] : tensor<4x96x64xf32> into tensor<4x96x2x32xf32>
    %16 = tensor.empty() : tensor<4x96x2xf32>
    %17 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%16 : tensor<4x96x2xf32>) {
    ^bb0(%in: i8, %out: f32):
      %35 = arith.uitofp %in : i8 to f32
      linalg.yield %35 : f32
    } -> tensor<4x96x2xf32>
    %18 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_3 : tensor<f32>) outs(%16 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2xf32>
    %19 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%17, %18 : tensor<4x96x2xf32>, tensor<4x96x2xf32>) outs(%16 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %35 = arith.subf %in, %in_6 : f32
      linalg.yield %35 : f32
    } -> tensor<4x96x2xf32>
    %20 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_4 : tensor<f32>) outs(%16 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2xf32>
    %21 = linalg.generic {indexing_maps = [#map1, #map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%20, %19 : tensor<4x96x2xf32>, tensor<4x96x2xf32>) outs(%16 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %35 = arith.mulf %in, %in_6 : f32
      linalg.yield %35 : f32
    } -> tensor<4x96x2xf32>
    %22 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%21 : tensor<4x96x2xf32>) outs(%16 : tensor<4x96x2xf32>) {
    ^bb0(%in: f32, %out: f32):
      %35 = math.exp %in : f32
      linalg.yield %35 : f32
    } -> tensor<4x96x2xf32>
    %23 = tensor.empty() : tensor<4x96x2x1xf32>
    %24 = linalg.generic {indexing_maps = [#map2, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%22 : tensor<4x96x2xf32>) outs(%23 : tensor<4x96x2x1xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2x1xf32>
    %25 = tensor.empty() : tensor<4x96x2x32xf32>
    %26 = linalg.generic {indexing_maps = [#map4, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24 : tensor<4x96x2x1xf32>) outs(%25 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %out: f32):
      linalg.yield %in : f32
    } -> tensor<4x96x2x32xf32>
    %27 = linalg.generic {indexing_maps = [#map3, #map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded, %26 : tensor<4x96x2x32xf32>, tensor<4x96x2x32xf32>) outs(%25 : tensor<4x96x2x32xf32>) {
    ^bb0(%in: f32, %in_6: f32, %out: f32):
      %35 = arith.mulf %in, %in_6 : f32
      linalg.yield %35 : f32
    } -> tensor<4x96x2x32xf32>
    %collapsed_5 = tensor.collapse_shape %27 [[0], [1], [2, 3]] : tensor<4x96x2x32xf32> into tensor<4x96x64xf32>
    %28 = tensor.empty() : tensor<4x96x64xbf16>
    %29 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_5 : tensor<4x96x64xf32>) outs(%28 : tensor<4x96x64xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %35 = arith.truncf %in : f32 to bf16
      linalg.yield %35 : bf16
    } -> tensor<4x96x64xbf16>
    %30 = tensor.empty() : tensor<4x8x96xf32>
    %31 = linalg.fill ins(%cst : f32) outs(%30 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %32 = linalg.generic {indexing_maps = [#map5, #map6, #map2], iterator_types = ["parallel", "parallel", "parallel", "reduction"]} ins(%arg0, %29 : tensor<4x8x64xbf16>, tensor<4x96x64xbf16>) outs(%31 : tensor<4x8x96xf32>) {
    ^bb0(%in: bf16, %in_6: bf16, %out: f32):
      %35 = arith.extf %in : bf16 to f32
      %36 = arith.extf %in_6 : bf16 to f32
      %37 = arith.mulf %35, %36 : f32
      %38 = arith.addf %out, %37 : f32
      linalg.yield %38 : f32
    } -> tensor<4x8x96xf32>
    %33 = tensor.empty() : tensor<4x8x96xbf16>
    %34 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel"]} ins(%32 : tensor<4x8x96xf32>) outs(%33 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %35 = arith.truncf %in : f32 to bf16
      linalg.yield %35 : bf16
    } -> tensor<4x8x96xbf16>
    return %34 : tensor<4x8x96xbf16>
  }
}

