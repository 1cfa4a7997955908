// instruction=wgmma, from the operation to PTX: a few threads that feed shared
// memory through TMA, and warpgroups that decode and multiply. With
// placement=register operand A is four registers that decode instructions have
// written, and nothing decoded ever goes through memory; with placement=shared it
// is a descriptor of a block that the warpgroup has stored.
//
// RUN: rm -rf %t
// RUN: mxfp4-compile %s -o %t/register --schedule "#mxfp4.schedule<instruction=wgmma, rows=128, tokens=64, warps_rows=8, warps_tokens=1, stages=4, placement=register, ctas=1, token_step=32>"
// RUN: mxfp4-compile %s -o %t/shared --schedule "#mxfp4.schedule<instruction=wgmma, rows=128, tokens=64, warps_rows=8, warps_tokens=1, stages=4, placement=shared, ctas=1, token_step=32>"
// RUN: mxfp4-compile %s -o %t/wide --schedule "#mxfp4.schedule<instruction=wgmma, rows=128, tokens=128, warps_rows=8, warps_tokens=1, stages=4, placement=register, ctas=1>"
// RUN: FileCheck %s --input-file=%t/register/kernel.ptx --implicit-check-not=cp.async.c --implicit-check-not=setmaxnreg
// RUN: FileCheck %s --input-file=%t/shared/kernel.ptx --implicit-check-not=cp.async.c --implicit-check-not=setmaxnreg
// RUN: FileCheck %s --input-file=%t/register/kernel.ptx --check-prefix=COPY
// RUN: FileCheck %s --input-file=%t/shared/kernel.ptx --check-prefix=COPY
// RUN: FileCheck %s --input-file=%t/register/kernel.ptx --check-prefix=REGISTER
// RUN: FileCheck %s --input-file=%t/register/kernel.ptx --check-prefix=NOSTORE
// RUN: %python %S/Inputs/check_wgmma.py %t/register/kernel.ptx --a-from=mul.rn.bf16x2 --count=24
// RUN: FileCheck %s --input-file=%t/shared/kernel.ptx --check-prefix=SHARED
// RUN: %python %S/Inputs/check_wgmma.py %t/shared/kernel.ptx --a-from=descriptor --count=24
// RUN: FileCheck %s --input-file=%t/wide/kernel.ptx --check-prefix=WIDE --implicit-check-not=setmaxnreg --implicit-check-not=L2::cache_hint

// Two tensor maps of 128 bytes, for boxes of 32 and 64 rows, are passed by value,
// aligned as TMA requires. Swizzled tiles begin at a multiple of 1024.
// Eight warps multiply; the last warpgroup copies. Threads copy nothing.

// CHECK: .version 8.0
// CHECK: .target sm_90a
// CHECK: .extern .shared .align 1024
// CHECK: .visible .entry mxfp4_moe(
// CHECK-NEXT: .param .align 64 .b8 mxfp4_moe_param_0[256],
// CHECK-NEXT: .param .u64 .ptr .global
// CHECK-NEXT: .param .u64 .ptr .global
// CHECK-NEXT: .param .u64 .ptr .global
// CHECK-NEXT: .param .u32
// CHECK: .reqntid 384, 1, 1
// CHECK: .minnctapersm 1

// Four stages: full after one arrival and the bytes, empty after eight arrivals.
// Two places for tiles: there after one arrival, free when eight warps and three
// threads that copy have read. Warps set up a slot each, and before the one barrier
// of the whole CTA. The next launch may begin when the last CTA of this one has;
// what earlier ones have written is not read before they end.

