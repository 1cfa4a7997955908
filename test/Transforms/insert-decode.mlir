// The multiplication of a tile, taken apart for one warp. In registers: packed
// codes and scales are loaded once, each k16 step is decoded into an A fragment
// where it is multiplied, and nothing decoded touches memory. In shared memory,
// the baseline: the CTA decodes the tile, and warps load A fragments from it; with
// wgmma a warpgroup decodes a block, and the instruction reads it there.
//
// Parts of a mxfp4.block_matmul are looked at one behind the other, as
// mxfp4-lower-program puts them.
//
// RUN: mxfp4-opt %s --mxfp4-insert-decode --mxfp4-lower-program --cse --loop-invariant-code-motion --canonicalize \
// RUN:   | FileCheck %s --check-prefixes=REGISTER,SCHEDULE,BLOCKS
// RUN: mxfp4-opt %s --mxfp4-insert-decode=placement=register --mxfp4-lower-program --cse --loop-invariant-code-motion --canonicalize \
// RUN:   | FileCheck %s --check-prefixes=REGISTER,FORCED
// RUN: mxfp4-opt %s --mxfp4-insert-decode=placement=shared --mxfp4-lower-program --cse --loop-invariant-code-motion --canonicalize \
// RUN:   | FileCheck %s --check-prefixes=SHARED,BLOCKS
// RUN: mxfp4-opt %s --mxfp4-insert-decode --canonicalize | FileCheck %s --check-prefix=PARTS

#in_registers = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 16,
  warps_rows = 2, warps_tokens = 2, stages = 3, placement = register, ctas = 1>
#in_shared = #mxfp4.schedule<instruction = mma_sync, rows = 64, tokens = 16,
  warps_rows = 2, warps_tokens = 2, stages = 3, placement = shared, ctas = 1>
#wgmma = #mxfp4.schedule<instruction = wgmma, rows = 256, tokens = 32,
  warps_rows = 8, warps_tokens = 1, stages = 3, placement = shared, ctas = 1,
  token_step = 16>
#slices = #mxfp4.schedule<instruction = wgmma, rows = 64, tokens = 32,
  warps_rows = 4, warps_tokens = 1, stages = 6, placement = shared, ctas = 1,
  k_slices = 2>
!w = memref<3x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x = memref<3x16x64xbf16, #gpu.address_space<workgroup>>
!w4 = memref<3x4x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x32 = memref<3x32x64xbf16, #gpu.address_space<workgroup>>
!w6 = memref<6x1x!mxfp4.block<nibble, raw>, #gpu.address_space<workgroup>>
!x6 = memref<6x32x64xbf16, #gpu.address_space<workgroup>>
!b3 = memref<3xi64, #gpu.address_space<workgroup>>
!b6 = memref<6xi64, #gpu.address_space<workgroup>>

