// What follows a grouped matmul element by element becomes its epilogue.
//
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue=allow-contract-rounding --split-input-file \
// RUN:   | FileCheck %s --check-prefix=CONTRACT
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue --split-input-file -o /dev/null \
// RUN:     --remark-policy=all --remark-format=emitRemark "--remarks-filter=mxfp4-.*" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// A bias for each column, repeated for each expert; a weight for each row, and one
// value, from a tensor, from outside or constant. Roundings stay where they were.

// REMARK: [Passed] consumer | Category:mxfp4-fuse-epilogue | Function=chain | Remark="'linalg.generic' is part of the epilogue"
// REMARK: [Passed] consumer | Category:mxfp4-fuse-epilogue | Function=chain | Remark="'linalg.generic' is part of the epilogue"
// REMARK: [Analysis] rounding | Category:mxfp4-fuse-epilogue | Function=chain | Remark="the epilogue keeps 1 of the program's roundings to bf16; allow-contract-rounding leaves them out, which changes results"

// CHECK-LABEL: func.func @chain
// CHECK-SAME:      %[[BIAS:[a-z0-9]+]]: tensor<48xbf16>, %[[WEIGHT:[a-z0-9]+]]: tensor<?xf32>, %[[SCALE:[a-z0-9]+]]: f32, %[[ONE:[a-z0-9]+]]: tensor<f32>,
// CHECK-SAME:      %[[INIT:[a-z0-9]+]]: tensor<?x48xbf16>
// CHECK-DAG:     %[[ALL:.*]] = linalg.broadcast ins(%[[BIAS]] : tensor<48xbf16>) {{.*}}tensor<4x48xbf16>) dimensions = [0]
// CHECK-DAG:     %[[OUTSIDE:.*]] = tensor.from_elements %[[SCALE]] : tensor<f32>
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul
// CHECK-SAME:      outs(%[[INIT]] : tensor<?x48xbf16>) epilogue (%[[ALL]], %[[WEIGHT]], %[[ONE]], %[[OUTSIDE]] :
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f32, %[[W:.*]]: f32, %[[O:.*]]: f32, %[[S:.*]]: f32):
// CHECK-NEXT:      %[[V0:.*]] = arith.addf %[[SUM]], %[[B]] : f32
// CHECK-NEXT:      %[[V1:.*]] = arith.truncf %[[V0]] : f32 to bf16
// CHECK-NEXT:      %[[V2:.*]] = arith.extf %[[V1]] : bf16 to f32
// CHECK-NEXT:      %[[V3:.*]] = arith.mulf %[[V2]], %[[W]] : f32
// CHECK-NEXT:      %[[V4:.*]] = arith.mulf %[[V3]], %[[S]] : f32
// CHECK-NEXT:      %[[V5:.*]] = arith.maximumf %[[V4]], %[[O]] : f32
// CHECK-NEXT:      %[[SEVEN:.*]] = arith.constant 7.000000e+00 : f32
// CHECK-NEXT:      %[[V6:.*]] = arith.minimumf %[[V5]], %[[SEVEN]] : f32
// CHECK-NEXT:      mxfp4.yield %[[V6]] : f32
// CHECK-NEXT:    } -> tensor<?x48xbf16>
// CHECK-NEXT:    return %[[Y]]

