// Contractions as programs write them: what is done around the sum is done
// around the grouped matmul.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s

// What the sum starts at is one of the numbers that are summed.

// CHECK-LABEL: func @accumulates
// CHECK-SAME:    %[[INIT:[^ ]*]]: tensor<8x48xf32>)
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul
// CHECK:         linalg.add ins(%[[Y]], %[[INIT]] :
func.func @accumulates(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>, %init: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Sums of bf16 may be f32 where the function says so, and only there.

// CHECK-LABEL: func @promised
// CHECK-SAME:    attributes {mxfp4.promises = {f32_sums}}
// CHECK:         mxfp4.grouped_matmul {{.*}} {promises = {f32_sums}} -> tensor<8x48xbf16>
// CHECK-LABEL: func @not_promised
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @promised(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xbf16> attributes {mxfp4.promises = {f32_sums}} {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xbf16>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xbf16>) -> tensor<8x48xbf16>
  return %y : tensor<8x48xbf16>
}
func.func @not_promised(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>) -> tensor<8x48xbf16> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xbf16>
  // expected-remark@below {{promise that sums may be f32 (f32-sums)}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xbf16>) -> tensor<8x48xbf16>
  return %y : tensor<8x48xbf16>
}

// -----

// Weights of each row are selected by a number: groups of one row.

#ids = affine_map<(t, n, k) -> (t)>
#all = affine_map<(t, n, k) -> (t, n, k)>

// CHECK-LABEL: func @gathered
// CHECK-SAME:    %[[IDS:[^ ]*]]: tensor<3xi64>)
// CHECK-DAG:     %[[O:.*]] = arith.constant dense<[0, 1, 2, 3]> : tensor<4xi32>
// CHECK-DAG:     %[[E:.*]] = arith.trunci %[[IDS]] : tensor<3xi64> to tensor<3xi32>
// CHECK:         mxfp4.grouped_matmul {{.*}} offsets(%[[O]] : tensor<4xi32>) expert_ids(%[[E]] : tensor<3xi32>)
func.func @gathered(%x: tensor<3x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<3xi64>) -> tensor<3x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<3x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#ids, #all], iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<3xi64>) outs(%ge : tensor<3x48x32xbf16>) {
    ^bb0(%id: i64, %o: bf16):
      %i = arith.index_cast %id : i64 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%i, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<3x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<3x48xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(t, n, k) -> (t, k)>, #all, affine_map<(t, n, k) -> (t, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %g : tensor<3x32xbf16>, tensor<3x48x32xbf16>) outs(%init : tensor<3x48xf32>) {
    ^bb0(%a: bf16, %b: bf16, %sum: f32):
      %aw = arith.extf %a : bf16 to f32
      %bw = arith.extf %b : bf16 to f32
      %p = arith.mulf %aw, %bw : f32
      %r = arith.addf %sum, %p : f32
      linalg.yield %r : f32
  } -> tensor<3x48xf32>
  return %y : tensor<3x48xf32>
}

// -----

// A sum over experts, too, is one sum over all their K: codes and scales move.

