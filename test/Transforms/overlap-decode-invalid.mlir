// Loops marked mxfp4.overlap that are not as mxfp4-insert-decode leaves them.
//
// RUN: mxfp4-opt %s --mxfp4-overlap-decode --split-input-file --verify-diagnostics

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A block begins with its loads: without, there is nothing to load ahead.

func.func @no_loads(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>,
    %word: i32, %s: i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %a:4 = mxfp4.decode %word, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Decodes part loads from the batch.

func.func @no_decode(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>,
    %a0: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a0, %a0, %a0, %a0, %a0, %a0, %a0, %a0,
        %a0, %a0, %a0, %a0, %a0, %a0, %a0, %a0) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The number of tokens is what makes the branch around a decode one that only the run
// shows.

func.func @all_tokens(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The wait ends a batch.

func.func @no_wait(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// One may run on, so that two groups a batch would still read fragments that are
// written next.

func.func @two_groups(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %sum2 = mxfp4.wgmma %sum a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum2 : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A batch takes the sums that the loop carries, and first of all.

func.func @other_sums(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %zero[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The release ends the step: what stands after it is the position of the next.

func.func @no_release(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A loop that mxfp4-specialize-warps has not taken has no position to carry.

func.func @no_position(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires loads, decodes, one mxfp4.wgmma with a number of tokens and its wait for each block, the release of the stage, and an accumulator, slot and parity to carry}}
  %r = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero)
      -> (vector<1x2x4xf32>) {
    mxfp4.wait_barrier %full[%c0] parity %phase : !barriers
    %c:4 = mxfp4.load_codes %w[%c0, %c0] : !w
    %s = mxfp4.load_scales %w[%c0, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%c0])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%c0] : !barriers
    scf.yield %sums : vector<1x2x4xf32>
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The last round loads nothing, so that the number of steps must be known.

func.func @unknown_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a constant, positive number of steps}}
  %r:3 = scf.for %k = %c0 to %n step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Nor is there a first step to decode ahead of no loop.

func.func @no_steps(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a constant, positive number of steps}}
  %r:3 = scf.for %k = %c0 to %c0 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The rewritten loop counts rounds, and steps ahead of them.

func.func @uses_the_step(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a body that does not use the number of its step}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%k] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Inside of an operation, too.

func.func @uses_the_step_inside(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>,
    %some: i1) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a body that does not use the number of its step}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    scf.if %some {
      mxfp4.wait_barrier %full[%k] parity %parity : !barriers
    }
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The wait for a stage runs ahead of its release.

func.func @crosses_parts(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    // expected-error @below {{in a loop marked mxfp4.overlap requires users in its own part of the loop}}
    %this = arith.addi %slot, %c0 : index
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%this] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Words are loaded two blocks ahead of the batch; its operands come from decodes.

func.func @crosses_two_parts(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    // expected-error @below {{in a loop marked mxfp4.overlap requires users in its own part of the loop}}
    %next = arith.addi %slot, %c0 : index
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%next])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// What is decoded is known by its words: its stage may be given back already.

func.func @decode_uses_the_slot(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>,
    %tile: memref<192x64xbf16, #gpu.address_space<workgroup>>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires an accumulator that only the first wgmma adds to, and slot and parity that no decode uses}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    mxfp4.store_decoded %a#0, %a#1, %a#2, %a#3 to %tile[%slot] step 0
        : memref<192x64xbf16, #gpu.address_space<workgroup>>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The sums belong to wgmma while the next words are loaded.

func.func @sums_used_twice(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>,
    %out: memref<1xvector<1x2x4xf32>>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires an accumulator that only the first wgmma adds to, and slot and parity that no decode uses}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    memref.store %acc, %out[%c0] : memref<1xvector<1x2x4xf32>>
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Sums go from step to step.

func.func @drops_the_sums(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires to carry the sums of its last wgmma, and a slot and parity that follow the release of the stage}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %zero, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The position of the next step is found with that of the step alone.

func.func @position_before_release(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires to carry the sums of its last wgmma, and a slot and parity that follow the release of the stage}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The branch around a decode is made of the number of tokens, ahead of its batch.

func.func @tokens_change(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires numbers of tokens from outside of it}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%slot by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A decode of words from elsewhere leaves nothing to load ahead.

func.func @no_words(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>,
    %word: i32) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires words to decode, as many of them and of fragments for one block as for another}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %word, %word step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Blocks take turns in the same registers: here the second has a word less.

func.func @other_words(%full: !barriers, %empty: !barriers, %w: !w, %x: !x,
    %n: index, %phase: i32, %zero: vector<1x2x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires words to decode, as many of them and of fragments for one block as for another}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1
      iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %c:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %s = mxfp4.load_scales %w[%slot, %c0] : !w
    %a:4 = mxfp4.decode %c#0, %s step 0 : !mxfp4.block<spread, folded>
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3,
        %a#0, %a#1, %a#2, %a#3, %a#0, %a#1, %a#2, %a#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done = mxfp4.wgmma_wait %sum : vector<2x4xf32>
    %sums = vector.insert %done, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    %d:4 = mxfp4.load_codes %w[%slot, %c0] : !w
    %b:4 = mxfp4.decode %d#0, %d#0 step 0 : !mxfp4.block<spread, folded>
    %part2 = vector.extract %sums[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum2 = mxfp4.wgmma %part2 a(%b#0, %b#1, %b#2, %b#3, %b#0, %b#1, %b#2, %b#3,
        %b#0, %b#1, %b#2, %b#3, %b#0, %b#1, %b#2, %b#3) b(%x[%slot])
        columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
    %done2 = mxfp4.wgmma_wait %sum2 : vector<2x4xf32>
    %sums2 = vector.insert %done2, %sums[0] : vector<2x4xf32> into vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %sums2, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}
