// Where memory decides, most tiles have no more than one token step. They get a
// loop over K of their own, whose wgmma is that narrow and chooses nothing.
//
// RUN: mxfp4-opt %s --mxfp4-version-loops --split-input-file | FileCheck %s

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 8, k_slices = 3>
!x = memref<9x32x64xbf16, #gpu.address_space<workgroup>>

// Of 45 k64 steps this slice has 15, which move on by three slots each: 45 slots,
// five times round nine stages. Neither loop hands slot or parity on.

// CHECK-LABEL: gpu.func @few_tokens
// CHECK-SAME:    %[[X:[^:]*]]: memref<9x32x64xbf16, {{[^,]*}}>, %[[A:[^:]*]]: vector<2xbf16>, %[[N:[^:]*]]: index, %[[SLOT:[^:]*]]: index, %[[PARITY:[^:]*]]: i32, %[[ZERO:[^:]*]]: vector<4x4xf32>,
// CHECK:         arith.constant 1 : i32
// CHECK-NEXT:    %[[C9:.*]] = arith.constant 9 : index
// CHECK-NEXT:    %[[C45:.*]] = arith.constant 45 : index
// CHECK-NEXT:    %[[END:.*]] = arith.addi %[[SLOT]], %[[C45]] : index
// CHECK-NEXT:    %[[TURNS:.*]] = arith.divui %[[END]], %[[C9]] : index
// CHECK-NEXT:    %[[WRAPS:.*]] = arith.index_cast %[[TURNS]] : index to i32
// CHECK-NEXT:    %[[C1:.*]] = arith.constant 1 : i32
// CHECK-NEXT:    %[[FLIPS:.*]] = arith.andi %[[WRAPS]], %[[C1]] : i32
// CHECK-NEXT:    %[[NEXT:.*]] = arith.remui %[[END]], %[[C9]] : index
// CHECK-NEXT:    %[[PHASE:.*]] = arith.xori %[[PARITY]], %[[FLIPS]] : i32
// CHECK-NEXT:    %[[C8:.*]] = arith.constant 8 : index
// CHECK-NEXT:    %[[FEW:.*]] = arith.cmpi ule, %[[N]], %[[C8]] : index
// CHECK-NEXT:    %[[R:.*]] = scf.if %[[FEW]] -> (vector<4x4xf32>) {
// CHECK-NEXT:      %[[S:.*]]:3 = scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[ZERO]], %[[AT:.*]] = %[[SLOT]], %{{.*}} = %[[PARITY]])
// CHECK-NEXT:        mxfp4.wgmma %[[ACC]] a(%[[A]], {{.*}}) b(%[[X]][%[[AT]]]) columns 1 tokens(%[[N]] by 8)
// CHECK:           } {mxfp4.overlap}
// CHECK-NEXT:      scf.yield %[[S]]#0
// CHECK-NEXT:    } else {
// CHECK-NEXT:      %[[S:.*]]:3 = scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[ZERO]], %[[AT:.*]] = %[[SLOT]], %{{.*}} = %[[PARITY]])
// CHECK-NEXT:        mxfp4.wgmma %[[ACC]] a(%[[A]], {{.*}}) b(%[[X]][%[[AT]]]) columns 4 tokens(%[[N]] by 8)
// CHECK:           } {mxfp4.overlap}
// CHECK-NEXT:      scf.yield %[[S]]#0
// CHECK-NEXT:    }
// CHECK-NEXT:    memref.store %[[R]],
// CHECK-NEXT:    memref.store %[[NEXT]],
// CHECK-NEXT:    memref.store %[[PHASE]],
// CHECK-NEXT:    gpu.return
gpu.module @kernels {
  gpu.func @few_tokens(%x: !x, %a: vector<2xbf16>, %n: index, %first: index,
      %phase: i32, %zero: vector<4x4xf32>, %sums: memref<vector<4x4xf32>>,
      %slots: memref<index>, %parities: memref<i32>)
      attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c3 = arith.constant 3 : index
    %c9 = arith.constant 9 : index
    %c15 = arith.constant 15 : index
    %one = arith.constant 1 : i32
    %r:3 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %zero, %slot = %first, %parity = %phase)
        -> (vector<4x4xf32>, index, i32) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<4x4xf32>
      %up = arith.addi %slot, %c3 : index
      %wraps = arith.cmpi uge, %up, %c9 : index
      %slot1 = arith.select %wraps, %c0, %up : index
      %flipped = arith.xori %parity, %one : i32
      %parity1 = arith.select %wraps, %flipped, %parity : i32
      scf.yield %done, %slot1, %parity1 : vector<4x4xf32>, index, i32
    } {mxfp4.overlap}
    memref.store %r#0, %sums[] : memref<vector<4x4xf32>>
    memref.store %r#1, %slots[] : memref<index>
    memref.store %r#2, %parities[] : memref<i32>
    gpu.return
  }

  // Tokens that the loop itself finds cannot choose it; a loop that nobody will
  // overlap, or that carries something else, does not get two versions.

  // CHECK-LABEL: gpu.func @left_alone
  // CHECK-NOT:     scf.if
  // CHECK:         gpu.return
  gpu.func @left_alone(%x: !x, %a: vector<2xbf16>, %n: index, %first: index,
      %phase: i32, %zero: vector<4x4xf32>, %sums: memref<vector<4x4xf32>>)
      attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c15 = arith.constant 15 : index
    %r:3 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %zero, %slot = %first, %parity = %phase)
        -> (vector<4x4xf32>, index, i32) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 4 tokens(%k by 8) : vector<4x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<4x4xf32>
      scf.yield %done, %slot, %parity : vector<4x4xf32>, index, i32
    } {mxfp4.overlap}
    %s:3 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %r#0, %slot = %r#1, %parity = %r#2)
        -> (vector<4x4xf32>, index, i32) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<4x4xf32>
      scf.yield %done, %slot, %parity : vector<4x4xf32>, index, i32
    }
    %t:2 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %s#0, %slot = %s#1)
        -> (vector<4x4xf32>, index) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<4x4xf32>
      scf.yield %done, %slot : vector<4x4xf32>, index
    } {mxfp4.overlap}
    %u:3 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %t#0, %slot = %t#1, %other = %first)
        -> (vector<4x4xf32>, index, index) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 4 tokens(%n by 8) : vector<4x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<4x4xf32>
      scf.yield %done, %slot, %other : vector<4x4xf32>, index, index
    } {mxfp4.overlap}
    memref.store %u#0, %sums[] : memref<vector<4x4xf32>>
    gpu.return
  }
}

