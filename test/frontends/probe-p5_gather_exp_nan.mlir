// p5_gather_exp_nan
// made by: written by hand, to probe the proof; not as upstream MLIR / IREE tests write it; no frontend
func.func @main(%c: tensor<96x2x16xi8>, %s: tensor<96x2xi8>) -> tensor<96x2x16x2xbf16> {
  %table = arith.constant dense<[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0]> : tensor<16xf32>
  %e = tensor.empty() : tensor<96x2x16x2xbf16>
  %w = linalg.generic {
      indexing_maps = [affine_map<(n, b, j, h) -> (n, b, j)>, affine_map<(n, b, j, h) -> (n, b)>, affine_map<(n, b, j, h) -> (n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<96x2x16xi8>, tensor<96x2xi8>) outs(%e : tensor<96x2x16x2xbf16>) {
    ^bb0(%byte: i8, %scale: i8, %o: bf16):
      %h = linalg.index 3 : index
      %h8 = arith.index_cast %h : index to i8
      %c4 = arith.constant 4 : i8
      %c15 = arith.constant 15 : i8
      %shift = arith.muli %h8, %c4 : i8
      %shifted = arith.shrui %byte, %shift : i8
      %code = arith.andi %shifted, %c15 : i8
      %wide = arith.extui %code : i8 to i64
      %c0 = arith.constant 0 : i64
      %c16 = arith.constant 16 : i64
      %neg = arith.cmpi slt, %wide, %c0 : i64
      %wrapped = arith.addi %wide, %c16 : i64
      %at64 = arith.select %neg, %wrapped, %wide : i64
      %at = arith.index_cast %at64 : i64 to index
      %v = tensor.extract %table[%at] : tensor<16xf32>
      %sf = arith.uitofp %scale : i8 to f32
      %c127 = arith.constant 127.0 : f32
      %x = arith.subf %sf, %c127 : f32
      %ln2 = arith.constant 0.693147182 : f32
      %y = arith.mulf %x, %ln2 : f32
      %pow0 = math.exp %y : f32
      %c255 = arith.constant -1 : i8
      %isnan = arith.cmpi eq, %scale, %c255 : i8
      %qnan = arith.constant 0x7FC00000 : f32
      %power = arith.select %isnan, %qnan, %pow0 : f32
      %p = arith.mulf %v, %power : f32
      %r = arith.truncf %p : f32 to bf16
      linalg.yield %r : bf16
  } -> tensor<96x2x16x2xbf16>
  return %w : tensor<96x2x16x2xbf16>
}
