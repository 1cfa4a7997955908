// tosa.cast_from_block_scaled, tosa.matmul_t_block_scaled
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: tensor<4x8x64xf32>, %w: tensor<4x96x64xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x96x64xf32> {
  %v = tosa.cast_from_block_scaled %w, %s {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) -> tensor<4x96x64xf32>
  return %v : tensor<4x96x64xf32>
}
func.func @both(%x: tensor<4x8x64xf4E2M1FN>, %xs: tensor<4x8x2xf8E8M0FNU>, %w: tensor<4x96x64xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32> {
  %v = tosa.matmul_t_block_scaled %x, %xs, %w, %s {block_size = #tosa.block_size<BLOCK_SIZE_32>} : (tensor<4x8x64xf4E2M1FN>, tensor<4x8x2xf8E8M0FNU>, tensor<4x96x64xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) -> tensor<4x8x96xf32>
  return %v : tensor<4x8x96xf32>
}
