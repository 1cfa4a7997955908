// Every message of the verifiers.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

func.func @case_0(%x: memref<?x64xf32>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires activations of shape ?x? and element type 'bf16', but got 'memref<?x64xf32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xf32>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_1(%x: memref<?x8x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires activations of shape ?x? and element type 'bf16', but got 'memref<?x8x64xbf16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x8x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_2(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xf16>) {
  // expected-error @below {{requires an output of rank 2 and element type bf16, f32 or f8E4M3FN, but got 'memref<?x48xf16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xf16>)
  return
}

// -----

func.func @case_3(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?xbf16>) {
  // expected-error @below {{requires an output of rank 2 and element type bf16, f32 or f8E4M3FN, but got 'memref<?xbf16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?xbf16>)
  return
}

// -----

func.func @case_4(%x: memref<8x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<9x48xbf16>) {
  // expected-error @below {{requires as many output rows as activation rows, 8, but got 9}}
  mxfp4.grouped_matmul activations(%x : memref<8x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<9x48xbf16>)
  return
}

// -----

func.func @no_sums(%x: memref<?x0xbf16>,
    %w0: memref<2x1x0x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires K to be a positive multiple of 32 (one scale for each 32 values), but got 0}}
  mxfp4.grouped_matmul activations(%x : memref<?x0xbf16>)
      weights(%w0 : memref<2x1x0x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_5(%x: memref<?x48xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires K to be a positive multiple of 32 (one scale for each 32 values), but got 48}}
  mxfp4.grouped_matmul activations(%x : memref<?x48xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_6(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %w1: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires one weight operand in a fragment-major layout, but got 2}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0, %w1 : memref<2x1x1x!mxfp4.block<spread, raw>>, memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_7(%x: memref<?x64xbf16>,
    %w0: memref<2x1x2x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires packed weights of shape 2x1x1 and element type '!mxfp4.block<spread, raw>', but got 'memref<2x1x2x!mxfp4.block<spread, raw>>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x2x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_8(%x: memref<?x64xbf16>,
    %w0: memref<2x48x2x16xi8>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires weights as one operand of element type !mxfp4.block or as two of element type i8 (codes, scales), but got 1 of type 'memref<2x48x2x16xi8>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x48x2x16xi8>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_9(%x: memref<?x64xbf16>,
    %w0: memref<2x48x2x32xi8>,
    %w1: memref<2x48x2xi8>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires codes of shape 2x48x2x16 and element type 'i8', but got 'memref<2x48x2x32xi8>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0, %w1 : memref<2x48x2x32xi8>, memref<2x48x2xi8>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_10(%x: memref<?x64xbf16>,
    %w0: memref<2x48x2x16xi8>,
    %w1: memref<2x48x1xi8>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires scales of shape 2x48x2 and element type 'i8', but got 'memref<2x48x1xi8>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0, %w1 : memref<2x48x2x16xi8>, memref<2x48x1xi8>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_11(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi64>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires offsets of shape ? and element type 'i32', but got 'memref<3xi64>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi64>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_12(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<1xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires offsets for at least one group (2 entries), but got 'memref<1xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<1xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_13(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<i32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires offsets of shape ? and element type 'i32', but got 'memref<i32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<i32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_14(%x: memref<?x64xbf16>,
    %w0: memref<i8>,
    %w1: memref<i8>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires codes of shape ?x48x2x16 and element type 'i8', but got 'memref<i8>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0, %w1 : memref<i8>, memref<i8>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @no_weights(%x: memref<?x64xbf16>, %o: memref<3xi32>,
                      %y: memref<?x48xbf16>) {
  // expected-error @below {{requires weights as one operand of element type !mxfp4.block or as two of element type i8 (codes, scales), but got none}}
  "mxfp4.grouped_matmul"(%x, %o, %y)
      <{operandSegmentSizes = array<i32: 1, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0>}>
      : (memref<?x64xbf16>, memref<3xi32>, memref<?x48xbf16>) -> ()
  return
}

// -----

func.func @case_16(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<4xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires offsets for 2 experts (3 entries) when no expert ids are given, but got 4 entries}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<4xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_17(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %ids: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires expert ids of shape 2 and element type 'i32', but got 'memref<3xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) expert_ids(%ids : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_18(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>,
    %e: memref<2xi32>) {
  // expected-error @below {{requires an error word of shape 1 and element type 'i32', but got 'memref<2xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>) error(%e : memref<2xi32>)
  return
}

// -----

func.func @case_19(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: tensor<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires all operands to be tensors or all to be memrefs, but got 'tensor<3xi32>' and 'memref<?x48xbf16>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>)
      outs(%y : memref<?x48xbf16>)
  return
}

// -----

func.func @case_20(%x: tensor<?x64xbf16>,
    %w0: tensor<2x1x1x!mxfp4.block<spread, raw>>,
    %o: tensor<3xi32>,
    %y: tensor<?x48xbf16>) {
  // expected-error @below {{requires 1 results with tensor operands, but has 0}}
  mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w0 : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>)
      outs(%y : tensor<?x48xbf16>)
  return
}

// -----

func.func @case_21(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires 0 results with memref operands, but has 1}}
  %r = mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>) -> tensor<?x48xbf16>
  return
}

