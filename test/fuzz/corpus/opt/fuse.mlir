// builtin.module(mxfp4-raise,mxfp4-fuse-epilogue,mxfp4-fuse-gather,mxfp4-raise)
func.func private @layer
// RAISED-SAME:      %[[X:[a-z0-9]+]]: tensor<?x64xbf16>, %[[ROWS:[a-z0-9]+]]: tensor<?xi32>, %[[C:[a-z0-9]+]]: tensor<4x14x2x16xi8>, %[[S:[a-z0-9]+]]: tensor<4x14x2xi8>, %{{.*}}: tensor<5xi32>, %[[BIAS:[a-z0-9]+]]: tensor<4x14xbf16>, %[[WEIGHT:[a-z0-9]+]]: tensor<?xf32>, %[[SCALE:[a-z0-9]+]]: f32
// RAISED-NOT:     scf.for
// RAISED-NOT:     linalg.generic
// RAISED:         %[[POSITIVE:.*]] = linalg.abs ins(%[[WEIGHT]]
// RAISED:         %[[ONE:.*]] = tensor.from_elements %[[SCALE]] : tensor<f32>
// RAISED:         mxfp4.grouped_matmul activations(%[[X]] : tensor<?x64xbf16>) gather(%[[ROWS]] : tensor<?xi32>)
// RAISED-SAME:      weights(%[[C]], %[[S]] : tensor<4x14x2x16xi8>, tensor<4x14x2xi8>)
// RAISED-SAME:      epilogue (%[[BIAS]], %[[POSITIVE]], %[[ONE]] : tensor<4x14xbf16>, tensor<?xf32>, tensor<f32>)
// RAISED:         } -> tensor<?x7xbf16>
// RAISED-NOT:     scf.for
// RAISED:         return
func.func private @layer(%x: tensor<?x64xbf16>, %map: tensor<?xi32>,
    %c: tensor<4x14x2x16xi8>, %s: tensor<4x14x2xi8>, %o: tensor<5xi32>,
    %bias: tensor<4x14xbf16>, %weight: tensor<?xf32>, %scale: f32) -> tensor<?x7xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x14x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x14x2x16xi8>)
                        scales(%s : tensor<4x14x2xi8>)
      outs(%we : tensor<4x14x64xbf16>) -> tensor<4x14x64xbf16>
  %rows = tensor.dim %map, %c0 : tensor<?xi32>
  %we1 = tensor.empty(%rows) : tensor<?xf32>
  %positive = linalg.abs ins(%weight : tensor<?xf32>) outs(%we1 : tensor<?xf32>)
      -> tensor<?xf32>
  %ye = tensor.empty(%rows) : tensor<?x7xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x7xbf16>)
      -> tensor<?x7xbf16>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<?x7xbf16>) {
    %e1 = arith.addi %e, %c1 : index
    %begin32 = tensor.extract %o[%e] : tensor<5xi32>
    %end32 = tensor.extract %o[%e1] : tensor<5xi32>
    %start = arith.index_cast %begin32 : i32 to index
    %size32 = arith.subi %end32, %begin32 : i32
    %size = arith.index_cast %size32 : i32 to index
    %from = tensor.extract_slice %map[%start] [%size] [1] : tensor<?xi32> to tensor<?xi32>
    %xe = tensor.empty(%size) : tensor<?x64xbf16>
    %g = linalg.generic {
        indexing_maps = [affine_map<(r, k) -> (r)>, affine_map<(r, k) -> (r, k)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%from : tensor<?xi32>) outs(%xe : tensor<?x64xbf16>) {
      ^bb0(%t: i32, %dead: bf16):
        %row = arith.index_cast %t : i32 to index
        %k = linalg.index 1 : index
        %v = tensor.extract %x[%row, %k] : tensor<?x64xbf16>
        linalg.yield %v : bf16
    } -> tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 14, 64] [1, 1, 1]
        : tensor<4x14x64xbf16> to tensor<14x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x14xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x14xf32>) -> tensor<?x14xf32>
    %p = linalg.matmul indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                                        affine_map<(m, n, k) -> (n, k)>,
                                        affine_map<(m, n, k) -> (m, n)>]
        ins(%g, %wx : tensor<?x64xbf16>, tensor<14x64xbf16>)
        outs(%pz : tensor<?x14xf32>) -> tensor<?x14xf32>
    %be = tensor.extract_slice %bias[%e, 0] [1, 14] [1, 1]
        : tensor<4x14xbf16> to tensor<14xbf16>
    %biased = linalg.generic {
        indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (n)>,
                         affine_map<(r, n) -> (r, n)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%p, %be : tensor<?x14xf32>, tensor<14xbf16>) outs(%pe : tensor<?x14xf32>) {
      ^bb0(%a: f32, %b: bf16, %dead: f32):
        %bf = arith.extf %b : bf16 to f32
        %v = arith.addf %a, %bf : f32
        linalg.yield %v : f32
    } -> tensor<?x14xf32>
    %ws = tensor.extract_slice %positive[%start] [%size] [1] : tensor<?xf32> to tensor<?xf32>
    %he = tensor.empty(%size) : tensor<?x7xbf16>
    %h = linalg.generic {
        indexing_maps = [affine_map<(r, n) -> (r, 2 * n)>,
                         affine_map<(r, n) -> (r, 2 * n + 1)>,
                         affine_map<(r, n) -> (r)>, affine_map<(r, n) -> (r, n)>],
        iterator_types = ["parallel", "parallel"]}
        ins(%biased, %biased, %ws : tensor<?x14xf32>, tensor<?x14xf32>, tensor<?xf32>)
        outs(%he : tensor<?x7xbf16>) {
      ^bb0(%gate: f32, %up: f32, %wr: f32, %dead: bf16):
        %relu = arith.maximumf %gate, %zero : f32
        %v = arith.mulf %relu, %up : f32
        %v1 = arith.mulf %v, %wr : f32
        %v2 = arith.mulf %v1, %scale : f32
        %v3 = arith.truncf %v2 : f32 to bf16
        linalg.yield %v3 : bf16
    } -> tensor<?x7xbf16>
    %next = tensor.insert_slice %h into %out[%start, 0] [%size, 7] [1, 1]
        : tensor<?x7xbf16> into tensor<?x7xbf16>
    scf.yield %next : tensor<?x7xbf16>
  }
  return %y : tensor<?x7xbf16>
}
