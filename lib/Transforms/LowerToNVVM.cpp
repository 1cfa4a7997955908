//===- LowerToNVVM.cpp - Kernels to the NVVM dialect ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelLowering.h"
#include "KernelMath.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Conversion/ArithToLLVM/ArithToLLVM.h"
#include "mlir/Conversion/ControlFlowToLLVM/ControlFlowToLLVM.h"
#include "mlir/Conversion/GPUToNVVM/GPUToNVVMPass.h"
#include "mlir/Conversion/LLVMCommon/ConversionTarget.h"
#include "mlir/Conversion/LLVMCommon/Pattern.h"
#include "mlir/Conversion/LLVMCommon/VectorPattern.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Conversion/UBToLLVM/UBToLLVM.h"
#include "mlir/Conversion/VectorToLLVM/ConvertVectorToLLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlow.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Dialect/Vector/Transforms/LoweringPatterns.h"
#include "mlir/Dialect/Vector/Transforms/VectorRewritePatterns.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/StringSet.h"

namespace mxfp4 {
#define GEN_PASS_DEF_LOWERTONVVM
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

void populatePatterns(LLVMTypeConverter &converter,
                      RewritePatternSet &patterns) {
  populateMemoryLowering(converter, patterns);
  populateKernelLowering(converter, patterns);
  populateTileLowering(converter, patterns);
  populateGatherLowering(converter, patterns);
  populateStoreLowering(converter, patterns);
  populateFragmentLowering(converter, patterns);
  populateBarrierLowering(converter, patterns);
  populateBulkCopyLowering(converter, patterns);
  populateWgmmaLowering(converter, patterns);
  populateRowCopyLowering(converter, patterns);
  populateSliceLowering(converter, patterns);
  populateAccumulatorLowering(converter, patterns);
  populateMathLowering(converter, patterns);
  populateVectorMemoryLowering(converter, patterns);
  arith::populateCeilFloorDivExpandOpsPatterns(patterns);
  arith::populateArithToLLVMConversionPatterns(converter, patterns);
  // Of the patterns for a GPU, those of these operations call libdevice, which
  // machines without CUDA's toolkit lack.
  patterns.add<VectorConvertToLLVMPattern<arith::MaxNumFOp, LLVM::MaxNumOp>,
               VectorConvertToLLVMPattern<arith::MinNumFOp, LLVM::MinNumOp>>(
      converter, /*benefit=*/2);
  populateSCFToControlFlowConversionPatterns(patterns);
  cf::populateControlFlowToLLVMConversionPatterns(converter, patterns);
  ub::populateUBToLLVMConversionPatterns(converter, patterns);
  populateVectorToLLVMConversionPatterns(converter, patterns);
  populateGpuToNVVMConversionPatterns(converter, patterns);
}

struct LowerToNVVMPass : mxfp4::impl::LowerToNVVMBase<LowerToNVVMPass> {
  using LowerToNVVMBase::LowerToNVVMBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    // Checks come ahead of the patterns, because upstream's pattern would take
    // a function that ours refuses.
    const auto check = [](gpu::GPUFuncOp op) {
      return failed(checkKernel(op)) ? WalkResult::interrupt()
                                     : WalkResult::advance();
    };
    if (getOperation()->walk(check).wasInterrupted() ||
        failed(checkMath(getOperation())))
      return signalPassFailure();
    simplifyMath(getOperation());
    // Canonicalisation gathers accumulators into vectors of rank 3, which have
    // no conversion; take them apart again.
    RewritePatternSet unroll(context);
    vector::populateVectorFromElementsUnrollPatterns(unroll);
    vector::populateVectorToElementsUnrollPatterns(unroll);
    vector::populateVectorBroadcastLoweringPatterns(unroll);
    vector::populateVectorShapeCastLoweringPatterns(unroll);
    if (failed(applyPatternsGreedily(getOperation(), std::move(unroll))))
      return signalPassFailure();

    getOperation()->walk([](scf::ForOp loop) { keepRolled(loop); });
    llvm::StringSet<> tall;
    getOperation()->walk([&](gpu::GPUFuncOp kernel) {
      if (hasTallSums(kernel))
        tall.insert(kernel.getName());
    });
    // Kernels count rows, tiles, slots and steps in `index`, and these numbers
    // fit into 31 bits (the launch contract bounds rows and tiles). Addresses
    // of large buffers are computed in 64 bits.
    LowerToLLVMOptions options(context);
    options.overrideIndexBitwidth(32);
    LLVMTypeConverter converter(context, options);
    configureGpuToNVVMTypeConverter(converter);

    RewritePatternSet patterns(context);
    populatePatterns(converter, patterns);
    LLVMConversionTarget target(*context);
    target.addLegalDialect<NVVM::NVVMDialect>();
    target.addIllegalDialect<MXFP4Dialect, arith::ArithDialect,
                             cf::ControlFlowDialect, gpu::GPUDialect,
                             math::MathDialect, memref::MemRefDialect,
                             scf::SCFDialect, vector::VectorDialect>();
    // The container stays: gpu-module-to-binary serialises it.
    target.addLegalOp<gpu::GPUModuleOp>();
    // A yield goes away with its loop or branch. It is legal, because the
    // driver visits the yields of a branch that a pattern creates before the
    // branch.
    target.addLegalOp<scf::YieldOp>();
    // mxfp4-lower-decode casts i32 to registers of 8-bit floats.
    // Canonicalisation drops each such cast with its opposite.
    target.addLegalOp<UnrealizedConversionCastOp>();
    if (failed(
            applyFullConversion(getOperation(), target, std::move(patterns))))
      return signalPassFailure();
    getOperation()->walk([&](LLVM::LLVMFuncOp kernel) {
      if (tall.contains(kernel.getName()))
        splitSums(kernel);
    });
  }
};

} // namespace
