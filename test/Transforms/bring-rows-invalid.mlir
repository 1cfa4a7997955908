// A kernel that could not bring rows.
//
// RUN: mxfp4-opt %s --mxfp4-bring-rows --split-input-file --verify-diagnostics
// RUN: not mxfp4-opt %s --mxfp4-bring-rows --split-input-file -o /dev/null

#schedule = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 8,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = register, ctas = 1>
#shared = #gpu.address_space<workgroup>

gpu.module @kernels {
  gpu.func @without_a_counter(%o: memref<3xi32>,
      %m: !mxfp4.tensor_map<8 by 8> {mxfp4.arg = #mxfp4.arg<through_maps align 16 maps memref<?x64xbf16>>},
      %t: memref<4xi32, #shared>, %i: index, %q: !mxfp4.ring<2>,
      %f: memref<2x4xi32, #shared>) kernel {
    mxfp4.warp_roles {
      mxfp4.role "one" warps 4 {
      ^bb0(%warp: index):
      }
      mxfp4.role "other" warps 1 {
      ^bb0(%warp: index):
        // expected-error @below {{requires a table of tiles, a workspace and a schedule with bring_bytes to bring rows}}
        mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2
            columns 1 to %q[%f] {schedule = #schedule}
            : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
            memref<2x4xi32, #shared>
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
  gpu.func @without_bytes(%o: memref<3xi32>, %e: memref<1xi32>,
      %m: !mxfp4.tensor_map<8 by 8> {mxfp4.arg = #mxfp4.arg<through_maps align 16 maps memref<?x64xbf16>>},
      %t: memref<4xi32, #shared>, %i: index, %q: !mxfp4.ring<2>, %rows: i32,
      %c: memref<1028xi32>, %f: memref<2x4xi32, #shared>) kernel {
    mxfp4.build_tile_table %t offsets(%o) rows(%rows)
        error(%e : memref<1xi32>) {schedule = #schedule}
        : memref<4xi32, #shared>, memref<3xi32>
    mxfp4.warp_roles {
      mxfp4.role "one" warps 4 {
      ^bb0(%warp: index):
      }
      mxfp4.role "other" warps 1 {
      ^bb0(%warp: index):
        // expected-error @below {{requires a table of tiles, a workspace and a schedule with bring_bytes to bring rows}}
        mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2
            columns 1 to %q[%f] counter(%c : memref<1028xi32>) {schedule = #schedule}
            : memref<4xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
            memref<2x4xi32, #shared>
      }
    }
    gpu.return
  }
}

// -----

#beside = #mxfp4.schedule<instruction = wgmma, rows = 128, tokens = 80,
  warps_rows = 8, warps_tokens = 1, stages = 6, placement = register, ctas = 1,
  token_step = 16, producer_registers = 32, full_tiles_first = true, short_to = 32,
  short_stages = 4, beside_tokens = 80, beside_stages = 6, bring_bytes = 256>
#shared = #gpu.address_space<workgroup>

gpu.module @kernels {
  gpu.func @beside_nothing(%o: memref<3xi32>, %e: memref<1xi32>,
      %m: !mxfp4.tensor_map<8 by 8> {mxfp4.arg = #mxfp4.arg<through_maps align 16 maps memref<?x64xbf16>>},
      %t: memref<7xi32, #shared>, %i: index, %q: !mxfp4.ring<2>, %rows: i32,
      %c: memref<1028xi32>, %f: memref<2x4xi32, #shared>) kernel {
    mxfp4.build_tile_table %t offsets(%o) rows(%rows)
        error(%e : memref<1xi32>) {schedule = #beside}
        : memref<7xi32, #shared>, memref<3xi32>
    mxfp4.warp_roles {
      mxfp4.role "one" warps 4 {
      ^bb0(%warp: index):
      }
      mxfp4.role "other" warps 1 {
      ^bb0(%warp: index):
        // expected-error @below {{requires the program of short groups in its mxfp4.warp_roles, which brings rows for both}}
        mxfp4.hand_out_tiles %i to %i step %i in %t offsets(%o) experts 2
            columns 1 to %q[%f] counter(%c : memref<1028xi32>) {schedule = #beside}
            : memref<7xi32, #shared>, memref<3xi32>, !mxfp4.ring<2>,
            memref<2x4xi32, #shared>
      }
    }
    gpu.return
  }
}
