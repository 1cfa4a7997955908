// Activations in FP8, from the operation to PTX: a stage has 128 of K and four
// instructions of 32, whose operand A is four registers of e5m2 that decode
// instructions have written.
//
// RUN: rm -rf %t && mkdir %t
// RUN: sed "s/ACCUMULATION/promoted 128/" %s > %t/promoted.mlir
// RUN: sed "s/ACCUMULATION/fast/" %s > %t/fast.mlir
// RUN: mxfp4-compile %t/promoted.mlir -o %t/promoted --schedule "#mxfp4.schedule<instruction=wgmma_fp8, rows=64, tokens=16, warps_rows=4, warps_tokens=1, stages=4, placement=register, ctas=1, copy_warps=1>"
// RUN: mxfp4-compile %t/fast.mlir -o %t/fast --schedule "#mxfp4.schedule<instruction=wgmma_fp8, rows=64, tokens=16, warps_rows=4, warps_tokens=1, stages=4, placement=register, ctas=1, copy_warps=1>"
// RUN: FileCheck %s --input-file=%t/promoted/kernel.ptx --check-prefixes=CHECK,PROMOTED --implicit-check-not=cp.async.c --implicit-check-not=mul.rn.bf16x2
// RUN: FileCheck %s --input-file=%t/fast/kernel.ptx --check-prefixes=CHECK,FAST --implicit-check-not=cp.async.c --implicit-check-not=mul.rn.bf16x2

// A thread's codes are 2 x 16 bytes of a block of 4352, and its scales 8 bytes.

// CHECK:         .visible .entry mxfp4_moe(
// CHECK:         mul.lo.s32 %{{.*}}, %{{.*}}, 4352;
// CHECK:         ld.shared.v4.b32 {[[C:%r[0-9]+]], %{{.*}}}, [%{{.*}}+8192];
// CHECK-NEXT:    ld.shared.v4.b32 {%{{.*}}}, [%{{.*}}+10240];
// CHECK:         ld.shared.v2.b32 {[[S:%r[0-9]+]], %{{.*}}}, [%{{.*}}+12288];

// The first register of the first fragment: a table of eight magnitudes from a
// byte of scale, two multiplications, one look-up, one operation for the signs.

// CHECK:         prmt.b32 [[SCALE:%r[0-9]+]], [[S]], 0, 0x4440U;
// CHECK-NEXT:    mad.lo.s32 [[LOW:%r[0-9]+]], [[SCALE]], 67372032, 168297472;
// CHECK-NEXT:    mad.lo.s32 [[HIGH:%r[0-9]+]], [[SCALE]], 67372036, 303042060;
// CHECK-NEXT:    and.b32 [[SELECT:%r[0-9]+]], [[C]], 2004318071;
// CHECK-NEXT:    prmt.b32 [[BYTES:%r[0-9]+]], [[LOW]], [[HIGH]], [[SELECT]];
// CHECK-NEXT:    and.b32 [[SIGNS:%r[0-9]+]], [[C]], -2139062144;
// CHECK-NEXT:    or.b32 [[A:%r[0-9]+]], [[BYTES]], [[SIGNS]];

// Four instructions of a batch, 32 bytes of K apart. With promotion the first of an
// interval replaces its sums, which are added in f32 when the interval is over.

// CHECK:         wgmma.fence.sync.aligned;
// PROMOTED:      wgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {[[D:%r[0-9]+]], %{{.*}}}, {[[A]], %{{.*}}}, %{{rd[0-9]+}}, [[ADD:%p[0-9]+]], 1, 1;
// FAST:          wgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {%{{.*}}}, {[[A]], %{{.*}}}, %{{rd[0-9]+}}, 1, 1, 1;
// CHECK-COUNT-3: wgmma.mma_async.sync.aligned.m64n16k32.f32.e5m2.e4m3 {%{{.*}}}, {%{{.*}}}, %{{rd[0-9]+}}, 1, 1, 1;
// CHECK-NOT:     wgmma.mma_async
// CHECK:         wgmma.wait_group.sync.aligned 0;
// PROMOTED:      @[[ADD]] bra
// PROMOTED-COUNT-3: add.rn.f32
// PROMOTED-NEXT: add.rn.f32 [[SUM:%r[0-9]+]], [[SUM]], [[D]];
// PROMOTED-COUNT-4: add.rn.f32
// FAST-NOT:      add.rn.f32
// CHECK:         mbarrier.arrive.shared.b64

func.func @moe(%x: memref<?x256xf8E4M3FN>,
               %w: memref<2x1x2x!mxfp4.block<bytes, relative>>,
               %o: memref<3xi32>, %y: memref<?x64xbf16>,
               %workspace: memref<2xi32>, %powers: memref<2x64xf32>,
               %scales: memref<?xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x256xf8E4M3FN>)
      weights(%w : memref<2x1x2x!mxfp4.block<bytes, relative>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
      workspace(%workspace : memref<2xi32>)
      epilogue(%powers, %scales : memref<2x64xf32>, memref<?xf32>) {
      ^bb0(%sum: f32, %power: f32, %scale: f32):
        %0 = arith.mulf %sum, %scale : f32
        %1 = arith.mulf %0, %power : f32
        mxfp4.yield %1 : f32
      } {accumulation = #mxfp4.accumulation<ACCUMULATION>}
  return
}
