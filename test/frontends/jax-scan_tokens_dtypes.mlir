// tokens one after another by lax.scan, each with a number of an expert
// made by: StableHLO by jax.export (jax 0.10.2), then iree-opt (iree-base-compiler 3.13.0)
//   --pass-pipeline='builtin.module(iree-stablehlo-input-transformation-pipeline,inline,symbol-dce,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map5 = affine_map<() -> ()>
#map6 = affine_map<(d0, d1) -> (d1)>
#map7 = affine_map<(d0, d1) -> (d0, d1)>
module @jit__lambda {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8> {iree.abi.encoding = tensor<4x96x2x16xui8>}, %arg2: tensor<4x96x2xi8> {iree.abi.encoding = tensor<4x96x2xui8>}, %arg3: tensor<8xi32>) -> tensor<8x96xf32> {
    %cst = arith.constant 0.000000e+00 : f32
    %c3 = arith.constant 3 : index
    %c4_i32 = arith.constant 4 : i32
    %c4_i8 = arith.constant 4 : i8
    %c7 = arith.constant 7 : index
    %c0 = arith.constant 0 : index
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<8x96xf32>
    %c0_i32 = arith.constant 0 : i32
    %c8_i32 = arith.constant 8 : i32
    %c1_i32 = arith.constant 1 : i32
    %0 = scf.for %arg4 = %c0_i32 to %c8_i32 step %c1_i32 iter_args(%arg5 = %cst_0) -> (tensor<8x96xf32>)  : i32 {
      %1 = arith.index_cast %arg4 : i32 to index
      %2 = arith.maxsi %1, %c0 : index
      %3 = arith.minsi %2, %c7 : index
      %extracted_slice = tensor.extract_slice %arg0[%3, 0] [1, 64] [1, 1] : tensor<8x64xbf16> to tensor<1x64xbf16>
      %collapsed = tensor.collapse_shape %extracted_slice [[0, 1]] : tensor<1x64xbf16> into tensor<64xbf16>
      %extracted_slice_1 = tensor.extract_slice %arg3[%3] [1] [1] : tensor<8xi32> to tensor<1xi32>
      %collapsed_2 = tensor.collapse_shape %extracted_slice_1 [] : tensor<1xi32> into tensor<i32>
      %4 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
      %5 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%4 : tensor<4x96x2x16x2xf4E2M1FN>) {
      ^bb0(%in: i8, %out: f4E2M1FN):
        %28 = linalg.index 4 : index
        %29 = arith.index_cast %28 : index to i8
        %30 = arith.muli %29, %c4_i8 : i8
        %31 = arith.shrui %in, %30 : i8
        %32 = arith.trunci %31 : i8 to i4
        %33 = arith.bitcast %32 : i4 to f4E2M1FN
        linalg.yield %33 : f4E2M1FN
      } -> tensor<4x96x2x16x2xf4E2M1FN>
      %6 = tensor.empty() : tensor<4x96x2x16x2xbf16>
      %7 = linalg.generic {indexing_maps = [#map1, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%5 : tensor<4x96x2x16x2xf4E2M1FN>) outs(%6 : tensor<4x96x2x16x2xbf16>) {
      ^bb0(%in: f4E2M1FN, %out: bf16):
        %28 = arith.extf %in : f4E2M1FN to bf16
        linalg.yield %28 : bf16
      } -> tensor<4x96x2x16x2xbf16>
      %collapsed_3 = tensor.collapse_shape %7 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xbf16> into tensor<4x96x2x32xbf16>
      %8 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
      %9 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%8 : tensor<4x96x2xf8E8M0FNU>) {
      ^bb0(%in: i8, %out: f8E8M0FNU):
        %28 = arith.bitcast %in : i8 to f8E8M0FNU
        linalg.yield %28 : f8E8M0FNU
      } -> tensor<4x96x2xf8E8M0FNU>
      %10 = tensor.empty() : tensor<4x96x2xbf16>
      %11 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%9 : tensor<4x96x2xf8E8M0FNU>) outs(%10 : tensor<4x96x2xbf16>) {
      ^bb0(%in: f8E8M0FNU, %out: bf16):
        %28 = arith.extf %in : f8E8M0FNU to bf16
        linalg.yield %28 : bf16
      } -> tensor<4x96x2xbf16>
      %12 = tensor.empty() : tensor<4x96x2x32xbf16>
      %13 = linalg.generic {indexing_maps = [#map3, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%11 : tensor<4x96x2xbf16>) outs(%12 : tensor<4x96x2x32xbf16>) {
      ^bb0(%in: bf16, %out: bf16):
        linalg.yield %in : bf16
      } -> tensor<4x96x2x32xbf16>
      %14 = linalg.generic {indexing_maps = [#map4, #map4, #map4], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed_3, %13 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%12 : tensor<4x96x2x32xbf16>) {
      ^bb0(%in: bf16, %in_7: bf16, %out: bf16):
        %28 = arith.mulf %in, %in_7 : bf16
        linalg.yield %28 : bf16
      } -> tensor<4x96x2x32xbf16>
      %collapsed_4 = tensor.collapse_shape %14 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
      %15 = tensor.empty() : tensor<i1>
      %16 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = []} ins(%collapsed_2 : tensor<i32>) outs(%15 : tensor<i1>) {
      ^bb0(%in: i32, %out: i1):
        %28 = arith.cmpi slt, %in, %c0_i32 : i32
        linalg.yield %28 : i1
      } -> tensor<i1>
      %17 = tensor.empty() : tensor<i32>
      %18 = linalg.generic {indexing_maps = [#map5, #map5], iterator_types = []} ins(%collapsed_2 : tensor<i32>) outs(%17 : tensor<i32>) {
      ^bb0(%in: i32, %out: i32):
        %28 = arith.addi %in, %c4_i32 : i32
        linalg.yield %28 : i32
      } -> tensor<i32>
      %19 = linalg.generic {indexing_maps = [#map5, #map5, #map5, #map5], iterator_types = []} ins(%16, %18, %collapsed_2 : tensor<i1>, tensor<i32>, tensor<i32>) outs(%17 : tensor<i32>) {
      ^bb0(%in: i1, %in_7: i32, %in_8: i32, %out: i32):
        %28 = arith.select %in, %in_7, %in_8 : i32
        linalg.yield %28 : i32
      } -> tensor<i32>
      %extracted = tensor.extract %19[] : tensor<i32>
      %20 = arith.index_cast %extracted : i32 to index
      %21 = arith.maxsi %20, %c0 : index
      %22 = arith.minsi %21, %c3 : index
      %extracted_slice_5 = tensor.extract_slice %collapsed_4[%22, 0, 0] [1, 96, 64] [1, 1, 1] : tensor<4x96x64xbf16> to tensor<1x96x64xbf16>
      %collapsed_6 = tensor.collapse_shape %extracted_slice_5 [[0, 1], [2]] : tensor<1x96x64xbf16> into tensor<96x64xbf16>
      %23 = tensor.empty() : tensor<96xf32>
      %24 = linalg.fill ins(%cst : f32) outs(%23 : tensor<96xf32>) -> tensor<96xf32>
      %25 = linalg.matvec ins(%collapsed_6, %collapsed : tensor<96x64xbf16>, tensor<64xbf16>) outs(%24 : tensor<96xf32>) -> tensor<96xf32>
      %26 = tensor.empty() : tensor<1x96xf32>
      %27 = linalg.generic {indexing_maps = [#map6, #map7], iterator_types = ["parallel", "parallel"]} ins(%25 : tensor<96xf32>) outs(%26 : tensor<1x96xf32>) {
      ^bb0(%in: f32, %out: f32):
        linalg.yield %in : f32
      } -> tensor<1x96xf32>
      %inserted_slice = tensor.insert_slice %27 into %arg5[%3, 0] [1, 96] [1, 1] : tensor<1x96xf32> into tensor<8x96xf32>
      scf.yield %inserted_slice : tensor<8x96xf32>
    }
    return %0 : tensor<8x96xf32>
  }
}
