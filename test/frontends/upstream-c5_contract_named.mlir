// c5_contract_named
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: tensor<8x64xbf16>, %w: tensor<96x2x32xf4E2M1FN>, %s: tensor<96x2xf8E8M0FNU>) -> tensor<8x96xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x96xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<8x96xf32>) -> tensor<8x96xf32>
  %we = tensor.empty() : tensor<96x2x32xbf16>
  %wd = linalg.generic {
      indexing_maps = [affine_map<(n, ko, kb) -> (n, ko, kb)>, affine_map<(n, ko, kb) -> (n, ko)>, affine_map<(n, ko, kb) -> (n, ko, kb)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<96x2x32xf4E2M1FN>, tensor<96x2xf8E8M0FNU>) outs(%we : tensor<96x2x32xbf16>) {
    ^bb0(%b: f4E2M1FN, %bs: f8E8M0FNU, %o: bf16):
      %1 = arith.scaling_extf %b, %bs : f4E2M1FN, f8E8M0FNU to bf16
      linalg.yield %1 : bf16
  } -> tensor<96x2x32xbf16>
  %wc = tensor.collapse_shape %wd [[0], [1, 2]] : tensor<96x2x32xbf16> into tensor<96x64xbf16>
  %y = linalg.contract indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %wc : tensor<8x64xbf16>, tensor<96x64xbf16>) outs(%init : tensor<8x96xf32>) -> tensor<8x96xf32>
  return %y : tensor<8x96xf32>
}
