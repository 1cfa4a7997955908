// Loops marked mxfp4.overlap that are not as mxfp4-insert-decode leaves them.
//
// RUN: mxfp4-opt %s --mxfp4-overlap-decode --split-input-file --verify-diagnostics

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The fence begins the batch: what stands before it can be done a step ahead.

func.func @no_fence(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a batch of wgmma between a fence and a commit, the release of its stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The commit ends it.

func.func @no_commit(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a batch of wgmma between a fence and a commit, the release of its stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A loop that mxfp4-specialize-warps has not taken has no position to carry.

func.func @no_position(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a batch of wgmma between a fence and a commit, the release of its stage, and an accumulator, slot and parity to carry}}
  %r = scf.for %k = %c0 to %c5 step %c1 iter_args(%acc = %zero)
      -> (vector<1x2x4xf32>) {
    mxfp4.wait_barrier %full[%c0] parity %phase : !barriers
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%c0]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%c0] : !barriers
    scf.yield %done : vector<1x2x4xf32>
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The last step has no next one, so their number must be known.

func.func @unknown_steps(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a constant, positive number of steps}}
  %r:3 = scf.for %k = %c0 to %n step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// Nor is there a first step to decode ahead of no loop.

func.func @no_steps(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a constant, positive number of steps}}
  %r:3 = scf.for %k = %c0 to %c0 step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The release ends the step: what stands after it is the position of the next.

func.func @no_release(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a batch of wgmma between a fence and a commit, the release of its stage, and an accumulator, slot and parity to carry}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The rewritten loop counts pairs of steps.

func.func @uses_the_step(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  // expected-error @below {{marked mxfp4.overlap requires a body that does not use the number of its step}}
  %r:3 = scf.for %k = %c0 to %c5 step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%k] parity %parity : !barriers
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    %slot1 = arith.addi %slot, %c1 : index
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}

// -----

!barriers = memref<3xi64, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// The front of a step runs a step ahead of what follows its batch.

func.func @crosses_parts(%full: !barriers, %empty: !barriers, %x: !x, %n: index,
    %phase: i32, %zero: vector<1x2x4xf32>, %a: vector<2xbf16>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
  %r:3 = scf.for %k = %c0 to %c5 step %c1 iter_args(%acc = %zero, %slot = %c0, %parity = %phase)
      -> (vector<1x2x4xf32>, index, i32) {
    mxfp4.wait_barrier %full[%slot] parity %parity : !barriers
    // expected-error @below {{in a loop marked mxfp4.overlap requires users in its own part of the loop}}
    %slot1 = arith.addi %slot, %c1 : index
    nvvm.wgmma.fence.aligned
    %part = vector.extract %acc[0] : vector<2x4xf32> from vector<1x2x4xf32>
    %sum = mxfp4.wgmma %part a(%a, %a, %a, %a) b(%x[%slot]) step 0
        : vector<2x4xf32>, !x
    %sums = vector.insert %sum, %acc[0] : vector<2x4xf32> into vector<1x2x4xf32>
    nvvm.wgmma.commit.group.sync.aligned
    %done = mxfp4.wgmma_wait %sums : vector<1x2x4xf32>
    mxfp4.arrive_barrier %empty[%slot] : !barriers
    scf.yield %done, %slot1, %parity : vector<1x2x4xf32>, index, i32
  } {mxfp4.overlap}
  return
}
