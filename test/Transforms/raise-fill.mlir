// Weights with NaN where the numbers that select them are none of experts, as
// jnp.take gathers.
//
// RUN: mxfp4-opt %s --split-input-file --mxfp4-raise --canonicalize \
// RUN:   --verify-diagnostics | FileCheck %s

#g = affine_map<(t, n, k) -> (t)>
#w = affine_map<(t, n, k) -> (t, n, k)>
#k = affine_map<(t, n, k) -> (k)>

// Numbers are those of experts behind the gather, and rows with others NaN.

// CHECK-LABEL: func @take
// CHECK-SAME:    %[[IDS:[^ ]*]]: tensor<8xi32>, %[[KEPT:[^ ]*]]: tensor<8xi1>)
// CHECK-DAG:     %[[NAN:.*]] = arith.constant 0x7FC00000 : f32
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant dense<0> : tensor<8xi32>
// CHECK-DAG:     %[[LAST:.*]] = arith.constant dense<3> : tensor<8xi32>
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[IDS]], %[[ZERO]]
// CHECK:         %[[MIN:.*]] = arith.minsi %[[MAX]], %[[LAST]]
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul {{.*}} expert_ids(%[[MIN]] : tensor<8xi32>)
// CHECK:         linalg.generic {{.*}} ins(%[[KEPT]], %[[Y]] : tensor<8xi1>, tensor<8x48xf32>)
// CHECK:           arith.select %{{.*}}, %{{.*}}, %[[NAN]]

// With 0 in their place the sum may be NaN, too, where the activations are not
// finite.

// CHECK-LABEL: func @zeros
// CHECK-NOT:     mxfp4.grouped_matmul

// NaN in places of K, and NaN where the condition holds.

