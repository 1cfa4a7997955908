// builtin.module(mxfp4-raise{groups-cover-rows})
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @sizes(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  return %y#0 : tensor<?x48xbf16>
}