// -----

func.func @case_22(%x: tensor<?x64xbf16>,
    %w0: tensor<2x1x1x!mxfp4.block<spread, raw>>,
    %o: tensor<3xi32>,
    %y: tensor<?x48xbf16>) {
  // expected-error @below {{requires a result of the type of its output operand, 'tensor<?x48xbf16>', but got 'tensor<8x48xbf16>'}}
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w0 : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>)
      outs(%y : tensor<?x48xbf16>) -> tensor<8x48xbf16>
  return
}

// -----

func.func @case_23(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires at most 32 warps, but has 64}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 1024, tokens = 64,
       warps_rows = 64, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_24(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires tile rows to be a positive multiple of 64, but has 96}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 96, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
  return
}

// -----

// Text that names a later field is of the later format, in which nothing is
// inferred.

func.func @no_copy_warps(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires copy_warps for wgmma: the number of warps that only copy}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
       warps_rows = 4, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1, overlap_decode = true>}
  return
}

// -----

func.func @case_25(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires tile rows to be a multiple of 16 for each of the 3 warps along rows, but has 64}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 3, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_26(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires tile tokens to be a positive multiple of 8 for each of the 2 warps along tokens, but has 8}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
       warps_rows = 1, warps_tokens = 2, stages = 4, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_27(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires at most 160 accumulators per thread, but a warp's 128 x 64 tile needs 256}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 128, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_28(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires 2 to 32 stages, but has 1}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 1, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_29(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires at most 232448 bytes of shared memory on sm_90a, but needs}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 256,
       warps_rows = 1, warps_tokens = 8, stages = 16, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_30(%x: memref<?x64xbf16>,
    %w0: memref<2x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{CTAs per SM, but has 65}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 65>}
  return
}

// -----

func.func @case_31(%x: memref<?x64xbf16>,
    %w0: memref<1025x1x1x!mxfp4.block<spread, raw>>,
    %o: memref<1026xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{requires 1 to 1024 groups, but has 1025}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w0 : memref<1025x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<1026xi32>)
      outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 1, warps_tokens = 1, stages = 4, placement = register,
       ctas = 1>}
  return
}

// -----

func.func @case_32(%v: memref<8x64xf16>, %c: memref<8x2x16xi8>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires values of element type bf16 or f32 and rank 1 or more, but got 'memref<8x64xf16>'}}
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x2xi8>)
      outs(%v : memref<8x64xf16>)
  return
}

// -----

