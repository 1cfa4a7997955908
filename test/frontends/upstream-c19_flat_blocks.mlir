// c19_flat_blocks
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: tensor<4x8x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x8x96xf32> {
  %zero = arith.constant 0.0 : f32
  %c4 = arith.constant 4 : i8
  %e = tensor.empty() : tensor<4x8x96xf32>
  %init = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  %cf = tensor.collapse_shape %c [[0, 1, 2], [3]] : tensor<4x96x2x16xi8> into tensor<768x16xi8>
  %sf = tensor.collapse_shape %s [[0, 1, 2]] : tensor<4x96x2xi8> into tensor<768xi8>
  %we = tensor.empty() : tensor<768x16x2xbf16>
  %wd = linalg.generic {
      indexing_maps = [affine_map<(r, j, h) -> (r, j)>, affine_map<(r, j, h) -> (r)>, affine_map<(r, j, h) -> (r, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%cf, %sf : tensor<768x16xi8>, tensor<768xi8>) outs(%we : tensor<768x16x2xbf16>) {
    ^bb0(%byte: i8, %sb: i8, %o: bf16):
      %h = linalg.index 2 : index
      %h8 = arith.index_cast %h : index to i8
      %sh = arith.muli %h8, %c4 : i8
      %nib = arith.shrui %byte, %sh : i8
      %code = arith.trunci %nib : i8 to i4
      %f4 = arith.bitcast %code : i4 to f4E2M1FN
      %v = arith.extf %f4 : f4E2M1FN to bf16
      %s8 = arith.bitcast %sb : i8 to f8E8M0FNU
      %sv = arith.extf %s8 : f8E8M0FNU to bf16
      %1 = arith.mulf %v, %sv : bf16
      linalg.yield %1 : bf16
  } -> tensor<768x16x2xbf16>
  %w1 = tensor.collapse_shape %wd [[0, 1, 2]] : tensor<768x16x2xbf16> into tensor<24576xbf16>
  %w = tensor.expand_shape %w1 [[0, 1, 2]] output_shape [4, 96, 64] : tensor<24576xbf16> into tensor<4x96x64xbf16>
  %y = linalg.batch_matmul indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>, affine_map<(b, m, n, k) -> (b, n, k)>, affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x96x64xbf16>) outs(%init : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  return %y : tensor<4x8x96xf32>
}
