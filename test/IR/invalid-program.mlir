// What the verifiers of the operations that give a kernel its structure refuse.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

// expected-error @below {{requires 2 to 64 slots, but got 1}}
func.func @ring(%r: !mxfp4.ring<1>)

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

// expected-error @below {{requires 2 to 64 slots, but got 65}}
func.func @cursor(%c: !mxfp4.cursor<65>)

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

// expected-error @below {{requires a step that divides its 9 slots, but got 2}}
func.func @cursor(%c: !mxfp4.cursor<9 by 2>)

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @buffer() {
  // expected-error @below {{requires a contiguous buffer of static shape in shared memory, but got 'memref<6xi32>'}}
  %b = mxfp4.shared_buffer at 0 : memref<6xi32>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @table(%t: memref<7xi32, #shared>, %o: memref<5xi32>, %r: i32) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<7xi32, #gpu.address_space<workgroup>>' and 'memref<5xi32>'}}
  mxfp4.build_tile_table %t offsets(%o) rows(%r) {schedule = #few}
      : memref<7xi32, #shared>, memref<5xi32>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @error_word(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %r: i32,
                      %e: memref<2xi32>) {
  // expected-error @below {{requires an error word of shape 1 and element type i32 in global memory, but got 'memref<2xi32>'}}
  mxfp4.build_tile_table %t offsets(%o) rows(%r) error(%e : memref<2xi32>)
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @count_of_too_many(%t: memref<7xi32, #shared>) {
  // expected-error @below {{requires a table of its 9223372036854775807 groups in shared memory and a positive number of columns, but got 'memref<7xi32, #gpu.address_space<workgroup>>' and 3}}
  %n = mxfp4.tile_count %t groups 9223372036854775807 columns 3 : memref<7xi32, #shared>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @count(%t: memref<7xi32, #shared>) {
  // expected-error @below {{requires a table of its 4 groups in shared memory and a positive number of columns, but got 'memref<7xi32, #gpu.address_space<workgroup>>' and 3}}
  %n = mxfp4.tile_count %t groups 4 columns 3 : memref<7xi32, #shared>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

// The table of other groups than the offsets'.
func.func @tiles(%t: memref<7xi32, #shared>, %o: memref<5xi32>, %i: index) {
  // expected-error @below {{requires a table in shared memory of the i32 that its schedule asks for (G+2, or 2G+3 where full tiles come first) and G+1 offsets in global memory, but got 'memref<7xi32, #gpu.address_space<workgroup>>' and 'memref<5xi32>'}}
  mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 4 columns 3
      {schedule = #few} : memref<7xi32, #shared>, memref<5xi32> {
  ^bb0(%e: index, %r: index, %v: index, %c: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @tiles(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                 %ids: memref<3xi32>) {
  // expected-error @below {{requires expert ids of shape 4 and element type i32 in global memory, but got 'memref<3xi32>'}}
  mxfp4.for_tiles %i to %i step %i in %t offsets(%o) expert_ids(%ids : memref<3xi32>) experts 4 columns 3
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32> {
  ^bb0(%e: index, %r: index, %v: index, %c: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @tiles(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                 %ids: memref<3xi32>) {
  // expected-error @below {{requires at least one expert and one column of tiles, but got 0 and 3}}
  mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 0 columns 3
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32> {
  ^bb0(%e: index, %r: index, %v: index, %c: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @tiles(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                 %ids: memref<3xi32>) {
  // expected-error @below {{requires a body that takes a tile (four indices) and the values that the loop carries ('index', 'index', 'index', 'index'), but got ('index', 'index', 'index')}}
  mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 4 columns 3
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32> {
  ^bb0(%e: index, %r: index, %v: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @carried(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index) {
  // expected-error @below {{requires a body that yields the values that the loop carries, which are its results ('index'), but yields () for results ('index')}}
  %r = mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 4 columns 3
      init(%i) -> index {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>, index {
  ^bb0(%e: index, %row: index, %v: index, %c: index, %at: index):
    mxfp4.yield
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @queue(%q: !mxfp4.ring<2>, %f: memref<3x4xi32, #shared>) {
  // expected-error @below {{requires a queue of 2 x 4 i32 in shared memory, as its ring has slots, but got 'memref<3x4xi32, #gpu.address_space<workgroup>>'}}
  mxfp4.take_tiles %q[%f] : !mxfp4.ring<2>, memref<3x4xi32, #shared> {
  ^bb0(%e: index, %row: index, %v: index, %c: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @counter(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                   %q: !mxfp4.ring<2>, %f: memref<2x4xi32, #shared>,
                   %n: memref<1xi32>) {
  // expected-error @below {{requires a counter of shape 2 and element type i32 in global memory, but got 'memref<1xi32>'}}
  mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 4 columns 3
      to %q[%f] counter(%n : memref<1xi32>) {schedule = #few}
      : memref<6xi32, #shared>, memref<5xi32>, !mxfp4.ring<2>,
      memref<2x4xi32, #shared>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires at least one step, but has 0}}
  mxfp4.k_loop to 0 {schedule = #few} {
  ^bb0(%s: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires a cursor of its ring, which goes on by the 1 K slices of the schedule}}
  %e = mxfp4.k_loop to 4 fills %r at %c9 {schedule = #few} : !mxfp4.ring<6>, !mxfp4.cursor<9> {
  ^bb0(%s: index, %at: !mxfp4.cursor<9>):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires the number of a K slice where a schedule of several meets a ring, and nowhere else}}
  %e = mxfp4.k_loop to 4 fills %r9 at %c3 {schedule = #three} : !mxfp4.ring<9>, !mxfp4.cursor<9 by 3> {
  ^bb0(%s: index, %at: !mxfp4.cursor<9 by 3>):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires the number of a K slice where a schedule of several meets a ring, and nowhere else}}
  %e = mxfp4.k_loop to 4 slice(%i) fills %r at %c {schedule = #few} : !mxfp4.ring<6>, !mxfp4.cursor<6> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires a step for each of 3 K slices, but has 2}}
  mxfp4.k_loop to 2 {schedule = #three} {
  ^bb0(%s: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires a body that takes the number of the step, with a ring the cursor, and the carried values ('index', '!mxfp4.cursor<6>'), but got ('index')}}
  %e = mxfp4.k_loop to 2 fills %r at %c {schedule = #few} : !mxfp4.ring<6>, !mxfp4.cursor<6> {
  ^bb0(%s: index):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{requires a body that yields the carried values; these, and with a ring the cursor, are the results, but yields ('index') for results ('vector<1x1x4xf32>', '!mxfp4.cursor<6>')}}
  %e:2 = mxfp4.k_loop to 2 fills %r at %c init(%v) {schedule = #few} : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
    mxfp4.yield %i : index
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @loop(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %c9: !mxfp4.cursor<9>,
                %r9: !mxfp4.ring<9>, %c3: !mxfp4.cursor<9 by 3>, %i: index,
                %v: vector<1x1x4xf32>) {
  // expected-error @below {{that drains a ring requires one mxfp4.tile_matmul or mxfp4.block_matmul in its body}}
  %e = mxfp4.k_loop to 2 drains %r at %c {schedule = #few} : !mxfp4.ring<6>, !mxfp4.cursor<6> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>):
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @together(%r: !mxfp4.ring<6>) {
  // expected-error @below {{requires a ring and a cursor together}}
  "mxfp4.k_loop"(%r) <{operandSegmentSizes = array<i32: 0, 1, 0, 0>,
      schedule = #few, steps = 2 : i64}> ({
  ^bb0(%s: index):
    mxfp4.yield
  }) : (!mxfp4.ring<6>) -> ()
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>
func.func @blocks(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %w: !w, %x: !x,
                  %n: index, %v: vector<1x1x4xf32>, %a: vector<2xbf16>) {
  %e:2 = mxfp4.k_loop to 2 drains %r at %c init(%v) {schedule = #few}
      : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<6>
    // expected-error @below {{requires a fetch region that takes the slot and the number of the block (two indices), but got ('index')}}
    %m = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%t: index):
      mxfp4.yield %t : index
    } decode {
    ^bb0(%raw: index):
      mxfp4.yield
    } multiply {
    ^bb0(%t: index, %q: vector<1x4xf32>):
      %p = mxfp4.wgmma %q a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%t]) columns 1 tokens(%n by 8) : vector<1x4xf32>, !x
      mxfp4.yield %p : vector<1x4xf32>
    } : vector<1x1x4xf32>
    mxfp4.yield %m : vector<1x1x4xf32>
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>
func.func @blocks(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %w: !w, %x: !x,
                  %n: index, %v: vector<1x1x4xf32>, %a: vector<2xbf16>) {
  %e:2 = mxfp4.k_loop to 2 drains %r at %c init(%v) {schedule = #few}
      : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<6>
    // expected-error @below {{requires a decode region that takes what the fetch region yields ('index'), but got ('i32')}}
    %m = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%t: index, %i: index):
      mxfp4.yield %t : index
    } decode {
    ^bb0(%raw: i32):
      mxfp4.yield
    } multiply {
    ^bb0(%t: index, %q: vector<1x4xf32>):
      %p = mxfp4.wgmma %q a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%t]) columns 1 tokens(%n by 8) : vector<1x4xf32>, !x
      mxfp4.yield %p : vector<1x4xf32>
    } : vector<1x1x4xf32>
    mxfp4.yield %m : vector<1x1x4xf32>
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>
func.func @blocks(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %w: !w, %x: !x,
                  %n: index, %v: vector<1x1x4xf32>, %a: vector<2xbf16>) {
  %e:2 = mxfp4.k_loop to 2 drains %r at %c init(%v) {schedule = #few}
      : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<6>
    // expected-error @below {{requires a multiply region that takes the slot, the sums of a block and what the decode region yields ('index', 'vector<1x4xf32>'), but got ('index', 'vector<1x4xf32>', 'index')}}
    %m = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%t: index, %i: index):
      mxfp4.yield %t : index
    } decode {
    ^bb0(%raw: index):
      mxfp4.yield
    } multiply {
    ^bb0(%t: index, %q: vector<1x4xf32>, %extra: index):
      %p = mxfp4.wgmma %q a(%a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a, %a)
          b(%x[%t]) columns 1 tokens(%n by 8) : vector<1x4xf32>, !x
      mxfp4.yield %p : vector<1x4xf32>
    } : vector<1x1x4xf32>
    mxfp4.yield %m : vector<1x1x4xf32>
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>
func.func @blocks(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<6>, %w: !w, %x: !x,
                  %n: index, %v: vector<1x1x4xf32>, %a: vector<2xbf16>) {
  %e:2 = mxfp4.k_loop to 2 drains %r at %c init(%v) {schedule = #few}
      : !mxfp4.ring<6>, !mxfp4.cursor<6>, vector<1x1x4xf32> {
  ^bb0(%s: index, %at: !mxfp4.cursor<6>, %sums: vector<1x1x4xf32>):
    %slot = mxfp4.ring_slot %at : !mxfp4.cursor<6>
    // expected-error @below {{requires a multiply region that yields the result of one mxfp4.wgmma on the sums of the block}}
    %m = mxfp4.block_matmul %sums at [%slot] fetch {
    ^bb0(%t: index, %i: index):
      mxfp4.yield %t : index
    } decode {
    ^bb0(%raw: index):
      mxfp4.yield
    } multiply {
    ^bb0(%t: index, %q: vector<1x4xf32>):
      %p = arith.addf %q, %q : vector<1x4xf32>
      mxfp4.yield %p : vector<1x4xf32>
    } : vector<1x1x4xf32>
    mxfp4.yield %m : vector<1x1x4xf32>
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @alone(%v: vector<1x1x4xf32>, %s: index) {
  // expected-error @below {{requires a mxfp4.k_loop around it that drains a ring}}
  %m = mxfp4.block_matmul %v at [%s] fetch {
  ^bb0(%t: index, %i: index):
    mxfp4.yield
  } decode {
    mxfp4.yield
  } multiply {
  ^bb0(%t: index, %q: vector<1x4xf32>):
    mxfp4.yield %q : vector<1x4xf32>
  } : vector<1x1x4xf32>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @roles() {
  mxfp4.warp_roles {
    // expected-error @below {{has no place in mxfp4.warp_roles, which holds mxfp4.role only}}
    %c = arith.constant 0 : index
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @roles() {
  // expected-error @below {{requires at least two roles, but has 1}}
  mxfp4.warp_roles {
    mxfp4.role "multiply" warps 4 {
    ^bb0(%warp: index):
    }
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @roles() {
  mxfp4.warp_roles {
    // expected-error @below {{requires a body that takes the number of the warp within the role (index), but got ('i32')}}
    mxfp4.role "a" warps 1 {
    ^bb0(%warp: i32):
    }
    mxfp4.role "b" warps 1 {
    ^bb0(%warp: index):
    }
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @roles() {
  mxfp4.warp_roles {
    // expected-error @below {{requires 1 to 32 warps, but has 0}}
    mxfp4.role "a" warps 0 {
    ^bb0(%warp: index):
    }
    mxfp4.role "b" warps 1 {
    ^bb0(%warp: index):
    }
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @roles() {
  mxfp4.warp_roles {
    // expected-error @below {{requires 1 to 32 warps, but has 33}}
    mxfp4.role "a" warps 33 {
    ^bb0(%warp: index):
    }
    mxfp4.role "b" warps 1 {
    ^bb0(%warp: index):
    }
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @roles() {
  mxfp4.warp_roles {
    // expected-error @below {{requires a multiple of 8 from 24 to 256 registers per thread, but has 25}}
    mxfp4.role "a" warps 4 registers 25 {
    ^bb0(%warp: index):
    }
    mxfp4.role "b" warps 1 {
    ^bb0(%warp: index):
    }
  }
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @ring(%f: memref<6xi64, #shared>, %g: memref<6xi64>) {
  // expected-error @below {{requires a barrier in shared memory for each of its 5 slots, but got 'memref<6xi64, #gpu.address_space<workgroup>>'}}
  %r = mxfp4.create_ring full(%f) empty(%f) fills 1 releases 1
      : memref<6xi64, #shared> -> !mxfp4.ring<5>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @ring(%f: memref<6xi64, #shared>) {
  // expected-error @below {{requires counts of at least 1, and at most 1048575, but got 0}}
  %r = mxfp4.create_ring full(%f) empty(%f) fills 0 releases 1
      : memref<6xi64, #shared> -> !mxfp4.ring<6>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

// A barrier counts to 2^20 - 1, and not further.
func.func @most(%f: memref<6xi64, #shared>) {
  %r = mxfp4.create_ring full(%f) empty(%f) fills 1048575 releases 1048575
      : memref<6xi64, #shared> -> !mxfp4.ring<6>
  // expected-error @below {{requires counts of at least 1, and at most 1048575, but got 1048576}}
  %s = mxfp4.create_ring full(%f) empty(%f) fills 1 releases 1048576
      : memref<6xi64, #shared> -> !mxfp4.ring<6>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @start() {
  // expected-error @below {{requires the number of a K slice if the cursor goes on by several slots, and none otherwise, but has none with '!mxfp4.cursor<9 by 3>'}}
  %c = mxfp4.ring_start : !mxfp4.cursor<9 by 3>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @next(%c: !mxfp4.cursor<9>, %s: index) {
  // expected-error @below {{requires the number of a K slice if the cursor goes on by several slots, and none otherwise, but has one with '!mxfp4.cursor<9>'}}
  %d = mxfp4.ring_next %c slice(%s) : !mxfp4.cursor<9>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @access(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<9>, %n: i32) {
  // expected-error @below {{requires a cursor of its ring, but got '!mxfp4.cursor<9>' in '!mxfp4.ring<6>'}}
  mxfp4.ring_acquire %r[%c] : !mxfp4.ring<6>, !mxfp4.cursor<9>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @access(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<9>, %n: i32) {
  // expected-error @below {{requires a cursor of its ring, but got '!mxfp4.cursor<9>' in '!mxfp4.ring<6>'}}
  mxfp4.ring_wait %r[%c] : !mxfp4.ring<6>, !mxfp4.cursor<9>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @access(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<9>, %n: i32) {
  // expected-error @below {{requires a cursor of its ring, but got '!mxfp4.cursor<9>' in '!mxfp4.ring<6>'}}
  mxfp4.ring_release %r[%c] : !mxfp4.ring<6>, !mxfp4.cursor<9>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#three = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
#shared = #gpu.address_space<workgroup>

func.func @access(%r: !mxfp4.ring<6>, %c: !mxfp4.cursor<9>, %n: i32) {
  // expected-error @below {{requires a cursor of its ring, but got '!mxfp4.cursor<9>' in '!mxfp4.ring<6>'}}
  mxfp4.ring_fill %r[%c] bytes(%n) : !mxfp4.ring<6>, !mxfp4.cursor<9>
  return
}

// -----

#full = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 8, copy_warps = 2, full_tiles_first = true>
#shared = #gpu.address_space<workgroup>

func.func @first_of_two_lists(%t: memref<11xi32, #shared>, %o: memref<5xi32>,
                              %i: index, %q: !mxfp4.ring<2>,
                              %f: memref<2x4xi32, #shared>) {
  // expected-error @below {{requires a schedule without full_tiles_first, wide_from and copies_ahead, but got #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64, warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1, token_step = 8, copy_warps = 2, full_tiles_first = true>}}
  mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
      {schedule = #full} : memref<11xi32, #shared>, memref<5xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#ahead = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copies_ahead = true>
#shared = #gpu.address_space<workgroup>

func.func @first_ahead(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                       %q: !mxfp4.ring<2>, %f: memref<2x4xi32, #shared>) {
  // expected-error @below {{requires a schedule without full_tiles_first, wide_from and copies_ahead, but got #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8, warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1, copies_ahead = true>}}
  mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
      {schedule = #ahead} : memref<6xi32, #shared>, memref<5xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#halves = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2, copy_warps = 2, half_tiles = true>
#shared = #gpu.address_space<workgroup>

func.func @first_of_many_groups(%t: memref<259xi32, #shared>,
                                %o: memref<258xi32>, %i: index,
                                %q: !mxfp4.ring<2>,
                                %f: memref<2x4xi32, #shared>) {
  // expected-error @below {{requires at most 256 groups for half_tiles, but has 257}}
  mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
      {schedule = #halves} : memref<259xi32, #shared>, memref<258xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

func.func @first_of_no_column(%t: memref<6xi32, #shared>, %o: memref<5xi32>,
                              %i: index, %q: !mxfp4.ring<2>,
                              %f: memref<2x4xi32, #shared>) {
  // expected-error @below {{requires at least one column of tiles, but got 0}}
  mxfp4.hand_out_first %i in %t offsets(%o) columns 0 to %q[%f]
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

func.func @first_to_no_queue(%t: memref<6xi32, #shared>, %o: memref<5xi32>,
                             %i: index, %q: !mxfp4.ring<2>,
                             %f: memref<2x3xi32, #shared>) {
  // expected-error @below {{requires a queue of 2 x 4 i32 in shared memory, as its ring has slots, but got 'memref<2x3xi32, #gpu.address_space<workgroup>>'}}
  mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>,
      !mxfp4.ring<2>, memref<2x3xi32, #shared>
  return
}

// -----

#full = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 64,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 8, copy_warps = 2, full_tiles_first = true>

func.func @guess_of_two_lists(%o: memref<5xi32>, %i: index) {
  // expected-error @below {{requires a schedule without full_tiles_first, wide_from and copies_ahead}}
  mxfp4.guess_first %i lane %i offsets(%o) columns 3 {schedule = #full}
      : memref<5xi32>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>

func.func @guess_of_many_groups(%o: memref<1026xi32>, %i: index) {
  // expected-error @below {{requires offsets of 1 to 1024 groups, of element type i32 in global memory, but got 'memref<1026xi32>'}}
  mxfp4.guess_first %i lane %i offsets(%o) columns 3 {schedule = #few}
      : memref<1026xi32>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>

func.func @guess_of_any_groups(%o: memref<?xi32>, %i: index) {
  // expected-error @below {{requires offsets of 1 to 1024 groups, of element type i32 in global memory, but got 'memref<?xi32>'}}
  mxfp4.guess_first %i lane %i offsets(%o) columns 3 {schedule = #few}
      : memref<?xi32>
  return
}

// -----

func.func @early_half(%o: memref<4xi16>, %i: index) {
  // expected-error @below {{requires words of rank 1 and element type i32 in global memory, but got 'memref<4xi16>'}}
  mxfp4.load_early %o[%i] : memref<4xi16>
  return
}