// -----

// More tokens than memory decides about, and a kernel without a schedule.

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 40,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 8, k_slices = 3>
!x = memref<9x40x64xbf16, #gpu.address_space<workgroup>>

// CHECK-LABEL: gpu.func @more_tokens
// CHECK-NOT:     scf.if
// CHECK-LABEL: gpu.func @no_schedule
// CHECK-NOT:     scf.if
// CHECK:         gpu.return
gpu.module @kernels {
  gpu.func @more_tokens(%x: !x, %a: vector<2xbf16>, %n: index, %first: index,
      %phase: i32, %zero: vector<5x4xf32>, %sums: memref<vector<5x4xf32>>)
      attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c15 = arith.constant 15 : index
    %r:3 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %zero, %slot = %first, %parity = %phase)
        -> (vector<5x4xf32>, index, i32) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 5 tokens(%n by 8) : vector<5x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<5x4xf32>
      scf.yield %done, %slot, %parity : vector<5x4xf32>, index, i32
    } {mxfp4.overlap}
    memref.store %r#0, %sums[] : memref<vector<5x4xf32>>
    gpu.return
  }
  gpu.func @no_schedule(%x: !x, %a: vector<2xbf16>, %n: index, %first: index,
      %phase: i32, %zero: vector<5x4xf32>, %sums: memref<vector<5x4xf32>>) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c15 = arith.constant 15 : index
    %r:3 = scf.for %k = %c0 to %c15 step %c1
        iter_args(%acc = %zero, %slot = %first, %parity = %phase)
        -> (vector<5x4xf32>, index, i32) {
      %m = mxfp4.wgmma %acc
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%slot]) columns 5 tokens(%n by 8) : vector<5x4xf32>, !x
      %done = mxfp4.wgmma_wait %m : vector<5x4xf32>
      scf.yield %done, %slot, %parity : vector<5x4xf32>, index, i32
    } {mxfp4.overlap}
    memref.store %r#0, %sums[] : memref<vector<5x4xf32>>
    gpu.return
  }
}
