// Roles that cannot take their tiles from a queue.
//
// RUN: mxfp4-opt %s --mxfp4-share-tiles --split-input-file --verify-diagnostics

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

gpu.module @kernels {
  gpu.func @a_role_without_tiles(%o: memref<3xi32>,
      %t: memref<4xi32, #shared>, %i: index) kernel {
    // expected-error @below {{requires a gpu.func around it and a mxfp4.for_tiles in each role to share tiles}}
    mxfp4.warp_roles {
      mxfp4.role "one" warps 4 {
      ^bb0(%warp: index):
        mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
            {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
        ^bb0(%e: index, %row: index, %rows: index, %c: index):
        }
      }
      mxfp4.role "other" warps 1 {
      ^bb0(%warp: index):
      }
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

gpu.module @kernels {
  // expected-error @below {{requires its argument "workspace" to have type 'memref<2xi32>', but got 'memref<3xi32>'}}
  gpu.func @workspace(%o: memref<3xi32>, %s: memref<3xi32> {mxfp4.arg = #mxfp4.arg<workspace by launcher align 4>},
      %t: memref<4xi32, #shared>, %i: index) kernel {
    mxfp4.warp_roles {
      mxfp4.role "one" warps 4 {
      ^bb0(%warp: index):
        mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
            {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
        ^bb0(%e: index, %row: index, %rows: index, %c: index):
        }
      }
      mxfp4.role "other" warps 1 {
      ^bb0(%warp: index):
        mxfp4.for_tiles %i to %i step %i in %t offsets(%o) experts 2 columns 1
            {schedule = #schedule} : memref<4xi32, #shared>, memref<3xi32> {
        ^bb0(%e: index, %row: index, %rows: index, %c: index):
        }
      }
    }
    gpu.return
  }
}
