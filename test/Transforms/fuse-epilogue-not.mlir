// What cannot be fused is told, with the operation and the condition that failed,
// and left as it was.
//
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue --split-input-file --allow-unregistered-dialect \
// RUN:     --remark-policy=all --remark-format=emitRemark "--remarks-filter=mxfp4-.*" \
// RUN:     -o %t 2>&1 | FileCheck %s --implicit-check-not="[Passed]"
// RUN: FileCheck %s --check-prefix=SAME --implicit-check-not=epilogue < %t
// RUN: mxfp4-opt %s --mxfp4-fuse-epilogue --split-input-file --allow-unregistered-dialect -o /dev/null 2>&1 | count 0

// CHECK: Remark="'linalg.add' is not fused: the matmul's result is used by 'func.return', too"
// SAME-LABEL: func.func @two_users
func.func @two_users(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>)
    -> (tensor<8x48xf32>, tensor<8x48xf32>) {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.add ins(%y, %y : tensor<8x48xf32>, tensor<8x48xf32>)
      outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y, %z : tensor<8x48xf32>, tensor<8x48xf32>
}

// -----

// CHECK: Remark="'arith.addf' is not fused: it is no linalg operation; run convert-elementwise-to-linalg first"
// SAME-LABEL: func.func @no_linalg
func.func @no_linalg(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = arith.addf %y, %y : tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// CHECK: Remark="'linalg.generic' is not fused: it sums over, or reduces, one of its loops"
// SAME-LABEL: func.func @reduction
func.func @reduction(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>, %i: tensor<8xf32>)
    -> tensor<8xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r)>],
      iterator_types = ["parallel", "reduction"]}
      ins(%y : tensor<8x48xf32>) outs(%i : tensor<8xf32>) {
    ^bb0(%a: f32, %out: f32):
      %v = arith.addf %a, %out : f32
      linalg.yield %v : f32
  } -> tensor<8xf32>
  return %z : tensor<8xf32>
}

// -----

// CHECK: Remark="'linalg.generic' is not fused: it reads the matmul's result neither at its own row and column, nor at columns 2n and 2n+1 for column n; gate and up must be neighbouring columns: interleave the rows of the weights when they are packed"
// SAME-LABEL: func.func @transposed
func.func @transposed(%x: tensor<48x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<48x48xf32>) -> tensor<48x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<48x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<48x48xf32>) -> tensor<48x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (n, r)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<48x48xf32>) outs(%e : tensor<48x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %v = arith.negf %a : f32
      linalg.yield %v : f32
  } -> tensor<48x48xf32>
  return %z : tensor<48x48xf32>
}

// -----

// Gate and up apart.

// CHECK: Remark="'tensor.extract_slice' is not fused: it is neither all of the matmul's result nor every other column of it; gate and up must be neighbouring columns: interleave the rows of the weights when they are packed"
// SAME-LABEL: func.func @halves
func.func @halves(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>, %h: tensor<8x24xf32>)
    -> tensor<8x24xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %gate = tensor.extract_slice %y[0, 0] [8, 24] [1, 1] : tensor<8x48xf32> to tensor<8x24xf32>
  %up = tensor.extract_slice %y[0, 24] [8, 24] [1, 1] : tensor<8x48xf32> to tensor<8x24xf32>
  %z = linalg.mul ins(%gate, %up : tensor<8x24xf32>, tensor<8x24xf32>)
      outs(%h : tensor<8x24xf32>) -> tensor<8x24xf32>
  return %z : tensor<8x24xf32>
}

// -----

// Every other row is not every row, and some rows are not all.

// CHECK: Remark="'tensor.extract_slice' is not fused: it is neither all
// CHECK: Remark="'tensor.extract_slice' is not fused: it is neither all
// SAME-LABEL: func.func @part_of_rows
func.func @part_of_rows(%x: tensor<8x64xbf16>, %x2: tensor<?x64xbf16>,
    %c: tensor<1x48x2x16xi8>, %s: tensor<1x48x2xi8>, %o: tensor<2xi32>,
    %e: tensor<8x48xf32>, %e2: tensor<?x48xf32>, %h: tensor<4x24xf32>,
    %h2: tensor<?x24xf32>, %some: index) -> (tensor<4x24xf32>, tensor<?x24xf32>) {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %a = tensor.extract_slice %y[0, 0] [4, 24] [2, 2] : tensor<8x48xf32> to tensor<4x24xf32>
  %z = linalg.abs ins(%a : tensor<4x24xf32>) outs(%h : tensor<4x24xf32>) -> tensor<4x24xf32>
  %y2 = mxfp4.grouped_matmul activations(%x2 : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e2 : tensor<?x48xf32>) -> tensor<?x48xf32>
  %a2 = tensor.extract_slice %y2[0, 0] [%some, 24] [1, 2] : tensor<?x48xf32> to tensor<?x24xf32>
  %z2 = linalg.abs ins(%a2 : tensor<?x24xf32>) outs(%h2 : tensor<?x24xf32>) -> tensor<?x24xf32>
  return %z, %z2 : tensor<4x24xf32>, tensor<?x24xf32>
}

