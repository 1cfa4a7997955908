//===- PtxPipeline.cpp - From the operation to PTX ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "ModulePipeline.h"

#include "mxfp4/Pipeline/PtxPipeline.h"

#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/PassManager.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mxfp4;

void mxfp4::buildSchedulePipeline(OpPassManager &pm,
                                  const PtxPipelineOptions &options) {
  ChooseScheduleOptions choose;
  choose.chip = options.chip;
  choose.device = options.device;
  choose.rowsHint = options.rowsHint;
  choose.placement = options.placement;
  choose.instruction = options.instruction;
  choose.batchInvariant = options.batchInvariant;
  choose.schedule = options.schedule;
  pm.addPass(createChooseSchedule(choose));
}

/// The operation to a kernel of tile operations, which the host's code
/// launches.
static void buildTiling(OpPassManager &pm, const PtxPipelineOptions &options) {
  MakeContiguousOptions contiguous;
  contiguous.copies = options.copies;
  pm.addPass(createMakeContiguous(contiguous));
  // Without code of the host there is nothing that decodes around a kernel.
  if (options.copies)
    pm.addPass(createTileDequantize());
  TileRoutingOptions routing;
  routing.rowsHint = options.rowsHint;
  pm.addPass(createTileRouting(routing));
  TileOptions tile;
  tile.requireKernels = options.requireKernels;
  pm.addPass(createTile(tile));
}

/// Tiles to fragments to registers, inside of kernels. No pass needs clean IR;
/// what is cleaned in between is what would cost later passes time, and what
/// decides the order of operations and so the PTX.
static void buildDecoding(OpPassManager &pm,
                          const PtxPipelineOptions &options) {
  pm.addPass(createSpecializeWarps());
  pm.addPass(createShareTiles());
  pm.addPass(createCountGroups());
  pm.addPass(createJoinPrograms());
  pm.addPass(createBringRows());
  pm.addPass(createCopyAhead());
  pm.addPass(createAwaitGroups());
  pm.addPass(createHalveTiles());
  pm.addPass(createPrefetchFirst());
  pm.addPass(createPipelineCopies());
  pm.addPass(createInsertDecode());
  pm.addPass(createVersionLoops());
  pm.addPass(createOverlapDecode());
  pm.addPass(createLowerProgram());
  pm.addPass(createCSEPass());
  // Who a thread is does not change from step to step.
  pm.addPass(createLoopInvariantCodeMotionPass());
  pm.addPass(createCanonicalizerPass());
  pm.addPass(createNarrowWgmma());
  LowerDecodeOptions lower;
  lower.sequence = options.decode;
  pm.addPass(createLowerDecode(lower));
  // Decodes of one k32 slice share the expansion of their scales.
  pm.addPass(createCSEPass());
}

/// Registers to text.
static void buildSerialisation(OpPassManager &pm,
                               const PtxPipelineOptions &options) {
  SerializeOptions serialize;
  serialize.chip = options.chip;
  serialize.ptxVersion = options.ptxVersion;
  serialize.optLevel = options.optLevel;
  serialize.format = options.format;
  pm.addPass(createSerialize(serialize));
}

void mxfp4::buildKernelPipeline(OpPassManager &pm,
                                const PtxPipelineOptions &options) {
  buildSchedulePipeline(pm, options);
  buildTiling(pm, options);
  pm.addPass(createOnKernels(
      [&](OpPassManager &kernels) { buildDecoding(kernels, options); }));
}

void mxfp4::buildCodePipeline(OpPassManager &pm,
                              const PtxPipelineOptions &options) {
  pm.addPass(createOnKernels([](OpPassManager &kernels) {
    kernels.addPass(createLowerToNVVM());
    kernels.addPass(createCanonicalizerPass());
    kernels.addPass(createCSEPass());
  }));
  buildSerialisation(pm, options);
}

void mxfp4::buildPtxPipeline(OpPassManager &pm,
                             const PtxPipelineOptions &options) {
  buildKernelPipeline(pm, options);
  buildCodePipeline(pm, options);
}

std::vector<PtxKernel> mxfp4::ptxKernels(ModuleOp module) {
  std::vector<PtxKernel> kernels;
  module.walk([&](gpu::BinaryOp binary) {
    if (!binary->hasAttr(MXFP4Dialect::kCompiledAttr))
      return;
    for (Attribute attr : binary.getObjects()) {
      auto object = cast<gpu::ObjectAttr>(attr);
      if (object.getFormat() == gpu::CompilationTarget::Assembly)
        kernels.push_back({binary.getName().str(),
                           object.getObject().getValue().rtrim('\0').str()});
    }
  });
  return kernels;
}

void mxfp4::registerPtxPipeline() {
  registerModulePipeline<PtxPipelineOptions>(
      "mxfp4-to-ptx",
      "Lower mxfp4.grouped_matmul on memrefs to kernels in a gpu.binary that "
      "holds PTX",
      buildPtxPipeline);
}
