// Counts of stored rows that operations refuse.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics
// RUN: not mxfp4-opt %s --split-input-file -o /dev/null

!w = memref<2x1x1x!mxfp4.block<spread, folded>>
func.func @counted_by_ids(%x: memref<?x64xbf16>, %w: !w, %o: memref<4xi32>,
    %ids: memref<3xi32>, %y: memref<?x64xbf16>, %c: memref<3xi32>) {
  // expected-error @below {{counts what it stores of each expert's rows, in their order, but has expert ids or rows to scatter to}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) weights(%w : !w)
      offsets(%o : memref<4xi32>) expert_ids(%ids : memref<3xi32>)
      outs(%y : memref<?x64xbf16>) stored(%c : memref<3xi32>)
  return
}

// -----

!w = memref<2x1x1x!mxfp4.block<spread, folded>>
func.func @counted_elsewhere(%x: memref<?x64xbf16>, %w: !w, %o: memref<3xi32>,
    %to: memref<?xi32>, %y: memref<?x64xbf16>, %c: memref<2xi32>) {
  // expected-error @below {{counts what it stores of each expert's rows, in their order, but has expert ids or rows to scatter to}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) weights(%w : !w)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      scatter(%to : memref<?xi32>) stored(%c : memref<2xi32>)
  return
}

// -----

!w = memref<2x1x1x!mxfp4.block<spread, folded>>
func.func @three_counts(%x: memref<?x64xbf16>, %w: !w, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %c: memref<3xi32>) {
  // expected-error @below {{requires counts of what is stored of shape 2 and element type 'i32', but got 'memref<3xi32>'}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>) weights(%w : !w)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      stored(%c : memref<3xi32>)
  return
}

// -----

