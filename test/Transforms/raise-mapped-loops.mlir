// Loops whose iterations multiply slices become one grouped matmul.
//
// RUN: mxfp4-opt %s --mxfp4-raise --canonicalize --cse 2>/dev/null | FileCheck %s
// RUN: mxfp4-opt %s --mxfp4-raise 2>&1 >/dev/null | FileCheck %s --check-prefix=REMARK

#one = affine_map<(m, n) -> (m, n)>
#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Slice e of everything, as lax.map reads and stores it: with clamped numbers.

// CHECK-LABEL: func @experts(
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<4x8x32xbf16>, %[[C:[^ ]*]]: tensor<4x48x1x16xi8>, %[[S:[^ ]*]]: tensor<4x48x1xi8>
// CHECK:         %[[O:.*]] = arith.constant dense<[0, 8, 16, 24, 32]> : tensor<5xi32>
// CHECK-NOT:     scf.for
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[X]]
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[ROWS]] : tensor<32x32xbf16>) weights(%[[C]], %[[S]] :
// CHECK-SAME:      offsets(%[[O]] : tensor<5xi32>) outs(
// CHECK:         tensor.expand_shape %[[Y]] {{.*}} into tensor<4x8x48xf32>
func.func @experts(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>)
    -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c3 = arith.constant 3 : index
  %first = arith.constant 0 : i32
  %step = arith.constant 1 : i32
  %end = arith.constant 4 : i32
  %init = arith.constant dense<1.0> : tensor<4x8x48xf32>
  %zeros = arith.constant dense<0.0> : tensor<8x48xf32>
  %y = scf.for %e = %first to %end step %step iter_args(%out = %init) -> (tensor<4x8x48xf32>) : i32 {
    %wide = arith.index_cast %e : i32 to index
    %positive = arith.maxsi %wide, %c0 : index
    %i = arith.minsi %positive, %c3 : index
    %x1 = tensor.extract_slice %x[%i, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%i, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<48x1x16xi8>
    %se = tensor.extract_slice %s[%i, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<48x1xi8>
    %we = tensor.empty() : tensor<48x32xbf16>
    %w = mxfp4.dequantize codes(%ce : tensor<48x1x16xi8>) scales(%se : tensor<48x1xi8>) outs(%we : tensor<48x32xbf16>) -> tensor<48x32xbf16>
    %p = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x1, %w : tensor<8x32xbf16>, tensor<48x32xbf16>) outs(%zeros : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%i, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// All rows in each iteration, weights in reverse, results stored from the last
// to the first, by a counter that the loop carries.

// CHECK-LABEL: func @counted(
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<2x32xbf16>
// CHECK-DAG:     %[[O:.*]] = arith.constant dense<[0, 2, 4, 6]> : tensor<4xi32>
// CHECK-DAG:     %[[IDS:.*]] = arith.constant dense<[3, 2, 1]> : tensor<3xi32>
// CHECK-DAG:     %[[GATHER:.*]] = arith.constant dense<[0, 1, 0, 1, 0, 1]> : tensor<6xi32>
// CHECK-NOT:     scf.for
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<2x32xbf16>) gather(%[[GATHER]] : tensor<6xi32>)
// CHECK-SAME:      weights(%{{.*}} : tensor<4x48x1x16xi8>, tensor<4x48x1xi8>) offsets(%[[O]] : tensor<4xi32>) expert_ids(%[[IDS]] : tensor<3xi32>)
func.func @counted(%x: tensor<2x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>)
    -> tensor<3x2x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %one = arith.constant 1 : i32
  %zero = arith.constant dense<0> : tensor<i32>
  %e0 = tensor.empty() : tensor<3x2x48xf32>
  %zeros = arith.constant dense<0.0> : tensor<2x48xf32>
  %y:2 = scf.for %e = %c0 to %c3 step %c1 iter_args(%counter = %zero, %out = %e0) -> (tensor<i32>, tensor<3x2x48xf32>) {
    %empty = tensor.empty() : tensor<i32>
    %more = linalg.generic {indexing_maps = [affine_map<() -> ()>, affine_map<() -> ()>], iterator_types = []}
        ins(%counter : tensor<i32>) outs(%empty : tensor<i32>) {
      ^bb0(%n: i32, %o: i32):
        %sum = arith.addi %n, %one : i32
        linalg.yield %sum : i32
    } -> tensor<i32>
    %number = tensor.extract %more[] : tensor<i32>
    %i = arith.index_cast %number : i32 to index
    %at = arith.subi %c2, %e : index
    %ce = tensor.extract_slice %c[%i, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<48x1x16xi8>
    %se = tensor.extract_slice %s[%i, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<48x1xi8>
    %we = tensor.empty() : tensor<48x32xbf16>
    %w = mxfp4.dequantize codes(%ce : tensor<48x1x16xi8>) scales(%se : tensor<48x1xi8>) outs(%we : tensor<48x32xbf16>) -> tensor<48x32xbf16>
    %p = linalg.matmul indexing_maps = [#x, #w, #y] ins(%x, %w : tensor<2x32xbf16>, tensor<48x32xbf16>) outs(%zeros : tensor<2x48xf32>) -> tensor<2x48xf32>
    %next = tensor.insert_slice %p into %out[%at, 0, 0] [1, 2, 48] [1, 1, 1] : tensor<2x48xf32> into tensor<3x2x48xf32>
    scf.yield %more, %next : tensor<i32>, tensor<3x2x48xf32>
  }
  return %y#1 : tensor<3x2x48xf32>
}

// A number of an expert for each token, which is known when the program runs.

// CHECK-LABEL: func @tokens(
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<8x32xbf16>, {{.*}} %[[NUMBERS:[^ ]*]]: tensor<8xi32>)
// CHECK-NOT:     scf.for
// CHECK:         %[[IDS:.*]] = tensor.generate
// CHECK:           tensor.extract %[[NUMBERS]]
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : {{.*}} expert_ids(%[[IDS]] : tensor<8xi32>) outs
func.func @tokens(%x: tensor<8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>,
    %numbers: tensor<8xi32>) -> tensor<8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c8 = arith.constant 8 : index
  %init = tensor.empty() : tensor<8x48xf32>
  %zeros = arith.constant dense<0.0> : tensor<1x48xf32>
  %y = scf.for %t = %c0 to %c8 step %c1 iter_args(%out = %init) -> (tensor<8x48xf32>) {
    %number = tensor.extract %numbers[%t] : tensor<8xi32>
    %i = arith.index_cast %number : i32 to index
    %xt = tensor.extract_slice %x[%t, 0] [1, 32] [1, 1] : tensor<8x32xbf16> to tensor<1x32xbf16>
    %ce = tensor.extract_slice %c[%i, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<48x1x16xi8>
    %se = tensor.extract_slice %s[%i, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<48x1xi8>
    %we = tensor.empty() : tensor<48x32xbf16>
    %w = mxfp4.dequantize codes(%ce : tensor<48x1x16xi8>) scales(%se : tensor<48x1xi8>) outs(%we : tensor<48x32xbf16>) -> tensor<48x32xbf16>
    %p = linalg.matmul indexing_maps = [#x, #w, #y] ins(%xt, %w : tensor<1x32xbf16>, tensor<48x32xbf16>) outs(%zeros : tensor<1x48xf32>) -> tensor<1x48xf32>
    %next = tensor.insert_slice %p into %out[%t, 0] [1, 48] [1, 1] : tensor<1x48xf32> into tensor<8x48xf32>
    scf.yield %next : tensor<8x48xf32>
  }
  return %y : tensor<8x48xf32>
}

// Two matmuls of an expert, the first of which has a bias.

// CHECK-LABEL: func @mlp(
// CHECK-SAME:    %[[X:[^ ]*]]: tensor<4x8x32xbf16>, {{.*}} %[[B:[^ ]*]]: tensor<4x32xbf16>)
// CHECK-NOT:     scf.for
// CHECK:         %[[ROWS:.*]] = tensor.collapse_shape %[[X]]
// CHECK:         %[[H:.*]] = mxfp4.grouped_matmul activations(%[[ROWS]] : {{.*}} epilogue (%[[B]] : tensor<4x32xbf16>)
// CHECK:           arith.addf
// CHECK:         mxfp4.grouped_matmul activations(%[[H]] : tensor<32x32xbf16>)
func.func @mlp(%x: tensor<4x8x32xbf16>, %c: tensor<4x32x1x16xi8>, %s: tensor<4x32x1xi8>,
    %d: tensor<4x48x1x16xi8>, %t: tensor<4x48x1xi8>, %bias: tensor<4x32xbf16>) -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = tensor.empty() : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 32, 1, 16] [1, 1, 1, 1] : tensor<4x32x1x16xi8> to tensor<1x32x1x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 32, 1] [1, 1, 1] : tensor<4x32x1xi8> to tensor<1x32x1xi8>
    %de = tensor.extract_slice %d[%e, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %te = tensor.extract_slice %t[%e, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %be = tensor.extract_slice %bias[%e, 0] [1, 32] [1, 1] : tensor<4x32xbf16> to tensor<1x32xbf16>
    %h0 = tensor.empty() : tensor<8x32xbf16>
    %h = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x32x1x16xi8>, tensor<1x32x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%h0 : tensor<8x32xbf16>) epilogue(%be : tensor<1x32xbf16>) {
      ^bb0(%v: f32, %b: f32):
        %sum = arith.addf %v, %b : f32
        mxfp4.yield %sum : f32
    } -> tensor<8x32xbf16>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%h : tensor<8x32xbf16>) weights(%de, %te : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// Two iterations store one slice, and another slice stays as it was.

// CHECK-LABEL: func @twice_into_one(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
func.func @twice_into_one(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>)
    -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = arith.constant dense<1.0> : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %half = arith.divui %e, %c2 : index
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%half, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// Scales of another expert than the codes'.

// CHECK-LABEL: func @other_scales(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// REMARK:        remark: 'scf.for' is not raised to one mxfp4.grouped_matmul of all its iterations: an iteration must multiply slice i
func.func @other_scales(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>)
    -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = arith.constant dense<1.0> : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %c3 = arith.constant 3 : index
    %other = arith.subi %c3, %e : index
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%other, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// What is done to a result that no epilogue has yet.

// CHECK-LABEL: func @negated(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
// REMARK:        run linalg-fuse-elementwise-ops and mxfp4-fuse-epilogue, and then mxfp4-raise again
func.func @negated(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>)
    -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = arith.constant dense<1.0> : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %n = arith.negf %p : tensor<8x48xf32>
    %next = tensor.insert_slice %n into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// Numbers of no slice.

// CHECK-LABEL: func @outside(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
func.func @outside(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>)
    -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = arith.constant dense<1.0> : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %beyond = arith.addi %e, %c1 : index
    %xe = tensor.extract_slice %x[%beyond, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// The diagonal of a result, which leaves the other elements as they were.

// CHECK-LABEL: func @diagonal(
// CHECK:         scf.for
// CHECK:           mxfp4.grouped_matmul
func.func @diagonal(%x: tensor<4x8x32xbf16>, %c: tensor<4x8x1x16xi8>, %s: tensor<4x8x1xi8>)
    -> tensor<4x8x8xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = tensor.empty() : tensor<4x8x8xf32>
  %sevens = arith.constant dense<7.0> : tensor<8x8xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x8xf32>) {
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%e, 0, 0, 0] [1, 8, 1, 16] [1, 1, 1, 1] : tensor<4x8x1x16xi8> to tensor<1x8x1x16xi8>
    %se = tensor.extract_slice %s[%e, 0, 0] [1, 8, 1] [1, 1, 1] : tensor<4x8x1xi8> to tensor<1x8x1xi8>
    %p0 = tensor.empty() : tensor<8x8xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x8x1x16xi8>, tensor<1x8x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x8xf32>) -> tensor<8x8xf32>
    %d = linalg.generic {indexing_maps = [affine_map<(i) -> (i, i)>, affine_map<(i) -> (i, i)>], iterator_types = ["parallel"]}
        ins(%p : tensor<8x8xf32>) outs(%sevens : tensor<8x8xf32>) {
      ^bb0(%in: f32, %o: f32):
        linalg.yield %in : f32
    } -> tensor<8x8xf32>
    %next = tensor.insert_slice %d into %out[%e, 0, 0] [1, 8, 8] [1, 1, 1] : tensor<8x8xf32> into tensor<4x8x8xf32>
    scf.yield %next : tensor<4x8x8xf32>
  }
  return %y : tensor<4x8x8xf32>
}

// A number from a tensor that is the second result of a loop, whose first one is
// no tensor; and a result in place of the second one of two tensors.

// CHECK-LABEL: func @second_results(
// CHECK-SAME:    %{{.*}}: tensor<4x48x1xi8>, %{{.*}}: tensor<4x8x48xf16>, %[[Y:[^ ]*]]: tensor<4x8x48xf32>)
// CHECK-DAG:     %[[INTO:.*]] = tensor.collapse_shape %[[Y]]
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids({{.*}} outs(%[[INTO]] : tensor<32x48xf32>)
func.func @second_results(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>,
    %other: tensor<4x8x48xf16>, %place: tensor<4x8x48xf32>) -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %none = arith.constant dense<0> : tensor<1xi32>
  %init:2 = linalg.generic {
      indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j, k)>],
      iterator_types = ["parallel", "parallel", "parallel"]}
      outs(%other, %place : tensor<4x8x48xf16>, tensor<4x8x48xf32>) {
    ^bb0(%a: f16, %b: f32):
      %one = arith.constant 1.0 : f16
      %two = arith.constant 2.0 : f32
      linalg.yield %one, %two : f16, f32
  } -> (tensor<4x8x48xf16>, tensor<4x8x48xf32>)
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init#1) -> (tensor<4x8x48xf32>) {
    %steps:2 = scf.for %j = %c0 to %e step %c1 iter_args(%n = %c0, %t = %none) -> (index, tensor<1xi32>) {
      %more = arith.addi %n, %c1 : index
      %more32 = arith.index_cast %more : index to i32
      %stored = tensor.insert %more32 into %t[%c0] : tensor<1xi32>
      scf.yield %more, %stored : index, tensor<1xi32>
    }
    %number = tensor.extract %steps#1[%c0] : tensor<1xi32>
    %i = arith.index_cast %number : i32 to index
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%i, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%i, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// Numbers that an operation with indices of its own computes, which a
// `tensor.generate` would confuse with its own in memory.

// CHECK-LABEL: func @routed(
// CHECK-NOT:     tensor.generate
// CHECK:         %[[IDS:.*]] = scf.for %[[I:.*]] = %{{.*}} to %{{.*}} step %{{.*}} iter_args(%[[BEFORE:.*]] = %{{.*}}) -> (tensor<4xi32>)
// CHECK:           linalg.index 0
// CHECK:           %[[NEXT:.*]] = tensor.insert %{{.*}} into %[[BEFORE]][%[[I]]] : tensor<4xi32>
// CHECK-NEXT:      scf.yield %[[NEXT]]
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[IDS]] : tensor<4xi32>)
func.func @routed(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>,
    %scores: tensor<4x4xf32>) -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %least = arith.constant dense<0xFF800000> : tensor<f32>
  %none = arith.constant dense<0> : tensor<i32>
  %init = tensor.empty() : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %own = tensor.extract_slice %scores[%e, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
    %best:2 = linalg.generic {
        indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> ()>, affine_map<(i) -> ()>],
        iterator_types = ["reduction"]}
        ins(%own : tensor<4xf32>) outs(%least, %none : tensor<f32>, tensor<i32>) {
      ^bb0(%score: f32, %most: f32, %at: i32):
        %i = linalg.index 0 : index
        %i32 = arith.index_cast %i : index to i32
        %more = arith.cmpf ogt, %score, %most : f32
        %score1 = arith.select %more, %score, %most : f32
        %at1 = arith.select %more, %i32, %at : i32
        linalg.yield %score1, %at1 : f32, i32
    } -> (tensor<f32>, tensor<i32>)
    %number32 = tensor.extract %best#1[] : tensor<i32>
    %number = arith.index_cast %number32 : i32 to index
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%number, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%number, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// CHECK-LABEL: func @generated(
// CHECK:         %[[IDS:.*]] = scf.for {{.*}} -> (tensor<4xi32>)
// CHECK:         mxfp4.grouped_matmul {{.*}} expert_ids(%[[IDS]] : tensor<4xi32>)
func.func @generated(%x: tensor<4x8x32xbf16>, %c: tensor<4x48x1x16xi8>, %s: tensor<4x48x1xi8>,
    %scores: tensor<4x4xf32>) -> tensor<4x8x48xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %offsets = arith.constant dense<[0, 8]> : tensor<2xi32>
  %init = tensor.empty() : tensor<4x8x48xf32>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %init) -> (tensor<4x8x48xf32>) {
    %own = tensor.extract_slice %scores[%e, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<4xf32>
    %table = tensor.generate {
      ^bb0(%i: index):
        %score = tensor.extract %own[%i] : tensor<4xf32>
        %at = arith.fptosi %score : f32 to i32
        tensor.yield %at : i32
    } : tensor<4xi32>
    %number32 = tensor.extract %table[%c1] : tensor<4xi32>
    %number = arith.index_cast %number32 : i32 to index
    %xe = tensor.extract_slice %x[%e, 0, 0] [1, 8, 32] [1, 1, 1] : tensor<4x8x32xbf16> to tensor<8x32xbf16>
    %ce = tensor.extract_slice %c[%number, 0, 0, 0] [1, 48, 1, 16] [1, 1, 1, 1] : tensor<4x48x1x16xi8> to tensor<1x48x1x16xi8>
    %se = tensor.extract_slice %s[%number, 0, 0] [1, 48, 1] [1, 1, 1] : tensor<4x48x1xi8> to tensor<1x48x1xi8>
    %p0 = tensor.empty() : tensor<8x48xf32>
    %p = mxfp4.grouped_matmul activations(%xe : tensor<8x32xbf16>) weights(%ce, %se : tensor<1x48x1x16xi8>, tensor<1x48x1xi8>)
        offsets(%offsets : tensor<2xi32>) outs(%p0 : tensor<8x48xf32>) -> tensor<8x48xf32>
    %next = tensor.insert_slice %p into %out[%e, 0, 0] [1, 8, 48] [1, 1, 1] : tensor<8x48xf32> into tensor<4x8x48xf32>
    scf.yield %next : tensor<4x8x48xf32>
  }
  return %y : tensor<4x8x48xf32>
}

// A loop without results, over an operation that may store.
//
// CHECK-LABEL: func @no_results(
// CHECK:         scf.for
// CHECK-NEXT:      memref.store
func.func @no_results(%m: memref<4xf32>, %value: f32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  scf.for %e = %c0 to %c4 step %c1 {
    memref.store %value, %m[%e] : memref<4xf32>
  }
  return
}