// CONTRACT-LABEL: func.func @chain
// CONTRACT:       ^bb0(
// CONTRACT-NEXT:    %[[V0:.*]] = arith.addf
// CONTRACT-NEXT:    arith.mulf %[[V0]],
func.func @chain(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %o: tensor<5xi32>, %bias: tensor<48xbf16>,
    %weight: tensor<?xf32>, %scale: f32, %one: tensor<f32>,
    %init: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  %c0 = arith.constant 0 : index
  %seven = arith.constant 7.0 : f32
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x48xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %rows_of_y = tensor.dim %y, %c0 : tensor<?x48xf32>
  %e16 = tensor.empty(%rows_of_y) : tensor<?x48xbf16>
  %biased = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (n)>,
                       affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias : tensor<?x48xf32>, tensor<48xbf16>)
      outs(%e16 : tensor<?x48xbf16>) {
    ^bb0(%a: f32, %b: bf16, %out: bf16):
      %bf = arith.extf %b : bf16 to f32
      %v = arith.addf %a, %bf : f32
      %h = arith.truncf %v : f32 to bf16
      linalg.yield %h : bf16
  } -> tensor<?x48xbf16>
  %z = linalg.generic {
      indexing_maps = [affine_map<(n, r) -> (r, n)>, affine_map<(n, r) -> (r)>,
                       affine_map<(n, r) -> ()>, affine_map<(n, r) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%biased, %weight, %one : tensor<?x48xbf16>, tensor<?xf32>, tensor<f32>)
      outs(%init : tensor<?x48xbf16>) {
    ^bb0(%a: bf16, %w: f32, %l: f32, %out: bf16):
      %af = arith.extf %a : bf16 to f32
      %v = arith.mulf %af, %w : f32
      %v2 = arith.mulf %v, %scale : f32
      %v3 = arith.maximumf %v2, %l : f32
      %v4 = arith.minimumf %v3, %seven : f32
      %h = arith.truncf %v4 : f32 to bf16
      linalg.yield %h : bf16
  } -> tensor<?x48xbf16>
  return %z : tensor<?x48xbf16>
}

// -----

// As many rows for each expert, and how many only the run knows: offsets as mxfp4-raise
// makes them.

// CHECK-LABEL: func.func @equal_groups
// CHECK-SAME:      %[[BIAS:[a-z0-9]+]]: tensor<4x48xf32>
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      epilogue (%[[BIAS]] : tensor<4x48xf32>) {
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f32):
// CHECK-NEXT:      %[[V:.*]] = arith.addf %[[SUM]], %[[B]] : f32
// CHECK-NEXT:      mxfp4.yield %[[V]] : f32
func.func @equal_groups(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %bias: tensor<4x48xf32>, %m: index, %e: tensor<?x48xf32>,
    %e3: tensor<4x?x48xf32>) -> tensor<4x?x48xf32> {
  %o = tensor.generate {
  ^bb0(%g: index):
    %end = arith.muli %g, %m : index
    %end32 = arith.index_cast %end : index to i32
    tensor.yield %end32 : i32
  } : tensor<5xi32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %y3 = tensor.expand_shape %y [[0, 1], [2]] output_shape [4, %m, 48]
      : tensor<?x48xf32> into tensor<4x?x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(e, m, n) -> (e, m, n)>, affine_map<(e, m, n) -> (e, n)>,
                       affine_map<(e, m, n) -> (e, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y3, %bias : tensor<4x?x48xf32>, tensor<4x48xf32>)
      outs(%e3 : tensor<4x?x48xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %v = arith.addf %a, %b : f32
      linalg.yield %v : f32
  } -> tensor<4x?x48xf32>
  return %z : tensor<4x?x48xf32>
}

// -----

// Inputs with a dimension of size 1: a bias of one row, and a weight of one column. An
// input that is computed, here by a reduction, is an operand like any other.

