// c18_memref
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: memref<8x64xbf16>, %w: memref<96x2x32xf4E2M1FN>, %s: memref<96x2xf8E8M0FNU>, %y: memref<8x96xf32>) {
  %zero = arith.constant 0.0 : f32
  linalg.fill ins(%zero : f32) outs(%y : memref<8x96xf32>)
  %wd = memref.alloc() : memref<96x2x32xbf16>
  linalg.generic {
      indexing_maps = [affine_map<(n, ko, kb) -> (n, ko, kb)>, affine_map<(n, ko, kb) -> (n, ko)>, affine_map<(n, ko, kb) -> (n, ko, kb)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : memref<96x2x32xf4E2M1FN>, memref<96x2xf8E8M0FNU>) outs(%wd : memref<96x2x32xbf16>) {
    ^bb0(%b: f4E2M1FN, %bs: f8E8M0FNU, %o: bf16):
      %1 = arith.scaling_extf %b, %bs : f4E2M1FN, f8E8M0FNU to bf16
      linalg.yield %1 : bf16
  }
  %wc = memref.collapse_shape %wd [[0], [1, 2]] : memref<96x2x32xbf16> into memref<96x64xbf16>
  linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %wc : memref<8x64xbf16>, memref<96x64xbf16>) outs(%y : memref<8x96xf32>)
  return
}
