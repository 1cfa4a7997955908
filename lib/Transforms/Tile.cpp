//===- Tile.cpp - Grouped matmuls to tiled kernels ------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "KernelBuilding.h"
#include "KernelOutlining.h"
#include "TileKernel.h"

#include "mxfp4/Core/Resources.h"
#include "mxfp4/IR/KernelSignature.h"
#include "mxfp4/IR/MXFP4.h"
#include "mxfp4/Transforms/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"

#include <map>

namespace mxfp4 {
#define GEN_PASS_DEF_TILE
#include "mxfp4/Transforms/Passes.h.inc"
} // namespace mxfp4

using namespace mlir;
using namespace mxfp4;

namespace {

/// What keeps an operation from becoming a kernel, as the rest of a sentence;
/// empty if nothing does.
std::string unmetPrecondition(GroupedMatmulOp op) {
  if (std::string reason = unmetForOutlining(op); !reason.empty())
    return reason;
  if (!op.getBlockType())
    return "requires weights in a fragment-major layout to become a kernel; "
           "insert mxfp4.pack";
  for (auto [name, size] : {std::pair("N", op.getN()),
                            {"K", op.getK()},
                            {"the number of experts", op.getNumExperts()},
                            {"the number of groups", op.getNumGroups()}})
    if (ShapedType::isDynamic(size))
      return std::string("requires ") + name +
             " to be static to become a kernel";
  if (op.getNumGroups() > maxGroups())
    return "requires at most " + std::to_string(maxGroups()) +
           " groups to become a kernel, but has " +
           std::to_string(op.getNumGroups());
  if (!op.getScheduleAttr())
    return "requires a schedule to become a kernel; run mxfp4-choose-schedule";
  return "";
}

} // namespace

//===----------------------------------------------------------------------===//
// The pass
//===----------------------------------------------------------------------===//

/// Why a module without mxfp4.grouped_matmul has no kernels of ours; empty if
/// it has some that are being lowered or compiled already.
static std::string lackOfKernels(ModuleOp module) {
  std::map<std::string, int> others;
  const WalkResult found = module.walk([&](Operation *op) {
    if (op->hasAttr(MXFP4Dialect::kKernelsAttr) ||
        op->hasAttr(MXFP4Dialect::kCompiledAttr))
      return WalkResult::interrupt();
    if (isa_and_nonnull<MXFP4Dialect>(op->getDialect()))
      ++others[op->getName().getStringRef().str()];
    return WalkResult::advance();
  });
  if (found.wasInterrupted())
    return "";
  std::string reason = "has no mxfp4.grouped_matmul to make a kernel of";
  for (const auto &[name, count] : others)
    reason += (name == others.begin()->first ? ", only " : ", ") +
              std::to_string(count) + " " + name;
  return reason + "; run mxfp4-raise first, if it is written in linalg, or "
                  "allow it with require-kernels=false";
}

namespace {

struct TilePass : mxfp4::impl::TileBase<TilePass> {
  using TileBase::TileBase;

  void runOnOperation() override;

private:
  void outline(GroupedMatmulOp op);
  void launch(GroupedMatmulOp op, gpu::GPUFuncOp kernel);
};

} // namespace

void TilePass::runOnOperation() {
  SmallVector<GroupedMatmulOp> ops;
  getOperation().walk([&](GroupedMatmulOp op) { ops.push_back(op); });
  if (requireKernels && ops.empty())
    if (const std::string reason = lackOfKernels(getOperation());
        !reason.empty()) {
      getOperation().emitError() << reason;
      return signalPassFailure();
    }
  for (GroupedMatmulOp op : ops)
    if (std::string reason = unmetPrecondition(op); !reason.empty()) {
      op.emitOpError() << reason;
      return signalPassFailure();
    }
  for (GroupedMatmulOp op : ops)
    outline(op);
  numTiled += ops.size();
}

void TilePass::outline(GroupedMatmulOp op) {
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  gpu::GPUFuncOp kernel =
      outlineKernel(op, kernelSignature(op), schedule.threads(),
                    schedule.ctasPerMultiprocessor);
  buildKernel(op, kernel);
  launch(op, kernel);
}

void TilePass::launch(GroupedMatmulOp op, gpu::GPUFuncOp kernel) {
  ImplicitLocOpBuilder b(op.getLoc(), op);
  const Schedule schedule = op.getScheduleAttr().toSchedule();
  const auto rowsOf = [&](Value buffer) -> Value {
    return arith::IndexCastOp::create(b, b.getI32Type(),
                                      memref::DimOp::create(b, buffer, 0));
  };
  SmallVector<Value> arguments;
  for (auto [operand, type] :
       llvm::zip(op->getOperands(), kernel.getFunctionType().getInputs()))
    arguments.push_back(
        isa<TensorMapType>(type)
            ? MakeTensorMapOp::create(b, cast<TensorMapType>(type), operand)
            : operand);
  arguments.push_back(rowsOf(op.getRowSource()));
  if (op.getGather())
    arguments.push_back(rowsOf(op.getActivations()));
  if (op.getScatter())
    arguments.push_back(rowsOf(op.getInit()));
  if (op.bringsRows())
    arguments.push_back(MakeTensorMapOp::create(
        b, cast<TensorMapType>(kernel.getFunctionType().getInputs().back()),
        op.getThrough()));
  const int64_t ctas = int64_t(targetOf(op).device.multiprocessors) *
                       schedule.ctasPerMultiprocessor;
  Value one = indexConstant(b, 1);
  emitLaunch(b, kernel, {indexConstant(b, ctas), one, one}, schedule.threads(),
             SharedMemoryMap(schedule, op.getBlockType().getLayout(),
                             op.getNumGroups())
                 .dynamicBytes(),
             arguments);
  op.erase();
}
