// c2_scaled_contraction_experts
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: tensor<4x8x2x32xbf16>, %w: tensor<4x96x2x32xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8x96xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(e, m, n, ko, kb) -> (e, m, ko, kb)>, affine_map<(e, m, n, ko, kb) -> (e, n, ko, kb)>,
                       affine_map<(e, m, n, ko, kb) -> (e, n, ko)>, affine_map<(e, m, n, ko, kb) -> (e, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}
      ins(%x, %w, %s : tensor<4x8x2x32xbf16>, tensor<4x96x2x32xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) outs(%init : tensor<4x8x96xf32>) {
    ^bb0(%a: bf16, %b: f4E2M1FN, %bs: f8E8M0FNU, %acc: f32):
      %0 = arith.extf %a : bf16 to f32
      %1 = arith.scaling_extf %b, %bs : f4E2M1FN, f8E8M0FNU to f32
      %2 = arith.mulf %0, %1 : f32
      %3 = arith.addf %acc, %2 : f32
      linalg.yield %3 : f32
  } -> tensor<4x8x96xf32>
  return %y : tensor<4x8x96xf32>
}
