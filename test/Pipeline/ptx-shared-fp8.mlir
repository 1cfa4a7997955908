// placement=shared with activations in FP8, the baseline to measure against: weights
// are decoded to e5m2 and stored with stmatrix, whose rows of 16 bytes hold 16 of
// them, and wgmma reads them there through a descriptor.
//
// RUN: rm -rf %t && mkdir %t
// RUN: sed "s/ACCUMULATION/promoted 128/" %s > %t/promoted.mlir
// RUN: sed "s/ACCUMULATION/fast/" %s > %t/fast.mlir
// RUN: mxfp4-compile %t/promoted.mlir -o %t/promoted --schedule "#mxfp4.schedule<instruction=wgmma_fp8, rows=64, tokens=16, warps_rows=4, warps_tokens=1, stages=4, placement=shared, ctas=1, copy_warps=1>"
// RUN: mxfp4-compile %t/fast.mlir -o %t/fast --schedule "#mxfp4.schedule<instruction=wgmma_fp8, rows=64, tokens=16, warps_rows=4, warps_tokens=1, stages=4, placement=shared, ctas=1, copy_warps=1>"
// RUN: FileCheck %s --input-file=%t/promoted/kernel.ptx --check-prefixes=CHECK,PROMOTED --implicit-check-not=ldmatrix
// RUN: FileCheck %s --input-file=%t/fast/kernel.ptx --check-prefixes=CHECK,FAST --implicit-check-not=ldmatrix
// RUN: %python %S/Inputs/check_wgmma.py %t/fast/kernel.ptx --a-from=descriptor --count=4

// Rows 0 to 7 of a thread's slice come from the first register, rows 8 to 15 from
// the second: words of codes of neighbouring rows, which have bytes of scales of
// their own. The others are 16 columns further on.

// CHECK:         .visible .entry mxfp4_moe(
// CHECK:         ld.shared.v4.b32 {[[C0:%r[0-9]+]], [[C1:%r[0-9]+]], %{{.*}}}, [%{{.*}}+24576];
// CHECK:         and.b32 [[SELECT0:%r[0-9]+]], [[C0]], 2004318071;
// CHECK-NEXT:    prmt.b32 [[BYTES0:%r[0-9]+]], %{{.*}}, %{{.*}}, [[SELECT0]];
// CHECK:         or.b32 [[R0:%r[0-9]+]], [[BYTES0]], %{{.*}};
// CHECK:         or.b32 [[R2:%r[0-9]+]],
// CHECK:         and.b32 [[SELECT1:%r[0-9]+]], [[C1]], 2004318071;
// CHECK-NEXT:    prmt.b32 [[BYTES1:%r[0-9]+]], %{{.*}}, %{{.*}}, [[SELECT1]];
// CHECK:         or.b32 [[R1:%r[0-9]+]], [[BYTES1]], %{{.*}};
// CHECK:         or.b32 [[R3:%r[0-9]+]],
// CHECK:         stmatrix.sync.aligned.m8n8.x4.shared.b16 [%{{.*}}], {[[R0]], [[R1]], [[R2]], [[R3]]};
// CHECK-COUNT-3: stmatrix.sync.aligned.m8n8.x4.shared.b16

// The asynchronous proxy reads what the four warps have stored, after all have.

// CHECK-NOT:     wgmma.mma_async
// CHECK:         fence.proxy.async
// CHECK:         bar{{.*}}.sync{{.*}} 128;
// CHECK:         wgmma.fence.sync.aligned;
// PROMOTED:      wgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {%{{[^}]*}}}, %rd{{[0-9]+}}, %rd{{[0-9]+}}, %p{{[0-9]+}}, 1, 1;
// FAST:          wgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {%{{[^}]*}}}, %rd{{[0-9]+}}, %rd{{[0-9]+}}, 1, 1, 1;
// CHECK-COUNT-3: wgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {%{{[^}]*}}}, %rd{{[0-9]+}}, %rd{{[0-9]+}}, 1, 1, 1;
// CHECK-NOT:     wgmma.mma_async
// CHECK:         wgmma.wait_group.sync.aligned 0;

func.func @moe(%x: memref<?x512xf8E4M3FN>,
               %w: memref<2x2x4x!mxfp4.block<bytes, relative>>,
               %o: memref<3xi32>, %y: memref<?x128xf32>,
               %workspace: memref<2xi32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x512xf8E4M3FN>)
      weights(%w : memref<2x2x4x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x128xf32>)
      workspace(%workspace : memref<2xi32>)
      {accumulation = #mxfp4.accumulation<ACCUMULATION>}
  return
}
