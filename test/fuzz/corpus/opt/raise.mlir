// builtin.module(mxfp4-raise)

//===----------------------------------------------------------------------===//
//===----------------------------------------------------------------------===//


func.func @scaling_extf(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x64xf4E2M1FN>,
                        %s: tensor<4x48x2xf8E8M0FNU>) -> tensor<4x8x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x48x2x32xf8E8M0FNU>
  %b = linalg.broadcast ins(%s : tensor<4x48x2xf8E8M0FNU>)
      outs(%e : tensor<4x48x2x32xf8E8M0FNU>) dimensions = [3]
  %bc = tensor.collapse_shape %b [[0], [1], [2, 3]]
      : tensor<4x48x2x32xf8E8M0FNU> into tensor<4x48x64xf8E8M0FNU>
  %w = arith.scaling_extf %c, %bc
      : tensor<4x48x64xf4E2M1FN>, tensor<4x48x64xf8E8M0FNU> to tensor<4x48x64xbf16>
  %ye = tensor.empty() : tensor<4x8x48xf32>
  %init = linalg.fill ins(%zero : f32) outs(%ye : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(b, m, n, k) -> (b, m, k)>,
                       affine_map<(b, m, n, k) -> (b, n, k)>,
                       affine_map<(b, m, n, k) -> (b, m, n)>]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
      outs(%init : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  %r = arith.truncf %y : tensor<4x8x48xf32> to tensor<4x8x48xbf16>
  return %r : tensor<4x8x48xbf16>
}

