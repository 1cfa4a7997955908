// Gathers and scatters that stay, and why.
//
// RUN: mxfp4-opt %s --mxfp4-fuse-gather --split-input-file \
// RUN:     --remark-policy=all --remark-format=emitRemark "--remarks-filter=mxfp4-.*" \
// RUN:     -o %t 2>&1 | FileCheck %s --implicit-check-not="[Passed]"
// RUN: FileCheck %s --check-prefix=SAME < %t
// RUN: mxfp4-opt %s --mxfp4-fuse-gather --split-input-file -o /dev/null 2>&1 | count 0

#row = affine_map<(r, k) -> (r)>
#id = affine_map<(r, k) -> (r, k)>

// Somebody else reads the rows.

// CHECK: Remark="'linalg.generic' is not fused: 'func.return' reads the gathered rows, too, which are in memory then"
// SAME-LABEL: func.func @others
// SAME-NOT:   gather(
func.func @others(%x: tensor<5x64xbf16>, %rows: tensor<8xi32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>, %ge: tensor<8x64xbf16>) -> (tensor<8x48xf32>, tensor<8x64xbf16>) {
  %g = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<8xi32>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_cast %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<5x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y, %g : tensor<8x48xf32>, tensor<8x64xbf16>
}

// -----

// Other bodies: more than a move, another column, a row that is computed, and a
// part of the columns.

#row = affine_map<(r, k) -> (r)>
#id = affine_map<(r, k) -> (r, k)>

// CHECK: Remark="'linalg.generic' is not fused: its body does more than to extract an element of a tensor of rank 2"
// CHECK: Remark="'linalg.generic' is not fused: its body extracts from another column than its own"
// CHECK: Remark="'linalg.generic' is not fused: the row that its body extracts is no element of a tensor of rank 1 with one for each row"
// CHECK: Remark="'linalg.generic' is not fused: the rows that it gathers from are not known to have as many columns as the matmul's activations"
// SAME-LABEL: func.func @bodies
// SAME-NOT:   gather(
func.func @bodies(%x: tensor<64x64xbf16>, %wide: tensor<5x96xbf16>, %rows: tensor<8xi32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>, %ge: tensor<8x64xbf16>)
    -> (tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>) {
  %g0 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<8xi32>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_cast %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<64x64xbf16>
      %w = arith.negf %v : bf16
      linalg.yield %w : bf16
  } -> tensor<8x64xbf16>
  %g1 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<8xi32>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_cast %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%k, %row] : tensor<64x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %g2 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<8xi32>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %one = arith.constant 1 : i32
      %next = arith.addi %t, %one : i32
      %row = arith.index_cast %next : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %x[%row, %k] : tensor<64x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %g3 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
      ins(%rows : tensor<8xi32>) outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%t: i32, %out: bf16):
      %row = arith.index_cast %t : i32 to index
      %k = linalg.index 1 : index
      %v = tensor.extract %wide[%row, %k] : tensor<5x96xbf16>
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
  %y3 = mxfp4.grouped_matmul activations(%g3 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y0, %y1, %y2, %y3 : tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>,
      tensor<8x48xf32>
}

// -----

// The row is an element for each column, or of two for each row; rows whose
// numbers are no i32; and a matmul that has its schedule.

#id = affine_map<(r, k) -> (r, k)>
#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1>

