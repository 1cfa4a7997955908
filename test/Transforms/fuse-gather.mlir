// Gathers of activations and scatters of results become operands.
//
// RUN: mxfp4-opt %s --mxfp4-fuse-gather --split-input-file | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-fuse-gather --split-input-file -o /dev/null \
// RUN:     --remark-policy=all --remark-format=emitRemark "--remarks-filter=mxfp4-.*" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=REMARK

// The row as an operand of the gather. What asks for the number of gathered rows
// asks the indices.

// REMARK: [Passed] rows | Category:mxfp4-fuse-gather | Function=operand | Remark="'linalg.generic' is the matmul's operand gather"

// CHECK-LABEL: func.func @operand
// CHECK-SAME:      %[[X:[a-z0-9]+]]: tensor<?x64xbf16>, %[[ROWS:[a-z0-9]+]]: tensor<?xi32>
// CHECK:         tensor.empty(%{{.*}}) : tensor<?x64xbf16>
// CHECK-NEXT:    %[[R:.*]] = tensor.dim %[[ROWS]], %c0
// CHECK-NEXT:    %[[E:.*]] = tensor.empty(%[[R]]) : tensor<?x48xf32>
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%[[X]] : tensor<?x64xbf16>) gather(%[[ROWS]] : tensor<?xi32>)
// CHECK-SAME:      outs(%[[E]] : tensor<?x48xf32>)
func.func @operand(%x: tensor<?x64xbf16>, %rows: tensor<?xi32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>)
    -> tensor<?x48xf32> {
  %c0 = arith.constant 0 : index
  %r = tensor.dim %rows, %c0 : tensor<?xi32>
  %e = tensor.empty(%r) : tensor<?x64xbf16>
  %g = linalg.generic {
      indexing_maps = [affine_map<(r, k) -> (r)>, affine_map<(r, k) -> (r, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<?xi32>) outs(%e : tensor<?x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_cast %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<?x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<?x64xbf16>
  %d = tensor.dim %g, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%d) : tensor<?x48xf32>
  %y = mxfp4.grouped_matmul activations(%g : tensor<?x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%ye : tensor<?x48xf32>) -> tensor<?x48xf32>
  return %y : tensor<?x48xf32>
}

// -----

// The row is extracted in the body, of i64 indices, in loops of another order. Two
// matmuls read the rows.

// CHECK-LABEL: func.func @body
// CHECK-SAME:      %[[X:[a-z0-9]+]]: tensor<5x64xbf16>, %[[ROWS:[a-z0-9]+]]: tensor<8xi64>
// CHECK-NOT:     linalg.generic
// CHECK:         %[[NARROW:.*]] = arith.trunci %[[ROWS]] : tensor<8xi64> to tensor<8xi32>
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%[[X]] : tensor<5x64xbf16>) gather(%[[NARROW]] : tensor<8xi32>)
// CHECK:         %[[AGAIN:.*]] = arith.trunci %[[ROWS]] : tensor<8xi64> to tensor<8xi32>
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%[[X]] : tensor<5x64xbf16>) gather(%[[AGAIN]] : tensor<8xi32>)
func.func @body(%x: tensor<5x64xbf16>, %rows: tensor<8xi64>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>) -> (tensor<8x48xf32>, tensor<8x48xf32>) {
  %ge = tensor.empty() : tensor<8x64xbf16>
  %g = linalg.generic {
      indexing_maps = [affine_map<(k, r) -> (r, k)>],
      iterator_types = ["parallel", "parallel"]}
      outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%out: bf16):
      %k = linalg.index 0 : index
      %r = linalg.index 1 : index
      %t = tensor.extract %rows[%r] : tensor<8xi64>
      %row = arith.index_cast %t : i64 to index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y, %z : tensor<8x48xf32>, tensor<8x48xf32>
}

// -----

// Indices of type index, of i8 with a sign, and of i8 without.

