// LUT + ldexp, einsum 'ebk,enk->ebn' to f32
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0, LLVM 24git)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline)'
#map = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map4 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
module @jit_batched_f32_lut_ldexp {
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
    %c16_i32 = arith.constant 16 : i32
    %c0_i32 = arith.constant 0 : i32
    %c127_i32 = arith.constant 127 : i32
    %c4_i8 = arith.constant 4 : i8
    %c15_i8 = arith.constant 15 : i8
    %cst_6 = arith.constant dense<[0.000000e+00, 5.000000e-01, 1.000000e+00, 1.500000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 6.000000e+00, -0.000000e+00, -5.000000e-01, -1.000000e+00, -1.500000e+00, -2.000000e+00, -3.000000e+00, -4.000000e+00, -6.000000e+00]> : tensor<16xbf16>
    %0 = tensor.empty() : tensor<4x96x2x16xi8>
    %1 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %96 = arith.andi %in, %c15_i8 : i8
      linalg.yield %96 : i8
    } -> tensor<4x96x2x16xi8>
    %2 = tensor.empty() : tensor<4x96x2x16xi8>
    %3 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%2 : tensor<4x96x2x16xi8>) {
    ^bb0(%in: i8, %out: i8):
      %96 = arith.shrui %in, %c4_i8 : i8
      linalg.yield %96 : i8
    } -> tensor<4x96x2x16xi8>
    %expanded = tensor.expand_shape %1 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %expanded_7 = tensor.expand_shape %3 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 16, 1] : tensor<4x96x2x16xi8> into tensor<4x96x2x16x1xi8>
    %4 = tensor.empty() : tensor<4x96x2x16x2xi8>
    %inserted_slice = tensor.insert_slice %expanded into %4[0, 0, 0, 0, 0] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %inserted_slice_8 = tensor.insert_slice %expanded_7 into %inserted_slice[0, 0, 0, 0, 1] [4, 96, 2, 16, 1] [1, 1, 1, 1, 1] : tensor<4x96x2x16x1xi8> into tensor<4x96x2x16x2xi8>
    %5 = tensor.empty() : tensor<4x96x2x16x2xi32>
    %6 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%inserted_slice_8 : tensor<4x96x2x16x2xi8>) outs(%5 : tensor<4x96x2x16x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %96 = arith.extui %in : i8 to i32
      linalg.yield %96 : i32
    } -> tensor<4x96x2x16x2xi32>
    %collapsed = tensor.collapse_shape %6 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xi32> into tensor<4x96x2x32xi32>
    %7 = tensor.empty() : tensor<4x96x2xi32>
    %8 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%7 : tensor<4x96x2xi32>) {
    ^bb0(%in: i8, %out: i32):
      %96 = arith.extui %in : i8 to i32
      linalg.yield %96 : i32
    } -> tensor<4x96x2xi32>
    %9 = tensor.empty() : tensor<4x96x2xi32>
    %10 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%8 : tensor<4x96x2xi32>) outs(%9 : tensor<4x96x2xi32>) {
    ^bb0(%in: i32, %out: i32):
      %96 = arith.subi %in, %c127_i32 : i32
      linalg.yield %96 : i32
    } -> tensor<4x96x2xi32>
    %11 = tensor.empty() : tensor<4x96x2x32xi1>
    %12 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%11 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i32, %out: i1):
      %96 = arith.cmpi slt, %in, %c0_i32 : i32
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %13 = tensor.empty() : tensor<4x96x2x32xi32>
    %14 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xi32>) outs(%13 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i32, %out: i32):
      %96 = arith.addi %in, %c16_i32 : i32
      linalg.yield %96 : i32
    } -> tensor<4x96x2x32xi32>
    %15 = tensor.empty() : tensor<4x96x2x32xi32>
    %16 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%12, %14, %collapsed : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi32>, tensor<4x96x2x32xi32>) outs(%15 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i1, %in_13: i32, %in_14: i32, %out: i32):
      %96 = arith.select %in, %in_13, %in_14 : i32
      linalg.yield %96 : i32
    } -> tensor<4x96x2x32xi32>
    %expanded_9 = tensor.expand_shape %16 [[0], [1], [2], [3, 4]] output_shape [4, 96, 2, 32, 1] : tensor<4x96x2x32xi32> into tensor<4x96x2x32x1xi32>
    %17 = tensor.empty() : tensor<4x96x2x32x1xbf16>
    %18 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%expanded_9 : tensor<4x96x2x32x1xi32>) outs(%17 : tensor<4x96x2x32x1xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %96 = arith.index_cast %in : i32 to index
      %extracted = tensor.extract %cst_6[%96] : tensor<16xbf16>
      linalg.yield %extracted : bf16
    } -> tensor<4x96x2x32x1xbf16>
    %collapsed_10 = tensor.collapse_shape %18 [[0], [1], [2], [3, 4]] : tensor<4x96x2x32x1xbf16> into tensor<4x96x2x32xbf16>
    %19 = tensor.empty() : tensor<4x96x2xbf16>
    %20 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%10 : tensor<4x96x2xi32>) outs(%19 : tensor<4x96x2xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %96 = arith.sitofp %in : i32 to bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2xbf16>
    %expanded_11 = tensor.expand_shape %20 [[0], [1], [2, 3]] output_shape [4, 96, 2, 1] : tensor<4x96x2xbf16> into tensor<4x96x2x1xbf16>
    %21 = tensor.empty() : tensor<4x96x2x32xbf16>
    %22 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_10 : tensor<4x96x2x32xbf16>) outs(%21 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %96 = math.absf %in : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %23 = tensor.empty() : tensor<4x96x2x32xi1>
    %24 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%22 : tensor<4x96x2x32xbf16>) outs(%23 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %96 = arith.cmpf olt, %in, %cst_5 : bf16
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %25 = tensor.empty() : tensor<4x96x2x32xbf16>
    %26 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_10 : tensor<4x96x2x32xbf16>) outs(%25 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %96 = arith.mulf %in, %cst_4 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %27 = tensor.empty() : tensor<4x96x2x32xbf16>
    %28 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24, %26, %collapsed_10 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%27 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_13: bf16, %in_14: bf16, %out: bf16):
      %96 = arith.select %in, %in_13, %in_14 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %29 = tensor.empty() : tensor<4x96x2x32xi16>
    %30 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%24 : tensor<4x96x2x32xi1>) outs(%29 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i1, %out: i16):
      %96 = arith.select %in, %c-7_i16, %c0_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %31 = tensor.empty() : tensor<4x96x2x32xi16>
    %32 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%28 : tensor<4x96x2x32xbf16>) outs(%31 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: bf16, %out: i16):
      %96 = arith.bitcast %in : bf16 to i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %33 = tensor.empty() : tensor<4x96x2x32xi16>
    %34 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%32 : tensor<4x96x2x32xi16>) outs(%33 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %96 = arith.shrsi %in, %c7_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %35 = tensor.empty() : tensor<4x96x2x32xi16>
    %36 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%34 : tensor<4x96x2x32xi16>) outs(%35 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %96 = arith.andi %in, %c255_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %37 = tensor.empty() : tensor<4x96x2x32xi16>
    %38 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%36 : tensor<4x96x2x32xi16>) outs(%37 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %96 = arith.subi %in, %c127_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %39 = tensor.empty() : tensor<4x96x2x32xi16>
    %40 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%38 : tensor<4x96x2x32xi16>) outs(%39 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %96 = arith.addi %in, %c1_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %41 = tensor.empty() : tensor<4x96x2x32xi16>
    %42 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%30, %40 : tensor<4x96x2x32xi16>, tensor<4x96x2x32xi16>) outs(%41 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %in_13: i16, %out: i16):
      %96 = arith.addi %in, %in_13 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %43 = tensor.empty() : tensor<4x96x2x32xi16>
    %44 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%32 : tensor<4x96x2x32xi16>) outs(%43 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %96 = arith.andi %in, %c-32641_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %45 = tensor.empty() : tensor<4x96x2x32xi16>
    %46 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%44 : tensor<4x96x2x32xi16>) outs(%45 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i16, %out: i16):
      %96 = arith.ori %in, %c16128_i16 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %47 = tensor.empty() : tensor<4x96x2x32xbf16>
    %48 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%46 : tensor<4x96x2x32xi16>) outs(%47 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i16, %out: bf16):
      %96 = arith.bitcast %in : i16 to bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %49 = tensor.empty() : tensor<4x96x2x32xi1>
    %50 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%22 : tensor<4x96x2x32xbf16>) outs(%49 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %96 = arith.cmpf oeq, %in, %cst_3 : bf16
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %51 = tensor.empty() : tensor<4x96x2x32xi1>
    %52 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_10 : tensor<4x96x2x32xbf16>) outs(%51 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %96 = arith.cmpf une, %in, %in : bf16
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %53 = tensor.empty() : tensor<4x96x2x32xi1>
    %54 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%50, %52 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi1>) outs(%53 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %in_13: i1, %out: i1):
      %96 = arith.ori %in, %in_13 : i1
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %55 = tensor.empty() : tensor<4x96x2x32xi1>
    %56 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_10 : tensor<4x96x2x32xbf16>) outs(%55 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %96 = arith.cmpf oeq, %in, %cst_2 : bf16
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %57 = tensor.empty() : tensor<4x96x2x32xi1>
    %58 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%54, %56 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi1>) outs(%57 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %in_13: i1, %out: i1):
      %96 = arith.ori %in, %in_13 : i1
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %59 = tensor.empty() : tensor<4x96x2x32xi16>
    %60 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%58, %42 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi16>) outs(%59 : tensor<4x96x2x32xi16>) {
    ^bb0(%in: i1, %in_13: i16, %out: i16):
      %96 = arith.select %in, %c0_i16, %in_13 : i16
      linalg.yield %96 : i16
    } -> tensor<4x96x2x32xi16>
    %61 = tensor.empty() : tensor<4x96x2x32xbf16>
    %62 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%58, %collapsed_10, %48 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%61 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_13: bf16, %in_14: bf16, %out: bf16):
      %96 = arith.select %in, %in_13, %in_14 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %63 = tensor.empty() : tensor<4x96x2x32xi32>
    %64 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%60 : tensor<4x96x2x32xi16>) outs(%63 : tensor<4x96x2x32xi32>) {
    ^bb0(%in: i16, %out: i32):
      %96 = arith.extsi %in : i16 to i32
      linalg.yield %96 : i32
    } -> tensor<4x96x2x32xi32>
    %65 = tensor.empty() : tensor<4x96x2x32xbf16>
    %66 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%64 : tensor<4x96x2x32xi32>) outs(%65 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i32, %out: bf16):
      %96 = arith.sitofp %in : i32 to bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %67 = tensor.empty() : tensor<4x96x2x32xbf16>
    %68 = linalg.generic {indexing_maps = [#map3, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%expanded_11 : tensor<4x96x2x1xbf16>) outs(%67 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %69 = tensor.empty() : tensor<4x96x2x32xbf16>
    %70 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%66, %68 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%69 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_13: bf16, %out: bf16):
      %96 = arith.addf %in, %in_13 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %71 = tensor.empty() : tensor<4x96x2x32xi1>
    %72 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%70 : tensor<4x96x2x32xbf16>) outs(%71 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: bf16, %out: i1):
      %96 = arith.cmpf ogt, %in, %cst_2 : bf16
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %73 = tensor.empty() : tensor<4x96x2x32xbf16>
    %74 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%62 : tensor<4x96x2x32xbf16>) outs(%73 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %96 = arith.mulf %in, %cst_1 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %75 = tensor.empty() : tensor<4x96x2x32xbf16>
    %76 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%72, %74, %62 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%75 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_13: bf16, %in_14: bf16, %out: bf16):
      %96 = arith.select %in, %in_13, %in_14 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %77 = tensor.empty() : tensor<4x96x2x32xbf16>
    %78 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%70 : tensor<4x96x2x32xbf16>) outs(%77 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %96 = arith.subf %in, %cst_0 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %79 = tensor.empty() : tensor<4x96x2x32xbf16>
    %80 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%72, %78, %70 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%79 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_13: bf16, %in_14: bf16, %out: bf16):
      %96 = arith.select %in, %in_13, %in_14 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %81 = tensor.empty() : tensor<4x96x2x32xbf16>
    %82 = linalg.generic {indexing_maps = [#map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%80 : tensor<4x96x2x32xbf16>) outs(%81 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      %96 = math.powf %cst_1, %in : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %83 = tensor.empty() : tensor<4x96x2x32xbf16>
    %84 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%76, %82 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%83 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_13: bf16, %out: bf16):
      %96 = arith.mulf %in, %in_13 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %85 = tensor.empty() : tensor<4x96x2x32xi1>
    %86 = linalg.generic {indexing_maps = [#map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%50, %56 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xi1>) outs(%85 : tensor<4x96x2x32xi1>) {
    ^bb0(%in: i1, %in_13: i1, %out: i1):
      %96 = arith.ori %in, %in_13 : i1
      linalg.yield %96 : i1
    } -> tensor<4x96x2x32xi1>
    %87 = tensor.empty() : tensor<4x96x2x32xbf16>
    %88 = linalg.generic {indexing_maps = [#map, #map, #map, #map], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%86, %collapsed_10, %84 : tensor<4x96x2x32xi1>, tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%87 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: i1, %in_13: bf16, %in_14: bf16, %out: bf16):
      %96 = arith.select %in, %in_13, %in_14 : bf16
      linalg.yield %96 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_12 = tensor.collapse_shape %88 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %89 = tensor.empty() : tensor<4x64x96xbf16>
    %90 = linalg.generic {indexing_maps = [#map4, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_12 : tensor<4x96x64xbf16>) outs(%89 : tensor<4x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x64x96xbf16>
    %91 = tensor.empty() : tensor<4x8x96xf32>
    %92 = linalg.fill ins(%cst : f32) outs(%91 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %93 = linalg.batch_matmul ins(%arg0, %90 : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%92 : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
    %94 = tensor.empty() : tensor<4x8x96xbf16>
    %95 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%93 : tensor<4x8x96xf32>) outs(%94 : tensor<4x8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %96 = arith.truncf %in : f32 to bf16
      linalg.yield %96 : bf16
    } -> tensor<4x8x96xbf16>
    return %95 : tensor<4x8x96xbf16>
  }
}