// CHECK-LABEL: func.func @dimensions_of_size_one
// CHECK-SAME:      %[[BIAS:[a-z0-9]+]]: tensor<1x48xf32>, %[[WEIGHT:[a-z0-9]+]]: tensor<8x1xf32>
// CHECK-DAG:     %[[ROW:.*]] = tensor.collapse_shape %[[WEIGHT]] {{\[}}[0, 1]] : tensor<8x1xf32> into tensor<8xf32>
// CHECK-DAG:     %[[TOTAL:.*]] = linalg.reduce
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      epilogue (%[[BIAS]], %[[ROW]], %[[TOTAL]] : tensor<1x48xf32>, tensor<8xf32>, tensor<8xf32>) {
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f32, %[[W:.*]]: f32, %[[T:.*]]: f32):
// CHECK-NEXT:      %[[V0:.*]] = arith.addf %[[SUM]], %[[B]] : f32
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[V0]], %[[W]] : f32
// CHECK-NEXT:      %[[V2:.*]] = arith.divf %[[V1]], %[[T]] : f32
// CHECK-NEXT:      mxfp4.yield %[[V2]] : f32
func.func @dimensions_of_size_one(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>,
    %bias: tensor<1x48xf32>, %weight: tensor<8x1xf32>, %scores: tensor<8x4xf32>,
    %zeros: tensor<8xf32>) -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %total = linalg.reduce { arith.addf } ins(%scores : tensor<8x4xf32>)
      outs(%zeros : tensor<8xf32>) dimensions = [1]
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (0, n)>,
                       affine_map<(r, n) -> (r, 0)>, affine_map<(r, n) -> (r)>,
                       affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias, %weight, %total
          : tensor<8x48xf32>, tensor<1x48xf32>, tensor<8x1xf32>, tensor<8xf32>)
      outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %b: f32, %w: f32, %t: f32, %out: f32):
      %biased = arith.addf %a, %b : f32
      %weighted = arith.mulf %biased, %w : f32
      %v = arith.divf %weighted, %t : f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// Named operations; of bf16 they are those of f32, rounded. What was filled,
// splat or broadcast is looked through.

// CHECK-LABEL: func.func @named
// CHECK-SAME:      %[[BIAS:[a-z0-9]+]]: tensor<1x48xf32>, %[[S:[a-z0-9]+]]: f32
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      epilogue (%[[BIAS]], %{{.*}} : tensor<1x48xf32>, tensor<f32>)
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[B:.*]]: f32, %[[S:.*]]: f32):
// CHECK-NEXT:      %[[V0:.*]] = arith.addf %[[SUM]], %[[B]] : f32
// CHECK-NEXT:      %[[THREE:.*]] = arith.constant 3.000000e+00 : f32
// CHECK-NEXT:      %[[V1:.*]] = arith.mulf %[[V0]], %[[THREE]] : f32
// CHECK-NEXT:      %[[V2:.*]] = arith.subf %[[V1]], %[[S]] : f32
// CHECK-NEXT:      %[[V3:.*]] = arith.truncf %[[V2]] : f32 to bf16
// CHECK-NEXT:      %[[V4:.*]] = arith.extf %[[V3]] : bf16 to f32
// CHECK-NEXT:      %[[V5:.*]] = math.exp %[[V4]] : f32
// CHECK-NEXT:      mxfp4.yield %[[V5]] : f32
// CHECK-NEXT:    } -> tensor<8x48xbf16>
func.func @named(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %bias: tensor<1x48xf32>, %scalar: f32)
    -> tensor<8x48xbf16> {
  %o = arith.constant dense<[0, 8]> : tensor<2xi32>
  %three = arith.constant 3.0 : f32
  %e = tensor.empty() : tensor<8x48xf32>
  %e16 = tensor.empty() : tensor<8x48xbf16>
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %flat = tensor.collapse_shape %bias [[0, 1]] : tensor<1x48xf32> into tensor<48xf32>
  %all = linalg.broadcast ins(%flat : tensor<48xf32>) outs(%e : tensor<8x48xf32>)
      dimensions = [0]
  %biased = linalg.add ins(%y, %all : tensor<8x48xf32>, tensor<8x48xf32>)
      outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %threes = linalg.fill ins(%three : f32) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %tripled = linalg.map { arith.mulf }
      ins(%biased, %threes : tensor<8x48xf32>, tensor<8x48xf32>) outs(%e : tensor<8x48xf32>)
  %splat = tensor.splat %scalar : tensor<8x48xf32>
  %less = linalg.sub ins(%tripled, %splat : tensor<8x48xf32>, tensor<8x48xf32>)
      outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %rounded = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%less : tensor<8x48xf32>) outs(%e16 : tensor<8x48xbf16>) {
    ^bb0(%a: f32, %out: bf16):
      %h = arith.truncf %a : f32 to bf16
      linalg.yield %h : bf16
  } -> tensor<8x48xbf16>
  %z = linalg.exp ins(%rounded : tensor<8x48xbf16>) outs(%e16 : tensor<8x48xbf16>)
      -> tensor<8x48xbf16>
  return %z : tensor<8x48xbf16>
}

