// Results in FP8 of an epilogue on pairs: a thread rounds the columns that it has of
// two tokens by one instruction, exchanges one with its neighbour, and stores two
// columns of one token. A power of two that scales results is part of constants.
//
// RUN: rm -rf %t && mxfp4-compile %s -o %t --schedule "#mxfp4.schedule<instruction=wgmma_fp8, rows=64, tokens=16, warps_rows=4, warps_tokens=1, stages=4, placement=register, ctas=1, copy_warps=1>"
// RUN: FileCheck %s --input-file=%t/kernel.ptx --implicit-check-not=cvt.rn.bf16 --implicit-check-not=st.global.b8
// RUN: FileCheck %s --input-file=%t/manifest.json --check-prefix=MANIFEST

// MANIFEST: "align": 2,
// MANIFEST-NEXT: "dtype": "e4m3",
// MANIFEST-NEXT: "kind": "pointer",
// MANIFEST-NEXT: "name": "y",
// MANIFEST: "output": "e4m3"

// CHECK: .visible .entry mxfp4_gate_up(
// CHECK: ex2.approx
// CHECK: rcp.approx
// CHECK: cvt.rn.satfinite.e4m3x2.f32
// CHECK: shfl.sync.bfly.b32
// CHECK: prmt.b32
// CHECK: @%p{{[0-9]+}} st.global.b16

func.func @gate_up(%x: memref<?x256xf8E4M3FN>,
                   %w: memref<2x2x2x!mxfp4.block<bytes, relative, interleaved>>,
                   %o: memref<3xi32>, %y: memref<?x64xf8E4M3FN>,
                   %workspace: memref<2xi32>, %powers: memref<2x128xf32>,
                   %scales: memref<?xf32>) {
  mxfp4.grouped_matmul activations(%x : memref<?x256xf8E4M3FN>)
      weights(%w : memref<2x2x2x!mxfp4.block<bytes, relative, interleaved>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xf8E4M3FN>)
      workspace(%workspace : memref<2xi32>)
      epilogue(%powers, %scales : memref<2x128xf32>, memref<?xf32>) {
      ^bb0(%gate: f32, %up: f32, %gate_power: f32, %up_power: f32, %scale: f32):
        %slope = arith.constant -2.0 : f32
        %log = arith.constant -3.0 : f32
        %eighth = arith.constant 0.125 : f32
        %0 = arith.mulf %gate, %scale : f32
        %1 = arith.mulf %0, %gate_power : f32
        %2 = arith.mulf %up, %scale : f32
        %3 = arith.mulf %2, %up_power : f32
        %4 = math.fma %1, %slope, %log : f32
        %5 = math.exp2 %4 : f32
        %6 = arith.addf %5, %eighth : f32
        %7 = arith.divf %1, %6 fastmath<arcp> : f32
        %8 = math.fma %3, %7, %7 : f32
        mxfp4.yield %8 : f32
      } {accumulation = #mxfp4.accumulation<fast>}
  return
}
