// RUN: mxfp4-opt %s --split-input-file --allow-unregistered-dialect --mxfp4-raise --verify-diagnostics | FileCheck %s

// Programs that name the operation in place of spelling it out: a function, as
// a nested jit of JAX, whose body goes with its last call.
// CHECK-LABEL: func @call
// CHECK-SAME: %[[X:.*]]: tensor<?x64xbf16>, %[[C:.*]]: tensor<4x96x2x16xi8>, %[[S:.*]]: tensor<4x96x2xi8>, %[[O:.*]]: tensor<5xi32>
// CHECK: %[[ROWS:.*]] = tensor.dim %[[X]]
// CHECK: %[[INTO:.*]] = tensor.empty(%[[ROWS]]) : tensor<?x96xbf16>
// CHECK: %[[Y:.*]] = mxfp4.grouped_matmul {{.*}}%[[X]]{{.*}}%[[C]], %[[S]]{{.*}}%[[O]]{{.*}}%[[INTO]]
// CHECK: mxfp4.grouped_matmul
// CHECK: return %[[Y]]
// CHECK-NOT: {{@mxfp4|@inner}}
func.func @call(%x: tensor<?x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %o: tensor<5xi32>) -> (tensor<?x96xbf16>, tensor<?x96xbf16>) {
  %0 = call @mxfp4.grouped_matmul(%x, %c, %s, %o) : (tensor<?x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<?x96xbf16>
  %1 = call @mxfp4_grouped_matmul_1(%x, %c, %s, %o) : (tensor<?x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<?x96xbf16>
  return %0, %1 : tensor<?x96xbf16>, tensor<?x96xbf16>
}
func.func private @mxfp4.grouped_matmul(tensor<?x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<?x96xbf16>
func.func private @mxfp4_grouped_matmul_1(%x: tensor<?x64xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %o: tensor<5xi32>) -> tensor<?x96xbf16> {
  %0 = func.call @inner(%x) : (tensor<?x64xbf16>) -> tensor<?x96xbf16>
  return %0 : tensor<?x96xbf16>
}
func.func private @inner(%x: tensor<?x64xbf16>) -> tensor<?x96xbf16> {
  %0 = "some.operation"(%x) : (tensor<?x64xbf16>) -> tensor<?x96xbf16>
  return %0 : tensor<?x96xbf16>
}

// -----

// A composite of JAX, with unsigned bytes; a public function and one with other
// calls stay.
// CHECK-LABEL: func @composite
// CHECK-SAME: %[[X:.*]]: tensor<8x64xbf16>, %[[C:.*]]: tensor<4x96x2x16xui8>, %[[S:.*]]: tensor<4x96x2xui8>
// CHECK-DAG: %[[CODES:.*]] = tensor.bitcast %[[C]] : tensor<4x96x2x16xui8> to tensor<4x96x2x16xi8>
// CHECK-DAG: %[[SCALES:.*]] = tensor.bitcast %[[S]] : tensor<4x96x2xui8> to tensor<4x96x2xi8>
// CHECK: mxfp4.grouped_matmul {{.*}}%[[CODES]], %[[SCALES]]
// CHECK-SAME: tensor<8x96xf32>
// CHECK-NOT: stablehlo
// CHECK: func @mxfp4.grouped_matmul
// CHECK: func private @used
func.func @composite(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xui8>, %s: tensor<4x96x2xui8>, %o: tensor<5xi32>) -> tensor<8x96xf32> {
  %0 = "stablehlo.composite"(%x, %c, %s, %o) <{name = "mxfp4.grouped_matmul", decomposition = @mxfp4.grouped_matmul}> : (tensor<8x64xbf16>, tensor<4x96x2x16xui8>, tensor<4x96x2xui8>, tensor<5xi32>) -> tensor<8x96xf32>
  return %0 : tensor<8x96xf32>
}
func.func @mxfp4.grouped_matmul(%x: tensor<8x64xbf16>, %c: tensor<4x96x2x16xui8>, %s: tensor<4x96x2xui8>, %o: tensor<5xi32>) -> tensor<8x96xf32> {
  %0 = func.call @used(%x) : (tensor<8x64xbf16>) -> tensor<8x96xf32>
  return %0 : tensor<8x96xf32>
}
func.func private @used(tensor<8x64xbf16>) -> tensor<8x96xf32>

// -----

// A custom call of jax.ffi with ids, with discardable attributes.
// CHECK-LABEL: func @custom_call
// CHECK-SAME: %[[I:[^:]*]]: tensor<3xi32>)
// CHECK: mxfp4.grouped_matmul {{.*}}%[[I]]
// CHECK: tensor.cast %{{.*}} : tensor<8x?xbf16> to tensor<8x96xbf16>
func.func @custom_call(%x: tensor<8x64xbf16>, %c: tensor<4x?x2x16xi8>, %s: tensor<4x?x2xi8>, %o: tensor<4xi32>, %i: tensor<3xi32>) -> tensor<8x96xbf16> {
  %0 = "stablehlo.custom_call"(%x, %c, %s, %o, %i) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x?x2x16xi8>, tensor<4x?x2xi8>, tensor<4xi32>, tensor<3xi32>) -> tensor<8x96xbf16>
  return %0 : tensor<8x96xbf16>
}

// -----

// What does not fit stays, with a remark; what has another name is not ours.
// CHECK-LABEL: func @stays
// CHECK-COUNT-9: stablehlo.custom_call
// CHECK: call @mxfp4_grouped_matmul_
// CHECK: call @mxfp4_grouped_matmuls
func.func @stays(%x: tensor<8x64xbf16>, %y: tensor<8x96xbf16>, %c: tensor<4x96x2x16xi8>, %s: tensor<4x96x2xi8>, %o: tensor<5xi32>, %i: tensor<3xi32>, %f: tensor<8x64xf16>, %w: tensor<?x96x2x16xi8>) {
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: it must take rows, codes, scales and offsets, perhaps ids as well, and have one result, got 3 operands and 1 results}}
  %0 = "stablehlo.custom_call"(%x, %c, %s) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: rows must be [R, K] bf16, with K of the codes, got tensor<8x64xf16>}}
  %1 = "stablehlo.custom_call"(%f, %c, %s, %o) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: rows must be [R, K] bf16, with K of the codes, got tensor<8x96xbf16>}}
  %2 = "stablehlo.custom_call"(%y, %c, %s, %o) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x96xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: codes must be [E, N, K/32, 16] bytes, got tensor<4x96x2xi8>}}
  %3 = "stablehlo.custom_call"(%x, %s, %s, %o) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x96x2xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: the number of experts and K must be static, got codes tensor<?x96x2x16xi8>}}
  %4 = "stablehlo.custom_call"(%x, %w, %s, %o) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<?x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: scales must be [E, N, K/32] bytes, with E, N and K of the codes, got tensor<4x96x2x16xi8>}}
  %5 = "stablehlo.custom_call"(%x, %c, %c, %o) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2x16xi8>, tensor<5xi32>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: offsets must be [E + 1] i32, got tensor<3xi32>}}
  %6 = "stablehlo.custom_call"(%x, %c, %s, %i) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<3xi32>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: ids must be [G] i32, got tensor<4x96x2xi8>}}
  %7 = "stablehlo.custom_call"(%x, %c, %s, %i, %s) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<3xi32>, tensor<4x96x2xi8>) -> tensor<8x96xbf16>
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: the result must be [R, N] bf16 or f32, got tensor<8x64xbf16>}}
  %8 = "stablehlo.custom_call"(%x, %c, %s, %o) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<8x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>) -> tensor<8x64xbf16>
  call @mxfp4_grouped_matmul_() : () -> ()
  call @mxfp4_grouped_matmuls() : () -> ()
  return
}
func.func private @mxfp4_grouped_matmul_()
func.func private @mxfp4_grouped_matmuls()
