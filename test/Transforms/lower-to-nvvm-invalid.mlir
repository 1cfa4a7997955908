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
    %r = mxfp4.tile_matmul %acc, %w, %x at [%at] tokens(%at)
        {schedule = #schedule} : vector<1x1x4xf32>, !w, !x
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

gpu.module @copies_of_threads {
  gpu.func @kernel(%map: !mxfp4.tensor_map<16>,
                   %stage: memref<2x16x64xbf16, #gpu.address_space<workgroup>>,
                   %at: index) kernel attributes {known_block_size = array<i32: 128, 1, 1>} {
    // expected-error @below {{requires memory that threads copy from, but got a tensor map; run mxfp4-specialize-warps first}}
    // expected-error @below {{failed to legalize operation 'mxfp4.copy_activations'}}
    mxfp4.copy_activations %map[%at, %at] valid(%at) to %stage[%at]
        : !mxfp4.tensor_map<16>
        to memref<2x16x64xbf16, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

gpu.module @block_size {
  gpu.func @kernel(%w: memref<2x2x2x!mxfp4.block<spread, folded>>,
                   %sw: memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>,
                   %at: index) kernel {
    // expected-error @below {{requires a kernel with a known block size of whole warps}}
    // expected-error @below {{failed to legalize operation 'mxfp4.copy_weights'}}
    mxfp4.copy_weights %w[%at, %at, %at] to %sw[%at]
        : memref<2x2x2x!mxfp4.block<spread, folded>>
        to memref<3x1x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

// Warps share the slots: with less than one the work would have no end.

gpu.module @half_a_warp {
  gpu.func @kernel()
      workgroup(%full: memref<3xi64, #gpu.address_space<workgroup>>) kernel
      attributes {known_block_size = array<i32: 16, 1, 1>} {
    // expected-error @below {{requires a kernel with a known block size of whole warps}}
    // expected-error @below {{failed to legalize operation 'mxfp4.init_barriers'}}
    mxfp4.init_barriers %full count 1
        : memref<3xi64, #gpu.address_space<workgroup>>
    gpu.return
  }
}

// -----

// Counters add, the error word gathers bits: kernels have no other atomics.

gpu.module @atomic {
  gpu.func @kernel(%y: memref<1xi32>, %v: i32) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{failed to legalize operation 'memref.atomic_rmw'}}
    %old = memref.atomic_rmw maxu %v, %y[%c0] : (i32, memref<1xi32>) -> i32
    gpu.return
  }
}

// -----

// A bare pointer does not carry sizes or strides.

gpu.module @dynamic_rows {
  gpu.func @kernel(%y: memref<?x?xi32>, %v: i32) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{requires contiguous memory of static sizes but the first, but got 'memref<?x?xi32>'}}
    // expected-error @below {{failed to legalize operation 'memref.store'}}
    memref.store %v, %y[%c0, %c0] : memref<?x?xi32>
    gpu.return
  }
}

// -----

gpu.module @strided {
  gpu.func @kernel(%y: memref<4xi32, strided<[2]>>, %v: i32) kernel {
    %c0 = arith.constant 0 : index
    // expected-error @below {{requires contiguous memory of static sizes but the first, but got 'memref<4xi32, strided<[2]>>'}}
    // expected-error @below {{failed to legalize operation 'memref.atomic_rmw'}}
    %old = memref.atomic_rmw addi %v, %y[%c0]
        : (i32, memref<4xi32, strided<[2]>>) -> i32
    gpu.return
  }
}

// -----

// What is called would have a stack and a signature of its own.

gpu.module @no_kernel {
  // expected-error @below {{requires a kernel without private attributions}}
  gpu.func @function(%y: memref<?xi32>) {
    gpu.return
  }
}

// -----

gpu.module @private {
  // expected-error @below {{requires a kernel without private attributions}}
  gpu.func @kernel(%v: i32)
      private(%a: memref<4xi32, #gpu.address_space<private>>) kernel {
    gpu.return
  }
}

// -----

// An attribution becomes a variable of as many bytes.

gpu.module @dynamic_attribution {
  // expected-error @below {{requires workgroup attributions of a static number of integers or floats of whole bytes, but has 'memref<?xi32, #gpu.address_space<workgroup>>'}}
  gpu.func @kernel()
      workgroup(%a: memref<?xi32, #gpu.address_space<workgroup>>) kernel {
    gpu.return
  }
}

// -----

gpu.module @blocks_attribution {
  // expected-error @below {{requires workgroup attributions of a static number of integers or floats of whole bytes, but has 'memref<4x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>'}}
  gpu.func @kernel()
      workgroup(%a: memref<4x!mxfp4.block<spread, folded>, #gpu.address_space<workgroup>>)
      kernel {
    gpu.return
  }
}

// -----

gpu.module @bits_attribution {
  // expected-error @below {{requires workgroup attributions of a static number of integers or floats of whole bytes, but has 'memref<4xi1, #gpu.address_space<workgroup>>'}}
  gpu.func @kernel()
      workgroup(%a: memref<4xi1, #gpu.address_space<workgroup>>) kernel {
    gpu.return
  }
}

// -----

// A kernel that has the name of the shared memory does not become it.

gpu.module @same {
  // expected-error @below {{redefinition of symbol named 'same_shared'}}
  gpu.func @same_shared() kernel {
    %c0 = arith.constant 0 : index
    // expected-note @below {{see existing symbol definition here}}
    %all = gpu.dynamic_shared_memory : memref<?xi8, #gpu.address_space<workgroup>>
    %v = memref.load %all[%c0] : memref<?xi8, #gpu.address_space<workgroup>>
    memref.store %v, %all[%c0] : memref<?xi8, #gpu.address_space<workgroup>>
    gpu.return
  }
}
