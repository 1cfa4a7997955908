// RUN: mxfp4-opt %s --mxfp4-lower-to-linalg | FileCheck %s
// Stock bufferization takes all of it.
// RUN: mxfp4-opt %s --mxfp4-raise --mxfp4-lower-to-linalg \
// RUN:     --one-shot-bufferize=bufferize-function-boundaries \
// RUN:   | FileCheck %s --check-prefix=STOCK
// What became linalg is found again.
// RUN: mxfp4-opt %s --mxfp4-lower-to-linalg --mxfp4-raise=groups-cover-rows \
// RUN:   | FileCheck %s --check-prefix=AGAIN

// CHECK-LABEL: func @dequantize
// CHECK-SAME:    %[[C:.*]]: tensor<?x2x16xi8>, %[[S:.*]]: tensor<?x2xi8>, %[[Y:.*]]: tensor<?x64xbf16>
// CHECK:         %[[E:.*]] = tensor.expand_shape %[[Y]] {{\[\[}}0], [1, 2, 3]]
// CHECK:         %[[V:.*]] = linalg.generic
// CHECK-SAME:      ins(%[[C]], %[[S]] : tensor<?x2x16xi8>, tensor<?x2xi8>) outs(%[[E]] : tensor<?x2x16x2xbf16>)
// CHECK-NOT:       mxfp4
// CHECK:         tensor.collapse_shape %[[V]]
// AGAIN-LABEL: func @dequantize
// AGAIN:         mxfp4.dequantize
func.func @dequantize(%c: tensor<?x2x16xi8>, %s: tensor<?x2xi8>, %y: tensor<?x64xbf16>)
    -> tensor<?x64xbf16> {
  %v = mxfp4.dequantize codes(%c : tensor<?x2x16xi8>) scales(%s : tensor<?x2xi8>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %v : tensor<?x64xbf16>
}

// K may be dynamic.

// CHECK-LABEL: func @dynamic_k
// CHECK:         arith.divui
// CHECK:         linalg.generic
func.func @dynamic_k(%c: tensor<?x?x16xi8>, %s: tensor<?x?xi8>, %y: tensor<?x?xf32>)
    -> tensor<?x?xf32> {
  %v = mxfp4.dequantize codes(%c : tensor<?x?x16xi8>) scales(%s : tensor<?x?xi8>)
      outs(%y : tensor<?x?xf32>) -> tensor<?x?xf32>
  return %v : tensor<?x?xf32>
}

// Offsets are checked; then a loop over groups.

// CHECK-LABEL: func @matmul
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[C:.*]]: tensor<3x48x2x16xi8>, %[[S:.*]]: tensor<3x48x2xi8>, %[[O:.*]]: tensor<4xi32>, %[[Y:.*]]: tensor<?x48xbf16>
// CHECK:         %[[GOOD:.*]] = scf.for
// CHECK:         scf.if %[[GOOD]] -> (tensor<?x48xbf16>) {
// CHECK:           scf.for %[[G:.*]] = %{{.*}} iter_args(%[[OUT:.*]] = %[[Y]])
// CHECK:             %[[XG:.*]] = tensor.extract_slice %[[X]][%[[B:.*]], 0] [%[[N:.*]], 64] [1, 1]
// CHECK:             tensor.extract_slice %[[C]][%[[G]], 0, 0, 0] [1, 48, 2, 16]
// CHECK:             tensor.extract_slice %[[S]][%[[G]], 0, 0] [1, 48, 2]
// CHECK:             linalg.generic
// CHECK:             %[[P:.*]] = linalg.matmul {{.*}} ins(%[[XG]], %{{.*}} : tensor<?x64xbf16>, tensor<48x64xbf16>)
// CHECK:             %[[R:.*]] = linalg.generic {{.*}} ins(%[[P]] : tensor<?x48xf32>)
// CHECK:               arith.truncf
// CHECK:             tensor.insert_slice %[[R]] into %[[OUT]][%[[B]], 0] [%[[N]], 48] [1, 1]
// CHECK:         } else {
// CHECK:           scf.yield %[[Y]]
// AGAIN-LABEL: func @matmul
// AGAIN:         mxfp4.grouped_matmul
func.func @matmul(%x: tensor<?x64xbf16>, %c: tensor<3x48x2x16xi8>, %s: tensor<3x48x2xi8>,
                  %o: tensor<4xi32>, %y: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<3x48x2x16xi8>, tensor<3x48x2xi8>)
      offsets(%o : tensor<4xi32>) outs(%y : tensor<?x48xbf16>) -> tensor<?x48xbf16>
  return %r : tensor<?x48xbf16>
}

// Packed weights are bytes, wherever they are carried.

