// lax.ragged_dot, exported for cpu (mask [E,T,K], one contraction over experts and K)
// made by: StableHLO by jax.export (jax 0.10.2), then torch-mlir-opt (torch-mlir 20261001, LLVM 24git)
//   --pass-pipeline='builtin.module(stablehlo-convert-to-signless,stablehlo-legalize-to-linalg,canonicalize,cse)'
#map = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3)>
#map1 = affine_map<(d0, d1, d2, d3, d4) -> (d0, d1, d2, d3, d4)>
#map2 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#map3 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, d3)>
#map4 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2)>
#map5 = affine_map<(d0, d1, d2, d3) -> (d0, d1, d2, 0)>
#map6 = affine_map<(d0, d1, d2) -> (d0, d2, d1)>
#map7 = affine_map<(d0, d1, d2) -> (d1, d2)>
#map8 = affine_map<(d0) -> ()>
#map9 = affine_map<(d0) -> (d0)>
#map10 = affine_map<(d0, d1, d2) -> (d0)>
#map11 = affine_map<(d0, d1, d2) -> ()>
#map12 = affine_map<(d0, d1, d2, d3) -> (d3, d0, d2)>
#map13 = affine_map<(d0, d1, d2, d3) -> (d3, d2, d1)>
#map14 = affine_map<(d0, d1, d2, d3) -> (d0, d1)>
#map15 = affine_map<(d0, d1) -> (d0, d1)>
#map16 = affine_map<(d0, d1) -> (d0 + d1)>
#map17 = affine_map<(d0, d1) -> (d1)>
#map18 = affine_map<(d0, d1) -> (d0)>
module @jit_ragged_dtypes attributes {jax.uses_shape_polymorphism = false, mhlo.num_partitions = 1 : i32, mhlo.num_replicas = 1 : i32} {
  func.func public @main(%arg0: tensor<8x64xbf16>, %arg1: tensor<4x96x2x16xi8>, %arg2: tensor<4x96x2xi8>, %arg3: tensor<4xi32>) -> (tensor<8x96xbf16> {jax.result_info = "result"}) {
    %c1 = arith.constant 1 : index
    %cst = arith.constant 0.000000e+00 : f32
    %c4_i8 = arith.constant 4 : i8
    %cst_0 = arith.constant dense<0.000000e+00> : tensor<bf16>
    %cst_1 = arith.constant dense<0> : tensor<i32>
    %0 = tensor.empty() : tensor<4x96x2x16x2xf4E2M1FN>
    %1 = linalg.generic {indexing_maps = [#map, #map1], iterator_types = ["parallel", "parallel", "parallel", "parallel", "parallel"]} ins(%arg1 : tensor<4x96x2x16xi8>) outs(%0 : tensor<4x96x2x16x2xf4E2M1FN>) {
    ^bb0(%in: i8, %out: f4E2M1FN):
      %35 = linalg.index 4 : index
      %36 = arith.index_cast %35 : index to i8
      %37 = arith.muli %36, %c4_i8 : i8
      %38 = arith.shrui %in, %37 : i8
      %39 = arith.trunci %38 : i8 to i4
      %40 = arith.bitcast %39 : i4 to f4E2M1FN
      linalg.yield %40 : f4E2M1FN
    } -> tensor<4x96x2x16x2xf4E2M1FN>
    %collapsed = tensor.collapse_shape %1 [[0], [1], [2], [3, 4]] : tensor<4x96x2x16x2xf4E2M1FN> into tensor<4x96x2x32xf4E2M1FN>
    %2 = tensor.empty() : tensor<4x96x2xf8E8M0FNU>
    %3 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg2 : tensor<4x96x2xi8>) outs(%2 : tensor<4x96x2xf8E8M0FNU>) {
    ^bb0(%in: i8, %out: f8E8M0FNU):
      %35 = arith.bitcast %in : i8 to f8E8M0FNU
      linalg.yield %35 : f8E8M0FNU
    } -> tensor<4x96x2xf8E8M0FNU>
    %4 = tensor.empty() : tensor<4x96x2x32xbf16>
    %5 = linalg.generic {indexing_maps = [#map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%collapsed : tensor<4x96x2x32xf4E2M1FN>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: f4E2M1FN, %out: bf16):
      %35 = arith.extf %in : f4E2M1FN to bf16
      linalg.yield %35 : bf16
    } -> tensor<4x96x2x32xbf16>
    %6 = tensor.empty() : tensor<4x96x2xbf16>
    %7 = linalg.generic {indexing_maps = [#map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%3 : tensor<4x96x2xf8E8M0FNU>) outs(%6 : tensor<4x96x2xbf16>) {
    ^bb0(%in: f8E8M0FNU, %out: bf16):
      %35 = arith.extf %in : f8E8M0FNU to bf16
      linalg.yield %35 : bf16
    } -> tensor<4x96x2xbf16>
    %8 = tensor.empty() : tensor<4x96x2x1xbf16>
    %9 = linalg.generic {indexing_maps = [#map4, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%7 : tensor<4x96x2xbf16>) outs(%8 : tensor<4x96x2x1xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x1xbf16>
    %10 = linalg.generic {indexing_maps = [#map5, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%9 : tensor<4x96x2x1xbf16>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x96x2x32xbf16>
    %11 = linalg.generic {indexing_maps = [#map3, #map3, #map3], iterator_types = ["parallel", "parallel", "parallel", "parallel"]} ins(%5, %10 : tensor<4x96x2x32xbf16>, tensor<4x96x2x32xbf16>) outs(%4 : tensor<4x96x2x32xbf16>) {
    ^bb0(%in: bf16, %in_4: bf16, %out: bf16):
      %35 = arith.mulf %in, %in_4 : bf16
      linalg.yield %35 : bf16
    } -> tensor<4x96x2x32xbf16>
    %collapsed_2 = tensor.collapse_shape %11 [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
    %12 = tensor.empty() : tensor<4x64x96xbf16>
    %13 = linalg.generic {indexing_maps = [#map6, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%collapsed_2 : tensor<4x96x64xbf16>) outs(%12 : tensor<4x64x96xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x64x96xbf16>
    %14 = tensor.empty() : tensor<4x8x64xbf16>
    %15 = linalg.generic {indexing_maps = [#map7, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%arg0 : tensor<8x64xbf16>) outs(%14 : tensor<4x8x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x8x64xbf16>
    %16 = tensor.empty() : tensor<4x8x64xi32>
    %17 = linalg.generic {indexing_maps = [#map2], iterator_types = ["parallel", "parallel", "parallel"]} outs(%16 : tensor<4x8x64xi32>) {
    ^bb0(%out: i32):
      %35 = linalg.index 1 : index
      %36 = arith.index_cast %35 : index to i32
      linalg.yield %36 : i32
    } -> tensor<4x8x64xi32>
    %18 = call @cumsum(%arg3) : (tensor<4xi32>) -> tensor<4xi32>
    %19 = tensor.empty() : tensor<4xi32>
    %20 = linalg.generic {indexing_maps = [#map8, #map9], iterator_types = ["parallel"]} ins(%cst_1 : tensor<i32>) outs(%19 : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4xi32>
    %extracted_slice = tensor.extract_slice %20[0] [1] [1] : tensor<4xi32> to tensor<1xi32>
    %extracted_slice_3 = tensor.extract_slice %18[0] [3] [1] : tensor<4xi32> to tensor<3xi32>
    %21 = linalg.generic {indexing_maps = [#map9], iterator_types = ["parallel"]} outs(%19 : tensor<4xi32>) {
    ^bb0(%out: i32):
      %35 = linalg.index 0 : index
      %36 = arith.cmpi ult, %35, %c1 : index
      %37 = scf.if %36 -> (i32) {
        %extracted = tensor.extract %extracted_slice[%35] : tensor<1xi32>
        scf.yield %extracted : i32
      } else {
        %38 = arith.subi %35, %c1 : index
        %extracted = tensor.extract %extracted_slice_3[%38] : tensor<3xi32>
        scf.yield %extracted : i32
      }
      linalg.yield %37 : i32
    } -> tensor<4xi32>
    %22 = linalg.generic {indexing_maps = [#map10, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%18 : tensor<4xi32>) outs(%16 : tensor<4x8x64xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4x8x64xi32>
    %23 = linalg.generic {indexing_maps = [#map10, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%21 : tensor<4xi32>) outs(%16 : tensor<4x8x64xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4x8x64xi32>
    %24 = tensor.empty() : tensor<4x8x64xi1>
    %25 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%23, %17 : tensor<4x8x64xi32>, tensor<4x8x64xi32>) outs(%24 : tensor<4x8x64xi1>) {
    ^bb0(%in: i32, %in_4: i32, %out: i1):
      %35 = arith.cmpi sle, %in, %in_4 : i32
      linalg.yield %35 : i1
    } -> tensor<4x8x64xi1>
    %26 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%17, %22 : tensor<4x8x64xi32>, tensor<4x8x64xi32>) outs(%24 : tensor<4x8x64xi1>) {
    ^bb0(%in: i32, %in_4: i32, %out: i1):
      %35 = arith.cmpi slt, %in, %in_4 : i32
      linalg.yield %35 : i1
    } -> tensor<4x8x64xi1>
    %27 = linalg.generic {indexing_maps = [#map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%25, %26 : tensor<4x8x64xi1>, tensor<4x8x64xi1>) outs(%24 : tensor<4x8x64xi1>) {
    ^bb0(%in: i1, %in_4: i1, %out: i1):
      %35 = arith.andi %in, %in_4 : i1
      linalg.yield %35 : i1
    } -> tensor<4x8x64xi1>
    %28 = linalg.generic {indexing_maps = [#map11, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%cst_0 : tensor<bf16>) outs(%14 : tensor<4x8x64xbf16>) {
    ^bb0(%in: bf16, %out: bf16):
      linalg.yield %in : bf16
    } -> tensor<4x8x64xbf16>
    %29 = linalg.generic {indexing_maps = [#map2, #map2, #map2, #map2], iterator_types = ["parallel", "parallel", "parallel"]} ins(%27, %15, %28 : tensor<4x8x64xi1>, tensor<4x8x64xbf16>, tensor<4x8x64xbf16>) outs(%14 : tensor<4x8x64xbf16>) {
    ^bb0(%in: i1, %in_4: bf16, %in_5: bf16, %out: bf16):
      %35 = arith.select %in, %in_4, %in_5 : bf16
      linalg.yield %35 : bf16
    } -> tensor<4x8x64xbf16>
    %30 = tensor.empty() : tensor<8x96xf32>
    %31 = linalg.fill ins(%cst : f32) outs(%30 : tensor<8x96xf32>) -> tensor<8x96xf32>
    %32 = linalg.generic {indexing_maps = [#map12, #map13, #map14], iterator_types = ["parallel", "parallel", "reduction", "reduction"]} ins(%29, %13 : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%31 : tensor<8x96xf32>) {
    ^bb0(%in: bf16, %in_4: bf16, %out: f32):
      %35 = arith.extf %in : bf16 to f32
      %36 = arith.extf %in_4 : bf16 to f32
      %37 = arith.mulf %35, %36 : f32
      %38 = arith.addf %out, %37 : f32
      linalg.yield %38 : f32
    } -> tensor<8x96xf32>
    %33 = tensor.empty() : tensor<8x96xbf16>
    %34 = linalg.generic {indexing_maps = [#map15, #map15], iterator_types = ["parallel", "parallel"]} ins(%32 : tensor<8x96xf32>) outs(%33 : tensor<8x96xbf16>) {
    ^bb0(%in: f32, %out: bf16):
      %35 = arith.truncf %in : f32 to bf16
      linalg.yield %35 : bf16
    } -> tensor<8x96xbf16>
    return %34 : tensor<8x96xbf16>
  }
  func.func private @cumsum(%arg0: tensor<4xi32>) -> tensor<4xi32> {
    %c0_i32 = arith.constant 0 : i32
    %cst = arith.constant dense<0> : tensor<i32>
    %0 = tensor.empty() : tensor<4xi32>
    %1 = linalg.generic {indexing_maps = [#map8, #map9], iterator_types = ["parallel"]} ins(%cst : tensor<i32>) outs(%0 : tensor<4xi32>) {
    ^bb0(%in: i32, %out: i32):
      linalg.yield %in : i32
    } -> tensor<4xi32>
    %padded = tensor.pad %arg0 low[3] high[0] {
    ^bb0(%arg1: index):
      tensor.yield %c0_i32 : i32
    } : tensor<4xi32> to tensor<7xi32>
    %2 = tensor.empty() : tensor<4xf32>
    %3 = linalg.generic {indexing_maps = [#map16, #map17, #map18], iterator_types = ["parallel", "reduction"]} ins(%padded, %2 : tensor<7xi32>, tensor<4xf32>) outs(%1 : tensor<4xi32>) {
    ^bb0(%in: i32, %in_0: f32, %out: i32):
      %4 = arith.addi %out, %in : i32
      linalg.yield %4 : i32
    } -> tensor<4xi32>
    return %3 : tensor<4xi32>
  }
}

