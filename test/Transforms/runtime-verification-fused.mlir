// Sizes and rows that only the run knows of an epilogue and of maps of rows: what is
// wrong is refused with one clear message, before the op. Groups have 2 and 3 rows of
// 5, with the experts 2 and `id` of three; the map to gather has an entry `g` and the
// map to scatter an entry `s` for a row of the second group.
//
// RUN: mxfp4-opt %s --generate-runtime-verification --mxfp4-to-cpu -o %t
// RUN: mlir-runner %t -e good --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: mlir-runner %t -e more_rows --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: mlir-runner %t -e source_unused --entry-point-result=void \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=GOOD
// RUN: not --crash stdbuf -oL mlir-runner %t -e places \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=PLACES
// RUN: not --crash stdbuf -oL mlir-runner %t -e bias_experts \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BIAS-EXPERTS
// RUN: not --crash stdbuf -oL mlir-runner %t -e bias_columns \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BIAS-COLUMNS
// RUN: not --crash stdbuf -oL mlir-runner %t -e row_values \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=ROW-VALUES
// RUN: not --crash stdbuf -oL mlir-runner %t -e end \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=END
// RUN: not --crash stdbuf -oL mlir-runner %t -e source \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=SOURCE
// RUN: not --crash stdbuf -oL mlir-runner %t -e below \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=BELOW
// RUN: not --crash stdbuf -oL mlir-runner %t -e place \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=PLACE
// RUN: not --crash stdbuf -oL mlir-runner %t -e place_unused \
// RUN:   --entry-point-result=void 2>&1 \
// RUN:   --shared-libs=%mlir_lib/libmlir_c_runner_utils.so \
// RUN:   | FileCheck %s --check-prefix=PLACE-UNUSED

func.func private @printI64(i64)

func.func @fused(%t: index, %r: index, %to: index, %q: index, %be: index,
                 %bn: index, %a: index, %g: i32, %s: i32, %id: i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c2 = arith.constant 2 : index
  %c3 = arith.constant 3 : index
  %n = arith.constant 40 : index
  %zero = arith.constant 0 : i32
  %two = arith.constant 2 : i32
  %five = arith.constant 5 : i32
  %fzero = arith.constant 0.0 : f32
  %hzero = arith.constant 0.0 : bf16
  %x = memref.alloc(%t) : memref<?x64xbf16>
  linalg.fill ins(%hzero : bf16) outs(%x : memref<?x64xbf16>)
  %w = memref.alloc() : memref<3x2x1x!mxfp4.block<nibble, raw>>
  %o = memref.alloc() : memref<3xi32>
  memref.store %zero, %o[%c0] : memref<3xi32>
  memref.store %two, %o[%c1] : memref<3xi32>
  memref.store %five, %o[%c2] : memref<3xi32>
  %ids = memref.alloc() : memref<2xi32>
  memref.store %two, %ids[%c0] : memref<2xi32>
  memref.store %id, %ids[%c1] : memref<2xi32>
  %from = memref.alloc(%r) : memref<?xi32>
  linalg.fill ins(%zero : i32) outs(%from : memref<?xi32>)
  memref.store %g, %from[%c3] : memref<?xi32>
  %map = memref.alloc(%to) : memref<?xi32>
  linalg.fill ins(%zero : i32) outs(%map : memref<?xi32>)
  memref.store %s, %map[%c3] : memref<?xi32>
  %y = memref.alloc(%q, %n) : memref<?x?xf32>
  %bias = memref.alloc(%be, %bn) : memref<?x?xf32>
  linalg.fill ins(%fzero : f32) outs(%bias : memref<?x?xf32>)
  %weight = memref.alloc(%a) : memref<?xf32>
  linalg.fill ins(%fzero : f32) outs(%weight : memref<?xf32>)
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%from : memref<?xi32>)
      weights(%w : memref<3x2x1x!mxfp4.block<nibble, raw>>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<2xi32>)
      outs(%y : memref<?x?xf32>) scatter(%map : memref<?xi32>)
      epilogue(%bias, %weight : memref<?x?xf32>, memref<?xf32>) {
      ^bb0(%gate: f32, %up: f32, %b0: f32, %b1: f32, %v: f32):
        %p = arith.mulf %gate, %v : f32
        mxfp4.yield %p : f32
      }
  %one = arith.constant 1 : i64
  call @printI64(%one) : (i64) -> ()
  return
}

// GOOD: 1
func.func @good() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// Rows behind the last offset.
func.func @more_rows() {
  %t = arith.constant 4 : index
  %r = arith.constant 8 : index
  %to = arith.constant 8 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 8 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// What a group without an expert would gather, nobody reads.
func.func @source_unused() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 77 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant -1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// PLACES: ERROR: Runtime op verification failed
// PLACES: rows to scatter to must be as many as rows
func.func @places() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 5 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// BIAS-EXPERTS: ERROR: Runtime op verification failed
// BIAS-EXPERTS: epilogue operands of rank 2 must have a value for each expert and column
func.func @bias_experts() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 2 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// BIAS-COLUMNS: ERROR: Runtime op verification failed
// BIAS-COLUMNS: epilogue operands of rank 2 must have a value for each expert and column
func.func @bias_columns() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 40 : index
  %a = arith.constant 6 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// ROW-VALUES: ERROR: Runtime op verification failed
// ROW-VALUES: epilogue operands of rank 1 must have a value for each row
func.func @row_values() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 4 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// END: ERROR: Runtime op verification failed
// END: offsets must not end behind the number of rows
func.func @end() {
  %t = arith.constant 4 : index
  %r = arith.constant 4 : index
  %to = arith.constant 4 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 4 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// SOURCE: ERROR: Runtime op verification failed
// SOURCE: rows to gather must be rows of the activations
func.func @source() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 4 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// BELOW: ERROR: Runtime op verification failed
// BELOW: rows to gather must be rows of the activations
func.func @below() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant -1 : i32
  %s = arith.constant 8 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// PLACE: ERROR: Runtime op verification failed
// PLACE: rows to scatter to must be rows of the output
func.func @place() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 3 : i32
  %s = arith.constant 9 : i32
  %id = arith.constant 1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}

// PLACE-UNUSED: ERROR: Runtime op verification failed
// PLACE-UNUSED: rows to scatter to must be rows of the output
func.func @place_unused() {
  %t = arith.constant 4 : index
  %r = arith.constant 6 : index
  %to = arith.constant 6 : index
  %q = arith.constant 9 : index
  %be = arith.constant 3 : index
  %bn = arith.constant 80 : index
  %a = arith.constant 6 : index
  %g = arith.constant 3 : i32
  %s = arith.constant -1 : i32
  %id = arith.constant -1 : i32
  call @fused(%t, %r, %to, %q, %be, %bn, %a, %g, %s, %id)
      : (index, index, index, index, index, index, index, i32, i32, i32) -> ()
  return
}
