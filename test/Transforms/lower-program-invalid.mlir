// Rows that no tile waits for.
//
// RUN: mxfp4-opt %s --mxfp4-lower-program --verify-diagnostics

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
