// instruction=wgmma, from the operation to PTX: a producer that feeds shared
// memory through the copy engine, and consumers whose operand A is four
// registers that decode instructions have written. Nothing decoded ever goes
// through memory.
//
// RUN: rm -rf %t && mxfp4-compile %s -o %t --schedule "#mxfp4.schedule<instruction=wgmma, rows=128, tokens=64, warps_rows=8, warps_tokens=1, stages=4, placement=register, ctas=1>"
// RUN: FileCheck %s --input-file=%t/kernel.ptx
// RUN: FileCheck %s --input-file=%t/kernel.ptx --check-prefix=PRODUCER
// RUN: FileCheck %s --input-file=%t/kernel.ptx --check-prefix=CONSUMER
// RUN: FileCheck %s --input-file=%t/kernel.ptx --check-prefix=NOSTORE
// RUN: %python %S/Inputs/check_wgmma.py %t/kernel.ptx --a-from=mul.rn.bf16x2 --count=12

// The tensor map is passed by value: 128 bytes, aligned as the copy engine asks.
// Swizzled tiles begin at a multiple of 1024. Eight consumer warps, and a
// producer warpgroup.

// CHECK: .version 8.0
// CHECK: .target sm_90a
// CHECK: .extern .shared .align 1024
// CHECK: .visible .entry mxfp4_moe(
// CHECK-NEXT: .param .align 64 .b8 mxfp4_moe_param_0[128],
// CHECK-NEXT: .param .u64 .ptr .global
// CHECK-NEXT: .param .u64 .ptr .global
// CHECK-NEXT: .param .u64 .ptr .global
// CHECK-NEXT: .param .u32
// CHECK: .reqntid 384, 1, 1
// CHECK: .minnctapersm 1

// Four slots: full after one arrival and the bytes, empty after eight arrivals.
// Barriers are set up before the one barrier of the whole CTA.

// CHECK-DAG: .shared .align {{[0-9]+}} .b8 [[FULL:mxfp4_moe_tile0]][32];
// CHECK-DAG: .shared .align {{[0-9]+}} .b8 [[EMPTY:mxfp4_moe_tile1]][32];
// CHECK:      mov.b32 [[ONE:%r[0-9]+]], 1;
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[FULL]]], [[ONE]];
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[FULL]]+8], [[ONE]];
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[FULL]]+16], [[ONE]];
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[FULL]]+24], [[ONE]];
// CHECK-NEXT: mov.b32 [[WARPS:%r[0-9]+]], 8;
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[EMPTY]]], [[WARPS]];
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[EMPTY]]+8], [[WARPS]];
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[EMPTY]]+16], [[WARPS]];
// CHECK-NEXT: mbarrier.init.shared.b64 {{\[}}[[EMPTY]]+24], [[WARPS]];
// CHECK-NEXT: fence.mbarrier_init.release.cluster;
// CHECK-NOT:  mbarrier.init
// CHECK:      bar.sync 0;
// CHECK-NOT:  bar.sync
// No copies by threads.
// CHECK-NOT:  cp.async.c

// The producer: wait until the slot is empty, announce the bytes of both copies,
// start them: two blocks of 2176 bytes and a box of 64 rows of 128 bytes.

// PRODUCER:      setmaxnreg.dec.sync.aligned.u32 40;
// PRODUCER:      elect.sync
// PRODUCER:      [[AGAIN:\$L__BB[0-9_]+]]:{{[[:space:]]+}}mbarrier.try_wait.parity.shared.b64 [[DONE:%p[0-9]+]],
// PRODUCER-NEXT: not.pred [[NOT:%p[0-9]+]], [[DONE]];
// PRODUCER-NEXT: @[[NOT]] bra [[AGAIN]];
// PRODUCER:      mov.b32 [[BYTES:%r[0-9]+]], 12544;
// PRODUCER-NEXT: mbarrier.arrive.expect_tx.shared.b64 %{{.*}}, {{\[}}[[BARRIER:%rd[0-9]+]]], [[BYTES]];
// PRODUCER:      mov.b32 [[SIZE:%r[0-9]+]], 2176;
// PRODUCER:      cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%{{.*}}], [%{{.*}}], [[SIZE]], {{\[}}[[BARRIER]]];
// PRODUCER:      cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%{{.*}}], [%{{.*}}], [[SIZE]], {{\[}}[[BARRIER]]];
// PRODUCER:      cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%{{.*}}], [%{{.*}}, {%{{.*}}, %{{.*}}}], {{\[}}[[BARRIER]]];
// PRODUCER-NOT:  wgmma
// PRODUCER:      setmaxnreg.inc.sync.aligned.u32 232;
// PRODUCER-NOT:  cp.async

