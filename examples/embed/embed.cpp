//===- embed.cpp - The compiler inside another one ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What a compiler that embeds mxfp4 does: registers dialect and passes, writes
// mxfp4.grouped_matmul where its own lowering would, runs the pipeline, and
// takes PTX. Prints the schedule that was chosen, then the PTX.
//
//===----------------------------------------------------------------------===//

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Pipeline/PtxPipeline.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Pass/PassManager.h"

using namespace mlir;

/// The down projection of a layer with 8 experts: R x 512 to R x 320.
static OwningOpRef<ModuleOp> buildLayer(MLIRContext &context) {
  constexpr int64_t experts = 8, n = 320, k = 512, any = ShapedType::kDynamic;
  ImplicitLocOpBuilder b(UnknownLoc::get(&context), &context);
  OwningOpRef<ModuleOp> module = ModuleOp::create(b.getLoc());
  b.setInsertionPointToStart(module->getBody());

  // The layout of packed weights is a type.
  const mxfp4::BlockLayout layout;
  auto block = mxfp4::BlockType::get(&context, layout);
  Type arguments[] = {
      MemRefType::get({any, k}, b.getBF16Type()),
      MemRefType::get({experts, layout.rowBlocks(n), layout.colBlocks(k)},
                      block),
      MemRefType::get({experts + 1}, b.getI32Type()),
      MemRefType::get({any, n}, b.getBF16Type()),
      // Zeros, which each launch leaves as they were: CTAs take tiles from it.
      MemRefType::get({2}, b.getI32Type())};
  auto layer =
      func::FuncOp::create(b, "down", b.getFunctionType(arguments, {}));
  b.setInsertionPointToStart(layer.addEntryBlock());
  auto matmul = mxfp4::GroupedMatmulOp::create(
      b, /*results=*/TypeRange(), layer.getArgument(0),
      /*weights=*/ValueRange(layer.getArgument(1)), layer.getArgument(2),
      /*expert_ids=*/Value(), /*init=*/layer.getArgument(3));
  matmul.getWorkspaceMutable().assign(layer.getArgument(4));
  func::ReturnOp::create(b);
  return module;
}

int main() {
  DialectRegistry registry;
  mxfp4::registerAll(registry);
  MLIRContext context(registry);
  context.loadDialect<func::FuncDialect, mxfp4::MXFP4Dialect>();
  OwningOpRef<ModuleOp> module = buildLayer(context);

  mxfp4::PtxPipelineOptions options;
  options.rowsHint = 64;

  // A pipeline can be run in parts, with passes of one's own in between.
  PassManager schedule(&context);
  mxfp4::buildSchedulePipeline(schedule, options);
  if (failed(schedule.run(*module)))
    return 1;
  module->walk([](mxfp4::GroupedMatmulOp op) {
    llvm::outs() << "// " << op.getScheduleAttr() << "\n";
  });

  PassManager lowering(&context);
  mxfp4::buildPtxPipeline(lowering, options);
  if (failed(lowering.run(*module)))
    return 1;
  for (const mxfp4::PtxKernel &kernel : mxfp4::ptxKernels(*module))
    llvm::outs() << "// kernel " << kernel.name << "\n" << kernel.ptx;
  return 0;
}