!w = memref<2x1x1x!mxfp4.block<spread, folded>>
func.func @newer_inputs(%x: memref<?x64xbf16>, %w: !w, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %c: memref<2xi32>) {
  // expected-error @below {{requires older_inputs, and neither expert ids nor rows to gather, to wait for counts of each expert's rows}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      awaited(%c : memref<2xi32>) weights(%w : !w)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}

// -----

!w = memref<2x1x1x!mxfp4.block<spread, folded>>
func.func @from_anywhere(%x: memref<?x64xbf16>, %g: memref<?xi32>, %w: !w,
    %o: memref<3xi32>, %y: memref<?x64xbf16>, %c: memref<2xi32>) {
  // expected-error @below {{requires older_inputs, and neither expert ids nor rows to gather, to wait for counts of each expert's rows}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%g : memref<?xi32>) awaited(%c : memref<2xi32>) weights(%w : !w)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>) {older_inputs}
  return
}

// -----

!w = memref<2x1x1x!mxfp4.block<spread, folded>>
func.func @awaited_by_ids(%x: memref<?x64xbf16>, %w: !w, %o: memref<4xi32>,
    %ids: memref<3xi32>, %y: memref<?x64xbf16>, %c: memref<3xi32>) {
  // expected-error @below {{requires older_inputs, and neither expert ids nor rows to gather, to wait for counts of each expert's rows}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      awaited(%c : memref<3xi32>) weights(%w : !w)
      offsets(%o : memref<4xi32>) expert_ids(%ids : memref<3xi32>)
      outs(%y : memref<?x64xbf16>) {older_inputs}
  return
}

// -----

func.func @zeros(%ids: memref<8x2xi32>, %o: memref<7xi32>, %t: memref<16xi32>,
    %z: memref<7xi32>) {
  // expected-error @below {{requires zeros of shape 6 and element type 'i32', but got 'memref<7xi32>'}}
  mxfp4.sort_by_expert ids(%ids : memref<8x2xi32>)
      outs(%o, %t, %ids : memref<7xi32>, memref<16xi32>, memref<8x2xi32>)
      zeros(%z : memref<7xi32>)
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>

func.func @whose_rows(%i: index, %acc: vector<1x2x4xf32>, %y: memref<?x64xbf16>,
    %c: memref<2xi32>) {
  // expected-error @below {{requires the expert, which is one, and no rows to scatter to, to count what is stored}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) stored(%c : memref<2xi32>)
      {schedule = #schedule} : vector<1x2x4xf32> to memref<?x64xbf16>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>

func.func @wide_counts(%i: index, %acc: vector<1x2x4xf32>, %y: memref<?x64xbf16>,
    %c: memref<2xi64>) {
  // expected-error @below {{requires counts of rank 1 and element type i32 in global memory, but got 'memref<2xi64>'}}
  mxfp4.store_tile %acc to %y[%i, %i] valid(%i) expert(%i)
      stored(%c : memref<2xi64>) {schedule = #schedule}
      : vector<1x2x4xf32> to memref<?x64xbf16>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#shared = #gpu.address_space<workgroup>

func.func @brought_and_awaited(%i: index, %n: i32, %t: memref<4xi32, #shared>,
    %o: memref<3xi32>, %queue: !mxfp4.ring<2>, %fields: memref<2x4xi32, #shared>,
    %w: memref<1028xi32>, %c: memref<2xi32>) {
  // expected-error @below {{requires counts to wait for with a number of columns, and then neither expert ids, rows that are brought nor a schedule with copies_ahead}}
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] counter(%w : memref<1028xi32>) rows %n
      awaited(%c : memref<2xi32>) columns %n {schedule = #schedule}
      : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
      memref<2x4xi32, #shared>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#shared = #gpu.address_space<workgroup>

func.func @shared_counts(%i: index, %n: i32, %t: memref<4xi32, #shared>,
    %o: memref<3xi32>, %queue: !mxfp4.ring<2>, %fields: memref<2x4xi32, #shared>,
    %c: memref<2xi32, #shared>) {
  // expected-error @below {{requires counts of its 2 groups, of rank 1 and element type i32 in global memory, but got 'memref<2xi32, #gpu.address_space<workgroup>>'}}
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] awaited(%c : memref<2xi32, #shared>) columns %n
      {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

func.func @raised(%c: memref<2xi64>, %i: index, %n: i32) {
  // expected-error @below {{requires counters of rank 1 and element type i32 in global memory, but got 'memref<2xi64>'}}
  mxfp4.raise_count %c[%i] by %n : memref<2xi64>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#shared = #gpu.address_space<workgroup>

func.func @counted_by_ids(%i: index, %n: i32, %t: memref<4xi32, #shared>,
    %o: memref<3xi32>, %ids: memref<2xi32>, %queue: !mxfp4.ring<2>,
    %fields: memref<2x4xi32, #shared>, %c: memref<2xi32>) {
  // expected-error @below {{requires counts of what is stored with columns of the output and of a tile, and then no expert ids}}
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o)
      expert_ids(%ids : memref<2xi32>) experts 2 columns 1
      to %queue[%fields] stored(%c : memref<2xi32>) columns %n by %n
      {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#shared = #gpu.address_space<workgroup>

func.func @awaits_one_count(%i: index, %n: i32, %t: memref<4xi32, #shared>,
    %o: memref<3xi32>, %queue: !mxfp4.ring<2>, %fields: memref<2x4xi32, #shared>,
    %c: memref<1xi32>) {
  // expected-error @below {{requires counts of its 2 groups, of rank 1 and element type i32 in global memory, but got 'memref<1xi32>'}}
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] awaited(%c : memref<1xi32>) columns %n
      {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
    warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 1,
    copy_warps = 1>
#shared = #gpu.address_space<workgroup>

func.func @stores_three_counts(%i: index, %n: i32, %t: memref<4xi32, #shared>,
    %o: memref<3xi32>, %queue: !mxfp4.ring<2>, %fields: memref<2x4xi32, #shared>,
    %c: memref<3xi32>) {
  // expected-error @below {{requires counts of its 2 groups, of rank 1 and element type i32 in global memory, but got 'memref<3xi32>'}}
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
      to %queue[%fields] stored(%c : memref<3xi32>) columns %n by %n
      {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}
