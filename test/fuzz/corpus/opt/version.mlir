// builtin.module(gpu.module(mxfp4-version-loops))
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  token_step = 8, k_slices = 3>
!x = memref<9x32x64xbf16, #gpu.address_space<workgroup>>
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
}