// -----

// A bias, and then a gated activation of columns 2n and 2n+1: the bias is applied
// to both, and has two arguments. What has a value for each column of the output
// has it twice.

// REMARK: Function=maps | Remark="'linalg.generic' is part of the epilogue, on pairs of columns"

// CHECK-LABEL: func.func @maps
// CHECK-DAG:     %[[BIAS:.*]] = linalg.broadcast {{.*}} outs({{.*}} : tensor<4x48xf32>) dimensions = [0]
// CHECK-DAG:     %[[TWICE:.*]] = linalg.broadcast ins(%{{.*}} : tensor<24xf32>) outs(%{{.*}} : tensor<4x24x2xf32>) dimensions = [0, 2]
// CHECK-DAG:     %[[FLAT:.*]] = tensor.collapse_shape %[[TWICE]] {{\[}}[0], [1, 2]] : tensor<4x24x2xf32> into tensor<4x48xf32>
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      outs(%{{.*}} : tensor<?x24xbf16>) epilogue (%[[BIAS]], %[[FLAT]] : tensor<4x48xf32>, tensor<4x48xf32>)
// CHECK-NEXT:    ^bb0(%[[S0:.*]]: f32, %[[S1:.*]]: f32, %[[B0:.*]]: f32, %[[B1:.*]]: f32, %[[L:.*]]: f32, %{{.*}}: f32):
// CHECK-NEXT:      %[[GATE:.*]] = arith.addf %[[S0]], %[[B0]] : f32
// CHECK-NEXT:      %[[UP:.*]] = arith.addf %[[S1]], %[[B1]] : f32
// CHECK-NEXT:      %[[TOP:.*]] = arith.minimumf %[[GATE]], %[[L]] : f32
// CHECK-NEXT:      %[[V:.*]] = arith.mulf %[[TOP]], %[[UP]] : f32
// CHECK-NEXT:      mxfp4.yield %[[V]] : f32
func.func @maps(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %o: tensor<5xi32>, %bias: tensor<48xf32>,
    %limit: tensor<24xf32>) -> tensor<?x24xbf16> {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x48xf32>
  %e16 = tensor.empty(%rows) : tensor<?x24xbf16>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %biased = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (n)>,
                       affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y, %bias : tensor<?x48xf32>, tensor<48xf32>) outs(%e : tensor<?x48xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %v = arith.addf %a, %b : f32
      linalg.yield %v : f32
  } -> tensor<?x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, 2 * n)>,
                       affine_map<(r, n) -> (r, 2 * n + 1)>,
                       affine_map<(r, n) -> (n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%biased, %biased, %limit : tensor<?x48xf32>, tensor<?x48xf32>, tensor<24xf32>)
      outs(%e16 : tensor<?x24xbf16>) {
    ^bb0(%gate: f32, %up: f32, %l: f32, %out: bf16):
      %top = arith.minimumf %gate, %l : f32
      %v = arith.mulf %top, %up : f32
      %h = arith.truncf %v : f32 to bf16
      linalg.yield %h : bf16
  } -> tensor<?x24xbf16>
  return %z : tensor<?x24xbf16>
}

// -----

// The same by slices of every other column, of a bf16 result. What follows a pair
// reads the pair's result; a bias on pairs is read by maps, too.

