// Weights that are decoded apart and joined, such as gate and up: the codes and
// the scales are joined.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise 2>/dev/null | FileCheck %s

#x = affine_map<(e, t, n, k) -> (e, t, k)>
#w = affine_map<(e, t, n, k) -> (e, n, k)>
#y = affine_map<(e, t, n, k) -> (e, t, n)>

// CHECK-LABEL: func @gate_and_up(
// CHECK-SAME:    %{{.*}}, %[[C:.*]]: tensor<4x48x2x16xi8>, %[[S:.*]]: tensor<4x48x2xi8>, %[[D:.*]]: tensor<4x32x2x16xi8>, %[[T:.*]]: tensor<4x32x2xi8>)
// CHECK:         %[[CODES:.*]] = tensor.concat dim(1) %[[C]], %[[D]]
// CHECK:         %[[SCALES:.*]] = tensor.concat dim(1) %[[S]], %[[T]]
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[CODES]], %[[SCALES]] : tensor<4x80x2x16xi8>, tensor<4x80x2xi8>)
func.func @gate_and_up(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>,
    %d: tensor<4x32x2x16xi8>, %t: tensor<4x32x2xi8>) -> tensor<4x8x80xf32> {
  %ge = tensor.empty() : tensor<4x48x64xbf16>
  %gate = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>) scales(%s : tensor<4x48x2xi8>)
      outs(%ge : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %ue = tensor.empty() : tensor<4x32x64xbf16>
  %up = mxfp4.dequantize codes(%d : tensor<4x32x2x16xi8>) scales(%t : tensor<4x32x2xi8>)
      outs(%ue : tensor<4x32x64xbf16>) -> tensor<4x32x64xbf16>
  %e = tensor.empty() : tensor<4x80x64xbf16>
  %half = tensor.insert_slice %up into %e[0, 48, 0] [4, 32, 64] [1, 1, 1]
      : tensor<4x32x64xbf16> into tensor<4x80x64xbf16>
  %w = tensor.insert_slice %gate into %half[0, 0, 0] [4, 48, 64] [1, 1, 1]
      : tensor<4x48x64xbf16> into tensor<4x80x64xbf16>
  %f = arith.constant dense<0.0> : tensor<4x8x80xf32>
  %y = linalg.batch_matmul indexing_maps = [#x, #w, #y]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x80x64xbf16>)
      outs(%f : tensor<4x8x80xf32>) -> tensor<4x8x80xf32>
  return %y : tensor<4x8x80xf32>
}

// -----

// Not next to each other: row 48 of N has neither.

// CHECK-LABEL: func @gap(
// CHECK-NOT:     tensor.concat
func.func @gap(%c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>) -> tensor<4x97x64xbf16> {
  %ge = tensor.empty() : tensor<4x48x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>) scales(%s : tensor<4x48x2xi8>)
      outs(%ge : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %e = arith.constant dense<0.0> : tensor<4x97x64xbf16>
  %half = tensor.insert_slice %g into %e[0, 49, 0] [4, 48, 64] [1, 1, 1]
      : tensor<4x48x64xbf16> into tensor<4x97x64xbf16>
  %w = tensor.insert_slice %g into %half[0, 0, 0] [4, 48, 64] [1, 1, 1]
      : tensor<4x48x64xbf16> into tensor<4x97x64xbf16>
  return %w : tensor<4x97x64xbf16>
}

// -----

// Of one expert, the second half only.

// CHECK-LABEL: func @one_expert(
// CHECK-NOT:     tensor.concat
func.func @one_expert(%c: tensor<1x48x2x16xi8>, %s: tensor<1x48x2xi8>, %e: tensor<4x96x64xbf16>)
    -> tensor<4x96x64xbf16> {
  %ge = tensor.empty() : tensor<1x48x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<1x48x2x16xi8>) scales(%s : tensor<1x48x2xi8>)
      outs(%ge : tensor<1x48x64xbf16>) -> tensor<1x48x64xbf16>
  %half = tensor.insert_slice %g into %e[0, 0, 0] [1, 48, 64] [1, 1, 1]
      : tensor<1x48x64xbf16> into tensor<4x96x64xbf16>
  %w = tensor.insert_slice %g into %half[0, 48, 0] [1, 48, 64] [1, 1, 1]
      : tensor<1x48x64xbf16> into tensor<4x96x64xbf16>
  return %w : tensor<4x96x64xbf16>
}

