//===- mxfp4-plugin.cpp - The dialect and its passes for mlir-opt ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A program that takes MLIR's plugins, such as mlir-opt, and has registered
// upstream's dialects, learns ours:
//
//   mlir-opt --load-dialect-plugin=MXFP4Plugin.so
//            --load-pass-plugin=MXFP4Plugin.so
//            --pass-pipeline="builtin.module(mxfp4-to-ptx)" in.mlir
//
// It reads its options before it loads plugins: passes are known in
// --pass-pipeline, and not as options of their own.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"

static constexpr char kName[] = "mxfp4";

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, kName, MXFP4_VERSION,
          [](mlir::DialectRegistry *registry) {
            mxfp4::registerDialect(*registry);
          }};
}

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, kName, MXFP4_VERSION, [] {
            mxfp4::registerMXFP4Passes();
            mxfp4::registerPipelines();
          }};
}