// CHECK-LABEL: func.func @widths
// CHECK:         arith.index_cast %{{.*}} : tensor<8xindex> to tensor<8xi32>
// CHECK:         arith.extui %{{.*}} : tensor<8xi8> to tensor<8xi32>
// CHECK:         arith.extsi %{{.*}} : tensor<8xi8> to tensor<8xi32>
#row = affine_map<(r, k) -> (r)>
#id = affine_map<(r, k) -> (r, k)>
func.func @widths(%x: tensor<5x64xbf16>, %index: tensor<8xindex>, %i8: tensor<8xi8>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>) -> (tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>) {
  %ge = tensor.empty() : tensor<8x64xbf16>
  %g0 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%index : tensor<8xindex>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%row: index, %out: bf16):
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %g1 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%i8 : tensor<8xi8>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i8, %out: bf16):
      %row = arith.index_castui %t : i8 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %g2 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%i8 : tensor<8xi8>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i8, %out: bf16):
      %row = arith.index_cast %t : i8 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %y0 = mxfp4.grouped_matmul activations(%g0 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y1 = mxfp4.grouped_matmul activations(%g1 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y2 = mxfp4.grouped_matmul activations(%g2 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y0, %y1, %y2 : tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>
}

// -----

// Indices of i32 are taken as they are, without a sign too.

// CHECK-LABEL: func.func @unsigned
// CHECK-SAME:      %[[X:[a-z0-9]+]]: tensor<5x64xbf16>, %[[ROWS:[a-z0-9]+]]: tensor<8xi32>
// CHECK-NOT:     arith
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<5x64xbf16>) gather(%[[ROWS]] : tensor<8xi32>)
func.func @unsigned(%x: tensor<5x64xbf16>, %rows: tensor<8xi32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %ge = tensor.empty() : tensor<8x64xbf16>
  %g = linalg.generic {
      indexing_maps = [affine_map<(r, k) -> (r)>, affine_map<(r, k) -> (r, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<8xi32>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_castui %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// tensor.gather, of rows of rank 2 or with a dimension of size 1; and tensor.scatter.

// REMARK: Function=gather_and_scatter | Remark="'tensor.gather' is the matmul's operand gather"
// REMARK: Function=gather_and_scatter | Remark="'tensor.scatter' is the matmul's operand scatter"

// CHECK-LABEL: func.func @gather_and_scatter
// CHECK-SAME:      %[[X:[a-z0-9]+]]: tensor<5x64xbf16>, %[[FROM:[a-z0-9]+]]: tensor<8x1xi32>, %[[TO:[a-z0-9]+]]: tensor<8x1xi32>, %[[DEST:[a-z0-9]+]]: tensor<20x48xf32>
// CHECK-DAG:     %[[G:.*]] = tensor.collapse_shape %[[FROM]] {{\[}}[0, 1]] : tensor<8x1xi32> into tensor<8xi32>
// CHECK-DAG:     %[[S:.*]] = tensor.collapse_shape %[[TO]] {{\[}}[0, 1]] : tensor<8x1xi32> into tensor<8xi32>
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[X]] : tensor<5x64xbf16>) gather(%[[G]] : tensor<8xi32>)
// CHECK-SAME:      outs(%[[DEST]] : tensor<20x48xf32>) scatter(%[[S]] : tensor<8xi32>) -> tensor<20x48xf32>
// CHECK-NEXT:    return %[[Y]]
func.func @gather_and_scatter(%x: tensor<5x64xbf16>, %from: tensor<8x1xi32>,
    %to: tensor<8x1xi32>, %dest: tensor<20x48xf32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>)
    -> tensor<20x48xf32> {
  %e = tensor.empty() : tensor<8x48xf32>
  %g3 = tensor.gather %x[%from] gather_dims([0])
      : (tensor<5x64xbf16>, tensor<8x1xi32>) -> tensor<8x1x64xbf16>
  %g = tensor.collapse_shape %g3 [[0, 1], [2]] : tensor<8x1x64xbf16> into tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y3 = tensor.expand_shape %y [[0, 1], [2]] output_shape [8, 1, 48]
      : tensor<8x48xf32> into tensor<8x1x48xf32>
  %z = tensor.scatter %y3 into %dest[%to] scatter_dims([0]) unique
      : (tensor<8x1x48xf32>, tensor<20x48xf32>, tensor<8x1xi32>) -> tensor<20x48xf32>
  return %z : tensor<20x48xf32>
}

// -----

// CHECK-LABEL: func.func @reduced
// CHECK-NOT:     tensor.gather
// CHECK:         gather(
// CHECK-SAME:    scatter(
// CHECK-NOT:     tensor.scatter
func.func @reduced(%x: tensor<5x64xbf16>, %rows: tensor<8x1xi32>,
    %dest: tensor<20x48xf32>, %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>,
    %o: tensor<5xi32>) -> tensor<20x48xf32> {
  %e = tensor.empty() : tensor<8x48xf32>
  %g = tensor.gather %x[%rows] gather_dims([0])
      : (tensor<5x64xbf16>, tensor<8x1xi32>) -> tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = tensor.scatter %y into %dest[%rows] scatter_dims([0]) unique
      : (tensor<8x48xf32>, tensor<20x48xf32>, tensor<8x1xi32>) -> tensor<20x48xf32>
  return %z : tensor<20x48xf32>
}

// -----

// Numbers of rows in 16 bits: signed, and unsigned where the gather says so.

// CHECK-LABEL: func.func @narrow
// CHECK:         %[[S:.*]] = arith.extsi %{{.*}} : tensor<8xi16> to tensor<8xi32>
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%{{.*}}) gather(%[[S]] :
// CHECK:         %[[U:.*]] = arith.extui %{{.*}} : tensor<8xi16> to tensor<8xi32>
// CHECK-NEXT:    mxfp4.grouped_matmul activations(%{{.*}}) gather(%[[U]] :
func.func @narrow(%x: tensor<5x64xbf16>, %rows: tensor<8x1xi16>, %flat: tensor<8xi16>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>, %ge: tensor<8x64xbf16>) -> (tensor<8x48xf32>, tensor<8x48xf32>) {
  %g = tensor.gather %x[%rows] gather_dims([0])
      : (tensor<5x64xbf16>, tensor<8x1xi16>) -> tensor<8x64xbf16>
  %h = linalg.generic {
      indexing_maps = [affine_map<(r, k) -> (r)>, affine_map<(r, k) -> (r, k)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%flat : tensor<8xi16>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i16, %out: bf16):
      %row = arith.index_castui %t : i16 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = mxfp4.grouped_matmul activations(%h : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y, %z : tensor<8x48xf32>, tensor<8x48xf32>
}