// CHECK-LABEL: func @along_k
// CHECK-NOT:     mxfp4.grouped_matmul
// CHECK-LABEL: func @other_way
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @take(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>,
    %s: tensor<4x48x1xi8>, %ids: tensor<8xi32>, %kept: tensor<8xi1>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<4x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x1x16xi8>) scales(%s : tensor<4x48x1xi8>)
      outs(%e : tensor<4x48x32xbf16>) -> tensor<4x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#g, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<4x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  // StableHLO broadcasts constants.
  %nan = arith.constant 0x7FC0 : bf16
  %nans = linalg.fill ins(%nan : bf16) outs(%ge : tensor<8x48x32xbf16>) -> tensor<8x48x32xbf16>
  %ke = tensor.empty() : tensor<8x48x32xi1>
  %ks = linalg.broadcast ins(%kept : tensor<8xi1>) outs(%ke : tensor<8x48x32xi1>) dimensions = [1, 2]
  %f = linalg.generic {indexing_maps = [#w, #w, #w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ks, %g, %nans : tensor<8x48x32xi1>, tensor<8x48x32xbf16>, tensor<8x48x32xbf16>)
      outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %n: bf16, %o: bf16):
      %v = arith.select %keep, %a, %n : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%f, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @zeros(%x: tensor<8x32xbf16>, %c: tensor<8x48x1x16xi8>,
    %s: tensor<8x48x1xi8>, %kept: tensor<8xi1>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<8x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<8x48x1x16xi8>) scales(%s : tensor<8x48x1xi8>)
      outs(%e : tensor<8x48x32xbf16>) -> tensor<8x48x32xbf16>
  %nan = arith.constant 0.0 : bf16
  %f = linalg.generic {indexing_maps = [#g, #w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kept, %w : tensor<8xi1>, tensor<8x48x32xbf16>) outs(%e : tensor<8x48x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %o: bf16):
      %v = arith.select %keep, %a, %nan : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are replaced in places by 'arith.select' in 'linalg.generic', by other values than NaN, or not in whole columns of the sum; select expert numbers that are inside, as jnp.take(..., mode="clip") does, or select behind the matmul}}
  %y = linalg.batch_matvec ins(%f, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @along_k(%x: tensor<8x32xbf16>, %c: tensor<8x48x1x16xi8>,
    %s: tensor<8x48x1xi8>, %kept: tensor<32xi1>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<8x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<8x48x1x16xi8>) scales(%s : tensor<8x48x1xi8>)
      outs(%e : tensor<8x48x32xbf16>) -> tensor<8x48x32xbf16>
  %nan = arith.constant 0x7FC0 : bf16
  %f = linalg.generic {indexing_maps = [#k, #w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kept, %w : tensor<32xi1>, tensor<8x48x32xbf16>) outs(%e : tensor<8x48x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %o: bf16):
      %v = arith.select %keep, %a, %nan : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{weights that are NaN in places must be NaN in whole columns of the sum}}
  %y = linalg.batch_matvec ins(%f, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

func.func @other_way(%x: tensor<8x32xbf16>, %c: tensor<8x48x1x16xi8>,
    %s: tensor<8x48x1xi8>, %kept: tensor<8xi1>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<8x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<8x48x1x16xi8>) scales(%s : tensor<8x48x1xi8>)
      outs(%e : tensor<8x48x32xbf16>) -> tensor<8x48x32xbf16>
  %nan = arith.constant 0x7FC0 : bf16
  %f = linalg.generic {indexing_maps = [#g, #w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kept, %w : tensor<8xi1>, tensor<8x48x32xbf16>) outs(%e : tensor<8x48x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %o: bf16):
      %v = arith.select %keep, %nan, %a : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are replaced in places by 'arith.select' in 'linalg.generic'}}
  %y = linalg.batch_matvec ins(%f, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#w = affine_map<(t, k) -> (t, k)>
#g = affine_map<(t, k) -> (t)>

// Activations keep their NaN.

// CHECK-LABEL: func @activations
// CHECK:         %[[F:.*]] = linalg.generic
// CHECK:           arith.select
// CHECK:         mxfp4.grouped_matmul activations(%[[F]] :
func.func @activations(%x: tensor<8x32xbf16>, %c: tensor<48x1x16xi8>,
    %s: tensor<48x1xi8>, %kept: tensor<8xi1>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<48x1x16xi8>) scales(%s : tensor<48x1xi8>)
      outs(%e : tensor<48x32xbf16>) -> tensor<48x32xbf16>
  %nan = arith.constant 0x7FC0 : bf16
  %xe = tensor.empty() : tensor<8x32xbf16>
  %f = linalg.generic {indexing_maps = [#g, #w, #w], iterator_types = ["parallel", "parallel"]}
      ins(%kept, %x : tensor<8xi1>, tensor<8x32xbf16>) outs(%xe : tensor<8x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %o: bf16):
      %v = arith.select %keep, %a, %nan : bf16
      linalg.yield %v : bf16
  } -> tensor<8x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.matmul
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>,
                       affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>]
      ins(%f, %w : tensor<8x32xbf16>, tensor<48x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#g = affine_map<(t, n, k) -> (t)>
#w = affine_map<(t, n, k) -> (t, n, k)>

// How many experts there are is known when the program runs.

// CHECK-LABEL: func @any_number_of_experts
// CHECK-SAME:    , %[[C:[^ ]*]]: tensor<?x48x1x16xi8>, {{.*}}, %[[IDS:[^ ]*]]: tensor<8xi32>, %{{.*}}: tensor<8xi1>)
// CHECK-DAG:     %[[I0:.*]] = arith.constant 0 : index
// CHECK-DAG:     %[[MINUS:.*]] = arith.constant dense<-1> : tensor<8xi32>
// CHECK:         %[[MAX:.*]] = arith.maxsi %[[IDS]],
// CHECK:         %[[DIM:.*]] = tensor.dim %[[C]], %[[I0]]
// CHECK:         %[[COUNT:.*]] = arith.index_cast %[[DIM]] : index to i32
// CHECK:         %[[SPLAT:.*]] = tensor.splat %[[COUNT]] : tensor<8xi32>
// CHECK:         %[[LAST:.*]] = arith.addi %[[SPLAT]], %[[MINUS]]
// CHECK:         %[[MIN:.*]] = arith.minsi %[[MAX]], %[[LAST]]
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[MIN]] : tensor<8xi32>)
func.func @any_number_of_experts(%x: tensor<8x32xbf16>, %c: tensor<?x48x1x16xi8>,
    %s: tensor<?x48x1xi8>, %e: tensor<?x48x32xbf16>, %ids: tensor<8xi32>,
    %kept: tensor<8xi1>) -> tensor<8x48xf32> {
  %w = mxfp4.dequantize codes(%c : tensor<?x48x1x16xi8>) scales(%s : tensor<?x48x1xi8>)
      outs(%e : tensor<?x48x32xbf16>) -> tensor<?x48x32xbf16>
  %ge = tensor.empty() : tensor<8x48x32xbf16>
  %g = linalg.generic {indexing_maps = [#g, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%ids : tensor<8xi32>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%id: i32, %o: bf16):
      %at = arith.index_cast %id : i32 to index
      %n = linalg.index 1 : index
      %k = linalg.index 2 : index
      %v = tensor.extract %w[%at, %n, %k] : tensor<?x48x32xbf16>
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %nan = arith.constant 0x7FC0 : bf16
  %f = linalg.generic {indexing_maps = [#g, #w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kept, %g : tensor<8xi1>, tensor<8x48x32xbf16>) outs(%ge : tensor<8x48x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %o: bf16):
      %v = arith.select %keep, %a, %nan : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = linalg.batch_matvec ins(%f, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// -----

#g = affine_map<(t, n, k) -> (t)>
#w = affine_map<(t, n, k) -> (t, n, k)>

// A tensor of which a program sets some elements to NaN has others, too.

// CHECK-LABEL: func @some_nans
// CHECK-NOT:     mxfp4.grouped_matmul
func.func @some_nans(%x: tensor<8x32xbf16>, %c: tensor<8x48x1x16xi8>,
    %s: tensor<8x48x1xi8>, %kept: tensor<8xi1>, %others: tensor<8x48x32xbf16>) -> tensor<8x48xf32> {
  %e = tensor.empty() : tensor<8x48x32xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<8x48x1x16xi8>) scales(%s : tensor<8x48x1xi8>)
      outs(%e : tensor<8x48x32xbf16>) -> tensor<8x48x32xbf16>
  %nan = arith.constant 0x7FC0 : bf16
  %nans = linalg.generic {indexing_maps = [affine_map<(t, n) -> (t, n, 0)>],
                          iterator_types = ["parallel", "parallel"]}
      outs(%others : tensor<8x48x32xbf16>) {
    ^bb0(%o: bf16):
      linalg.yield %nan : bf16
  } -> tensor<8x48x32xbf16>
  %f = linalg.generic {indexing_maps = [#g, #w, #w, #w],
                       iterator_types = ["parallel", "parallel", "parallel"]}
      ins(%kept, %w, %nans : tensor<8xi1>, tensor<8x48x32xbf16>, tensor<8x48x32xbf16>)
      outs(%e : tensor<8x48x32xbf16>) {
    ^bb0(%keep: i1, %a: bf16, %n: bf16, %o: bf16):
      %v = arith.select %keep, %a, %n : bf16
      linalg.yield %v : bf16
  } -> tensor<8x48x32xbf16>
  %init = arith.constant dense<0.0> : tensor<8x48xf32>
  // expected-remark@below {{the weights are replaced in places by 'arith.select' in 'linalg.generic'}}
  %y = linalg.batch_matvec ins(%f, %x : tensor<8x48x32xbf16>, tensor<8x32xbf16>)
      outs(%init : tensor<8x48xf32>) -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}