// -----

#id = affine_map<(e, n, k) -> (e, n, k)>

// The second branch reads the part from its first row on.

// CHECK-LABEL: func @branches(
// CHECK:         tensor.concat dim(1)
// CHECK:         mxfp4.dequantize

// The second branch reads the rows that the first one would.

// CHECK-LABEL: func @same_rows(
// CHECK-NOT:     tensor.concat
func.func @branches(%c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>) -> tensor<4x96x64xbf16> {
  %ge = tensor.empty() : tensor<4x48x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>) scales(%s : tensor<4x48x2xi8>)
      outs(%ge : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %c48 = arith.constant 48 : index
  %e = tensor.empty() : tensor<4x96x64xbf16>
  %w = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%e : tensor<4x96x64xbf16>) {
    ^bb0(%o: bf16):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %k = linalg.index 2 : index
      %first = arith.cmpi ult, %j, %c48 : index
      %v = scf.if %first -> (bf16) {
        %a = tensor.extract %g[%i, %j, %k] : tensor<4x48x64xbf16>
        scf.yield %a : bf16
      } else {
        %less = arith.subi %j, %c48 : index
        %b = tensor.extract %g[%i, %less, %k] : tensor<4x48x64xbf16>
        scf.yield %b : bf16
      }
      linalg.yield %v : bf16
  } -> tensor<4x96x64xbf16>
  return %w : tensor<4x96x64xbf16>
}