// CHECK-LABEL: func @carried
// CHECK-SAME:    %[[W:.*]]: tensor<2x1x1x2176xi8>, %[[V:.*]]: tensor<2x1x1x2176xi8>, %{{.*}}: i1
// CHECK-SAME:    -> tensor<1x1x1x2176xi8>
// CHECK-NOT:     mxfp4
// CHECK:         %[[U:.*]] = scf.if %{{.*}} -> (tensor<2x1x1x2176xi8>)
// CHECK:         %[[A:.*]] = arith.select %{{.*}}, %[[U]], %[[V]] : tensor<2x1x1x2176xi8>
// CHECK:         %[[R:.*]] = call @callee(%[[A]])
// CHECK:         tensor.extract_slice %[[R]][1, 0, 0, 0] [1, 1, 1, 2176] [1, 1, 1, 1]
func.func @carried(%w: tensor<2x1x1x!mxfp4.block<spread, raw>>,
                   %v: tensor<2x1x1x!mxfp4.block<spread, raw>>, %p: i1)
    -> tensor<1x1x1x!mxfp4.block<spread, raw>> {
  %u = scf.if %p -> (tensor<2x1x1x!mxfp4.block<spread, raw>>) {
    scf.yield %w : tensor<2x1x1x!mxfp4.block<spread, raw>>
  } else {
    scf.yield %v : tensor<2x1x1x!mxfp4.block<spread, raw>>
  }
  %a = arith.select %p, %u, %v : tensor<2x1x1x!mxfp4.block<spread, raw>>
  %r = call @callee(%a) : (tensor<2x1x1x!mxfp4.block<spread, raw>>)
      -> tensor<2x1x1x!mxfp4.block<spread, raw>>
  %s = tensor.extract_slice %r[1, 0, 0] [1, 1, 1] [1, 1, 1]
      : tensor<2x1x1x!mxfp4.block<spread, raw>> to tensor<1x1x1x!mxfp4.block<spread, raw>>
  return %s : tensor<1x1x1x!mxfp4.block<spread, raw>>
}
// CHECK: func private @callee(tensor<2x1x1x2176xi8>) -> tensor<2x1x1x2176xi8>
func.func private @callee(tensor<2x1x1x!mxfp4.block<spread, raw>>)
    -> tensor<2x1x1x!mxfp4.block<spread, raw>>

// Operations on memrefs are for mxfp4-lower-to-loops.

// CHECK-LABEL: func @memrefs
// CHECK:         mxfp4.dequantize
func.func @memrefs(%c: memref<8x2x16xi8>, %s: memref<8x2xi8>, %y: memref<8x64xbf16>) {
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x2xi8>)
      outs(%y : memref<8x64xbf16>)
  return
}

// Bits of another type, as mxfp4-raise takes bytes of scales, are linalg, too.

// STOCK-LABEL: func @scales
// STOCK-NOT:     arith.bitcast {{.*}} : tensor
// STOCK:         arith.bitcast %{{.*}} : f8E8M0FNU to i8
func.func @scales(%x: tensor<8x64xbf16>, %c: tensor<48x2x16xi8>, %s: tensor<48x2xf8E8M0FNU>)
    -> tensor<8x48xf32> {
  %zero = arith.constant 0.0 : f32
  %we = tensor.empty() : tensor<48x2x16x2xf32>
  %w = linalg.generic {
      indexing_maps = [affine_map<(n, b, j, h) -> (n, b, j)>,
                       affine_map<(n, b, j, h) -> (n, b)>,
                       affine_map<(n, b, j, h) -> (n, b, j, h)>],
      iterator_types = ["parallel", "parallel", "parallel", "parallel"]}
      ins(%c, %s : tensor<48x2x16xi8>, tensor<48x2xf8E8M0FNU>)
      outs(%we : tensor<48x2x16x2xf32>) {
    ^bb0(%byte: i8, %scale: f8E8M0FNU, %o: f32):
      %four = arith.constant 4 : i8
      %h = linalg.index 3 : index
      %h8 = arith.index_cast %h : index to i8
      %shift = arith.muli %h8, %four : i8
      %shifted = arith.shrui %byte, %shift : i8
      %nibble = arith.trunci %shifted : i8 to i4
      %code = arith.bitcast %nibble : i4 to f4E2M1FN
      %v = arith.scaling_extf %code, %scale : f4E2M1FN, f8E8M0FNU to f32
      linalg.yield %v : f32
  } -> tensor<48x2x16x2xf32>
  %wk = tensor.collapse_shape %w [[0], [1, 2, 3]]
      : tensor<48x2x16x2xf32> into tensor<48x64xf32>
  %ye = tensor.empty() : tensor<8x48xf32>
  %z = linalg.fill ins(%zero : f32) outs(%ye : tensor<8x48xf32>) -> tensor<8x48xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>,
                       affine_map<(m, n, k) -> (m, n)>],
      iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %wk : tensor<8x64xbf16>, tensor<48x64xf32>) outs(%z : tensor<8x48xf32>) {
    ^bb0(%a: bf16, %b: f32, %acc: f32):
      %u = arith.extf %a : bf16 to f32
      %p = arith.mulf %u, %b : f32
      %q = arith.addf %acc, %p : f32
      linalg.yield %q : f32
  } -> tensor<8x48xf32>
  return %y : tensor<8x48xf32>
}

// Activations of f8E4M3FN become f32 element by element, from integers: upstream's
// lowerings have no extension of them. A block of weights has 128 columns.

