// placement=register, the default: what the tensor core multiplies comes out of
// decode instructions, and never out of memory.
//
// RUN: rm -rf %t && mxfp4-compile %s -o %t --schedule "#mxfp4.schedule<instruction=mma_sync, rows=128, tokens=64, warps_rows=4, warps_tokens=1, stages=3, placement=register, ctas=3>"
// RUN: FileCheck %s --input-file=%t/kernel.ptx
// RUN: FileCheck %s --input-file=%t/kernel.ptx --check-prefix=LOOP
// RUN: FileCheck %s --input-file=%t/kernel.ptx --check-prefix=WAIT
// RUN: FileCheck %s --input-file=%t/kernel.ptx --check-prefix=NOSTORE
// RUN: %python %S/Inputs/check_operands.py %t/kernel.ptx --a-from=mul.rn.bf16x2 --b-from=ldmatrix

// CHECK: .version 8.0
// CHECK: .target sm_90a
// CHECK: .visible .entry mxfp4_moe(
// CHECK: .reqntid 128, 1, 1
// CHECK: .minnctapersm 3

// Three stages: two groups of copies ahead of the loop, a third in it, and a
// wait that leaves the newest but one in flight. LLVM places the wait, which
// begins an iteration, after the rest of the loop.

// WAIT-COUNT-3:  cp.async.commit_group;
// WAIT-NOT:      cp.async.commit_group;
// WAIT:          cp.async.wait_group 1;
// WAIT-NEXT:     bar.sync 0;
// WAIT-NOT:      cp.async.wait

// Packed codes come 16 bytes per thread.
// LOOP:       cp.async.cg.shared.global [%{{.*}}], [%{{.*}}], 16
// LOOP:       ld.shared.v4.b32

// The first fragment: bits of the code in place, times the scale.
// LOOP:       and.b32 %{{.*}}, %{{.*}}, -2118090304
// LOOP:       mul.rn.bf16x2 %[[A0:r[0-9]+]],
// LOOP-NEXT:  mul.rn.bf16x2 %[[A1:r[0-9]+]],
// LOOP-NEXT:  mul.rn.bf16x2 %[[A2:r[0-9]+]],
// LOOP-NEXT:  mul.rn.bf16x2 %[[A3:r[0-9]+]],
// LOOP:       ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%[[B0:r[0-9]+]], %[[B1:r[0-9]+]], %{{r[0-9]+}}, %{{r[0-9]+}}}
// LOOP:       mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// LOOP-NEXT:    {%{{.*}}, %{{.*}}, %{{.*}}, %{{.*}}},
// LOOP-NEXT:    {%[[A0]], %[[A1]], %[[A2]], %[[A3]]},
// LOOP-NEXT:    {%[[B0]], %[[B1]]},

// The only stores to shared memory are those of the table of tiles, before the
// first barrier.

// NOSTORE-NOT:   stmatrix
// NOSTORE:       st.shared.b32
// NOSTORE:       bar.sync 0;
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