func.func @same_rows(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x96x64xbf16> {
  %ge = tensor.empty() : tensor<4x96x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ge : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %c48 = arith.constant 48 : index
  %e = tensor.empty() : tensor<4x96x64xbf16>
  %w = linalg.generic {indexing_maps = [#id], iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%e : tensor<4x96x64xbf16>) {
    ^bb0(%o: bf16):
      %i = linalg.index 0 : index
      %j = linalg.index 1 : index
      %k = linalg.index 2 : index
      %first = arith.cmpi ult, %j, %c48 : index
      %v = scf.if %first -> (bf16) {
        %a = tensor.extract %g[%i, %j, %k] : tensor<4x96x64xbf16>
        scf.yield %a : bf16
      } else {
        %less = arith.subi %j, %c48 : index
        %b = tensor.extract %g[%i, %less, %k] : tensor<4x96x64xbf16>
        scf.yield %b : bf16
      }
      linalg.yield %v : bf16
  } -> tensor<4x96x64xbf16>
  return %w : tensor<4x96x64xbf16>
}

// -----

// A result may know less of its shape than the parts do.

// CHECK-LABEL: func @widened(
// CHECK:         mxfp4.dequantize {{.*}} -> tensor<4x96x64xbf16>
// CHECK:         %[[WIDE:.*]] = arith.extf %{{.*}} : tensor<4x96x64xbf16> to tensor<4x96x64xf32>
// CHECK:         tensor.cast %[[WIDE]] : tensor<4x96x64xf32> to tensor<4x?x64xf32>
func.func @widened(%c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>) -> tensor<4x?x64xf32> {
  %ge = tensor.empty() : tensor<4x48x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>) scales(%s : tensor<4x48x2xi8>)
      outs(%ge : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %f = arith.extf %g : tensor<4x48x64xbf16> to tensor<4x48x64xf32>
  %w = tensor.concat dim(1) %f, %f
      : (tensor<4x48x64xf32>, tensor<4x48x64xf32>) -> tensor<4x?x64xf32>
  return %w : tensor<4x?x64xf32>
}

// CHECK-LABEL: func @expanded(
// CHECK:         mxfp4.dequantize {{.*}} -> tensor<8x48x64xbf16>
// CHECK:         %[[FOUR:.*]] = tensor.expand_shape {{.*}} into tensor<8x6x8x64xbf16>
// CHECK:         tensor.cast %[[FOUR]] : tensor<8x6x8x64xbf16> to tensor<?x6x8x64xbf16>
func.func @expanded(%c: tensor<4x48x2x16xi8>, %s: tensor<4x48x2xi8>) -> tensor<?x6x8x64xbf16> {
  %ge = tensor.empty() : tensor<4x48x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>) scales(%s : tensor<4x48x2xi8>)
      outs(%ge : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %x = tensor.expand_shape %g [[0], [1, 2], [3]] output_shape [4, 6, 8, 64]
      : tensor<4x48x64xbf16> into tensor<4x6x8x64xbf16>
  %w = tensor.concat dim(0) %x, %x
      : (tensor<4x6x8x64xbf16>, tensor<4x6x8x64xbf16>) -> tensor<?x6x8x64xbf16>
  return %w : tensor<?x6x8x64xbf16>
}

// CHECK-LABEL: func @collapsed(
// CHECK:         mxfp4.dequantize
// CHECK:         tensor.cast %{{.*}} : tensor<48x128xbf16> to tensor<48x?xbf16>
func.func @collapsed(%c: tensor<6x8x2x16xi8>, %s: tensor<6x8x2xi8>) -> tensor<48x?xbf16> {
  %ge = tensor.empty() : tensor<6x8x64xbf16>
  %g = mxfp4.dequantize codes(%c : tensor<6x8x2x16xi8>) scales(%s : tensor<6x8x2xi8>)
      outs(%ge : tensor<6x8x64xbf16>) -> tensor<6x8x64xbf16>
  %x = tensor.collapse_shape %g [[0, 1], [2]] : tensor<6x8x64xbf16> into tensor<48x64xbf16>
  %w = tensor.concat dim(1) %x, %x
      : (tensor<48x64xbf16>, tensor<48x64xbf16>) -> tensor<48x?xbf16>
  return %w : tensor<48x?xbf16>
}

// -----

#x = affine_map<(e, t, n, k) -> (e, t, k)>
#w = affine_map<(e, t, n, k) -> (e, n, k)>
#y = affine_map<(e, t, n, k) -> (e, t, n)>

// Slices of one decode, joined in another order: codes and scales are cut.

// CHECK-LABEL: func @swapped_halves(
// CHECK-SAME:    %{{.*}}, %[[C:.*]]: tensor<4x96x2x16xi8>, %[[S:.*]]: tensor<4x96x2xi8>)
// CHECK-DAG:     %[[CB:.*]] = tensor.extract_slice %[[C]][0, 48, 0, 0] [4, 48, 2, 16] [1, 1, 1, 1]
// CHECK-DAG:     %[[SB:.*]] = tensor.extract_slice %[[S]][0, 48, 0] [4, 48, 2] [1, 1, 1]
// CHECK-DAG:     %[[CA:.*]] = tensor.extract_slice %[[C]][0, 0, 0, 0] [4, 48, 2, 16] [1, 1, 1, 1]
// CHECK-DAG:     %[[SA:.*]] = tensor.extract_slice %[[S]][0, 0, 0] [4, 48, 2] [1, 1, 1]
// CHECK-DAG:     %[[CODES:.*]] = tensor.concat dim(1) %[[CB]], %[[CA]]
// CHECK-DAG:     %[[SCALES:.*]] = tensor.concat dim(1) %[[SB]], %[[SA]]
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[CODES]], %[[SCALES]] : tensor<4x96x2x16xi8>, tensor<4x96x2xi8>)
func.func @swapped_halves(%x: tensor<4x8x64xbf16>, %c: tensor<4x96x2x16xi8>,
    %s: tensor<4x96x2xi8>) -> tensor<4x8x96xf32> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %b = tensor.extract_slice %v[0, 48, 0] [4, 48, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<4x48x64xbf16>
  %a = tensor.extract_slice %v[0, 0, 0] [4, 48, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<4x48x64xbf16>
  %w = tensor.concat dim(1) %b, %a
      : (tensor<4x48x64xbf16>, tensor<4x48x64xbf16>) -> tensor<4x96x64xbf16>
  %f = arith.constant dense<0.0> : tensor<4x8x96xf32>
  %y = linalg.batch_matmul indexing_maps = [#x, #w, #y]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x96x64xbf16>)
      outs(%f : tensor<4x8x96xf32>) -> tensor<4x8x96xf32>
  return %y : tensor<4x8x96xf32>
}

// Experts that torch.roll turns, whose sizes it forgets.

// CHECK-LABEL: func @rolled(
// CHECK-SAME:    %[[C:.*]]: tensor<4x96x2x16xi8>, %[[S:.*]]: tensor<4x96x2xi8>)
// CHECK-DAG:     %[[CB:.*]] = tensor.extract_slice %[[C]][3, 0, 0, 0] [1, 96, 2, 16] [1, 1, 1, 1]
// CHECK-DAG:     %[[CA:.*]] = tensor.extract_slice %[[C]][0, 0, 0, 0] [3, 96, 2, 16] [1, 1, 1, 1]
// CHECK-DAG:     %[[CODES:.*]] = tensor.concat dim(0) %[[CB]], %[[CA]]
// CHECK:         %[[W:.*]] = mxfp4.dequantize codes(%[[CODES]] : tensor<4x96x2x16xi8>)
// CHECK:         return %[[W]]
func.func @rolled(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x96x64xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %b = tensor.extract_slice %v[3, 0, 0] [1, 96, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<1x96x64xbf16>
  %a = tensor.extract_slice %v[0, 0, 0] [3, 96, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<3x96x64xbf16>
  %bc = tensor.cast %b : tensor<1x96x64xbf16> to tensor<?x96x64xbf16>
  %ac = tensor.cast %a : tensor<3x96x64xbf16> to tensor<?x96x64xbf16>
  %w = tensor.concat dim(0) %bc, %ac
      : (tensor<?x96x64xbf16>, tensor<?x96x64xbf16>) -> tensor<4x96x64xbf16>
  return %w : tensor<4x96x64xbf16>
}

// Slices that cut blocks of 32, or of which the size is not known, stay.

// CHECK-LABEL: func @cut_blocks(
// CHECK:         tensor.concat dim(2) %{{.*}} : (tensor<4x96x16xbf16>, tensor<4x96x16xbf16>)
func.func @cut_blocks(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x96x32xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %b = tensor.extract_slice %v[0, 0, 16] [4, 96, 16] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<4x96x16xbf16>
  %w = tensor.concat dim(2) %b, %b
      : (tensor<4x96x16xbf16>, tensor<4x96x16xbf16>) -> tensor<4x96x32xbf16>
  return %w : tensor<4x96x32xbf16>
}
// CHECK-LABEL: func @of_unknown_size(
// CHECK:         tensor.concat dim(1) %{{.*}} : (tensor<4x?x64xbf16>, tensor<4x?x64xbf16>)
func.func @of_unknown_size(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %n: index)
    -> tensor<4x?x64xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %b = tensor.extract_slice %v[0, 0, 0] [4, %n, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<4x?x64xbf16>
  %w = tensor.concat dim(1) %b, %b
      : (tensor<4x?x64xbf16>, tensor<4x?x64xbf16>) -> tensor<4x?x64xbf16>
  return %w : tensor<4x?x64xbf16>
}

// -----

#x = affine_map<(e, t, n, k) -> (e, t, k)>
#w = affine_map<(e, t, n, k) -> (e, n, k)>
#y = affine_map<(e, t, n, k) -> (e, t, n)>

// Blocks along K, as tensor parallelism cuts the second matmul of a layer.

// CHECK-LABEL: func @blocks_of_k(
// CHECK-SAME:    %{{.*}}, %[[C:.*]]: tensor<4x48x4x16xi8>, %[[S:.*]]: tensor<4x48x4xi8>)
// CHECK-DAG:     %[[CODES:.*]] = tensor.extract_slice %[[C]][0, 0, 1, 0] [4, 48, 2, 16] [1, 1, 1, 1]
// CHECK-DAG:     %[[SCALES:.*]] = tensor.extract_slice %[[S]][0, 0, 1] [4, 48, 2] [1, 1, 1]
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%[[CODES]], %[[SCALES]] : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
func.func @blocks_of_k(%x: tensor<4x8x64xbf16>, %c: tensor<4x48x4x16xi8>,
    %s: tensor<4x48x4xi8>) -> tensor<4x8x48xf32> {
  %ve = tensor.empty() : tensor<4x48x128xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x48x4x16xi8>) scales(%s : tensor<4x48x4xi8>)
      outs(%ve : tensor<4x48x128xbf16>) -> tensor<4x48x128xbf16>
  %w = tensor.extract_slice %v[0, 0, 32] [4, 48, 64] [1, 1, 1]
      : tensor<4x48x128xbf16> to tensor<4x48x64xbf16>
  %f = arith.constant dense<0.0> : tensor<4x8x48xf32>
  %y = linalg.batch_matmul indexing_maps = [#x, #w, #y]
      ins(%x, %w : tensor<4x8x64xbf16>, tensor<4x48x64xbf16>)
      outs(%f : tensor<4x8x48xf32>) -> tensor<4x8x48xf32>
  return %y : tensor<4x8x48xf32>
}

// -----

// A slice of the rows of what is one expert by then: one slice of the codes.

// CHECK-LABEL: func @rows_of_one_expert(
// CHECK-SAME:    %{{.*}}, %[[C:.*]]: tensor<4x96x2x16xi8>, %[[S:.*]]: tensor<4x96x2xi8>)
// CHECK-DAG:     tensor.extract_slice %[[C]][2, 1, 0, 0] [1, 48, 2, 16] [1, 2, 1, 1]
// CHECK-DAG:     tensor.extract_slice %[[S]][2, 1, 0] [1, 48, 2] [1, 2, 1]
// CHECK:         mxfp4.grouped_matmul
func.func @rows_of_one_expert(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xi8>,
    %s: tensor<4x96x2xi8>) -> tensor<8x48xf32> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %one = tensor.extract_slice %v[2, 0, 0] [1, 96, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<1x96x64xbf16>
  %flat = tensor.collapse_shape %one [[0, 1], [2]] : tensor<1x96x64xbf16> into tensor<96x64xbf16>
  %w = tensor.extract_slice %flat[1, 0] [48, 64] [2, 1]
      : tensor<96x64xbf16> to tensor<48x64xbf16>
  %f = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x64xbf16>, tensor<48x64xbf16>)
      outs(%f : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Dimensions with more than one element each, which the slice cuts together,
// and offsets of which the sum is not known, stay.

// CHECK-LABEL: func @through_two(
// CHECK:         %[[F:.*]] = tensor.collapse_shape
// CHECK:         tensor.extract_slice %[[F]][10, 0] [20, 64]
func.func @through_two(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<20x64xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %flat = tensor.collapse_shape %v [[0, 1], [2]] : tensor<4x96x64xbf16> into tensor<384x64xbf16>
  %w = tensor.extract_slice %flat[10, 0] [20, 64] [1, 1]
      : tensor<384x64xbf16> to tensor<20x64xbf16>
  return %w : tensor<20x64xbf16>
}
// CHECK-LABEL: func @two_unknown_offsets(
// CHECK-COUNT-2: tensor.extract_slice %{{.*}} : tensor<{{.*}}bf16> to tensor<{{.*}}bf16>
func.func @two_unknown_offsets(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %i: index,
    %j: index) -> tensor<1x96x64xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %some = tensor.extract_slice %v[%i, 0, 0] [2, 96, 64] [1, 1, 1]
      : tensor<4x96x64xbf16> to tensor<2x96x64xbf16>
  %w = tensor.extract_slice %some[%j, 0, 0] [1, 96, 64] [1, 1, 1]
      : tensor<2x96x64xbf16> to tensor<1x96x64xbf16>
  return %w : tensor<1x96x64xbf16>
}

// -----

// What is decoded later, because it is joined in another shape, may be used by
// others before it is joined.

// CHECK-LABEL: func @used_before_it_is_joined(
// CHECK:         %[[W:.*]] = mxfp4.dequantize {{.*}} -> tensor<2x2x48x64xbf16>
// CHECK:         linalg.negf ins(%[[W]]
// CHECK:         tensor.concat dim(1) {{.*}}i8>
func.func @used_before_it_is_joined(%c: tensor<2x96x2x16xi8>, %s: tensor<2x96x2xi8>,
    %d: tensor<2x2x48x2x16xi8>, %t: tensor<2x2x48x2xi8>)
    -> (tensor<2x2x48x64xbf16>, tensor<2x4x48x64xbf16>) {
  %ve = tensor.empty() : tensor<2x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<2x96x2x16xi8>) scales(%s : tensor<2x96x2xi8>)
      outs(%ve : tensor<2x96x64xbf16>) -> tensor<2x96x64xbf16>
  %we = tensor.empty() : tensor<2x2x48x64xbf16>
  %w = mxfp4.dequantize codes(%d : tensor<2x2x48x2x16xi8>) scales(%t : tensor<2x2x48x2xi8>)
      outs(%we : tensor<2x2x48x64xbf16>) -> tensor<2x2x48x64xbf16>
  %halves = tensor.expand_shape %v [[0], [1, 2], [3]] output_shape [2, 2, 48, 64]
      : tensor<2x96x64xbf16> into tensor<2x2x48x64xbf16>
  %negated = linalg.negf ins(%halves : tensor<2x2x48x64xbf16>)
      outs(%we : tensor<2x2x48x64xbf16>) -> tensor<2x2x48x64xbf16>
  %both = tensor.concat dim(1) %halves, %w
      : (tensor<2x2x48x64xbf16>, tensor<2x2x48x64xbf16>) -> tensor<2x4x48x64xbf16>
  return %negated, %both : tensor<2x2x48x64xbf16>, tensor<2x4x48x64xbf16>
}

// -----

// Weights that are padded with +0.0 are decoded from codes of 0; the scales are
// such as were promised.

// CHECK-LABEL: func @padded(
// CHECK-SAME:    %[[C:[^ ]*]]: tensor<4x96x2x16xi8>, %[[S:[^ ]*]]: tensor<4x96x2xi8>)
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : i8
// CHECK-DAG:     %[[ONE:.*]] = arith.constant 127 : i8
// CHECK:         %[[CODES:.*]] = tensor.pad %[[C]] low[0, 0, 1, 0] high[0, 32, 0, 0]
// CHECK:           tensor.yield %[[ZERO]]
// CHECK:         %[[SCALES:.*]] = tensor.pad %[[S]] low[0, 0, 1] high[0, 32, 0]
// CHECK:           tensor.yield %[[ONE]]
// CHECK:         mxfp4.dequantize codes(%[[CODES]] : tensor<4x128x3x16xi8>) scales(%[[SCALES]] : tensor<4x128x3xi8>)
func.func @padded(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x128x96xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %zero = arith.constant 0.0 : bf16
  %w = tensor.pad %v low[0, 0, 32] high[0, 32, 0] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : bf16
  } : tensor<4x96x64xbf16> to tensor<4x128x96xbf16>
  return %w : tensor<4x128x96xbf16>
}
// CHECK-LABEL: func @padded_as_promised(
// CHECK:         %[[SMALLEST:.*]] = arith.constant -126 : i8
// CHECK:         tensor.pad %{{.*}} low[0, 0, 0] high[0, 1, 0]
// CHECK:           tensor.yield %[[SMALLEST]]
func.func @padded_as_promised(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x97x64xbf16>
    attributes {mxfp4.promises = {scales = array<i64: 130, 140>}} {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %zero = arith.constant 0.0 : bf16
  %w = tensor.pad %v low[0, 0, 0] high[0, 1, 0] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : bf16
  } : tensor<4x96x64xbf16> to tensor<4x97x64xbf16>
  return %w : tensor<4x97x64xbf16>
}

// -----

// So are slices of weights, and reshaped ones. One that a pad does not keep the
// blocks of is left as it is.

// CHECK-LABEL: func @padded_slice(
// CHECK-SAME:    %[[C:[^ ]*]]: tensor<4x96x2x16xi8>, %[[S:[^ ]*]]: tensor<4x96x2xi8>)
// CHECK-DAG:     %[[CS:.*]] = tensor.extract_slice %[[C]][0, 8, 1, 0] [4, 40, 1, 16] [1, 1, 1, 1]
// CHECK-DAG:     %[[SS:.*]] = tensor.extract_slice %[[S]][0, 8, 1] [4, 40, 1] [1, 1, 1]
// CHECK:         %[[CODES:.*]] = tensor.pad %{{.*}} low[0, 0, 0, 0, 0] high[0, 0, 12, 1, 0]
// CHECK:         %[[SCALES:.*]] = tensor.pad %{{.*}} low[0, 0, 0, 0] high[0, 0, 12, 1]
// CHECK:         mxfp4.dequantize codes(%[[CODES]] : tensor<2x2x52x2x16xi8>) scales(%[[SCALES]] : tensor<2x2x52x2xi8>)
// CHECK-LABEL: func @padded_slice_by_half_a_block(
// CHECK:         tensor.extract_slice {{.*}} : tensor<4x96x64xbf16> to tensor<4x40x64xbf16>
func.func @padded_slice(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<2x2x52x64xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %part = tensor.extract_slice %v[0, 8, 32] [4, 40, 32] [1, 1, 1] : tensor<4x96x64xbf16> to tensor<4x40x32xbf16>
  %pairs = tensor.expand_shape %part [[0, 1], [2], [3]] output_shape [2, 2, 40, 32]
      : tensor<4x40x32xbf16> into tensor<2x2x40x32xbf16>
  %zero = arith.constant 0.0 : bf16
  %w = tensor.pad %pairs low[0, 0, 0, 0] high[0, 0, 12, 32] {
    ^bb0(%a: index, %b: index, %d: index, %e: index):
      tensor.yield %zero : bf16
  } : tensor<2x2x40x32xbf16> to tensor<2x2x52x64xbf16>
  return %w : tensor<2x2x52x64xbf16>
}
func.func @padded_slice_by_half_a_block(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x40x80xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %part = tensor.extract_slice %v[0, 8, 0] [4, 40, 64] [1, 1, 1] : tensor<4x96x64xbf16> to tensor<4x40x64xbf16>
  %zero = arith.constant 0.0 : bf16
  %w = tensor.pad %part low[0, 0, 0] high[0, 0, 16] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : bf16
  } : tensor<4x40x64xbf16> to tensor<4x40x80xbf16>
  return %w : tensor<4x40x80xbf16>
}

// -----

// Weights that are transposed and widened first are padded before that.

// CHECK-LABEL: func @padded_behind_moves(
// CHECK-SAME:    %[[C:[^ ]*]]: tensor<4x96x2x16xi8>, %[[S:[^ ]*]]: tensor<4x96x2xi8>)
// CHECK:         tensor.pad %[[C]] low[0, 8, 1, 0] high[0, 24, 0, 0]
// CHECK:         tensor.pad %[[S]] low[0, 8, 1] high[0, 24, 0]
// CHECK:         %[[W:.*]] = mxfp4.dequantize {{.*}} -> tensor<4x128x96xbf16>
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[W]] : {{.*}} permutation = [0, 2, 1]
// CHECK:         %[[F:.*]] = arith.extf %[[T]] : tensor<4x96x128xbf16> to tensor<4x96x128xf32>
// CHECK:         return %[[F]]
// CHECK-LABEL: func @padded_with_one_behind_moves(
// CHECK:         tensor.pad {{.*}}
// CHECK:         : tensor<4x96x64xf32> to tensor<4x97x64xf32>
func.func @padded_behind_moves(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x96x128xf32> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %te = tensor.empty() : tensor<4x64x96xbf16>
  %t = linalg.transpose ins(%v : tensor<4x96x64xbf16>) outs(%te : tensor<4x64x96xbf16>) permutation = [0, 2, 1]
  %f = arith.extf %t : tensor<4x64x96xbf16> to tensor<4x64x96xf32>
  %zero = arith.constant 0.0 : f32
  %w = tensor.pad %f low[0, 32, 8] high[0, 0, 24] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : f32
  } : tensor<4x64x96xf32> to tensor<4x96x128xf32>
  return %w : tensor<4x96x128xf32>
}
func.func @padded_with_one_behind_moves(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x97x64xf32> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %f = arith.extf %v : tensor<4x96x64xbf16> to tensor<4x96x64xf32>
  %one = arith.constant 1.0 : f32
  %w = tensor.pad %f low[0, 0, 0] high[0, 1, 0] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %one : f32
  } : tensor<4x96x64xf32> to tensor<4x97x64xf32>
  return %w : tensor<4x97x64xf32>
}

