// Loops over tiles that cannot be split into roles. What the operations verify
// by themselves is in test/IR/invalid-program.mlir.
//
// RUN: mxfp4-opt %s --mxfp4-specialize-warps --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>

gpu.module @kernels {
  gpu.func @k(%x: !mxfp4.tensor_map<8>, %w: memref<2x1x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x64xbf16>, %t: memref<4xi32, #shared>,
      %sw: !w, %sx: !x, %i: index, %zero: vector<1x1x4xf32>) kernel {
    // expected-error @below {{requires one mxfp4.k_loop and one mxfp4.store_tile in its body, and to carry nothing, to be split into roles}}
    mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
        {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
    ^bb0(%e: index, %row: index, %rows: index, %c: index):
      %sum = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
          : vector<1x1x4xf32> {
      ^bb0(%k: index, %acc: vector<1x1x4xf32>):
        mxfp4.copy_weights %w[%e, %c, %k] to %sw[%i]
            : memref<2x1x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%rows) to %sx[%i] : !mxfp4.tensor_map<8> to !x
        %n = mxfp4.tile_matmul %acc, %sw, %sx at [%i] tokens(%rows)
            {schedule = #schedule} : vector<1x1x4xf32>, !w, !x
        mxfp4.yield %n : vector<1x1x4xf32>
      }
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>

gpu.module @kernels {
  gpu.func @k(%x: !mxfp4.tensor_map<8>, %w: memref<2x1x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x64xbf16>, %t: memref<4xi32, #shared>,
      %sw: !w, %sx: !x, %i: index, %zero: vector<1x1x4xf32>) kernel {
    mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
        {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
    ^bb0(%e: index, %row: index, %rows: index, %c: index):
      // expected-error @below {{requires no ring yet, one copy of activations, one of weights, one mxfp4.tile_matmul and its sums to be split into roles}}
      %sum = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
          : vector<1x1x4xf32> {
      ^bb0(%k: index, %acc: vector<1x1x4xf32>):
        mxfp4.copy_activations %x[%row, %k] valid(%rows) to %sx[%i] : !mxfp4.tensor_map<8> to !x
        %n = mxfp4.tile_matmul %acc, %sw, %sx at [%i] tokens(%rows)
            {schedule = #schedule} : vector<1x1x4xf32>, !w, !x
        mxfp4.yield %n : vector<1x1x4xf32>
      }
      mxfp4.store_tile %sum to %y[%row, %c] valid(%rows)
          {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>

gpu.module @kernels {
  gpu.func @k(%x: memref<?x576xbf16>, %w: memref<2x1x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x64xbf16>, %t: memref<4xi32, #shared>,
      %sw: !w, %sx: !x, %i: index, %zero: vector<1x1x4xf32>) kernel {
    mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
        {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
    ^bb0(%e: index, %row: index, %rows: index, %c: index):
      // expected-error @below {{requires activations behind a tensor map to be split into roles}}
      %sum = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
          : vector<1x1x4xf32> {
      ^bb0(%k: index, %acc: vector<1x1x4xf32>):
        mxfp4.copy_weights %w[%e, %c, %k] to %sw[%i]
            : memref<2x1x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%rows) to %sx[%i] : memref<?x576xbf16> to !x
        %n = mxfp4.tile_matmul %acc, %sw, %sx at [%i] tokens(%rows)
            {schedule = #schedule} : vector<1x1x4xf32>, !w, !x
        mxfp4.yield %n : vector<1x1x4xf32>
      }
      mxfp4.store_tile %sum to %y[%row, %c] valid(%rows)
          {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>

gpu.module @kernels {
  gpu.func @k(%x: !mxfp4.tensor_map<8>, %w: memref<2x1x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x64xbf16>, %t: memref<4xi32, #shared>,
      %sw: !w, %sx: !x, %i: index, %zero: vector<1x1x4xf32>) kernel {
    mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
        {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
    ^bb0(%e: index, %row: index, %rows: index, %c: index):
      %sum = scf.for %j = %i to %i step %i iter_args(%s = %zero) -> (vector<1x1x4xf32>) {
      // expected-error @below {{requires to be in its loop over tiles directly, or in branches that yield the sums}}
      %sums = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
          : vector<1x1x4xf32> {
      ^bb0(%k: index, %acc: vector<1x1x4xf32>):
        mxfp4.copy_weights %w[%e, %c, %k] to %sw[%i]
            : memref<2x1x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%rows) to %sx[%i] : !mxfp4.tensor_map<8> to !x
        %n = mxfp4.tile_matmul %acc, %sw, %sx at [%i] tokens(%rows)
            {schedule = #schedule} : vector<1x1x4xf32>, !w, !x
        mxfp4.yield %n : vector<1x1x4xf32>
      }
        scf.yield %sums : vector<1x1x4xf32>
      }
      mxfp4.store_tile %sum to %y[%row, %c] valid(%rows)
          {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xbf16>
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>
!w = memref<6x1x!mxfp4.block<spread, folded>, #shared>
!x = memref<6x8x64xbf16, #shared>

func.func @k(%x: !mxfp4.tensor_map<8>, %w: memref<2x1x9x!mxfp4.block<spread, folded>>,
      %o: memref<3xi32>, %y: memref<?x64xbf16>, %t: memref<4xi32, #shared>,
      %sw: !w, %sx: !x, %i: index, %zero: vector<1x1x4xf32>) {
    // expected-error @below {{requires a gpu.func around it}}
    mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
        {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
    ^bb0(%e: index, %row: index, %rows: index, %c: index):
      %sum = mxfp4.k_loop to 9 init(%zero) {schedule = #schedule}
          : vector<1x1x4xf32> {
      ^bb0(%k: index, %acc: vector<1x1x4xf32>):
        mxfp4.copy_weights %w[%e, %c, %k] to %sw[%i]
            : memref<2x1x9x!mxfp4.block<spread, folded>> to !w
        mxfp4.copy_activations %x[%row, %k] valid(%rows) to %sx[%i] : !mxfp4.tensor_map<8> to !x
        %n = mxfp4.tile_matmul %acc, %sw, %sx at [%i] tokens(%rows)
            {schedule = #schedule} : vector<1x1x4xf32>, !w, !x
        mxfp4.yield %n : vector<1x1x4xf32>
      }
      mxfp4.store_tile %sum to %y[%row, %c] valid(%rows)
          {schedule = #schedule} : vector<1x1x4xf32> to memref<?x64xbf16>
    }
    return
}
