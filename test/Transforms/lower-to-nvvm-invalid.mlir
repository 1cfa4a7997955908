// What must be gone before, and what a kernel must have.
//
// RUN: mxfp4-opt %s --split-input-file --verify-diagnostics \
// RUN:   --pass-pipeline='builtin.module(gpu.module(mxfp4-lower-to-nvvm))'

#schedule = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 3, placement = register, ctas = 1>
!w = memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
!x = memref<3x8x64xbf16, #gpu.address_space<workgroup>>
gpu.module @tile_matmul {
  gpu.func @kernel(%w: !w, %x: !x, %at: index, %acc: vector<1x1x4xf32>,
                   %y: memref<?x64xf32>) kernel
      attributes {known_block_size = array<i32: 128, 1, 1>} {
    // expected-error @below {{failed to legalize operation 'mxfp4.tile_matmul'}}
    %r = mxfp4.tile_matmul %acc, %w, %x at [%at] {schedule = #schedule}
        : vector<1x1x4xf32>, !w, !x
    mxfp4.store_tile %r to %y[%at, %at] valid(%at) {schedule = #schedule}
        : vector<1x1x4xf32> to memref<?x64xf32>
    gpu.return
  }
}

// -----

gpu.module @decode {
  gpu.func @kernel(%y: memref<4xvector<2xbf16>>, %c: i32) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{failed to legalize operation 'mxfp4.decode'}}
    %r:4 = mxfp4.decode %c, %c step 0 : !mxfp4.block<spread, folded>
    memref.store %r#0, %y[%c0] : memref<4xvector<2xbf16>>
    gpu.return
  }
}

// -----

gpu.module @block_size {
  gpu.func @kernel(%w: memref<2x2x2x!mxfp4.block<spread, folded>>,
                   %sw: memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
                   %at: index) kernel {
    // expected-error @below {{requires a kernel with a known block size}}
    // expected-error @below {{failed to legalize operation 'mxfp4.copy_weights'}}
    mxfp4.copy_weights %w[%at, %at, %at] to %sw[%at]
        : memref<2x2x2x!mxfp4.block<spread, folded>>
        to memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @atomic {
  gpu.func @kernel(%y: memref<1xi32>, %v: i32) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{failed to legalize operation 'memref.atomic_rmw'}}
    %old = memref.atomic_rmw addi %v, %y[%c0] : (i32, memref<1xi32>) -> i32
    gpu.return
  }
}