// The consumers: four wgmma a batch, each with a fragment of four registers and
// a descriptor of the activations. Behind the batch the next slot is waited for
// and its codes are loaded and multiplied with their scales; then the batch is
// waited for, and lane 0 gives the slot back. The next batch takes the registers
// just written.

// CONSUMER:      setmaxnreg.inc.sync.aligned.u32 232;
// CONSUMER:      mbarrier.try_wait.parity.shared.b64
// CONSUMER:      ld.shared.v4.b32
// CONSUMER:      mul.rn.bf16x2
// CONSUMER:      wgmma.fence.sync.aligned;
// CONSUMER-NOT:  mul.rn.bf16x2
// CONSUMER:      wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[SUMS:.*]]}, {%r{{[0-9]+}}, %r{{[0-9]+}}, %r{{[0-9]+}}, %r{{[0-9]+}}}, %rd{{[0-9]+}}, 1, 1, 1, 0;
// CONSUMER-COUNT-3: wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[SUMS]]}, {%r
// CONSUMER-NOT:  wgmma.mma_async
// CONSUMER:      wgmma.commit_group.sync.aligned;
// CONSUMER:      mbarrier.try_wait.parity.shared.b64
// CONSUMER:      ld.shared.v4.b32 {[[CODES:%r[0-9]+]],
// CONSUMER:      and.b32 %{{.*}}, [[CODES]], -2118090304;
// CONSUMER:      mul.rn.bf16x2 [[A0:%r[0-9]+]],
// CONSUMER-NEXT: mul.rn.bf16x2 [[A1:%r[0-9]+]],
// CONSUMER-NEXT: mul.rn.bf16x2 [[A2:%r[0-9]+]],
// CONSUMER-NEXT: mul.rn.bf16x2 [[A3:%r[0-9]+]],
// CONSUMER-COUNT-12: mul.rn.bf16x2
// CONSUMER-NOT:  wgmma.mma_async
// CONSUMER:      wgmma.wait_group.sync.aligned 0;
// CONSUMER:      mbarrier.arrive.shared.b64
// CONSUMER:      wgmma.fence.sync.aligned;
// CONSUMER:      wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {[[SUMS]]}, {[[A0]], [[A1]], [[A2]], [[A3]]}, %rd
// CONSUMER-NOT:  wgmma.wait_group.sync.aligned {{[1-9]}}
// CONSUMER:      st.global
// CONSUMER-NOT:  wgmma

// The only stores to shared memory are those of the table of tiles, before the
// first barrier.

// NOSTORE-NOT:   stmatrix
// NOSTORE:       st.shared.b32
// NOSTORE:       bar.sync 0;
// NOSTORE-NOT:   st{{(\.[a-z]+)*}}.shared
// NOSTORE-NOT:   stmatrix
// NOSTORE:       wgmma.mma_async
// NOSTORE-NOT:   st{{(\.[a-z]+)*}}.shared
// NOSTORE-NOT:   stmatrix
// NOSTORE:       st.global
// NOSTORE-NOT:   st{{(\.[a-z]+)*}}.shared
// NOSTORE-NOT:   stmatrix

func.func @moe(%x: memref<?x2880xbf16>,
               %w: memref<32x90x45x!mxfp4.block<spread, folded>>,
               %o: memref<33xi32>, %y: memref<?x5760xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x5760xbf16>)
  return
}
