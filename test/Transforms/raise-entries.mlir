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

// -----

// An operator of torch, whose tensors are its own: what converts them stands
// around the operation. Its ids may be none.
// CHECK-LABEL: func @torch
// CHECK-SAME: %[[X:.*]]: !torch.vtensor<[?,64],bf16>, %[[C:.*]]: !torch.vtensor<[4,96,2,16],ui8>
// CHECK: %[[XT:.*]] = "torch_c.to_builtin_tensor"(%[[X]]) : (!torch.vtensor<[?,64],bf16>) -> tensor<?x64xbf16>
// CHECK: %[[CT:.*]] = "torch_c.to_builtin_tensor"(%[[C]]) : (!torch.vtensor<[4,96,2,16],ui8>) -> tensor<4x96x2x16xi8>
// CHECK: %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[XT]] : tensor<?x64xbf16>) weights(%[[CT]]
// CHECK: "torch_c.from_builtin_tensor"(%[[Y]]) : (tensor<?x96xbf16>) -> !torch.vtensor<[?,96],bf16>
// CHECK-NOT: torch.operator
func.func @torch(%x: !torch.vtensor<[?,64],bf16>, %c: !torch.vtensor<[4,96,2,16],ui8>, %s: !torch.vtensor<[4,96,2],ui8>, %o: !torch.vtensor<[5],si32>) -> !torch.vtensor<[?,96],bf16> {
  %none = "torch.constant.none"() : () -> !torch.none
  %0 = "torch.operator"(%x, %c, %s, %o, %none) <{name = "torch.mxfp4.grouped_matmul_codes"}> : (!torch.vtensor<[?,64],bf16>, !torch.vtensor<[4,96,2,16],ui8>, !torch.vtensor<[4,96,2],ui8>, !torch.vtensor<[5],si32>, !torch.none) -> !torch.vtensor<[?,96],bf16>
  return %0 : !torch.vtensor<[?,96],bf16>
}

// -----

// Packed weights are none that a program could be raised from.
// CHECK-LABEL: func @torch_packed
// CHECK-NOT: torch_c
// CHECK: torch.operator
func.func @torch_packed(%x: !torch.vtensor<[8,64],bf16>, %w: !torch.vtensor<[4,2,1,2176],ui8>, %o: !torch.vtensor<[5],si32>, %n: !torch.vtensor<[4],si32>) -> !torch.vtensor<[8,96],bf16> {
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: codes must be [E, N, K/32, 16] bytes, got tensor<4x2x1x2176xi8>}}
  %0 = "torch.operator"(%x, %w, %o, %n) <{name = "torch.mxfp4.grouped_matmul"}> : (!torch.vtensor<[8,64],bf16>, !torch.vtensor<[4,2,1,2176],ui8>, !torch.vtensor<[5],si32>, !torch.vtensor<[4],si32>) -> !torch.vtensor<[8,96],bf16>
  return %0 : !torch.vtensor<[8,96],bf16>
}

// -----