func.func @promises_0(%v: memref<8x64xf32>, %c: memref<8x2x16xi8>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires promises to be a dictionary of 'scales' (two bytes, as array<i64: 1, 254>) and the units 'unsigned_zero', 'f32_sums' and 'bf16_rows', but it has 'fast'}}
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x2xi8>)
      outs(%v : memref<8x64xf32>) {promises = {fast}}
  return
}

// -----

func.func @promises_1(%x: tensor<?x64xbf16>,
    %w: tensor<2x1x1x!mxfp4.block<nibble, raw>>, %o: tensor<3xi32>,
    %y: tensor<?x64xbf16>) -> tensor<?x64xbf16> {
  // expected-error @below {{requires promises to be a dictionary of 'scales' (two bytes, as array<i64: 1, 254>) and the units 'unsigned_zero', 'f32_sums' and 'bf16_rows', but its 'f32_sums' has a value}}
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<nibble, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x64xbf16>)
      {promises = {f32_sums = 1 : i64}} -> tensor<?x64xbf16>
  return %r : tensor<?x64xbf16>
}

// -----

func.func @case_33(%v: memref<8x48xf32>, %c: memref<8x2x16xi8>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires the last dimension of the values to be a positive multiple of 32, but got 48}}
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x2xi8>)
      outs(%v : memref<8x48xf32>)
  return
}

// -----

func.func @case_34(%v: memref<8x64xf32>, %c: memref<8x2x16xi8>, %s: memref<8x3xi8>) {
  // expected-error @below {{requires scales of shape 8x2 and element type 'i8', but got 'memref<8x3xi8>'}}
  mxfp4.dequantize codes(%c : memref<8x2x16xi8>) scales(%s : memref<8x3xi8>)
      outs(%v : memref<8x64xf32>)
  return
}

// -----

func.func @case_35(%v: memref<8x64xf32>, %c: memref<8x2x32xi4>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires codes of shape 8x2x16 and element type 'i8', but got 'memref<8x2x32xi4>'}}
  mxfp4.dequantize codes(%c : memref<8x2x32xi4>) scales(%s : memref<8x2xi8>)
      outs(%v : memref<8x64xf32>)
  return
}

// -----

func.func @case_36(%v: memref<8x64xf16>, %c: memref<8x2x16xi8>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires values of element type bf16 or f32 and rank 1 or more, but got 'memref<8x64xf16>'}}
  mxfp4.quantize ins(%v : memref<8x64xf16>)
      outs(%c, %s : memref<8x2x16xi8>, memref<8x2xi8>)
  return
}

// -----

func.func @case_37(%v: memref<8x48xf32>, %c: memref<8x2x16xi8>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires the last dimension of the values to be a positive multiple of 32, but got 48}}
  mxfp4.quantize ins(%v : memref<8x48xf32>)
      outs(%c, %s : memref<8x2x16xi8>, memref<8x2xi8>)
  return
}

// -----

func.func @case_38(%v: memref<8x64xf32>, %c: memref<8x2x16xi8>, %s: memref<8x3xi8>) {
  // expected-error @below {{requires scales of shape 8x2 and element type 'i8', but got 'memref<8x3xi8>'}}
  mxfp4.quantize ins(%v : memref<8x64xf32>)
      outs(%c, %s : memref<8x2x16xi8>, memref<8x3xi8>)
  return
}

// -----

func.func @case_39(%v: memref<8x64xf32>, %c: memref<8x2x32xi4>, %s: memref<8x2xi8>) {
  // expected-error @below {{requires codes of shape 8x2x16 and element type 'i8', but got 'memref<8x2x32xi4>'}}
  mxfp4.quantize ins(%v : memref<8x64xf32>)
      outs(%c, %s : memref<8x2x32xi4>, memref<8x2xi8>)
  return
}

// -----

func.func @case_40(%v: memref<f32>, %c: memref<16xi8>, %s: memref<i8>) {
  // expected-error @below {{requires values of element type bf16 or f32 and rank 1 or more, but got 'memref<f32>'}}
  mxfp4.dequantize codes(%c : memref<16xi8>) scales(%s : memref<i8>)
      outs(%v : memref<f32>)
  return
}

