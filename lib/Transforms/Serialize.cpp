//===- Serialize.cpp - Our kernels to text or code ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "mxfp4/Core/PtxName.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/GPU/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"

namespace mxfp4 {
#define GEN_PASS_DEF_SERIALIZE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

struct SerializePass : mxfp4::impl::SerializeBase<SerializePass> {
  using SerializeBase::SerializeBase;

  /// Options that LLVM would end the process for, or warn of and go on, are
  /// refused before anything runs.
  LogicalResult initialize(MLIRContext *context) override {
    Location loc = UnknownLoc::get(context);
    const Target *target = findTarget(chip);
    if (!target)
      return emitError(loc) << "mxfp4-serialize knows no chip '" << chip
                            << "'; " << adviseChips();
    version = ptxVersion != 0 ? int(ptxVersion) : target->defaultPtx;
    if (version < target->minPtx || version > target->maxPtx)
      return emitError(loc)
             << "mxfp4-serialize expects a PTX version from " << target->minPtx
             << " to " << target->maxPtx << " for " << chip << ", but got "
             << ptxVersion.getValue();
    if (optLevel < 0 || optLevel > 3)
      return emitError(loc) << "mxfp4-serialize expects an optimisation level "
                               "from 0 to 3, but got "
                            << optLevel.getValue();
    if (format != "isa" && format != "bin" && format != "none")
      return emitError(loc) << "mxfp4-serialize expects format=isa, format=bin "
                               "or format=none, but got '"
                            << format << "'";
    return success();
  }

  void runOnOperation() override {
    SmallVector<gpu::GPUModuleOp> modules;
    getOperation()->walk([&](gpu::GPUModuleOp module) {
      if (module->hasAttr(MXFP4Dialect::kKernelsAttr))
        modules.push_back(module);
    });
    for (gpu::GPUModuleOp module : modules) {
      if (failed(finish(module)))
        return signalPassFailure();
    }
  }

private:
  LogicalResult finish(gpu::GPUModuleOp module);
  LogicalResult serialize(gpu::GPUModuleOp module);

  int version = 0;
};

/// LLVM ends the process when it prints another name.
LogicalResult verifyNames(gpu::GPUModuleOp module) {
  const WalkResult result = module.walk([](SymbolOpInterface symbol) {
    const StringRef name = symbol.getName();
    if (isPtxName(std::string_view(name.data(), name.size())))
      return WalkResult::advance();
    symbol.emitError() << "'" << name
                       << "' is no identifier of PTX; name kernels with "
                          "letters, digits, '_' and '$'";
    return WalkResult::interrupt();
  });
  return failure(result.wasInterrupted());
}

LogicalResult SerializePass::finish(gpu::GPUModuleOp module) {
  if (failed(verifyNames(module)))
    return failure();
  // Nothing reads the target from here on, and tools that run the code of the
  // host need not know our attributes.
  for (Operation *op = module; op; op = op->getParentOp())
    op->removeDiscardableAttr(MXFP4Dialect::getTargetAttrName());
  module->removeAttr(MXFP4Dialect::kKernelsAttr);
  if (format != "none")
    return serialize(module);
  module->setAttr(MXFP4Dialect::kCompiledAttr, UnitAttr::get(&getContext()));
  return success();
}

/// Upstream notes how many milliseconds it took, so that no two runs would have
/// equal output, and caches of builds would miss.
void dropTimes(gpu::BinaryOp binary) {
  SmallVector<Attribute> objects;
  for (auto object : binary.getObjectsAttr().getAsRange<gpu::ObjectAttr>()) {
    NamedAttrList properties(object.getProperties());
    for (StringRef name : {"LLVMIRToISATimeInMs", "ISAToBinaryTimeInMs"})
      properties.erase(name);
    MLIRContext *context = binary.getContext();
    objects.push_back(gpu::ObjectAttr::get(
        context, object.getTarget(), object.getFormat(), object.getObject(),
        properties.getDictionary(context), object.getKernels()));
  }
  binary.setObjectsAttr(ArrayAttr::get(binary.getContext(), objects));
}

/// Upstream serialises every gpu.module of an operation; ours is therefore
/// alone in one while that happens.
LogicalResult SerializePass::serialize(gpu::GPUModuleOp module) {
  MLIRContext *context = &getContext();
  module.setTargetsAttr(ArrayAttr::get(
      context, NVVM::NVVMTargetAttr::get(context, optLevel,
                                         /*triple=*/"nvptx64-nvidia-cuda", chip,
                                         "+ptx" + std::to_string(version))));
  Block *block = module->getBlock();
  Operation *next = module->getNextNode();
  const auto putBack = [&](Operation *op) {
    op->remove();
    block->getOperations().insert(next ? Block::iterator(next) : block->end(),
                                  op);
  };
  OwningOpRef<ModuleOp> alone = ModuleOp::create(module.getLoc());
  module->moveBefore(alone->getBody(), alone->getBody()->end());
  const gpu::TargetOptions options(
      /*toolkitPath=*/{}, /*librariesToLink=*/{}, /*cmdOptions=*/{},
      /*elfSection=*/{},
      format == "bin" ? gpu::CompilationTarget::Binary
                      : gpu::CompilationTarget::Assembly);
  // Upstream looks for libdevice, which no kernel calls, and reports an error
  // where CUDA_HOME names no folder, although it goes on.
  SmallVector<Diagnostic> errors;
  LogicalResult result = failure();
  {
    ScopedDiagnosticHandler keep(context, [&](Diagnostic &diagnostic) {
      if (diagnostic.getSeverity() != DiagnosticSeverity::Error)
        return failure();
      errors.push_back(std::move(diagnostic));
      return success();
    });
    result = gpu::transformGpuModulesToBinaries(*alone, /*handler=*/nullptr,
                                                options);
  }
  if (failed(result))
    for (Diagnostic &error : errors)
      context->getDiagEngine().emit(std::move(error));
  Operation *made = &alone->getBody()->front();
  if (succeeded(result)) {
    made->setAttr(MXFP4Dialect::kCompiledAttr, UnitAttr::get(context));
    dropTimes(cast<gpu::BinaryOp>(made));
  }
  putBack(made);
  return result;
}

} // namespace
