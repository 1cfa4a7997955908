// What only the run can know is refused with one clear message, before the op.
// (The message goes to stdout, which a pipe would buffer and an abort discard.)
//
// RUN: mxfp4-opt %s --generate-runtime-verification --mxfp4-to-cpu -o %t
// RUN: mlir-runner %t -e good --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: not --crash stdbuf -oL mlir-runner %t -e start \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=START
// RUN: not --crash stdbuf -oL mlir-runner %t -e decrease \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=DECREASE
// RUN: not --crash stdbuf -oL mlir-runner %t -e end \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=END
// RUN: not --crash stdbuf -oL mlir-runner %t -e id \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=ID
// RUN: not --crash stdbuf -oL mlir-runner %t -e count \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=COUNT
// RUN: not --crash stdbuf -oL mlir-runner %t -e rows \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=ROWS
// RUN: not --crash stdbuf -oL mlir-runner %t -e k \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=K
// RUN: not --crash stdbuf -oL mlir-runner %t -e weights \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=WEIGHTS
// RUN: not --crash stdbuf -oL mlir-runner %t -e columns \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=COLUMNS
// RUN: not --crash stdbuf -oL mlir-runner %t -e experts \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=EXPERTS
// RUN: mlir-runner %t -e error_word --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: not --crash stdbuf -oL mlir-runner %t -e scale \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=SCALE
// RUN: not --crash stdbuf -oL mlir-runner %t -e blocks \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BLOCKS
// RUN: not --crash stdbuf -oL mlir-runner %t -e block_columns \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BLOCK-COLUMNS
// RUN: not --crash stdbuf -oL mlir-runner %t -e block_experts \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BLOCK-EXPERTS
// RUN: not --crash stdbuf -oL mlir-runner %t -e pack_shapes \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=PACK-SHAPES
// RUN: not --crash stdbuf -oL mlir-runner %t -e edge \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=EDGE
// RUN: not --crash stdbuf -oL mlir-runner %t -e pack_edge \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=PACK-EDGE

func.func private @printI64(i64)

// GOOD: 1
func.func @done() {
  %one = arith.constant 1 : i64
  call @printI64(%one) : (i64) -> ()
  return
}

// Two groups: offsets 0 (or `start`), `middle`, `end`.
func.func @offsets(%start: i32, %middle: i32, %end: i32) -> memref<?xi32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %o = memref.alloc() : memref<3xi32>
  memref.store %start, %o[%c0] : memref<3xi32>
  memref.store %middle, %o[%c1] : memref<3xi32>
  memref.store %end, %o[%c2] : memref<3xi32>
  %any = memref.cast %o : memref<3xi32> to memref<?xi32>
  return %any : memref<?xi32>
}

// Everything dynamic, and experts for codes and scales apart.
func.func @matmul(%o: memref<?xi32>, %r: index, %ry: index, %k: index,
                  %n: index, %slices: index, %e: index) {
  %c2 = arith.constant 2 : index
  %c40 = arith.constant 40 : index
  %zero = arith.constant 0 : i8
  %fzero = arith.constant 0.0 : bf16
  %x = memref.alloc(%r, %k) : memref<?x?xbf16>
  %y = memref.alloc(%ry, %c40) : memref<?x?xbf16>
  %c = memref.alloc(%c2, %n, %slices) : memref<?x?x?x16xi8>
  %s = memref.alloc(%e, %n, %slices) : memref<?x?x?xi8>
  linalg.fill ins(%fzero : bf16) outs(%x : memref<?x?xbf16>)
  linalg.fill ins(%zero : i8) outs(%c : memref<?x?x?x16xi8>)
  linalg.fill ins(%zero : i8) outs(%s : memref<?x?x?xi8>)
  mxfp4.grouped_matmul activations(%x : memref<?x?xbf16>)
      weights(%c, %s : memref<?x?x?x16xi8>, memref<?x?x?xi8>)
      offsets(%o : memref<?xi32>) outs(%y : memref<?x?xbf16>)
  call @done() : () -> ()
  return
}

// Packed weights of three experts, two groups with ids 2 and `id`.
func.func @matmul_ids(%o: memref<?xi32>, %id: i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c5 = arith.constant 5 : index
  %two = arith.constant 2 : i32
  %zero = arith.constant 0 : i8
  %fzero = arith.constant 0.0 : bf16
  %x = memref.alloc(%c5) : memref<?x64xbf16>
  %y = memref.alloc(%c5) : memref<?x40xbf16>
  %w = memref.alloc() : memref<3x1x1x!mxfp4.block<nibble, raw>>
  %ids = memref.alloc(%c2) : memref<?xi32>
  memref.store %two, %ids[%c0] : memref<?xi32>
  memref.store %id, %ids[%c1] : memref<?xi32>
  linalg.fill ins(%fzero : bf16) outs(%x : memref<?x64xbf16>)
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<3x1x1x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<?xi32>) expert_ids(%ids : memref<?xi32>)
      outs(%y : memref<?x40xbf16>)
  call @done() : () -> ()
  return
}