// A whole layer becomes the fused form: the first matmul gathers the rows of its
// experts and has the activation as epilogue.
// CHECK-LABEL: func @layer
// CHECK-SAME: %[[X:.*]]: tensor<?x64xbf16>, %[[L:.*]]: tensor<?x4xf32>
// CHECK: %[[IDS:.*]]:2 = mxfp4.top_k logits(%[[L]] : tensor<?x4xf32>) scoring(softmax_selected)
// CHECK: %[[SORT:.*]]:3 = mxfp4.sort_by_expert ids(%[[IDS]]#0
// CHECK: %[[H:.*]] = mxfp4.grouped_matmul activations(%[[X]] : tensor<?x64xbf16>)
// CHECK-SAME: gather(%[[SORT]]#1 : tensor<?xi32>)
// CHECK-SAME: offsets(%[[SORT]]#0 : tensor<5xi32>)
// CHECK-SAME: epilogue (%{{.*}} : tensor<4x192xbf16>)
// CHECK: math.exp
// CHECK: -> tensor<?x96xbf16>
// CHECK: %[[Y:.*]] = mxfp4.grouped_matmul activations(%[[H]] : tensor<?x96xbf16>)
// CHECK-SAME: epilogue (%{{.*}} : tensor<4x64xbf16>)
// CHECK: -> tensor<?x64xbf16>
// CHECK: mxfp4.combine rows(%[[Y]] : tensor<?x64xbf16>) positions(%[[SORT]]#2 : tensor<?x2xi32>) weights(%[[IDS]]#1
// CHECK-NOT: @mxfp4
func.func @layer(%x: tensor<?x64xbf16>, %l: tensor<?x4xf32>, %gc: tensor<4x192x2x16xui8>, %gs: tensor<4x192x2xui8>, %dc: tensor<4x64x3x16xui8>, %ds: tensor<4x64x3xui8>, %gb: tensor<4x192xbf16>, %db: tensor<4x64xbf16>) -> tensor<?x64xbf16> {
  %0 = func.call @mxfp4.moe(%x, %l, %gc, %gs, %dc, %ds, %gb, %db) {mxfp4.layer = {slots = 2 : i64}} : (tensor<?x64xbf16>, tensor<?x4xf32>, tensor<4x192x2x16xui8>, tensor<4x192x2xui8>, tensor<4x64x3x16xui8>, tensor<4x64x3xui8>, tensor<4x192xbf16>, tensor<4x64xbf16>) -> tensor<?x64xbf16>
  return %0 : tensor<?x64xbf16>
}
func.func private @mxfp4.moe(tensor<?x64xbf16>, tensor<?x4xf32>, tensor<4x192x2x16xui8>, tensor<4x192x2xui8>, tensor<4x64x3x16xui8>, tensor<4x64x3xui8>, tensor<4x192xbf16>, tensor<4x64xbf16>) -> tensor<?x64xbf16>

// -----

// The facts of a composite; without a bias the second matmul has no epilogue.
// CHECK-LABEL: func @layer_composite
// CHECK: mxfp4.top_k {{.*}} scoring(sigmoid) {{.*}} {renormalize, scale = 2.500000e+00 : f32}
// CHECK: mxfp4.grouped_matmul {{.*}}gather
// CHECK: epilogue {
// CHECK-NOT: arith.minimumf
// CHECK: arith.constant 1.000000e+00 : f32
// CHECK: mxfp4.grouped_matmul
// CHECK-NOT: epilogue
// CHECK: mxfp4.combine {{.*}} -> tensor<8x64xf32>
func.func @layer_composite(%x: tensor<8x64xbf16>, %l: tensor<8x4xbf16>, %gc: tensor<4x192x2x16xi8>, %gs: tensor<4x192x2xi8>, %dc: tensor<4x64x3x16xi8>, %ds: tensor<4x64x3xi8>) -> tensor<8x64xf32> {
  %0 = "stablehlo.composite"(%x, %l, %gc, %gs, %dc, %ds) <{name = "mxfp4.moe", composite_attributes = {slots = 2 : i64, scoring = "sigmoid", renormalize = true, scale = 2.5 : f64, alpha = 1.0 : f32, shift = 0.0 : f32, unlimited}}> : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xf32>
  return %0 : tensor<8x64xf32>
}

// -----

