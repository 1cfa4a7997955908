// Loops over experts become one grouped matmul. Rows that no expert has are zero,
// or there are none.
//
// RUN: mxfp4-opt %s --mxfp4-raise --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefixes=CHECK,ANY
// RUN: mxfp4-opt %s --mxfp4-raise=groups-cover-rows --canonicalize --cse \
// RUN:   | FileCheck %s --check-prefixes=CHECK,COVER

#x = affine_map<(m, n, k) -> (m, k)>
#w = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Sizes of the groups, as a ragged dot has them, are summed.

// CHECK-LABEL: func @sizes
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[C:.*]]: tensor<4x48x2x16xi8>, %[[S:.*]]: tensor<4x48x2xi8>, %[[SIZES:.*]]: tensor<4xi32>
// ANY-DAG:       %[[IDS:.*]] = arith.constant dense<[0, 1, 2, 3, -1]> : tensor<5xi32>
// ANY-DAG:       %[[ZEROS:.*]] = arith.constant dense<0> : tensor<6xi32>
// COVER-DAG:     %[[ZEROS:.*]] = arith.constant dense<0> : tensor<5xi32>
// CHECK-DAG:     %[[ROWS:.*]] = tensor.dim %[[X]], %c0
// CHECK:         %[[SUMS:.*]]:2 = scf.for %[[E:.*]] = %c0 to %c4 step %c1 iter_args(%[[AT:.*]] = %[[ZEROS]], %[[SUM:.*]] = %c0_i32)
// CHECK:           %[[SIZE:.*]] = tensor.extract %[[SIZES]][%[[E]]]
// CHECK:           %[[END:.*]] = arith.addi %[[SUM]], %[[SIZE]] : i32
// CHECK:           %[[NEXT:.*]] = arith.addi %[[E]], %c1
// CHECK:           %[[ALL:.*]] = tensor.insert %[[END]] into %[[AT]][%[[NEXT]]]
// CHECK:           scf.yield %[[ALL]], %[[END]]
// ANY:           %[[R32:.*]] = arith.index_cast %[[ROWS]] : index to i32
// ANY:           %[[O:.*]] = tensor.insert %[[R32]] into %[[SUMS]]#0[%c5]
// CHECK-NOT:     linalg
// CHECK:         %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[X]] : tensor<?x64xbf16>)
// CHECK-SAME:      weights(%[[C]], %[[S]] : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
// ANY-SAME:        offsets(%[[O]] : tensor<6xi32>) expert_ids(%[[IDS]] : tensor<5xi32>)
// COVER-SAME:      offsets(%[[SUMS]]#0 : tensor<5xi32>) outs
// CHECK-SAME:      -> tensor<?x48xbf16>
// CHECK:         return %[[Y]]
func.func @sizes(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %sizes: tensor<4xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %init = linalg.fill ins(%zero16 : bf16) outs(%ye : tensor<?x48xbf16>)
      -> tensor<?x48xbf16>
  %y:2 = scf.for %e = %c0 to %c4 step %c1
      iter_args(%out = %init, %start = %c0) -> (tensor<?x48xbf16>, index) {
    %size32 = tensor.extract %sizes[%e] : tensor<4xi32>
    %size = arith.index_cast %size32 : i32 to index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    %end = arith.addi %start, %size : index
    scf.yield %next, %end : tensor<?x48xbf16>, index
  }
  return %y#0 : tensor<?x48xbf16>
}

// Offsets are used as they are, or get a group in front and one behind.

// CHECK-LABEL: func @offsets
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[C:.*]]: tensor<4x48x2x16xi8>, %[[S:.*]]: tensor<4x48x2xi8>, %[[OFFSETS:.*]]: tensor<5xi32>
// ANY-DAG:       %[[IDS:.*]] = arith.constant dense<[-1, 0, 1, 2, 3, -1]> : tensor<6xi32>
// ANY-DAG:       %[[ZEROS:.*]] = arith.constant dense<0> : tensor<7xi32>
// ANY:           %[[SOME:.*]] = tensor.insert_slice %[[OFFSETS]] into %[[ZEROS]][1] [5] [1]
// ANY:           %[[ALL:.*]] = tensor.insert %{{.*}} into %[[SOME]][%c6]
// CHECK-NOT:     scf
// CHECK:         mxfp4.grouped_matmul activations(%[[X]] : tensor<?x64xbf16>)
// ANY-SAME:        offsets(%[[ALL]] : tensor<7xi32>) expert_ids(%[[IDS]] : tensor<6xi32>)
// COVER-SAME:      offsets(%[[OFFSETS]] : tensor<5xi32>) outs
func.func @offsets(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi32>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %we = tensor.empty() : tensor<4x48x64xbf16>
  %w = mxfp4.dequantize codes(%c : tensor<4x48x2x16xi8>)
                        scales(%s : tensor<4x48x2xi8>)
      outs(%we : tensor<4x48x64xbf16>) -> tensor<4x48x64xbf16>
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi32>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi32>
    %start = arith.index_cast %start32 : i32 to index
    %end = arith.index_cast %end32 : i32 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %wx = tensor.extract_slice %w[%e, 0, 0] [1, 48, 64] [1, 1, 1]
        : tensor<4x48x64xbf16> to tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}

