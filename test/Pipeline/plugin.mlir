// Stock mlir-opt with the plugin: parses and verifies the dialect, and
// lowers to PTX and to the CPU.
//
// DEFINE: %{opt} = mlir-opt --load-dialect-plugin=%mxfp4_plugin \
// DEFINE:   --load-pass-plugin=%mxfp4_plugin
// RUN: %{opt} %s | FileCheck %s --check-prefix=PARSE
// RUN: %{opt} %s --pass-pipeline="builtin.module(mxfp4-choose-schedule{rows-hint=4096},mxfp4-tile,canonicalize,cse)" \
// RUN:   | FileCheck %s --check-prefix=TILE
// RUN: %{opt} %s --pass-pipeline="builtin.module(mxfp4-to-ptx{rows-hint=8})" \
// RUN:   | FileCheck %s --check-prefix=PTX
// RUN: %{opt} %s --pass-pipeline="builtin.module(mxfp4-to-ptx{rows-hint=65536 instruction=wgmma})" \
// RUN:   | FileCheck %s --check-prefixes=PTX,WGMMA
// RUN: %{opt} %s --pass-pipeline="builtin.module(mxfp4-to-cpu)" \
// RUN:   | FileCheck %s --check-prefix=CPU
// RUN: not %{opt} %s --pass-pipeline="builtin.module(mxfp4-to-ptx{placement=nowhere})" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=ERROR
//
// What the plugin gives is what mxfp4-opt has (but for a time in the binary).
// RUN: %{opt} %s --pass-pipeline="builtin.module(mxfp4-to-ptx{format=none})" > %t.plugin
// RUN: mxfp4-opt %s --mxfp4-to-ptx=format=none > %t.own
// RUN: diff %t.plugin %t.own

// PARSE: mxfp4.grouped_matmul activations(%{{.*}} : memref<?x64xbf16>)
// TILE: gpu.module @mxfp4_layer
// TILE: mxfp4.tile_matmul
// PTX: gpu.binary @mxfp4_layer
// PTX-SAME: .visible .entry mxfp4_layer(
// WGMMA-SAME: wgmma.mma_async
// CPU: llvm.func @layer
// CPU-NOT: mxfp4
// ERROR: error: mxfp4-choose-schedule expects placement=register or placement=shared, but got 'nowhere'
func.func @layer(%x: memref<?x64xbf16>,
                 %w: memref<2x1x1x!mxfp4.block<spread, raw>>,
                 %o: memref<3xi32>, %y: memref<?x64xbf16>) {
  mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
      weights(%w : memref<2x1x1x!mxfp4.block<spread, raw>>)
      offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
  return
}