// CHECK-LABEL: func @layer_stays
// CHECK-COUNT-7: stablehlo.custom_call
func.func @layer_stays(%x: tensor<8x64xbf16>, %l: tensor<8x4xbf16>, %gc: tensor<4x192x2x16xi8>, %gs: tensor<4x192x2xi8>, %dc: tensor<4x64x3x16xi8>, %ds: tensor<4x64x3xi8>, %b: tensor<4x64xbf16>) {
  // expected-remark @below {{names mxfp4.moe and is not raised: it must say how many experts a token has, for example by the attribute mxfp4.layer = {slots = 4 : i64}}}
  %0 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe"} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: a token must have 1 to 4 experts (slots), got 5}}
  %1 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 5 : i64}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: the scoring must be softmax, softmax_selected, sigmoid or sqrt_softplus, got 'best'}}
  %2 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64, scoring = "best"}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: the layer has slots (an integer), scoring (a word), renormalize (a truth value), and scale, alpha, shift and limit (numbers) or unlimited, got 'activation'}}
  %3 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64, activation = "gelu"}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: it must take hidden states, logits, codes and scales of gate and up, and of down, perhaps the bias of each as well, and have one result, got 7 operands and 1 results}}
  %4 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds, %b) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>, tensor<4x64xbf16>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: gate_up must be of E experts with 2 I rows and K = H, and down of as many with H rows and K = I, got E = 4 and 4, H = 96, I = 64}}
  %5 = "stablehlo.custom_call"(%x, %l, %dc, %ds, %gc, %gs) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: the bias of gate_up must be [E, 2 I] bf16, got tensor<4x64xbf16>}}
  %6 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds, %b, %b) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>, tensor<4x64xbf16>, tensor<4x64xbf16>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: the layer has slots (an integer), scoring (a word), renormalize (a truth value), and scale, alpha, shift and limit (numbers) or unlimited, got 'slots'}}
  %7 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 170141183460469231731687303715884105727 : i128}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: the limit of the activation must be positive, got -7.0}}
  %8 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64, limit = -7.0 : f32}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  // expected-remark @below {{names mxfp4.moe and is not raised: the layer has slots (an integer), scoring (a word), renormalize (a truth value), and scale, alpha, shift and limit (numbers) or unlimited, got 'scale'}}
  %9 = "stablehlo.custom_call"(%x, %l, %gc, %gs, %dc, %ds) {call_target_name = "mxfp4.moe", mxfp4.layer = {slots = 2 : i64, scale = 1.0e300 : f64}} : (tensor<8x64xbf16>, tensor<8x4xbf16>, tensor<4x192x2x16xi8>, tensor<4x192x2xi8>, tensor<4x64x3x16xi8>, tensor<4x64x3xi8>) -> tensor<8x64xbf16>
  return
}

// -----

func.func @other_number_of_ids(%a0: tensor<?x64xbf16>, %a1: tensor<4x96x2x16xi8>, %a2: tensor<4x96x2xi8>, %a3: tensor<5xi32>, %a4: tensor<7xi32>) {
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: there must be one offset more than there are ids, got 5 offsets and 7 ids}}
  %0 = "stablehlo.custom_call"(%a0, %a1, %a2, %a3, %a4) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<?x64xbf16>, tensor<4x96x2x16xi8>, tensor<4x96x2xi8>, tensor<5xi32>, tensor<7xi32>) -> tensor<?x96xbf16>
  return
}

// -----

func.func @no_experts(%a0: tensor<?x64xbf16>, %a1: tensor<0x96x2x16xi8>, %a2: tensor<0x96x2xi8>, %a3: tensor<1xi32>) {
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: the number of experts and K/32 must be 1 to 67108863, got codes with 0}}
  %0 = "stablehlo.custom_call"(%a0, %a1, %a2, %a3) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<?x64xbf16>, tensor<0x96x2x16xi8>, tensor<0x96x2xi8>, tensor<1xi32>) -> tensor<?x96xbf16>
  return
}

// -----

func.func @too_large_a_sum(%a0: tensor<?x?xbf16>, %a1: tensor<4x96x288230376151711744x16xi8>, %a2: tensor<4x96x288230376151711744xi8>, %a3: tensor<5xi32>) {
  // expected-remark @below {{names mxfp4.grouped_matmul and is not raised: the number of experts and K/32 must be 1 to 67108863, got codes with 288230376151711744}}
  %0 = "stablehlo.custom_call"(%a0, %a1, %a2, %a3) {call_target_name = "mxfp4.grouped_matmul"} : (tensor<?x?xbf16>, tensor<4x96x288230376151711744x16xi8>, tensor<4x96x288230376151711744xi8>, tensor<5xi32>) -> tensor<?x96xbf16>
  return
}