// CHECK-LABEL: func @fp8
// CHECK-SAME:    %[[X:.*]]: tensor<?x160xf8E4M3FN>, %[[W:.*]]: tensor<2x1x2x4352xi8>
// CHECK:         %[[ROWS:.*]] = tensor.extract_slice %[[X]][%{{.*}}, 0] [%{{.*}}, 160] [1, 1]
// CHECK:         tensor.extract_slice %[[W]]
// CHECK:         %[[CODES:.*]] = linalg.generic {{.*}} outs(%{{.*}} : tensor<1x48x5x16xi8>)
// CHECK:         %[[WIDE:.*]] = linalg.generic {{.*}} ins(%[[ROWS]] : tensor<?x160xf8E4M3FN>) outs(%{{.*}} : tensor<?x160xf32>)
// CHECK:           arith.bitcast %{{.*}} : f8E4M3FN to i8
// CHECK:         linalg.matmul {{.*}} ins(%[[WIDE]], %{{.*}} : tensor<?x160xf32>, tensor<48x160xbf16>)
func.func @fp8(%x: tensor<?x160xf8E4M3FN>, %w: tensor<2x1x2x!mxfp4.block<bytes, relative>>,
               %o: tensor<3xi32>, %y: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x160xf8E4M3FN>)
      weights(%w : tensor<2x1x2x!mxfp4.block<bytes, relative>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x48xbf16>)
      {accumulation = #mxfp4.accumulation<promoted 128>} -> tensor<?x48xbf16>
  return %r : tensor<?x48xbf16>
}

// Rows in FP8: the scale of each, and then codes; integers round to E4M3.

// CHECK-LABEL: func @rows
// CHECK-SAME:    %[[X:.*]]: tensor<?x64xbf16>, %[[G:.*]]: tensor<9xi32>,
// CHECK:         %[[S:.*]] = tensor.generate
// CHECK:           %[[MAX:.*]] = scf.for
// CHECK:             tensor.extract %[[G]]
// CHECK:             scf.if
// CHECK:           %[[BY:.*]] = arith.divf %[[MAX]], %{{.*}} : f32
// CHECK:           arith.maxnumf %[[BY]], %{{.*}} : f32
// CHECK:         } : tensor<9xf32>
// CHECK:         %[[Q:.*]] = tensor.generate
// CHECK:           %[[SCALE:.*]] = tensor.extract %[[S]][%{{.*}}] : tensor<9xf32>
// CHECK:           arith.divf %{{.*}}, %[[SCALE]] : f32
// CHECK:           arith.bitcast %{{.*}} : i8 to f8E4M3FN
// CHECK:         } : tensor<9x64xf8E4M3FN>
// CHECK:         return %[[Q]], %[[S]]
func.func @rows(%x: tensor<?x64xbf16>, %g: tensor<9xi32>, %q: tensor<9x64xf8E4M3FN>, %s: tensor<9xf32>)
    -> (tensor<9x64xf8E4M3FN>, tensor<9xf32>) {
  %codes, %scales = mxfp4.quantize_rows values(%x : tensor<?x64xbf16>)
      gather(%g : tensor<9xi32>) outs(%q, %s : tensor<9x64xf8E4M3FN>, tensor<9xf32>)
      -> tensor<9x64xf8E4M3FN>, tensor<9xf32>
  return %codes, %scales : tensor<9x64xf8E4M3FN>, tensor<9xf32>
}

// Results in FP8: integers round them, after the epilogue, with saturation; those of
// no expert are zeros.

// CHECK-LABEL: func @fp8_results
// CHECK:         scf.for
// CHECK:           linalg.matmul
// CHECK:           %[[SUMS:.*]] = tensor.generate
// CHECK:           %[[CODES:.*]] = linalg.generic {{.*}} ins(%[[SUMS]] : tensor<?x48xf32>) outs(%{{.*}} : tensor<?x48xf8E4M3FN>)
// CHECK:             arith.minui %{{.*}}, %c126_i32
// CHECK:             arith.bitcast %{{.*}} : i8 to f8E4M3FN
// CHECK:           tensor.insert_slice %[[CODES]]
// CHECK-NOT:     f32 to f8E4M3FN
// STOCK-LABEL: func @fp8_results
func.func @fp8_results(%x: tensor<?x64xbf16>, %c: tensor<2x48x2x16xi8>,
    %s: tensor<2x48x2xi8>, %o: tensor<3xi32>, %y: tensor<?x48xf8E4M3FN>,
    %row: tensor<?xf32>) -> tensor<?x48xf8E4M3FN> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<2x48x2x16xi8>, tensor<2x48x2xi8>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x48xf8E4M3FN>)
      epilogue(%row : tensor<?xf32>) {
      ^bb0(%sum: f32, %inverse: f32):
        %0 = arith.mulf %sum, %inverse : f32
        mxfp4.yield %0 : f32
      } -> tensor<?x48xf8E4M3FN>
  return %r : tensor<?x48xf8E4M3FN>
}