// -----

// A fixed number of rows is not all of a dynamic number.

// CHECK: Remark="'tensor.extract_slice' is not fused: it is neither all
// SAME-LABEL: func.func @fixed_rows
func.func @fixed_rows(%x: tensor<?x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<?x48xf32>, %h: tensor<4x24xf32>)
    -> tensor<4x24xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<?x48xf32>) -> tensor<?x48xf32>
  %a = tensor.extract_slice %y[0, 0] [4, 24] [1, 2] : tensor<?x48xf32> to tensor<4x24xf32>
  %z = linalg.abs ins(%a : tensor<4x24xf32>) outs(%h : tensor<4x24xf32>) -> tensor<4x24xf32>
  return %z : tensor<4x24xf32>
}

// -----

// Rows and columns in one dimension.

// CHECK: Remark="'tensor.collapse_shape' is not fused: it is neither all
// SAME-LABEL: func.func @flat
func.func @flat(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>, %h: tensor<384xf32>)
    -> tensor<384xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %a = tensor.collapse_shape %y [[0, 1]] : tensor<8x48xf32> into tensor<384xf32>
  %z = linalg.abs ins(%a : tensor<384xf32>) outs(%h : tensor<384xf32>) -> tensor<384xf32>
  return %z : tensor<384xf32>
}

// -----

// CHECK: Remark="'linalg.add' is not fused: an input of type tensor<8x48xf32> has neither one value, nor one for each row, nor one for each column"
// SAME-LABEL: func.func @residual
func.func @residual(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>, %r: tensor<8x48xf32>)
    -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.add ins(%y, %r : tensor<8x48xf32>, tensor<8x48xf32>)
      outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// The body: an operation of another dialect, a function that kernels do not have,
// another type, an integer from outside, and the output's old values.

// CHECK: Remark="'linalg.generic' is not fused: an epilogue has operations of arith and math, but its body has linalg.index"
// CHECK: Remark="'linalg.generic' is not fused: kernels have no math.sin; they have absf, {{.*}} or trunc"
// CHECK: Remark="'linalg.generic' is not fused: an epilogue computes with bf16, f32 and integers, but arith.extf in its body has a value of type f64"
// CHECK: Remark="'linalg.generic' is not fused: its body uses a value of type i32 from outside, which is no constant; epilogues take bf16 and f32"
// CHECK: Remark="'linalg.generic' is not fused: it reads the old values of its output"
// CHECK: Remark="'linalg.generic' is not fused: its result is of f64, not of bf16 or f32"
// SAME-LABEL: func.func @bodies
#id = affine_map<(r, n) -> (r, n)>
func.func @bodies(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>, %n: i32,
    %e64: tensor<8x48xf64>)
    -> (tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>,
        tensor<8x48xf32>, tensor<8x48xf64>) {
  %y0 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y0 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %i = linalg.index 1 : index
      %j = arith.index_cast %i : index to i32
      %f = arith.sitofp %j : i32 to f32
      %v = arith.addf %a, %f : f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  %y1 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y1 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %v = math.sin %a : f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  %y2 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y2 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %d = arith.extf %a : f32 to f64
      %v = arith.truncf %d : f64 to f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  %y3 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z3 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y3 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %f = arith.sitofp %n : i32 to f32
      %v = arith.addf %a, %f : f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  %y4 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z4 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y4 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %v = arith.addf %a, %out : f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  %y5 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z5 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y5 : tensor<8x48xf32>) outs(%e64 : tensor<8x48xf64>) {
    ^bb0(%a: f32, %out: f64):
      %v = arith.extf %a : f32 to f64
      linalg.yield %v : f64
  } -> tensor<8x48xf64>
  return %z0, %z1, %z2, %z3, %z4, %z5 : tensor<8x48xf32>, tensor<8x48xf32>,
      tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf64>
}

// -----

// The matmul: ids that may be -1, rows that keep the init's values, scattered rows,
// and a schedule that is there already. Constant ids of experts are fused.