// `e` experts of `n` x 32 * `slices` into blocks for 2 x 40 x 96.
func.func @pack(%scale: i8, %e: index, %n: index, %slices: index,
                %scale_slices: index) {
  %c2 = arith.constant 2 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0 : i8
  %c = memref.alloc(%e, %n, %slices) : memref<?x?x?x16xi8>
  %s = memref.alloc(%e, %n, %scale_slices) : memref<?x?x?xi8>
  linalg.fill ins(%zero : i8) outs(%c : memref<?x?x?x16xi8>)
  linalg.fill ins(%scale : i8) outs(%s : memref<?x?x?xi8>)
  %w = memref.alloc(%c2, %c1, %c2)
      : memref<?x?x?x!mxfp4.block<spread, folded>>
  mxfp4.pack codes(%c : memref<?x?x?x16xi8>) scales(%s : memref<?x?x?xi8>)
      outs(%w : memref<?x?x?x!mxfp4.block<spread, folded>>)
  call @done() : () -> ()
  return
}

func.func @good_matmul() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}
func.func @good_ids() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %id = arith.constant -1 : i32
  call @matmul_ids(%o, %id) : (memref<?xi32>, i32) -> ()
  return
}
func.func @good_pack() {
  %scale = arith.constant -128 : i8
  %e = arith.constant 2 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 3 : index
  %ss = arith.constant 3 : index
  call @pack(%scale, %e, %n, %slices, %ss)
      : (i8, index, index, index, index) -> ()
  return
}
// One row, and one slice, more than whole blocks, known to the compiler, while
// the number of blocks is not.
func.func @edge_matmul(%blocks: index) {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %any = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %o = memref.cast %any : memref<?xi32> to memref<3xi32>
  %fzero = arith.constant 0.0 : bf16
  %x = memref.alloc() : memref<5x96xbf16>
  %y = memref.alloc() : memref<5x65xbf16>
  %w = memref.alloc(%blocks, %blocks)
      : memref<2x?x?x!mxfp4.block<nibble, raw>>
  linalg.fill ins(%fzero : bf16) outs(%x : memref<5x96xbf16>)
  mxfp4.grouped_matmul activations(%x : memref<5x96xbf16>)
      weights(%w : memref<2x?x?x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<5x65xbf16>)
  call @done() : () -> ()
  return
}
func.func @edge_pack(%blocks: index) {
  %zero = arith.constant 0 : i8
  %c = memref.alloc() : memref<2x65x3x16xi8>
  %s = memref.alloc() : memref<2x65x3xi8>
  linalg.fill ins(%zero : i8) outs(%c : memref<2x65x3x16xi8>)
  linalg.fill ins(%zero : i8) outs(%s : memref<2x65x3xi8>)
  %w = memref.alloc(%blocks, %blocks)
      : memref<2x?x?x!mxfp4.block<spread, raw>>
  mxfp4.pack codes(%c : memref<2x65x3x16xi8>) scales(%s : memref<2x65x3xi8>)
      outs(%w : memref<2x?x?x!mxfp4.block<spread, raw>>)
  call @done() : () -> ()
  return
}
// EDGE: ERROR: Runtime op verification failed
// EDGE: weights must have N rows
func.func @edge() {
  %one = arith.constant 1 : index
  call @edge_matmul(%one) : (index) -> ()
  return
}
// PACK-EDGE: ERROR: Runtime op verification failed
// PACK-EDGE: blocks must cover the rows of the codes
func.func @pack_edge() {
  %one = arith.constant 1 : index
  call @edge_pack(%one) : (index) -> ()
  return
}

func.func @good() {
  %two = arith.constant 2 : index
  call @edge_matmul(%two) : (index) -> ()
  call @edge_pack(%two) : (index) -> ()
  call @good_matmul() : () -> ()
  call @good_ids() : () -> ()
  call @good_pack() : () -> ()
  return
}

// START: ERROR: Runtime op verification failed
// START: offsets must start at 0
func.func @start() {
  %o0 = arith.constant 1 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// DECREASE: ERROR: Runtime op verification failed
// DECREASE: offsets must not decrease
func.func @decrease() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 6 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// END: ERROR: Runtime op verification failed
// END: offsets must end at the number of rows
func.func @end() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 4 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// ID: ERROR: Runtime op verification failed
// ID: expert ids must be -1 or the number of an expert
func.func @id() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %id = arith.constant 3 : i32
  call @matmul_ids(%o, %id) : (memref<?xi32>, i32) -> ()
  return
}