// CHECK-LABEL: func.func @slices
// CHECK-SAME:      %[[BIAS:[a-z0-9]+]]: tensor<1x48xbf16>
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      outs(%{{.*}} : tensor<?x24xf32>) epilogue (%[[BIAS]] : tensor<1x48xbf16>)
// CHECK-NEXT:    ^bb0(%[[S0:.*]]: f32, %[[S1:.*]]: f32, %[[B0:.*]]: f32, %[[B1:.*]]: f32):
// CHECK-NEXT:      %[[G16:.*]] = arith.truncf %[[S0]] : f32 to bf16
// CHECK-NEXT:      %[[U16:.*]] = arith.truncf %[[S1]] : f32 to bf16
// CHECK:           mxfp4.yield
// CONTRACT-LABEL: func.func @slices
// CONTRACT:       ^bb0(%[[S0:.*]]: f32, %[[S1:.*]]: f32, %[[B0:.*]]: f32, %[[B1:.*]]: f32):
// CONTRACT-NEXT:    %[[G:.*]] = arith.addf %[[S0]], %[[B0]] : f32
// CONTRACT-NEXT:    %[[U:.*]] = arith.addf %[[S1]], %[[B1]] : f32
// CONTRACT-NEXT:    %[[V:.*]] = arith.mulf %[[G]], %[[U]] : f32
// CONTRACT-NEXT:    %[[A:.*]] = math.absf %[[V]] : f32
// CONTRACT-NEXT:    mxfp4.yield %[[A]] : f32
func.func @slices(%x: tensor<?x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %bias: tensor<1x48xbf16>)
    -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x48xbf16>
  %e32 = tensor.empty(%rows) : tensor<?x24xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x48xbf16>) -> tensor<?x48xbf16>
  %gate = tensor.extract_slice %y[0, 0] [%rows, 24] [1, 2]
      : tensor<?x48xbf16> to tensor<?x24xbf16>
  %up = tensor.extract_slice %y[0, 1] [%rows, 24] [1, 2]
      : tensor<?x48xbf16> to tensor<?x24xbf16>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>,
                       affine_map<(r, n) -> (0, 2 * n)>,
                       affine_map<(r, n) -> (0, 2 * n + 1)>,
                       affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%gate, %up, %bias, %bias
          : tensor<?x24xbf16>, tensor<?x24xbf16>, tensor<1x48xbf16>, tensor<1x48xbf16>)
      outs(%e32 : tensor<?x24xf32>) {
    ^bb0(%g: bf16, %u: bf16, %gb: bf16, %ub: bf16, %out: f32):
      %gf = arith.extf %g : bf16 to f32
      %uf = arith.extf %u : bf16 to f32
      %gbf = arith.extf %gb : bf16 to f32
      %ubf = arith.extf %ub : bf16 to f32
      %gv = arith.addf %gf, %gbf : f32
      %uv = arith.addf %uf, %ubf : f32
      %v = arith.mulf %gv, %uv : f32
      linalg.yield %v : f32
  } -> tensor<?x24xf32>
  %w = linalg.abs ins(%z : tensor<?x24xf32>) outs(%e32 : tensor<?x24xf32>)
      -> tensor<?x24xf32>
  return %w : tensor<?x24xf32>
}

// -----

// And by slices of a result that was split; one of them keeps a dimension of
// size 1 at first.

