// What operations that bring rows refuse, and where memory to gather through has
// no place.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics

#shared = #gpu.address_space<workgroup>

func.func @one_row_is_longer(%x: memref<?x64xbf16>, %i: index,
    %b: memref<2x72xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires rows of a multiple of 16 bytes in global memory and rows of the same length and type, at least one, in shared memory, but got 'memref<?x64xbf16>' and}}
  mxfp4.bulk_copy_row %x[%i] to %b[%i] signal %f : memref<?x64xbf16>,
      memref<2x72xbf16, #shared>, memref<1xi64, #shared>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @not_whole_units(%t: memref<?x12xbf16>, %i: index, %n: i32,
    %b: memref<2x12xbf16, #shared>) {
  // expected-error @below {{requires rows of a multiple of 16 bytes in global memory}}
  mxfp4.bulk_store_rows %b to %t[%i] count %n
      : memref<2x12xbf16, #shared>, memref<?x12xbf16>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @barriers(%x: memref<?x64xbf16>, %i: index,
    %b: memref<2x64xbf16, #shared>, %f: memref<2xi64, #shared>) {
  // expected-error @below {{requires one barrier in shared memory, but got}}
  mxfp4.bulk_copy_row %x[%i] to %b[%i] signal %f : memref<?x64xbf16>,
      memref<2x64xbf16, #shared>, memref<2xi64, #shared>
  return
}

// -----

func.func @counters(%s: memref<2x2xi32>, %i: index, %n: i32) {
  // expected-error @below {{requires counters of rank 1 and element type i32 in global memory, but got 'memref<2x2xi32>'}}
  mxfp4.wait_count %s[%i] reaches %n : memref<2x2xi32>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @three_at_a_time(%x: memref<?x64xbf16>, %map: memref<?xi32>,
    %o: memref<3xi32>, %s: memref<1028xi32>, %n: i32,
    %b: memref<3x64xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires a buffer of rows that blocks of 64 rows consist of, but got 3}}
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %x counting %s by %b
      signal %f : memref<?x64xbf16>, memref<?xi32>, memref<3xi32>,
      memref<?x64xbf16>, memref<1028xi32>, memref<3x64xbf16, #shared>,
      memref<1xi64, #shared>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @no_row_at_a_time(%x: memref<?x64xbf16>, %map: memref<?xi32>,
    %o: memref<3xi32>, %s: memref<1028xi32>, %n: i32,
    %b: memref<0x64xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires rows of a multiple of 16 bytes in global memory and rows of the same length and type, at least one, in shared memory}}
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %x counting %s by %b
      signal %f : memref<?x64xbf16>, memref<?xi32>, memref<3xi32>,
      memref<?x64xbf16>, memref<1028xi32>, memref<0x64xbf16, #shared>,
      memref<1xi64, #shared>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @no_row_to_store(%t: memref<?x64xbf16>, %i: index, %n: i32,
    %b: memref<0x64xbf16, #shared>) {
  // expected-error @below {{rows of the same length and type, at least one, in shared memory}}
  mxfp4.bulk_store_rows %b to %t[%i] count %n
      : memref<0x64xbf16, #shared>, memref<?x64xbf16>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @any_number_of_groups(%x: memref<?x64xbf16>, %map: memref<?xi32>,
    %o: memref<?xi32>, %s: memref<1028xi32>, %n: i32,
    %b: memref<2x64xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires offsets of a static number of groups, at least one, but got 'memref<?xi32>'}}
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %x counting %s by %b
      signal %f : memref<?x64xbf16>, memref<?xi32>, memref<?xi32>,
      memref<?x64xbf16>, memref<1028xi32>, memref<2x64xbf16, #shared>,
      memref<1xi64, #shared>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @no_group(%x: memref<?x64xbf16>, %map: memref<?xi32>,
    %o: memref<1xi32>, %s: memref<1028xi32>, %n: i32,
    %b: memref<2x64xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires offsets of a static number of groups, at least one, but got 'memref<1xi32>'}}
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %x counting %s by %b
      signal %f : memref<?x64xbf16>, memref<?xi32>, memref<1xi32>,
      memref<?x64xbf16>, memref<1028xi32>, memref<2x64xbf16, #shared>,
      memref<1xi64, #shared>
  return
}

// -----

#shared = #gpu.address_space<workgroup>

func.func @seven_error_words(%x: memref<?x64xbf16>, %map: memref<?xi32>,
    %o: memref<3xi32>, %s: memref<1028xi32>, %n: i32, %e: memref<7xi32>,
    %b: memref<2x64xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires an error word of shape 1 and element type i32 in global memory, but got 'memref<7xi32>'}}
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %x counting %s by %b
      signal %f error(%e : memref<7xi32>) : memref<?x64xbf16>, memref<?xi32>,
      memref<3xi32>, memref<?x64xbf16>, memref<1028xi32>,
      memref<2x64xbf16, #shared>, memref<1xi64, #shared>
  return
}

// -----

func.func @without_a_gather(%x: memref<?x64xbf16>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %s: memref<1028xi32>) {
  // expected-error @below {{requires rows to gather and a workspace for memory that rows are gathered through}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      through(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<1028xi32>)
  return
}

// -----

func.func @a_small_workspace(%x: memref<?x64xbf16>, %g: memref<?xi32>,
    %w: memref<2x1x1x!mxfp4.block<spread, folded>>, %o: memref<3xi32>,
    %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  // expected-error @below {{requires a workspace of shape 1028}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%g : memref<?xi32>) through(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>)
  return
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 2, bring_bytes = 256>

func.func @a_schedule_that_brings_to_nowhere(%x: memref<?x64xbf16>,
    %g: memref<?xi32>, %w: memref<2x1x1x!mxfp4.block<spread, folded>>,
    %o: memref<3xi32>, %y: memref<?x64xbf16>, %s: memref<2xi32>) {
  // expected-error @below {{has a schedule that cannot run: it requires memory to gather through for bring_bytes: without it no warp brings rows}}
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      gather(%g : memref<?xi32>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%s : memref<2xi32>) {schedule = #schedule}
  return
}
