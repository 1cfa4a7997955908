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
// A program can register a dialect or a pass once: MLIR ends the process at the
// second registration. The plugin therefore registers nothing that is there
// already, from the program itself, such as mxfp4-opt, or from a second copy of
// the plugin. --load-dialect-plugin brings the passes, too. --load-pass-plugin
// alone has no access to the program's dialects, and brings the dialect with
// the passes that make operations of it.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/Plugins/DialectPlugin.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "llvm/Support/raw_ostream.h"

static constexpr char kName[] = "mxfp4";

/// Whether this copy of the plugin has registered its passes.
static bool passesAreOurs = false;

static void registerPasses() {
  if (passesAreOurs)
    return;
  if (mlir::PassInfo::lookup("mxfp4-raise")) {
    llvm::errs() << "MXFP4Plugin: this program has the mxfp4 passes already; "
                    "the plugin is not needed\n";
    return;
  }
  passesAreOurs = true;
  mxfp4::registerMXFP4Passes();
  mxfp4::registerPipelines();
}

static void registerDialect(mlir::DialectRegistry &registry) {
  if (registry.getDialectAllocator(kName)) {
    if (!passesAreOurs)
      llvm::errs() << "MXFP4Plugin: this program has the dialect mxfp4 "
                      "already; the plugin is not needed\n";
    return;
  }
  // Two copies have a dialect each, which one program cannot have both of.
  if (!passesAreOurs && mlir::PassInfo::lookup("mxfp4-raise")) {
    llvm::errs() << "MXFP4Plugin: the mxfp4 passes come from another copy of "
                    "the plugin; give the path of that copy to "
                    "--load-dialect-plugin, too\n";
    return;
  }
  mxfp4::registerDialect(registry);
  registerPasses();
}

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::DialectPluginLibraryInfo
mlirGetDialectPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, kName, MXFP4_VERSION,
          [](mlir::DialectRegistry *registry) { registerDialect(*registry); }};
}

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT mlir::PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, kName, MXFP4_VERSION,
          [] { registerPasses(); }};
}
