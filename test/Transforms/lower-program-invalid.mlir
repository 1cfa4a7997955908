// Rows that no tile waits for, and a first tile that no table knows, or that is
// neither waited for nor counted.
//
// RUN: mxfp4-opt %s --mxfp4-lower-program --verify-diagnostics --split-input-file

#shared = #gpu.address_space<workgroup>

func.func @no_tiles(%x: memref<?x64xbf16>, %map: memref<?xi32>,
    %o: memref<3xi32>, %t: memref<?x64xbf16>, %s: memref<1028xi32>, %n: i32,
    %b: memref<2x64xbf16, #shared>, %f: memref<1xi64, #shared>) {
  // expected-error @below {{requires a mxfp4.hand_out_tiles in the same mxfp4.warp_roles that waits for rows with the same offsets and workspace}}
  mxfp4.bring_rows %x[%map] limit %n rows %n offsets(%o) to %t counting %s by %b
      signal %f : memref<?x64xbf16>, memref<?xi32>, memref<3xi32>,
      memref<?x64xbf16>, memref<1028xi32>, memref<2x64xbf16, #shared>,
      memref<1xi64, #shared>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

func.func @no_table(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
                    %q: !mxfp4.ring<2>, %f: memref<2x4xi32, #shared>) {
  // expected-error @below {{requires the mxfp4.build_tile_table of its table and offsets right in front of it}}
  mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
      {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>,
      !mxfp4.ring<2>, memref<2x4xi32, #shared>
  return
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

gpu.module @m {
  gpu.func @first_waits(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
      %n: i32, %q: !mxfp4.ring<2>, %f: memref<2x4xi32, #shared>,
      %c: memref<4xi32>) kernel {
    mxfp4.build_tile_table %t offsets(%o) rows(%n) {schedule = #few}
        : memref<6xi32, #shared>, memref<5xi32>
    mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
        {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>,
        !mxfp4.ring<2>, memref<2x4xi32, #shared>
    // expected-error @below {{waits for groups or counts them from the first tile on, but a mxfp4.hand_out_first hands that one out}}
    mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 4 columns 3
        to %q[%f] awaited(%c : memref<4xi32>) columns %n {schedule = #few}
        : memref<6xi32, #shared>, memref<5xi32>, !mxfp4.ring<2>,
        memref<2x4xi32, #shared>
    gpu.return
  }
}

// -----

#few = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

gpu.module @m {
  gpu.func @first_is_counted(%t: memref<6xi32, #shared>, %o: memref<5xi32>, %i: index,
      %n: i32, %q: !mxfp4.ring<2>, %f: memref<2x4xi32, #shared>,
      %c: memref<4xi32>) kernel {
    mxfp4.build_tile_table %t offsets(%o) rows(%n) {schedule = #few}
        : memref<6xi32, #shared>, memref<5xi32>
    mxfp4.hand_out_first %i in %t offsets(%o) columns 3 to %q[%f]
        {schedule = #few} : memref<6xi32, #shared>, memref<5xi32>,
        !mxfp4.ring<2>, memref<2x4xi32, #shared>
    // expected-error @below {{waits for groups or counts them from the first tile on, but a mxfp4.hand_out_first hands that one out}}
    mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 4 columns 3
        to %q[%f] stored(%c : memref<4xi32>) columns %n by %n {schedule = #few}
        : memref<6xi32, #shared>, memref<5xi32>, !mxfp4.ring<2>,
        memref<2x4xi32, #shared>
    gpu.return
  }
}