// COUNT: ERROR: Runtime op verification failed
// COUNT: offsets must have one entry more than there are groups
func.func @count() {
  %z = arith.constant 0 : i32
  %r = arith.constant 5 : i32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c5 = arith.constant 5 : index
  %c40 = arith.constant 40 : index
  %c64 = arith.constant 64 : index
  %o = memref.alloc(%c2) : memref<?xi32>
  memref.store %z, %o[%c0] : memref<?xi32>
  memref.store %r, %o[%c1] : memref<?xi32>
  call @matmul(%o, %c5, %c5, %c64, %c40, %c2, %c2)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// ROWS: ERROR: Runtime op verification failed
// ROWS: output and activations must have as many rows
func.func @rows() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 6 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// K: ERROR: Runtime op verification failed
// K: K must be a multiple of 32
func.func @k() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 70 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 3 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// WEIGHTS: ERROR: Runtime op verification failed
// WEIGHTS: weights must have N rows
func.func @weights() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 41 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// COLUMNS: ERROR: Runtime op verification failed
// COLUMNS: weights must have K columns
func.func @columns() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 3 : index
  %e = arith.constant 2 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// EXPERTS: ERROR: Runtime op verification failed
// EXPERTS: codes and scales must have as many experts
func.func @experts() {
  %o0 = arith.constant 0 : i32
  %o1 = arith.constant 2 : i32
  %o2 = arith.constant 5 : i32
  %o = call @offsets(%o0, %o1, %o2) : (i32, i32, i32) -> memref<?xi32>
  %r = arith.constant 5 : index
  %ry = arith.constant 5 : index
  %k = arith.constant 64 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 2 : index
  %e = arith.constant 3 : index
  call @matmul(%o, %r, %ry, %k, %n, %slices, %e)
      : (memref<?xi32>, index, index, index, index, index, index) -> ()
  return
}

// With an error word, bad offsets are an outcome that the op defines.
func.func @error_word() {
  %z = arith.constant 0 : i32
  %r = arith.constant 9 : i32
  %byte = arith.constant 0 : i8
  %one = arith.constant 1.0 : bf16
  %c0 = arith.constant 0 : index
  %x = memref.alloc() : memref<2x32xbf16>
  %y = memref.alloc() : memref<2x1xf32>
  %c = memref.alloc() : memref<1x1x1x16xi8>
  %s = memref.alloc() : memref<1x1x1xi8>
  %o = memref.alloc() : memref<2xi32>
  %e = memref.alloc() : memref<1xi32>
  linalg.fill ins(%r : i32) outs(%o : memref<2xi32>)
  linalg.fill ins(%z : i32) outs(%e : memref<1xi32>)
  mxfp4.grouped_matmul activations(%x : memref<2x32xbf16>)
      weights(%c, %s : memref<1x1x1x16xi8>, memref<1x1x1xi8>)
      offsets(%o : memref<2xi32>) outs(%y : memref<2x1xf32>)
      error(%e : memref<1xi32>)
  %word = memref.load %e[%c0] : memref<1xi32>
  %wide = arith.extui %word : i32 to i64
  call @printI64(%wide) : (i64) -> ()
  return
}

// SCALE: ERROR: Runtime op verification failed
// SCALE: folded scales must be at most 128; pack to a block with raw scales
func.func @scale() {
  %scale = arith.constant -127 : i8
  %e = arith.constant 2 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 3 : index
  %ss = arith.constant 3 : index
  call @pack(%scale, %e, %n, %slices, %ss)
      : (i8, index, index, index, index) -> ()
  return
}

// BLOCKS: ERROR: Runtime op verification failed
// BLOCKS: blocks must cover the rows of the codes
func.func @blocks() {
  %scale = arith.constant -128 : i8
  %e = arith.constant 2 : index
  %n = arith.constant 70 : index
  %slices = arith.constant 3 : index
  %ss = arith.constant 3 : index
  call @pack(%scale, %e, %n, %slices, %ss)
      : (i8, index, index, index, index) -> ()
  return
}

// BLOCK-COLUMNS: ERROR: Runtime op verification failed
// BLOCK-COLUMNS: blocks must cover the columns of the codes
func.func @block_columns() {
  %scale = arith.constant -128 : i8
  %e = arith.constant 2 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 5 : index
  %ss = arith.constant 5 : index
  call @pack(%scale, %e, %n, %slices, %ss)
      : (i8, index, index, index, index) -> ()
  return
}

// BLOCK-EXPERTS: ERROR: Runtime op verification failed
// BLOCK-EXPERTS: codes and blocks must have as many experts
func.func @block_experts() {
  %scale = arith.constant -128 : i8
  %e = arith.constant 3 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 3 : index
  %ss = arith.constant 3 : index
  call @pack(%scale, %e, %n, %slices, %ss)
      : (i8, index, index, index, index) -> ()
  return
}

// PACK-SHAPES: ERROR: Runtime op verification failed
// PACK-SHAPES: codes and scales must have as many rows and columns
func.func @pack_shapes() {
  %scale = arith.constant -128 : i8
  %e = arith.constant 2 : index
  %n = arith.constant 40 : index
  %slices = arith.constant 3 : index
  %ss = arith.constant 4 : index
  call @pack(%scale, %e, %n, %slices, %ss)
      : (i8, index, index, index, index) -> ()
  return
}
