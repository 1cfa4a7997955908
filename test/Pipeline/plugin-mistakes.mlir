// The plugin in a program that has the dialect, loaded twice, as copies, in any
// order, or only half of it: each takes it or gets a sentence, and none aborts.
//
// What has the dialect and the passes needs no plugin, and goes on.
// RUN: mxfp4-opt --load-dialect-plugin=%mxfp4_plugin %s 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=HAS-DIALECT,SAME
// RUN: mxfp4-opt --load-pass-plugin=%mxfp4_plugin %s 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=HAS-PASSES,SAME
// RUN: mxfp4-opt --load-dialect-plugin=%mxfp4_plugin \
// RUN:     --load-pass-plugin=%mxfp4_plugin %s --mxfp4-lower-to-loops 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=HAS-DIALECT,LOOPS
// RUN: mxfp4-opt --load-pass-plugin=%mxfp4_plugin \
// RUN:     --load-dialect-plugin=%mxfp4_plugin %s --mxfp4-lower-to-loops 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=HAS-PASSES,LOOPS
//
// Stock mlir-opt: the dialect brings the passes; twice and in the other order
// is as once.
// RUN: mlir-opt --load-dialect-plugin=%mxfp4_plugin %s \
// RUN:     --pass-pipeline="builtin.module(mxfp4-lower-to-loops)" 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=SILENT,LOOPS
// RUN: mlir-opt --load-pass-plugin=%mxfp4_plugin \
// RUN:     --load-dialect-plugin=%mxfp4_plugin %s \
// RUN:     --pass-pipeline="builtin.module(mxfp4-lower-to-loops)" 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=SILENT,LOOPS
// RUN: mlir-opt --load-dialect-plugin=%mxfp4_plugin \
// RUN:     --load-dialect-plugin=%mxfp4_plugin \
// RUN:     --load-pass-plugin=%mxfp4_plugin --load-pass-plugin=%mxfp4_plugin \
// RUN:     %s --pass-pipeline="builtin.module(mxfp4-lower-to-loops)" 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=SILENT,LOOPS
//
// Two copies of the file.
// RUN: cp %mxfp4_plugin %t.so
// RUN: mlir-opt --load-dialect-plugin=%mxfp4_plugin --load-pass-plugin=%t.so %s \
// RUN:     --pass-pipeline="builtin.module(mxfp4-lower-to-loops)" 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=HAS-PASSES,LOOPS
// RUN: mlir-opt --load-dialect-plugin=%mxfp4_plugin --load-dialect-plugin=%t.so %s \
// RUN:     --pass-pipeline="builtin.module(mxfp4-lower-to-loops)" 2>&1 \
// RUN:   | FileCheck %s --check-prefixes=HAS-DIALECT,LOOPS
// RUN: not mlir-opt --load-pass-plugin=%t.so --load-dialect-plugin=%mxfp4_plugin %s \
// RUN:     --pass-pipeline="builtin.module(mxfp4-lower-to-loops)" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=COPIES
//
// With the passes alone, mxfp4-raise brings the dialect, complete.
// RUN: mlir-opt --load-pass-plugin=%mxfp4_plugin \
// RUN:     %mxfp4_source/examples/moe-layer/layer.mlir \
// RUN:     --pass-pipeline="builtin.module(mxfp4-raise{groups-cover-rows},mxfp4-bufferize)" 2>&1 \
// RUN:   | FileCheck %s --check-prefix=RAISED

// HAS-DIALECT: MXFP4Plugin: this program has the dialect mxfp4 already; the plugin is not needed
// HAS-PASSES: MXFP4Plugin: this program has the mxfp4 passes already; the plugin is not needed
// COPIES: MXFP4Plugin: the mxfp4 passes come from another copy of the plugin; give the path of that copy to --load-dialect-plugin, too
// SILENT-NOT: MXFP4Plugin
// SAME: func.func @f
// SAME: mxfp4.dequantize
// LOOPS: func.func @f
// LOOPS: scf.for
// RAISED-NOT: error
// RAISED: mxfp4.grouped_matmul {{.*}} memref<
func.func @f(%c: memref<48x2x16xi8>, %s: memref<48x2xi8>, %y: memref<48x64xbf16>) {
  mxfp4.dequantize codes(%c : memref<48x2x16xi8>) scales(%s : memref<48x2xi8>)
      outs(%y : memref<48x64xbf16>)
  return
}