gpu.module @kernels {
  // Four warps: two along the rows with two 16-row slices each, two along the
  // tokens with one n8 column each.

  // REGISTER-LABEL: gpu.func @tile
  // REGISTER-SAME:    %[[W:.*]]: memref<3x1x!mxfp4.block<nibble, raw>, {{.*}}>, %[[X:.*]]: memref<3x16x64xbf16, {{.*}}>, %[[SLOT:.*]]: index, %{{.*}}: index, %[[ACC:.*]]: vector<2x1x4xf32>, %{{.*}}: memref
  // REGISTER-NOT:     workgroup(
  // REGISTER-DAG:     %[[C1:.*]] = arith.constant 1 : index
  // REGISTER-DAG:     %[[C2:.*]] = arith.constant 2 : index
  // REGISTER-DAG:     %[[C8:.*]] = arith.constant 8 : index
  // REGISTER-DAG:     %[[C32:.*]] = arith.constant 32 : index
  // REGISTER:         %[[THREAD:.*]] = gpu.thread_id x
  // REGISTER:         %[[WARP:.*]] = arith.divui %[[THREAD]], %[[C32]]
  // REGISTER:         %[[ALONG_ROWS:.*]] = arith.remui %[[WARP]], %[[C2]]
  // REGISTER:         %[[SLICE0:.*]] = arith.muli %[[ALONG_ROWS]], %[[C2]]
  // REGISTER:         %[[ALONG_TOKENS:.*]] = arith.divui %[[WARP]], %[[C2]]
  // REGISTER:         %[[TOKEN:.*]] = arith.muli %[[ALONG_TOKENS]], %[[C8]]

  // Everything packed is loaded once.
  // REGISTER:         %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE0]]]
  // REGISTER:         %[[S0:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE0]]]
  // REGISTER:         %[[SLICE1:.*]] = arith.addi %[[SLICE0]], %[[C1]]
  // REGISTER:         %[[Q0:.*]], %[[Q1:.*]], %[[Q2:.*]], %[[Q3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE1]]]
  // REGISTER:         %[[S1:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE1]]]
  // REGISTER-NOT:     mxfp4.load_codes
  // REGISTER:         %[[ACC0:.*]] = vector.extract %[[ACC]][0, 0]
  // REGISTER:         %[[ACC1:.*]] = vector.extract %[[ACC]][1, 0]

  // The first k32 slice: two steps for each of the two slices of rows; the
  // decoded registers are the operands of the multiplications as they are.
  // REGISTER:         %[[A0:.*]], %[[A1:.*]], %[[A2:.*]], %[[A3:.*]] = mxfp4.decode %[[P0]], %[[S0]] step 0 : !mxfp4.block<nibble, raw>
  // REGISTER:         %[[B0:.*]], %[[B1:.*]], %[[B2:.*]], %[[B3:.*]] = mxfp4.decode %[[Q0]], %[[S1]] step 0
  // REGISTER:         %[[C0:.*]], %[[C1_:.*]], %[[C2_:.*]], %[[C3:.*]] = mxfp4.decode %[[P1]], %[[S0]] step 1
  // REGISTER:         %[[D0:.*]], %[[D1:.*]], %[[D2:.*]], %[[D3:.*]] = mxfp4.decode %[[Q1]], %[[S1]] step 1
  // REGISTER:         %[[X0:.*]], %[[X1:.*]], %[[X2:.*]], %[[X3:.*]] = mxfp4.load_activations %[[X]][%[[SLOT]], %[[TOKEN]]] slice 0
  // REGISTER:         %[[M0:.*]] = mxfp4.mma a(%[[A0]], %[[A1]], %[[A2]], %[[A3]]) b(%[[X0]], %[[X1]]) c(%[[ACC0]])
  // REGISTER:         %[[M1:.*]] = mxfp4.mma a(%[[B0]], %[[B1]], %[[B2]], %[[B3]]) b(%[[X0]], %[[X1]]) c(%[[ACC1]])
  // REGISTER:         %[[M2:.*]] = mxfp4.mma a(%[[C0]], %[[C1_]], %[[C2_]], %[[C3]]) b(%[[X2]], %[[X3]]) c(%[[M0]])
  // REGISTER:         %[[M3:.*]] = mxfp4.mma a(%[[D0]], %[[D1]], %[[D2]], %[[D3]]) b(%[[X2]], %[[X3]]) c(%[[M1]])
  // The second.
  // REGISTER:         mxfp4.decode %[[P2]], %[[S0]] step 2
  // REGISTER:         mxfp4.decode %[[Q2]], %[[S1]] step 2
  // REGISTER:         mxfp4.decode %[[P3]], %[[S0]] step 3
  // REGISTER:         mxfp4.decode %[[Q3]], %[[S1]] step 3
  // REGISTER:         mxfp4.load_activations %[[X]][%[[SLOT]], %[[TOKEN]]] slice 1
  // REGISTER-COUNT-4: mxfp4.mma
  // REGISTER-NOT:     mxfp4.{{mma|store_decoded|load_decoded|tile_matmul}}
  // REGISTER:         gpu.return

  // The tile is decoded into a workgroup attribution by all four warps, a
  // 16-row slice each, whoever multiplies with it. The two warps along the
  // tokens then share it.

  // SHARED-LABEL:     gpu.func @tile
  // SHARED-SAME:        workgroup(%[[TILE:.*]] : memref<64x64xbf16, #gpu.address_space<workgroup>>)
  // SHARED:             %[[WARP:.*]] = arith.divui
  // SHARED:             %[[EXISTS:.*]] = arith.cmpi ult, %[[WARP]], %{{.*}}
  // SHARED:             scf.if %[[EXISTS]] {
  // SHARED:               mxfp4.load_codes %{{.*}}[%{{.*}}, %[[WARP]]]
  // SHARED:               mxfp4.load_scales %{{.*}}[%{{.*}}, %[[WARP]]]
  // SHARED:               %[[D0:.*]], %[[D1:.*]], %[[D2:.*]], %[[D3:.*]] = mxfp4.decode {{.*}} step 0
  // SHARED-NEXT:          mxfp4.store_decoded %[[D0]], %[[D1]], %[[D2]], %[[D3]] to %[[TILE]][%[[WARP]]] step 0
  // SHARED:               mxfp4.store_decoded {{.*}} step 1
  // SHARED:               mxfp4.store_decoded {{.*}} step 2
  // SHARED:               mxfp4.store_decoded {{.*}} step 3
  // SHARED-NEXT:        }
  // SHARED-NEXT:        gpu.barrier
  // SHARED-NOT:         mxfp4.decode
  // SHARED:             %[[A0:.*]], %[[A1:.*]], %[[A2:.*]], %[[A3:.*]] = mxfp4.load_decoded %[[TILE]][%{{.*}}] step 0
  // SHARED:             mxfp4.mma a(%[[A0]], %[[A1]], %[[A2]], %[[A3]])
  // SHARED-COUNT-7:     mxfp4.mma
  // SHARED-NOT:         mxfp4.{{mma|decode}}
  // SHARED:             gpu.return
  gpu.func @tile(%w: !w, %x: !x, %slot: index, %n: index,
                 %acc: vector<2x1x4xf32>, %out: memref<1xvector<2x1x4xf32>>) kernel {
    %c0 = arith.constant 0 : index
    %r = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #in_registers} : vector<2x1x4xf32>, !w, !x
    memref.store %r, %out[%c0] : memref<1xvector<2x1x4xf32>>
    gpu.return
  }

  // By default the schedule decides.

  // SCHEDULE-LABEL: gpu.func @as_scheduled
  // SCHEDULE:         mxfp4.store_decoded
  // SCHEDULE:         mxfp4.load_decoded
  // FORCED-LABEL:   gpu.func @as_scheduled
  // FORCED-NOT:       mxfp4.store_decoded
  // FORCED:           gpu.return
  gpu.func @as_scheduled(%w: !w, %x: !x, %slot: index, %n: index,
                         %acc: vector<2x1x4xf32>, %out: memref<1xvector<2x1x4xf32>>) kernel {
    %c0 = arith.constant 0 : index
    %r = mxfp4.tile_matmul %acc, %w, %x at [%slot] tokens(%n)
        {schedule = #in_shared} : vector<2x1x4xf32>, !w, !x
    memref.store %r, %out[%c0] : memref<1xvector<2x1x4xf32>>
    gpu.return
  }

  // wgmma: one operation with three parts for each 64-row block.

  // PARTS-LABEL: gpu.func @wgmma
  // PARTS:         mxfp4.k_loop to 5 drains
  // PARTS:           %[[SLOT:.*]] = mxfp4.ring_slot
  // PARTS:           mxfp4.block_matmul %{{.*}} at[%[[SLOT]]] fetch {
  // PARTS-NEXT:      ^bb0(%[[S:.*]]: index, %[[BLOCK:.*]]: index):
  // PARTS-NEXT:        %[[BEHIND:.*]] = arith.muli %[[BLOCK]], %{{.*}}
  // PARTS-NEXT:        %[[SLICE:.*]] = arith.addi %{{.*}}, %[[BEHIND]]
  // PARTS-NEXT:        %[[W0:.*]], %[[W1:.*]], %[[W2:.*]], %[[W3:.*]] = mxfp4.load_codes %{{.*}}[%[[S]], %[[SLICE]]]
  // PARTS-NEXT:        %[[SC:.*]] = mxfp4.load_scales %{{.*}}[%[[S]], %[[SLICE]]]
  // PARTS-NEXT:        mxfp4.yield %[[W0]], %[[SC]], %[[W1]], %[[W2]], %[[W3]]
  // PARTS-NEXT:      } decode {
  // PARTS:             mxfp4.sync_warpgroup
  // PARTS-NEXT:        mxfp4.yield
  // PARTS-NEXT:      } multiply {
  // PARTS-NEXT:      ^bb0(%[[S:.*]]: index, %[[SUMS:.*]]: vector<4x4xf32>):
  // PARTS-NEXT:        %[[R:.*]] = mxfp4.wgmma %[[SUMS]] shared_a(%{{.*}}) b(%{{.*}}[%[[S]]])
  // PARTS-NEXT:        mxfp4.yield %[[R]] : vector<4x4xf32>

  // Two warpgroups with two blocks of 64 rows each, one after the other. A
  // warp holds every fourth 16-row slice of its warpgroup's blocks. In registers,
  // a group takes the sixteen fragments of a block, and as many tokens as the
  // tile has, in steps of 16.

  // FORCED-LABEL: gpu.func @wgmma
  // FORCED-SAME:    %[[W:[^:]*]]: memref<3x4x!mxfp4.block<nibble, raw>, {{.*}}>, %[[X:[^:]*]]: memref<3x32x64xbf16, {{[^%]*}}, %{{[^%]*}}, %{{[^%]*}}, %[[N:[^:]*]]: index, %[[SUMS:[^:]*]]: vector<2x4x4xf32>, %{{.*}}: memref
  // FORCED-DAG:     %[[C4:.*]] = arith.constant 4 : index
  // FORCED-DAG:     %[[C8:.*]] = arith.constant 8 : index
  // FORCED:         %[[WARP:.*]] = arith.divui
  // FORCED-NEXT:    %[[GROUP:.*]] = arith.divui %[[WARP]], %[[C4]]
  // FORCED-NEXT:    %[[FIRST:.*]] = arith.muli %[[GROUP]], %[[C8]]
  // FORCED-NEXT:    %[[INGROUP:.*]] = arith.remui %[[WARP]], %[[C4]]
  // FORCED-NEXT:    %[[SLICE:.*]] = arith.addi %[[FIRST]], %[[INGROUP]]
  // FORCED-NEXT:    %[[NEXT:.*]] = arith.addi %[[SLICE]], %[[C4]]
  // FORCED:         scf.for {{.*}} iter_args(%[[ACC:.*]] = %[[SUMS]], %[[SLOT:.*]] = %{{.*}}, %{{.*}} = %{{.*}})
  // FORCED-NEXT:      mxfp4.wait_barrier
  // FORCED-NEXT:    %[[P0:.*]], %[[P1:.*]], %[[P2:.*]], %[[P3:.*]] = mxfp4.load_codes %[[W]][%[[SLOT]], %[[SLICE]]]
  // FORCED-NEXT:    %[[S:.*]] = mxfp4.load_scales %[[W]][%[[SLOT]], %[[SLICE]]]
  // FORCED-NEXT:    mxfp4.load_codes %[[W]][%[[SLOT]], %[[NEXT]]]
  // FORCED-NEXT:    mxfp4.load_scales %[[W]][%[[SLOT]], %[[NEXT]]]
  // FORCED-NEXT:    %[[A0:.*]], %{{.*}}, %{{.*}}, %[[A3:.*]] = mxfp4.decode %[[P0]], %[[S]] step 0
  // FORCED-NEXT:    mxfp4.decode %[[P1]], %[[S]] step 1
  // FORCED-NEXT:    mxfp4.decode %[[P2]], %[[S]] step 2
  // FORCED-NEXT:    %[[D0:.*]], %{{.*}}, %{{.*}}, %[[D3:.*]] = mxfp4.decode %[[P3]], %[[S]] step 3
  // FORCED-NEXT:    %[[SUMS0:.*]] = vector.extract %[[ACC]][0]
  // FORCED-NEXT:    %[[R:.*]] = mxfp4.wgmma %[[SUMS0]] a(%[[A0]], %{{.*}}, %{{.*}}, %[[A3]], {{.*}}, %[[D0]], %{{.*}}, %{{.*}}, %[[D3]]) b(%[[X]][%[[SLOT]]]) columns 4 tokens(%[[N]] by 16)
  // FORCED-NEXT:    mxfp4.wgmma_wait %[[R]] : vector<4x4xf32>
  // FORCED:         %[[SUMS1:.*]] = vector.extract %[[ACC]][1]
  // FORCED-NEXT:    %[[R:.*]] = mxfp4.wgmma %[[SUMS1]] a(
  // FORCED-NEXT:    mxfp4.wgmma_wait %[[R]]
  // FORCED-NOT:     mxfp4.{{wgmma |store_decoded|sync}}
  // FORCED:         gpu.return

  // In shared memory each warpgroup has two blocks of its own, behind the three
  // stages of activations (3 x 32 x 128 bytes): one is written while the other
  // may still be read. Each warp stores its slice; all four are done before the
  // tensor core reads the block, and with reading it before one stores again.

  // BLOCKS-LABEL: gpu.func @wgmma
  // BLOCKS-DAG:     %[[C2:.*]] = arith.constant 2 : index
  // BLOCKS-DAG:     %[[C4:.*]] = arith.constant 4 : index
  // BLOCKS-DAG:     %[[C8:.*]] = arith.constant 8 : index
  // BLOCKS-DAG:     %[[OFFSET:.*]] = arith.constant 12288 : index
  // BLOCKS:         %[[WARP:.*]] = arith.divui
  // BLOCKS-NEXT:    %[[GROUP:.*]] = arith.divui %[[WARP]], %[[C4]]
  // BLOCKS-NEXT:    %[[EIGHT:.*]] = arith.muli %[[GROUP]], %[[C8]]
  // BLOCKS-NEXT:    %[[INGROUP:.*]] = arith.remui %[[WARP]], %[[C4]]
  // BLOCKS-NEXT:    %[[SLICE:.*]] = arith.addi %[[EIGHT]], %[[INGROUP]]
  // BLOCKS-NEXT:    %[[ALL:.*]] = gpu.dynamic_shared_memory
  // BLOCKS-NEXT:    %[[TILE:.*]] = memref.view %[[ALL]][%[[OFFSET]]][] : {{.*}} to memref<256x64xbf16, #gpu.address_space<workgroup>>
  // BLOCKS-NEXT:    %[[BLOCK:.*]] = arith.muli %[[GROUP]], %[[C2]]
  // BLOCKS:         mxfp4.load_scales
  // BLOCKS-NEXT:    mxfp4.load_codes
  // BLOCKS-NEXT:    mxfp4.load_scales
  // BLOCKS-NEXT:    mxfp4.sync_warpgroup
  // BLOCKS-NEXT:    %[[A0:.*]], %[[A1:.*]], %[[A2:.*]], %[[A3:.*]] = mxfp4.decode {{.*}} step 0
  // BLOCKS-NEXT:    mxfp4.store_decoded %[[A0]], %[[A1]], %[[A2]], %[[A3]] to %[[TILE]][%[[SLICE]]] step 0 : memref
  // BLOCKS-NEXT:    mxfp4.decode {{.*}} step 1
  // BLOCKS-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 1 : memref
  // BLOCKS-NEXT:    mxfp4.decode {{.*}} step 2
  // BLOCKS-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 2 : memref
  // BLOCKS-NEXT:    mxfp4.decode {{.*}} step 3
  // BLOCKS-NEXT:    mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step 3 : memref
  // BLOCKS-NEXT:    mxfp4.sync_warpgroup
  // BLOCKS-NEXT:    %[[SUMS:.*]] = vector.extract %{{.*}}[0]
  // BLOCKS-NEXT:    %[[R:.*]] = mxfp4.wgmma %[[SUMS]] shared_a(%[[TILE]][%[[BLOCK]]]) b({{.*}}) columns 4 tokens(%{{.*}} by 16)
  // BLOCKS-NEXT:    mxfp4.wgmma_wait %[[R]]
  // BLOCKS:         mxfp4.sync_warpgroup
  // BLOCKS-COUNT-4: mxfp4.store_decoded {{.*}} to %[[TILE]][%[[SLICE]]] step {{.}} buffer 1 : memref
  // BLOCKS-NEXT:    mxfp4.sync_warpgroup
  // BLOCKS-NEXT:    vector.extract %{{.*}}[1]
  // BLOCKS-NEXT:    mxfp4.wgmma %{{.*}} shared_a(%[[TILE]][%[[BLOCK]]]) buffer 1 b(
  // BLOCKS-NOT:     mxfp4.{{wgmma |store_decoded|load_decoded|mma}}
  // BLOCKS:         gpu.return
  gpu.func @wgmma(%w: !w4, %x: !x32, %full: !b3, %empty: !b3, %n: index,
                  %acc: vector<2x4x4xf32>, %out: memref<1xvector<2x4x4xf32>>)
      kernel {
    %c0 = arith.constant 0 : index
    %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 8
        : !b3 -> !mxfp4.ring<3>
    %start = mxfp4.ring_start : !mxfp4.cursor<3>
    %r:2 = mxfp4.k_loop to 5 drains %ring at %start init(%acc)
        {schedule = #wgmma} : !mxfp4.ring<3>, !mxfp4.cursor<3>, vector<2x4x4xf32> {
    ^bb0(%k: index, %at: !mxfp4.cursor<3>, %sums: vector<2x4x4xf32>):
      %slot = mxfp4.ring_slot %at : !mxfp4.cursor<3>
      %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
          {schedule = #wgmma} : vector<2x4x4xf32>, !w4, !x32
      mxfp4.yield %next : vector<2x4x4xf32>
    }
    memref.store %r#0, %out[%c0] : memref<1xvector<2x4x4xf32>>
    gpu.return
  }

  // The second of two K slices multiplies the same block as the first, with
  // another stage, and so decodes to blocks of its own. Without a token step all
  // tokens are multiplied.

  // BLOCKS-LABEL: gpu.func @slices
  // BLOCKS:         %[[WARP:.*]] = arith.divui
  // BLOCKS-NEXT:    %[[GROUP:.*]] = arith.divui %[[WARP]], %{{.*}}
  // BLOCKS-NEXT:    %[[INSLICE:.*]] = arith.remui %[[WARP]], %{{.*}}
  // BLOCKS:         memref.view {{.*}} to memref<256x64xbf16,
  // BLOCKS:         %[[BLOCK:.*]] = arith.muli %[[GROUP]], %{{.*}}
  // BLOCKS-NEXT:    %[[FIRST:.*]] = arith.muli %[[GROUP]], %{{.*}}
  // BLOCKS-NEXT:    %[[MINE:.*]] = arith.addi %[[FIRST]], %[[INSLICE]]
  // BLOCKS:         mxfp4.load_codes %{{.*}}[%{{.*}}, %[[INSLICE]]]
  // BLOCKS:         mxfp4.store_decoded {{.*}} to %{{.*}}[%[[MINE]]] step 0
  // BLOCKS:         mxfp4.wgmma %{{.*}} shared_a(%{{.*}}[%[[BLOCK]]]) b({{.*}}) columns 4 tokens(%{{.*}} by 32)
  gpu.func @slices(%w: !w6, %x: !x6, %full: !b6, %empty: !b6,
                   %slice: index, %n: index,
                   %acc: vector<1x4x4xf32>, %out: memref<1xvector<1x4x4xf32>>)
      kernel {
    %c0 = arith.constant 0 : index
    %ring = mxfp4.create_ring full(%full) empty(%empty) fills 1 releases 4
        : !b6 -> !mxfp4.ring<6>
    %start = mxfp4.ring_start slice(%slice) : !mxfp4.cursor<6 by 2>
    %r:2 = mxfp4.k_loop to 6 slice(%slice) drains %ring at %start init(%acc)
        {schedule = #slices} : !mxfp4.ring<6>, !mxfp4.cursor<6 by 2>, vector<1x4x4xf32> {
    ^bb0(%k: index, %at: !mxfp4.cursor<6 by 2>, %sums: vector<1x4x4xf32>):
      %slot = mxfp4.ring_slot %at : !mxfp4.cursor<6 by 2>
      %next = mxfp4.tile_matmul %sums, %w, %x at [%slot] tokens(%n)
          {schedule = #slices} : vector<1x4x4xf32>, !w6, !x6
      mxfp4.yield %next : vector<1x4x4xf32>
    }
    memref.store %r#0, %out[%c0] : memref<1xvector<1x4x4xf32>>
    gpu.return
  }
}