// -----

func.func @case_41(%w: memref<4x2x2xi8>, %c: memref<4x128x3x16xi8>, %s: memref<4x128x3xi8>) {
  // expected-error @below {{requires blocks of shape ExN/64xK/64 and element type !mxfp4.block, but got 'memref<4x2x2xi8>'}}
  mxfp4.pack codes(%c : memref<4x128x3x16xi8>) scales(%s : memref<4x128x3xi8>)
      outs(%w : memref<4x2x2xi8>)
  return
}

// -----

func.func @case_42(%w: memref<4x2x!mxfp4.block<spread, raw>>, %c: memref<4x128x3x16xi8>, %s: memref<4x128x3xi8>) {
  // expected-error @below {{requires blocks of shape ExN/64xK/64 and element type !mxfp4.block, but got 'memref<4x2x!mxfp4.block<spread, raw>>'}}
  mxfp4.pack codes(%c : memref<4x128x3x16xi8>) scales(%s : memref<4x128x3xi8>)
      outs(%w : memref<4x2x!mxfp4.block<spread, raw>>)
  return
}

// -----

func.func @case_43(%w: memref<4x2x2x!mxfp4.block<spread, raw>>, %c: memref<4x128x96xi4>, %s: memref<4x128x3xi8>) {
  // expected-error @below {{requires codes of shape 4x?x?x16 and element type 'i8', but got 'memref<4x128x96xi4>'}}
  mxfp4.pack codes(%c : memref<4x128x96xi4>) scales(%s : memref<4x128x3xi8>)
      outs(%w : memref<4x2x2x!mxfp4.block<spread, raw>>)
  return
}

// -----

func.func @case_44(%w: memref<4x2x2x!mxfp4.block<spread, raw>>, %c: memref<4x128x3x16xi8>, %s: memref<4x128x4xi8>) {
  // expected-error @below {{requires scales of shape 4x128x3 and element type 'i8', but got 'memref<4x128x4xi8>'}}
  mxfp4.pack codes(%c : memref<4x128x3x16xi8>) scales(%s : memref<4x128x4xi8>)
      outs(%w : memref<4x2x2x!mxfp4.block<spread, raw>>)
  return
}

// -----

func.func @case_45(%w: memref<4x2x2x!mxfp4.block<spread, raw>>, %c: memref<4x129x3x16xi8>, %s: memref<4x129x3xi8>) {
  // expected-error @below {{requires blocks of shape 4x3x2 and element type '!mxfp4.block<spread, raw>', but got 'memref<4x2x2x!mxfp4.block<spread, raw>>'}}
  mxfp4.pack codes(%c : memref<4x129x3x16xi8>) scales(%s : memref<4x129x3xi8>)
      outs(%w : memref<4x2x2x!mxfp4.block<spread, raw>>)
  return
}

// -----

func.func @case_46(%w: memref<4x2x2xi8>, %c: memref<4x128x3x16xi8>, %s: memref<4x128x3xi8>) {
  // expected-error @below {{requires blocks of shape ExN/64xK/64 and element type !mxfp4.block, but got 'memref<4x2x2xi8>'}}
  mxfp4.unpack blocks(%w : memref<4x2x2xi8>)
      outs(%c, %s : memref<4x128x3x16xi8>, memref<4x128x3xi8>)
  return
}

// -----

func.func @case_47(%w: memref<4x2x!mxfp4.block<spread, raw>>, %c: memref<4x128x3x16xi8>, %s: memref<4x128x3xi8>) {
  // expected-error @below {{requires blocks of shape ExN/64xK/64 and element type !mxfp4.block, but got 'memref<4x2x!mxfp4.block<spread, raw>>'}}
  mxfp4.unpack blocks(%w : memref<4x2x!mxfp4.block<spread, raw>>)
      outs(%c, %s : memref<4x128x3x16xi8>, memref<4x128x3xi8>)
  return
}

