//===- CpuPipeline.cpp - From the operation to the CPU --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Pipeline/BufferizePipeline.h"
#include "mxfp4/Pipeline/Pipeline.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mxfp4;

/// As the pass spells it: another word would end the process.
static std::string
nameOf(BufferizePipelineOptions::AnalysisHeuristic heuristic) {
  using Heuristic = BufferizePipelineOptions::AnalysisHeuristic;
  switch (heuristic) {
  case Heuristic::BottomUp:
    return "bottom-up";
  case Heuristic::TopDown:
    return "top-down";
  case Heuristic::BottomUpFromTerminators:
    return "bottom-up-from-terminators";
  case Heuristic::Fuzzer:
    return "fuzzer";
  }
  return "bottom-up";
}

/// The options of the pipeline as those of the pass.
static bufferization::OneShotBufferizePassOptions
passOptions(const BufferizePipelineOptions &from) {
  bufferization::OneShotBufferizePassOptions to;
  to.allowReturnAllocsFromLoops = from.allowReturnAllocsFromLoops;
  to.allowUnknownOps = from.allowUnknownOps;
  to.analysisFuzzerSeed = from.analysisFuzzerSeed;
  to.analysisHeuristic = nameOf(from.analysisHeuristic);
  to.bufferizeFunctionBoundaries = from.bufferizeFunctionBoundaries;
  to.checkParallelRegions = from.checkParallelRegions;
  to.copyBeforeWrite = from.copyBeforeWrite;
  llvm::append_range(to.dialectFilter, from.dialectFilter);
  llvm::append_range(to.noAnalysisFuncFilter, from.noAnalysisFuncFilter);
  to.functionBoundaryTypeConversion = from.functionBoundaryTypeConversion;
  to.mustInferMemorySpace = from.mustInferMemorySpace;
  to.useEncodingForMemorySpace = from.useEncodingForMemorySpace;
  to.unknownTypeConversion = from.unknownTypeConversion;
  to.bufferAlignment = from.bufferAlignment;
  return to;
}

/// Tensors to contiguous memrefs, at function boundaries too, which callers
/// expect.
void mxfp4::buildBufferizePipeline(OpPassManager &pm,
                                   const BufferizePipelineOptions &options) {
  // arith on whole tensors has no bufferization of its own.
  pm.addPass(createConvertElementwiseToLinalgPass());
  pm.addPass(bufferization::createEmptyTensorEliminationPass());
  pm.addPass(bufferization::createOneShotBufferizePass(passOptions(options)));
  // A result that is an output argument's buffer is in the caller's hands
  // already; returning it too would cost a copy.
  pm.addPass(bufferization::createDropEquivalentBufferResultsPass());
  bufferization::buildBufferDeallocationPipeline(
      pm, bufferization::BufferDeallocationPipelineOptions());
  pm.addPass(createConvertBufferizationToMemRefPass());
}

/// Functions to calls of libm: LLVM's intrinsics have no expm1, and a log1p
/// that rounds the sum. What libm does not have either becomes operations.
static void lowerScalars(OpPassManager &pm) {
  math::MathExpandOpsPassOptions expand;
  expand.opMnemonics = {"fpowi"};
  pm.addPass(math::createMathExpandOpsPass(expand));
  pm.addPass(createConvertMathToLibmPass());
  // The host may lack bf16 instructions, and the runtime functions that LLVM
  // would call instead are not there under a JIT.
  arith::ArithEmulateUnsupportedFloatsOptions ofIntegers;
  ofIntegers.sourceTypeStrs = {"bf16"};
  pm.addPass(arith::createArithEmulateUnsupportedFloats(ofIntegers));
  arith::ArithExpandOpsPassOptions casts;
  casts.includeBf16 = true;
  pm.addPass(arith::createArithExpandOpsPass(casts));
}

/// Loops and scalars to the LLVM dialect.
static void lowerToLLVM(OpPassManager &pm) {
  pm.addPass(createSCFToControlFlowPass());
  pm.addPass(memref::createExpandStridedMetadataPass());
  pm.addPass(createLowerAffinePass());
  lowerScalars(pm);
  pm.addPass(createConvertToLLVMPass());
  pm.addPass(createReconcileUnrealizedCastsPass());
}

void mxfp4::buildBufferizePipeline(OpPassManager &pm) {
  buildBufferizePipeline(pm, BufferizePipelineOptions());
}

void mxfp4::buildCpuPipeline(OpPassManager &pm) {
  buildCpuPipeline(pm, BufferizePipelineOptions());
}

void mxfp4::buildCpuPipeline(OpPassManager &pm,
                             const BufferizePipelineOptions &options) {
  buildBufferizePipeline(pm, options);
  pm.addPass(mxfp4::createLowerToLoops());
  pm.addNestedPass<func::FuncOp>(createConvertLinalgToLoopsPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createCSEPass());
  lowerToLLVM(pm);
}