// CHECK: Remark="'linalg.abs' is not fused: a group may have id -1, whose rows are zeros without an epilogue; with mxfp4-raise, use groups-cover-rows if each row has an expert"
// CHECK: Remark="'linalg.abs' is not fused: a group may have id -1
// CHECK: Remark="'linalg.abs' is not fused: rows behind the last group keep the values of the matmul's init; make the init by tensor.empty"
// CHECK: Remark="'linalg.abs' is not fused: the matmul scatters its rows; others would not be computed"
// CHECK: Remark="'linalg.abs' is not fused: the matmul has a schedule, which was chosen for what it does now; run this pass before mxfp4-choose-schedule"
// SAME-LABEL: func.func @matmuls
func.func @matmuls(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>,
    %ids: tensor<1xi32>, %rows: tensor<8xi32>)
    -> (tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>,
        tensor<8x48xf32>) {
  %y0 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) expert_ids(%ids : tensor<1xi32>)
      outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z0 = linalg.abs ins(%y0 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %o2 = arith.constant dense<[0, 4, 8]> : tensor<3xi32>
  %none = arith.constant dense<[0, -1]> : tensor<2xi32>
  %y1 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o2 : tensor<3xi32>) expert_ids(%none : tensor<2xi32>)
      outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z1 = linalg.abs ins(%y1 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y2 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>) gather(%rows : tensor<8xi32>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z2 = linalg.abs ins(%y2 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y3 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) scatter(%rows : tensor<8xi32>)
      -> tensor<8x48xf32>
  %z3 = linalg.abs ins(%y3 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y4 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
          warps_rows = 1,
          warps_tokens = 1, stages = 4, placement = register, ctas = 1>}
      -> tensor<8x48xf32>
  %z4 = linalg.abs ins(%y4 : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %z0, %z1, %z2, %z3, %z4 : tensor<8x48xf32>, tensor<8x48xf32>,
      tensor<8x48xf32>, tensor<8x48xf32>, tensor<8x48xf32>
}

// -----

// Groups of other sizes, where a bias is read by the first dimension; and another
// block.

// CHECK: Remark="'linalg.generic' is not fused: it reads values by the first dimension of the result, which is not known to be a row's expert"
// CHECK: Remark="'linalg.abs' is not fused: it is in another block than the matmul"
// SAME-LABEL: func.func @groups
func.func @groups(%x: tensor<8x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %bias: tensor<4x48xf32>, %e: tensor<8x48xf32>,
    %e3: tensor<4x2x48xf32>, %n: index) -> (tensor<4x2x48xf32>, tensor<8x48xf32>) {
  %o = arith.constant dense<[0, 1, 4, 6, 8]> : tensor<5xi32>
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y3 = tensor.expand_shape %y [[0, 1], [2]] output_shape [4, 2, 48]
      : tensor<8x48xf32> into tensor<4x2x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(e, m, n) -> (e, m, n)>, affine_map<(e, m, n) -> (e, n)>,
                       affine_map<(e, m, n) -> (e, m, n)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%y3, %bias : tensor<4x2x48xf32>, tensor<4x48xf32>)
      outs(%e3 : tensor<4x2x48xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %v = arith.addf %a, %b : f32
      linalg.yield %v : f32
  } -> tensor<4x2x48xf32>
  %y2 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
      offsets(%o : tensor<5xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %w = scf.for %i = %c0 to %n step %c1 iter_args(%t = %e) -> tensor<8x48xf32> {
    %z2 = linalg.abs ins(%y2 : tensor<8x48xf32>) outs(%t : tensor<8x48xf32>) -> tensor<8x48xf32>
    scf.yield %z2 : tensor<8x48xf32>
  }
  return %z, %w : tensor<4x2x48xf32>, tensor<8x48xf32>
}

// -----

// The rows of a group depend on the group.

// CHECK: Remark="'linalg.generic' is not fused: it reads values by the first dimension of the result, which is not known to be a row's expert"
// SAME-LABEL: func.func @growing_groups
func.func @growing_groups(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
    %s: tensor<4x48x2xi8>, %bias: tensor<4x48xf32>, %m: index, %e: tensor<?x48xf32>,
    %e3: tensor<4x?x48xf32>) -> tensor<4x?x48xf32> {
  %o = tensor.generate {
  ^bb0(%g: index):
    %more = arith.addi %g, %m : index
    %end = arith.muli %g, %more : index
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

// The layout of packed weights says that gate and up are no neighbours.

// CHECK: Remark="'linalg.generic' is not fused: it takes columns 2n and 2n + 1 for a pair, but the layout of the weights says that gate and up are apart; interleave the rows of the weights before they are packed"
// SAME-LABEL: func.func @apart
func.func @apart(%x: tensor<8x64xbf16>, %w: tensor<1x1x1x!mxfp4.block<spread, raw, apart>>,
    %o: tensor<2xi32>, %e: tensor<8x48xf32>, %h: tensor<8x24xf32>) -> tensor<8x24xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%w : tensor<1x1x1x!mxfp4.block<spread, raw, apart>>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %gate = tensor.extract_slice %y[0, 0] [8, 24] [1, 2] : tensor<8x48xf32> to tensor<8x24xf32>
  %up = tensor.extract_slice %y[0, 1] [8, 24] [1, 2] : tensor<8x48xf32> to tensor<8x24xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>,
                       affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%gate, %up : tensor<8x24xf32>, tensor<8x24xf32>) outs(%h : tensor<8x24xf32>) {
    ^bb0(%a: f32, %b: f32, %out: f32):
      %v = arith.mulf %a, %b : f32
      linalg.yield %v : f32
  } -> tensor<8x24xf32>
  return %z : tensor<8x24xf32>
}

// -----

// Roundings that kernels do not have.

// CHECK: Remark="'linalg.generic' is not fused: kernels round to nearest even, and arith.truncf rounds upward"
// SAME-LABEL: func.func @rounds_upward
func.func @rounds_upward(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %h = arith.truncf %a upward : f32 to bf16
      %v = arith.extf %h : bf16 to f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// An operation that kernels do not have.

// CHECK: Remark="'linalg.generic' is not fused: kernels have no arith.scaling_extf"
// SAME-LABEL: func.func @scaling
func.func @scaling(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %h = arith.truncf %a : f32 to bf16
      %v = arith.scaling_extf %h, %h : bf16, bf16 to f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// Integers that kernels do not have.

// CHECK: Remark="'linalg.generic' is not fused: kernels have integers of 1 to 64 bits, and no i128"
// SAME-LABEL: func.func @wide_integers
func.func @wide_integers(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %i = arith.fptosi %a : f32 to i128
      %v = arith.sitofp %i : i128 to f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}

// -----

// To f8E4M3FN: arith.truncf does not saturate; and what is rounded to it stays so.

// CHECK: Remark="'linalg.generic' is not fused: arith.truncf to f8E4M3FN makes NaN of values beyond 448, which the store of an epilogue saturates; write mxfp4.grouped_matmul with this epilogue and an output of f8E4M3FN"
// CHECK: Remark="'linalg.generic' is not fused: {{.*}}f8E4M3FN
// SAME-LABEL: func.func @to_fp8
#id = affine_map<(r, n) -> (r, n)>
func.func @to_fp8(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>,
    %q: tensor<8x48xf8E4M3FN>) -> (tensor<8x48xf8E4M3FN>, tensor<8x48xf32>) {
  %y0 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y0 : tensor<8x48xf32>) outs(%q : tensor<8x48xf8E4M3FN>) {
    ^bb0(%a: f32, %out: f8E4M3FN):
      %v = arith.truncf %a : f32 to f8E4M3FN
      linalg.yield %v : f8E4M3FN
  } -> tensor<8x48xf8E4M3FN>
  %y1 = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%q : tensor<8x48xf8E4M3FN>)
      -> tensor<8x48xf8E4M3FN>
  %z1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%y1 : tensor<8x48xf8E4M3FN>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f8E4M3FN, %out: f32):
      %v = arith.extf %a : f8E4M3FN to f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  return %z0, %z1 : tensor<8x48xf8E4M3FN>, tensor<8x48xf32>
}

// -----

// What no dialect knows is a reason, too.

// CHECK: Remark="'linalg.generic' is not fused: an epilogue has operations of arith and math, but its body has nobody.knows"
// SAME-LABEL: func.func @unknown
func.func @unknown(%x: tensor<8x64xbf16>, %c: tensor<1x48x2x16xi8>,
    %s: tensor<1x48x2xi8>, %o: tensor<2xi32>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %y = mxfp4.grouped_matmul activations(%x : tensor<8x64xbf16>)
      weights(%c, %s : tensor<1x48x2x16xi8>, tensor<1x48x2xi8>)
      offsets(%o : tensor<2xi32>) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %z = linalg.generic {
      indexing_maps = [affine_map<(r, n) -> (r, n)>, affine_map<(r, n) -> (r, n)>],
      iterator_types = ["parallel", "parallel"]}
      ins(%y : tensor<8x48xf32>) outs(%e : tensor<8x48xf32>) {
    ^bb0(%a: f32, %out: f32):
      %v = "nobody.knows"(%a) : (f32) -> f32
      linalg.yield %v : f32
  } -> tensor<8x48xf32>
  return %z : tensor<8x48xf32>
}