// -----

func.func @case_48(%w: memref<4x2x2x!mxfp4.block<spread, raw>>, %c: memref<4x128x96xi4>, %s: memref<4x128x3xi8>) {
  // expected-error @below {{requires codes of shape 4x?x?x16 and element type 'i8', but got 'memref<4x128x96xi4>'}}
  mxfp4.unpack blocks(%w : memref<4x2x2x!mxfp4.block<spread, raw>>)
      outs(%c, %s : memref<4x128x96xi4>, memref<4x128x3xi8>)
  return
}

// -----

func.func @case_49(%w: memref<4x2x2x!mxfp4.block<spread, raw>>, %c: memref<4x128x3x16xi8>, %s: memref<4x128x4xi8>) {
  // expected-error @below {{requires scales of shape 4x128x3 and element type 'i8', but got 'memref<4x128x4xi8>'}}
  mxfp4.unpack blocks(%w : memref<4x2x2x!mxfp4.block<spread, raw>>)
      outs(%c, %s : memref<4x128x3x16xi8>, memref<4x128x4xi8>)
  return
}

// -----

func.func @case_50(%w: memref<4x2x2x!mxfp4.block<spread, raw>>, %c: memref<4x129x3x16xi8>, %s: memref<4x129x3xi8>) {
  // expected-error @below {{requires blocks of shape 4x3x2 and element type '!mxfp4.block<spread, raw>', but got 'memref<4x2x2x!mxfp4.block<spread, raw>>'}}
  mxfp4.unpack blocks(%w : memref<4x2x2x!mxfp4.block<spread, raw>>)
      outs(%c, %s : memref<4x129x3x16xi8>, memref<4x129x3xi8>)
  return
}

// -----

func.func @case_51(%w: memref<4xi8>) {
  // expected-error @below {{requires blocks of element type !mxfp4.block, but got 'memref<4xi8>'}}
  %b = mxfp4.block_bytes %w : memref<4xi8> -> memref<4x2176xi8>
  return
}

// -----

func.func @case_52(%w: memref<4x!mxfp4.block<spread, raw>, strided<[2]>>) {
  // expected-error @below {{requires a result of type 'memref<4x2176xi8, strided<[4352, 1]>>', but got 'memref<4x2176xi8>'}}
  %b = mxfp4.block_bytes %w : memref<4x!mxfp4.block<spread, raw>, strided<[2]>>
      -> memref<4x2176xi8>
  return
}

// -----

func.func @case_53(%w: memref<4x!mxfp4.block<spread, raw>>) {
  // expected-error @below {{requires a result of type 'memref<4x2176xi8>', but got 'memref<4x2048xi8>'}}
  %b = mxfp4.block_bytes %w : memref<4x!mxfp4.block<spread, raw>>
      -> memref<4x2048xi8>
  return
}

// -----

func.func @rebase_of_gaps(%x: memref<?x64xbf16, strided<[128, 1]>>) {
  // expected-error @below {{requires a buffer whose elements lie one behind the other, but got 'memref<?x64xbf16, strided<[128, 1]>>'}}
  %r = mxfp4.rebase %x : memref<?x64xbf16, strided<[128, 1]>> -> memref<?x64xbf16>
  return
}

// -----

func.func @rebase_to_another(%x: memref<4x64xbf16, strided<[64, 1], offset: ?>>) {
  // expected-error @below {{requires a result of type 'memref<4x64xbf16>', but got 'memref<?x64xbf16>'}}
  %r = mxfp4.rebase %x : memref<4x64xbf16, strided<[64, 1], offset: ?>> -> memref<?x64xbf16>
  return
}

// -----

// expected-error @below {{cannot have the attribute 'mxfp4.kernels', which marks a gpu.module}}
func.func private @marked() attributes {mxfp4.kernels}

// -----