// 64-bit offsets, weights that are decoded in the loop.

// CHECK-LABEL: func @decode_inside
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[C:.*]]: tensor<4x48x2x16xi8>, %[[S:.*]]: tensor<4x48x2xi8>, %[[OFFSETS:.*]]: tensor<5xi64>
// COVER:         %[[NARROW:.*]] = arith.trunci %[[OFFSETS]] : tensor<5xi64> to tensor<5xi32>
// CHECK-NOT:     scf
// CHECK:         mxfp4.grouped_matmul
// CHECK-SAME:      weights(%[[C]], %[[S]] : tensor<4x48x2x16xi8>, tensor<4x48x2xi8>)
// COVER-SAME:      offsets(%[[NARROW]] : tensor<5xi32>)
func.func @decode_inside(%x: tensor<?x64xbf16>, %c: tensor<4x48x2x16xi8>,
                 %s: tensor<4x48x2xi8>, %offsets: tensor<5xi64>) -> tensor<?x48xbf16> {
  %zero = arith.constant 0.0 : f32
  %zero16 = arith.constant 0.0 : bf16
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c4 = arith.constant 4 : index
  %rows = tensor.dim %x, %c0 : tensor<?x64xbf16>
  %ye = tensor.empty(%rows) : tensor<?x48xbf16>
  %y = scf.for %e = %c0 to %c4 step %c1 iter_args(%out = %ye)
      -> tensor<?x48xbf16> {
    %start32 = tensor.extract %offsets[%e] : tensor<5xi64>
    %after = arith.addi %e, %c1 : index
    %end32 = tensor.extract %offsets[%after] : tensor<5xi64>
    %start = arith.index_cast %start32 : i64 to index
    %end = arith.index_cast %end32 : i64 to index
    %size = arith.subi %end, %start : index
    %xe = tensor.extract_slice %x[%start, 0] [%size, 64] [1, 1]
        : tensor<?x64xbf16> to tensor<?x64xbf16>
    %cx = tensor.extract_slice %c[%e, 0, 0, 0] [1, 48, 2, 16] [1, 1, 1, 1]
        : tensor<4x48x2x16xi8> to tensor<48x2x16xi8>
    %sx = tensor.extract_slice %s[%e, 0, 0] [1, 48, 2] [1, 1, 1]
        : tensor<4x48x2xi8> to tensor<48x2xi8>
    %we = tensor.empty() : tensor<48x64xbf16>
    %wx = mxfp4.dequantize codes(%cx : tensor<48x2x16xi8>)
                           scales(%sx : tensor<48x2xi8>)
        outs(%we : tensor<48x64xbf16>) -> tensor<48x64xbf16>
    %pe = tensor.empty(%size) : tensor<?x48xf32>
    %pz = linalg.fill ins(%zero : f32) outs(%pe : tensor<?x48xf32>)
        -> tensor<?x48xf32>
    %p = linalg.matmul indexing_maps = [#x, #w, #y]
        ins(%xe, %wx : tensor<?x64xbf16>, tensor<48x64xbf16>)
        outs(%pz : tensor<?x48xf32>) -> tensor<?x48xf32>
    %r = arith.truncf %p : tensor<?x48xf32> to tensor<?x48xbf16>
    %next = tensor.insert_slice %r into %out[%start, 0] [%size, 48] [1, 1]
        : tensor<?x48xbf16> into tensor<?x48xbf16>
    scf.yield %next : tensor<?x48xbf16>
  }
  return %y : tensor<?x48xbf16>
}