// CHECK-NOT:  ld.global
// CHECK:      mov.b32 [[ONE:%r[0-9]+]], 1;
// CHECK-NEXT: mbarrier.init.shared.b64 [%{{.*}}], [[ONE]];
// CHECK-NEXT: mov.b32 [[WARPS:%r[0-9]+]], 8;
// CHECK-NEXT: mbarrier.init.shared.b64 [%{{.*}}], [[WARPS]];
// CHECK-NOT:  ld.global
// CHECK:      mov.b32 [[ONE:%r[0-9]+]], 1;
// CHECK-NEXT: mbarrier.init.shared.b64 [%{{.*}}], [[ONE]];
// CHECK-NEXT: mov.b32 [[READERS:%r[0-9]+]], 11;
// CHECK-NEXT: mbarrier.init.shared.b64 [%{{.*}}], [[READERS]];
// CHECK-NOT:  {{mbarrier.init|ld.global}}
// CHECK:      fence.mbarrier_init.release.cluster;
// CHECK-NEXT: griddepcontrol.wait;
// CHECK-NEXT: griddepcontrol.launch_dependents;
// CHECK:      ld.global
// CHECK:      bar.sync 0;
// CHECK-NOT:  bar.sync 0;

// The scheduler, one thread: waits until a place is free, and puts a tile there. No
// bytes come with its arrival.

// COPY:          bar.sync 0;
// COPY:          elect.sync
// COPY:          [[AGAIN:\$L__BB[0-9_]+]]:{{[[:space:]]+}}mbarrier.try_wait.parity.shared.b64 [[DONE:%p[0-9]+]],
// COPY-NEXT:     not.pred [[NOT:%p[0-9]+]], [[DONE]];
// COPY-NEXT:     @[[NOT]] bra [[AGAIN]];
// COPY:          st.shared.v4.b32 [%{{.*}}],
// COPY:          mov.b32 [[NONE:%r[0-9]+]], 0;
// COPY-NEXT:     mbarrier.arrive.expect_tx.shared.b64 %{{.*}}, [%{{.*}}], [[NONE]];

// Those that copy: each takes the tile, and says so. The one with the activations
// announces the bytes of all, two blocks of 2176 bytes and 4096 for each 32 tokens;
// two others have a block each, read once: it leaves the L2 cache first.

// COPY:          wgmma
// COPY:          elect.sync
// COPY:          mbarrier.try_wait.parity.shared.b64
// COPY:          ld.shared.v4.b32
// COPY:          mbarrier.arrive.expect_tx.shared.b64
// COPY:          and.b32 [[BOXES:%r[0-9]+]], %{{.*}}, -4096;
// COPY-NEXT:     add.s32 [[ALL:%r[0-9]+]], [[BOXES]], 8448;
// COPY-NEXT:     selp.b32 [[BYTES:%r[0-9]+]], 4352, [[ALL]],
// COPY:          mov.b64 [[EVICT_FIRST:%rd[0-9]+]], 1364590687093260288;
// COPY:          mov.b32 [[SIZE:%r[0-9]+]], 2176;
// COPY-NEXT:     cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%{{.*}}], [%{{.*}}], [[SIZE]], [%{{.*}}], [[EVICT_FIRST]];
// COPY:          mbarrier.try_wait.parity.shared.b64
// COPY:          mbarrier.arrive.expect_tx.shared.b64 %{{.*}}, {{\[}}[[BARRIER:%rd[0-9]+]]], [[BYTES]];
// COPY:          cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%{{.*}}], [%{{.*}}, {%{{.*}}, %{{.*}}}], {{\[}}[[BARRIER]]];
// COPY-NOT:      cp.async

// Those that multiply. The tile is read, by all lanes before lane 0 says so; the
// first step is decoded, and the words of the second are loaded.

