// A schedule script in upstream's transform dialect chooses layout and schedule: a
// pass with options for the one, an annotation for the other, each for the
// functions and shapes that it matches. What it leaves to the chooser, the chooser
// chooses.
//
// RUN: mlir-opt --load-dialect-plugin=%mxfp4_plugin \
// RUN:     --load-pass-plugin=%mxfp4_plugin %s \
// RUN:     --pass-pipeline="builtin.module(transform-interpreter,mxfp4-pack-weights,mxfp4-choose-schedule)" \
// RUN:   | FileCheck %s

// CHECK-LABEL: func.func @few
// CHECK: mxfp4.grouped_matmul
// CHECK-SAME: tensor<8x1x1x!mxfp4.block<nibble, raw>>
// CHECK-SAME: schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 2
// CHECK-LABEL: func.func @many
// CHECK: mxfp4.grouped_matmul
// CHECK-SAME: tensor<8x1x1x!mxfp4.block<spread, raw>>
// CHECK-SAME: schedule_reason =
func.func @few(%x: tensor<?x64xbf16>, %c: tensor<8x64x2x16xi8>,
               %s: tensor<8x64x2xi8>, %o: tensor<9xi32>,
               %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<8x64x2x16xi8>, tensor<8x64x2xi8>)
      offsets(%o : tensor<9xi32>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}
func.func @many(%x: tensor<?x64xbf16>, %c: tensor<8x64x2x16xi8>,
                %s: tensor<8x64x2xi8>, %o: tensor<9xi32>,
                %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%c, %s : tensor<8x64x2x16xi8>, tensor<8x64x2xi8>)
      offsets(%o : tensor<9xi32>)
      outs(%y : tensor<?x64xbf16>) -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

module attributes {transform.with_named_sequence} {
  transform.named_sequence @__transform_main(%module: !transform.any_op) {
    %few = transform.structured.match ops{["func.func"]}
        attributes {sym_name = "few"} in %module
        : (!transform.any_op) -> !transform.any_op
    %packed = transform.apply_registered_pass "mxfp4-pack-weights"
        with options = {"order" = "nibble"} to %few
        : (!transform.any_op) -> !transform.any_op
    %matmul = transform.structured.match ops{["mxfp4.grouped_matmul"]} in %packed
        : (!transform.any_op) -> !transform.any_op
    %schedule = transform.param.constant #mxfp4.schedule<
        instruction = mma_sync, rows = 64, tokens = 8, warps_rows = 4,
        warps_tokens = 1, stages = 3, placement = register, ctas = 2>
        -> !transform.any_param
    transform.annotate %matmul "schedule" = %schedule
        : !transform.any_op, !transform.any_param
    transform.yield
  }
}
