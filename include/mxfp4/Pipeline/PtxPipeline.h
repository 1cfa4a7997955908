//===- PtxPipeline.h - From the operation to PTX ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef MXFP4_PIPELINE_PTXPIPELINE_H
#define MXFP4_PIPELINE_PTXPIPELINE_H

#include "mlir/Pass/PassOptions.h"

#include <string>
#include <vector>

namespace mlir {
class ModuleOp;
class OpPassManager;
} // namespace mlir

namespace mxfp4 {

/// Options of `mxfp4-to-ptx`.
struct PtxPipelineOptions : mlir::PassPipelineOptions<PtxPipelineOptions> {
  Option<std::string> chip{*this, "chip", llvm::cl::desc("Target"),
                           llvm::cl::init("sm_90a")};
  Option<std::string> device{
      *this, "device",
      llvm::cl::desc("Device to choose for: a name such as h200, or facts, "
                     "such as multiprocessors=78,bandwidth=4000 (empty: that "
                     "of mxfp4.target, or h100-sxm)"),
      llvm::cl::init("")};
  Option<int> ptxVersion{
      *this, "ptx-version",
      llvm::cl::desc("PTX version, 80 for 8.0 (0: the target's default)"),
      llvm::cl::init(0)};
  Option<int64_t> rowsHint{
      *this, "rows-hint",
      llvm::cl::desc("Rows expected in all groups together (0: unknown)"),
      llvm::cl::init(0)};
  Option<std::string> placement{
      *this, "placement",
      llvm::cl::desc("Where weights are decoded: register or shared"),
      llvm::cl::init("register")};
  Option<std::string> instruction{
      *this, "instruction",
      llvm::cl::desc("Tensor-core instruction: mma_sync, wgmma, or auto for "
                     "the faster"),
      llvm::cl::init("auto")};
  Option<bool> batchInvariant{
      *this, "batch-invariant",
      llvm::cl::desc("Give a row the same bits whatever other rows there are: "
                     "add over K in one order in every schedule"),
      llvm::cl::init(false)};
  Option<std::string> schedule{
      *this, "schedule",
      llvm::cl::desc("A #mxfp4.schedule attribute to use instead of choosing"),
      llvm::cl::init("")};
  Option<std::string> decode{
      *this, "decode",
      llvm::cl::desc("Decode sequence that the weights must allow: fast, "
                     "exact, plain-fast, plain, or auto"),
      llvm::cl::init("auto")};
  Option<int> optLevel{*this, "opt-level",
                       llvm::cl::desc("LLVM optimisation level, 0 to 3"),
                       llvm::cl::init(2)};
  Option<std::string> format{
      *this, "format",
      llvm::cl::desc("What the gpu.binary holds: isa (PTX), bin (cubin, needs "
                     "ptxas), or none to stop at the NVVM dialect"),
      llvm::cl::init("isa")};
  Option<bool> copies{
      *this, "copies",
      llvm::cl::desc("Copy operands that are not contiguous; otherwise they "
                     "are an error"),
      llvm::cl::init(true)};
  Option<bool> requireKernels{
      *this, "require-kernels",
      llvm::cl::desc("Whether a module without mxfp4.grouped_matmul is an "
                     "error"),
      llvm::cl::init(true)};
};

/// `mxfp4-to-ptx`: a module with mxfp4.grouped_matmul on memrefs to kernels.
void buildPtxPipeline(mlir::OpPassManager &pm,
                      const PtxPipelineOptions &options);

/// Its first phase alone: a schedule on every operation that can have one.
void buildSchedulePipeline(mlir::OpPassManager &pm,
                           const PtxPipelineOptions &options);

/// Its first two phases, up to kernels in `gpu.func`, whose arguments still say
/// what they are.
void buildKernelPipeline(mlir::OpPassManager &pm,
                         const PtxPipelineOptions &options);

/// Its last phase: kernels to text.
void buildCodePipeline(mlir::OpPassManager &pm,
                       const PtxPipelineOptions &options);

/// A kernel as text.
struct PtxKernel {
  std::string name;
  std::string ptx;
};

/// The kernels that `mxfp4-to-ptx` has left in a module, in its order.
std::vector<PtxKernel> ptxKernels(mlir::ModuleOp module);

/// Registers `mxfp4-to-ptx`.
void registerPtxPipeline();

} // namespace mxfp4

#endif // MXFP4_PIPELINE_PTXPIPELINE_H