// REGISTER:      bar.sync 0;
// REGISTER:      mbarrier.try_wait.parity.shared.b64
// REGISTER:      bar.warp.sync -1;
// REGISTER:      mbarrier.arrive.shared.b64
// REGISTER:      mbarrier.try_wait.parity.shared.b64
// REGISTER:      ld.shared.v4.b32
// REGISTER:      mul.rn.bf16x2 [[A0:%r[0-9]+]],
// REGISTER-NEXT: mul.rn.bf16x2 [[A1:%r[0-9]+]],
// REGISTER-NEXT: mul.rn.bf16x2 [[A2:%r[0-9]+]],
// REGISTER-NEXT: mul.rn.bf16x2 [[A3:%r[0-9]+]],
// REGISTER-COUNT-12: mul.rn.bf16x2
// REGISTER:      mbarrier.try_wait.parity.shared.b64
// REGISTER:      ld.shared.v4.b32 {[[CODES:%r[0-9]+]],

// A group of four: each takes a fragment of four registers and a descriptor of the
// activations. With at most 32 tokens it is half as wide, and adds to the first half
// of the same sums.

// REGISTER:      wgmma.fence.sync.aligned;
// REGISTER:      @%p{{[0-9]+}} bra [[NARROW:\$L__BB[0-9_]+]];
// REGISTER-NEXT: bra.uni [[FULL:\$L__BB[0-9_]+]];
// REGISTER-NEXT: [[NARROW]]:
// REGISTER-NEXT: wgmma.fence.sync.aligned;
// REGISTER:      wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {[[HALF:(%r[0-9]+, ){15}%r[0-9]+]]}, {[[A0]], [[A1]], [[A2]], [[A3]]}, %rd{{[0-9]+}}, 1, 1, 1, 0;
// REGISTER-COUNT-3: wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {[[HALF]]}, {%r
// REGISTER-NOT:  wgmma.mma_async
// REGISTER:      wgmma.commit_group.sync.aligned;
// REGISTER:      [[FULL]]:
// REGISTER-NEXT: wgmma.fence.sync.aligned;
// REGISTER:      wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[HALF]], [[REST:(%r[0-9]+, ){15}%r[0-9]+]]}, {[[A0]], [[A1]], [[A2]], [[A3]]}, %rd{{[0-9]+}}, 1, 1, 1, 0;
// REGISTER-COUNT-3: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[HALF]], [[REST]]}, {%r
// REGISTER:      wgmma.commit_group.sync.aligned;

// It is the first of the tile: nothing is waited for. Behind it the second step is
// decoded, in a branch, and the third loaded.

// REGISTER-NOT:  wgmma.wait_group
// REGISTER:      setp.eq.b32 [[NEVER:%p[0-9]+]], %{{.*}}, 0;
// REGISTER:      @[[NEVER]] bra
// REGISTER:      and.b32 %{{.*}}, [[CODES]], -2118090304;
// REGISTER:      mul.rn.bf16x2 [[B0:%r[0-9]+]],
// REGISTER-NEXT: mul.rn.bf16x2 [[B1:%r[0-9]+]],
// REGISTER-NEXT: mul.rn.bf16x2 [[B2:%r[0-9]+]],
// REGISTER-NEXT: mul.rn.bf16x2 [[B3:%r[0-9]+]],
// REGISTER-COUNT-12: mul.rn.bf16x2
// REGISTER:      mbarrier.try_wait.parity.shared.b64
// REGISTER:      ld.shared.v4.b32

// In the loop two sets of fragments take turns. A group runs while the one before is
// waited for, lane 0 gives its stage back, and the set that it has read is written.
// The last iteration loads nothing.

