// Loops over K whose decodes cannot overlap.
//
// RUN: mxfp4-opt %s --mxfp4-overlap-decode --split-input-file --verify-diagnostics

#shared = #gpu.address_space<workgroup>
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1>
!x = memref<9x16x64xbf16, #shared>
!w = memref<9x1x!mxfp4.block<spread, folded>, #shared>

func.func @tile_matmul(%w: !w, %x: !x, %a: vector<2xbf16>, %n: index, %i: index,
    %ring: !mxfp4.ring<9>, %start: !mxfp4.cursor<9>, %zero: vector<1x2x4xf32>) {
  // expected-error @below {{requires one mxfp4.block_matmul and its sums to overlap decoding; run mxfp4-insert-decode first}}
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #schedule} : !mxfp4.ring<9>, !mxfp4.cursor<9>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9>
    %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
        {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return
}

// -----

#shared = #gpu.address_space<workgroup>
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1>
!x = memref<9x16x64xbf16, #shared>
!w = memref<9x1x!mxfp4.block<spread, folded>, #shared>

func.func @no_tokens(%w: !w, %x: !x, %a: vector<2xbf16>, %n: index, %i: index,
    %ring: !mxfp4.ring<9>, %start: !mxfp4.cursor<9>, %zero: vector<1x2x4xf32>) {
  // expected-error @below {{requires a number of tokens from outside of it to overlap decoding}}
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #schedule} : !mxfp4.ring<9>, !mxfp4.cursor<9>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%s: index, %block: index):
      %place = arith.addi %block, %s : index
      mxfp4.yield %place : index
    } decode {
    ^bb0(%p: index):
      mxfp4.yield
    } multiply {
    ^bb0(%s: index, %part: vector<2x4xf32>):
      %m = mxfp4.wgmma %part
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%s]) columns 2 : vector<2x4xf32>, !x
      mxfp4.yield %m : vector<2x4xf32>
    } : vector<1x2x4xf32>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return
}

// -----

#shared = #gpu.address_space<workgroup>
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1>
!x = memref<9x16x64xbf16, #shared>
!w = memref<9x1x!mxfp4.block<spread, folded>, #shared>

func.func @tokens_inside(%w: !w, %x: !x, %a: vector<2xbf16>, %n: index, %i: index,
    %ring: !mxfp4.ring<9>, %start: !mxfp4.cursor<9>, %zero: vector<1x2x4xf32>) {
  // expected-error @below {{requires a number of tokens from outside of it to overlap decoding}}
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #schedule} : !mxfp4.ring<9>, !mxfp4.cursor<9>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%s: index, %block: index):
      %place = arith.addi %block, %s : index
      mxfp4.yield %place : index
    } decode {
    ^bb0(%p: index):
      mxfp4.yield
    } multiply {
    ^bb0(%s: index, %part: vector<2x4xf32>):
      %m = mxfp4.wgmma %part
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%s]) columns 2 tokens(%slot by 16) : vector<2x4xf32>, !x
      mxfp4.yield %m : vector<2x4xf32>
    } : vector<1x2x4xf32>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return
}

// -----

#shared = #gpu.address_space<workgroup>
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
!x = memref<9x16x64xbf16, #shared>
!w = memref<9x1x!mxfp4.block<spread, folded>, #shared>

func.func @uneven(%w: !w, %x: !x, %a: vector<2xbf16>, %n: index, %i: index,
    %ring: !mxfp4.ring<9>, %start: !mxfp4.cursor<9 by 3>, %zero: vector<1x2x4xf32>) {
  // expected-error @below {{requires a number of steps that its 3 K slices share evenly or in pairs to overlap decoding, but has 5}}
  %r:2 = mxfp4.k_loop to 5 slice(%i) drains %ring at %start init(%zero)
      {schedule = #schedule} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9 by 3>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9 by 3>
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%s: index, %block: index):
      %place = arith.addi %block, %s : index
      mxfp4.yield %place : index
    } decode {
    ^bb0(%p: index):
      mxfp4.yield
    } multiply {
    ^bb0(%s: index, %part: vector<2x4xf32>):
      %m = mxfp4.wgmma %part
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%s]) columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
      mxfp4.yield %m : vector<2x4xf32>
    } : vector<1x2x4xf32>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return
}

// -----

#shared = #gpu.address_space<workgroup>
#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1>
!x = memref<9x16x64xbf16, #shared>
!w = memref<9x1x!mxfp4.block<spread, folded>, #shared>

func.func @step(%w: !w, %x: !x, %a: vector<2xbf16>, %n: index, %i: index,
    %ring: !mxfp4.ring<9>, %start: !mxfp4.cursor<9>, %zero: vector<1x2x4xf32>) {
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #schedule} : !mxfp4.ring<9>, !mxfp4.cursor<9>, vector<1x2x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9>, %sums: vector<1x2x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9>
    // expected-error @below {{requires regions that use nothing from inside the loop over K that changes from step to step}}
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%s: index, %block: index):
      %place = arith.addi %block, %k : index
      mxfp4.yield %place : index
    } decode {
    ^bb0(%p: index):
      mxfp4.yield
    } multiply {
    ^bb0(%s: index, %part: vector<2x4xf32>):
      %m = mxfp4.wgmma %part
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%s]) columns 2 tokens(%n by 16) : vector<2x4xf32>, !x
      mxfp4.yield %m : vector<2x4xf32>
    } : vector<1x2x4xf32>
    mxfp4.yield %next : vector<1x2x4xf32>
  }
  return
}

// -----

// Of many sums that are promoted, a group has the fragments of half a step, which the pass
// finds where the decode region yields them.

#shared = #gpu.address_space<workgroup>
#schedule = #mxfp4.schedule<instruction = wgmma_fp8, rows = 64, tokens = 192,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1>
!x = memref<9x192x128xf8E4M3FN, #shared>

func.func @halves(%x: !x, %a: vector<4xf8E5M2>, %n: index,
    %ring: !mxfp4.ring<9>, %start: !mxfp4.cursor<9>, %zero: vector<1x24x4xf32>) {
  %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%zero)
      {schedule = #schedule} : !mxfp4.ring<9>, !mxfp4.cursor<9>, vector<1x24x4xf32> {
  ^bb0(%k: index, %at: !mxfp4.cursor<9>, %sums: vector<1x24x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<9>
    // expected-error @below {{requires fragments that are decoded without effects, each half of them from as many words, and multiplied as they are, to overlap decoding with sums that are promoted}}
    %next = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%s: index, %block: index):
      %place = arith.addi %block, %s : index
      mxfp4.yield %place : index
    } decode {
    ^bb0(%p: index):
      mxfp4.yield
    } multiply {
    ^bb0(%s: index, %part: vector<24x4xf32>):
      %m = mxfp4.wgmma %part
          a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a : vector<4xf8E5M2>)
          b(%x[%s]) columns 24 tokens(%n by 192) : vector<24x4xf32>, !x
      mxfp4.yield %m : vector<24x4xf32>
    } {accumulation = #mxfp4.accumulation<promoted 512>} : vector<1x24x4xf32>
    mxfp4.yield %next : vector<1x24x4xf32>
  }
  return
}