// CHECK-LABEL: func @summed_over_experts
// CHECK:         linalg.transpose ins(%{{.*}} : tensor<4x48x1x16xi8>) {{.*}} permutation = [2, 1, 0, 3]
// CHECK:         mxfp4.grouped_matmul {{.*}} weights(%{{.*}}, %{{.*}} : tensor<1x48x4x16xi8>, tensor<1x48x4xi8>)
func.func @summed_over_experts(%x: tensor<8x4x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.contract
      indexing_maps = [affine_map<(m, n, e, k) -> (m, e, k)>,
                       affine_map<(m, n, e, k) -> (e, n, k)>,
                       affine_map<(m, n, e, k) -> (m, n)>]
      ins(%x, %w : tensor<8x4x32xbf16>, tensor<4x48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// A promise is a dictionary of known names.

// expected-error@below {{requires mxfp4.promises to be a dictionary of 'scales' (two bytes, as array<i64: 1, 254>) and the units 'unsigned_zero', 'f32_sums' and 'bf16_rows', but it has 'fast'}}
module attributes {mxfp4.promises = {fast}} {}

// -----

// expected-error@below {{but its 'scales' are no bounds of bytes}}
module attributes {mxfp4.promises = {scales = array<i64: 9, 3>}} {}

// -----

// A loop of one step may be of one operand alone; one of two steps may not.

#b = affine_map<(n, b, k) -> (n, b, k)>
#s = affine_map<(n, b, k) -> (n, b)>
// CHECK-LABEL: func @unit
// CHECK:         %[[X:.*]] = tensor.collapse_shape %{{.*}} : tensor<1x8x64xbf16> into tensor<8x64xbf16>
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] :
func.func @unit(%x: tensor<1x8x64xbf16>, %w: tensor<48x2x32xf4E2M1FN>,
             %s: tensor<48x2xf8E8M0FNU>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %i = tensor.empty() : tensor<48x2x32xbf16>
  %d = linalg.generic {indexing_maps = [#b, #s, #b],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<48x2x32xf4E2M1FN>, tensor<48x2xf8E8M0FNU>)
      outs(%i : tensor<48x2x32xbf16>) {
  ^bb0(%c: f4E2M1FN, %t: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %c, %t : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<48x2x32xbf16>
  %f = tensor.collapse_shape %d [[0], [1, 2]] : tensor<48x2x32xbf16> into tensor<48x64xbf16>
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  %r = linalg.generic {
      indexing_maps = [affine_map<(u, m, n, k) -> (u, m, k)>,
                       affine_map<(u, m, n, k) -> (n, k)>,
                       affine_map<(u, m, n, k) -> (m, n)>],
      iterator_types = ["reduction", "parallel", "parallel", "reduction"]}
      ins(%x, %f : tensor<1x8x64xbf16>, tensor<48x64xbf16>)
      outs(%z : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %v: bf16, %acc: f32):
      %p = arith.extf %a : bf16 to f32
      %q = arith.extf %v : bf16 to f32
      %m = arith.mulf %p, %q : f32
      %t = arith.addf %acc, %m : f32
      linalg.yield %t : f32
  } -> tensor<8x48xf32>
  return %r : tensor<8x48xf32>
}

// CHECK-LABEL: func @two
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @two(%x: tensor<2x8x64xbf16>, %w: tensor<48x2x32xf4E2M1FN>,
             %s: tensor<48x2xf8E8M0FNU>, %e: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %i = tensor.empty() : tensor<48x2x32xbf16>
  %d = linalg.generic {indexing_maps = [#b, #s, #b],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%w, %s : tensor<48x2x32xf4E2M1FN>, tensor<48x2xf8E8M0FNU>)
      outs(%i : tensor<48x2x32xbf16>) {
  ^bb0(%c: f4E2M1FN, %t: f8E8M0FNU, %o: bf16):
    %v = arith.scaling_extf %c, %t : f4E2M1FN, f8E8M0FNU to bf16
    linalg.yield %v : bf16
  } -> tensor<48x2x32xbf16>
  %f = tensor.collapse_shape %d [[0], [1, 2]] : tensor<48x2x32xbf16> into tensor<48x64xbf16>
  %zero = arith.constant 0.0 : f32
  %z = linalg.fill ins(%zero : f32) outs(%e : tensor<8x48xf32>) -> tensor<8x48xf32>
  // expected-remark@below {{each loop must run over two of activations, weights and output, but d0 does not}}
  %r = linalg.generic {
      indexing_maps = [affine_map<(u, m, n, k) -> (u, m, k)>,
                       affine_map<(u, m, n, k) -> (n, k)>,
                       affine_map<(u, m, n, k) -> (m, n)>],
      iterator_types = ["reduction", "parallel", "parallel", "reduction"]}
      ins(%x, %f : tensor<2x8x64xbf16>, tensor<48x64xbf16>)
      outs(%z : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %v: bf16, %acc: f32):
      %p = arith.extf %a : bf16 to f32
      %q = arith.extf %v : bf16 to f32
      %m = arith.mulf %p, %q : f32
      %t = arith.addf %acc, %m : f32
      linalg.yield %t : f32
  } -> tensor<8x48xf32>
  return %r : tensor<8x48xf32>
}

// -----

// An output of which some elements are set to zero starts at the others, too:
// all are added behind the sum.

// CHECK-LABEL: func @some_zeros
// CHECK:         %[[START:.*]] = linalg.generic
// CHECK:         %[[SUM:.*]] = mxfp4.grouped_matmul
// CHECK:         linalg.add ins(%{{.*}}, %[[START]] :
func.func @some_zeros(%x: tensor<8x32xbf16>, %c: tensor<1x48x1x16xi8>,
    %s: tensor<1x48x1xi8>, %others: tensor<8x48xf32>) -> tensor<8x48xf32> {
  %i = tensor.empty() : tensor<1x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<1x48x1x16xi8>) scales(%s : tensor<1x48x1xi8>)
      outs(%i : tensor<1x48x32xbf16>) -> tensor<1x48x32xbf16>
  %f = tensor.collapse_shape %w [[0, 1], [2]] : tensor<1x48x32xbf16> into tensor<48x32xbf16>
  %zero = arith.constant 0.0 : f32
  %start = linalg.generic {indexing_maps = [affine_map<(m) -> (m, 0)>], iterator_types = ["parallel"]}
      outs(%others : tensor<8x48xf32>) {
    ^bb0(%o: f32):
      linalg.yield %zero : f32
  } -> tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %f : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%start : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// Weights that are rounded to f16: the promise stands on their decode, or is
// missing.

// CHECK-LABEL: func @promised
// CHECK:         mxfp4.grouped_matmul
// CHECK-LABEL: func @not_promised
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @promised(%x: tensor<8x32xbf16>, %c: tensor<1x48x1x16xi8>,
    %s: tensor<1x48x1xi8>) -> tensor<8x48xf32> {
  %i = tensor.empty() : tensor<1x48x32xf32>
  %w = mxfp4.dequantize codes(%c : tensor<1x48x1x16xi8>) scales(%s : tensor<1x48x1xi8>)
      outs(%i : tensor<1x48x32xf32>) {promises = {scales = array<i64: 104, 140>}} -> tensor<1x48x32xf32>
  %h = arith.truncf %w : tensor<1x48x32xf32> to tensor<1x48x32xf16>
  %f = tensor.collapse_shape %h [[0, 1], [2]] : tensor<1x48x32xf16> into tensor<48x32xf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %f : tensor<8x32xbf16>, tensor<48x32xf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @not_promised(%x: tensor<8x32xbf16>, %c: tensor<1x48x1x16xi8>,
    %s: tensor<1x48x1xi8>) -> tensor<8x48xf32> {
  %i = tensor.empty() : tensor<1x48x32xf32>
  %w = mxfp4.dequantize codes(%c : tensor<1x48x1x16xi8>) scales(%s : tensor<1x48x1xi8>)
      outs(%i : tensor<1x48x32xf32>) {promises = {scales = array<i64: 103, 140>}} -> tensor<1x48x32xf32>
  %h = arith.truncf %w : tensor<1x48x32xf32> to tensor<1x48x32xf16>
  %f = tensor.collapse_shape %h [[0, 1], [2]] : tensor<1x48x32xf16> into tensor<48x32xf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are rounded to f16, which keeps those with scale bytes 104 to 140; promise that scale bytes are 104 to 140 (scales=104,140)}}
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%x, %f : tensor<8x32xbf16>, tensor<48x32xf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

// The output knows the number of rows, and the activations do not.

// CHECK-LABEL: func @rows_of_output
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} -> tensor<?x48xf32>
// CHECK:         %[[C:.*]] = tensor.cast %[[Y]] : tensor<?x48xf32> to tensor<20x48xf32>
// CHECK:         tensor.expand_shape %[[C]] {{.*}} into tensor<4x5x48xf32>
func.func @rows_of_output(%x: tensor<4x?x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>) -> tensor<4x48x5xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<4x48x5xf32>
  %y = linalg.batch_matmul
      indexing_maps = [affine_map<(e, n, m, k) -> (e, n, k)>,
                       affine_map<(e, n, m, k) -> (e, m, k)>,
                       affine_map<(e, n, m, k) -> (e, n, m)>]
      ins(%w, %x : tensor<4x48x32xbf16>, tensor<4x?x32xbf16>)
      outs(%init : tensor<4x48x5xf32>) -> tensor<4x48x5xf32>
  return %y : tensor<4x48x5xf32>
}

// -----

// A loop over no experts, which cuts slices out of no weights, ends nothing.

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: func @no_experts(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
func.func @no_experts(%x: tensor<8x64xbf16>, %c: tensor<0x96x2x32xf4E2M1FN>,
    %s: tensor<0x96x2xf8E8M0FNU>, %init: tensor<8x96xf32>, %n: index) -> tensor<8x96xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-remark@below {{the loop must run from 0 to a constant number of experts in steps of 1}}
  %all = scf.for %e = %c0 to %n step %c1 iter_args(%out = %init) -> (tensor<8x96xf32>) {
    %cx = tensor.extract_slice %c[%e, 0, 0, 0] [1, 96, 2, 32] [1, 1, 1, 1]
        : tensor<0x96x2x32xf4E2M1FN> to tensor<96x2x32xf4E2M1FN>
    %sx = tensor.extract_slice %s[%e, 0, 0] [1, 96, 2] [1, 1, 1]
        : tensor<0x96x2xf8E8M0FNU> to tensor<96x2xf8E8M0FNU>
    %we = tensor.empty() : tensor<96x2x32xbf16>
    %wd = linalg.generic {indexing_maps = [affine_map<(n, b, k) -> (n, b, k)>,
                                           affine_map<(n, b, k) -> (n, b)>,
                                           affine_map<(n, b, k) -> (n, b, k)>],
                          iterator_types = ["parallel", "parallel", "parallel"]}
        ins(%cx, %sx : tensor<96x2x32xf4E2M1FN>, tensor<96x2xf8E8M0FNU>)
        outs(%we : tensor<96x2x32xbf16>) {
      ^bb0(%code: f4E2M1FN, %scale: f8E8M0FNU, %o: bf16):
        %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to bf16
        linalg.yield %v : bf16
    } -> tensor<96x2x32xbf16>
    %w = tensor.collapse_shape %wd [[0], [1, 2]] : tensor<96x2x32xbf16> into tensor<96x64xbf16>
    %ye = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%x, %w : tensor<8x64xbf16>, tensor<96x64xbf16>) outs(%out : tensor<8x96xf32>)
        -> tensor<8x96xf32>
    scf.yield %ye : tensor<8x96xf32>
  }
  return %all : tensor<8x96xf32>
}