// CHECK-LABEL: func.func @split
// CHECK:         mxfp4.grouped_matmul
// CHECK-NEXT:    ^bb0(%[[S0:.*]]: f32, %[[S1:.*]]: f32):
// CHECK-NEXT:      %[[V:.*]] = arith.divf %[[S1]], %[[S0]] : f32
// CHECK-NEXT:      mxfp4.yield %[[V]] : f32
// CHECK-NEXT:    } -> tensor<?x24xf32>
// CHECK-NEXT:    return
func.func @split(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %o: tensor<5xi32>) -> tensor<?x24xf32> {
  %c0 = arith.constant 0 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %e = tensor.empty(%rows) : tensor<?x48xf32>
  %e32 = tensor.empty(%rows) : tensor<?x24xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %split = tensor.expand_shape %y [[0], [1, 2]] output_shape [%rows, 24, 2]
      : tensor<?x48xf32> into tensor<?x24x2xf32>
  %gate = tensor.extract_slice %split[0, 0, 0] [%rows, 24, 1] [1, 1, 1]
      : tensor<?x24x2xf32> to tensor<?x24xf32>
  %up1 = tensor.extract_slice %split[0, 0, 1] [%rows, 24, 1] [1, 1, 1]
      : tensor<?x24x2xf32> to tensor<?x24x1xf32>
  %up = tensor.collapse_shape %up1 [[0], [1, 2]]
      : tensor<?x24x1xf32> into tensor<?x24xf32>
  %z = linalg.div ins(%up, %gate : tensor<?x24xf32>, tensor<?x24xf32>)
      outs(%e32 : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %z : tensor<?x24xf32>
}

// -----

// Behind a batched matmul a bias may be of an expert and a column; a weight of
// each row is flattened.

// CHECK-LABEL: func.func @batched
// CHECK-SAME:      %[[BIAS:[a-z0-9]+]]: tensor<4x48xf32>, %[[WEIGHT:[a-z0-9]+]]: tensor<4x2xf32>
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[WEIGHT]] {{\[}}[0, 1]] : tensor<4x2xf32> into tensor<8xf32>
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul
// CHECK-SAME:      epilogue (%[[BIAS]], %[[ROWS]] : tensor<4x48xf32>, tensor<8xf32>)
// CHECK:         } -> tensor<8x48xf32>
// CHECK-NEXT:    %[[Z:.*]] = tensor.expand_shape %[[Y]] {{\[}}[0, 1], [2]] output_shape [4, 2, 48]
// CHECK-NEXT:    return %[[Z]]
func.func @batched(%x: tensor<8x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %bias: tensor<4x48xf32>, %weight: tensor<4x2xf32>)
    -> tensor<4x2x48xf32> {
  %o = arith.constant dense<[0, 2, 4, 6, 8]> : tensor<5xi32>
  %e = tensor.empty() : tensor<8x48xf32>
  %e3 = tensor.empty() : tensor<4x2x48xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y3 = tensor.expand_shape %y [[0, 1], [2]] output_shape [4, 2, 48]
      : tensor<8x48xf32> into tensor<4x2x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(e, m, n) -> (e, m, n)>, affine_map<(e, m, n) -> (e, n)>,
                       affine_map<(e, m, n) -> (e, m)>, affine_map<(e, m, n) -> (e, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y3, %bias, %weight : tensor<4x2x48xf32>, tensor<4x48xf32>, tensor<4x2xf32>)
      outs(%e3 : tensor<4x2x48xf32>) {
    ^bb0(%a: f32, %b: f32, %w: f32, %out: f32):
      %v = arith.addf %a, %b : f32
      %u = arith.mulf %v, %w : f32
      linalg.yield %u : f32
  } -> tensor<4x2x48xf32>
  return %z : tensor<4x2x48xf32>
}

// -----

// What overwrites the result in place overwrites what the matmul did; with bf16
// comparisons and integers in the body.

