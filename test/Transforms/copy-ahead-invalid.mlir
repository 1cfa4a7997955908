// Kernels that cannot copy before the kernel ahead has ended.
//
// RUN: mxfp4-opt %s --mxfp4-copy-ahead --split-input-file --verify-diagnostics
// RUN: not mxfp4-opt %s --mxfp4-copy-ahead --split-input-file -o /dev/null

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 1, copies_ahead = true>
#shared = #gpu.address_space<workgroup>

gpu.module @kernels {
  gpu.func @brought(%o: memref<3xi32>, %c: memref<1028xi32>, %n: i32,
      %t: memref<4xi32, #shared>, %i: index, %full: memref<2xi64, #shared>,
      %free: memref<2xi64, #shared>, %fields: memref<2x4xi32, #shared>) kernel {
    %queue = mxfp4.create_ring full(%full) empty(%free) fills 1 releases 4
        : memref<2xi64, #shared> -> !mxfp4.ring<2>
    // expected-error @below {{requires a gpu.func around it, and rows that no warp brings, to copy ahead}}
    mxfp4.warp_roles {
      mxfp4.role "multiply" warps 4 {
      ^bb0(%warp: index):
      }
      mxfp4.role "schedule" warps 1 one_thread {
      ^bb0(%warp: index):
        mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o)
            experts 2 columns 1 to %queue[%fields]
            counter(%c : memref<1028xi32>) rows %n {schedule = #schedule}
            : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
            memref<2x4xi32, #shared>
      }
    }
    gpu.return
  }
}

// -----

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  copy_warps = 1, copies_ahead = true>
#shared = #gpu.address_space<workgroup>

gpu.module @kernels {
  gpu.func @without_tiles(%o: memref<3xi32>, %t: memref<4xi32, #shared>, %i: index,
      %ring: !mxfp4.ring<6>, %queue: !mxfp4.ring<2>,
      %fields: memref<2x4xi32, #shared>) kernel {
    mxfp4.warp_roles {
      mxfp4.role "multiply" warps 4 {
      ^bb0(%warp: index):
      }
      mxfp4.role "copy" warps 1 one_thread {
      ^bb0(%warp: index):
        %start = mxfp4.ring_start : !mxfp4.cursor<6>
        // expected-error @below {{requires to be in its mxfp4.take_tiles directly to copy ahead}}
        %end = mxfp4.k_loop to 3 fills %ring at %start {schedule = #schedule}
            : !mxfp4.ring<6>, !mxfp4.cursor<6> {
        ^bb0(%step: index, %here: !mxfp4.cursor<6>):
        }
      }
      mxfp4.role "schedule" warps 1 one_thread {
      ^bb0(%warp: index):
        mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o)
            experts 2 columns 1 to %queue[%fields] {schedule = #schedule}
            : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
            memref<2x4xi32, #shared>
      }
    }
    gpu.return
  }
}