// expected-error @below {{cannot have the attribute 'mxfp4.compiled', which marks a gpu.module or a gpu.binary}}
func.func private @marked() attributes {mxfp4.compiled}

// -----

// expected-error @below {{requires 'mxfp4.kernels' to be a unit attribute, but got 1 : i32}}
gpu.module @marked attributes {mxfp4.kernels = 1 : i32} {
}

// -----

// expected-error @below {{requires 'mxfp4.kernels' or 'mxfp4.compiled', but has both}}
gpu.module @marked attributes {mxfp4.kernels, mxfp4.compiled} {
}

// -----

func.func @workspace(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>, %s: memref<1xi32>) {
  // expected-error @below {{requires a workspace of shape 2 and element type 'i32', but got 'memref<1xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      workspace(%s : memref<1xi32>)
  return
}

// -----

// What wgmma asks of a schedule: whole warpgroups, an N that it has, slices and
// steps that come out even.

func.func @warpgroups(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires whole warpgroups along rows for wgmma (a multiple of 4 warps along rows, 1 along tokens), but has 2 and 1}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
       warps_rows = 2, warps_tokens = 1, stages = 6,
       placement = register, ctas = 1>}
  return
}

// -----

func.func @tile_tokens(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires at most 256 tile tokens for wgmma, but has 264}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 264,
       warps_rows = 4, warps_tokens = 1, stages = 6,
       placement = register, ctas = 1>}
  return
}

// -----

func.func @token_step(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires a token step that is a multiple of 8 and divides the 64 tokens of the tile, but has 24}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
       warps_rows = 4, warps_tokens = 1, stages = 6,
       placement = register, ctas = 1, token_step = 24>}
  return
}

// -----

func.func @k_slices(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires 1 to 6 K slices, but has 7}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
       warps_rows = 4, warps_tokens = 1, stages = 21,
       placement = register, ctas = 1, k_slices = 7>}
  return
}

// -----

func.func @steps(%x: memref<?x320xbf16>,
    %w: memref<2x1x5x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires a number of k64 steps that its 3 K slices share evenly or in pairs, but K = 320 has 5}}
  mxfp4.grouped_matmul activations(%x : memref<?x320xbf16>)
      weights(%w : memref<2x1x5x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
       warps_rows = 4, warps_tokens = 1, stages = 9,
       placement = register, ctas = 1, k_slices = 3>}
  return
}

// -----

func.func @stages_of_slices(%x: memref<?x384xbf16>,
    %w: memref<2x1x6x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires at least three stages for each of the 2 K slices, the same number for all, but has 4}}
  mxfp4.grouped_matmul activations(%x : memref<?x384xbf16>)
      weights(%w : memref<2x1x6x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
       warps_rows = 4, warps_tokens = 1, stages = 4,
       placement = register, ctas = 1, k_slices = 2>}
  return
}

// -----

func.func @only_wgmma(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, raw>>, %o: memref<3xi32>,
    %y: memref<?x48xbf16>) {
  // expected-error @below {{has a schedule that cannot run: it requires wgmma for K slices and for a token step}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x48xbf16>)
      {schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 64,
       warps_rows = 4, warps_tokens = 1, stages = 6,
       placement = register, ctas = 1, token_step = 8>}
  return
}

// -----

func.func @older_inputs_of_tensors(%x: tensor<?x64xbf16>,
    %w: tensor<2x1x1x!mxfp4.block<spread, raw>>, %o: tensor<3xi32>,
    %y: tensor<?x48xbf16>) -> tensor<?x48xbf16> {
  // expected-error @below {{promises by older_inputs when memory was written, which takes operands on memrefs}}
  %r = mxfp4.grouped_matmul activations(%x : tensor<?x64xbf16>)
      weights(%w : tensor<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : tensor<3xi32>) outs(%y : tensor<?x48xbf16>)
      {older_inputs} -> tensor<?x48xbf16>
  return %r : tensor<?x48xbf16>
}