// CHECK-LABEL: func.func @in_place
// CHECK-SAME:      %[[INIT:[a-z0-9]+]]: tensor<8x48xbf16>, %[[K:[a-z0-9]+]]: bf16
// CHECK:         %[[AT:.*]] = tensor.from_elements %[[K]] : tensor<bf16>
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      outs(%[[INIT]] : tensor<8x48xbf16>) epilogue (%[[AT]] : tensor<bf16>)
// CHECK-NEXT:    ^bb0(%[[SUM:.*]]: f32, %[[F:.*]]: f32):
// CHECK-NEXT:      %[[S16:.*]] = arith.truncf %[[SUM]] : f32 to bf16
// CHECK:           %[[S:.*]] = arith.extf %[[S16]] : bf16 to f32
// CHECK-NEXT:      %[[ABOVE:.*]] = arith.cmpf ogt, %[[S]], %[[F]] : f32
// CHECK-NEXT:      %[[BITS:.*]] = arith.bitcast %[[S16]] : bf16 to i16
// CHECK:           %[[S2:.*]] = arith.extf %[[S16]] : bf16 to f32
// CHECK:           %[[V:.*]] = arith.select %[[ABOVE]], %[[S2]], %{{.*}} : f32
// CHECK-NEXT:      mxfp4.yield %[[V]] : f32
func.func @in_place(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %init: tensor<8x48xbf16>, %k: bf16)
    -> tensor<8x48xbf16> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%init : tensor<8x48xbf16>) -> tensor<8x48xbf16>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x48xbf16>) outs(%y : tensor<8x48xbf16>) {
    ^bb0(%a: bf16, %out: bf16):
      %sign = arith.constant 32767 : i16
      %above = arith.cmpf ogt, %a, %k : bf16
      %bits = arith.bitcast %a : bf16 to i16
      %positive = arith.andi %bits, %sign : i16
      %p = arith.bitcast %positive : i16 to bf16
      %v = arith.select %above, %a, %p : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48xbf16>
  return %z : tensor<8x48xbf16>
}

// -----

// Ids that are all one are not looked at one by one.
// CHECK-LABEL: func.func @ids_of_one_expert
// CHECK: epilogue
// CHECK: math.absf
// CHECK-NOT: linalg.abs
func.func @ids_of_one_expert(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<1099511627777xi32>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %ids = arith.constant dense<0> : tensor<1099511627776xi32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<1099511627777xi32>) expert_ids(%ids : tensor<1099511627776xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.abs ins(%y : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// One number for all offsets is looked at once: there may be more offsets than
// memory holds.

// CHECK-LABEL: func @many_empty_groups
// CHECK:         mxfp4.grouped_matmul {{.*}} epilogue (%{{.*}} : tensor<2147483646x8xf32>)
// CHECK-NOT:     linalg.generic
func.func @many_empty_groups(%x: tensor<0x32xbf16>, %c: tensor<2147483646x8x1x16xi8>,
    %s: tensor<2147483646x8x1xi8>, %bias: tensor<2147483646x8xf32>)
    -> tensor<2147483646x0x8xf32> {
  %offsets = arith.constant dense<0> : tensor<2147483647xi32>
  %e = tensor.empty() : tensor<0x8xf32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<0x32xbf16>)
      weights(%c, %s : tensor<2147483646x8x1x16xi8>, tensor<2147483646x8x1xi8>)
      offsets(%offsets : tensor<2147483647xi32>) outs(%e : tensor<0x8xf32>) -> tensor<0x8xf32>
  %z = tensor.expand_shape %y [[0, 1], [2]] output_shape [2147483646, 0, 8]
      : tensor<0x8xf32> into tensor<2147483646x0x8xf32>
  %ze = tensor.empty() : tensor<2147483646x0x8xf32>
  %g = linalg.generic {indexing_maps = [affine_map<(e, r, n) -> (e, r, n)>,
                                        affine_map<(e, r, n) -> (e, n)>,
                                        affine_map<(e, r, n) -> (e, r, n)>],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%z, %bias : tensor<2147483646x0x8xf32>, tensor<2147483646x8xf32>)
      outs(%ze : tensor<2147483646x0x8xf32>) {
    ^bb0(%sum: f32, %b: f32, %old: f32):
      %biased = arith.addf %sum, %b : f32
      linalg.yield %biased : f32
  } -> tensor<2147483646x0x8xf32>
  return %g : tensor<2147483646x0x8xf32>
}
