// c13_generic_transpose
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: tensor<4x8x64xbf16>, %w: tensor<4x96x64xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x8x96xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  %we = tensor.empty() : tensor<4x96x64xbf16>
  %wd = linalg.generic {
      indexing_maps = [affine_map<(e, n, k) -> (e, n, k)>, affine_map<(e, n, k) -> (e, n, k floordiv 32)>, affine_map<(e, n, k) -> (e, n, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) outs(%we : tensor<4x96x64xbf16>) {
    ^bb0(%b: f4E2M1FN, %bs: f8E8M0FNU, %o: bf16):
      %1 = arith.scaling_extf %b, %bs : f4E2M1FN, f8E8M0FNU to bf16
      linalg.yield %1 : bf16
  } -> tensor<4x96x64xbf16>
  %te = tensor.empty() : tensor<4x64x96xbf16>
  %wt = linalg.generic {indexing_maps = [affine_map<(e, k, n) -> (e, n, k)>, affine_map<(e, k, n) -> (e, k, n)>], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%wd : tensor<4x96x64xbf16>) outs(%te : tensor<4x64x96xbf16>) {
    ^bb0(%b: bf16, %o: bf16):
      linalg.yield %b : bf16
  } -> tensor<4x64x96xbf16>
  %y = linalg.batch_matmul ins(%x, %wt : tensor<4x8x64xbf16>, tensor<4x64x96xbf16>) outs(%init : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  return %y : tensor<4x8x96xf32>
}