// -----

// Half a block, and another number than +0.0.

// CHECK-LABEL: func @padded_by_half_a_block(
// CHECK:         tensor.pad %{{.*}} high[0, 0, 16]
// CHECK-LABEL: func @padded_with_negative_zero(
// CHECK:         tensor.pad
// CHECK:         : tensor<4x96x64xbf16> to tensor<4x97x64xbf16>
func.func @padded_by_half_a_block(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x96x80xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %zero = arith.constant 0.0 : bf16
  %w = tensor.pad %v low[0, 0, 0] high[0, 0, 16] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : bf16
  } : tensor<4x96x64xbf16> to tensor<4x96x80xbf16>
  return %w : tensor<4x96x80xbf16>
}
func.func @padded_with_negative_zero(%c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>) -> tensor<4x97x64xbf16> {
  %ve = tensor.empty() : tensor<4x96x64xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x96x2x16xi8>) scales(%s : tensor<4x96x2xi8>)
      outs(%ve : tensor<4x96x64xbf16>) -> tensor<4x96x64xbf16>
  %zero = arith.constant -0.0 : bf16
  %w = tensor.pad %v low[0, 0, 0] high[0, 1, 0] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : bf16
  } : tensor<4x96x64xbf16> to tensor<4x97x64xbf16>
  return %w : tensor<4x97x64xbf16>
}

