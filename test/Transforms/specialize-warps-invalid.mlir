// Kernels marked for wgmma that are not as mxfp4-tile builds them.
//
// RUN: mxfp4-opt %s --mxfp4-specialize-warps --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A loop over K without a loop over tiles around it.

gpu.module @kernels {
  gpu.func @no_tiles(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %x: memref<?x576xbf16>, %sw: !w, %sx: !x, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    // expected-error @below {{requires a loop over tiles around it, directly in the kernel}}
    scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<1x2x4xf32>) {
      mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
          : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
      mxfp4.copy_activations %x[%c0, %k] valid(%c1) to %sx[%c0]
          : memref<?x576xbf16> to !x
      %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] {schedule = #schedule}
          : vector<1x2x4xf32>, !w, !x
      scf.yield %n : vector<1x2x4xf32>
    } {mxfp4.stages = 3 : i64}
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A loop over tiles that only some threads may reach: barriers would wait for
// the others.

gpu.module @kernels {
  gpu.func @tiles_in_a_branch(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %x: memref<?x576xbf16>, %sw: !w, %sx: !x, %zero: vector<1x2x4xf32>,
      %some: i1) kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.if %some {
      scf.for %tile = %c0 to %c9 step %c1 {
        // expected-error @below {{requires a loop over tiles around it, directly in the kernel}}
        scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<1x2x4xf32>) {
          mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
              : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
          mxfp4.copy_activations %x[%c0, %k] valid(%c1) to %sx[%c0]
              : memref<?x576xbf16> to !x
          %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] {schedule = #schedule}
              : vector<1x2x4xf32>, !w, !x
          scf.yield %n : vector<1x2x4xf32>
        } {mxfp4.stages = 3 : i64}
      }
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>

// A tensor map takes the place of an argument, so there must be one.

gpu.module @kernels {
  // expected-error @below {{requires activations that are an argument of the kernel}}
  gpu.func @activations(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %sw: !w, %sx: !x, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    %x = memref.alloc() : memref<16x576xbf16>
    scf.for %tile = %c0 to %c9 step %c1 {
      scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero) -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%c0, %c1, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%c0, %k] valid(%c1) to %sx[%c0]
            : memref<16x576xbf16> to !x
        %n = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] {schedule = #schedule}
            : vector<1x2x4xf32>, !w, !x
        scf.yield %n : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
    }
    gpu.return
  }
}