// CHECK: Remark="'linalg.generic' is not fused: the row that its body extracts is no element of a tensor of rank 1 with one for each row"
// CHECK: Remark="'linalg.generic' is not fused: the row that its body extracts is no element of a tensor of rank 1 with one for each row"
// CHECK: Remark="'tensor.gather' is not fused: the numbers of rows do not fit in i32"
// CHECK: Remark="'tensor.gather' is not fused: the matmul has a schedule, which was chosen for what it does now; run this pass before mxfp4-choose-schedule"
// SAME-LABEL: func.func @elements
// SAME-NOT:   gather(
func.func @elements(%x: tensor<64x64xbf16>, %huge: tensor<2147483648x64xbf16>,
    %rows: tensor<64xi32>, %pairs: tensor<8x2xi32>, %one: tensor<8x1xi32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>, %ge: tensor<8x64xbf16>)
    -> (tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>) {
  %g0 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%out: bf16):
      %k = linalg.index 1 : index
      %t = tensor.extract %rows[%k] : tensor<64xi32>
      %row = arith.index_cast %t : i32 to index
      %v = tensor.extract %x[%row, %k] : tensor<64x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %g1 = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel"]}
      outs(%ge : tensor<8x64xbf16>) {
    ^bb0(%out: bf16):
      %r = linalg.index 0 : index
      %k = linalg.index 1 : index
      %second = arith.constant 1 : index
      %t = tensor.extract %pairs[%r, %second] : tensor<8x2xi32>
      %row = arith.index_cast %t : i32 to index
      %v = tensor.extract %x[%row, %k] : tensor<64x64xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x64xbf16>
  %g2 = tensor.gather %huge[%one] gather_dims([0])
      : (tensor<2147483648x64xbf16>, tensor<8x1xi32>) -> tensor<8x64xbf16>
  %g3 = tensor.gather %x[%one] gather_dims([0])
      : (tensor<64x64xbf16>, tensor<8x1xi32>) -> tensor<8x64xbf16>
  %y0 = mxfp4.grouped_matmul activations(%g0 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y1 = mxfp4.grouped_matmul activations(%g1 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y2 = mxfp4.grouped_matmul activations(%g2 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y3 = mxfp4.grouped_matmul activations(%g3 : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) {schedule = #schedule}
      -> tensor<8x48xf32>
  return %y0, %y1, %y2, %y3 : tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>,
      tensor<8x48xf32>
}

// -----

// A matmul that gathers and scatters already; a gather of columns.

// CHECK: Remark="'tensor.gather' is not fused: the matmul gathers rows of the gathered rows already"
// CHECK: Remark="'tensor.scatter' is not fused: the matmul scatters its rows already"
// CHECK: Remark="'tensor.gather' is not fused: it gathers no rows, by a number for each, of a tensor of rank 2"
// CHECK: Remark="'tensor.scatter' is not fused: the matmul's result has other users"
// SAME-LABEL: func.func @twice
// SAME:         tensor.gather
// SAME:         tensor.scatter
// SAME:         tensor.gather
// SAME:         tensor.scatter
func.func @twice(%x: tensor<8x64xbf16>, %rows: tensor<8x1xi32>, %map: tensor<8xi32>,
    %columns: tensor<64x1xi32>, %dest: tensor<20x48xf32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>, %e64: tensor<64x48xf32>, %narrow: tensor<64x64xbf16>)
    -> (tensor<20x48xf32>, tensor<20x48xf32>, tensor<64x48xf32>, tensor<8x48xf32>) {
  %g = tensor.gather %x[%rows] gather_dims([0])
      : (tensor<8x64xbf16>, tensor<8x1xi32>) -> tensor<8x64xbf16>
  %y = mxfp4.grouped_matmul activations(%g : tensor<8x64xbf16>) gather(%map : tensor<8xi32>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) scatter(%map : tensor<8xi32>)
      -> tensor<8x48xf32>
  %z = tensor.scatter %y into %dest[%rows] scatter_dims([0]) unique
      : (tensor<8x48xf32>, tensor<20x48xf32>, tensor<8x1xi32>) -> tensor<20x48xf32>
  %g1 = tensor.gather %narrow[%columns] gather_dims([1])
      : (tensor<64x64xbf16>, tensor<64x1xi32>) -> tensor<64x64xbf16>
  %y1 = mxfp4.grouped_matmul activations(%g1 : tensor<64x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e64 : tensor<64x48xf32>) -> tensor<64x48xf32>
  %y2 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z2 = tensor.scatter %y2 into %dest[%rows] scatter_dims([0]) unique
      : (tensor<8x48xf32>, tensor<20x48xf32>, tensor<8x1xi32>) -> tensor<20x48xf32>
  return %z, %z2, %y1, %y2 : tensor<20x48xf32>, tensor<20x48xf32>, tensor<64x48xf32>,
      tensor<8x48xf32>
}

// -----

// Rows behind the last group are those of the init, and are scattered as they are.

// CHECK: Remark="'tensor.scatter' is not fused: rows behind the last group keep the values of the matmul's init, and are scattered, too; make the init by tensor.empty"
// SAME-LABEL: func.func @kept_rows
// SAME:         tensor.scatter
func.func @kept_rows(%x: tensor<8x64xbf16>, %rows: tensor<8x1xi32>, %map: tensor<8xi32>,
    %dest: tensor<20x48xf32>, %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>,
    %o: tensor<5xi32>, %e: tensor<8x48xf32>) -> tensor<20x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>) gather(%map : tensor<8xi32>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = tensor.scatter %y into %dest[%rows] scatter_dims([0]) unique
      : (tensor<8x48xf32>, tensor<20x48xf32>, tensor<8x1xi32>) -> tensor<20x48xf32>
  return %z : tensor<20x48xf32>
}

// -----

// Rows of the result become columns.

// CHECK: Remark="'tensor.scatter' is not fused: it scatters no rows, by a number for each, to a tensor of rank 2"
// SAME-LABEL: func.func @columns
// SAME:         tensor.scatter
func.func @columns(%x: tensor<8x64xbf16>, %rows: tensor<8x1xi32>, %dest: tensor<48x20xf32>,
    %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>, %o: tensor<5xi32>,
    %e: tensor<8x48xf32>) -> tensor<48x20xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = tensor.scatter %y into %dest[%rows] scatter_dims([1]) unique
      : (tensor<8x48xf32>, tensor<48x20xf32>, tensor<8x1xi32>) -> tensor<48x20xf32>
  return %z : tensor<48x20xf32>
}
