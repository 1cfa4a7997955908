//===- BufferizePipeline.h - From tensors to buffers ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_BUFFERIZEPIPELINE_H
#define MXFP4_PIPELINE_BUFFERIZEPIPELINE_H

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/Transforms/OneShotAnalysis.h"
#include "mlir/Pass/PassOptions.h"

#include <string>

namespace mxfp4 {

/// Options of `mxfp4-bufferize` and `mxfp4-to-cpu`: those of upstream's
/// one-shot-bufferize, under the same names, but for `test-analysis-only` and
/// what goes with it, after which there is nothing to lower. Two defaults
/// differ: functions exchange contiguous buffers, which kernels take, and a
/// loop may carry a tensor that each step makes anew, as a loop over layers
/// does.
struct BufferizePipelineOptions
    : mlir::PassPipelineOptions<BufferizePipelineOptions> {
  using LayoutMapOption = mlir::bufferization::LayoutMapOption;
  using AnalysisHeuristic =
      mlir::bufferization::OneShotBufferizationOptions::AnalysisHeuristic;

  Option<bool> allowReturnAllocsFromLoops{
      *this, "allow-return-allocs-from-loops",
      llvm::cl::desc("Loops may yield buffers that they allocate"),
      llvm::cl::init(true)};
  Option<bool> allowUnknownOps{
      *this, "allow-unknown-ops",
      llvm::cl::desc("Leave operations that cannot be bufferized on tensors"),
      llvm::cl::init(false)};
  Option<AnalysisHeuristic> analysisHeuristic{
      *this, "analysis-heuristic", llvm::cl::desc("Order of the analysis"),
      llvm::cl::init(AnalysisHeuristic::BottomUp),
      llvm::cl::values(clEnumValN(AnalysisHeuristic::BottomUp, "bottom-up",
                                  "from the end of each function"),
                       clEnumValN(AnalysisHeuristic::TopDown, "top-down",
                                  "from the beginning"),
                       clEnumValN(AnalysisHeuristic::BottomUpFromTerminators,
                                  "bottom-up-from-terminators",
                                  "along the operands of what is returned"),
                       clEnumValN(AnalysisHeuristic::Fuzzer, "fuzzer",
                                  "at random, from a seed"))};
  Option<unsigned> analysisFuzzerSeed{
      *this, "analysis-fuzzer-seed",
      llvm::cl::desc("Seed of the order, for analysis-heuristic=fuzzer"),
      llvm::cl::init(0)};
  Option<bool> bufferizeFunctionBoundaries{
      *this, "bufferize-function-boundaries",
      llvm::cl::desc("Turn arguments and results of functions into memrefs"),
      llvm::cl::init(true)};
  Option<LayoutMapOption> functionBoundaryTypeConversion{
      *this, "function-boundary-type-conversion",
      llvm::cl::desc("Layout of memrefs that functions exchange"),
      llvm::cl::init(LayoutMapOption::IdentityLayoutMap), layouts()};
  Option<LayoutMapOption> unknownTypeConversion{
      *this, "unknown-type-conversion",
      llvm::cl::desc("Layout of memrefs that cannot be inferred"),
      llvm::cl::init(LayoutMapOption::FullyDynamicLayoutMap), layouts()};
  Option<bool> checkParallelRegions{
      *this, "check-parallel-regions",
      llvm::cl::desc("Respect parallel regions when looking for conflicts"),
      llvm::cl::init(true)};
  Option<bool> copyBeforeWrite{
      *this, "copy-before-write",
      llvm::cl::desc("Copy a buffer on every write, without an analysis"),
      llvm::cl::init(false)};
  ListOption<std::string> dialectFilter{
      *this, "dialect-filter",
      llvm::cl::desc("Dialects whose operations are bufferized (none: all)")};
  ListOption<std::string> noAnalysisFuncFilter{
      *this, "no-analysis-func-filter",
      llvm::cl::desc("Functions that are bufferized by copying before writes")};
  Option<bool> mustInferMemorySpace{
      *this, "must-infer-memory-space",
      llvm::cl::desc("Memory spaces are inferred, never taken to be 0"),
      llvm::cl::init(false)};
  Option<bool> useEncodingForMemorySpace{
      *this, "use-encoding-for-memory-space",
      llvm::cl::desc("Take memory spaces from the encoding of tensor types"),
      llvm::cl::init(false)};
  Option<uint64_t> bufferAlignment{
      *this, "buffer-alignment",
      llvm::cl::desc("Alignment of allocated buffers, in bytes"),
      llvm::cl::init(64)};

private:
  static llvm::cl::ValuesClass layouts() {
    return llvm::cl::values(
        clEnumValN(LayoutMapOption::InferLayoutMap, "infer-layout-map",
                   "as the function's body has it"),
        clEnumValN(LayoutMapOption::IdentityLayoutMap, "identity-layout-map",
                   "contiguous"),
        clEnumValN(LayoutMapOption::FullyDynamicLayoutMap,
                   "fully-dynamic-layout-map", "any strides and offset"));
  }
};

} // namespace mxfp4

#endif // MXFP4_PIPELINE_BUFFERIZEPIPELINE_H