// REGISTER-NOT:  wgmma.wait_group
// REGISTER:      wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {[[HALF]]}, {[[B0]], [[B1]], [[B2]], [[B3]]}, %rd
// REGISTER:      wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[HALF]], [[REST]]}, {[[B0]], [[B1]], [[B2]], [[B3]]}, %rd
// REGISTER:      wgmma.commit_group.sync.aligned;
// REGISTER:      wgmma.wait_group.sync.aligned 1;
// REGISTER:      mbarrier.arrive.shared.b64
// REGISTER:      setp.eq.b32 [[LAST:%p[0-9]+]], %{{.*}}, 21;
// REGISTER:      @[[NEVER]] bra
// REGISTER:      mul.rn.bf16x2 [[A0]],
// REGISTER-NEXT: mul.rn.bf16x2 [[A1]],
// REGISTER-NEXT: mul.rn.bf16x2 [[A2]],
// REGISTER-NEXT: mul.rn.bf16x2 [[A3]],
// REGISTER-COUNT-12: mul.rn.bf16x2
// REGISTER:      @[[LAST]] bra
// REGISTER:      mbarrier.try_wait.parity.shared.b64
// REGISTER:      ld.shared.v4.b32
// REGISTER:      wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[HALF]], [[REST]]}, {[[A0]], [[A1]], [[A2]], [[A3]]}, %rd
// REGISTER:      wgmma.wait_group.sync.aligned 1;
// REGISTER:      mbarrier.arrive.shared.b64
// REGISTER:      mul.rn.bf16x2 [[B0]],
// REGISTER:      mbarrier.try_wait.parity.shared.b64
// REGISTER-NOT:  wgmma

// All groups are waited for, the last stage is given back, and sums are stored by
// threads whose tokens exist. Those of tokens that a low tile lacks are gone round,
// 16 tokens at a time.

// REGISTER:      wgmma.wait_group.sync.aligned 0;
// REGISTER:      bar.warp.sync -1;
// REGISTER:      mbarrier.arrive.shared.b64
// REGISTER-COUNT-4: @%p{{[0-9]+}} st.global.b32
// REGISTER-NOT:  st.global
// REGISTER:      bra
// REGISTER:      @%p{{[0-9]+}} st.global.b32
// REGISTER:      elect.sync
// REGISTER-NOT:  wgmma

// Nothing decoded is stored to shared memory: after the table of tiles, before the
// first barrier, there are the scheduler's tiles only.

// NOSTORE-NOT:   stmatrix
// NOSTORE:       st.shared.b32
// NOSTORE:       bar.sync 0;
// NOSTORE-NOT:   {{st(\.[a-z]+)*\.shared|stmatrix}}
// NOSTORE:       st.shared.v4.b32
// NOSTORE-NOT:   {{st(\.[a-z]+)*\.shared|stmatrix}}
// NOSTORE:       wgmma.mma_async
// NOSTORE-NOT:   {{st(\.[a-z]+)*\.shared|stmatrix}}
// NOSTORE:       ret;

// placement=shared: what is decoded is stored where the tensor core reads it. The
// stores are shown to the asynchronous proxy, and all 128 threads of the warpgroup
// meet at its own barrier, 7 and up, ahead of the group that reads the block. Both
// operands have descriptors.

// SHARED:        bar.sync 0;
// SHARED:        add.s32 [[MINE:%r[0-9]+]], %{{.*}}, 7;
// SHARED:        mul.rn.bf16x2 [[D0:%r[0-9]+]],
// SHARED-NEXT:   mul.rn.bf16x2 [[D1:%r[0-9]+]],
// SHARED-NEXT:   mul.rn.bf16x2 [[D2:%r[0-9]+]],
// SHARED-NEXT:   mul.rn.bf16x2 [[D3:%r[0-9]+]],
// SHARED-NEXT:   stmatrix.sync.aligned.m8n8.x4.shared.b16 {{\[}}[[EVEN:%rd[0-9]+]]], {[[D0]], [[D1]], [[D2]], [[D3]]};
// SHARED-COUNT-3: stmatrix.sync.aligned.m8n8.x4.shared.b16
// SHARED-NEXT:   fence.proxy.async.shared::cta;
// SHARED-NEXT:   bar.sync [[MINE]], 128;
// SHARED:        wgmma.fence.sync.aligned;
// SHARED:        wgmma.mma_async.sync.aligned.m64n32k16.f32.bf16.bf16 {[[HALF:(%r[0-9]+, ){15}%r[0-9]+]]}, [[BLOCK:%rd[0-9]+]], [[X:%rd[0-9]+]], 1, 1, 1, 0, 0;
// SHARED-COUNT-3: wgmma.mma_async.sync.aligned.m64n32k16
// SHARED:        wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[HALF]], {{(%r[0-9]+, ){15}%r[0-9]+}}}, [[BLOCK]], [[X]], 1, 1, 1, 0, 0;
// SHARED-COUNT-3: wgmma.mma_async.sync.aligned.m64n64k16
// SHARED-NOT:    wgmma.wait_group

