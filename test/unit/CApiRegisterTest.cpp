//===- CApiRegisterTest.cpp - libmxfp4 in a program with its own MLIR -----===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The program knows mxfp4 through two functions of C alone.
//
//===----------------------------------------------------------------------===//

#include "mxfp4-c/mxfp4.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"

#include <gtest/gtest.h>

using namespace mlir;

TEST(CApiRegister, DialectAndPassesOfAnotherProgram) {
  DialectRegistry registry;
  registry.insert<func::FuncDialect, gpu::GPUDialect>();
  mxfp4_register_dialect(&registry);
  mxfp4_register_passes();
  mxfp4_register_passes();
  MLIRContext context(registry);

  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(
      R"(func.func @layer(%x: memref<?x64xbf16>,
             %w: memref<2x1x1x!mxfp4.block<spread, folded>>,
             %o: memref<3xi32>, %y: memref<?x64xbf16>) {
           mxfp4.grouped_matmul activations(%x : memref<?x64xbf16>)
               weights(%w : memref<2x1x1x!mxfp4.block<spread, folded>>)
               offsets(%o : memref<3xi32>) outs(%y : memref<?x64xbf16>)
           return
         })",
      &context);
  ASSERT_TRUE(module);
  PassManager pm(&context);
  ASSERT_TRUE(succeeded(
      parsePassPipeline("mxfp4-choose-schedule,mxfp4-tile,canonicalize", pm)));
  ASSERT_TRUE(succeeded(pm.run(*module)));
  int kernels = 0;
  module->walk([&](gpu::GPUFuncOp) { ++kernels; });
  EXPECT_EQ(kernels, 1);
}
