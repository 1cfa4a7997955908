// LUT, out.at[..., 0::2].set and 1::2, ldexp (gpt-oss's reference), einsum 'ebk,enk->ebn' to f32
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)', printed in generic form (--mlir-print-op-generic)
//   and read by mlir-opt-22 --allow-unregistered-dialect: iree_linalg_ext.scatter stays unregistered
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0) -> (d0)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d1, d2, d3, d0)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d3, d0, d1, d2)>
#map5 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map6 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map7 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
module @jit_batched_f32_lut_set {
  func.func public @main(%arg0: tensor<4x8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}) -> tensor<4x8x96xbf16> {
    %cst = arith.constant 0.000000e+00 : f32
    %cst_0 = arith.constant 1.000000e+00 : bf16
    %cst_1 = arith.constant 2.000000e+00 : bf16
    %cst_2 = arith.constant 0.000000e+00 : bf16
    %cst_3 = arith.constant 0x7F80 : bf16
    %c16128_i16 = arith.constant 16128 : i16
    %c-32641_i16 = arith.constant -32641 : i16
    %c1_i16 = arith.constant 1 : i16
    %c127_i16 = arith.constant 127 : i16
    %c255_i16 = arith.constant 255 : i16
    %c7_i16 = arith.constant 7 : i16
    %c0_i16 = arith.constant 0 : i16
    %c-7_i16 = arith.constant -7 : i16
    %cst_4 = arith.constant 1.280000e+02 : bf16
    %cst_5 = arith.constant 1.175490e-38 : bf16
    %c127_i32 = arith.constant 127 : i32
    %c1_i32 = arith.constant 1 : i32
    %c2_i32 = arith.constant 2 : i32
    %c4_i8 = arith.constant 4 : i8
    %c16_i32 = arith.constant 16 : i32
    %c0_i32 = arith.constant 0 : i32
    %c15_i8 = arith.constant 15 : i8
    %cst_6 = arith.constant dense<0.000000e+00> : tensor<4x96x2x32xbf16>
    %cst_7 = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00, -5.000000e-01, -1.000000e+00, -1.500000e+00, -2.000000e+00, -3.000000e+00, -4.000000e+00, -6.000000e+00]> : tensor<16xbf16>
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %125 = arith.andi %in, %c15_i8 : i8
      linalg.yield %125 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = tensor.empty() : tensor<4x96x2x16xi32>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%1 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi32>) {
    ^bb0(%in: i8, %out: i32):
      %125 = arith.extui %in : i8 to i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x16xi32>
    %4 = tensor.empty() : tensor<4x96x2x16xi1>
    %5 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3 : tensor<4x96x2x16xi32>) outs(%4 : tensor<4x96x2x16xi1>) {
    ^bb0(%in: i32, %out: i1):
      %125 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %125 : i1
    } -> tensor<4x96x2x16xi1>
    %6 = tensor.empty() : tensor<4x96x2x16xi32>
    %7 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%3 : tensor<4x96x2x16xi32>) outs(%6 : tensor<4x96x2x16xi32>) {
    ^bb0(%in: i32, %out: i32):
      %125 = arith.addi %in, %c16_i32 : i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x16xi32>
    %8 = tensor.empty() : tensor<4x96x2x16xi32>
    %9 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5, %7, %3 : tensor<4x96x2x16xi1>, tensor<4x96x2x16xi32>, tensor<4x96x2x16xi32>) outs(%8 : tensor<4x96x2x16xi32>) {
    ^bb0(%in: i1, %in_16: i32, %in_17: i32, %out: i32):
      %125 = arith.select %in, %in_16, %in_17 : i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x16xi32>
    %expanded = tensor.expand_shape %9 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi32> into tensor<4x96x2x16x1xi32>
    %10 = tensor.empty() : tensor<4x96x2x16x1xbf16>
    %11 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded : tensor<4x96x2x16x1xi32>) outs(%10 : tensor<4x96x2x16x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %125 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %cst_7[%125] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<4x96x2x16x1xbf16>
    %collapsed = tensor.collapse_shape %11 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x1xbf16> into tensor<4x96x2x16xbf16>
    %12 = tensor.empty() : tensor<4x96x2x16xi8>
    %13 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%12 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %125 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %125 : i8
    } -> tensor<4x96x2x16xi8>
    %14 = tensor.empty() : tensor<4x96x2x16xi32>
    %15 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%13 : tensor<4x96x2x16xi8>) outs(%14 : tensor<4x96x2x16xi32>) {
    ^bb0(%in: i8, %out: i32):
      %125 = arith.extui %in : i8 to i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x16xi32>
    %16 = tensor.empty() : tensor<4x96x2x16xi1>
    %17 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%15 : tensor<4x96x2x16xi32>) outs(%16 : tensor<4x96x2x16xi1>) {
    ^bb0(%in: i32, %out: i1):
      %125 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %125 : i1
    } -> tensor<4x96x2x16xi1>
    %18 = tensor.empty() : tensor<4x96x2x16xi32>
    %19 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%15 : tensor<4x96x2x16xi32>) outs(%18 : tensor<4x96x2x16xi32>) {
    ^bb0(%in: i32, %out: i32):
      %125 = arith.addi %in, %c16_i32 : i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x16xi32>
    %20 = tensor.empty() : tensor<4x96x2x16xi32>
    %21 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%17, %19, %15 : tensor<4x96x2x16xi1>, tensor<4x96x2x16xi32>, tensor<4x96x2x16xi32>) outs(%20 : tensor<4x96x2x16xi32>) {
    ^bb0(%in: i1, %in_16: i32, %in_17: i32, %out: i32):
      %125 = arith.select %in, %in_16, %in_17 : i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x16xi32>
    %expanded_8 = tensor.expand_shape %21 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi32> into tensor<4x96x2x16x1xi32>
    %22 = tensor.empty() : tensor<4x96x2x16x1xbf16>
    %23 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_8 : tensor<4x96x2x16x1xi32>) outs(%22 : tensor<4x96x2x16x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %125 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %cst_7[%125] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<4x96x2x16x1xbf16>
    %collapsed_9 = tensor.collapse_shape %23 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x1xbf16> into tensor<4x96x2x16xbf16>
    %24 = tensor.empty() : tensor<16xi32>
    %25 = linalg.generic {indexing_maps = [#map2], iterator_types = ["parallel"]} outs(%24 : tensor<16xi32>) {
    ^bb0(%out: i32):
      %125 = linalg.index 0 : index
      %126 = arith.index_cast %125 : index to i32
      linalg.yield %126 : i32
    } -> tensor<16xi32>
    %26 = tensor.empty() : tensor<16xi32>
    %27 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%25 : tensor<16xi32>) outs(%26 : tensor<16xi32>) {
    ^bb0(%in: i32, %out: i32):
      %125 = arith.muli %in, %c2_i32 : i32
      linalg.yield %125 : i32
    } -> tensor<16xi32>
    %expanded_10 = tensor.expand_shape %27 [[0, 1]] output_shape [16, 1] : tensor<16xi32> into tensor<16x1xi32>
    %28 = tensor.empty() : tensor<16x4x96x2xbf16>
    %29 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x16xbf16>) outs(%28 : tensor<16x4x96x2xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<16x4x96x2xbf16>
    %30 = tensor.empty() : tensor<32x4x96x2xbf16>
    %31 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%cst_6 : tensor<4x96x2x32xbf16>) outs(%30 : tensor<32x4x96x2xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<32x4x96x2xbf16>
    %expanded_11 = tensor.expand_shape %29 [[0], [1, 2], [3], [4]] output_shape [16, 1, 4, 96, 2] : tensor<16x4x96x2xbf16> into tensor<16x1x4x96x2xbf16>
    %32 = "iree_linalg_ext.scatter"(%expanded_11, %expanded_10, %31) <{dimension_map = array<i64: 0>, unique_indices = true}> ({
    ^bb0(%arg3: bf16, %arg4: bf16):
      "iree_linalg_ext.yield"(%arg3) : (bf16) -> ()
    }) : (tensor<16x1x4x96x2xbf16>, tensor<16x1xi32>, tensor<32x4x96x2xbf16>) -> tensor<32x4x96x2xbf16>
    %33 = tensor.empty() : tensor<4x96x2x32xbf16>
    %34 = linalg.generic {indexing_maps = [#map4, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%32 : tensor<32x4x96x2xbf16>) outs(%33 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %35 = tensor.empty() : tensor<16xi32>
    %36 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel"]} ins(%27 : tensor<16xi32>) outs(%35 : tensor<16xi32>) {
    ^bb0(%in: i32, %out: i32):
      %125 = arith.addi %in, %c1_i32 : i32
      linalg.yield %125 : i32
    } -> tensor<16xi32>
    %expanded_12 = tensor.expand_shape %36 [[0, 1]] output_shape [16, 1] : tensor<16xi32> into tensor<16x1xi32>
    %37 = tensor.empty() : tensor<16x4x96x2xbf16>
    %38 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_9 : tensor<4x96x2x16xbf16>) outs(%37 : tensor<16x4x96x2xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<16x4x96x2xbf16>
    %39 = tensor.empty() : tensor<32x4x96x2xbf16>
    %40 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%34 : tensor<4x96x2x32xbf16>) outs(%39 : tensor<32x4x96x2xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<32x4x96x2xbf16>
    %expanded_13 = tensor.expand_shape %38 [[0], [1, 2], [3], [4]] output_shape [16, 1, 4, 96, 2] : tensor<16x4x96x2xbf16> into tensor<16x1x4x96x2xbf16>
    %41 = "iree_linalg_ext.scatter"(%expanded_13, %expanded_12, %40) <{dimension_map = array<i64: 0>, unique_indices = true}> ({
    ^bb0(%arg3: bf16, %arg4: bf16):
      "iree_linalg_ext.yield"(%arg3) : (bf16) -> ()
    }) : (tensor<16x1x4x96x2xbf16>, tensor<16x1xi32>, tensor<32x4x96x2xbf16>) -> tensor<32x4x96x2xbf16>
    %42 = tensor.empty() : tensor<4x96x2x32xbf16>
    %43 = linalg.generic {indexing_maps = [#map4, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%41 : tensor<32x4x96x2xbf16>) outs(%42 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %44 = tensor.empty() : tensor<4x96x2xi32>
    %45 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%44 : tensor<4x96x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %125 = arith.extui %in : i8 to i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2xi32>
    %expanded_14 = tensor.expand_shape %45 [[0], [1], [2, 3]] output_shape [4, 96, 2, 1] : tensor<4x96x2xi32> into tensor<4x96x2x1xi32>
    %46 = tensor.empty() : tensor<4x96x2x1xi32>
    %47 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_14 : tensor<4x96x2x1xi32>) outs(%46 : tensor<4x96x2x1xi32>) {
    ^bb0(%in: i32, %out: i32):
      %125 = arith.subi %in, %c127_i32 : i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x1xi32>
    %48 = tensor.empty() : tensor<4x96x2x1xbf16>
    %49 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%47 : tensor<4x96x2x1xi32>) outs(%48 : tensor<4x96x2x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %125 = arith.sitofp %in : i32 to bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x1xbf16>
    %50 = tensor.empty() : tensor<4x96x2x32xbf16>
    %51 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%43 : tensor<4x96x2x32xbf16>) outs(%50 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %125 = math.absf %in : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %52 = tensor.empty() : tensor<4x96x2x32xi1>
    %53 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%51 : tensor<4x96x2x32xbf16>) outs(%52 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %125 = arith.cmpf olt, %in, %cst_5 : bf16
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %54 = tensor.empty() : tensor<4x96x2x32xbf16>
    %55 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%43 : tensor<4x96x2x32xbf16>) outs(%54 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %125 = arith.mulf %in, %cst_4 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %56 = tensor.empty() : tensor<4x96x2x32xbf16>
    %57 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%53, %55, %43 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%56 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_16: bf16, %in_17: bf16, %out: bf16):
      %125 = arith.select %in, %in_16, %in_17 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %58 = tensor.empty() : tensor<4x96x2x32xi16>
    %59 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%53 : tensor<4x96x2x32xi1>) outs(%58 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i1, %out: i16):
      %125 = arith.select %in, %c-7_i16, %c0_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %60 = tensor.empty() : tensor<4x96x2x32xi16>
    %61 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%57 : tensor<4x96x2x32xbf16>) outs(%60 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: bf16, %out: i16):
      %125 = arith.bitcast %in : bf16 to i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %62 = tensor.empty() : tensor<4x96x2x32xi16>
    %63 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%61 : tensor<4x96x2x32xi16>) outs(%62 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %125 = arith.shrsi %in, %c7_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %64 = tensor.empty() : tensor<4x96x2x32xi16>
    %65 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%63 : tensor<4x96x2x32xi16>) outs(%64 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %125 = arith.andi %in, %c255_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %66 = tensor.empty() : tensor<4x96x2x32xi16>
    %67 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%65 : tensor<4x96x2x32xi16>) outs(%66 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %125 = arith.subi %in, %c127_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %68 = tensor.empty() : tensor<4x96x2x32xi16>
    %69 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%67 : tensor<4x96x2x32xi16>) outs(%68 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %125 = arith.addi %in, %c1_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %70 = tensor.empty() : tensor<4x96x2x32xi16>
    %71 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%59, %69 : tensor<4x96x2x32xi16>, tensor<4x96x2x32xi16>) outs(%70 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %in_16: i16, %out: i16):
      %125 = arith.addi %in, %in_16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %72 = tensor.empty() : tensor<4x96x2x32xi16>
    %73 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%61 : tensor<4x96x2x32xi16>) outs(%72 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %125 = arith.andi %in, %c-32641_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %74 = tensor.empty() : tensor<4x96x2x32xi16>
    %75 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%73 : tensor<4x96x2x32xi16>) outs(%74 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %125 = arith.ori %in, %c16128_i16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %76 = tensor.empty() : tensor<4x96x2x32xbf16>
    %77 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%75 : tensor<4x96x2x32xi16>) outs(%76 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i16, %out: bf16):
      %125 = arith.bitcast %in : i16 to bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %78 = tensor.empty() : tensor<4x96x2x32xi1>
    %79 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%51 : tensor<4x96x2x32xbf16>) outs(%78 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %125 = arith.cmpf oeq, %in, %cst_3 : bf16
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %80 = tensor.empty() : tensor<4x96x2x32xi1>
    %81 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%43 : tensor<4x96x2x32xbf16>) outs(%80 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %125 = arith.cmpf une, %in, %in : bf16
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %82 = tensor.empty() : tensor<4x96x2x32xi1>
    %83 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%79, %81 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi1>) outs(%82 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %in_16: i1, %out: i1):
      %125 = arith.ori %in, %in_16 : i1
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %84 = tensor.empty() : tensor<4x96x2x32xi1>
    %85 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%43 : tensor<4x96x2x32xbf16>) outs(%84 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %125 = arith.cmpf oeq, %in, %cst_2 : bf16
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %86 = tensor.empty() : tensor<4x96x2x32xi1>
    %87 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%83, %85 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi1>) outs(%86 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %in_16: i1, %out: i1):
      %125 = arith.ori %in, %in_16 : i1
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %88 = tensor.empty() : tensor<4x96x2x32xi16>
    %89 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%87, %71 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi16>) outs(%88 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i1, %in_16: i16, %out: i16):
      %125 = arith.select %in, %c0_i16, %in_16 : i16
      linalg.yield %125 : i16
    } -> tensor<4x96x2x32xi16>
    %90 = tensor.empty() : tensor<4x96x2x32xbf16>
    %91 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%87, %43, %77 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%90 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_16: bf16, %in_17: bf16, %out: bf16):
      %125 = arith.select %in, %in_16, %in_17 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %92 = tensor.empty() : tensor<4x96x2x32xi32>
    %93 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%89 : tensor<4x96x2x32xi16>) outs(%92 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i16, %out: i32):
      %125 = arith.extsi %in : i16 to i32
      linalg.yield %125 : i32
    } -> tensor<4x96x2x32xi32>
    %94 = tensor.empty() : tensor<4x96x2x32xbf16>
    %95 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%93 : tensor<4x96x2x32xi32>) outs(%94 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %125 = arith.sitofp %in : i32 to bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %96 = tensor.empty() : tensor<4x96x2x32xbf16>
    %97 = linalg.generic {indexing_maps = [#map6, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%49 : tensor<4x96x2x1xbf16>) outs(%96 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %98 = tensor.empty() : tensor<4x96x2x32xbf16>
    %99 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%95, %97 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%98 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_16: bf16, %out: bf16):
      %125 = arith.addf %in, %in_16 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %100 = tensor.empty() : tensor<4x96x2x32xi1>
    %101 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%99 : tensor<4x96x2x32xbf16>) outs(%100 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %125 = arith.cmpf ogt, %in, %cst_2 : bf16
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %102 = tensor.empty() : tensor<4x96x2x32xbf16>
    %103 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%91 : tensor<4x96x2x32xbf16>) outs(%102 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %125 = arith.mulf %in, %cst_1 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %104 = tensor.empty() : tensor<4x96x2x32xbf16>
    %105 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%101, %103, %91 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%104 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_16: bf16, %in_17: bf16, %out: bf16):
      %125 = arith.select %in, %in_16, %in_17 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %106 = tensor.empty() : tensor<4x96x2x32xbf16>
    %107 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%99 : tensor<4x96x2x32xbf16>) outs(%106 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %125 = arith.subf %in, %cst_0 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %108 = tensor.empty() : tensor<4x96x2x32xbf16>
    %109 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%101, %107, %99 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%108 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_16: bf16, %in_17: bf16, %out: bf16):
      %125 = arith.select %in, %in_16, %in_17 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %110 = tensor.empty() : tensor<4x96x2x32xbf16>
    %111 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%109 : tensor<4x96x2x32xbf16>) outs(%110 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %125 = math.powf %cst_1, %in : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %112 = tensor.empty() : tensor<4x96x2x32xbf16>
    %113 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%105, %111 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%112 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_16: bf16, %out: bf16):
      %125 = arith.mulf %in, %in_16 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %114 = tensor.empty() : tensor<4x96x2x32xi1>
    %115 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%79, %85 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi1>) outs(%114 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %in_16: i1, %out: i1):
      %125 = arith.ori %in, %in_16 : i1
      linalg.yield %125 : i1
    } -> tensor<4x96x2x32xi1>
    %116 = tensor.empty() : tensor<4x96x2x32xbf16>
    %117 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%115, %43, %113 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%116 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_16: bf16, %in_17: bf16, %out: bf16):
      %125 = arith.select %in, %in_16, %in_17 : bf16
      linalg.yield %125 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_15 = tensor.collapse_shape %117 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %118 = tensor.empty() : tensor<4x64x96xbf16>
    %119 = linalg.generic {indexing_maps = [#map7, #map5], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_15 : tensor<4x96x64xbf16>) outs(%118 : tensor<4x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x64x96xbf16>
    %120 = tensor.empty() : tensor<4x8x96xf32>
    %121 = linalg.fill ins(%cst : f32) outs(%120 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %122 = linalg.batch_matmul ins(%arg0, %119 : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%121 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %123 = tensor.empty() : tensor<4x8x96xbf16>
    %124 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = ["parallel", "parallel", "parallel"]} ins(%122 : tensor<4x8x96xf32>) outs(%123 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %125 = arith.truncf %in : f32 to bf16
      linalg.yield %125 : bf16
    } -> tensor<4x8x96xbf16>
    return %124 : tensor<4x8x96xbf16>
  }
}

