// Kernels marked for wgmma that are not as mxfp4-tile builds them.
//
// RUN: mxfp4-opt %s --mxfp4-specialize-warps --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// A loop over K without a loop over tiles around it.

gpu.module @kernels {
  gpu.func @no_tiles(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    %tile = arith.constant 0 : index
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires a loop over tiles around it, directly in the kernel}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// A loop over tiles that only some threads may reach: barriers would wait for
// the others.

gpu.module @kernels {
  gpu.func @tiles_in_a_branch(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>, %some: i1)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.if %some { scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires a loop over tiles around it, directly in the kernel}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    } }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// Two loops over K are two tiles.

gpu.module @kernels {
  gpu.func @two_loops_over_k(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>, %some: i1)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %other = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      // expected-error @below {{requires to be the only loop over K in its loop over tiles}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// A tensor map takes the place of an argument, so there must be one.

gpu.module @kernels {
  // expected-error @below {{requires activations that are an argument of the kernel}}
  gpu.func @activations(%w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    %x = memref.alloc() : memref<16x576xbf16>
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<16x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// What stands in the loop over tiles: the roles share it out.

gpu.module @kernels {
  gpu.func @no_tile(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    // expected-error @below {{requires a body that finds its tile (mxfp4.locate_tile), loops over K, perhaps in a branch, and stores its sums (mxfp4.store_tile)}}
    scf.for %tile = %c0 to %c9 step %c1 {
      %double = arith.addi %tile, %tile : index
      %e, %row, %n, %column = mxfp4.locate_tile %c0 in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @no_store(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    // expected-error @below {{requires a body that finds its tile (mxfp4.locate_tile), loops over K, perhaps in a branch, and stores its sums (mxfp4.store_tile)}}
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// The loop over K in a branch in a branch: positions would not come out.

gpu.module @kernels {
  gpu.func @nest(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>, %some: i1)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    // expected-error @below {{requires a body that finds its tile (mxfp4.locate_tile), loops over K, perhaps in a branch, and stores its sums (mxfp4.store_tile)}}
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.if %some -> (vector<1x2x4xf32>) {
        %t = scf.if %some -> (vector<1x2x4xf32>) {
          %s = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
              -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
            scf.yield %m : vector<1x2x4xf32>
          } {mxfp4.stages = 3 : i64}
          scf.yield %s : vector<1x2x4xf32>
        } else {
          scf.yield %zero : vector<1x2x4xf32>
        }
        scf.yield %t : vector<1x2x4xf32>
      } else {
        scf.yield %zero : vector<1x2x4xf32>
      }
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @other_branch(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>, %some: i1)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    // expected-error @below {{requires a body that finds its tile (mxfp4.locate_tile), loops over K, perhaps in a branch, and stores its sums (mxfp4.store_tile)}}
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.if %some -> (vector<1x2x4xf32>) {
        scf.yield %zero : vector<1x2x4xf32>
      } else {
        %s = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
            -> (vector<1x2x4xf32>) {
          mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
              : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
          mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
              : memref<?x576xbf16> to !x
          %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
              {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
          scf.yield %m : vector<1x2x4xf32>
        } {mxfp4.stages = 3 : i64}
        scf.yield %s : vector<1x2x4xf32>
      }
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// What stands in the loop over K: the roles share that out, too.

gpu.module @kernels {
  gpu.func @no_weights(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires one copy of activations, one of weights, one mxfp4.tile_matmul and its accumulator}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @no_activations(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires one copy of activations, one of weights, one mxfp4.tile_matmul and its accumulator}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @no_matmul(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires one copy of activations, one of weights, one mxfp4.tile_matmul and its accumulator}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        scf.yield %acc : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>
#other = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 4>

// The barriers are those of the kernel's schedule.

gpu.module @kernels {
  gpu.func @schedules(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        // expected-error @below {{requires the schedule of its kernel, and as many slots as it has stages}}
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #other} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 4, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @stages(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        // expected-error @below {{requires the schedule of its kernel, and as many slots as it has stages}}
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2>
!w = memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<6x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// Nine steps, two slices.

gpu.module @kernels {
  gpu.func @odd_steps(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires a constant number of steps that 2 K slices share evenly}}
      %sum = scf.for %k = %c0 to %c9 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  k_slices = 2>
!w = memref<6x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<6x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

gpu.module @kernels {
  gpu.func @unknown_steps(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>,
      %steps: index)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires a constant number of steps that 2 K slices share evenly}}
      %sum = scf.for %k = %c0 to %steps step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 16,
  warps_rows = 8, warps_tokens = 1, stages = 9, placement = register, ctas = 1,
  k_slices = 3>
!w = memref<9x2x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<9x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// Two steps, three slices of two warpgroups, which need not have as many.

gpu.module @kernels {
  gpu.func @too_few_steps(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 1 {schedule = #schedule} : !table, memref<3xi32>
      // expected-error @below {{requires a constant number of steps, one or more for each of 3 K slices}}
      %sum = scf.for %k = %c0 to %c2 step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 16,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 4>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!table = memref<4xi32, #gpu.address_space<workgroup>>

// Valid: how many steps there are may be known at run time only, and be none,
// where no K slices share them.

gpu.module @kernels {
  gpu.func @any_number_of_steps(%x: memref<?x576xbf16>, %w: memref<2x2x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x128xbf16>, %sw: !w, %sx: !x,
      %table: !table, %zero: vector<1x2x4xf32>, %steps: index)
      kernel attributes {mxfp4.schedule = #schedule} {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c9 = arith.constant 9 : index
    scf.for %tile = %c0 to %c9 step %c1 {
      %e, %row, %n, %column = mxfp4.locate_tile %tile in %table offsets(%o)
          experts 2 columns 2 {schedule = #schedule} : !table, memref<3xi32>
      %sum = scf.for %k = %c0 to %steps step %c1 iter_args(%acc = %zero)
          -> (vector<1x2x4xf32>) {
        mxfp4.copy_weights %w[%e, %column, %k] to %sw[%c0]
            : memref<2x2x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%n) to %sx[%c0]
            : memref<?x576xbf16> to !x
        %m = mxfp4.tile_matmul %acc, %sw, %sx at [%c0] tokens(%n)
            {schedule = #schedule} : vector<1x2x4xf32>, !w, !x
        scf.yield %m : vector<1x2x4xf32>
      } {mxfp4.stages = 3 : i64}
      mxfp4.store_tile %sum to %y[%row, %column] valid(%n)
          {schedule = #schedule} : vector<1x2x4xf32> to memref<?x128xbf16>
    }
    gpu.return
  }
}
