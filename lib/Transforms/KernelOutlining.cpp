//===- KernelOutlining.cpp - Operations of the host to kernels ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelOutlining.h"

#include "mxfp4/Core/PtxName.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

using namespace mlir;
using namespace mxfp4;

std::string mxfp4::unmetForOutlining(Operation *op) {
  for (Value operand : op->getOperands()) {
    auto type = dyn_cast<MemRefType>(operand.getType());
    if (!type)
      return "requires memref operands to become a kernel; bufferize first";
    if (type != withIdentityLayout(type))
      return "requires contiguous memrefs (identity layout) to become a "
             "kernel; "
             "run mxfp4-make-contiguous";
  }
  if (op->getParentOfType<gpu::GPUModuleOp>())
    return "requires to be in code of the host to become a kernel, which the "
           "host launches, but is in a gpu.module";
  if (!isa_and_nonnull<ModuleOp>(SymbolTable::getNearestSymbolTable(op)))
    return "requires a builtin.module as its nearest symbol table to become a "
           "kernel";
  return "";
}

gpu::GPUFuncOp mxfp4::outlineKernel(Operation *op,
                                    ArrayRef<KernelArgument> signature,
                                    int64_t threads,
                                    int64_t ctasPerMultiprocessor) {
  // Where the launch looks its kernel up.
  auto module = op->getParentOfType<ModuleOp>();
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  module->setAttr(gpu::GPUDialect::getContainerModuleAttrName(),
                  builder.getUnitAttr());
  std::string name = "mxfp4";
  if (auto function = op->getParentOfType<FunctionOpInterface>())
    name = ptxName("mxfp4_", function.getName().str());

  auto gpuModule = gpu::GPUModuleOp::create(builder, op->getLoc(), name);
  gpuModule->setAttr(MXFP4Dialect::kKernelsAttr, builder.getUnitAttr());
  SymbolTable(module).insert(gpuModule); // Renames it if the name is taken.
  // The kernel's passes see no more than the gpu.module.
  const Target target = targetOf(op);
  gpuModule->setAttr(
      MXFP4Dialect::getTargetAttrName(),
      TargetAttr::get(builder.getContext(), target.chip, target.device));
  builder.setInsertionPointToStart(gpuModule.getBody());

  SmallVector<Type> arguments;
  for (const KernelArgument &argument : signature)
    arguments.push_back(argument.type);
  auto kernel =
      gpu::GPUFuncOp::create(builder, op->getLoc(), gpuModule.getName(),
                             builder.getFunctionType(arguments, {}));
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(),
                  builder.getUnitAttr());
  kernel.setKnownBlockSizeAttr(
      builder.getDenseI32ArrayAttr({int32_t(threads), 1, 1}));
  kernel->setAttr(NVVM::NVVMDialect::getMinctasmAttrName(),
                  builder.getI32IntegerAttr(int32_t(ctasPerMultiprocessor)));
  for (auto [i, argument] : llvm::enumerate(signature))
    kernel.setArgAttr(i, MXFP4Dialect::getArgAttrName(), argument.attr);
  return kernel;
}

void mxfp4::emitGridDependency(ImplicitLocOpBuilder &b) {
  NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::wait);
  NVVM::GriddepcontrolOp::create(b, NVVM::GridDepActionKind::launch_dependents);
}

void mxfp4::emitLaunch(ImplicitLocOpBuilder &b, gpu::GPUFuncOp kernel,
                       gpu::KernelDim3 grid, int64_t threads,
                       int64_t sharedBytes, ValueRange arguments) {
  Value one = arith::ConstantIndexOp::create(b, 1);
  Value shared = arith::ConstantIntOp::create(b, b.getI32Type(), sharedBytes);
  gpu::LaunchFuncOp::create(
      b, kernel, grid,
      gpu::KernelDim3{arith::ConstantIndexOp::create(b, threads), one, one},
      shared, arguments);
}