// The next block goes to the other buffer, while the group reads this one.

// SHARED-NOT:    stmatrix{{.*}} {{\[}}[[EVEN]]],
// SHARED:        stmatrix.sync.aligned.m8n8.x4.shared.b16 {{\[}}[[ODD:%rd[0-9]+]]],
// SHARED-COUNT-3: stmatrix.sync.aligned.m8n8.x4.shared.b16
// SHARED-NEXT:   fence.proxy.async.shared::cta;
// SHARED-NEXT:   bar.sync [[MINE]], 128;

// In the loop they take turns: a buffer is written when the group that read it is
// done.

// SHARED:        mbarrier.try_wait.parity.shared.b64
// SHARED-NOT:    {{stmatrix|wgmma.mma_async.*}}}, [[BLOCK]],
// SHARED:        wgmma.wait_group.sync.aligned 1;
// SHARED:        mbarrier.arrive.shared.b64
// SHARED:        stmatrix.sync.aligned.m8n8.x4.shared.b16 {{\[}}[[EVEN]]],
// SHARED-COUNT-3: stmatrix.sync.aligned.m8n8.x4.shared.b16
// SHARED-NEXT:   fence.proxy.async.shared::cta;
// SHARED-NEXT:   bar.sync [[MINE]], 128;
// SHARED-NOT:    stmatrix
// SHARED:        mbarrier.try_wait.parity.shared.b64
// SHARED:        wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{.*}}}, [[BLOCK]], %rd
// SHARED:        wgmma.wait_group.sync.aligned 1;
// SHARED:        mbarrier.arrive.shared.b64
// SHARED:        stmatrix.sync.aligned.m8n8.x4.shared.b16 {{\[}}[[ODD]]],
// SHARED-COUNT-3: stmatrix.sync.aligned.m8n8.x4.shared.b16
// SHARED-NEXT:   fence.proxy.async.shared::cta;
// SHARED-NEXT:   bar.sync [[MINE]], 128;
// SHARED:        mbarrier.try_wait.parity.shared.b64
// SHARED-NOT:    {{wgmma|stmatrix}}
// SHARED:        wgmma.wait_group.sync.aligned 0;
// SHARED-NOT:    {{wgmma|stmatrix}}

// 128 tokens: sums that fill 64 registers need more than an equal share, and those
// that copy hand theirs over. Weights that other tiles read again stay in the cache,
// and without a step of tokens there is one width.

// WIDE:          .reqntid 384, 1, 1
// WIDE:          bar.sync 0;
// WIDE:          setmaxnreg.dec.sync.aligned.u32 40;
// WIDE:          elect.sync
// WIDE:          setmaxnreg.inc.sync.aligned.u32 232;
// WIDE:          wgmma.fence.sync.aligned;
// WIDE-NOT:      wgmma.fence.sync.aligned;
// WIDE:          wgmma.mma_async.sync.aligned.m64n128k16.f32.bf16.bf16
// WIDE-NOT:      wgmma.mma_async.sync.aligned.m64n{{[^1]}}
// WIDE:          cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [

func.func @moe(%x: memref<?x2880xbf16>,
               %w: memref<32x90x45x!mxfp4.block<spread, folded>>,
               %o: memref<33xi32>, %y: memref<?x5760xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x5760xbf16>)
  return
}