// -----

// Types of codes and scales that say less than the values' type. What is not
// known is not sliced, padded or reshaped.

// CHECK-LABEL: func @slice_of_unknown_blocks(
// CHECK:         tensor.extract_slice {{.*}} : tensor<4x48x32xbf16> to tensor<4x24x32xbf16>
func.func @slice_of_unknown_blocks(%c: tensor<4x48x1x?xi8>, %s: tensor<4x48x?xi8>,
    %d: tensor<4x24x1x16xi8>, %t: tensor<4x24x1xi8>) -> tensor<4x48x32xbf16> {
  %ve = tensor.empty() : tensor<4x48x32xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x48x1x?xi8>) scales(%s : tensor<4x48x?xi8>)
      outs(%ve : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %we = tensor.empty() : tensor<4x24x32xbf16>
  %w = mxfp4.dequantize codes(%d : tensor<4x24x1x16xi8>) scales(%t : tensor<4x24x1xi8>)
      outs(%we : tensor<4x24x32xbf16>) -> tensor<4x24x32xbf16>
  %half = tensor.extract_slice %v[0, 8, 0] [4, 24, 32] [1, 1, 1] : tensor<4x48x32xbf16> to tensor<4x24x32xbf16>
  %both = tensor.concat dim(1) %half, %w : (tensor<4x24x32xbf16>, tensor<4x24x32xbf16>) -> tensor<4x48x32xbf16>
  return %both : tensor<4x48x32xbf16>
}
// CHECK-LABEL: func @pad_of_unknown_scales(
// CHECK:         tensor.pad {{.*}}
// CHECK:         : tensor<4x48x32xbf16> to tensor<4x49x32xbf16>
func.func @pad_of_unknown_scales(%c: tensor<4x48x1x16xi8>, %s: tensor<4x?x1xi8>) -> tensor<4x49x32xbf16> {
  %ve = tensor.empty() : tensor<4x48x32xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x?x1xi8>)
      outs(%ve : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %zero = arith.constant 0.0 : bf16
  %w = tensor.pad %v low[0, 0, 0] high[0, 1, 0] {
    ^bb0(%a: index, %b: index, %d: index):
      tensor.yield %zero : bf16
  } : tensor<4x48x32xbf16> to tensor<4x49x32xbf16>
  return %w : tensor<4x49x32xbf16>
}
// CHECK-LABEL: func @reshape_of_unknown_scales(
// CHECK:         tensor.expand_shape {{.*}} : tensor<4x48x32xbf16> into tensor<4x2x24x32xbf16>
func.func @reshape_of_unknown_scales(%c: tensor<4x48x1x16xi8>, %s: tensor<4x?x1xi8>,
    %d: tensor<4x2x24x1x16xi8>, %t: tensor<4x2x24x1xi8>) -> tensor<4x4x24x32xbf16> {
  %ve = tensor.empty() : tensor<4x48x32xbf16>
  %v = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x?x1xi8>)
      outs(%ve : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %we = tensor.empty() : tensor<4x2x24x32xbf16>
  %w = mxfp4.dequantize codes(%d : tensor<4x2x24x1x16xi8>) scales(%t : tensor<4x2x24x1xi8>)
      outs(%we : tensor<4x2x24x32xbf16>) -> tensor<4x2x24x32xbf16>
  %halves = tensor.expand_shape %v [[0], [1, 2], [3]] output_shape [4, 2, 24, 32]
      : tensor<4x48x32xbf16> into tensor<4x2x24x32xbf16>
  %both = tensor.concat dim(1) %halves, %w
      : (tensor<4x2x24x32xbf16>, tensor<4x2x24x32xbf16>) -> tensor<4x4x24x32xbf16>
  return %both : tensor<4x4x24x32xbf16>
}
