// placement=shared, the baseline: decoded weights go to shared memory with
// stmatrix, and both operands of the tensor core come back with ldmatrix.
//
// RUN: rm -rf %t && mxfp4-compile %s -o %t --schedule "#mxfp4.schedule<instruction=mma_sync, rows=128, tokens=64, warps_rows=4, warps_tokens=1, stages=3, placement=shared, ctas=3>"
// RUN: FileCheck %s --input-file=%t/kernel.ptx
// RUN: %python %S/Inputs/check_operands.py %t/kernel.ptx --a-from=ldmatrix --b-from=ldmatrix

// The decoded tile, 128 rows of 64 bf16.
// CHECK:      .shared .align {{[0-9]+}} .b8 mxfp4_moe_tile0[16384];
// CHECK:      mul.rn.bf16x2 %[[A0:r[0-9]+]],
// CHECK-NEXT: mul.rn.bf16x2 %[[A1:r[0-9]+]],
// CHECK-NEXT: mul.rn.bf16x2 %[[A2:r[0-9]+]],
// CHECK-NEXT: mul.rn.bf16x2 %[[A3:r[0-9]+]],
// CHECK:      stmatrix.sync.aligned.m8n8.x4.shared.b16 [%{{.*}}], {%[[A0]], %[[A1]], %[[A2]], %[[A3]]};
// Every decode is before the barrier, every multiplication after it.
// CHECK-NOT:  mma.sync
// CHECK:      bar.sync 0;
// CHECK-NOT:  mul.rn.bf16x2
// CHECK:      mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
// CHECK-NOT:  mul.rn.bf16x2

func.func @moe(%x: memref<?x2880xbf16>,
               %w: memref<32x90x45x!mxfp4.block<spread, folded>>,
               %o: memref<33xi32>, %y: memref<?x5760xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x2880xbf16>)
      weights(%w : memref<32x90x45x!mxfp4.block<spread, folded>>)
      offsets(%o : memref<33xi32>) outs(%y : memref<?x5760xbf16>)
  return
}
