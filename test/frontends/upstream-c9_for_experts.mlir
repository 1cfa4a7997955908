// c9_for_experts
// made by: written by hand, as upstream MLIR / IREE tests write it; no frontend
func.func @main(%x: tensor<?x64xbf16>, %w: tensor<4x96x2x32xf4E2M1FN>, %s: tensor<4x96x2xf8E8M0FNU>, %offs: tensor<5xi32>) -> tensor<?x96xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %we = tensor.empty() : tensor<4x96x2x32xbf16>
  %wd = linalg.generic {
      indexing_maps = [affine_map<(e, n, ko, kb) -> (e, n, ko, kb)>, affine_map<(e, n, ko, kb) -> (e, n, ko)>, affine_map<(e, n, ko, kb) -> (e, n, ko, kb)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<4x96x2x32xf4E2M1FN>, tensor<4x96x2xf8E8M0FNU>) outs(%we : tensor<4x96x2x32xbf16>) {
    ^bb0(%b: f4E2M1FN, %bs: f8E8M0FNU, %o: bf16):
      %1 = arith.scaling_extf %b, %bs : f4E2M1FN, f8E8M0FNU to bf16
      linalg.yield %1 : bf16
  } -> tensor<4x96x2x32xbf16>
  %wc = tensor.collapse_shape %wd [[0], [1], [2, 3]] : tensor<4x96x2x32xbf16> into tensor<4x96x64xbf16>
  %init = tensor.empty(%rows) : tensor<?x96xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<?x96xf32>) {
    %e1 = arith.addi %e, %c1 : index
    %b32 = tensor.extract %offs[%e] : tensor<5xi32>
    %n32 = tensor.extract %offs[%e1] : tensor<5xi32>
    %b = arith.index_cast %b32 : i32 to index
    %n = arith.index_cast %n32 : i32 to index
    %size = arith.subi %n, %b : index
    %xe = tensor.extract_slice %x[%b, 0] [%size, 64] [1, 1] : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %wc[%e, 0, 0] [1, 96, 64] [1, 1, 1] : tensor<4x96x64xbf16> to tensor<96x64xbf16>
    %none = tensor.empty(%size) : tensor<?x96xf32>
    %zeros = linalg.fill ins(%zero : f32) outs(%none : tensor<?x96xf32>) -> tensor<?x96xf32>
    %ye = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>]
      ins(%xe, %wx : tensor<?x64xbf16>, tensor<96x64xbf16>) outs(%zeros : tensor<?x96xf32>) -> tensor<?x96xf32>
    %next = tensor.insert_slice %ye into %out[%b, 0] [%size, 96] [1, 1] : tensor<?x96xf32> into tensor<?x96xf32>
    scf.yield %next : tensor<?x96xf32>
  }
  return %y : tensor<?x96xf32>
}
